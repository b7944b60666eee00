"""A writer that writes the same answer only once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ai_library_bot.answers import cache
from ai_library_bot.protocols import AnswerCache, AnswerWriter
from ai_library_bot.text import guess_language
from ai_library_bot.types import Draft, Fault, SearchResult


class RememberingWriter:
    """Lets `writer` write what the cache does not hold. A draft that no longer holds counts as forgotten.

    `generation` and `filters` are part of the key (see `answers.cache.key`); `circumstances` name what else shapes a
    draft besides the question and the writer. `on_look_up` hears whether the cache held a draft.
    """

    def __init__(
        self,
        writer: AnswerWriter,
        kept: AnswerCache,
        *,
        generation: str,
        filters: Mapping[str, Sequence[str]],
        circumstances: str,
        on_look_up: Callable[[bool], None],
    ) -> None:
        self._writer = writer
        self._kept = kept
        self._generation = generation
        self._filters = filters
        self._circumstances = circumstances
        self._on_look_up = on_look_up

    @property
    def name(self) -> str:
        return self._writer.name

    async def write(
        self, found: SearchResult, check: Callable[[Draft], Sequence[Fault]], on_draft: Callable[[Draft], None]
    ) -> Draft:
        key = cache.key(
            self._generation,
            found.query,
            self._filters,
            f"{self.name} {self._circumstances}",
            guess_language(found.query),
        )
        draft = cache.remembered(await self._kept.get(key))
        holds = draft is not None and not check(draft)
        self._on_look_up(holds)
        if draft is None or not holds:
            draft = await self._writer.write(found, check, on_draft)
            sound = replace(draft, statements=tuple(one for one in draft.statements if not check(Draft((one,)))))
            if sound.statements or not draft.statements:
                await self._kept.put(key, cache.to_remember(sound))
        return draft
