"""An index of the sample books, made once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiogram.client.session.aiohttp import AiohttpSession

from ai_library_bot.bot import access, inbox, live, outgoing, polling, serve, sqlite_store
from ai_library_bot.library import Library
from ai_library_bot.settings import Settings
from tests.bot.client import QuickSession
from tests.bot.running import BOOKS, with_sample_books
from tests.bot.talking import Done
from tests.bot.telegram_server import TelegramServer


@pytest.fixture(scope="session")
def sample_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an index of the sample books; nobody may write into it."""
    index = tmp_path_factory.mktemp("samples") / "index"

    async def ingest() -> None:
        async with Library.open(Settings(faiss_path=index, books_path=BOOKS)) as library:
            await library.ingest()

    asyncio.run(ingest())
    return index


@pytest.fixture
def shelf(sample_index: Path, tmp_path: Path) -> Path:
    """A folder of one's own with `books` and `index`."""
    return with_sample_books(tmp_path, sample_index)


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer() as server:
        yield server


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot that waits for nothing: not between messages, not between tries, not for the disk."""
    quick: dict[ModuleType, dict[str, Any]] = {
        outgoing: {"_PER_CHAT": (1000, 1.0), "_PER_GROUP": (1000, 1.0), "_IN_ALL": (1000, 1.0), "_FIRST_WAIT": 0.02},
        polling: {"_FIRST_PAUSE": 0.02, "_LONGEST_PAUSE": 0.1},
        access: {"_FLOOD": (10_000, 10.0)},
        serve: {"STOP_SECONDS": 1.0},
        sqlite_store: {"_RULES": sqlite_store._RULES.replace("synchronous = full", "synchronous = off")},
    }
    for module, changes in quick.items():
        for name, value in changes.items():
            monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(AiohttpSession, "close", QuickSession.close)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot that shows no "looking…" where the machine is busy: the first that it says is what it found."""
    monkeypatch.setattr(live, "_AT_FIRST", 60.0)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot that shows what it has so far almost at once, and often."""
    for name in ("_AT_FIRST", "_DRAFT_EVERY", "_EDIT_EVERY"):
        monkeypatch.setattr(live, name, 0.05)


@pytest.fixture
def done(telegram: TelegramServer) -> Iterator[Done]:
    """Knows when the bot is done with everything."""
    log, listener = logging.getLogger(inbox.__name__), Done(telegram)
    level = log.level
    log.addHandler(listener)
    log.setLevel(logging.INFO)
    yield listener
    log.setLevel(level)
    log.removeHandler(listener)
