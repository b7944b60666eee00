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
