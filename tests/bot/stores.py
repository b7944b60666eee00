"""The stores that the tests of the bot run over, each opened empty."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pydantic import SecretStr

from ai_library_bot.bot.redis_store import RedisStore
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.bot.store import Store
from tests import redis_server
from tests.redis_server import needs_redis

NOON = time.mktime((2026, 3, 14, 12, 0, 0, 0, 0, -1))
DAY = 24 * 3600
KINDS = ["sqlite", pytest.param("redis", marks=needs_redis)]
"""For `parametrize`; `places` takes each."""

Place = Callable[[], Store]
"""Opens the store at one place: twice gives two stores that see the same, one after the other (SQLite) or at once."""


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@contextmanager
def places(kind: str, clock: Clock) -> Iterator[Callable[[], Place]]:
    """Names places where nothing is kept yet."""
    with TemporaryDirectory() as folder:
        if kind == "sqlite":
            numbers = iter(range(1_000_000))

            def file() -> Place:
                path = Path(folder, f"{next(numbers)}.sqlite")
                return lambda: SqliteStore(path, clock=clock)

            yield file
        else:
            with redis_server.running(Path(folder), "--databases", "10000") as port:
                databases = iter(range(10_000))

                def database() -> Place:
                    url = SecretStr(f"redis://127.0.0.1:{port}/{next(databases)}")
                    return lambda: RedisStore(url, patience=30)  # on a busy machine

                yield database


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Store]:
    """A store, closed at the end of the block."""
    store = place()
    try:
        yield store
    finally:
        await store.close()
