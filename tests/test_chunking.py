"""Passages: whatever the book, they are its own words, in order, whole where the text is whole."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_library_bot.chunking import TARGET, cut, passages
from ai_library_bot.text import blocks, clean, sentences
from ai_library_bot.types import BookText, Passage, Section
from tests.texts import ANY_TEXT, prose

LONG_PROSE = prose(most_sentences=40, most_blocks=12)
MONOLITH = st.builds(
    lambda word, times: word * times, st.sampled_from(["слово", "a ", "b\n", "x"]), st.integers(1, 1500)
)
TEXTS = LONG_PROSE | prose() | ANY_TEXT.map(clean) | MONOLITH.map(clean)
LINE = "И долго буду тем любезен я народу, что чувства добрые я лирой пробуждал"
SENTENCE = "Смотритель спустился в гавань в сумерках и пересчитал фонари. "


@st.composite
def sections(draw: st.DrawFn) -> Section:
    text = draw(TEXTS)
    marks = draw(st.lists(st.integers(0, len(text)), max_size=6, unique=True).map(sorted))
    first = draw(st.integers(1, 300))
    return Section(
        heading=tuple(draw(st.lists(st.sampled_from(["Часть I", "Глава 2", "3"]), max_size=2))),
        text=text,
        pages=tuple((offset, first + number) for number, offset in enumerate([0, *marks[1:]])) if marks else (),
    )


BOOKS = st.builds(lambda parts: BookText("txt", tuple(parts)), st.lists(sections(), min_size=1, max_size=5))


def book(*texts: str) -> BookText:
    return BookText("txt", tuple(Section((f"Глава {number}",), text) for number, text in enumerate(texts, 1)))


def letters(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("sentence", ["Смотритель зажёг лампу. ", "слово "])
def test_a_book_in_one_paragraph_is_cut_like_any_other(sentence: str) -> None:
    text = (sentence * (TARGET * 1200 // len(sentence))).strip()
    found = passages("b3f2", book(text), 200)  # recursion would end here, and so would patience
    assert letters("".join(passage.text for passage in found)) == letters(text)
    assert max(len(passage.text) for passage in found) <= 2 * TARGET


any_book = given(BOOKS, st.sampled_from([0, 200, 1000]))


@any_book
def test_a_passage_is_a_slice_of_its_section_under_its_heading(book: BookText, minimum: int) -> None:
    for passage in passages("b3f2", book, minimum):
        section = book.sections[passage.section]
        assert passage.text == section.text[passage.start : passage.end]
        assert passage.text == passage.text.strip() != ""
        assert passage.chapter == section.heading


@any_book
def test_nothing_is_lost_but_short_sections_beside_longer_ones(book: BookText, minimum: int) -> None:
    kept = [section.text for section in book.sections if len(section.text) >= minimum]
    texts = kept or [section.text for section in book.sections]
    assert "".join(letters(passage.text) for passage in passages("b3f2", book, minimum)) == letters("".join(texts))


@any_book
def test_passages_follow_each_other_and_do_not_overlap(book: BookText, minimum: int) -> None:
    cut_up = passages("b3f2", book, minimum)
    assert [passage.id for passage in cut_up] == [f"b3f2:{number:04d}" for number in range(len(cut_up))]
    assert {passage.book_id for passage in cut_up} <= {"b3f2"}
    for before, after in pairwise(cut_up):
        assert (before.section, before.end) <= (
            after.section,
            after.start if after.section == before.section else 1e9,
        )
        assert before.beside(1) == after.id
        assert after.beside(-1) == before.id


@any_book
def test_positions_rise_from_the_beginning_of_the_book_to_its_end(book: BookText, minimum: int) -> None:
    positions = [passage.position for passage in passages("b3f2", book, minimum)]
    assert positions == sorted(positions)
    assert all(0 <= position <= 1 for position in positions)


@any_book
def test_no_passage_is_longer_than_two_targets_or_a_splinter(book: BookText, minimum: int) -> None:
    for passage in passages("b3f2", book, minimum):
        assert len(passage.text) <= 2 * TARGET
        assert len(passage.text) >= min(TARGET // 4, len(book.sections[passage.section].text.strip()))


@any_book
def test_every_character_stands_on_the_page_of_its_section(book: BookText, minimum: int) -> None:
    for passage in passages("b3f2", book, minimum):
        section = book.sections[passage.section]
        assert not passage.pages or passage.pages[0][0] == 0
        for offset in range(0, len(passage.text), 50):
            assert passage.page_at(offset) == page_of(section, passage.start + offset)


@any_book
def test_the_same_book_gives_the_same_passages(book: BookText, minimum: int) -> None:
    assert passages("b3f2", book, minimum) == passages("b3f2", book, minimum)


def page_of(section: Section, offset: int) -> int | None:
    return next((page for start, page in reversed(section.pages) if start <= offset), None)


@settings(max_examples=60)
@given(LONG_PROSE)
def test_verse_lists_and_tables_of_up_to_one_and_a_half_targets_are_never_cut(text: str) -> None:
    spans = list(cut(text))
    for start, end in blocks(text):
        if "\n" in text[start:end] and end - start <= TARGET * 3 // 2:
            assert any(begin <= start and end <= stop for begin, stop in spans)


@settings(max_examples=60)
@given(LONG_PROSE)
def test_a_cut_falls_between_sentences(text: str) -> None:
    ends = {end for _, end in sentences(text)}
    lines = {offset for offset, character in enumerate(text) if character == "\n"}
    assert all(end in ends | lines for _, end in cut(text))


class TestExamples:
    def test_an_empty_book_has_no_passages(self) -> None:
        assert passages("b3f2", book(""), 200) == []

    def test_a_text_of_about_the_target_is_one_passage(self) -> None:
        assert len(passages("b3f2", book(SENTENCE * 20), 200)) == 1

    def test_paragraphs_are_kept_together_where_they_fit(self) -> None:
        paragraph = (SENTENCE * 8).strip()
        found = passages("b3f2", book("\n\n".join([paragraph] * 20)), 200)
        assert {passage.text for passage in found} == {f"{paragraph}\n\n{paragraph}"}

    def test_the_end_of_a_paragraph_is_a_better_place_to_cut_than_one_of_a_sentence_a_little_nearer(self) -> None:
        first, second = (SENTENCE * 14).strip(), (SENTENCE * 18).strip()
        assert [passage.text for passage in passages("b3f2", book(f"{first}\n\n{second}"), 200)] == [first, second]

    def test_a_poem_longer_than_any_passage_is_cut_at_its_lines(self) -> None:
        found = passages("b3f2", book("\n".join([LINE] * 60)), 200)
        assert len(found) > 3
        assert all(set(passage.text.split("\n")) == {LINE} for passage in found)

    def test_a_text_without_sentences_is_cut_at_spaces(self) -> None:
        found = passages("b3f2", book("слово " * 1000), 200)
        assert all(set(passage.text.split()) == {"слово"} for passage in found)

    def test_a_text_without_spaces_is_cut_into_equal_pieces(self) -> None:
        assert [len(passage.text) for passage in passages("b3f2", book("я" * 4500), 200)] == [1500, 1500, 1500]

    @pytest.mark.parametrize(("minimum", "chapters"), [(200, ["Глава 2"]), (10, ["Глава 1", "Глава 2"])])
    def test_short_sections_are_left_out_beside_longer_ones(self, minimum: int, chapters: list[str]) -> None:
        found = passages("b3f2", book("Короткая глава.", SENTENCE * 10), minimum)
        assert [passage.chapter[0] for passage in found] == chapters

    def test_a_book_of_short_sections_only_keeps_them(self) -> None:
        assert [passage.text for passage in passages("b3f2", book("Раз.", "Два."), 200)] == ["Раз.", "Два."]

    def test_a_passage_knows_the_pages_it_stands_on(self) -> None:
        text = SENTENCE * 40
        section = Section((), text, pages=((0, 7), (900, 8), (1800, 9)))
        first, *_, last = passages("b3f2", BookText("pdf", (section,)), 200)
        assert (first.page, last.last_page) == (7, 9)
        assert first.page_at(899) == 7
        assert (first.last_page == 8) == (len(first.text) >= 900)

    def test_a_book_without_pages_has_none(self) -> None:
        found: list[Passage] = passages("b3f2", book(SENTENCE * 40), 200)
        assert {(passage.page, passage.last_page) for passage in found} == {(None, None)}
