"""OpenDocument texts (.odt), read as a tree like HTML (OpenDocument 1.3, part 3)."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers.archive import Archive
from ai_library_bot.readers.markup import attribute, empty, find_all, local, parse_xml, remove, text_of
from ai_library_bot.readers.sections import sections
from ai_library_bot.types import BookText

_AS_HTML = {
    "p": "p",
    "list-item": "li",
    "list-header": "li",
    "table": "table",
    "table-row": "tr",
    "table-cell": "td",
    "line-break": "br",
}
_LEFT_OUT = frozenset(
    "tracked-changes annotation annotation-end table-of-content illustration-index alphabetical-index "
    "sequence-decls variable-decls forms covered-table-cell".split()
)
_DEEPEST_HEADING = 6


def read(data: bytes, path: Path) -> BookText:
    """The book in an OpenDocument text. Raises UnreadableBook for a file that is none, is damaged or encrypted."""
    archive = Archive(data, path)
    content = archive.find("content.xml")
    if content is None:
        raise UnreadableBook("broken_document", path=str(path), kind="ODT")
    root = parse_xml(archive.read(content), path)
    body = next(find_all(root, "text"), None)
    if body is None:
        raise UnreadableBook("broken_document", path=str(path), kind="ODT")
    meta_name = archive.find("meta.xml")
    meta = parse_xml(archive.read(meta_name), path) if meta_name else etree.Element("none")
    title = _title_paragraph(body, _styles_like(root, "Title"))
    _make_html(body, _numbered_lists(root))
    return BookText(
        format="odt",
        sections=tuple(sections(body)),
        title=_first(meta, "title") or title,
        authors=tuple(filter(None, [_first(meta, "initial-creator") or _first(meta, "creator")])),
        language=_first(meta, "language"),
    )


def _first(meta: etree._Element, name: str) -> str:
    return next(filter(None, map(text_of, find_all(meta, name))), "")


def _styles_like(root: etree._Element, name: str) -> set[str]:
    """The names of the style and of those that are made after it."""
    styles = find_all(root, "style")
    return {name, *(attribute(style, "name") for style in styles if attribute(style, "parent-style-name") == name)}


def _title_paragraph(body: etree._Element, styles: set[str]) -> str:
    paragraphs = [element for element in find_all(body, "p") if attribute(element, "style-name") in styles]
    title = " ".join(map(text_of, paragraphs))
    for paragraph in paragraphs:
        empty(paragraph)
    return title


def _numbered_lists(root: etree._Element) -> set[str]:
    return {
        attribute(style, "name")
        for style in find_all(root, "list-style")
        if len(style) and local(style[0].tag) == "list-level-style-number"
    }


def _make_html(body: etree._Element, numbered: set[str]) -> None:
    """Give the elements the names that they have in HTML; footnotes become `note` with their mark."""
    for element in list(body.iter(etree.Element)):
        name = local(element.tag)
        if name == "h":
            level = attribute(element, "outline-level")
            element.tag = f"h{min(int(level), _DEEPEST_HEADING) if level.isdecimal() and int(level) else 1}"
        elif name == "list":
            element.tag = "ol" if attribute(element, "style-name") in numbered else "ul"
        elif name in ("s", "tab"):
            element.text = " "
        elif name == "note":
            citation = next(find_all(element, "note-citation"), None)
            element.tag = "note"
            element.set("mark", text_of(citation))
            if citation is not None:
                remove(citation)
        elif name in _LEFT_OUT:
            empty(element)
            element.tag = "span"
        else:
            element.tag = _AS_HTML.get(name, "span")
