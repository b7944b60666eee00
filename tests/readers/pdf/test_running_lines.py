"""Headers, footers and page numbers are told from the text of the pages they stand on."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.readers.pdf.lines import Word, rows
from ai_library_bot.readers.pdf.running_lines import Page, body_size, without_running_lines
from tests.readers.pdf.test_lines import line

ROMAN = "i ii iii iv v vi vii viii ix x".split()


def page(number: int, header: str = "", footer: str = "", size: float = 10) -> Page:
    """A page whose text tells its number; a header is set where headers are, well above the text."""
    words: list[Word] = []
    if header:
        words += line(header, y=30, size=size)
    for index in range(3):
        words += line(f"text {'abc'[index]} of leaf {'x' * number}", y=80 + 12 * index)
    if footer:
        words += line(footer, y=560)
    return Page(number, rows(words))


def left(pages: Iterable[Page]) -> list[str]:
    """What stays of the pages that is not their text."""
    return [row.text for page in without_running_lines(list(pages)) for row in page.rows if row.text[:4] != "text"]


def test_a_header_that_repeats_goes() -> None:
    assert left(page(number, "The Lamp Keeper") for number in range(1, 6)) == []


def test_page_numbers_go_wherever_they_begin_to_count() -> None:
    assert left(page(number, footer=str(number + 12)) for number in range(1, 6)) == []


def test_page_numbers_go_that_begin_anew_with_each_chapter() -> None:
    pages = [page(number, footer=f"{1 + number // 4}-{1 + number % 4}") for number in range(1, 41)]
    assert left(pages) == []


def test_roman_page_numbers_go() -> None:
    assert left(page(number, footer=ROMAN[number]) for number in range(1, 6)) == []


def test_words_around_a_page_number_go_with_it() -> None:
    assert left(page(number, footer=f"Page {number} of 5") for number in range(1, 6)) == []


def test_left_and_right_pages_may_differ() -> None:
    headers = {0: "{number} The Lamp Keeper", 1: "Part One {number}"}
    assert left(page(number, headers[number % 2].format(number=number)) for number in range(1, 9)) == []


def test_the_title_of_a_short_chapter_goes_where_headers_stand() -> None:
    headers = ["The Lamp Keeper"] * 3 + ["The Storm"] + ["The Lamp Keeper"] * 3
    assert left(page(number, header) for number, header in enumerate(headers, start=1)) == []


def test_figures_at_the_edge_of_pages_stay() -> None:
    figures = ["1,204", "88", "17", "503", "42"]
    assert left(page(number, footer=figure) for number, figure in enumerate(figures, start=1)) == figures


def test_figures_that_count_like_far_away_pages_by_chance_stay() -> None:
    figures = {3: "7", 30: "34", 58: "62"}
    assert left(page(number, footer=figures.get(number, "")) for number in range(1, 61)) == list(figures.values())


def test_headings_of_chapters_stay_even_if_each_fills_a_page() -> None:
    headings = [f"Chapter {number}" for number in range(1, 6)]
    assert left(page(number, heading, size=16) for number, heading in enumerate(headings, start=1)) == headings


def test_a_line_that_repeats_far_away_stays() -> None:
    pages = [page(number, "Notes" if number in (2, 30, 58) else "") for number in range(1, 61)]
    assert left(pages) == ["Notes"] * 3


def test_a_line_that_repeats_inside_the_text_stays() -> None:
    def with_refrain(number: int) -> Page:
        words = [word for row in page(number).rows for word in row.words]
        for index in range(8):
            words += line(f"{'abcdefgh'[index]} {'x' * number} of the song", y=150 + 12 * index)
        return Page(number, rows([*words, *line("And the lamp burns on", y=180)]))

    pages = [with_refrain(number) for number in range(1, 6)]
    assert sum(text == "And the lamp burns on" for text in left(pages)) == 5


def test_one_page_loses_nothing() -> None:
    alone = page(1, "The Lamp Keeper", "1")
    assert without_running_lines([alone]) == [alone]


@given(st.lists(st.lists(st.sampled_from(["a", "b 1", "2", "iv", "c"]), max_size=8), max_size=8))
def test_lines_are_only_taken_off_the_edges(texts: list[list[str]]) -> None:
    pages = [
        Page(number, rows(word for row, text in enumerate(page) for word in line(text, y=20 + 12 * row)))
        for number, page in enumerate(texts, start=1)
    ]
    for before, after in zip(pages, without_running_lines(pages), strict=True):
        start = next((i for i, row in enumerate(before.rows) if after.rows and row is after.rows[0]), 0)
        assert list(after.rows) == list(before.rows[start : start + len(after.rows)])


def test_the_size_of_the_text_is_that_of_most_characters() -> None:
    assert body_size([page(1, "A", size=30), page(2)]) == 10
    assert body_size([]) == 0
