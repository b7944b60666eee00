"""A Redis that is asked with patience, and whose trouble is said in words. The only importer of redis."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from ai_library_bot.errors import BadSetting, Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis as Redis

_AT_ONCE = 32  # connections
_LONGEST_REASON = 200  # characters of what Redis says

Result = TypeVar("Result")


class RedisClient:
    """The Redis at `url`. Nothing is connected before the first use, and every wait ends after `patience` seconds."""

    def __init__(self, url: SecretStr, *, patience: float) -> None:
        self._url, self._patience = url, patience
        self._client: Redis | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, command: Callable[[Redis], Awaitable[Result]]) -> Result:
        """What the command returns.

        Raises Unavailable for any trouble with Redis; the command may have been carried out nevertheless. BadSetting
        where the program was installed without what it takes.
        """
        try:
            import redis.asyncio  # all of it now: loading takes longer than a Redis may
        except ImportError as error:
            raise BadSetting("extra_missing", setting="Redis") from error
        where = _where(self._url)
        try:
            return await self._in_time(command)
        except (TimeoutError, redis.exceptions.TimeoutError) as error:
            raise self.slow() from error
        except (redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise Unavailable("redis_password_refused", where=where) from error
        except (redis.exceptions.ConnectionError, OSError) as error:
            raise Unavailable("redis_down", where=where, reason=_reason(error)) from error
        except (redis.exceptions.RedisError, ValueError, TypeError) as error:  # the two: nonsense answered, or asked
            raise Unavailable("redis_failed", where=where, reason=_reason(error)) from error

    def slow(self) -> Unavailable:
        """The error of a Redis that does not answer in time."""
        return Unavailable("redis_slow", where=_where(self._url), seconds=self._patience)

    async def close(self) -> None:
        """Lets go of the connections; they are made anew where there is something to ask."""
        client, self._client = self._client, None
        if client and self._loop is asyncio.get_running_loop():
            with suppress(OSError):  # a TimeoutError is one
                await self._finished(client.aclose())

    async def _in_time(self, command: Callable[[Redis], Awaitable[Result]]) -> Result:
        async def in_turn() -> Result:
            client = self._connected()
            async with self._turns:
                return await command(client)

        return await self._finished(in_turn())

    async def _finished(self, work: Awaitable[Result]) -> Result:
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
            self._loop, self._turns = loop, asyncio.Semaphore(_AT_ONCE)
            self._client = Redis.from_url(
                self._url.get_secret_value(),
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                socket_timeout=self._patience,
                socket_connect_timeout=self._patience,
            )
        return self._client


def _where(url: SecretStr) -> str:
    """The address without user and password."""
    parts = urlsplit(url.get_secret_value())
    return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path


def _reason(error: Exception) -> str:
    cause = error.__context__
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        return os.strerror(cause.errno)  # what the client makes of it is long, and names its own address again
    return str(error)[:_LONGEST_REASON] or type(error).__name__
