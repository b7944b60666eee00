"""What `library doctor` looks at: whether the program can do its work here, and what to mend if not."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ai_library_bot.errors import LibraryError
from ai_library_bot.readers import sandbox
from ai_library_bot.scan import scan
from ai_library_bot.types import Check
from ai_library_bot.usage import UsageLedger, total

if TYPE_CHECKING:
    from ai_library_bot.index.generations import Generations
    from ai_library_bot.index.manifest import Published
    from ai_library_bot.openai_api.service import Service
    from ai_library_bot.protocols import AnswerCache, Embedder

_PATIENCE = 5  # seconds for a service or a model to answer
_MONTH = 30  # days
_SHOWN = 5  # names of models


async def checks(
    books: Path,
    generations: Generations,
    *,
    service: Service | None,
    has_key: bool,
    chat_model: str | None,
    embedder: Embedder | None,
    redis: AnswerCache | None,
    ledger: UsageLedger,
    has_token: bool,
    may_ask: int | None,
) -> tuple[Check, ...]:
    """One check after another: the program, the books, the index, the models, the cache, the bot, the money.

    `service` is asked for its models, which is free, and `embedder` for one vector; each has a few seconds.
    `chat_model` is None where no model is to write; `may_ask` is how many people are named to the bot, None for all.
    """
    asked = await asyncio.gather(_chat(service, chat_model, has_key), _embedder(embedder), _redis(redis))
    here = await asyncio.to_thread(lambda: [*_here(books, generations), *_vectors(generations, embedder)])
    return (*here, *(check for found in asked for check in found), _bot(has_token, may_ask), *_spent(ledger))


def _here(books: Path, generations: Generations) -> Iterator[Check]:
    yield Check("program", True, {"version": version("ai-library-bot"), "python": platform.python_version()})
    yield _books(books)
    yield from _readers()
    yield from _index(generations)
    yield _writable(generations.folder)


def _books(folder: Path) -> Check:
    try:
        found = scan([folder]).found
    except LibraryError:
        return Check("no_books", None, {"folder": str(folder)})
    return Check("books", True, {"folder": str(folder), "count": len(found)})


def _readers() -> Iterator[Check]:
    """What the system takes from the processes that read books, so that a hostile one can do little harm."""
    missing = set(sandbox.PROTECTIONS) - sandbox.holding()
    if not missing:
        yield Check("readers_confined", True)
    for protection in sorted(missing):
        yield Check(f"reader.{protection}", None)


def _index(generations: Generations) -> Iterator[Check]:
    try:
        current = generations.current()
    except LibraryError as error:
        yield Check(error.key, None if error.key == "no_index" else False, error.details)
        return
    yield Check("index", True, {"generation": current.number, "count": current.books})
    for number in current.damaged:
        yield Check("damaged", False, {"damaged": number, "served": current.number})


def _writable(folder: Path) -> Check:
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    writable = os.access(nearest, os.W_OK)
    return Check("writable" if writable else "not_writable", writable, {"folder": str(folder)})


def _vectors(generations: Generations, embedder: Embedder | None) -> Iterator[Check]:
    """Whether the index can be searched by meaning, with the model that is set up now."""
    try:
        current = generations.current()
    except LibraryError:
        return  # told already
    if embedder is None:
        if current.embedder is not None:
            yield Check("vectors_unused", None, {"made_with": current.embedder})
    elif current.embedder is None:
        yield Check("no_vectors", None)
    else:
        yield _vectors_of(current, current.embedder, embedder)


def _vectors_of(current: Published, made_with: str, embedder: Embedder) -> Check:
    from ai_library_bot.embedding import fingerprint
    from ai_library_bot.index import shards

    try:
        if made_with != (asked_for := fingerprint(embedder)):
            return Check("embedder_changed", False, {"made_with": made_with, "asked_for": asked_for})
        _, listed = shards.read(current.folder / shards.VECTORS)
    except LibraryError as error:
        return Check("vectors_failed", False, because=(error.key, error.details))
    found = sum(shard.live for shard in listed)
    if missing := current.passages - found:
        return Check("vectors_missing", False, {"count": missing})
    return Check("vectors", True, {"count": found})


async def _chat(service: Service | None, model: str | None, has_key: bool) -> list[Check]:
    """The model that writes answers, as far as the service's list of models tells."""
    if service is None:
        return [Check("no_service", None)]
    key = Check("key", True, {"service": service.name}) if has_key else Check("no_key", None, {"service": service.name})
    if model is None:
        return [key, Check("no_chat_model", None)]
    from ai_library_bot.openai_api.models import models

    try:
        known = await models(service, seconds=_PATIENCE)
    except LibraryError as error:
        return [key, Check("chat_failed", False, because=(error.key, error.details))]
    told: dict[str, str | int | float] = {"model": model, "service": service.name}
    if not known:
        return [key, Check("chat_model_not_checked", None, told)]
    if not {model, f"{model}:latest"}.isdisjoint(known):  # Ollama's name of a model that is given without a version
        return [key, Check("chat_model", True, told)]
    near = get_close_matches(model, known, _SHOWN) or sorted(known)[:_SHOWN]
    return [key, Check("chat_model_unknown", False, told | {"known": ", ".join(near)})]


async def _embedder(embedder: Embedder | None) -> list[Check]:
    """Whether the embedding model answers: the one thing that proves it is there and may be used."""
    if embedder is None:
        return []
    began = time.monotonic()
    try:
        model = embedder.fingerprint
        async with asyncio.timeout(_PATIENCE):
            await embedder.embed_question("library")
    except TimeoutError:
        return [Check("embedder_slow", False, {"model": model, "seconds": _PATIENCE})]
    except LibraryError as error:
        return [Check("embedder_failed", False, because=(error.key, error.details))]
    return [Check("embedder", True, {"model": model, "milliseconds": round((time.monotonic() - began) * 1000)})]


async def _redis(cache: AnswerCache | None) -> list[Check]:
    if cache is None:
        return []
    await cache.get("")
    await cache.close()
    return [Check("redis_failed", False, because=cache.trouble) if cache.trouble else Check("redis", True)]


def _bot(has_token: bool, may_ask: int | None) -> Check:
    """Whether the bot is set up; whether Telegram knows its token is seen when it starts."""
    if not has_token:
        return Check("no_bot", None)
    if may_ask is None:
        return Check("bot_public", True)
    return Check("bot", True, {"count": may_ask}) if may_ask else Check("bot_closed", False)


def _spent(ledger: UsageLedger) -> Iterator[Check]:
    """What models were paid for today and in a month; nothing where no model was asked."""
    for days, key, key_without_price in ((1, "spent_today", "used_today"), (_MONTH, "spent_month", "used_month")):
        usage = total(ledger.per_day(days))
        tokens = usage.prompt_tokens + usage.completion_tokens
        if usage.cost is not None:
            yield Check(key, True, {"count": tokens, "cost": usage.cost})
        elif tokens:
            yield Check(key_without_price, True, {"count": tokens})
