"""The words of a quotation are found on their page, whatever the reader has done with its lines."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ai_library_bot.readers.pdf.quotation import places
from tests.texts import ANY_TEXT

PAGE = (
    "THE KEEPER'S LEDGER\r\nThe lamp of the light\ufffehouse burned all night, and the kee-\r\nper did not sleep.\r\n"
    "Nobody came.\r\n• He wrote a letter 1 to the harbour, and nobody came.\r\n17"
)
TEXT = (
    "The lamp of the lighthouse burned all night, and the keeper did not sleep. Nobody came.\n\n"
    "• He wrote a letter to the harbour, and nobody came."
)

WORDS = st.lists(
    st.text(st.sampled_from("абвгдежзийклмнопabcdefghij"), min_size=1, max_size=9), min_size=1, max_size=60
)
BREAKS = st.sampled_from([" ", "\r\n", "-\r\n", "\ufffe", " \u00ad", "  ", "\t", " | "])


def found(quotation: str, text: str = TEXT, page: str = PAGE) -> list[str]:
    start = text.rindex(quotation)
    return [page[first:behind] for first, behind in places(text, start, start + len(quotation), page)]


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


@pytest.mark.parametrize(
    ("quotation", "words"),
    [
        ("burned all night", ["burned all night"]),
        ("The lamp of the lighthouse", ["The lamp of the light\ufffehouse"]),
        ("the keeper did not sleep.", ["the kee-\r\nper did not sleep."]),
        ("night, and", ["night, and"]),
        ("lighthouse", ["light\ufffehouse"]),
        ("• He wrote", ["• He wrote"]),
        ("a letter to the harbour", ["a letter ", " to the harbour"]),
        ("sleep. Nobody came.\n\n• He", ["sleep.\r\nNobody came.\r\n• He"]),
    ],
)
def test_hyphens_line_ends_and_note_marks_make_no_difference(quotation: str, words: list[str]) -> None:
    assert found(quotation) == words


def test_the_words_around_tell_which_ones_are_meant() -> None:
    (last,) = places(TEXT, start := TEXT.rindex("nobody came"), start + 11, PAGE)
    (first,) = places(TEXT, start := TEXT.index("Nobody came"), start + 11, PAGE)
    assert first[0] == PAGE.index("Nobody came")
    assert last[0] == PAGE.rindex("nobody came")


def test_a_line_that_the_reader_left_out_is_not_marked() -> None:
    page = "We had crossed the bridge in the\r\n12 CHAPTER TWO\r\nmorning, when the river was low."
    text = "We had crossed the bridge in the morning, when the river was low."
    assert found(text, text, page) == ["We had crossed the bridge in the", "morning, when the river was low."]


def test_columns_may_come_in_another_order() -> None:
    page = "the right column speaks of bridges. The left column speaks of rivers and"
    text = "The left column speaks of rivers and the right column speaks of bridges."
    assert found(text, text, page) == [
        "The left column speaks of rivers and",
        "the right column speaks of bridges.",
    ]


def test_a_column_does_not_take_the_next_letters_from_another_place() -> None:
    page = "света, и никто не видел лампу. Он писал до самого рас\ufffeСмотритель маяка сел за стол."
    text = "Смотритель маяка сел за стол. Он писал до самого рассвета, и никто не видел лампу."
    assert found("Он писал до самого рассвета", text, page) == ["Он писал до самого рас", "света"]


def test_the_page_may_write_letters_in_parts() -> None:
    assert found("Ещё чай", "Ещё чай и варенье", "Еще\u0308 чаи\u0306 и варенье") == ["Еще\u0308 чаи"]
    assert found("final", "the final word is", "the ﬁnal word is") == ["ﬁnal"]


def test_what_the_page_does_not_say_is_not_found() -> None:
    assert found("Кто виноват?", "Кто виноват?") == []
    assert found("a keeper of bees", "a keeper of bees") == []
    assert found("Nobody", "Nobody", "") == []


@given(WORDS, st.data())
def test_every_word_is_found_however_the_page_breaks_it(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    page = "".join(character if character != " " else data.draw(BREAKS) for character in text)
    spans = places(text, start, end, page)
    assert "".join(letters(page[first:behind]) for first, behind in spans) == letters(text[start:end])


@given(ANY_TEXT, ANY_TEXT, st.integers(-5, 200), st.integers(-5, 200))
@example("aaaa" * 20, "aa" * 200, 0, 80)
def test_whatever_text_and_page_say_the_places_are_on_the_page(text: str, page: str, start: int, end: int) -> None:
    for first, behind in places(text, max(0, start), end, page):
        assert 0 <= first < behind <= len(page)
