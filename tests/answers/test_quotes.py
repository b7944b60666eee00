"""A citation is a stretch of its passage. What was not said there, word for word, never becomes one."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import ai_library_bot
from ai_library_bot.answers.quotes import Checked, find, too_short, verify
from ai_library_bot.text import clean, fold, fold_with_offsets, sentences, words
from ai_library_bot.types import Citation, Claim, Draft, Fault, Hit, Passage, Statement, passage_id
from tests.fakes import BOOKS, PASSAGES
from tests.texts import ANY_TEXT, prose

TEXT = (
    "Смотритель перестал писать письма, потому что слеп: строка, сползающая вниз, «выдала бы» его — и он это знал. "
    "The keeper’s lamp was lit at six – on every evening – since 1911. Ёлка стояла у окна… Она ждала."
)
PASSAGE = replace(PASSAGES[0], text=TEXT)
HITS = {hit.passage.id: hit for hit in (Hit(1, 1.0, 1.0, PASSAGE, BOOKS[PASSAGE.book_id]),)}


def nowhere(passage: Passage, quote: str) -> list[Passage]:
    return []


def said(text: str, *quotes: str, passage: str = PASSAGE.id) -> Statement:
    return Statement(text, tuple(Claim(passage, quote) for quote in quotes))


def checked(
    *statements: Statement,
    hits: Mapping[str, Hit] = HITS,
    elsewhere: Callable[[Passage, str], Iterable[Passage]] = nowhere,
    strict: bool = True,
) -> Checked:
    return verify(Draft(statements), hits, elsewhere, strict=strict)


def cited(quote: str) -> list[str]:
    return [citation.quote for citation in checked(said("So it is.", quote)).citations]


def faults(*statements: Statement) -> list[tuple[str, str]]:
    return [(fault.text, fault.reason) for fault in checked(*statements).faults]


@st.composite
def quoted(draw: st.DrawFn) -> tuple[str, str]:
    """A text and a stretch of it that begins and ends with whole words."""
    text = clean(draw(prose(most_sentences=4, most_blocks=3)))
    found = list(words(text))
    first = draw(st.integers(0, len(found) - 1))
    last = draw(st.integers(first, min(len(found) - 1, first + 12)))
    return text, text[found[first].start : found[last].end]


class TestAnyQuote:
    @given(quoted())
    def test_what_stands_in_the_text_is_found_as_it_stands(self, case: tuple[str, str]) -> None:
        text, quote = case
        span = find(quote, text)
        assert span is not None
        assert fold(text[slice(*span)]).split() == fold(quote).split()

    @example("ﬁ", "fi")
    @given(ANY_TEXT, ANY_TEXT)
    def test_whatever_is_found_says_what_the_quote_says(self, quote: str, text: str) -> None:
        span = find(quote, quote + text)
        if span is not None:
            found = fold_with_offsets((quote + text)[slice(*span)])[0]
            assert " ".join(fold(quote).split()) in " ".join(found.split())

    @given(quoted(), st.data())
    def test_with_a_letter_changed_it_is_refused(self, case: tuple[str, str], data: st.DataObject) -> None:
        text, quote = case
        place = data.draw(st.sampled_from([place for place, letter in enumerate(quote) if letter.isalnum()]))
        wrong = quote[:place] + "ъ" + quote[place + 1 :]  # a letter of no sample sentence
        assert find(wrong, text) is None

    @given(quoted(), st.data())
    def test_with_a_word_added_it_is_refused(self, case: tuple[str, str], data: st.DataObject) -> None:
        text, quote = case
        place = data.draw(st.sampled_from([word.start for word in words(quote)]))
        assert find(f"{quote[:place]}отнюдь {quote[place:]}", text) is None

    @given(quoted(), st.data())
    def test_with_a_word_dropped_it_is_refused_unless_the_text_says_that_as_well(
        self, case: tuple[str, str], data: st.DataObject
    ) -> None:
        text, quote = case
        found = list(words(quote))
        assume(len(found) > 2)
        dropped = data.draw(st.sampled_from(found[1:-1]))
        shorter = quote[: dropped.start] + quote[dropped.end :].lstrip()
        assume(" ".join(fold(shorter).split()) not in " ".join(fold(text).split()))
        assert find(shorter, text) is None

    @given(quoted(), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
    def test_every_unicode_form_is_the_same_quote(self, case: tuple[str, str], form: str) -> None:
        text, quote = case
        assert find(unicodedata.normalize(form, quote), text) == find(quote, text)  # type: ignore[arg-type]


class TestSameWords:
    @pytest.mark.parametrize(
        "quote",
        [
            "Смотритель перестал писать письма",
            "смотритель ПЕРЕСТАЛ писать письма",
            "Смотритель\u00a0перестал\n писать  письма",
            "смотри\u00adтель перестал",
            "сполза\u0301ющая вниз",
            'сползающая вниз, "выдала бы" его',
            "сползающая вниз, “выдала бы” его - и он это знал.",
            "The keeper's lamp",
            "The keeper`s lamp",
            "at six - on every evening — since 1911",
            "Елка стояла у окна...",
            "Е\u0308лка стояла у окна…",
            "ｌａｍｐ ｗａｓ lit",
            "  lamp was lit  ",
        ],
    )
    def test_case_and_typography_make_no_difference(self, quote: str) -> None:
        assert find(quote, TEXT)

    def test_the_citation_is_the_text_of_the_passage_not_of_the_claim(self) -> None:
        assert cited("елка стояла У ОКНА...") == ["Ёлка стояла у окна…"]

    def test_a_citation_knows_its_number_its_book_and_its_page(self) -> None:
        passage = replace(PASSAGE, pages=((0, 12), (100, 13)))
        hits = {passage.id: replace(HITS[passage.id], passage=passage)}
        (citation,) = checked(said("It burns.", "The keeper’s lamp was lit"), hits=hits).citations
        assert citation == Citation(1, passage, hits[passage.id].book, citation.start, citation.end)
        assert citation.page == 13


class TestRefused:
    @pytest.mark.parametrize(
        "quote",
        [
            "",
            "   ",
            "…",
            "«—»",
            "Смотритель перестал писать книги",
            "Смотритель не перестал писать письма",
            "перестал Смотритель писать письма",
            "Смотритель писать письма",
            "перестал писать письма потому что слеп",  # the comma is gone
            "мотритель перестал",
            "Смотритель перестал писать письм",
            "amp was lit",
            "since 191",
            "Смотритель перестал писать письма … Она ждала",
            "Смотритель перестал писать письма, Она ждала",
            "потому что слеп. The keeper’s lamp",
            TEXT + " И всё.",
        ],
    )
    def test_what_does_not_stand_there_word_for_word(self, quote: str) -> None:
        assert cited(quote) == []

    def test_a_quote_of_a_passage_that_was_not_given(self) -> None:
        for passage in ("77c0de:0000", "", "1"):
            unknown = said("It stood there.", "Ёлка стояла у окна", passage=passage)
            assert checked(unknown).citations == ()
            assert faults(unknown) == [("Ёлка стояла у окна", "unknown_passage")]

    @pytest.mark.parametrize("quote", ["потому что слеп", "on every evening", "Ёлка", "и он это", "the e.", "a b c d"])
    def test_a_quote_of_three_words_or_next_to_nothing(self, quote: str) -> None:
        assert find(quote, TEXT + " the e. a b c d")
        hits = {PASSAGE.id: replace(HITS[PASSAGE.id], passage=replace(PASSAGE, text=TEXT + " the e. a b c d"))}
        assert checked(said("He is blind.", quote), hits=hits) == Checked("", (), (), (Fault(quote, "too_short"),))

    def test_four_ideographs_are_a_quotation_as_four_words_are(self) -> None:
        passage = replace(PASSAGE, text="光陰似箭，日月如梭。")
        hits = {passage.id: replace(HITS[passage.id], passage=passage)}
        assert [one.quote for one in checked(said("时间。", "日月如梭"), hits=hits).citations] == ["日月如梭"]
        assert checked(said("时间。", "光陰"), hits=hits).citations == ()

    def test_a_part_of_a_word_is_passed_over_for_the_whole_word_behind_it(self) -> None:
        assert find("кот", "Который кот?") == (8, 11)


class TestParts:
    """A quotation with gaps, or glued from sentences, is as many quotations as it has parts."""

    @pytest.mark.parametrize(
        "quote",
        [
            "Смотритель перестал писать письма … и он это знал",
            "Смотритель перестал писать письма, … и он это знал.",
            "Смотритель перестал писать письма [...] и он это знал",
            "Смотритель перестал писать письма (…) …и он это знал…",
            "… Смотритель перестал писать письма . . . и он это знал",
        ],
    )
    def test_each_part_is_cited_by_itself(self, quote: str) -> None:
        assert [one.rstrip(".,") for one in cited(quote)] == ["Смотритель перестал писать письма", "и он это знал"]

    def test_glued_sentences_are_two_quotations(self) -> None:
        glued = "The keeper’s lamp was lit at six. Смотритель перестал писать письма."
        assert cited(glued) == ["The keeper’s lamp was lit at six", "Смотритель перестал писать письма"]

    def test_sentences_that_follow_one_another_are_one(self) -> None:
        assert len(cited("on every evening – since 1911. Ёлка стояла у окна")) == 1

    @pytest.mark.parametrize(
        "quote",
        [
            "Смотритель перестал писать письма … и все об этом знали",  # one part is invented
            "Смотритель перестал писать письма … слеп",  # one is too short
            "Смотритель перестал писать … письма слеп",
            "Смотритель перестал писать письма. Никто его не видел с тех пор.",
        ],
    )
    def test_one_part_that_does_not_hold_takes_the_others_with_it(self, quote: str) -> None:
        assert cited(quote) == []
        assert faults(said("So it is.", quote)) == [(quote, "not_in_book")]

    def test_dots_of_the_book_itself_are_no_gap(self) -> None:
        assert cited("Ёлка стояла у окна… Она ждала") == ["Ёлка стояла у окна… Она ждала"]


OTHERS = [
    replace(PASSAGE, id=passage_id(PASSAGE.book_id, n), text=f"Это отрывок номер {n} той же книги.") for n in (7, 8)
]
STRANGER = replace(PASSAGES[2], text="Это отрывок номер 7 совсем другой книги.")


class TestElsewhere:
    def test_a_quote_of_another_passage_of_the_book_is_cited_from_there(self) -> None:
        found = checked(said("It is.", "отрывок номер 8 той же"), elsewhere=lambda *_: OTHERS)
        (citation,) = found.citations
        assert (citation.passage, citation.quote) == (OTHERS[1], "отрывок номер 8 той же")
        assert found.faults == ()

    def test_its_own_passage_comes_first(self) -> None:
        def elsewhere(passage: Passage, quote: str) -> list[Passage]:
            raise AssertionError

        assert len(checked(said("Lit.", "The keeper's lamp was lit"), elsewhere=elsewhere).citations) == 1

    def test_another_book_does_not_count(self) -> None:
        assert STRANGER.book_id != PASSAGE.book_id
        hits = {**HITS, STRANGER.id: replace(HITS[PASSAGE.id], passage=STRANGER, book=BOOKS[STRANGER.book_id])}
        claim = said("It is.", "отрывок номер 7 совсем другой книги")
        assert checked(claim, hits=hits, elsewhere=lambda *_: [*OTHERS, STRANGER]).citations == ()

    @given(st.data())
    def test_wherever_in_the_book_a_quotation_stands_it_is_found_there(self, data: st.DataObject) -> None:
        texts = data.draw(st.lists(prose(most_sentences=3, most_blocks=2), min_size=2, max_size=5))
        book = [
            replace(PASSAGE, id=passage_id(PASSAGE.book_id, number), text=clean(text))
            for number, text in enumerate(texts)
        ]
        named, standing = data.draw(st.sampled_from(book)), data.draw(st.sampled_from(book))
        quote = data.draw(st.sampled_from([standing.text[start:end] for start, end in sentences(standing.text)]))
        assume(not too_short(quote))
        hits = {named.id: replace(HITS[PASSAGE.id], passage=named)}
        claim = said("It is.", quote, passage=named.id)
        (citation,) = checked(claim, hits=hits, elsewhere=lambda passage, _: reversed(book)).citations
        assert fold(citation.quote).split() == fold(quote).split()
        assert citation.passage == named or find(quote, named.text) is None


LAMP = "The keeper's lamp was lit"
TREE = "Елка стояла у окна"


class TestText:
    def test_marks_are_numbered_in_the_order_of_their_first_use_and_one_place_has_one(self) -> None:
        found = checked(said("A tree.", TREE), said("A lamp.", LAMP, TREE), said("Again.", LAMP.upper()))
        assert found.text == "A tree. [1] A lamp. [1][2] Again. [2]"
        assert [(one.number, one.quote) for one in found.citations] == [
            (1, "Ёлка стояла у окна"),
            (2, "The keeper’s lamp was lit"),
        ]

    def test_one_false_claim_takes_no_true_one_with_it(self) -> None:
        found = checked(
            said("A tree.", TREE, "Ёлка стояла у двери"), said("No.", "Он ждал у окна"), said("A lamp.", LAMP)
        )
        assert found.text == "A tree. [1] A lamp. [2]"
        assert [fault.reason for fault in found.faults] == ["not_in_book", "not_in_book"]

    def test_a_sentence_without_a_true_quotation_is_left_out_or_marked(self) -> None:
        statements = said("So I think."), said("A lamp.", LAMP), said("He was blind.", "he was as blind as a bat")
        assert checked(*statements).text == "A lamp. [1]"
        loose = checked(*statements, strict=False)
        assert loose.text == "So I think. [*] A lamp. [1] He was blind. [*]"
        assert loose.own_words == ("So I think.", "He was blind.")

    @pytest.mark.parametrize(
        "text",
        [
            "He said “I shall never come back”.",
            "He said “I shall never come back",
            "I shall never come back”, he said.",
            'He said "I shall never come back", and went.',
            'I shall never come back", he said.',
            "Он сказал: «Я никогда сюда не вернусь».",
            "Он сказал: „Я никогда сюда не вернусь“.",
            "Он сказал: »Я никогда сюда не вернусь«.",
            "Он сказал: ”Я никогда сюда не вернусь”.",
            "He said ‘I shall never come back’ then.",
            "He said 'I shall never come back' then.",
            "He said ‘the keeper’s lamp never burned again’ then.",
            "He said 'the keeper's lamp never burned again' then.",
            "He said ‘the keepers’ lamp never burned again’ then.",
            "He said 'the keepers' lamp never burned again' then.",
            "He said ‘nothin’ ever burned at sea again’ then.",
            "Он сказал: «Я никогда „сюда“ не вернусь».",
            "Он сказал: «Ёлка стояла у двери … Она ждала».",
            "'Twas dark; he said «I shall never come back».",
            "“The keeper’s lamp was lit” and “I shall never come back”.",
        ],
    )
    @pytest.mark.parametrize("strict", [True, False])
    def test_a_quotation_inside_a_sentence_that_stands_nowhere_takes_it_out(self, text: str, strict: bool) -> None:
        found = checked(said(text, LAMP), said("A tree.", TREE), strict=strict)
        assert found.text == "A tree. [1]"
        assert [fault.reason for fault in found.faults] == ["unchecked_quote"]

    @pytest.mark.parametrize(
        "text",
        [
            "The lamp “was lit at six – on every evening”.",
            "The lamp 'was lit at six - on every evening', it says.",
            "It says ‘The keeper’s lamp was lit at six’.",
            "‘The keeper’s lamp was lit at six’, and ‘on every evening’, it says.",
            "«Смотритель перестал писать письма», потому что ослеп.",
            "«Ёлка стояла у окна… Она ждала» — вот и всё.",
            "Он „слеп“, как сказано.",
            "The keepers' lamp wasn't the boys' own.",
            "In “{title}” the lamp is lit.",
        ],
    )
    def test_one_that_stands_there_or_is_short_or_a_title_stays(self, text: str) -> None:
        text = text.format(title=BOOKS[PASSAGE.book_id].title)
        assert checked(said(text, LAMP)).text == f"{text} [1]"


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (5, 4), (0, len(TEXT) + 1)])
def test_a_citation_cannot_reach_outside_its_passage(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no quotation at"):
        Citation(1, PASSAGE, BOOKS[PASSAGE.book_id], start, end)


def test_only_this_module_makes_citations() -> None:
    package = Path(ai_library_bot.__file__).parent
    makers = {str(path.relative_to(package)) for path in package.rglob("*.py") if any(_makes_citation(path))}
    assert makers == {str(Path("answers/quotes.py"))}


def _makes_citation(path: Path) -> Iterator[bool]:
    """Calls of `Citation`, under whatever dots, and of `replace` on one."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            yield called == "Citation" or (called == "replace" and "citation" in ast.unparse(node.args[0]).lower())
