"""Where the chapters of a PDF begin: by its outline, else by headings that are plainly such."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ai_library_bot.readers.pdf.text import Piece, Start
from ai_library_bot.text import fold

_LARGER = 1.15  # headings are set in type at least this many times the size of the text
_HEADING_BLOCKS = 3  # a heading may stand as so many blocks: "Chapter 3" / "The Storm" / "in which …"
_RUN_IN_LETTERS = 4
_HEADING_LEVELS = 3
_CONTENTS = 3  # more chapter headings than this on one page are a table of contents
_ABOVE_HEADING = 3.0  # points that a bookmark may point below the baseline of its heading

_ONLY_PAGE = re.compile(r"(?:page|p\.|стр\.|страница)?\s*\d+", re.IGNORECASE)

_ORDINALS = (
    "one two three four five six seven eight nine ten eleven twelve first second third fourth fifth sixth seventh "
    "eighth ninth tenth перв втор трет четв[её]рт пят шест седьм восьм девят десят одиннадцат двенадцат"
)
_COUNT = rf"(?:\d+[a-zа-я]?|[ivxlc]+|(?:{'|'.join(_ORDINALS.split())})\w*)\b"
_PART = rf"(?:part|book|volume|часть|книга|том|раздел)\s+{_COUNT}"
_CHAPTER = rf"(?:chapter|item|section|appendix|глава|приложение|лекция)\s+{_COUNT}"
_NAMED = re.compile(rf"(?P<part>{_PART})|{_CHAPTER}", re.IGNORECASE)
_LABEL = re.compile(rf"^(?:{_PART}|{_CHAPTER}|\d+(?:\.\d+)*|[a-z]\.\d[.\d]*|[ivxlc]+(?=[.:]))[.:)]*\s*", re.IGNORECASE)
_COUNTED_PART = re.compile(rf"\w+\s+(?P<count>{_COUNT})", re.IGNORECASE)
_NUMERALS = "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv".split()
_UNFINISHED = re.compile(r"[,;\d]$|\.{3,}")


class Bookmark(NamedTuple):
    """An entry of a PDF's outline. `y` is the distance from the top of its page, where it says so."""

    level: int
    title: str
    page: int
    y: float | None = None


def chapter_starts(pieces: Sequence[Piece], outline: Iterable[Bookmark], body: float) -> Iterator[Start]:
    """Where chapters begin, in the order of the text; none for a book whose chapters can't be told.

    `body` is the size of the book's text.
    """
    bookmarks = [bookmark for bookmark in outline if bookmark.title and not _ONLY_PAGE.fullmatch(bookmark.title)]
    return _outlined(pieces, bookmarks) if len(bookmarks) > 1 else _headed(pieces, body)


def _outlined(pieces: Sequence[Piece], outline: Iterable[Bookmark]) -> Iterator[Start]:
    """Where the outline's chapters begin: at the heading that says the same, else where the bookmark points."""
    at_page: defaultdict[int, list[int]] = defaultdict(list)
    for index, piece in enumerate(pieces):
        if not piece.block.note:
            at_page[piece.pages[0]].append(index)
    free = 0
    for bookmark in outline:
        on_page = [index for index in at_page[bookmark.page] if index >= free]
        start = next(filter(None, (_heading_at(pieces, index, bookmark) for index in on_page)), None)
        if start is None:
            below = (i for i in on_page if bookmark.y is None or pieces[i].block.y > bookmark.y - _ABOVE_HEADING)
            later = (i for page in sorted(at_page) if page > bookmark.page for i in at_page[page] if i >= free)
            at = next(below, None)
            if at is None:
                at = next(later, len(pieces))
            start = Start(at, at, bookmark.level, bookmark.title)
        yield start
        free = start.text


def _heading_at(pieces: Sequence[Piece], index: int, bookmark: Bookmark) -> Start | None:
    """The chapter that begins at `pieces[index]` if that is the bookmark's heading, perhaps over several blocks."""
    heading = ""
    for end in range(index + 1, min(index + _HEADING_BLOCKS, len(pieces)) + 1):
        if not pieces[end - 1].heading:
            break
        heading = f"{heading} {pieces[end - 1].heading}".strip()
        if _same_heading(heading, bookmark.title):
            return Start(index, end, bookmark.level, bookmark.title)
    first_line, title = _bare(pieces[index].block.lines[0]), _bare(bookmark.title)
    if len(title) >= _RUN_IN_LETTERS and first_line.startswith(title):  # "2.1 Method. We …" stays in the text
        return Start(index, index, bookmark.level, bookmark.title)
    return None


def _same_heading(heading: str, title: str) -> bool:
    """Whether the two differ in nothing but case, punctuation and a "Chapter 3" or "2.1" at the front."""
    if _letters(heading) == _letters(title):
        return True
    return _bare(heading) == _bare(title) != ""


def _bare(heading: str) -> str:
    """Its letters without a "Chapter 3" or "2.1" at the front."""
    return _letters(_LABEL.sub("", heading, count=1))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, fold(text)))


class _Style(NamedTuple):
    """What headings of one level have in common; higher levels sort first."""

    rank: int
    smallness: float
    named: bool


class _Heading(NamedTuple):
    style: _Style
    start: Start
    page: int


def _headed(pieces: Sequence[Piece], body: float) -> Iterator[Start]:
    """Where chapters begin in a book without an outline: at larger type, or at words like "Chapter 3" that stand out.

    A style of type must come on two pages to be one of headings, else it is a title page's; and less than once a page,
    else it is that of a talk's slides.
    """
    headings = list(_headings(pieces, body))
    crowded = {page for page, count in Counter(heading.page for heading in headings).items() if count > _CONTENTS}
    headings = [heading for heading in headings if heading.page not in crowded]
    by_style: defaultdict[_Style, list[_Heading]] = defaultdict(list)
    for heading in headings:
        by_style[heading.style].append(heading)
    running_text = Counter[float]()
    for piece in pieces:
        if not piece.heading:
            running_text[-round(piece.block.size)] += sum(map(len, piece.block.lines))
    pages = pieces[-1].pages[-1] if pieces else 0

    def is_level(style: _Style, found: Sequence[_Heading]) -> bool:
        if len({heading.page for heading in found}) < 2 or len(found) > max(2, pages):
            return False
        if style.rank == 0 and not _counts_up([heading.start.title for heading in found]):
            return False  # a part that was missed would leave its chapters under the one before
        return style.named or running_text[style.smallness] < sum(len(heading.start.title) for heading in found)

    styles = sorted(style for style, found in by_style.items() if is_level(style, found))
    levels = {style: level for level, style in enumerate(styles[:_HEADING_LEVELS])}
    for heading in headings:
        if heading.style in levels:
            yield heading.start._replace(level=levels[heading.style])


def _headings(pieces: Sequence[Piece], body: float) -> Iterator[_Heading]:
    index = 0
    while index < len(pieces):
        start, style = index, _heading_style(pieces[index], body)
        index += 1
        if style is None:
            continue
        while index < min(start + _HEADING_BLOCKS, len(pieces)) and _continues(style, pieces[index], body):
            index += 1
        title = " ".join(piece.heading for piece in pieces[start:index])
        yield _Heading(style, Start(start, index, 0, title), pieces[start].pages[0])


def _heading_style(piece: Piece, body: float) -> _Style | None:
    """The style of a heading; None for what is no heading."""
    block, text = piece.block, piece.heading
    if not text or (block.kind == "table" and len(block.lines) > 1) or not any(map(str.isalpha, text)):
        return None
    named = _NAMED.match(text)
    rank = 0 if named and named["part"] else 1
    if block.size >= _LARGER * body and not text.endswith((",", ";")):
        return _Style(rank, -round(block.size), named is not None)
    if named and (block.bold or block.centered or text.isupper()) and not _UNFINISHED.search(text, named.end()):
        return _Style(rank, -round(body), named=True)
    return None


def _continues(style: _Style, piece: Piece, body: float) -> bool:
    """Whether the block goes on with the heading before it: "Chapter 3" / "The Storm"."""
    following = _heading_style(piece, body)
    return following is not None and following.smallness == style.smallness and not following.named


def _counts_up(titles: Sequence[str]) -> bool:
    """Whether the titles' numbers are 1, 2, 3 …; numbers in words are taken on trust."""
    counts = [match["count"].lower() for title in titles if (match := _COUNTED_PART.match(title))]
    if not any(count in _NUMERALS or count.isdecimal() for count in counts):
        return True
    numbers = [_NUMERALS.index(count) + 1 if count in _NUMERALS else count for count in counts]
    return [str(number) for number in numbers] == [str(number) for number in range(1, len(numbers) + 1)]
