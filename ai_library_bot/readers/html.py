"""A book in one HTML file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from ai_library_bot.readers import notes, txt
from ai_library_bot.readers.gutenberg import without_licence
from ai_library_bot.readers.markup import attribute, find_all, parse_html, text_of
from ai_library_bot.readers.sections import sections
from ai_library_bot.text import clean, one_line
from ai_library_bot.types import BookText

_AUTHOR_NAMES = frozenset("author dc.creator dcterms.creator article:author book:author citation_author".split())
_DATE_NAMES = frozenset(
    "dc.date dcterms.issued citation_publication_date article:published_time book:release_date".split()
)
_YEAR = re.compile(r"(?<!\d)(?:1\d{3}|20\d{2})(?!\d)")
_MIN_CUT_OFF = 30  # characters; a shorter title may well open its text: "Warsaw", "Warsaw is the capital"
_MOSTLY = 0.5


def read(data: bytes, path: Path) -> BookText:
    """The book in an HTML file. Text typed into one `pre` is read as plain text."""
    root = parse_html(data, path)
    body = next(find_all(root, "body"), root)
    named = next(filter(None, _titles(root)), "")
    title = "" if _is_cut_off(named, body) else named
    typed = "".join(str(text) for pre in find_all(body, "pre") for text in pre.itertext())
    if len(typed) > _MOSTLY * len(text_of(body)):
        book = txt.book_of(typed, "html")
    else:
        notes.place({"": body})
        book = BookText(format="html", sections=tuple(without_licence(sections(body, book_title=named))))
    return BookText(
        format="html",
        sections=book.sections,
        title=title or book.title,
        authors=tuple(dict.fromkeys(_meta(root, _AUTHOR_NAMES))) or book.authors,
        language=attribute(root, "lang") or next(_meta(root, frozenset(["content-language", "language"])), ""),
        year=next((int(year[0]) for date in _meta(root, _DATE_NAMES) if (year := _YEAR.search(date))), book.year),
    )


def _titles(root: etree._Element) -> Iterator[str]:
    yield from map(text_of, find_all(root, "title"))
    yield from map(text_of, find_all(root, "h1"))
    yield from _meta(root, frozenset(["og:title"]))


def _meta(root: etree._Element, names: frozenset[str]) -> Iterator[str]:
    for meta in find_all(root, "meta"):
        name = attribute(meta, "name") or attribute(meta, "property") or attribute(meta, "http-equiv")
        if name.lower() in names and (content := one_line(attribute(meta, "content"))):
            yield content


def _is_cut_off(title: str, body: etree._Element) -> bool:
    """Whether a title is the beginning of a paragraph, as programs make one up."""
    if len(title) < _MIN_CUT_OFF:
        return False
    paragraphs = (one_line(clean("".join(map(str, element.itertext())))) for element in find_all(body, "p", "div"))
    return any(text.startswith(title) and len(text) > len(title) + 1 for text in paragraphs)
