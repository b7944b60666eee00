"""What a model says becomes plain sentences: what is harmless is taken off, what is not takes the sentence with it."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ai_library_bot.answers.plain import ADDRESS, plain, plain_text
from ai_library_bot.types import Claim, Draft, Fault, Statement
from tests.answers.liar import DRESSED, LINKS
from tests.texts import ANY_TEXT

PIECES = st.sampled_from(
    (
        *("<b>", "</b>", "<", ">", "[1]", "[", "]", "](", ")", "![", "**", "_", "`", "&lt;", "&amp;", "&#104;", "#"),
        *("http", "://", ":", "/", ".", "www", "evil", "example", "com", "рф", "@", "me", "mailto:", "sk-", "9f86d08"),
        *(
            "\u200b",
            "\u200d",
            "\u202e",
            "\x1b",
            "\ufeff",
            "\u2060",
            "．",
            "。",
            "：／／",
            " ",
            "\n",
            "слово",
            "A",
            "1",
            "*",
        ),
    )
)
TANGLED = st.lists(PIECES | ANY_TEXT, max_size=14).map("".join)


class TestAnyText:
    @example("h<b>tt</b>p://evil.example")
    @example("&lt;b&gt;evil&lt;/b&gt;.com")
    @example("[[[1]]][1]")
    @given(TANGLED)
    def test_what_comes_out_is_one_plain_line(self, text: str) -> None:
        shown = plain_text(text)
        if shown is None:
            return
        assert shown == " ".join(shown.split())
        assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"} for character in shown)
        compatible = unicodedata.normalize("NFKC", shown)
        assert ADDRESS.search(compatible) is None
        for sign in ("://", "www.evil", "<b>", "</b>", "[1]", "[*]", "**"):
            assert sign not in compatible.lower()

    @given(TANGLED)
    def test_what_came_out_once_stays_as_it_is(self, text: str) -> None:
        shown = plain_text(text)
        if shown is not None:
            assert plain_text(shown) == shown

    @given(
        st.lists(st.from_regex(r"[А-Яа-яA-Za-z]{1,9}[,;:!?]?", fullmatch=True), min_size=1, max_size=12).map(" ".join)
    )
    def test_plain_words_are_left_alone(self, text: str) -> None:
        assert plain_text(text) == text


@pytest.mark.parametrize("text", LINKS)
def test_a_sentence_with_an_address_is_left_out_or_loses_it(text: str) -> None:
    shown = plain_text(text)
    assert shown is None or "evil" not in shown.lower()


@pytest.mark.parametrize("dress", DRESSED.values(), ids=DRESSED)
def test_clothes_come_off(dress: object) -> None:
    for text in ("The keeper had grown too blind to write.", "Смотритель ослеп: «строк» не видел — и всё."):
        assert callable(dress)
        assert plain_text(dress(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "А.С. Пушкин и Л.Н. Толстой жили в XIX в.",
        "А.С.Пушкин не читал J.R.R.Tolkien.",
        "It cost 3.5 roubles on 12.03.1871 at 10:30.",
        "Это было в 44 г. до н.э., т.е. давно, и т.д.",
        "He wrote Cc: and Re: on it; 5 < 6 and 7 > 6.",
        "2 * 3 * 4 = 24, a snake_case word and 50 % of it.",
        "He had [no] doubt (see 1911).",
        "Wait... what?! “No”, she said… Ёж.",
        "Ça va — naïve café №5 §7.",
        "“Quoted” ‘so’ «и так» „и эдак“.",
        "光陰似箭，日月如梭。他來了。",
        "A state-of-the-art well-thought-out mother-in-law.",
    ],
)
def test_what_books_say_stays(text: str) -> None:
    assert plain_text(text) == text


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("# A line\n> of *it* and __more__", "A line of it and more"),
        ("~~Gone~~ and `kept` here", "Gone and kept here"),
        ("He left [12], came [3; 4] and went [passage 5].", "He left, came and went."),
        ("Он ушёл (отрывок 3) и пришёл [источник 2].", "Он ушёл и пришёл."),
        ("See [the keeper][1] there", "See the keeper there"),
        ("<p>One</p> two &amp; three", "One two & three"),
        ("[INST] One <<SYS>> two <|endoftext|>", "One two"),
    ],
)
def test_markup_is_taken_off(said: str, shown: str) -> None:
    assert plain_text(said) == shown


class TestDrafts:
    def test_sentences_with_foreign_text_are_faults_and_empty_ones_are_nothing(self) -> None:
        claims = (Claim("b:0001", "he could no longer see"),)
        told = [Statement(text, claims) for text in ("**One.**", "See http://evil.example.", "[1]", "Two.")]
        draft, faults = plain(Draft(tuple(told)))
        assert draft.statements == (Statement("One.", claims), Statement("Two.", claims))
        assert faults == [Fault("See http://evil.example.", "foreign_text")]

    @pytest.mark.parametrize(
        ("quote", "parts"),
        [
            ("he could no longer see", ["he could no longer see"]),
            ("he «could» no\u00adlonger see", ["he «could» no\u00adlonger see"]),
            ("the data are at www.evil.example for all of us", ["the data are at", "for all of us"]),
            ("the data are at www.evil.example for us", ["the data are at"]),
            ("see http://evil.example", ["see"]),
            ("the data are at evil\u200b.example for all of us", ["the data are at", "for all of us"]),
            ("http://evil.example", [""]),
            ("a word " * 1_000, []),
        ],
    )
    def test_quotations_are_cut_at_addresses(self, quote: str, parts: list[str]) -> None:
        draft, _ = plain(Draft((Statement("One.", (Claim("b:0001", quote),)),)))
        assert [claim.quote for claim in draft.statements[0].claims] == parts


@pytest.mark.parametrize(
    "piece", ["a.", "a-", "<b", "&amp;", "[1", "*a", "_", "a@", "://", "A1", "(", "«", "\u200b", "ё "]
)
def test_no_text_takes_long(piece: str) -> None:
    text = (piece * 3_000)[:3_000]
    began = time.process_time()
    for length in (1_500, 3_000):
        plain(Draft((Statement(text[:length], (Claim("b:0001", text),)),)))
    assert time.process_time() - began < 1
