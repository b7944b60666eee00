"""What bots remember, in a Redis that several of them may share.

    library:bot:1:<key>     the value, with its time to live if it has one

`1` is the version of this format. Whoever may write into this Redis may also say who is a member: it has to be as well
guarded as the bot's token.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, cast
from weakref import WeakValueDictionary

from pydantic import SecretStr

from ai_library_bot.redis_client import RedisClient

if TYPE_CHECKING:
    from ai_library_bot.redis_client import Redis

_PREFIX = "library:bot:1:"
_PATIENCE = 3.0  # seconds for one call
_AT_ONCE = 500  # keys looked through, or named in one command

# Replaces the old value if it is still there. Each value has a mark in front: one that is not there is "-".
_EXCHANGE = """
local old = redis.call('GET', KEYS[1])
if (old and '+' .. old or '-') ~= ARGV[1] then return 0 end
if ARGV[2] == '-' then redis.call('DEL', KEYS[1])
elseif ARGV[3] == '' then redis.call('SET', KEYS[1], string.sub(ARGV[2], 2))
else redis.call('SET', KEYS[1], string.sub(ARGV[2], 2), 'PX', ARGV[3]) end
return 1
"""


class RedisStore:
    """What is remembered in the Redis at `url`; see `Store`."""

    def __init__(self, url: SecretStr, *, patience: float = _PATIENCE) -> None:
        self._redis = RedisClient(url, patience=patience)
        self._patience = patience
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, key: str) -> bytes | None:
        return cast("bytes | None", await self._redis.ask(lambda redis: redis.get(_PREFIX + key)))

    async def put(self, key: str, value: bytes, *, seconds: float | None = None) -> None:
        await self._redis.ask(lambda redis: redis.set(_PREFIX + key, value, px=_milliseconds(seconds)))

    async def add(self, key: str, value: bytes, *, seconds: float | None = None) -> bool:
        added = await self._redis.ask(lambda redis: redis.set(_PREFIX + key, value, px=_milliseconds(seconds), nx=True))
        return bool(added)

    async def change(
        self, key: str, change: Callable[[bytes | None], bytes | None], *, seconds: float | None = None
    ) -> bytes | None:
        lock = self._changing.setdefault(key, asyncio.Lock())  # in one process nobody has to try twice
        try:
            async with asyncio.timeout(self._patience), lock:
                while True:
                    old = await self.get(key)
                    new = change(old)
                    if await self._exchange(key, old, new, seconds):
                        return new
        except TimeoutError as error:
            raise self._redis.slow() from error

    async def _exchange(self, key: str, old: bytes | None, new: bytes | None, seconds: float | None) -> bool:
        """Puts the new value in place of the old one, unless somebody else was faster."""
        lifetime = "" if seconds is None else str(_milliseconds(seconds))
        arguments = (_PREFIX + key, _marked(old), _marked(new), lifetime)
        return bool(await self._redis.ask(lambda redis: redis.eval(_EXCHANGE, 1, *arguments)))

    async def remove(self, *keys: str) -> None:
        if keys:
            await self._redis.ask(lambda redis: redis.delete(*(_PREFIX + key for key in keys)))

    async def items(self, prefix: str) -> list[tuple[str, bytes]]:
        async def found(redis: Redis) -> dict[bytes, bytes]:
            kept: dict[bytes, bytes] = {}
            async for names in _names(redis, prefix):
                values = cast("list[bytes | None]", await redis.mget(names))
                kept |= {name: value for name, value in zip(names, values, strict=True) if value is not None}
            return kept

        kept = await self._redis.ask(found)
        return sorted((name.decode().removeprefix(_PREFIX), value) for name, value in kept.items())

    async def erase(self, prefix: str) -> None:
        async def gone(redis: Redis) -> None:
            async for names in _names(redis, prefix):
                await redis.delete(*names)

        await self._redis.ask(gone)

    async def close(self) -> None:
        await self._redis.close()


async def _names(redis: Redis, prefix: str) -> AsyncIterator[list[bytes]]:
    """The names that begin with our prefix and this one, some at a time; one may come twice."""
    pattern = "".join(f"\\{sign}" if sign in r"*?[]^\\" else sign for sign in _PREFIX + prefix) + "*"
    cursor = 0
    while True:
        cursor, names = await redis.scan(cursor, match=pattern, count=_AT_ONCE)
        if names:
            yield cast("list[bytes]", names)
        if not cursor:
            return


def _marked(value: bytes | None) -> bytes:
    return b"-" if value is None else b"+" + value


def _milliseconds(seconds: float | None) -> int | None:
    """At least one: Redis takes no less."""
    return None if seconds is None else max(1, math.ceil(seconds * 1000))
