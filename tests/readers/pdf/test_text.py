"""Blocks of pages become one text: paragraphs run over pages, words over lines, and every line knows its page."""

from __future__ import annotations

import pytest

from ai_library_bot.readers.pdf.blocks import Block
from ai_library_bot.readers.pdf.text import Start, joined, sections
from ai_library_bot.types import Section


def paragraph(*lines: str, first: bool = True, open: bool = True, note: bool = False, **other: bool) -> Block:  # noqa: A002
    return Block("paragraph", lines, y=0, size=10, first=first, open=open, note=note, **other)


def section(*pages: list[Block]) -> Section:
    """The one section of pages, the first of which has number 5."""
    (found,) = sections(list(joined(enumerate(pages, start=5))), ())
    return found


def text(*lines: str) -> str:
    return section([paragraph(*lines)]).text


def test_a_paragraph_goes_on_over_the_page() -> None:
    found = section([paragraph("the sea was")], [paragraph("calm again.")])
    assert found == Section((), "the sea was calm again.", ((0, 5), (12, 6)))


def test_a_paragraph_may_run_over_three_pages() -> None:
    assert section([paragraph("the sea")], [paragraph("was")], [paragraph("calm.")]).text == "the sea was calm."


@pytest.mark.parametrize(
    "following",
    [
        paragraph("The next day it rained."),
        paragraph("• and a lamp"),
        Block("table", ("a | b",), y=0, size=10, first=True),
        Block("paragraph", ("in larger type",), y=0, size=14, first=True),
        paragraph("somewhere down the page", first=False),
    ],
)
def test_what_begins_anew_on_the_next_page_stands_alone(following: Block) -> None:
    found = section([paragraph("The sea was calm.")], [following])
    assert found.text == f"The sea was calm.\n\n{following.lines[0]}"
    assert found.pages == ((0, 5), (19, 6))


def test_a_sentence_without_end_goes_on_with_a_capital_unless_set_in() -> None:
    assert section([paragraph("said the old")], [paragraph("Lamp Keeper")]).text == "said the old Lamp Keeper"
    assert "\n\n" in section([paragraph("said the old")], [paragraph("Lamp Keeper", indented=True)]).text


def test_a_paragraph_that_was_ended_does_not_go_on() -> None:
    assert "\n\n" in section([paragraph("Chapter one", open=False)], [paragraph("the sea")]).text


def test_notes_stand_behind_the_paragraph_that_runs_over_them() -> None:
    found = section([paragraph("the sea was"), paragraph("1 A note.", note=True)], [paragraph("calm again.")])
    assert found.text == "the sea was calm again.\n\n1 A note."
    assert found.pages == ((0, 5), (12, 6), (25, 5))


def test_notes_stay_on_their_page_if_no_paragraph_runs_over_them() -> None:
    found = section([paragraph("The sea was calm."), paragraph("1 A note.", note=True)], [paragraph("The next day")])
    assert found.text == "The sea was calm.\n\n1 A note.\n\nThe next day"


def test_verse_and_tables_keep_their_lines() -> None:
    assert section([Block("lines", ("The lamp is lit,", "the oil is low"), y=0, size=10)]).text == (
        "The lamp is lit,\nthe oil is low"
    )


def test_a_hyphen_at_the_end_of_a_line_is_taken_out() -> None:
    assert text("the light-", "house stood") == "the lighthouse stood"
    assert text("белая баш-", "ня стояла") == "белая башня стояла"
    assert text("the light\u00ad", "house") == "the lighthouse"


def test_a_hyphen_stays_where_the_book_has_it_elsewhere() -> None:
    assert text("long-term debt and long-", "term leases") == "long-term debt and long-term leases"


def test_a_word_that_the_book_writes_both_ways_is_joined() -> None:
    assert text("re-sign or resign, he must re-", "sign") == "re-sign or resign, he must resign"


@pytest.mark.parametrize(
    ("end", "start"), [("Anglo-", "Saxon"), ("COVID-", "19"), ("1990-", "1995"), ("non‐", "linear")]
)
def test_a_hyphen_stays_before_capitals_and_digits_and_where_it_is_a_real_one(end: str, start: str) -> None:
    assert text(f"the {end}", f"{start} thing") == f"the {end}{start} thing"


def test_a_dash_keeps_the_space_it_had() -> None:
    assert text("the lamp —", "he said") == "the lamp — he said"
    assert text("the lamp—", "he said") == "the lamp—he said"


def test_a_word_may_be_parted_by_a_page() -> None:
    found = section([paragraph("the light-")], [paragraph("house stood")])
    assert (found.text, found.pages) == ("the lighthouse stood", ((0, 5), (9, 6)))


def test_sections_have_the_path_of_headings_above_them() -> None:
    pieces = list(
        joined([(1, [paragraph(word, open=False) for word in "intro Part text-1 One text-2 Two text-3".split()])])
    )
    starts = [Start(1, 2, 0, "Part"), Start(3, 4, 1, "One"), Start(5, 6, 0, "Two")]
    assert [(found.heading, found.text) for found in sections(pieces, starts)] == [
        ((), "intro"),
        (("Part",), "text-1"),
        (("Part", "One"), "text-2"),
        (("Two",), "text-3"),
    ]


def test_control_characters_are_cleaned_out() -> None:
    assert text("the \x1b[31msea\u202e was", "ca\u200blm") == "the [31msea was calm"
