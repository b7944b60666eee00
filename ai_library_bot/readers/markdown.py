"""Markdown: the title and authors from its front matter, footnotes to where they are referred to, then as HTML."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree
from markdown_it import MarkdownIt

from ai_library_bot.readers import front_matter
from ai_library_bot.readers.decode import decode
from ai_library_bot.readers.front_matter import Front
from ai_library_bot.readers.markup import empty, find_all, parse_html, text_of
from ai_library_bot.readers.sections import sections
from ai_library_bot.types import BookText

_YAML = re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_RULE = re.compile(r"\s*(?:[-*_]\s*){3,}")
_NOTE = re.compile(r"^ {0,3}\[\^([^\]\s]+)\]:[ \t]*(.*(?:\n(?:[ \t]+\S.*|[^\s\[#>-].*))*)\n?", re.MULTILINE)
_NOTE_MARK = re.compile(r"\[\^([^\]\s]+)\]")


def read(data: bytes, path: Path) -> BookText:
    """The book in a Markdown file."""
    text = decode(data).replace("\r\n", "\n").removeprefix("\ufeff")
    front, text = _front(text)
    root = parse_html(_html(text), path)
    heading = _only_heading_of_all(root)
    return BookText(
        format="md",
        sections=tuple(sections(root)),
        title=front.title or heading,
        authors=front.authors,
        language=front.language,
        year=front.year,
    )


def _front(text: str) -> tuple[Front, str]:
    """What the text says of itself before it begins, and the rest: a YAML block, or lines such as "# Title: …"."""
    if yaml := _YAML.match(text):
        return front_matter.fields(yaml[1].splitlines()), text[yaml.end() :]
    lines = text.split("\n")
    end = 0
    while end < len(lines) and (not lines[end].strip() or front_matter.is_field(lines[end])):
        end += 1
    front = front_matter.fields(lines[:end])
    if not front:
        return front, text
    if end < len(lines) and _RULE.fullmatch(lines[end]):
        end += 1
    return front, "\n".join(lines[end:])


def _html(text: str) -> str:
    """HTML with each footnote as an element `note` in the place of its mark."""
    notes = {mark: " ".join(note.split()) for mark, note in _NOTE.findall(text)}
    text = _NOTE.sub("", text)
    text = _NOTE_MARK.sub(
        lambda mark: f'<note mark="{mark[1]}">{notes[mark[1]]}</note>' if mark[1] in notes else mark[0], text
    )
    parser = MarkdownIt("commonmark").enable("table").disable("code")  # an indent begins a paragraph, not a program
    return f"<body>{parser.render(text)}</body>"


def _only_heading_of_all(root: etree._Element) -> str:
    """Take out the one heading of the first level if everything stands under it: it is the title of the book."""
    headings = list(find_all(root, "h1"))
    if len(headings) != 1 or any(text_of(before) for before in headings[0].itersiblings(preceding=True)):
        return ""
    title = text_of(headings[0])
    empty(headings[0])
    return title
