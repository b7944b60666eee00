"""FictionBook 2 (http://www.fictionbook.org/index.php/Eng:XML_Schema_Fictionbook_2.1), as it is or in a zip file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import notes
from ai_library_bot.readers.archive import Archive
from ai_library_bot.readers.markup import attribute, find_all, join_heading, parse_xml, remove, text_of
from ai_library_bot.readers.nesting import nest
from ai_library_bot.readers.sections import Heading, sections
from ai_library_bot.text import one_line, words
from ai_library_bot.types import BookText, Section

_ZIP_SIGNATURE = b"PK\x03\x04"
_PICTURES = re.compile(rb"<binary\b[^>]*>[^<]*(?:</binary\s*>)?")  # most of many files, and no text
_YEAR = re.compile(r"(?<!\d)(?:1\d{3}|20\d{2})(?!\d)")


def read(data: bytes, path: Path) -> BookText:
    """The book in an FB2 file, zipped or not, whatever its name says.

    Raises UnreadableBook for a damaged archive, one without an FB2 file, and a file without a body.
    """
    root = parse_xml(_PICTURES.sub(b"", _unzipped(data, path)), path)
    bodies = [body for body in find_all(root, "body") if next(body.iterancestors("{*}body"), None) is None]
    if not bodies:
        raise UnreadableBook("fb2_no_body", path=str(path))
    description = next(find_all(root, "title-info"), etree.Element("title-info"))
    title = text_of(next(find_all(description, "book-title"), None))
    authors = tuple(filter(None, map(_name, description.findall("{*}author"))))
    for quotation in list(find_all(root, "cite")):
        quotation.tag = "blockquote"  # in HTML, a cite is a title within a line
    notes.place({"": root})
    _drop_title_page(bodies[0], title, authors)
    return BookText(
        format="fb2",
        sections=tuple(section for body in bodies for section in _sections(body, title)),
        title=title,
        authors=authors,
        language=text_of(next(find_all(description, "lang"), None)),
        year=_year(root, description),
    )


def _unzipped(data: bytes, path: Path) -> bytes:
    if not data.startswith(_ZIP_SIGNATURE):
        return data
    archive = Archive(data, path)
    for suffix in (".fb2", ".xml"):
        for name in archive.names:
            if name.lower().endswith(suffix):
                return archive.read(name)
    raise UnreadableBook("fb2_not_in_zip", path=str(path))


def _name(author: etree._Element) -> str:
    """First, middle and last name; the nickname of an author who gives none."""
    parts = [text_of(next(find_all(author, part), None)) for part in ("first-name", "middle-name", "last-name")]
    return one_line(" ".join(parts)) or text_of(next(find_all(author, "nickname"), None))


def _year(root: etree._Element, description: etree._Element) -> int | None:
    """The year in which the book was written, else the one in which it was printed."""
    for date in (*find_all(description, "date"), *find_all(root, "year")):
        if found := _YEAR.search(attribute(date, "value")) or _YEAR.search(text_of(date)):
            return int(found.group())
    return None


def _drop_title_page(body: etree._Element, title: str, authors: tuple[str, ...]) -> None:
    """The title of the main body is no heading where it only names the book and its authors."""
    known = {word.folded for text in (title, *authors) for word in words(text)}
    page = body.find("{*}title")
    if page is not None and {word.folded for word in words(_title(page))} <= known:
        remove(page)


def _title(title: etree._Element) -> str:
    return join_heading(text_of(line) for line in title) or text_of(title)


def _sections(body: etree._Element, book_title: str) -> Iterator[Section]:
    """The text of each section before that of the sections in it; headings nest as sections do."""
    agenda: list[tuple[etree._Element, Heading]] = [(body, _own_heading(body))]
    while agenda:
        section, path = agenda.pop()
        inside = section.findall("{*}section")
        headings = [_own_heading(child) for child in inside]
        for child in inside:
            remove(child)
        yield from sections(section, path=path)
        nested = iter(nest([heading[0] for heading in headings if heading], book_title))
        paths = [(*path, *next(nested)) if heading else path for heading in headings]
        agenda += reversed(list(zip(inside, paths, strict=True)))


def _own_heading(section: etree._Element) -> Heading:
    """The title of a section, taken out of it."""
    title = section.find("{*}title")
    if title is None:
        return ()
    heading = _title(title)
    remove(title)
    return (heading,) if heading else ()
