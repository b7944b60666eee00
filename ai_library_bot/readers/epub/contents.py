"""The table of contents of an EPUB: the navigation document of EPUB 3, the NCX and the guide of EPUB 2."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from lxml import etree

from ai_library_bot.readers.markup import attribute, find_all, local, text_of
from ai_library_bot.readers.nesting import nest
from ai_library_bot.readers.sections import Heading
from ai_library_bot.text import fold

_LABELS = frozenset(["a", "span", "navlabel"])


class Link(NamedTuple):
    """A place in the book: the name of a file in the archive, and the id of an element in it or ""."""

    file: str
    fragment: str


def link(href: str, document: str) -> Link:
    """What `href` in the file `document` leads to."""
    file, _, fragment = map(unquote, href.partition("#"))
    return Link(posixpath.normpath(posixpath.join(posixpath.dirname(document), file)) if file else document, fragment)


def chapters(root: etree._Element, document: str, book_title: str) -> dict[Link, Heading]:
    """The heading path of each place that a navigation document or an NCX lists, in its order.

    A flat table is nested by what its titles say ("Part One", "I"). The title of the book itself heads no path.
    """
    entries = [(place, titles) for place, titles in _entries(root, document) if titles]
    if all(len(titles) == 1 for _, titles in entries):
        paths = nest([titles[0] for _, titles in entries], book_title)
    else:
        paths = [titles[1:] if fold(titles[0]) == fold(book_title) else titles for _, titles in entries]
    return {place: heading for (place, _), heading in zip(entries, paths, strict=True)}


def landmarks(root: etree._Element, document: str) -> Iterator[tuple[str, Link]]:
    """The kinds of places ("titlepage", "toc") that a navigation document or the guide of a package marks."""
    for reference in find_all(root, "a", "reference"):
        for kind in attribute(reference, "type").lower().split():
            yield kind, link(attribute(reference, "href"), document)


def _entries(root: etree._Element, document: str) -> Iterator[tuple[Link, Heading]]:
    for point in find_all(root, "navpoint"):
        for content in find_all(point, "content"):
            yield link(attribute(content, "src"), document), _titles(point)
            break
    navigations = list(find_all(root, "nav"))
    for navigation in [nav for nav in navigations if attribute(nav, "type") == "toc"] or navigations[:1]:
        for anchor in find_all(navigation, "a"):
            yield link(attribute(anchor, "href"), document), _titles(anchor)


def _titles(entry: etree._Element) -> Heading:
    """The title of an entry behind those of the entries that it stands under."""
    titles = [
        next((text_of(child) for child in step if isinstance(child.tag, str) and local(child.tag) in _LABELS), "")
        for step in (entry, *entry.iterancestors())
        if local(step.tag) in ("li", "navpoint")
    ]
    return tuple(title for title in reversed(titles) if title)
