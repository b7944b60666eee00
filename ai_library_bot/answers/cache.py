"""Keeping what a writer proposed, so that the same question to the same books is not paid for twice.

Kept is a draft and never a citation: whoever gets it back verifies its quotations against the index again, so nothing
that somebody wrote into the cache can reach a reader as a quotation.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from pydantic import TypeAdapter, ValidationError

from ai_library_bot.text import fold
from ai_library_bot.types import Draft, Statement

SECONDS_KEPT = 7 * 24 * 3600
"""An entry lives for a week. It cannot be wrong about the books, for their version is part of its key, but those of an
old version are never asked for again, and a reader unhappy with an answer should not meet it for ever."""

LARGEST = 64 * 1024
"""Bytes of a value; a draft has a few thousand. Larger ones are neither kept nor believed."""


def key(generation: str, question: str, filters: Mapping[str, Sequence[str]], writer: str, language: str) -> str:
    """The key of an answer: the same for all ways to type a question, another one when anything else differs.

    `generation` is the hash that seals its manifest, not its number: several indexes may share one Redis. `writer`
    names all that shapes a draft besides: the model and the version of its instructions.
    """
    chosen = {name: sorted({_evened(value) for value in values}) for name, values in filters.items() if values}
    parts = [generation, _evened(question), chosen, writer, language]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def to_remember(draft: Draft) -> bytes:
    """The draft as a cache keeps it, without its usage: it costs nothing the second time."""
    return json.dumps(asdict(_Kept(draft.statements, draft.next_questions))).encode()


def remembered(value: bytes | None) -> Draft | None:
    """The draft that was kept; None for nothing and for anything that is no draft."""
    if value is None:
        return None
    try:
        kept = _kept().validate_json(value, strict=True)
    except ValidationError:
        return None
    if isinstance(kept, tuple):
        return Draft(kept)
    return Draft(kept.statements, next_questions=kept.next_questions)


class MemoryCache:
    """Answers in this process. With more than `entries` of them it forgets those that were used longest ago."""

    trouble = None
    """It has none, unlike `RedisCache.trouble`."""

    def __init__(self, *, entries: int = 1000, seconds: float = SECONDS_KEPT) -> None:
        self._entries, self._seconds = entries, seconds
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        until, value = self._kept.get(key, (0.0, b""))
        if until <= time.monotonic():
            self._kept.pop(key, None)
            return None
        self._kept.move_to_end(key)
        return value

    async def put(self, key: str, value: bytes) -> None:
        if len(value) > LARGEST:
            return
        self._kept[key] = (time.monotonic() + self._seconds, value)
        self._kept.move_to_end(key)
        if len(self._kept) > self._entries:
            self._kept.popitem(last=False)

    async def close(self) -> None:
        self._kept.clear()


def _evened(text: str) -> str:
    return " ".join(fold(text).split())


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of a draft. Before there were next questions the statements alone were."""

    statements: tuple[Statement, ...]
    next_questions: tuple[str, ...] = ()


@cache
def _kept() -> TypeAdapter[_Kept | tuple[Statement, ...]]:
    return TypeAdapter(_Kept | tuple[Statement, ...])
