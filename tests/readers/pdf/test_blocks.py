"""The lines of a column become paragraphs, verse, tables and notes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.readers.pdf.blocks import Block, blocks
from ai_library_bot.readers.pdf.lines import Word, rows
from tests.readers.pdf.test_lines import SIZE, line

BODY = SIZE
FULL = "the sea was calm and the keeper of the lamp went up again"  # as wide as the column
LEADING = 12.0


def read(*lines: str, step: float = LEADING, size: float = SIZE) -> list[Block]:
    """The blocks of lines; the spaces a line begins with set it in, and an empty one leaves a gap."""
    words: list[Word] = []
    for number, text in enumerate(lines):
        if text:
            indent = len(text) - len(text.lstrip())
            words += line(text.lstrip(), x=indent * 5, y=20 + step * number, size=size)
    return list(blocks(rows(words), BODY))


def cells(*texts: str, y: float, widths: Sequence[float] = (0, 200, 260)) -> list[Word]:
    return [word for x, text in zip(widths, texts, strict=False) if text for word in line(text, x, y)]


def table(*lines: Sequence[str]) -> list[Block]:
    words = [word for number, texts in enumerate(lines) for word in cells(*texts, y=20 + LEADING * number)]
    return list(blocks(rows(words), BODY))


def test_lines_that_fill_the_column_make_one_paragraph() -> None:
    assert [block.lines for block in read(FULL, FULL, "and slept.")] == [(FULL, FULL, "and slept.")]


def test_a_first_line_set_in_begins_a_paragraph() -> None:
    found = read("   " + FULL[:-3], FULL, "   " + FULL[:-3], FULL)
    assert [len(block.lines) for block in found] == [2, 2]
    assert all(block.indented for block in found)


def test_the_second_line_belongs_to_a_first_one_set_in_even_if_a_sentence_ends_there() -> None:
    assert len(read("   " + FULL[:-4] + ".", "Then " + FULL[5:], FULL)) == 1


def test_one_line_that_sticks_out_does_not_make_the_others_short() -> None:
    assert len(read(*[FULL] * 6, FULL + " and up")) == 1


def test_a_gap_begins_a_paragraph() -> None:
    assert [len(block.lines) for block in read(FULL, FULL, "", FULL, FULL)] == [2, 2]


def test_a_short_last_line_ends_a_paragraph() -> None:
    assert [len(block.lines) for block in read(FULL, "and slept.", "Then " + FULL[5:], FULL)] == [2, 2]


def test_a_line_that_is_ragged_goes_on() -> None:
    assert len(read(FULL, FULL[:-10], FULL, FULL)) == 1


def test_larger_type_begins_a_block() -> None:
    words = [*line("The Storm", y=20, size=16), *line(FULL, y=40), *line(FULL, y=52)]
    assert [block.size for block in blocks(rows(words), BODY)] == [16, 10]


def test_verse_keeps_its_lines() -> None:
    verse = ("The lamp is lit,", "the oil is low,", "the ships go by,", "and none will know")
    found = read(FULL, FULL, "", *verse)
    assert (found[-1].kind, found[-1].lines) == ("lines", verse)


def test_items_of_a_list_are_blocks_and_their_lines_hang_under_them() -> None:
    found = read("• " + FULL[2:], "  went on", "• " + FULL[2:], "  went on")
    assert [block.lines for block in found] == [("• " + FULL[2:], "went on")] * 2


def test_a_table_is_one_block_with_a_line_a_row() -> None:
    found = table(("", "2022", "2023"), ("Net sales", "$ 10", "$ 20"), ("Costs", "(5)", "7 %"))
    assert [(block.kind, block.lines) for block in found] == [
        ("table", ("2022 | 2023", "Net sales | $ 10 | $ 20", "Costs | (5) | 7 %"))
    ]


def test_a_label_of_two_lines_gets_its_figures() -> None:
    found = table(("Sales", "1", "2"), ("Accounts receivable, net",), ("and other", "3", "4"), ("Sum", "4", "6"))
    assert found[0].lines == ("Sales | 1 | 2", "Accounts receivable, net and other | 3 | 4", "Sum | 4 | 6")


def test_a_heading_between_rows_stays_a_row() -> None:
    found = table(("Sales", "1", "2"), ("Expenses:",), ("Wages", "3", "4"))
    assert found[0].lines == ("Sales | 1 | 2", "Expenses:", "Wages | 3 | 4")


def test_the_line_over_the_columns_of_a_table_belongs_to_it() -> None:
    found = table(("", "Year Ended"), ("Sales", "1", "2"), ("Wages", "3", "4"))
    assert [block.lines for block in found] == [("Year Ended", "Sales | 1 | 2", "Wages | 3 | 4")]


def test_leaders_of_a_table_of_contents_part_title_and_page() -> None:
    found = read("The Storm . . . . . . . . 7", "The Calm . . . . . . . . . 19")
    assert [block.lines for block in found] == [("The Storm | 7", "The Calm | 19")]


def test_smaller_type_at_the_foot_is_a_note() -> None:
    words = [*line(FULL, y=20), *line(FULL, y=32), *line("1 See the log of that year.", y=60, size=8)]
    found = list(blocks(rows(words), BODY))
    assert [(block.note, block.lines[-1][:5]) for block in found] == [(False, FULL[:5]), (True, "1 See")]


def test_each_note_is_a_block() -> None:
    words = line(FULL, y=20)
    for number in (1, 2, 3):
        words += line(f"{number}. A note on the lamp.", y=50 + 10 * number, size=8)
    assert [block.note for block in blocks(rows(words), BODY)] == [False, True, True, True]


def test_a_column_all_in_small_type_has_no_notes() -> None:
    assert not any(block.note for block in read(FULL, FULL, size=7))


def test_rules_made_of_characters_are_left_out() -> None:
    assert [block.lines for block in read(FULL, "________", "")] == [(FULL,)]


def test_only_a_full_last_line_leaves_a_paragraph_open() -> None:
    assert read(FULL, FULL)[-1].open
    assert not read(FULL, FULL, "and slept.")[-1].open


@given(st.lists(st.lists(st.text("abcXYZ019,•", min_size=1, max_size=12), min_size=1, max_size=9), min_size=1))
def test_no_character_is_lost(lines: list[list[str]]) -> None:
    words = [word for number, texts in enumerate(lines) for word in line(" ".join(texts), y=20 + LEADING * number)]
    found = "".join(text for block in blocks(rows(words), BODY) for text in block.lines)
    assert found.replace(" ", "").replace("|", "") == "".join("".join(texts) for texts in lines)
