"""Small PDFs made to measure: positioned text in any script, turned pages, pictures, an outline, metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ASTRAL = "𝑥"
"""The one character beyond U+FFFF that the fonts have."""
_ASTRAL_CODE = "\uf8ff"

WIDTH, HEIGHT = 400, 600
"""The size of a page, in points, unless it says another one."""


@dataclass(frozen=True)
class Text:
    """A piece of a line: its first baseline point, `y` from the top of the page. Every character is half an em wide."""

    x: float
    y: float
    text: str
    size: float = 10
    bold: bool = False
    upwards: bool = False

    @property
    def right(self) -> float:
        return self.x + len(self.text) * self.size / 2


@dataclass(frozen=True)
class Page:
    texts: Sequence[Text] = ()
    picture: bool = False
    rotate: int = 0
    size: tuple[float, float] = WIDTH, HEIGHT
    crop: tuple[float, float, float, float] | None = None
    """What is shown of the page: left, top, right and bottom, from its upper left corner."""


@dataclass(frozen=True)
class Mark:
    """A bookmark to a page (counted from 1), perhaps to a height on it (`y` from the top)."""

    title: str
    page: int
    y: float | None = None
    inside: Sequence[Mark] = ()


def pdf(
    pages: Sequence[Page],
    outline: Sequence[Mark] = (),
    metadata: Mapping[str, str] | None = None,
    language: str = "",
    *,
    locked: bool = False,
) -> bytes:
    """The bytes of a PDF. A `locked` one asks for a password that nobody knows."""
    file = _File()
    fonts = {name: file.add(_font(file, name)) for name in ("Plain", "Plain-Bold")}
    picture = file.add(
        b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8", b"\x80"
    )
    root, tree = file.reserve(), file.reserve()
    resources = (
        f"<< /Font << /F0 {fonts['Plain']} 0 R /F1 {fonts['Plain-Bold']} 0 R >> /XObject << /I {picture} 0 R >> >>"
    )
    kids = []
    for page in pages:
        width, height = page.size
        content = file.add(
            b"<<",
            b"\n".join(_drawn(text, height) for text in page.texts) + (b"\n300 0 0 400 50 50 cm /I Do" * page.picture),
        )
        crop = ""
        if page.crop:
            left, top, right, bottom = page.crop
            crop = f"/CropBox [{left} {height - bottom} {right} {height - top}] "
        kids.append(
            file.add(
                f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {width} {height}] {crop}"
                f"/Rotate {page.rotate} /Resources {resources} /Contents {content} 0 R >>".encode()
            )
        )
    file.fill(tree, f"<< /Type /Pages /Count {len(kids)} /Kids [{_references(kids)}] >>".encode())
    catalog = f"<< /Type /Catalog /Pages {tree} 0 R"
    if outline:
        catalog += f" /Outlines {_outline(file, outline, kids)} 0 R"
    if language:
        catalog += f" /Lang ({language})"
    file.fill(root, f"{catalog} >>".encode())
    trailer = f"/Root {root} 0 R"
    if metadata:
        entries = " ".join(f"/{key} {_string(value)}" for key, value in metadata.items())
        trailer += f" /Info {file.add(f'<< {entries} >>'.encode())} 0 R"
    if locked:
        secret = "00" * 32
        trailer += f" /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{secret}> /U <{secret}> >> /ID [<00> <00>]"
    return file.written(trailer)


class _File:
    """The numbered objects of a PDF."""

    def __init__(self) -> None:
        self._objects: list[bytes] = []

    def reserve(self) -> int:
        self._objects.append(b"null")
        return len(self._objects)

    def add(self, dictionary: bytes, stream: bytes | None = None) -> int:
        """Adds an object; with a stream, `dictionary` is left open for its length."""
        number = self.reserve()
        if stream is not None:
            dictionary += b" /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)
        self.fill(number, dictionary)
        return number

    def fill(self, number: int, content: bytes) -> None:
        self._objects[number - 1] = content

    def written(self, trailer: str) -> bytes:
        data = b"%PDF-1.7\n"
        table = b"0000000000 65535 f \n"
        for number, content in enumerate(self._objects, start=1):
            table += b"%010d 00000 n \n" % len(data)
            data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
        size = len(self._objects) + 1
        return data + b"xref\n0 %d\n%strailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (
            size,
            table,
            size,
            trailer.encode(),
            len(data),
        )


def _font(file: _File, name: str) -> bytes:
    """A font without glyphs whose codes are UTF-16: enough to take the text out again."""
    ranges = [f"<{high:02X}00> <{high:02X}FF> <{high:02X}00>" for high in range(256) if high != ord(_ASTRAL_CODE) >> 8]
    parts = [ranges[start : start + 100] for start in range(0, len(ranges), 100)]
    mapping = "\n".join(f"{len(part)} beginbfrange\n" + "\n".join(part) + "\nendbfrange" for part in parts)
    mapping += f"\n1 beginbfchar\n<{_utf_16(_ASTRAL_CODE)}> <{_utf_16(ASTRAL)}>\nendbfchar"
    to_unicode = file.add(
        b"<<",
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def\n"
        b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n" + mapping.encode() + b"\nendcmap end end",
    )
    descriptor = file.add(
        f"<< /Type /FontDescriptor /FontName /{name} /Flags 32 /FontBBox [0 -200 1000 800] /ItalicAngle 0 "
        "/Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>".encode()
    )
    glyphs = file.add(
        f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{name} /DW 500 /FontDescriptor {descriptor} 0 R "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>".encode()
    )
    return (
        f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H /DescendantFonts [{glyphs} 0 R] "
        f"/ToUnicode {to_unicode} 0 R >>".encode()
    )


def _drawn(text: Text, height: float) -> bytes:
    turn = "0 1 -1 0" if text.upwards else "1 0 0 1"
    code = _utf_16(text.text.replace(ASTRAL, _ASTRAL_CODE))
    return f"BT /F{int(text.bold)} {text.size} Tf {turn} {text.x} {height - text.y} Tm <{code}> Tj ET".encode()


def _outline(file: _File, marks: Sequence[Mark], pages: Sequence[int]) -> int:
    top = file.reserve()
    numbers = _marks(file, marks, top, pages)
    file.fill(top, f"<< /Type /Outlines /First {numbers[0]} 0 R /Last {numbers[-1]} 0 R >>".encode())
    return top


def _marks(file: _File, marks: Sequence[Mark], parent: int, pages: Sequence[int]) -> list[int]:
    numbers = [file.reserve() for _ in marks]
    for index, (mark, number) in enumerate(zip(marks, numbers, strict=True)):
        view = "Fit" if mark.y is None else f"XYZ 0 {HEIGHT - mark.y} 0"
        entry = f"/Title {_string(mark.title)} /Parent {parent} 0 R /Dest [{pages[mark.page - 1]} 0 R /{view}]"
        if index:
            entry += f" /Prev {numbers[index - 1]} 0 R"
        if index + 1 < len(numbers):
            entry += f" /Next {numbers[index + 1]} 0 R"
        if mark.inside:
            inside = _marks(file, mark.inside, number, pages)
            entry += f" /First {inside[0]} 0 R /Last {inside[-1]} 0 R /Count {len(inside)}"
        file.fill(number, f"<< {entry} >>".encode())
    return numbers


def _string(text: str) -> str:
    return f"<FEFF{_utf_16(text)}>"


def _utf_16(text: str) -> str:
    return text.encode("utf-16-be").hex()


def _references(numbers: Sequence[int]) -> str:
    return " ".join(f"{number} 0 R" for number in numbers)
