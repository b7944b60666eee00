"""The writer with a model: it is shown passages, and answers in sentences that each name their quotations."""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any

import jiter
from pydantic import BaseModel, BeforeValidator, ValidationError

from ai_library_bot.answers.next_questions import MOST
from ai_library_bot.answers.prompts import LIBRARIAN, prompt
from ai_library_bot.errors import Detail, Unavailable
from ai_library_bot.openai_api.chat import Chat, InvalidOutput, Message
from ai_library_bot.openai_api.tries import Passing, in_tries
from ai_library_bot.text import guess_language, one_line, shortened
from ai_library_bot.types import Claim, Draft, Fault, Hit, SearchResult, Statement, Usage

_MOST_SENTENCES = 30
_MOST_QUOTES = 6
_LONGEST_SUGGESTION = 1_000  # characters of a next question, with all the markup it may come in
_LONGEST_ECHO = 200  # characters of a false quotation that the model is shown again
_LONGEST_REPLY = 6_000  # characters of its own reply that it is shown again
_BEGINS = re.compile(r'\{\s*"(?:found|sentences)"')
_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_QUOTED = re.compile('[«“"][^»”"]*[»”"]')

_REASONS = {
    "not_in_book": "stands in no passage word for word; copy it exactly, leave nothing out and join nothing",
    "too_short": "is too short to support a sentence; quote at least four words in a row, with those around them",
    "unknown_passage": "names a passage that was not shown",
    "unchecked_quote": "stands in quotation marks in a sentence, but in no passage; copy it exactly or leave them out",
    "foreign_text": "holds an address, markup or something else that does not belong into an answer; say it plainly",
}
_NO_QUOTES = "No sentence has a quotation. Each must rest on at least one, copied exactly from a passage."
_OTHER_LANGUAGE = (
    "The answer is not in the language of the question. Write the sentences in the language of the question."
)


class Quotation(BaseModel):
    """A quotation, and the number under which its passage was shown."""

    passage: int
    quote: str


class Sentence(BaseModel):
    """A sentence of an answer and what it rests on."""

    text: str
    quotes: list[Quotation] = []


def _texts(value: object) -> list[str]:
    """The texts in a list of whatever; an answer is not worse for what a model makes of the questions behind it."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


class Reply(BaseModel):
    """The form of a model's answer."""

    found: bool
    sentences: list[Sentence] = []
    next_questions: Annotated[list[str], BeforeValidator(_texts)] = []


class NoDraft(Unavailable):
    """The model gave nothing that can be used. `usage` is what that cost."""

    def __init__(self, usage: Usage, key: str, **details: Detail) -> None:
        super().__init__(key, **details)
        self.usage = usage


class ModelWriter:
    """Lets a chat model write, in at most five tries and `seconds` in all."""

    def __init__(self, chat: Chat, *, seconds: float) -> None:
        self._chat = chat
        self._seconds = seconds

    @property
    def name(self) -> str:
        return self._chat.name

    async def write(
        self, found: SearchResult, check: Callable[[Draft], Sequence[Fault]], on_draft: Callable[[Draft], None]
    ) -> Draft:
        """The model's draft. Output in a wrong form goes back to the model, what `check` finds wrong goes back once.

        Of two drafts the one with more true sentences is returned. Raises NoDraft if there is none in the right form.
        """
        work = _Work(self._chat, found, check, on_draft)
        try:
            await in_tries(work.try_once, seconds=self._seconds)
        except _Unsatisfied:
            pass  # no time is left to mend the draft
        except InvalidOutput:
            if not work.sound:
                raise NoDraft(work.usage, "model_keeps_no_form", model=self.name) from None
        except Unavailable as fault:
            if not work.sound:
                raise NoDraft(work.usage, fault.key, **fault.details) from fault
        return replace(work.best, usage=work.usage)


class _Unsatisfied(Passing):
    """A draft that goes back to the model at once."""

    wait_seconds = 0


class _Work:
    """One answer in the making: the best draft so far, how many of its sentences hold, and what it all cost."""

    def __init__(
        self,
        chat: Chat,
        found: SearchResult,
        check: Callable[[Draft], Sequence[Fault]],
        on_draft: Callable[[Draft], None],
    ) -> None:
        self.best = Draft(())
        self.sound = 0
        self.usage = Usage()
        self._chat = chat
        self._check = check
        self._on_draft = on_draft
        self._question = found.query
        self._marker = secrets.token_hex(8)  # no passage can know it, so none can end its own quotation
        self._ids = {number: hit.passage.id for number, hit in enumerate(found, 1)}
        self._asked = [
            Message("system", string.Template(prompt(LIBRARIAN)).substitute(marker=self._marker)),
            Message("user", f"{_shown(found, self._marker)}\n\nQuestion: {one_line(found.query)}"),
        ]
        self._sent_back: list[Message] = []
        self._complained = False
        self._begun = 1

    async def try_once(self, seconds: float) -> None:
        """Asks the model once. Raises what makes another try worth it."""
        self._begun = 1
        try:
            completion = await self._chat.complete(
                [*self._asked, *self._sent_back], Reply, seconds=seconds, on_text=self._grow
            )
        except InvalidOutput as invalid:
            self.usage += invalid.usage
            self._keep(self._draft(_whole_sentences(invalid.text)))
            if self.sound and self._complained:
                return  # it breaks off again: what there is will do
            self._complained = bool(self.sound)
            self._send_back(invalid.text, f"This is not the JSON object that was asked for: {invalid.problem}")
            raise
        self.usage += completion.usage
        reply = completion.parsed
        draft = replace(
            self._draft(reply.sentences if reply.found else []), next_questions=self._suggested(reply.next_questions)
        )
        self._keep(draft)
        complaints = self._complaints(draft)
        if complaints and not self._complained:
            self._complained = True
            self._send_back(reply.model_dump_json(exclude_unset=True), "\n".join(complaints))
            raise _Unsatisfied

    def _keep(self, draft: Draft) -> None:
        """Makes the draft the best one, unless that has more sentences that hold."""
        sound = sum(bool(one.claims) and not self._check(Draft((one,))) for one in draft.statements)
        if sound >= self.sound:
            self.best, self.sound = draft, sound

    def _complaints(self, draft: Draft) -> list[str]:
        faults = dict.fromkeys(self._check(draft))
        complaints = [
            f"- {json.dumps(shortened(fault.text, _LONGEST_ECHO), ensure_ascii=False)} {_REASONS[fault.reason]}."
            for fault in faults
        ]
        if draft.statements and not any(statement.claims for statement in draft.statements):
            complaints.append(_NO_QUOTES)
        if _other_language(self._question, " ".join(statement.text for statement in draft.statements)):
            complaints.append(_OTHER_LANGUAGE)
        return complaints

    def _send_back(self, reply: str, complaint: str) -> None:
        again = "Write the whole answer anew, or leave out the sentence that you can't mend."
        self._sent_back = [
            Message("assistant", reply[:_LONGEST_REPLY]),
            Message("user", f"{complaint}\n{again}"),
        ]

    def _grow(self, text: str) -> None:
        begun = text.count('"text"')
        if self._begun < begun <= _MOST_SENTENCES:  # a sentence begins, so the one before it may be whole
            self._begun = begun
            if whole := _whole_sentences(text):
                self._on_draft(self._draft(whole))

    def _draft(self, sentences: Iterable[Sentence]) -> Draft:
        by_text = {sentence.text: sentence for sentence in sentences if not self._tells_marker(sentence.text)}
        return Draft(
            tuple(
                Statement(
                    sentence.text,
                    tuple(
                        Claim(self._ids.get(quote.passage, ""), quote.quote) for quote in sentence.quotes[:_MOST_QUOTES]
                    ),
                )
                for sentence in list(by_text.values())[:_MOST_SENTENCES]
            )
        )

    def _suggested(self, questions: Iterable[str]) -> tuple[str, ...]:
        """Those of the questions that may be looked at; see `answers.next_questions` for what may be shown."""
        return tuple(
            question
            for question in questions
            if len(question) <= _LONGEST_SUGGESTION
            and not self._tells_marker(question)
            and not _other_language(self._question, question)
        )[:MOST]

    def _tells_marker(self, text: str) -> bool:
        return self._marker in _letters(text)


def _shown(found: SearchResult, marker: str) -> str:
    """The passages between lines that only this request knows."""
    return "\n".join(
        f"{marker} passage {number}\n{_source(hit)}\n\n{hit.passage.text}\n{marker} end of passage {number}"
        for number, hit in enumerate(found, 1)
    )


def _source(hit: Hit) -> str:
    return " · ".join([*hit.book.authors, hit.book.title, *hit.passage.chapter])


def _whole_sentences(text: str) -> list[Sentence]:
    """The sentences that are complete in a reply that is still growing, or was cut off: all but the last begun."""
    begins = _BEGINS.search(text)
    if begins is None:
        return []
    try:
        reply: Any = jiter.from_json(text[begins.start() :].encode("utf-8", "replace"), partial_mode="on")
        if not isinstance(reply, dict) or reply.get("found") is not True:
            return []
        return [Sentence.model_validate(sentence) for sentence in list(reply.get("sentences", []))[:-1]]
    except (ValueError, TypeError, ValidationError):  # no JSON, or another form: there is nothing to show
        return []


def _other_language(question: str, answer: str) -> bool:
    """Whether an answer is certainly in another language than its question; titles in the question tell nothing."""
    question = _QUOTED.sub("", question)
    asked, answered = guess_language(question), guess_language(answer)
    if asked and answered:
        return asked != answered
    return bool(answer) and bool(_CYRILLIC.search(question)) != bool(_CYRILLIC.search(answer))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()
