"""Title, authors and year from the name of a file, for books that do not say themselves.

Лев Толстой - Анна Каренина (1878).epub      author first, as most people name their books
[Дюна 1] Дюна - Фрэнк Герберт.fb2            author second where only the second part can be a person
Толстой Лев. Война и мир.fb2.zip
Emma by Jane Austen.txt
the-house-of-the-seven-gables.md             a slug: its words are the title, and nobody is its author
AMAZON_2017_10K.pdf
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from ai_library_bot.text import one_line


class Named(NamedTuple):
    """What a file name says; authors are empty and the year is None where it doesn't say."""

    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None


_YEAR = r"1[4-9]\d\d|20[0-2]\d"
_YEAR_IN_BRACKETS = re.compile(rf"[(\[]({_YEAR})(?:\s?г\.?)?[)\]]")
_YEAR_AFTER_COMMA = re.compile(rf",\s({_YEAR})$")
_YEAR_OF_SLUG = re.compile(rf"^\S*_({_YEAR})$")  # it stays in the title, as in "AMAZON 2017"
_SERIES = re.compile(r"\[[^\]]*\]|\([^()]*#\s?\d+\)")
_LIBRARY_MARK = re.compile(r"(?i)\s*\((?:z-lib\S*|1lib\S*|b-ok\S*)\)|[\s_-]+royallib\.\w+$|\.\d{5,}$")
_LANGUAGE_PREFIX = re.compile(r"^(?:ru|en|uk|de|fr|es)_(?=\S+$)")
_LEADING_NUMBER = re.compile(r"^\d{1,3}(?:\.|\s+[-–—])\s+")
_DASH = re.compile(r"(?:\s+[-–—]+)+\s+")
_FULL_STOP = re.compile(r"(?<=[^\W\d_]{3})\.\s+")
_NO_TITLE = re.compile(r"(?i)(?:том|часть|книга|выпуск|роман|повесть|part|vol|volume|book|novel|a novel)\b")
_AND = re.compile(r"\s*[;&]\s*|,?\s+(?:and|и)\s+")

_NAME = re.compile(r"(?:[^\W\d_]\.-?){1,3}|[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")  # "J.R.R.", "O'Neill", "Mrs."
_PARTICLES = frozenset("de da di du del della der den la le van von bin фон ван де дер ди ла ле".split())
_NEVER_NAMES = frozenset(
    "the a an of and in on to for from with at my how и в во на о об от с со к по за из без для не".split()
)


def parse(path: Path) -> Named:
    """What the name of the file at `path` says; the title is never empty."""
    name = whole = re.sub(r"(?i)\.(?:fb2\.zip|\w+)$", "", one_line(path.name)) or path.name
    name = _LANGUAGE_PREFIX.sub("", _LIBRARY_MARK.sub("", name))
    year = _YEAR_IN_BRACKETS.search(name) or _YEAR_AFTER_COMMA.search(name) or _YEAR_OF_SLUG.match(name)
    for left_out in (_YEAR_IN_BRACKETS, _SERIES, _YEAR_AFTER_COMMA):
        name = left_out.sub(" ", name)
    name = _LEADING_NUMBER.sub("", one_line(_spaced(name.strip())))
    title, authors = _split(name)
    title = title.strip(" -–—,_") or whole
    return Named(title[0].upper() + title[1:] if title.islower() else title, authors, int(year[1]) if year else None)


def _spaced(name: str) -> str:
    """The name with spaces for what stands between its words: underscores, or else the dashes of a slug."""
    if "__" in name:
        return " ".join(map(_spaced, name.split("__")))
    if "_" in name:
        return name.replace("_", " ")
    if " " not in name and (name.islower() or name.count("-") > 1):
        return name.replace("-", " ")
    return name


def _split(name: str) -> tuple[str, tuple[str, ...]]:
    """Title and authors; the whole name and nobody where it names no person."""
    first, *rest = _DASH.split(name)
    if rest:
        if (authors := _people(first)) and not (_might_be_a_title(first) and _is_surely_a_person(rest[-1])):
            in_series = len(rest) > 1 and rest[0][-1].isdigit()  # "Author - Series 3 - Title"
            return " - ".join(rest[1:] if in_series else rest), authors
        if authors := _people(rest[-1]):
            return " - ".join([first, *rest[:-1]]), authors
        return name, ()
    if " by " in name:
        title, author = name.rsplit(" by ", 1)
        if " " in author and (authors := _people(author)):
            return title, authors
    author, *after = _FULL_STOP.split(name, maxsplit=1)
    if after and " " in author and not _NO_TITLE.match(after[0]) and (authors := _people(author)):
        return after[0], authors
    return name, ()


def _might_be_a_title(text: str) -> bool:
    """Whether a text that could name people is as likely a title: "Идиот", "Pride and Prejudice"."""
    return all(" " not in part for part in _AND.split(text)) and (" " in text or not text.isascii())


def _is_surely_a_person(text: str) -> bool:
    """Whether the text is more than a surname. "Bleak House" looks so too, but then the author comes first."""
    return " " in text and bool(_people(text))


def _people(text: str) -> tuple[str, ...]:
    """The names in a text that is nothing but names of people; () for any other."""
    surname, *given = text.split(", ")
    if len(given) == 1 and " " not in surname and is_name(f"{given[0]} {surname}") and not _AND.search(text):
        return (f"{given[0]} {surname}",)
    names = tuple(name for part in text.split(", ") for name in _AND.split(part))
    return names if all(is_name(name) for name in names) else ()


def is_name(text: str) -> bool:
    """Whether every word is capitalised like a name's, as in no title but the shortest: "Ludwig van Beethoven"."""
    words = text.split()
    return (
        0 < len(words) <= 5
        and words[-1] not in _PARTICLES
        and all(word in _PARTICLES or (word[0].isupper() and _NAME.fullmatch(word)) for word in words)
        and not any(word.lower() in _NEVER_NAMES for word in words)
    )
