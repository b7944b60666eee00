"""HTML, XHTML and FB2 into trees of elements: one hardened parser that loads nothing and expands no entities."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from lxml import etree

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import mending
from ai_library_bot.readers.decode import decode
from ai_library_bot.text import one_line

_DECLARED_ENCODING = re.compile(rb"""(?i)<(?:\?xml|meta)\b[^>]*?(?:encoding|charset)\s*=\s*["']?\s*([\w.:-]+)""")
_DECLARATION = re.compile(r"\ufeff?\s*<\?xml\b[^>]*>")
_DOCTYPE = re.compile(r"(?is)<!DOCTYPE\b.*?(?=<[^!?\s]|\Z)")  # up to the first tag, with all that it declares
_REFERENCE = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)|&(?:#\w+;?|\w+;)?", re.DOTALL)
_NUMBERED = re.compile(r"(?i)&#(?:x[0-9a-f]+|[0-9]+);?")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def parse_xml(data: bytes, path: Path) -> etree._Element:
    """The root of an XML document in any encoding; what is badly formed is mended, with nothing lost.

    A document without elements gives an empty one. `path` names the book in errors.
    Raises UnreadableBook for elements nested too deep.
    """
    text = _without_declaration(decode(data, _declared_encoding(data)))
    text = _DOCTYPE.sub("", text, count=1)
    text = _REFERENCE.sub(_as_xml, text)
    try:
        return _parse(text, _xml_parser(), path)
    except etree.XMLSyntaxError:
        balanced = _REFERENCE.sub(_as_xml, mending.balanced(text))  # again, where CDATA without an end was taken apart
        return _parse(balanced, _xml_parser(recover=True), path)


def parse_html(data: bytes | str, path: Path) -> etree._Element:
    """The root of an HTML document, read as browsers do. Raises UnreadableBook for elements nested too deep."""
    text = data if isinstance(data, str) else decode(data, _declared_encoding(data))
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True, remove_pis=True)
    return _parse(_NUMBERED.sub(_if_allowed, _without_declaration(text)), parser, path)


def _if_allowed(reference: re.Match[str]) -> str:
    """The reference to a character, or nothing if no tree may hold that character."""
    return reference.group() if _character(reference) else ""


def _character(reference: re.Match[str]) -> str:
    return _NOT_XML.sub("", html.unescape(reference.group()))


def _as_xml(reference: re.Match[str]) -> str:
    """An entity of HTML as the character it stands for, a bare ampersand as `&amp;`; CDATA stays."""
    text = reference.group()
    return text if text.startswith("<") else html.escape(_character(reference))


def _declared_encoding(data: bytes) -> str:
    found = _DECLARED_ENCODING.search(data, 0, 4096)
    return found.group(1).decode("ascii") if found else ""


def _without_declaration(text: str) -> str:
    declaration = _DECLARATION.match(text)
    return _NOT_XML.sub("", text[declaration.end() :] if declaration else text)


def _xml_parser(*, recover: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        recover=recover,
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )


def _parse(text: str, parser: etree.XMLParser | etree.HTMLParser, path: Path) -> etree._Element:
    root = etree.fromstring(text.encode(), parser) if text.strip() else None
    if any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        raise UnreadableBook("markup_too_deep", path=str(path))
    return etree.Element("html") if root is None else root


@lru_cache(maxsize=1024)
def local(name: str) -> str:
    """A tag or attribute name without namespace and prefix, in lower case."""
    return name.rpartition("}")[2].rpartition(":")[2].lower()


def attribute(element: etree._Element, name: str) -> str:
    """The value of the attribute with this local name, whatever its namespace; "" if there is none."""
    return next((str(value) for key, value in element.items() if local(str(key)) == name), "")


def names_of(element: etree._Element) -> str:
    """The classes, ARIA roles and EPUB types of an element, set apart by spaces."""
    return " ".join(str(value) for key, value in element.items() if local(str(key)) in ("class", "type", "role"))


def find_all(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """`element` and the elements below it with one of these local names, in the order of the document."""
    return (child for child in element.iter(etree.Element) if local(child.tag) in names)


def text_of(element: etree._Element | None) -> str:
    """All the text in an element, on one line; "" for None."""
    return "" if element is None else one_line("".join(map(str, element.itertext())))


def remove(element: etree._Element) -> None:
    """Take an element out of its tree, and leave the text behind it where it is."""
    parent, before, tail = element.getparent(), element.getprevious(), element.tail or ""
    if parent is None:
        return
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    element.tail = None
    parent.remove(element)


def join_heading(lines: Iterable[str]) -> str:
    """The lines of a heading in one: "III" and "The Keeper" become "III. The Keeper"."""
    heading = ""
    for line in filter(None, map(one_line, lines)):
        if heading:
            heading += " " if heading[-1] in ".,:;!?…—–-" else ". "
        heading += line
    return heading


def empty(element: etree._Element) -> None:
    """Take everything out of an element; the text behind it stays."""
    element.text = None
    for child in list(element):
        element.remove(child)
