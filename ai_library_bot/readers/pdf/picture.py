"""A page of a PDF as a picture, the words of a quotation marked as with a yellow pen."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import png
from ai_library_bot.readers.pdf import CP1251, opened, page_characters
from ai_library_bot.readers.pdf.quotation import places

LONG_SIDE = 1500
"""How many pixels the longer side of every picture has."""

_WHITE = 0xFFFFFFFF
_PIXEL = 3  # bytes: red, green, blue
_PEN = {1: 240, 2: 110}  # of 255 parts of green and blue, what a yellow pen leaves
_LEFT_OF = {colour: bytes(value * part // 255 for value in range(256)) for colour, part in _PEN.items()}
_MOST_CHARACTERS = 200_000  # of a page are searched; no printed page has so many
_BESIDE = 0.5  # of the lower of two characters on a line stands beside the other
_SPACE = 2.0  # heights of a character: there is no wider space within a marked line


class Box(NamedTuple):
    """A rectangle of pixels, from the upper left corner to the lower right one, which is outside."""

    left: int
    top: int
    right: int
    bottom: int


def draw(data: bytes, path: Path, page: int, text: str, start: int, end: int) -> bytes:
    """The page (the first page of the file is 1) as PNG, with the words of `text[start:end]` marked.

    `text` is what the reader has made of the page, or a part of it; what cannot be found is not marked.
    Raises UnreadableBook for a file that is no sound PDF or has no such page.
    """
    from pypdfium2 import raw

    with opened(data, path) as document:
        loaded = raw.FPDF_LoadPage(document, page - 1) if 0 < page <= len(document) else None
        if not loaded:
            raise UnreadableBook("page_not_drawn", path=str(path), page=page)
        try:
            picture = _Picture(loaded, raw)
            picture.mark(_boxes(picture, text, start, end))
            return picture.png()
        finally:
            raw.FPDF_ClosePage(loaded)


def _boxes(picture: _Picture, text: str, start: int, end: int) -> Iterator[Box]:
    """What is to be marked, line by line."""
    raw = picture.raw
    text_page = raw.FPDFText_LoadPage(picture.page)
    try:
        page = page_characters(text_page, raw)[:_MOST_CHARACTERS]
        spans = places(text, start, end, page) or places(text, start, end, page.translate(CP1251))
        corners = raw.FS_RECTF()
        for first, behind in spans:
            yield from in_lines(
                picture.box(corners)
                for index in range(first, behind)
                if not page[index].isspace() and raw.FPDFText_GetLooseCharBox(text_page, index, corners)
            )
    finally:
        raw.FPDFText_ClosePage(text_page)


def in_lines(characters: Iterable[Box]) -> Iterator[Box]:
    """The boxes of characters that follow one another, those of a line made one, whichever way the lines run."""
    line = before = None
    for box in characters:
        if line and before and _side_by_side(before, box):
            line = Box(*map(min, line[:2], box[:2]), *map(max, line[2:], box[2:]))
        else:
            if line:
                yield line
            line = box
        before = box
    if line:
        yield line


def _side_by_side(one: Box, other: Box) -> bool:
    """Whether the characters stand on one line with at most a space between them."""
    across = min(one.right, other.right) - max(one.left, other.left)  # negative where there is a space
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right - one.left, other.right - other.left)
    height = min(one.bottom - one.top, other.bottom - other.top)
    return (down >= _BESIDE * height and across >= -_SPACE * height) or (
        across >= _BESIDE * width and down >= -_SPACE * width
    )


class _Picture:
    """The page, drawn: rows of pixels from the top, three bytes each."""

    def __init__(self, page: Any, raw: ModuleType) -> None:
        self.page, self.raw = page, raw
        width, height = raw.FPDF_GetPageWidthF(page), raw.FPDF_GetPageHeightF(page)
        scale = LONG_SIDE / max(width, height)
        self.width, self.height = (min(LONG_SIDE, max(1, round(side * scale))) for side in (width, height))
        bitmap = raw.FPDFBitmap_CreateEx(self.width, self.height, raw.FPDFBitmap_BGR, None, 0)
        try:
            raw.FPDFBitmap_FillRect(bitmap, 0, 0, self.width, self.height, _WHITE)
            flags = raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER
            raw.FPDF_RenderPageBitmap(bitmap, page, 0, 0, self.width, self.height, 0, flags)
            self._stride = raw.FPDFBitmap_GetStride(bitmap)
            self._pixels = bytearray(ctypes.string_at(raw.FPDFBitmap_GetBuffer(bitmap), self._stride * self.height))
        finally:
            raw.FPDFBitmap_Destroy(bitmap)

    def box(self, corners: Any) -> Box:
        """The pixels of a rectangle of the page, which may lie outside the picture in part or whole."""
        x, y = ctypes.c_int(), ctypes.c_int()
        points = []
        for corner in ((corners.left, corners.top), (corners.right, corners.bottom)):
            self.raw.FPDF_PageToDevice(self.page, 0, 0, self.width, self.height, 0, *corner, x, y)
            points.append((min(max(x.value, 0), self.width), min(max(y.value, 0), self.height)))
        (left, right), (top, bottom) = (sorted(values) for values in zip(*points, strict=True))
        return Box(left, top, right, bottom)

    def mark(self, boxes: Iterable[Box]) -> None:
        """Goes over the rectangles with the pen, once where they overlap; black stays black."""
        clean = bytes(self._pixels)
        for box in boxes:
            for row in range(box.top, box.bottom):
                for colour, left_of in _LEFT_OF.items():
                    begin, end = (row * self._stride + _PIXEL * x + colour for x in (box.left, box.right))
                    self._pixels[begin:end:_PIXEL] = clean[begin:end:_PIXEL].translate(left_of)

    def png(self) -> bytes:
        starts = range(0, self.height * self._stride, self._stride)
        return png.encode(self.width, self.height, (self._pixels[at : at + self.width * _PIXEL] for at in starts))
