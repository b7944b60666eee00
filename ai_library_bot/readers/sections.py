"""A tree of elements (HTML, XHTML, FB2) into the sections of a book, without recursion, however deep it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice

from lxml import etree

from ai_library_bot.readers.markup import join_heading, local, names_of
from ai_library_bot.text import clean, one_line, words
from ai_library_bot.types import Section

Heading = tuple[str, ...]

_BREAK = "\u2028"  # a line break that the book means; `clean` makes it "\n"
_FIRST_LINES = 200  # of a poem, by which its layout is told
_SOURCE_SPACE = " \t\r\n"
_MAX_HEADING = 300  # characters; a longer "heading" is a paragraph in large letters
_MAX_SUBTITLED = 120
_MAX_VERSE_LINE = 75

_ROLES = {
    name: role
    for role, names in {
        "ignored": "head script style nav template noscript svg object audio video canvas iframe button input select "
        "textarea rt rp image binary",
        "heading": "h1 h2 h3 h4 h5 h6 hgroup",
        "block": "p div section article main header footer figure figcaption address form fieldset legend details "
        "summary center blockquote aside body caption hr title subtitle text-author date epigraph annotation poem "
        "empty-line dir menu dialog",
        "list": "ul ol",
        "item": "li",
        "table": "table",
        "row": "tr",
        "cell": "td th",
        "entries": "dl",
        "term": "dt",
        "entry": "dd",
        "break": "br",
        "pre": "pre",
        "stanza": "stanza",
        "line": "v",
        "note": "note",
    }.items()
    for name in names.split()
}
_NAMED_ROLES = {
    name: role
    for role, names in {
        "ignored": "pagebreak doc-pagebreak pagenum pageno page-number pagenumber page_number pg-boilerplate",
        "verse": "verse poem poetry song hymn lyrics z3998:verse z3998:poem z3998:song z3998:hymn z3998:lyrics",
        "stanza": "stanza",
        "subtitle": "bridgehead subtitle subheading se:bridgehead doc-subtitle",
    }.items()
    for name in names.split()
}
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


@lru_cache(maxsize=4096)
def _named_role(names: str) -> str:
    """The role that classes and semantic types give to an element, however it is tagged."""
    return next((_NAMED_ROLES[name] for name in names.lower().split() if name in _NAMED_ROLES), "")


def _role(element: etree._Element) -> str:
    """What the walker does with an element; "" for inline elements."""
    role = _ROLES.get(local(element.tag), "")
    if not element.attrib:
        return role
    for key, value in element.items():
        if key == "hidden" or (key == "aria-hidden" and value == "true"):
            return "ignored"
        if key == "style" and _HIDDEN_STYLE.search(str(value)):
            return "ignored"
    named = _named_role(names_of(element)) if role in ("", "block") else ""
    if named == "verse" and _has_bare_lines(element):
        named = "stanza"
    return named if named == "ignored" or (named and role) else role


def _has_bare_lines(verse: etree._Element) -> bool:
    """Whether the paragraphs of a poem are its lines, as nothing below them is."""
    return not any(
        _ROLES.get(local(child.tag)) in ("break", "pre", "line") or _named_role(names_of(child)) == "stanza"
        for child in islice(verse.iterdescendants(etree.Element), _FIRST_LINES)
    )


# What the border of a block is inside these: they are one block as a whole.
_BORDERS = {
    "list": " ",
    "table": " ",
    "entries": " ",
    "note": " ",
    "pre": _BREAK,
    "stanza": _BREAK,
    "heading": _BREAK,
    "subtitle": _BREAK,
}


def sections(
    body: etree._Element, path: Heading = (), chapters: Mapping[str, Heading] | None = None, book_title: str = ""
) -> list[Section]:
    """The sections of a tree, in reading order; those without text are left out.

    Headings nest by their level under `path`. `chapters` gives the heading path that begins at the element with an id,
    as a table of contents does. Headings that only repeat the path or the title of the book add nothing.
    """
    walker = _Walker(path, chapters or {}, book_title)
    walker.walk(body)
    return walker.sections


class _Walker:
    """Walks a tree once: texts gather in `_pieces`, the block being read; blocks in `_blocks`, the section."""

    def __init__(self, path: Heading, chapters: Mapping[str, Heading], book_title: str) -> None:
        self.sections: list[Section] = []
        self._book_title = _folded(book_title)
        self._path = path
        self._chapters = chapters
        self._headings: list[tuple[int, str]] = []  # the levels and titles under `_path`
        self._blocks: list[str] = []
        self._notes: list[str] = []  # those that the block being read refers to
        self._pieces: list[str] = []
        self._groups: list[str] = []  # the elements around that are one block as a whole, outermost first
        self._verses = 0  # the poems around
        self._numbers: list[int | None] = []  # of the next item of each list around; None for bullets
        self._row_began = False
        self._interrupted: list[list[str]] = []  # the pieces around a note
        self._next_chapter: Heading | None = None
        self._under_heading = False  # no text since the last heading

    def walk(self, root: etree._Element) -> None:
        agenda: list[str | etree._Element | tuple[str, etree._Element]] = [root]
        while agenda:
            step = agenda.pop()
            if isinstance(step, str):
                self._pieces.append(step.replace("\n", _BREAK) if self._groups[-1:] == ["pre"] else step)
            elif isinstance(step, tuple):
                self._close(*step)
            else:
                role = _role(step)
                if self._chapters and (place := step.get("id") or step.get("name")) and place in self._chapters:
                    self._reach(self._chapters[place])
                if role == "ignored":
                    continue
                if role and (closing := self._open(role, step)):
                    agenda.append((closing, step))
                for child in step.iterchildren(reversed=True):
                    if child.tail:
                        agenda.append(child.tail)
                    agenda.append(child)
                if step.text:
                    agenda.append(step.text)
        self._end_block()
        self._end_section()

    def _open(self, role: str, element: etree._Element) -> str:
        """Begin an element; returns the role under which it has to be closed, "" for none."""
        if (
            (role in ("list", "table") and _is_layout(element))
            or (role == "heading" and self._groups)
            or (role == "subtitle" and (self._groups or not self._under_heading))
            or (role == "item" and not self._numbers)
            or (role in ("row", "cell") and "table" not in self._groups)
            or (role in ("term", "entry") and "entries" not in self._groups)
        ):
            role = "block"
        match role:
            case "block" | "line":
                self._border()
            case "verse":
                self._border()
                self._verses += 1
            case "break":
                self._pieces.append(_BREAK)
                return ""
            case "item":
                number = self._numbers[-1]
                self._pieces.append(f"{_BREAK}- " if number is None else f"{_BREAK}{number}. ")
                self._numbers[-1] = None if number is None else number + 1
            case "row":
                self._pieces.append(_BREAK)
                self._row_began = False
            case "cell":
                self._pieces.append(" | " if self._row_began else "")
                self._row_began = True
            case "term":
                self._pieces.append(_BREAK * 2)
            case "entry":
                self._pieces.append(": " if _follows_term(element) else "; ")
            case "note":
                self._interrupted.append(self._pieces)
                self._pieces = []
                self._groups.append(role)
            case _:
                self._border()
                self._groups.append(role)
                if role == "list":
                    self._numbers.append(_first_number(element))
        return role

    def _close(self, role: str, element: etree._Element) -> None:
        match role:
            case "block" | "line":
                self._border()
            case "verse":
                self._border()
                self._verses -= 1
            case "heading" | "subtitle":
                self._groups.pop()
                lines = clean("".join(self._pieces).replace("\n", " ")).split("\n")
                self._pieces.clear()
                if role == "heading":
                    self._begin_section(_level(element), join_heading(lines))
                else:
                    self._extend_heading(join_heading(lines))
            case "note":
                self._groups.pop()
                mark = element.get("mark", "")
                text = _without_mark(one_line("".join(self._pieces)), mark)
                self._pieces = self._interrupted.pop()
                if text:
                    self._notes.append(f"[{mark}] {text}")
            case "list" | "table" | "entries" | "pre" | "stanza":
                if len(self._groups) == 1:
                    self._end_block()
                self._groups.pop()
                if role == "list":
                    self._numbers.pop()

    def _border(self) -> None:
        if not self._groups:
            self._end_block()
        else:
            while self._pieces and not self._pieces[-1].strip(_SOURCE_SPACE):
                self._pieces.pop()
            if self._pieces and not self._pieces[-1].rstrip(_SOURCE_SPACE).endswith(_BREAK):
                self._pieces.append(_BORDERS[self._groups[-1]])

    def _end_block(self) -> None:
        text = clean("".join(self._pieces).replace("\n", " ")) if self._pieces else ""
        self._pieces.clear()
        if text:
            group = self._groups[0] if self._groups else ""
            if group in ("list", "table"):
                text = "\n".join(line for line in text.split("\n") if line.strip(" |-"))
            for block in text.split("\n\n"):
                if "\n" in block and not group and not self._verses and not _reads_as_verse(block):
                    block = block.replace("\n", " ")
                self._add_blocks(block)
            self._add_blocks(*self._notes)
            self._notes.clear()
        if self._next_chapter is not None:
            self._begin_chapter(self._next_chapter)

    def _add_blocks(self, *blocks: str) -> None:
        self._blocks += blocks
        self._under_heading = False

    def _reach(self, chapter: Heading) -> None:
        """A chapter of the table of contents begins here; amid a block, it begins behind it."""
        if "note" in self._groups:
            return
        if self._groups[-1:] == ["heading"] or not "".join(self._pieces).strip():
            self._begin_chapter(chapter)
        else:
            self._next_chapter = chapter

    def _begin_chapter(self, chapter: Heading) -> None:
        self._end_section()
        self._path, self._next_chapter = chapter, None
        self._headings.clear()
        self._under_heading = False

    def _begin_section(self, level: int, title: str) -> None:
        if len(title) > _MAX_HEADING:
            self._add_blocks(title)
            return
        if not any(map(str.isalnum, title)):
            return
        if self._under_heading and self._headings and self._headings[-1][0] == level:
            self._extend_heading(title)
            return
        under_chapter = not self._blocks and not self._headings and bool(self._path)
        self._under_heading = True
        if under_chapter and _repeats(title, self._path):
            return
        if under_chapter and _begins_or_ends(self._path[-1], title):
            self._path = (*self._path[:-1], title)
            return
        self._end_section()
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        if _folded(title) == self._book_title:
            self._under_heading = False
        else:
            self._headings.append((level, title))

    def _extend_heading(self, title: str) -> None:
        """A second line of the heading above; too long for that, it is a block."""
        heading = self._headings[-1][1] if self._headings else self._path[-1]
        joined = join_heading([heading, title])
        if len(joined) > _MAX_SUBTITLED:
            self._add_blocks(title)
        elif self._headings:
            self._headings[-1] = (self._headings[-1][0], joined)
        else:
            self._path = (*self._path[:-1], joined)

    def _end_section(self) -> None:
        blocks = self._blocks + self._notes
        if blocks:
            heading = (*self._path, *(title for _, title in self._headings))
            self.sections.append(Section(heading, "\n\n".join(blocks)))
        self._blocks.clear()
        self._notes.clear()


def _is_layout(element: etree._Element) -> bool:
    """Whether a table or list only arranges the page: chapters, tables or several paragraphs stand inside."""
    inside = element.iterdescendants("{*}h1", "{*}h2", "{*}h3", "{*}h4", "{*}h5", "{*}h6", "{*}table")
    if next(inside, None) is not None:
        return True
    cells = element.iterdescendants("{*}td") if local(element.tag) == "table" else ()
    return any(len(cell.findall("{*}p")) > 2 for cell in cells)


def _without_mark(note: str, mark: str) -> str:
    first, _, rest = note.partition(" ")
    return rest if first.strip("[](){}.:") == mark else note


def _first_number(items: etree._Element) -> int | None:
    """The number of a list's first item; None for bullets."""
    if local(items.tag) != "ol":
        return None
    start = items.get("start", "")
    return int(start) if re.fullmatch(r"\d{1,6}", start) else 1


def _follows_term(entry: etree._Element) -> bool:
    before = entry.getprevious()
    return before is not None and local(before.tag) == "dt"


def _level(heading: etree._Element) -> int:
    """1 to 6; a group of headings has the level of its first."""
    inside = heading.iter("{*}h1", "{*}h2", "{*}h3", "{*}h4", "{*}h5", "{*}h6")
    return next((int(local(element.tag)[1]) for element in inside), 1)


def _repeats(title: str, path: Heading) -> bool:
    """Whether a heading only says again what the table of contents has said."""
    return any(_folded(title) == _folded(step) for step in path) or any(
        _begins_or_ends(title, longer) for longer in (path[-1], " ".join(path))
    )


def _begins_or_ends(part: str, whole: str) -> bool:
    words_of_part, words_of_whole = _folded(part), _folded(whole)
    count = len(words_of_part)
    return words_of_part in (words_of_whole[:count], words_of_whole[-count:])


def _folded(text: str) -> list[str]:
    return [word.folded for word in words(text)]


def _reads_as_verse(block: str) -> bool:
    """Whether the lines of a paragraph are verse or an address, not prose that somebody wrapped by hand."""
    lines = block.split("\n")
    capitals = sum(line.lstrip("\"'«“„‘—–-… ")[:1].isupper() for line in lines[1:])
    return max(map(len, lines)) <= _MAX_VERSE_LINE and capitals >= 0.6 * len(lines[1:])
