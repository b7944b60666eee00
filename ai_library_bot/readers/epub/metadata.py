"""Title, authors, language and year from the package document (OPF) of an EPUB."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree

from ai_library_bot.readers.markup import attribute, find_all, text_of
from ai_library_bot.text import fold


class Metadata(NamedTuple):
    """What the package says about the book; empty where it does not say."""

    title: str
    authors: tuple[str, ...]
    language: str
    year: int | None


_AUTHOR = "aut"  # https://www.loc.gov/marc/relators/
_UNKNOWN = frozenset(
    "unknown|untitled|unknown author|неизвестный|неизвестный автор|без названия|автор неизвестен".split("|")
)
_SEVERAL = re.compile(r"\s*;\s*|\s+&\s+")
_SURNAME_FIRST = re.compile(r"([^\s,]+(?: [^\s,]+)?), ([^\W\d_a-zа-яё][^,]*)")
_YEAR = re.compile(r"\s*(1\d{3}|20\d{2})(?!\d)")
_OTHER_EVENTS = frozenset("modification conversion creation epub-publication ops-publication".split())
_RETYPED = re.compile(r"(?i)gutenberg|standard ?ebooks")  # their dates are those of the e-book


def read(package: etree._Element) -> Metadata:
    """The metadata of a package. The year is the one of publication, as far as the dates say so."""
    language = next(_texts(package, "language"), "")
    return Metadata(_title(package), tuple(_authors(package)), language, _year(package))


def _texts(package: etree._Element, name: str) -> Iterator[str]:
    return (text for element in find_all(package, name) if (text := text_of(element)))


def _refined(package: etree._Element, element: etree._Element, property_name: str) -> set[str]:
    """What the `meta` elements of EPUB 3 add to an element."""
    identifier = element.get("id")
    return {
        text_of(meta)
        for meta in find_all(package, "meta")
        if identifier and meta.get("refines") == f"#{identifier}" and meta.get("property") == property_name
    }


def _title(package: etree._Element) -> str:
    titles = [title for title in find_all(package, "title") if fold(text_of(title)) not in _UNKNOWN]
    main = [title for title in titles if "main" in _refined(package, title, "title-type")]
    return next(map(text_of, main or titles), "")


def _authors(package: etree._Element) -> Iterator[str]:
    for creator in find_all(package, "creator"):
        roles = {attribute(creator, "role").lower()} - {""} or _refined(package, creator, "role")
        if not roles or _AUTHOR in roles:
            for name in _SEVERAL.split(text_of(creator)):
                if name and fold(name) not in _UNKNOWN:
                    yield _SURNAME_FIRST.sub(r"\2 \1", name) if _SURNAME_FIRST.fullmatch(name) else name


def _year(package: etree._Element) -> int | None:
    properties = {str(meta.get("property")): text_of(meta) for meta in find_all(package, "meta")}
    if any(_RETYPED.search(text) for name in ("publisher", "source", "identifier") for text in _texts(package, name)):
        return None
    dates = [date for date in find_all(package, "date") if attribute(date, "event").lower() not in _OTHER_EVENTS]
    modified = properties.get("dcterms:modified", "")[:10]
    texts = [
        properties.get("dcterms:issued", ""),
        *(text for date in dates if (text := text_of(date))[:10] != modified),
    ]
    return next((int(found[1]) for text in texts if (found := _YEAR.match(text))), None)
