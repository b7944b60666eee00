"""Markdown as books are kept in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_library_bot.readers import markdown
from ai_library_bot.types import BookText
from tests.readers.files import book_in


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "book.md")


class Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, text: str) -> BookText:
        self._path.write_text(text, "utf-8", newline="")
        return book_in(self._path, markdown.read)


def chapters(book: BookText) -> list[tuple[tuple[str, ...], str]]:
    return [(section.heading, section.text) for section in book.sections]


@pytest.mark.parametrize(
    "front",
    [
        '---\ntitle: "The Lamp"\nauthor: Anna Frost\ndate: 1899-05-01\nlang: en\ntags: [sea]\n---\n\n',
        "# Title: The Lamp\n\n## Author: Anna Frost\n\n## Year: 1899\n\n## Language: English\n\n-------\n\n",
        "Title: The Lamp\r\nAuthor: Anna Frost\r\nDate: 1899\r\nLanguage: en\r\n\r\n",
    ],
)
def test_what_the_book_says_of_itself_is_no_text(front: str, read: Reader) -> None:
    book = read(f"{front}## One\n\nIt was dark.\n")
    assert (book.title, book.authors, book.year, book.language) == ("The Lamp", ("Anna Frost",), 1899, "en")
    assert chapters(book) == [(("One",), "It was dark.")]


def test_a_first_heading_over_everything_is_the_title(read: Reader) -> None:
    book = read("# The Lamp\n\nBefore.\n\n## One\n\nIt was dark.\n")
    assert book.title == "The Lamp"
    assert chapters(book) == [((), "Before."), (("One",), "It was dark.")]


def test_several_first_headings_are_chapters(read: Reader) -> None:
    book = read("# One\n\nDark.\n\n## Part of it\n\nDarker.\n\n# Two\n\nLight.\n")
    assert book.title == ""
    assert chapters(book) == [(("One",), "Dark."), (("One", "Part of it"), "Darker."), (("Two",), "Light.")]


def test_a_heading_in_the_middle_is_no_title(read: Reader) -> None:
    assert read("Before.\n\n# One\n\nIt was dark.\n").title == ""


def test_lines_are_joined_and_meant_breaks_are_kept(read: Reader) -> None:
    text = "The keeper went down\nto the harbour.\n\nThe lamp is lit,  \nThe night is wide.\n"
    assert read(text).sections[0].text == "The keeper went down to the harbour.\n\nThe lamp is lit,\nThe night is wide."


def test_an_indented_paragraph_is_no_program(read: Reader) -> None:
    assert read("    It was *dark*.\n\n    It was late.\n").sections[0].text == "It was dark.\n\nIt was late."


def test_footnotes_stand_behind_their_block(read: Reader) -> None:
    text = "He sat in the brougham[^b] and left.[^2]\n\nHe came.\n\n[^b]: A *closed*\n    carriage.\n[^2]: At night.\n"
    assert read(text).sections[0].text == (
        "He sat in the brougham and left.\n\n[b] A closed carriage.\n\n[2] At night.\n\nHe came."
    )


def test_a_mark_without_a_note_stays(read: Reader) -> None:
    assert read("He left.[^9]\n").sections[0].text == "He left.[^9]"


def test_html_inside_is_text_and_never_runs(read: Reader) -> None:
    assert (
        read("He <b>left</b>.\n\n<script>alert(1)</script>\n\nShe stayed.").sections[0].text
        == "He left.\n\nShe stayed."
    )
