"""Chapters begin where the outline says, or where headings plainly do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ai_library_bot.readers.pdf.blocks import Block
from ai_library_bot.readers.pdf.chapters import Bookmark, chapter_starts
from ai_library_bot.readers.pdf.text import joined, sections

BODY = 10.0
PROSE = (
    "The keeper of the lamp wrote to his sister every week of that long winter, and she never answered him once. " * 3
)


def heading(text: str, size: float = BODY, y: float = 50, **other: bool) -> Block:
    return Block("paragraph", (text,), y, size, **other)


def prose(y: float = 100) -> Block:
    return heading(PROSE, y=y)


def chapters(pages: Sequence[Sequence[Block]], *outline: Bookmark) -> list[tuple[str, ...]]:
    """The headings of the sections; that none of them stands in the text as well is checked on the way."""
    pieces = list(joined(enumerate(pages, start=1)))
    found = list(sections(pieces, chapter_starts(pieces, outline, BODY)))
    assert all(not set(section.heading) & set(section.text.split("\n\n")) for section in found)
    return [section.heading for section in found]


def test_the_outline_gives_the_paths() -> None:
    pages = [[heading("Part One", 16), heading("The Storm", 14), prose()], [heading("The Calm", 14), prose()]]
    outline = [Bookmark(0, "Part One", 1), Bookmark(1, "The Storm", 1), Bookmark(1, "The Calm", 2)]
    assert chapters(pages, *outline) == [("Part One", "The Storm"), ("Part One", "The Calm")]


@pytest.mark.parametrize("title", ["The Storm", "THE STORM", "2. The Storm", "Chapter 2: The Storm"])
@pytest.mark.parametrize(
    "printed", [["The Storm"], ["2 The Storm"], ["Chapter 2", "The Storm"], ["CHAPTER 2.", "The", "Storm"]]
)
def test_a_heading_is_found_however_it_is_printed(title: str, printed: list[str]) -> None:
    pages = [[prose(20), *map(heading, printed), prose()], [heading("The Calm"), prose()]]
    assert chapters(pages, Bookmark(0, title, 1), Bookmark(0, "The Calm", 2)) == [(), (title,), ("The Calm",)]


def test_a_bookmark_without_its_heading_points_by_height() -> None:
    pages = [[prose(100), prose(300)], [prose()]]
    assert chapters(pages, Bookmark(0, "Storm", 1, 290), Bookmark(0, "Calm", 2)) == [(), ("Storm",), ("Calm",)]


def test_a_bookmark_to_an_empty_page_begins_on_the_next() -> None:
    pages = [[prose()], [], [prose()]]
    assert chapters(pages, Bookmark(0, "Storm", 1), Bookmark(0, "Calm", 2)) == [("Storm",), ("Calm",)]


def test_a_heading_that_begins_its_paragraph_stays_in_it() -> None:
    run_in = "2.1 The Storm. It blew all night."
    pages = [[prose(), heading(run_in)], [heading("The Calm"), prose()]]
    pieces = list(joined(enumerate(pages, start=1)))
    outline = [Bookmark(0, "The Storm", 1), Bookmark(0, "The Calm", 2)]
    _, storm, _ = sections(pieces, chapter_starts(pieces, outline, BODY))
    assert (storm.heading, storm.text) == (("The Storm",), run_in)


def test_an_outline_of_page_numbers_is_none() -> None:
    assert chapters([[prose()], [prose()]], Bookmark(0, "Page 1", 1), Bookmark(0, "2", 2)) == [()]


def test_bookmarks_that_point_back_lose_no_text() -> None:
    pages = [[heading("One"), prose()], [heading("Two"), prose()]]
    pieces = list(joined(enumerate(pages, start=1)))
    outline = [Bookmark(0, "Two", 2), Bookmark(0, "One", 1)]
    text = "\n\n".join(section.text for section in sections(pieces, chapter_starts(pieces, outline, BODY)))
    assert text.count(PROSE.strip()) == 2


def test_larger_type_on_several_pages_makes_chapters() -> None:
    pages = [
        [heading("The Storm", 14), prose()],
        [heading("First Night", 12), prose()],
        [heading("The Calm", 14), prose()],
    ]
    pages += [[heading("Last Night", 12), prose()]]
    assert chapters(pages) == [("The Storm",), ("The Storm", "First Night"), ("The Calm",), ("The Calm", "Last Night")]


def test_a_title_page_makes_no_chapter() -> None:
    pages = [[heading("The Lamp Keeper", 24), heading("A Novel", 24)], [prose()], [prose()]]
    assert chapters(pages) == [()]


@pytest.mark.parametrize(
    "titles",
    [
        ["Chapter 1", "Chapter 2"],
        ["ГЛАВА ПЕРВАЯ", "ГЛАВА ВТОРАЯ"],
        ["Глава I. Шторм", "Глава II. Штиль"],
        ["Item 7. Management’s Discussion", "Item 7A. Market Risk"],
        ["Part One", "Part Two"],
    ],
)
def test_bold_words_like_chapter_make_chapters_in_any_size(titles: list[str]) -> None:
    assert chapters([[heading(title, bold=True), prose()] for title in titles]) == [(title,) for title in titles]


def test_such_words_in_plain_type_are_text() -> None:
    assert chapters([[heading("Chapter 1"), prose()], [heading("Chapter 2"), prose()]]) == [()]


def test_the_name_of_a_chapter_belongs_to_its_number() -> None:
    pages = [
        [heading(f"Chapter {n}", 14), heading(name, 14), prose()] for n, name in ((1, "The Storm"), (2, "The Calm"))
    ]
    assert chapters(pages) == [("Chapter 1 The Storm",), ("Chapter 2 The Calm",)]


def test_a_table_of_contents_makes_no_chapters() -> None:
    contents = [heading(f"Chapter {n}", bold=True) for n in range(1, 7)]
    pages = [contents, *([heading(f"Chapter {n}", bold=True), prose()] for n in range(1, 7))]
    assert len(chapters(pages)) == 7


def test_parts_are_left_out_if_one_was_missed() -> None:
    pages = [[heading(title, bold=True), prose()] for title in ("Part I", "Item 1", "Part III", "Item 9")]
    assert chapters(pages) == [(), ("Item 1",), ("Item 9",)]


def test_type_that_most_of_some_pages_is_set_in_makes_no_headings() -> None:
    pages = [[heading("A remark.", 12), heading(PROSE, 12)] for _ in range(3)]
    assert chapters([*pages, [prose()]]) == [()]
