"""What the bot remembers of its talks: the last turns, the answers behind its buttons, and what people thought of them.

    person/<id>/talk/<chat>              the turns of a conversation, kept for a day
    person/<id>/answer/<key>             an answer to a question of that person, kept for thirty days
    person/<id>/vote/<key>/<voter>       a vote on it, with question and generation
    vote/<key>/<voter>                   the same as one number: how good the answers are, for the owner of the bot

Whatever a person wrote lies under `person/<id>/`, so that it can be erased at once.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from hashlib import sha256

from pydantic import BaseModel, ValidationError

from ai_library_bot.bot.store import Store
from ai_library_bot.types import Answer, Hit, Passage, SearchResult, Turn

_DAY = 24 * 3600.0  # seconds
_TURNS = 10
_SEAL = 12  # hexadecimal digits
_LONGEST = 4_000  # characters of a question or an answer that are remembered


class Source(BaseModel):
    """A place in a book: the characters `start` to `end` of a passage; `seal` tells whether it still says the same."""

    passage: str
    start: int
    end: int
    seal: str

    @classmethod
    def of(cls, passage: Passage, start: int, end: int) -> Source:
        """That place in the passage."""
        return cls(passage=passage.id, start=start, end=end, seal=_seal(passage.text))

    def stands_in(self, passage: Passage) -> bool:
        """Whether the passage says what it said then; after an `ingest` with other settings its number may lie."""
        return self.seal == _seal(passage.text)


class Kept(BaseModel):
    """An answer, or what was found, as far as its buttons need it."""

    chat: int
    question: str
    generation: int
    sources: list[Source]
    next_questions: list[str] = []

    @classmethod
    def of_answer(cls, chat: int, answer: Answer) -> Kept:
        """What to keep of an answer: its citations, or the closest passages where nothing was found."""
        cited = [Source.of(one.passage, one.start, one.end) for one in answer.citations]
        return cls(
            chat=chat,
            question=answer.question[:_LONGEST],
            generation=answer.generation,
            sources=cited or [_first_words(hit) for hit in answer.closest],
            next_questions=list(answer.next_questions),
        )

    @classmethod
    def of_search(cls, chat: int, found: SearchResult) -> Kept:
        """What to keep of a search."""
        sources = [_first_words(hit) for hit in found]
        return cls(chat=chat, question=found.query[:_LONGEST], generation=found.generation, sources=sources)


class Talks:
    """The memory of all conversations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def turns(self, chat: int, user: int) -> tuple[Turn, ...]:
        """The last turns of a person's conversation in a chat, oldest first."""
        told = await self._store.get(_talk(chat, user))
        return tuple(Turn(question, answer) for question, answer in json.loads(told)) if told else ()

    async def remember(self, chat: int, user: int, turn: Turn) -> None:
        """Adds a turn."""
        added = [turn.question[:_LONGEST], turn.answer[:_LONGEST]]

        def longer(told: bytes | None) -> bytes:
            return json.dumps([*(json.loads(told) if told else []), added][-_TURNS:], ensure_ascii=False).encode()

        await self._store.change(_talk(chat, user), longer, seconds=_DAY)

    async def begin_anew(self, chat: int, user: int) -> None:
        """Forgets the turns."""
        await self._store.erase(_talk(chat, user))

    async def keep(self, user: int, kept: Kept) -> str:
        """Keeps an answer to a person; returns its key."""
        key = secrets.token_urlsafe(6)
        await self._store.put(_answer(user, key), kept.model_dump_json().encode(), seconds=30 * _DAY)
        return key

    async def kept(self, user: int, key: str, chat: int) -> Kept | None:
        """The answer to that person in that chat; None if it is not kept any more, or never was."""
        told = await self._store.get(_answer(user, key))
        try:
            kept = Kept.model_validate_json(told) if told else None
        except ValidationError:
            return None
        return kept if kept and kept.chat == chat else None

    async def vote(self, voter: int, owner: int, key: str, kept: Kept, *, good: bool) -> None:
        """What `voter` thinks of an answer to `owner`; a later vote takes the place of an earlier one."""
        written = {"question": kept.question, "generation": kept.generation, "good": good}
        await asyncio.gather(
            self._store.put(f"person/{owner}/vote/{key}/{voter}", json.dumps(written, ensure_ascii=False).encode()),
            self._store.put(f"vote/{key}/{voter}", b"1" if good else b"0"),
        )

    async def votes(self) -> tuple[int, int]:
        """How many votes were good, and how many were not."""
        votes = [value for _, value in await self._store.items("vote/")]
        return votes.count(b"1"), votes.count(b"0")


def _talk(chat: int, user: int) -> str:
    return f"person/{user}/talk/{chat}"


def _answer(user: int, key: str) -> str:
    return f"person/{user}/answer/{key}"


def _first_words(hit: Hit) -> Source:
    start, end = hit.matches[0] if hit.matches else (0, 0)
    return Source.of(hit.passage, start, end)


def _seal(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_SEAL]
