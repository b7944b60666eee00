"""Files that want to do harm, or could not do less if they did: bombs, loops, lies, and doors to other files."""

from __future__ import annotations

import base64
import io
import os
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.readers import build
from tests.readers.build_pdf import Page, Text, pdf

SECRET = "TOP-SECRET-0451"
"""What stands in the file `secret` beside the books, and in the environment: nothing of it may get into the index."""

SLOW = frozenset(
    {
        *("wide.fb2", "lines.txt", "deep.rtf", "brackets.md", "links.md", "stars.md"),
        *("deep.fb2", "deep.odt", "deep.docx", "brackets.pdf", "stream bomb.pdf", "control words.rtf"),
        *("a gigabyte.txt", "a gigabyte.html", "a gigabyte.md"),
    }
)
"""Those that take a second and more; the first line up to all the time that a book has."""

MEGABYTE = 2**20

Maker = Callable[[Path], object]


def files() -> dict[str, Maker]:
    """What makes each of them, by its name; the file `secret` stands in the folder above theirs."""
    return {**_zips(), **_markup(), **_rtf(), **_pdfs(), **_texts(), **_polyglots()}


def _put(data: bytes) -> Maker:
    return lambda path: path.write_bytes(data)


def _zip(entries: Mapping[str, str | bytes]) -> Maker:
    return lambda path: build.archive(path, entries)


def _epub(page: str, **more: Mapping[str, str | bytes]) -> Maker:
    return lambda path: build.epub(path, {"1.xhtml": page}, **more)  # type: ignore[arg-type]


def _edited(make: Maker, edit: Callable[[bytes], bytes]) -> Maker:
    def made(path: Path) -> None:
        make(path)
        path.write_bytes(edit(path.read_bytes()))

    return made


def _named_entry(name: str, mode: int = 0o644) -> Maker:
    def made(path: Path) -> None:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        with zipfile.ZipFile(path, "w") as target:
            target.writestr(entry, "x")

    return made


def _overlapping(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("META-INF/container.xml", bytes(MEGABYTE))
        target.filelist *= 500


def _patched(offset_local: int, offset_central: int, value: bytes) -> Callable[[bytes], bytes]:
    """Overwrites a field in each header of an archive."""

    def edit(data: bytes) -> bytes:
        edited = bytearray(data)
        for signature, offset in ((b"PK\x03\x04", offset_local), (b"PK\x01\x02", offset_central)):
            at = edited.find(signature)
            while at >= 0:
                edited[at + offset : at + offset + len(value)] = value
                at = edited.find(signature, at + 4)
        return bytes(edited)

    return edit


def _nested(levels: int) -> bytes:
    data = b"<FictionBook/>"
    for _ in range(levels):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
            target.writestr("book.fb2", data)
        data = buffer.getvalue()
    return data


def _zips() -> dict[str, Maker]:
    bomb = bytes(40 * MEGABYTE)
    sound = _epub("<p>A page.</p>")
    links = '<Relationship Id="a" Type="t" Target="http://127.0.0.1:9/x" TargetMode="External"/>'
    return {
        "bomb.epub": lambda path: build.epub(path, {"1.xhtml": "<p>x</p>"}, files={"OPS/1.xhtml": bomb}),
        "bomb.fb2.zip": _zip({"book.fb2": b"<FictionBook><body>" + bomb}),
        "bomb.docx": lambda path: build.archive(path, {**_docx(path), "word/document.xml": bomb}),
        "bomb beside.docx": lambda path: build.archive(path, {**_docx(path), "word/media/x.png": bomb}),
        "bomb.odt": _zip({"content.xml": bomb, "mimetype": "x"}),
        "many bombs.epub": _epub("<p>x</p>", files={f"OPS/{n}.css": bomb[: 4 * MEGABYTE] for n in range(9)}),
        "chapter bombs.epub": lambda path: build.epub(
            path, {f"{n}.xhtml": "<html>" + " " * 3 * MEGABYTE + "</html>" for n in range(9)}
        ),
        "overlapping.epub": _overlapping,
        "entries.epub": _zip(dict.fromkeys(map(str, range(12_000)), "")),
        "russian dolls.fb2.zip": _put(_nested(50)),
        "archive of archives.zip": _zip({"a.zip": _nested(2), "b.epub": _nested(1)}),
        "upwards.epub": _named_entry("../../../secret"),
        "from the root.docx": _named_entry("/etc/passwd"),
        "from a drive.odt": _named_entry("C:\\Windows\\win.ini"),
        "upwards backwards.fb2.zip": _named_entry("..\\..\\secret"),
        "link inside.epub": _named_entry("META-INF/container.xml", 0o120777),
        "with a password.epub": _edited(sound, _patched(6, 8, b"\1")),
        "lies about its size.fb2.zip": _edited(_zip({"book.fb2": bomb}), _patched(22, 24, b"\x0a\0\0\0")),
        "unknown method.epub": _edited(sound, _patched(8, 10, struct.pack("<H", 99))),
        "wrong sum.epub": _edited(sound, _patched(14, 16, b"\1\2\3\4")),
        "cut off.epub": _edited(sound, lambda data: data[: len(data) // 2]),
        "no directory.epub": _edited(sound, lambda data: data[: data.rindex(b"PK\x05\x06")]),
        "directory elsewhere.epub": _edited(sound, lambda data: data[:-6] + b"\xff\xff\xff\x7f" + data[-2:]),
        "nothing inside.zip": _zip({}),
        "no book inside.epub": _zip({"readme.txt": "no book"}),
        "two books.fb2.zip": _zip({"1.fb2": "<FictionBook/>", "2.fb2": "<FictionBook/>"}),
        "container without package.epub": _zip({"META-INF/container.xml": build.CONTAINER}),
        "package of itself.epub": _zip(
            {"META-INF/container.xml": build.CONTAINER.replace("OPS/package.opf", "META-INF/container.xml")}
        ),
        "page of itself.epub": _zip(
            {
                "META-INF/container.xml": build.CONTAINER,
                "OPS/package.opf": '<package><manifest><item id="a" href="package.opf" media-type="application/xml"/>'
                '</manifest><spine><itemref idref="a"/></spine></package>',
            }
        ),
        "page from outside.epub": _zip(
            {
                "META-INF/container.xml": build.CONTAINER,
                "OPS/package.opf": '<package><manifest><item id="a" href="../../../secret" media-type="text/html"/>'
                '</manifest><spine><itemref idref="a"/></spine></package>',
            }
        ),
        "deep contents.epub": lambda path: build.epub(
            path, {"1.xhtml": "<p></p>"}, ncx="<navPoint>" * 50_000 + "</navPoint>" * 50_000
        ),
        "from elsewhere.docx": lambda path: build.archive(
            path,
            {name: data for name, data in _docx(path).items() if name != "word/document.xml"}
            | {"word/_rels/document.xml.rels": f"<Relationships>{links}</Relationships>"},
        ),
    }


def _docx(path: Path) -> dict[str, str | bytes]:
    return build.files(build.docx(path, "<w:p><w:r><w:t>Text</w:t></w:r></w:p>"))


def _markup() -> dict[str, Maker]:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    blow = f'<!DOCTYPE FictionBook [<!ENTITY a "{"a" * 50_000}">]>'
    book = "<FictionBook><body><section><p>{}</p></section></body></FictionBook>"
    outside = '<!DOCTYPE FictionBook [<!ENTITY e SYSTEM "{}">]>'
    parameter = '<!DOCTYPE html [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]>'
    wide = " ".join(f'a{n}="1"' for n in range(300_000))
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="../secret" parse="text"/>'
    return {
        "laughs.fb2": _put(
            f'<?xml version="1.0"?><!DOCTYPE FictionBook [<!ENTITY l0 "lol">{laughs}]>'.encode()
            + book.format("&l11;").encode()
        ),
        "blow-up.fb2": _put((blow + book.format("&a;" * 50_000)).encode()),
        "entity of a file.fb2": _put((outside.format("../secret") + book.format("&e;")).encode()),
        "entity of a device.fb2": _put((outside.format("file:///dev/zero") + book.format("&e;")).encode()),
        "entity of the net.fb2": _put((outside.format("http://127.0.0.1:9/") + book.format("&e;")).encode()),
        "parameter.epub": _epub(f"{parameter}<html><body></body></html>"),
        "parameter.odt": lambda path: build.archive(path, {"content.xml": parameter + "<html/>"}),
        "include.fb2": _put(book.format(include).encode()),
        "include.epub": _epub(f"<html><body>{include}<iframe src='../../secret'></iframe></body></html>"),
        "deep.fb2": _put(b"<FictionBook><body>" + b"<section>" * 300_000),
        "deep.html": _put(b"<html>" + b"<div>" * 400_000),
        "deep.epub": _epub("<html><body>" + "<b>" * 100_000 + "</body></html>"),
        "deep.odt": lambda path: build.odt(path, "<text:section>" * 100_000 + "</text:section>" * 100_000),
        "deep.docx": lambda path: build.docx(path, "<w:tbl><w:tr><w:tc>" * 30_000 + "</w:tc></w:tr></w:tbl>" * 30_000),
        "wide.fb2": _put(f"<FictionBook><body {wide}/></FictionBook>".encode()),
        "spaces.odt": lambda path: build.odt(path, '<text:p><text:s text:c="2147483647"/></text:p>'),
        "columns.odt": lambda path: build.odt(
            path,
            '<table:table><table:table-row table:number-rows-repeated="99999999"><table:table-cell '
            'table:number-columns-repeated="99999999"/></table:table-row></table:table>',
        ),
        "columns.html": _put(b"<html><table><tr><td colspan=999999999 rowspan=999999999></table>"),
        "wrong encoding.fb2": _put(b'<?xml version="1.0" encoding="utf-16"?><FictionBook><body/></FictionBook>'),
        "no such encoding.fb2": _put(b'<?xml version="1.0" encoding="x-klingon"?><FictionBook><body/></FictionBook>'),
        "half.fb2": _put(b"<FictionBook><body><section><title><p>"),
        "picture only.fb2": _put(b'<FictionBook><body/><binary id="a">' + base64.b64encode(bytes(9 * MEGABYTE))),
        "script only.html": _put(b"<html><script>" + b"alert(1);" * 100_000 + b"</script>"),
        "comment.html": _put(b"<html><!--" + b"-" * MEGABYTE),
        "brackets.md": _put(b"[" * 300_000),
        "quotes.md": _put(b">" * 300_000),
        "stars.md": _put(b"*_" * 100_000),
        "links.md": _put(b"[a](" * 100_000),
    }


def _rtf() -> dict[str, Maker]:
    return {
        "deep.rtf": _put(b"{\\rtf1 " + b"{" * 2_000_000),
        "binary.rtf": _put(b"{\\rtf1 \\bin2147483647 abc}"),
        "numbers.rtf": _put(b"{\\rtf1 \\u99999999999999999999? \\'zz \\uc999999999 }"),
        "no end.rtf": _put(b"{\\rtf1{\\fonttbl{\\f0"),
        "control words.rtf": _put(b"{\\rtf1" + b"\\" * 500_000),
    }


def _pdf_of(*objects: bytes, root: int = 1) -> bytes:
    """A PDF of these objects, numbered from 1."""
    data, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, root, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def _stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<</Length %d%b>>\nstream\n%b\nendstream" % (len(data), more, data)


def _squeezed() -> bytes:
    """Half a gigabyte, compressed twice."""
    squeeze, block = zlib.compressobj(1), bytes(MEGABYTE)
    return zlib.compress(b"".join([*(squeeze.compress(block) for _ in range(500)), squeeze.flush()]), 9)


def _pdfs() -> dict[str, Maker]:
    catalogue, tree = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R>>"
    sound = pdf([Page([Text(20, 20, "A page.")])])
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</A 4 0 R>>>>"
    return {
        "no pages.pdf": _put(_pdf_of(catalogue, b"<</Type/Pages/Kids[]/Count 0>>")),
        "page tree of itself.pdf": _put(_pdf_of(catalogue, b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>")),
        "pages without end.pdf": _put(_pdf_of(catalogue, b"<</Type/Pages/Kids[3 0 R]/Count 2147483647>>", page)),
        "a million pages.pdf": _put(
            _pdf_of(catalogue, b"<</Type/Pages/Kids[" + b"3 0 R " * 1_000_000 + b"]/Count 1000000>>", page)
        ),
        "stream bomb.pdf": lambda path: path.write_bytes(
            _pdf_of(catalogue, tree, page, _stream(_squeezed(), b"/Filter[/FlateDecode/FlateDecode]"))
        ),
        "form of itself.pdf": _put(
            _pdf_of(
                catalogue,
                tree,
                page.replace(b">>", b"/Resources<</XObject<</A 4 0 R>>>>>>", 1),
                _stream(b"/A Do", form),
            )
        ),
        "huge page.pdf": _put(_pdf_of(catalogue, tree, page.replace(b"300 300", b"1e30 1e30"), _stream(b""))),
        "previous is itself.pdf": _edited(
            _put(_pdf_of(catalogue, tree, page, _stream(b""))),
            lambda data: data.replace(b"/Root", b"/Prev %d/Root" % data.rindex(b"xref\n0")),
        ),
        "runs a script.pdf": _put(
            _pdf_of(
                b"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(while(1);)>>>>", tree, page, _stream(b"")
            )
        ),
        "opens a file.pdf": _put(
            _pdf_of(b"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/Launch/F(../secret)>>>>", tree, page, _stream(b""))
        ),
        "brackets.pdf": _put(b"%PDF-1.7\n1 0 obj\n" + b"[" * 2_000_000),
        "with a password.pdf": _put(pdf([Page([Text(20, 20, "A page.")])], locked=True)),
        "cut off.pdf": _put(sound[: len(sound) // 3]),
        "noise.pdf": _put(b"%PDF-1.7\n" + random.Random(1).randbytes(200_000)),
        "scanned.pdf": _put(pdf([Page(picture=True)])),
    }


def _texts() -> dict[str, Maker]:
    def sparse(path: Path) -> None:
        path.write_text("It begins like a book. " * 300)
        os.truncate(path, 2**30)

    return {
        "a gigabyte.txt": sparse,
        "a gigabyte.md": sparse,
        "a gigabyte.html": sparse,
        "nothing.txt": _put(b""),
        "nothing.epub": _put(b""),
        "zeros.txt": _put(bytes(MEGABYTE)),
        "noise.txt": _put(random.Random(2).randbytes(MEGABYTE)),
        "lines.txt": _put(b"\n" * 5 * MEGABYTE),
        "spaces.txt": _put(b" " * 5 * MEGABYTE),
        "one paragraph.txt": _put("Смотритель зажёг лампу. ".encode() * 40_000),
        "no sentence ends.txt": _put(b"word " * MEGABYTE),
        "one note for all.txt": _put(
            b"Chapter 1\n\n" + b"It is told here.[1]\n\n" * 3000 + b"Notes\n\n1. Long.\n\n" + b"Long. " * 20_000
        ),
        "half a pair.txt": _put(b"\xff\xfe" + b"\x00\xd8" * 10_000 + b"\0"),
        "controls.txt": _put(b"\x1b]0;title\x07\x1b[2J\x9b31m\x08\x08" * 20_000),
        "\x1b[31mred\nname.txt": _put(bytes(100)),
    }


def _polyglots() -> dict[str, Maker]:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(1000)
    return {
        "picture.epub": _edited(_epub("<p>x</p>"), lambda data: picture + data),
        "photograph.fb2.zip": _put(b"\xff\xd8\xff\xe0" + _nested(1)),
        "program.docx": _put(b"MZ" + bytes(400) + _nested(1)),
        "program.txt": _put(b"\x7fELF" + bytes(5000)),
        "page and archive.pdf": _put(b"%PDF-1.7\n" + _nested(2)),
        "archive and page.html": _put(_nested(2) + b"<html>"),
        "squeezed.fb2": _put(b"\x1f\x8b\x08" + bytes(100)),
        "database.md": _put(b"SQLite format 3\0" + bytes(5000)),
        "old document.rtf": _put(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000)),
        "image of a disk.odt": _put(bytes(MEGABYTE)),
    }
