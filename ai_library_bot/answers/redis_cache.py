"""Answers kept in a Redis, which several processes and computers may share.

    library:answers:1:00000 … 16383     <key>\\n<value>, each with its time to live

An answer has one place, chosen by its key; another answer that falls there replaces it. So the number of entries has
a bound without any bookkeeping, and each begins with its own key, so that none is taken for another. `1` is the
version of this format.

Redis makes things faster and nothing more: every wait is short, and whatever goes wrong means "not kept". It then is
left alone for a while, so that a dead one costs a question half a second once, not each time.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

from pydantic import SecretStr

from ai_library_bot.answers.cache import LARGEST, SECONDS_KEPT
from ai_library_bot.errors import LibraryError
from ai_library_bot.redis_client import RedisClient

if TYPE_CHECKING:
    from ai_library_bot.redis_client import Redis

_PREFIX = "library:answers:1:"
_PATIENCE = 0.5  # seconds for one command: a question has two, and may lose a second
_REST = 30.0  # seconds to leave a Redis alone that does not answer as it should

Trouble = tuple[str, dict[str, str | int | float]]
"""An error by its key and details, as `types.Notice` takes it."""

Result = TypeVar("Result")


class RedisCache:
    """Answers in the Redis at `url`, about `entries` at most. Nothing is connected before the first use."""

    def __init__(
        self,
        url: SecretStr,
        *,
        entries: int = 16_384,
        seconds: float = SECONDS_KEPT,
        patience: float = _PATIENCE,
        rest: float = _REST,
    ) -> None:
        self._redis = RedisClient(url, patience=patience)
        self._entries, self._seconds, self._rest = entries, seconds, rest
        self._alone_until = 0.0
        self.trouble: Trouble | None = None
        """What is wrong with Redis, while it is."""

    async def get(self, key: str) -> bytes | None:
        own = _own(key)
        most = len(own) + LARGEST
        kept = await self._try(lambda redis: redis.getrange(self._place(key), 0, most))
        if not isinstance(kept, bytes) or not kept.startswith(own) or len(kept) > most:
            return None
        return kept[len(own) :]

    async def put(self, key: str, value: bytes) -> None:
        if len(value) <= LARGEST:
            milliseconds = int(self._seconds * 1000)
            await self._try(lambda redis: redis.set(self._place(key), _own(key) + value, px=milliseconds))

    async def close(self) -> None:
        await self._redis.close()

    async def _try(self, command: Callable[[Redis], Awaitable[Result]]) -> Result | None:
        """What the command returns; None if there is any trouble with Redis."""
        if time.monotonic() < self._alone_until:
            return None
        try:
            result = await self._redis.ask(command)
        except LibraryError as error:
            self.trouble = (error.key, error.details)
            self._alone_until = time.monotonic() + self._rest
            return None
        self.trouble = None
        return result

    def _place(self, key: str) -> str:
        return f"{_PREFIX}{crc32(key.encode()) % self._entries:05}"


def _own(key: str) -> bytes:
    return key.encode() + b"\n"
