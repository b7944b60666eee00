"""Whatever stands in books and answers: Telegram takes what is made of it, quotations are whole, and nothing is a link.

The suite looks at a few hundred answers. For as many as one likes, and the number of what was checked:

    python -m tests.bot.test_rendering 10000
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from aiogram.types import InlineKeyboardMarkup

from ai_library_bot.bot import callbacks, rendering
from ai_library_bot.bot.layout import JOINER, LONGEST_MESSAGE, Page, parts, rich, units
from ai_library_bot.bot.talks import Kept
from ai_library_bot.locales import messages
from ai_library_bot.text import fold_with_offsets, printable
from ai_library_bot.types import (
    OWN_WORDS,
    Answer,
    Book,
    Citation,
    Excerpt,
    Hit,
    Notice,
    Passage,
    SearchResult,
    passage_id,
)
from tests.bot.telegram_rich import checked_rich
from tests.bot.telegram_rules import checked_markup, checked_message

IN_THE_SUITE = 90

LARGEST_ID = 2**52 - 1
"""Of a person in Telegram."""

LETTERS = (
    "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 .,;:!?-—…",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя АБВГДЕЁЖЗИЙ .,;:!?—«»„“",
    "שלום עולם  مرحبا بالعالم  .،؟",
    "日本語の本は長い。ここに文がある。",
    "𝒳𝕐𝔞𝓫𐍈🦉📚🏛 ",
    "e\u0301a\u0308\u0327й\u0306 \u0300",
    "\x00\x07\x1b\x7f\x85\u00ad\u200b\u200d\u200e\u202e\u2028\u2029\u2060\u2066\ufe0f\ufeff\ufffc\ue000\U000e0041",
    "\t\n\r\v\f \u00a0\u2003\u3000",
    "[](){}<>&*_`~|#@/\\$%^+=\"'",
)
SCRAPS = (
    "https://evil.example/steal?q=1#x",
    "www.evil.example",
    "evil.example",
    "злой.рф",
    "xn--80ak6aa92e.com",
    "192.0.2.7:8080/evil",
    "tg://resolve?domain=evil",
    "t.me/evil",
    "librarian@evil.example",
    "@evil_bot",
    "/start",
    "/start@evil_bot",
    "#tag",
    "$USD",
    "[1]",
    "[2]",
    "[*]",
    "[x](http://evil.example)",
    '<a href="http://evil.example">x</a>',
    "&lt;b&gt;",
    "👩‍👩‍👧‍👦👍🏽🏳️‍🌈",
    "т.е. и т.д.",
    "J.R.R.Tolkien",
    "«Прощай»",
    "“Farewell”",
    "\n\n",
    "\r\n",
    "🇷🇺🇬🇧",
    "\ud800",
    "\udc00",
)
SAY = (messages("en"), messages("ru"))


class Author:
    """Writes books and answers of any characters; the same seed writes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def text(self, longest: int) -> str:
        """Of one alphabet or some, with scraps of what means something to somebody; often short, seldom long."""
        wanted = int(longest ** self._random.random())
        alphabets = self._random.choices(LETTERS, k=self._random.randint(1, 3))
        written: list[str] = []
        while sum(map(len, written)) < wanted:
            if self._random.random() < 0.1:
                written.append(self._random.choice(SCRAPS))
            else:
                written.append(
                    "".join(self._random.choices(self._random.choice(alphabets), k=self._random.randint(1, 30)))
                )
            if self._random.random() < 0.6:
                written.append(self._random.choice((" ", " ", " ", ". ", ", ", "\n")))
        return "".join(written)[:longest]

    def many(self, most: int, longest: int) -> tuple[str, ...]:
        return tuple(self.text(longest) for _ in range(self._random.randint(0, most)))

    def book(self) -> Book:
        return Book(
            id=f"{self._random.getrandbits(64):016x}",
            path=Path("book.epub"),
            title=self.text(300),
            authors=self.many(3, 80),
            language="en",
            year=None,
            format="epub",
            size=1,
            modified_ns=0,
            passages=self._random.choice((1, 2, 40, 99_999)),
            characters=1,
        )

    def passage(self, book: Book) -> Passage:
        text = self.text(2_000) or "x"
        pages = ((0, self._random.randint(1, 99_999)),) if self._random.random() < 0.4 else ()
        return Passage(
            id=passage_id(book.id, self._random.randint(0, book.passages - 1)),
            book_id=book.id,
            section=0,
            chapter=self.many(4, 200),
            start=0,
            end=len(text),
            text=text,
            position=self._random.random(),
            pages=pages,
        )

    def span(self, text: str, longest: int) -> tuple[int, int]:
        start = self._random.randrange(len(text))
        return start, min(len(text), start + self._random.randint(1, longest))

    def citation(self, number: int) -> Citation:
        book = self.book()
        passage = self.passage(book)
        return Citation(number, passage, book, *self.span(passage.text, 1_300))

    def hit(self, rank: int) -> Hit:
        book = self.book()
        passage = self.passage(book)
        matches = sorted(self.span(passage.text, 12) for _ in range(self._random.randint(0, 6)))
        apart = [match for match, after in itertools.pairwise(matches) if match[1] <= after[0]]
        return Hit(rank, 1.0, 0.5, passage, book, tuple(apart))

    def answer(self) -> Answer:
        """Of a model, of quotations, with words of the writer's own, or none."""
        found = self._random.random() < 0.8
        citations = tuple(self.citation(number) for number in range(1, self._random.randint(2, 9))) if found else ()
        own_words = self.many(2, 200) if self._random.random() < 0.2 else ()
        text = self._said(citations, own_words) if found else ""
        return Answer(
            question=self.text(4_096),
            found=found,
            text=text,
            writer="any",
            citations=citations,
            closest=() if found else tuple(self.hit(rank) for rank in range(1, self._random.randint(1, 4))),
            generation=self._random.randint(1, 10**6),
            seconds=0.0,
            own_words=own_words,
            notices=self._notices(),
            next_questions=tuple(f"{text} why?" for text in self.many(3, 120)) if found else (),
        )

    def _said(self, citations: Sequence[Citation], own_words: Sequence[str]) -> str:
        quoting = self._random.random() < 0.4
        sentences = [f"{citation.quote if quoting else self.text(600)} [{citation.number}]" for citation in citations]
        between = self._random.choice((" ", "\n", "\n\n"))
        return between.join([*sentences, *(f"{words} {OWN_WORDS}" for words in own_words)])

    def _notices(self) -> tuple[Notice, ...]:
        keys = self._random.sample(("writer_unavailable", "search_by_words", "cache_unavailable", "vectors_unused"), 2)
        because: tuple[tuple[str, dict[str, str | int | float]] | None, ...] = (
            None,
            ("budget_spent", {}),
            ("service_down", {"service": "x", "reason": "y"}),
        )
        chosen = self._random.choice(because)
        return tuple(Notice(key, because=chosen) for key in keys) if self._random.random() < 0.5 else ()

    def one_of_two(self) -> int:
        return self._random.randrange(2)


class Inspector:
    """Looks at what is made of answers, and counts it."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def answer(self, author: Author) -> None:
        """One answer, with all that its buttons may show."""
        say, result = SAY[author.one_of_two()], author.answer()
        self.seen["answers"] += 1
        said = self.page(rendering.answer(say, result))
        for citation in result.citations:
            self.quotation(citation.quote, said)
        kept = Kept.of_answer(LARGEST_ID, result)
        self.buttons(rendering.answer_buttons(kept, LARGEST_ID, "-_-_-_-_", vote=True))
        for citation in result.citations[:1]:
            self.page(rendering.inline_result(say, citation))
            self.passage(author, citation)
        if result.closest:
            search = SearchResult("q", 1, "lexical", result.closest, corrections=((author.text(40), author.text(40)),))
            self.page(rendering.search(say, search))
        self.page(rendering.books(say, [citation.book for citation in result.citations], 0))

    def passage(self, author: Author, citation: Citation) -> None:
        say = SAY[author.one_of_two()]
        found = Excerpt(citation.book, (), citation.passage, ())
        said = self.page(rendering.passage(say, found, (citation.start, citation.end)))
        self.quotation(citation.passage.text, said)
        at = callbacks.GoTo(owner=LARGEST_ID, key="-_-_-_-_", number=99, step=-99_999)
        self.buttons(rendering.passage_buttons(say, found, at))
        self.buttons(rendering.passage_buttons(say, found, at.model_copy(update={"step": 0})))

    def page(self, page: Page) -> list[str]:
        """The messages of a page, each as Telegram takes it; what they say, `folded`."""
        made = parts(page)
        for part in made:
            self.seen["messages"] += 1
            assert 0 < units(part.text) <= LONGEST_MESSAGE
            taken = checked_message(part.text, [entity.model_dump(exclude_none=True) for entity in part.entities])
            assert taken.text == part.text, "nothing is trimmed, so no entity moves"
            links = [link for link in taken.links if link.text != "/books"]
            assert links == [], [taken.text[max(0, link.start - 20) :][:80] for link in links]
        if made and (whole := rich(page)):
            self.seen["rich messages"] += 1
            assert checked_rich(whole.model_dump(exclude_none=True)).links == ()
        return [folded(part.text) for part in made]

    def quotation(self, quote: str, said: Sequence[str]) -> None:
        """It stands whole in one of the messages."""
        wanted = folded(quote)
        if wanted and units(printable(quote)) < LONGEST_MESSAGE:
            self.seen["quotations"] += 1
            assert any(wanted in text for text in said), quote

    def buttons(self, keyboard: InlineKeyboardMarkup | None) -> None:
        if keyboard:
            self.seen["keyboards"] += 1
            assert checked_markup(keyboard.model_dump(exclude_none=True))


def folded(text: str) -> str:
    return fold_with_offsets(printable(text).replace(JOINER, ""))[0].strip()


@pytest.mark.parametrize("seed", range(3))
def test_telegram_takes_what_is_made_of_any_answer(seed: int) -> None:
    author, inspector = Author(seed), Inspector()
    for _ in range(IN_THE_SUITE // 3):
        inspector.answer(author)
    assert inspector.seen["answers"] == IN_THE_SUITE // 3
    assert min(inspector.seen[what] for what in ("messages", "rich messages", "quotations", "keyboards")) > 25


def test_every_button_has_room_for_the_largest_numbers() -> None:
    person, key = LARGEST_ID, "-_-_-_-_"
    for data in (
        callbacks.OpenSource(owner=person, key=key, number=999),
        callbacks.GoTo(owner=person, key=key, number=999, step=-9_999_999),
        callbacks.ShowPage(owner=person, key=key, number=999),
        callbacks.AskNext(owner=person, key=key, number=999),
        callbacks.Vote(owner=person, key=key, good=False),
        callbacks.TurnBooks(page=10**9),
        callbacks.Speak(language="en"),
        callbacks.Forget(),
        callbacks.RollBack(active=10**9),
        callbacks.Remove(book="f" * 16),
        callbacks.Dismiss(user=person),
        callbacks.Cancel(),
    ):
        assert len(data.pack().encode()) <= 64
        assert type(data).unpack(data.pack()) == data


def test_an_answer_made_of_quotations_does_not_say_them_twice() -> None:
    citation = Author(1).citation(1)
    passage = replace(citation.passage, text="He was going blind. Nobody knew.")
    citation = replace(citation, passage=passage, start=0, end=19)
    result = replace(Author(1).answer(), found=True, citations=(citation,), own_words=(), closest=(), notices=())
    quoted = "".join(
        part.text for part in parts(rendering.answer(SAY[0], replace(result, text="He was going blind. [1]")))
    )
    assert quoted.count("He was going blind.") == 1
    told = parts(rendering.answer(SAY[0], replace(result, text="His eyes failed. [1]")))
    assert "His eyes failed. [1]\n\nHe was going blind.\n[1] " in told[0].text


def main(count: int) -> None:
    author, inspector, began = Author(count), Inspector(), time.monotonic()
    for _ in range(count):
        inspector.answer(author)
    for what, number in inspector.seen.items():
        sys.stdout.write(f"{what}: {number:,}\n")
    sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else IN_THE_SUITE)
