"""PDF: text with its pages, chapters from the outline, title and author from the metadata.

PDFium (through pypdfium2) finds the characters; `lines` makes lines and columns of them, `running_lines` drops
headers and footers, `blocks` makes paragraphs and tables, `text` joins the pages and `chapters` finds the
chapters. `picture` draws a page.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers.pdf.blocks import Block, blocks
from ai_library_bot.readers.pdf.chapters import Bookmark, chapter_starts
from ai_library_bot.readers.pdf.lines import Word, columns, rows
from ai_library_bot.readers.pdf.running_lines import Page, body_size, without_running_lines
from ai_library_bot.readers.pdf.text import joined, sections
from ai_library_bot.text import fold, one_line, words
from ai_library_bot.types import BookText

_MAX_PAGES = 10_000
_MAX_CHARACTERS = 30_000_000
_MAX_BOOKMARKS = 10_000
_TITLE_PAGES = 5  # where a title is looked for
_TITLE_SHOWN = 0.8  # of its words
_MAX_OBJECTS = 100  # objects of a page that are looked at to find a picture
_FONT_NAME = 64  # bytes of a font's name that are looked at
_LANGUAGE_NAME = 32  # characters

_BARE_PAGE = 20  # a page with fewer characters has no text worth the name
_MAX_SCANNED_SHARE = 0.9  # of the pages; more, and the book is a scan
_NOTABLE_SCANNED_SHARE = 0.1  # of the pages; below that, they are covers and plates
_FEW_PAGES = 2  # scanned ones are not worth a warning in any book
_MAX_UNREADABLE_SHARE = 0.3  # of the characters; more, and the file's fonts do not say what their glyphs mean
_ACCENTED_SHARE = 0.5  # of the characters; no language written in Latin letters comes near

_ACCENTED = re.compile("[\xc0-\xff]")
CP1251 = {code: bytes([code]).decode("cp1251") for code in (0xA8, 0xB8, 0xB9, *range(0xC0, 0x100))}
# A run of characters without white space. PDFium writes a hyphen at a line's end as U+FFFE and no line break behind it.
_TOKEN = re.compile("[^\\s\ufffe]+\ufffe?|\ufffe")
_HYPHEN_CODE = 2  # the same hyphen, when a character is asked for by itself
_MARK_HEIGHT = 1.2  # a word's last letter is so much higher than the note mark before it
_FORCED_BOLD = 1 << 18  # font flag, PDF 32000-1:2008, table 123
_BOLD_NAME = re.compile(rb"(?i)bold|black|heavy|demi|cmbx|sfbx|medi$|[a-z]{2,4}bx\d")
_MADE_UP_TITLE = re.compile(
    r"(?i)^[\W\d_]*$|^(?:untitled|unknown|no title|без названия|microsoft \w+ - .*|документ\s*\d*|document\s*\d*"
    r"|\S*\d{5}\S*|https?:.*|www\..*)$|\.(?:docx?|pdf|indd|rtf|tex|dvi|odt|qxd|pmd|html?|txt|xlsx?)$"
)
_NO_AUTHOR = re.compile(
    r"(?i)^(?:anonymous|unknown|user|admin(?:istrator)?|owner|author|автор|пользователь|root|guest|\d+|-)?$"
    r"|\b(?:inc|llc|ltd|corp)\b|@|\b[\w-]+\.(?:com|net|org|ru|io|info)\b"
)
_BETWEEN_AUTHORS = re.compile(r";|&| and | и ")
_UNREADABLE = re.compile("[\x00-\x08\x0e-\x1f\ue000-\uf8ff\ufffd]")


def read(data: bytes, path: Path) -> BookText:
    """The text of a PDF, each section with the numbers of its pages (the first page of the file is 1).

    Raises UnreadableBook for a file that is damaged, locked with a password, scanned or without end.
    """
    from pypdfium2 import raw

    with opened(data, path) as document:
        return _read(document, raw, path)


def opened(data: bytes, path: Path) -> Any:
    """PDFium's document, for a `with` block. Raises UnreadableBook for a damaged or locked one."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        raise UnreadableBook("pdf_locked" if locked else "pdf_damaged", path=str(path)) from error


class _PageText(NamedTuple):
    """The words of a page, by the angle in degrees that their lines run in, against the clock; 0 is to the right."""

    number: int
    top: float
    words: dict[int, list[Word]]
    picture: bool = False

    @property
    def joined(self) -> str:
        """All its words, without spaces."""
        return "".join(word.text for words in self.words.values() for word in words)

    @property
    def angle(self) -> int:
        """The angle of most of the text."""
        return max(self.words, key=lambda angle: sum(len(word.text) for word in self.words[angle]), default=0)


def _read(document: Any, raw: ModuleType, path: Path) -> BookText:
    texts = _in_cyrillic(list(_page_texts(document, raw, path)))
    warnings = _checked(texts, path)
    upright = [Page(text.number, rows(text.words.get(text.angle, ()))) for text in texts]
    body = body_size(upright)
    pages = without_running_lines(upright)
    blocks_of = ((page.number, list(_blocks(page, text, body))) for page, text in zip(pages, texts, strict=True))
    pieces = list(joined(blocks_of))
    starts = chapter_starts(pieces, _outline(document, raw, texts), body)
    metadata: dict[str, str] = document.get_metadata_dict()
    return BookText(
        format="pdf",
        sections=tuple(sections(pieces, starts)),
        title=_title(metadata, path, texts[:_TITLE_PAGES]),
        authors=_authors(metadata),
        language=_language(document, raw),
        warnings=warnings,
    )


def _blocks(page: Page, text: _PageText, body: float) -> Iterator[Block]:
    """The page's blocks in reading order, at their end as notes those whose lines run another way."""
    for column in columns(page.rows):
        yield from blocks(column, body)
    for angle in sorted(text.words.keys() - {text.angle}):
        for block in blocks(rows(text.words[angle]), body):
            yield replace(block, note=True)


def _page_texts(document: Any, raw: ModuleType, path: Path) -> Iterator[_PageText]:
    if not len(document):
        raise UnreadableBook("pdf_damaged", path=str(path))
    if len(document) > _MAX_PAGES:
        raise UnreadableBook("pdf_too_long", path=str(path))
    characters = 0
    for number in range(1, len(document) + 1):
        text = _page_text(document, raw, number)
        characters += len(text.joined)
        if characters > _MAX_CHARACTERS:
            raise UnreadableBook("pdf_too_long", path=str(path))
        yield text


def _page_text(document: Any, raw: ModuleType, number: int) -> _PageText:
    page = raw.FPDF_LoadPage(document, number - 1)
    if not page:  # a damaged page in a book that is otherwise sound
        return _PageText(number, 0.0, {})
    try:
        text_page = raw.FPDFText_LoadPage(page)
        try:
            text = _PageText(number, _box(page, raw).top, _words(page, text_page, raw))
        finally:
            raw.FPDFText_ClosePage(text_page)
        return text._replace(picture=len(text.joined) < _BARE_PAGE and _has_picture(page, raw))
    finally:
        raw.FPDF_ClosePage(page)


def _words(page: Any, text_page: Any, raw: ModuleType) -> dict[int, list[Word]]:
    """The words of a page with their places: `left`, `right` and `y` along and across the lines they stand in.

    Calls into PDFium are what takes the time here: one gets all the text, each word takes four more.
    """
    text = page_characters(text_page, raw)
    page_box = _box(page, raw)
    first, last, matrix = raw.FS_RECTF(), raw.FS_RECTF(), raw.FS_MATRIX()
    x, y, font, flags = ctypes.c_double(), ctypes.c_double(), ctypes.create_string_buffer(_FONT_NAME), ctypes.c_int()
    at_x, at_y, at_flags = ctypes.byref(x), ctypes.byref(y), ctypes.byref(flags)
    at_first, at_last, at_matrix = ctypes.byref(first), ctypes.byref(last), ctypes.byref(matrix)

    words: defaultdict[int, list[Word]] = defaultdict(list)
    style, size, angle, bold = None, 0.0, 0, False
    for match in _TOKEN.finditer(text):
        start, end = match.start(), match.end() - 1
        raw.FPDFText_GetLooseCharBox(text_page, start, at_first)
        raw.FPDFText_GetLooseCharBox(text_page, end, at_last)
        mark_first = last.top - last.bottom > _MARK_HEIGHT * (first.top - first.bottom)
        sample = end if mark_first else start  # a raised note mark does not say how its word is set
        raw.FPDFText_GetCharOrigin(text_page, sample, at_x, at_y)
        raw.FPDFText_GetFontInfo(text_page, sample, font, _FONT_NAME, at_flags)
        if style != (style := (font.value, round(first.top - first.bottom, 1), round(y.value, 1))):
            raw.FPDFText_GetMatrix(text_page, sample, at_matrix)
            size = round(raw.FPDFText_GetFontSize(text_page, sample) * math.hypot(matrix.c, matrix.d), 1)
            angle = round(math.atan2(matrix.b, matrix.a) / math.radians(90)) % 4 * 90
            bold = bool(flags.value & _FORCED_BOLD or _BOLD_NAME.search(font.value))
        left, right = min(first.left, last.left), max(first.right, last.right)
        bottom, top = min(first.bottom, last.bottom), max(first.top, last.top)
        if angle == 0:
            place = left, right, page_box.top - y.value
        elif angle == 90:
            place = bottom, top, x.value - page_box.left
        elif angle == 180:
            place = page_box.right - right, page_box.right - left, y.value - page_box.bottom
        else:
            place = page_box.top - top, page_box.top - bottom, page_box.right - x.value
        words[angle].append(Word(_readable(match.group()), *place, size, bold))
    return words


def page_characters(text_page: Any, raw: ModuleType) -> str:
    """The page's text, one character for each of PDFium's.

    The quick call leaves characters out, above all those beyond U+FFFF; then each is asked for by itself, and such a
    character may come as two surrogates.
    """
    count = max(0, raw.FPDFText_CountChars(text_page))
    buffer = (ctypes.c_ushort * (count + 1))()
    units = raw.FPDFText_GetText(text_page, 0, count, buffer)
    text = bytes(buffer)[: 2 * max(0, units - 1)].decode("utf-16-le", "surrogatepass")
    if len(text) == count:
        return text
    codes = (raw.FPDFText_GetUnicode(text_page, index) for index in range(count))
    return "".join(map(chr, codes)).translate({0: " ", _HYPHEN_CODE: "\ufffe"})


def _readable(token: str) -> str:
    if token.isascii():
        return token
    return token.replace("\ufffe", "-").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _box(page: Any, raw: ModuleType) -> Any:
    box = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(page, ctypes.byref(box))
    return box


def _has_picture(page: Any, raw: ModuleType) -> bool:
    count = min(raw.FPDFPage_CountObjects(page), _MAX_OBJECTS)
    kinds = {raw.FPDFPageObj_GetType(raw.FPDFPage_GetObject(page, index)) for index in range(count)}
    return not kinds.isdisjoint((raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_FORM))


def _checked(texts: Sequence[_PageText], path: Path) -> tuple[str, ...]:
    """The warnings about a book's text. Raises UnreadableBook where there is hardly any, or none that can be read."""
    scanned = sum(text.picture for text in texts)
    if scanned > _MAX_SCANNED_SHARE * len(texts):
        raise UnreadableBook("pdf_scanned", path=str(path))
    characters = sum(len(text.joined) for text in texts)
    if sum(len(_UNREADABLE.findall(text.joined)) for text in texts) > _MAX_UNREADABLE_SHARE * characters:
        raise UnreadableBook("pdf_unreadable_fonts", path=str(path))
    if scanned > max(_FEW_PAGES, _NOTABLE_SCANNED_SHARE * len(texts)):
        return ("scanned_pages",)
    return ()


def _in_cyrillic(texts: list[_PageText]) -> list[_PageText]:
    """Mends Russian text whose fonts name their letters as Latin ones ("Êíèãà" for "Книга"), in all of the book."""
    characters = sum(len(text.joined) for text in texts)
    if not characters or sum(len(_ACCENTED.findall(text.joined)) for text in texts) < _ACCENTED_SHARE * characters:
        return texts
    return [
        text._replace(
            words={
                angle: [word._replace(text=word.text.translate(CP1251)) for word in words]
                for angle, words in text.words.items()
            }
        )
        for text in texts
    ]


def _outline(document: Any, raw: ModuleType, texts: Sequence[_PageText]) -> Iterator[Bookmark]:
    for bookmark in islice(document.get_toc(), _MAX_BOOKMARKS):
        destination = bookmark.get_dest()
        index = destination.get_index() if destination else None
        if index is None or not 0 <= index < len(texts):
            continue
        text = texts[index]
        has_x, has_y, has_zoom = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        x, y, zoom = ctypes.c_float(), ctypes.c_float(), ctypes.c_float()
        raw.FPDFDest_GetLocationInPage(destination, has_x, has_y, has_zoom, x, y, zoom)
        known = has_y.value and text.angle == 0
        yield Bookmark(
            bookmark.level, one_line(bookmark.get_title()), text.number, text.top - y.value if known else None
        )


def _title(metadata: dict[str, str], path: Path, first_pages: Sequence[_PageText]) -> str:
    """The title, unless a program made it up or a template left it behind: the book itself shows its title."""
    title = one_line(metadata.get("Title", ""))
    if _MADE_UP_TITLE.search(title) or fold(title) in (fold(path.stem), fold(path.name)):
        return ""
    return title if _shown(title, first_pages) and not _names_program(title, metadata) else ""


def _shown(title: str, pages: Sequence[_PageText]) -> bool:
    """Whether most words of the title stand on the pages; a title page may be a picture."""
    text = fold("".join(page.joined for page in pages))
    shown = [word.folded in text for word in words(title)]
    return sum(shown) >= _TITLE_SHOWN * len(shown) or any(page.picture for page in pages)


def _authors(metadata: dict[str, str]) -> tuple[str, ...]:
    """The authors, unless the field holds a program, an account or nobody."""
    author = one_line(metadata.get("Author", ""))
    if _NO_AUTHOR.search(author) or _names_program(author, metadata):
        return ()
    if all(" " in name for name in author.split(", ")):  # "Holmes, Jon" is one name
        author = author.replace(", ", "; ")
    names = (name.strip(" ,") for name in _BETWEEN_AUTHORS.split(author))
    return tuple(name for name in names if any(map(str.isalpha, name)))


def _names_program(value: str, metadata: dict[str, str]) -> bool:
    """Whether the value begins as the name of the program that made the file does."""
    words = fold(value).split()
    programs = fold(f"{metadata.get('Creator', '')} {metadata.get('Producer', '')}").split()
    return bool(words) and len(words[0]) > 2 and words[0] in programs[:1]


def _language(document: Any, raw: ModuleType) -> str:
    """The language that the file's catalog declares, as an ISO 639-1 code; "" for none."""
    buffer = (ctypes.c_ushort * _LANGUAGE_NAME)()
    size = raw.FPDFCatalog_GetLanguage(document, buffer, _LANGUAGE_NAME)
    if not 2 < size <= 2 * _LANGUAGE_NAME:
        return ""
    declared = bytes(buffer)[: size - 2].decode("utf-16-le", "replace")
    match = re.match(r"[a-z]{2,3}(?![a-z])", declared.lower())
    return match.group() if match else ""
