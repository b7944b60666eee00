"""Answers kept in a Redis, which several processes and computers may share. The only importer of redis.

    library:answers:1:00000 … 16383     <key>\\n<value>, each with its time to live

An answer has one place, chosen by its key; another answer that falls there replaces it. So the number of entries has
a bound without any bookkeeping, and each begins with its own key, so that none is taken for another. `1` is the
version of this format.

Redis makes things faster and nothing more: every wait is short, and whatever goes wrong means "not kept". It then is
left alone for a while, so that a dead one costs a question half a second once, not each time.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from zlib import crc32

from pydantic import SecretStr

from ai_library_bot.answers.cache import LARGEST, SECONDS_KEPT

if TYPE_CHECKING:
    from redis.asyncio import Redis

_PREFIX = "library:answers:1:"
_PATIENCE = 0.5  # seconds for one command: a question has two, and may lose a second
_REST = 30.0  # seconds to leave a Redis alone that does not answer as it should
_LONGEST_REASON = 200  # characters of what Redis says

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
        self._url, self._entries, self._seconds = url, entries, seconds
        self._patience, self._rest = patience, rest
        self._client: Redis | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
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
        client, self._client = self._client, None
        if client and self._loop is asyncio.get_running_loop():
            with suppress(OSError):  # a TimeoutError is one
                await self._in_time(client.aclose())

    async def _try(self, command: Callable[[Redis], Awaitable[Result]]) -> Result | None:
        """What the command returns; None if there is any trouble with Redis."""
        if time.monotonic() < self._alone_until:
            return None
        try:
            from redis import exceptions
        except ImportError:
            self.trouble = ("extra_missing", {"setting": "CACHE_BACKEND=redis"})
            return None
        where: dict[str, str | int | float] = {"where": _where(self._url)}
        try:
            result = await self._in_time(command(self._connected()))
        except (TimeoutError, exceptions.TimeoutError):
            self.trouble = ("redis_slow", where | {"seconds": self._patience})
        except (exceptions.AuthenticationError, exceptions.NoPermissionError):
            self.trouble = ("redis_password_refused", where)
        except (exceptions.ConnectionError, OSError) as error:
            self.trouble = ("redis_down", where | {"reason": _reason(error)})
        except (exceptions.RedisError, ValueError, TypeError) as error:  # the two of nonsense in answer or address
            self.trouble = ("redis_failed", where | {"reason": _reason(error)})
        else:
            self.trouble = None
            return result
        self._alone_until = time.monotonic() + self._rest
        return None

    async def _in_time(self, work: Awaitable[Result]) -> Result:
        """What the work returns; TimeoutError if it takes too long.

        It is a task of its own, because the client goes on waiting when it is cancelled while it handles an error.
        """
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody else may look
        try:
            done, _ = await asyncio.wait([task], timeout=self._patience)
        finally:
            task.cancel()
        if not done:
            raise TimeoutError
        return task.result()

    def _connected(self) -> Redis:
        """The client of the running event loop; one of an earlier loop could not be used any more."""
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._client = Redis.from_url(
                self._url.get_secret_value(),
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                socket_timeout=self._patience,
                socket_connect_timeout=self._patience,
            )
        return self._client

    def _place(self, key: str) -> str:
        return f"{_PREFIX}{crc32(key.encode()) % self._entries:05}"


def _own(key: str) -> bytes:
    return key.encode() + b"\n"


def _where(url: SecretStr) -> str:
    """The address without user and password."""
    parts = urlsplit(url.get_secret_value())
    return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path


def _reason(error: Exception) -> str:
    cause = error.__context__
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        return os.strerror(cause.errno)  # what the client makes of it is long, and names its own address again
    return str(error)[:_LONGEST_REASON] or type(error).__name__
