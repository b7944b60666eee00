"""An index of the sample books, made once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_library_bot.library import Library
from ai_library_bot.settings import Settings
from tests.bot.running import BOOKS, with_sample_books
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
