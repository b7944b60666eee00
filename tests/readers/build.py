"""Small books, built in code."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

CONTAINER = """<?xml version="1.0"?>
<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>
<rootfile full-path="OPS/package.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""


def archive(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """A zip file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return path


def files(path: Path) -> dict[str, str | bytes]:
    """The content of a zip file by names."""
    with zipfile.ZipFile(path) as source:
        return {name: source.read(name) for name in source.namelist()}


def page(body: str, kind: str = "") -> str:
    """An XHTML document; `kind` is the EPUB type of its body."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
        f"<head><title>Page</title></head><body epub:type={quoteattr(kind)}>{body}</body></html>"
    )


def epub(
    path: Path,
    pages: Mapping[str, str],
    *,
    metadata: str = "<dc:title>The Lamp</dc:title>",
    nav: str = "",
    ncx: str = "",
    guide: str = "",
    spine: Sequence[str] | None = None,
    files: Mapping[str, str | bytes] | None = None,
) -> Path:
    """An EPUB of XHTML pages by their names. `nav` is the inside of the navigation document, `ncx` of its map.

    `spine` are names of pages (all of them if None), one that is not linear as "!name"; `files` are added or replaced.
    """
    manifest = "".join(
        f'<item id="p{number}" href={quoteattr(name)} media-type="application/xhtml+xml"/>'
        for number, name in enumerate(pages)
    )
    content: dict[str, str | bytes] = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER}
    content.update({f"OPS/{name}": text if "<html" in text else page(text) for name, text in pages.items()})
    if nav:
        manifest += '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        content["OPS/nav.xhtml"] = page(nav)
    if ncx:
        manifest += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
        content["OPS/toc.ncx"] = f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>{ncx}</navMap></ncx>'
    order = {name: f"p{number}" for number, name in enumerate(pages)}
    lines = ""
    for name in pages if spine is None else spine:
        linear = "no" if name.startswith("!") else "yes"
        lines += f'<itemref idref="{order[name.removeprefix("!")]}" linear="{linear}"/>'
    content["OPS/package.opf"] = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:opf="http://www.idpf.org/2007/opf" version="3.0">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">{metadata}</metadata>'
        f"<manifest>{manifest}</manifest><spine>{lines}</spine><guide>{guide}</guide></package>"
    )
    return archive(path, {**content, **(files or {})})


def fb2(
    body: str,
    *,
    title: str = "Лампа",
    authors: str = "<author><first-name>Анна</first-name><last-name>Север</last-name></author>",
    title_info: str = "",
    after: str = "",
    encoding: str = "utf-8",
) -> str:
    """An FB2 document. `after` is what follows the main body: notes, pictures."""
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>'
        '<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink">'
        f"<description><title-info>{authors}<book-title>{escape(title)}</book-title><lang>ru</lang>{title_info}"
        f"</title-info></description><body>{body}</body>{after}</FictionBook>"
    )


_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def docx(path: Path, body: str, *, notes: str = "", core: str = "", styles: str = "") -> Path:
    """A Word document. `body` is the inside of its body, `notes` of its footnotes, `core` of its core properties."""
    parts = {
        "document": f"<w:body>{body}</w:body>",
        "styles": '<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 2"/></w:style>'
        f'<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>{styles}',
        "numbering": '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>',
        "footnotes": notes,
    }
    files: dict[str, str | bytes] = {
        f"word/{name}.xml": f"<w:{name} {_WORD}>{inside}</w:{name}>" for name, inside in parts.items()
    }
    package = "http://schemas.openxmlformats.org/package/2006"
    relations = f'<Relationships xmlns="{package}/relationships">{{}}</Relationships>'
    relation = f'<Relationship Id="{{0}}" Type="{_RELATIONS}/{{0}}" Target="{{1}}"/>'
    files["_rels/.rels"] = relations.format(relation.format("officeDocument", "word/document.xml"))
    names = ("styles", "numbering", "footnotes")
    files["word/_rels/document.xml.rels"] = relations.format(
        "".join(relation.format(name, f"{name}.xml") for name in names)
    )
    files["[Content_Types].xml"] = f'<Types xmlns="{package}/content-types"/>'
    files["docProps/core.xml"] = (
        f'<cp:coreProperties xmlns:cp="{package}/metadata/core-properties" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/">{core}</cp:coreProperties>'
    )
    return archive(path, files)


def odt(path: Path, body: str, *, meta: str = "", styles: str = "") -> Path:
    """An OpenDocument text. `body` is the inside of `office:text`, `styles` of its automatic styles."""
    prefixes = ("office", "text", "table", "style", "meta")
    spaces = " ".join(f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{prefix}:1.0"' for prefix in prefixes)
    spaces += ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    return archive(
        path,
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<office:document-content {spaces}>"
            f"<office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:text>{body}</office:text></office:body></office:document-content>",
            "meta.xml": f"<office:document-meta {spaces}><office:meta>{meta}</office:meta></office:document-meta>",
        },
    )


RTF_HEAD = r"\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 Times;}}"


def rtf(body: str, *, head: str = RTF_HEAD, encoding: str = "cp1251") -> bytes:
    """An RTF file. Letters that the encoding has are written as \\'xx, all others as \\u."""
    escaped = ""
    for character in head + body:
        if character.isascii():
            escaped += character
            continue
        try:
            escaped += "".join(f"\\'{byte:02x}" for byte in character.encode(encoding))
        except UnicodeEncodeError:
            units = character.encode("utf-16-le")
            escaped += "".join(f"\\u{int.from_bytes(units[at : at + 2], 'little')}?" for at in range(0, len(units), 2))
    return b"{\\rtf1" + escaped.encode("ascii") + b"}"
