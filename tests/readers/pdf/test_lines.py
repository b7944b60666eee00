"""Words on a page become lines and columns of lines, in the order they are read."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.readers.pdf.lines import Row, Word, columns, rows

SIZE = 10.0
LETTER = SIZE / 2
LEFT_PROSE = "the lighthouse keeper wrote"
RIGHT_PROSE = "a letter to his sister each"


def line(text: str, x: float = 0, y: float = 20, size: float = SIZE) -> list[Word]:
    """The words of a line, every character half an em wide."""
    words = []
    for word in text.split(" "):
        right = x + len(word) * size / 2
        words.append(Word(word, x, right, y, size))
        x = right + size / 2
    return words


def texts(found: list[Row]) -> list[str]:
    return [row.text for row in found]


def test_words_of_one_baseline_make_a_row_from_left_to_right() -> None:
    assert texts(rows([*line("second line", y=32), *reversed(line("the first line"))])) == [
        "the first line",
        "second line",
    ]


@given(st.permutations(range(12)))
def test_the_order_in_which_words_come_does_not_matter(order: list[int]) -> None:
    words = [
        *line("one two three"),
        *line("four five six", y=32),
        *line("seven eight nine", y=44),
        *line("a b c", y=60),
    ]
    assert rows(words[index] for index in order) == rows(words)


def test_a_raised_note_mark_stays_behind_its_word() -> None:
    words = line("so he wrote")
    mark = Word("7", words[-1].right, words[-1].right + 3, 16, 6)
    assert texts(rows([*words, mark])) == ["so he wrote 7"]


def test_a_small_line_above_a_heading_is_a_line_of_its_own() -> None:
    assert texts(rows([*line("chapter the first", x=150, y=20, size=7), *line("The Storm", y=32, size=14)])) == [
        "chapter the first",
        "The Storm",
    ]


def test_an_initial_of_several_lines_begins_the_first_of_them() -> None:
    words = [
        Word("T", 0, 20, 44, 36),
        *line("he sea was calm", x=21),
        *line("that night", x=21, y=32),
        *line("and so", y=44, x=21),
    ]
    assert texts(rows(words))[0] == "The sea was calm"


def two_columns(count: int = 8, shift: float = 0) -> list[Word]:
    words = []
    for index in range(count):
        words += line(f"{LEFT_PROSE} L{index}", y=100 + 12 * index)
        words += line(f"{RIGHT_PROSE} R{index}", x=200, y=100 + shift + 12 * index)
    return words


def read(words: list[Word]) -> list[str]:
    return [row.text for column in columns(rows(words)) for row in column]


def test_two_columns_are_read_one_after_the_other() -> None:
    found = read(two_columns())
    assert found == [f"{LEFT_PROSE} L{i}" for i in range(8)] + [f"{RIGHT_PROSE} R{i}" for i in range(8)]


def test_columns_need_not_share_their_baselines() -> None:
    assert read(two_columns(shift=6)) == read(two_columns())


def test_what_crosses_the_columns_stays_between_what_is_above_and_below() -> None:
    heading = line("A heading that runs over the width of both of the columns of text", y=80)
    below = line("A footnote that runs over the width of both of the columns of text", y=220)
    found = read([*two_columns(), *heading, *below])
    assert found == [texts(rows(heading))[0], *read(two_columns()), texts(rows(below))[0]]


def test_three_columns_are_columns() -> None:
    words = [
        word
        for index in range(8)
        for column in range(3)
        for word in line(f"words enough for a line {column}", x=column * 200, y=100 + 12 * index)
    ]
    assert [text[-1] for text in read(words)] == list("0" * 8 + "1" * 8 + "2" * 8)


def test_a_table_of_numbers_is_not_read_by_columns() -> None:
    words = [
        word
        for index in range(8)
        for word in [
            *line(f"Net sales of the year {index}", y=100 + 12 * index),
            *line("12,345 67,890", x=250, y=100 + 12 * index),
        ]
    ]
    assert all(text.endswith("67,890") for text in read(words))


def test_a_table_of_words_is_not_read_by_columns() -> None:
    words = []
    for index in range(8):
        words += [*line(f"Anna I. {index}", y=100 + 12 * index), *line("keeper here", x=150, y=100 + 12 * index)]
    assert all(text.endswith("keeper here") for text in read(words))


ROWS = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 600), st.text("abc.1 ", min_size=1, max_size=40)), max_size=25
)


@given(ROWS)
def test_no_word_is_lost_or_doubled(lines: list[tuple[int, int, str]]) -> None:
    words = [word for x, y, text in lines for word in line(text, x, y) if word.text]
    found = [word for column in columns(rows(words)) for row in column for word in row.words]
    assert sorted(found) == sorted(words)


@given(ROWS)
def test_rows_go_down_the_page(lines: list[tuple[int, int, str]]) -> None:
    found = rows(word for x, y, text in lines for word in line(text, x, y) if word.text)
    assert all(above.y <= below.y for above, below in pairwise(found))
