"""Project Gutenberg's licence, which stands before and behind the text of its books."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ai_library_bot.types import Section

START = re.compile(r"\*{3}\s*START OF TH(?:E|IS) PROJECT GUTENBERG.*?\*{3}", re.DOTALL)
END = re.compile(r"\*{3}\s*END OF TH(?:E|IS) PROJECT GUTENBERG|^End of (?:the )?Project Gutenberg", re.MULTILINE)


def without_licence(sections: Iterable[Section]) -> Iterator[Section]:
    """The sections of a book without what Project Gutenberg has put around them; those of other books as they are."""
    sections = list(sections)
    first = next((place for place, section in enumerate(sections) if START.search(section.text)), None)
    if first is None:
        yield from sections
        return
    for section in sections[first:]:
        start = START.search(section.text)
        end = END.search(section.text)
        text = section.text[start.end() if start else 0 : end.start() if end else None].strip()
        if text:
            yield replace(section, text=text)
        if end:
            return
