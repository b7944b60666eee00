"""Word documents (.docx): `mammoth` makes HTML of the text; title, author and language come from the zip itself."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from xml.parsers.expat import ExpatError

import mammoth
from lxml import etree

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import notes
from ai_library_bot.readers.archive import Archive
from ai_library_bot.readers.markup import attribute, empty, find_all, names_of, parse_html, parse_xml, text_of
from ai_library_bot.readers.sections import sections
from ai_library_bot.types import BookText

_TITLE_CLASS = "book-title"
_NOBODY = re.compile(
    r"(?i)(?:python-docx|admin\w*|user|windows|microsoft|unknown|автор|пользователь|админ\w*|customer)\b.*"
)


def read(data: bytes, path: Path) -> BookText:
    """The book in a Word document. Raises UnreadableBook for a file that is none or is damaged."""
    archive = Archive(data, path)
    archive.check()
    if archive.find("word/document.xml") is None:
        raise UnreadableBook("broken_document", path=str(path), kind="DOCX")
    core = _part(archive, "docProps/core.xml", path)
    root = parse_html(_html(data, path, _part(archive, "word/styles.xml", path)), path)
    notes.place({"": root})
    title = _title_paragraph(root)
    return BookText(
        format="docx",
        sections=tuple(sections(root)),
        title=_first(core, "title") or title,
        authors=tuple(
            name for name in re.split(r"\s*;\s*", _first(core, "creator")) if name and not _NOBODY.match(name)
        ),
        language=_first(core, "language"),
    )


def _part(archive: Archive, name: str, path: Path) -> etree._Element:
    found = archive.find(name)
    return parse_xml(archive.read(found), path) if found else etree.Element("none")


def _first(core: etree._Element, name: str) -> str:
    return next(filter(None, map(text_of, find_all(core, name))), "")


def _html(data: bytes, path: Path, styles: etree._Element) -> str:
    style_map = "\n".join([f"p[style-name='Title'] => p.{_TITLE_CLASS}:fresh", *_headings_by_outline(styles)])
    try:
        result = mammoth.convert_to_html(io.BytesIO(data), style_map=style_map, convert_image=_no_image)
    except (ExpatError, LookupError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise UnreadableBook("broken_document", path=str(path), kind="DOCX") from error
    return f"<body>{result.value}</body>"


def _no_image(_image: object) -> list[object]:
    return []


def _headings_by_outline(styles: etree._Element) -> Iterator[str]:
    """Rules of a style map for the styles that Word lists in a table of contents, however they are called."""
    for style in find_all(styles, "style"):
        name = next((attribute(element, "val") for element in find_all(style, "name")), "")
        level = next((attribute(element, "val") for element in find_all(style, "outlinelvl")), "")
        if re.fullmatch("[0-5]", level) and name and "'" not in name:
            yield f"p[style-name='{name}'] => h{int(level) + 1}:fresh"


def _title_paragraph(root: etree._Element) -> str:
    """Take out the paragraph in the style "Title" and return its text."""
    paragraphs = [element for element in find_all(root, "p") if names_of(element) == _TITLE_CLASS]
    title = " ".join(map(text_of, paragraphs))
    for paragraph in paragraphs:
        empty(paragraph)
    return title
