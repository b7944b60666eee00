"""What a cache promises, in memory and in a real Redis; and what a Redis that fails may cost: half a second."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from ai_library_bot.answers.cache import LARGEST, SECONDS_KEPT, MemoryCache, key, remembered, to_remember
from ai_library_bot.answers.redis_cache import RedisCache
from ai_library_bot.errors import Unavailable
from ai_library_bot.types import Claim, Draft, Statement, Usage
from tests import redis_server
from tests.redis_server import needs_redis

PASSWORD = "swordfish"
SEAL = "c0ffee" * 10
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
DRAFTS = st.builds(
    Draft,
    st.lists(st.builds(Statement, TEXT, st.lists(st.builds(Claim, TEXT, TEXT), max_size=3).map(tuple)), max_size=3).map(
        tuple
    ),
    next_questions=st.lists(TEXT, max_size=3).map(tuple),
)

Cache = MemoryCache | RedisCache
Opened = Callable[..., Cache]


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a Redis with a password."""
    with redis_server.running(tmp_path_factory.mktemp("redis"), "--requirepass", PASSWORD) as port:
        yield port


@pytest.fixture
def url(port: int) -> SecretStr:
    return SecretStr(f"redis://:{PASSWORD}@127.0.0.1:{port}/0")


@pytest.fixture
async def redis(url: SecretStr) -> AsyncIterator[Any]:
    """A client of the empty Redis, to look inside and to do mischief."""
    from redis.asyncio import Redis

    async with Redis.from_url(url.get_secret_value()) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def caches() -> AsyncIterator[list[Cache]]:
    """Those of the test; they are closed at its end."""
    opened: list[Cache] = []
    yield opened
    for one in opened:
        await one.close()


@pytest.fixture(params=["memory", pytest.param("redis", marks=needs_redis)])
def opened(request: pytest.FixtureRequest, caches: list[Cache]) -> Opened:
    """Opens a cache of one kind; there is nothing in it yet."""
    url: SecretStr | None = None
    if request.param == "redis":
        request.getfixturevalue("redis")
        url = request.getfixturevalue("url")

    def opened(**bounds: Any) -> Cache:
        caches.append(RedisCache(url, patience=30, **bounds) if url else MemoryCache(**bounds))  # on a busy machine
        return caches[-1]

    return opened


# What every cache promises


async def test_what_was_put_comes_back(opened: Opened) -> None:
    cache = opened()
    assert await cache.get("a") is None
    await cache.put("a", b"one")
    await cache.put("b", b"\x00\r\n$-1\r\n")
    assert (await cache.get("a"), await cache.get("b"), await cache.get("c")) == (b"one", b"\x00\r\n$-1\r\n", None)
    assert cache.trouble is None


async def test_the_last_value_counts(opened: Opened) -> None:
    cache = opened()
    await cache.put("a", b"one")
    await cache.put("a", b"two")
    assert await cache.get("a") == b"two"


async def test_an_empty_value_is_a_value(opened: Opened) -> None:
    cache = opened()
    await cache.put("a", b"")
    assert await cache.get("a") == b""


async def test_an_entry_expires(opened: Opened) -> None:
    cache = opened(seconds=0.02)
    await cache.put("a", b"one")
    deadline = time.monotonic() + 5
    while await cache.get("a") is not None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_the_number_of_entries_is_bounded(opened: Opened) -> None:
    cache = opened(entries=8)
    for number in range(100):
        await cache.put(f"{number}", b"value")
    kept = [number for number in range(100) if await cache.get(f"{number}") is not None]
    assert 1 <= len(kept) <= 8
    assert 99 in kept


async def test_a_huge_value_is_not_kept_and_leaves_the_one_before(opened: Opened) -> None:
    cache = opened()
    await cache.put("a", b"one")
    await cache.put("b", b"x" * LARGEST)
    await cache.put("a", b"x" * (LARGEST + 1))
    assert await cache.get("b") == b"x" * LARGEST
    assert await cache.get("a") == b"one"


async def test_many_at_once_never_get_one_anothers_values(opened: Opened) -> None:
    cache = opened(entries=16)

    async def use(number: int) -> None:
        await cache.put(f"{number}", b"%d" % number)
        assert await cache.get(f"{number}") in (b"%d" % number, None)

    await asyncio.gather(*(use(number) for number in range(64)))
    assert cache.trouble is None


async def test_a_closed_cache_can_be_used_again_and_closed_twice(opened: Opened) -> None:
    cache = opened()
    await cache.put("a", b"one")
    await cache.close()
    await cache.close()
    await cache.put("b", b"two")
    assert await cache.get("b") == b"two"


async def test_memory_forgets_what_was_used_longest_ago() -> None:
    cache = MemoryCache(entries=2)
    for name in ("a", "b"):
        await cache.put(name, b"value")
    await cache.get("a")
    await cache.put("c", b"value")
    assert [name for name in "abc" if await cache.get(name)] == ["a", "c"]


# The key, and what is kept under it


def test_the_same_question_has_the_same_key_however_it_is_typed() -> None:
    def of(question: str) -> str:
        return key(SEAL, question, {"books": ["Ёлка", "B"], "authors": []}, "gpt", "ru")

    assert of("  Кто  зажёг\nлампу? ") == of("кто зажег лампу?") == of("КТО ЗАЖЁГ ЛАМПУ?")
    assert of("Кто зажёг лампу?") != of("Кто погасил лампу?")
    assert key(SEAL, "q", {"books": ["b", "ёлка"]}, "gpt", "ru") == key(
        SEAL, "Q", {"authors": (), "books": ("ЕЛКА", "b")}, "gpt", "ru"
    )


def test_all_that_shapes_an_answer_is_part_of_its_key() -> None:
    keys = {
        key(SEAL, "q", {}, "gpt", "en"),
        key(SEAL[::-1], "q", {}, "gpt", "en"),
        key(SEAL, "q?", {}, "gpt", "en"),
        key(SEAL, "q", {"books": ["a"]}, "gpt", "en"),
        key(SEAL, "q", {"authors": ["a"]}, "gpt", "en"),
        key(SEAL, "q", {"books": ["a", "b"]}, "gpt", "en"),
        key(SEAL, "q", {"books": ["a b"]}, "gpt", "en"),
        key(SEAL, "q", {}, "gpt-2", "en"),
        key(SEAL, "q", {}, "gpt", "ru"),
    }
    assert len(keys) == 9


@given(DRAFTS)
def test_a_draft_comes_back_and_costs_nothing(draft: Draft) -> None:
    assert remembered(to_remember(replace(draft, usage=Usage(100, 20, 0.1)))) == draft


@given(DRAFTS)
def test_what_was_kept_before_there_were_next_questions_has_none(draft: Draft) -> None:
    kept = json.dumps([asdict(statement) for statement in draft.statements]).encode()
    assert remembered(kept) == Draft(draft.statements)


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["text", "claims", "quote", "passage_id", "statements", "next_questions"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode())
)
@example(b"[" * 100_000)
@example(b'[{"text": 5, "claims": []}]')
@example(b'[{"text": "a", "claims": [{"passage_id": "b:1", "quote": null}]}]')
@example(b'[{"text": "\\ud800", "claims": []}]')
@example(b'{"statements": [], "next_questions": "Why?"}')
@example(b'{"statements": [], "usage": {"cost": 1}}')
def test_whatever_else_stands_there_is_nothing_or_a_draft(value: bytes) -> None:
    found = remembered(value)
    assert found is None or remembered(to_remember(found)) == found


def test_nothing_is_remembered_of_nothing() -> None:
    assert remembered(None) is None
    assert remembered(to_remember(Draft(()))) == Draft(())


def test_a_broken_letter_is_dropped_when_it_is_read() -> None:
    assert remembered(to_remember(Draft((Statement("\ud800", ()),)))) is None


# In Redis


@needs_redis
async def test_places_in_redis_have_a_prefix_a_version_and_a_time_to_live(redis: Any, url: SecretStr) -> None:
    async with redis_cache(url) as cache:
        await cache.put("a", b"one")
    (place,) = await redis.keys("*")
    assert place.startswith(b"library:answers:1:")
    assert 0 < await redis.pttl(place) <= SECONDS_KEPT * 1000


@needs_redis
async def test_two_processes_share_what_they_keep(redis: Any, url: SecretStr) -> None:
    async with redis_cache(url) as one, redis_cache(url) as other:
        await one.put("a", b"one")
        assert await other.get("a") == b"one"


@needs_redis
@pytest.mark.parametrize(
    "garbage", [b"", b"garbage", b"b\none", b"a", b"a\n" + b"x" * (LARGEST + 1), b"x" * 10_000_000]
)
async def test_what_somebody_else_wrote_counts_as_nothing(redis: Any, url: SecretStr, garbage: bytes) -> None:
    async with redis_cache(url) as cache:
        await cache.put("a", b"one")
        (place,) = await redis.keys("*")
        await redis.set(place, garbage)
        assert await cache.get("a") is None
        assert cache.trouble is None
        await cache.put("a", b"two")
        assert await cache.get("a") == b"two"


@needs_redis
async def test_a_value_of_another_kind_is_no_failure_of_the_question(redis: Any, url: SecretStr) -> None:
    async with redis_cache(url) as cache:
        await cache.put("a", b"one")
        (place,) = await redis.keys("*")
        await redis.delete(place)
        await redis.lpush(place, "a")
        assert await cache.get("a") is None


@needs_redis
async def test_a_redis_that_is_full_keeps_nothing_and_says_so(redis: Any, url: SecretStr) -> None:
    try:
        await redis.config_set("maxmemory", 1)
        async with redis_cache(url) as cache:
            await cache.put("a", b"one")
            assert trouble_of(cache) == "redis_failed"
    finally:
        await redis.config_set("maxmemory", 0)


@needs_redis
@pytest.mark.parametrize("login", ["", ":wrong@", "somebody:wrong@"])
async def test_a_refused_password_is_said_and_never_shown(port: int, login: str) -> None:
    async with redis_cache(f"redis://{login}127.0.0.1:{port}/0") as cache:
        assert await cache.get("a") is None
        await cache.put("a", b"one")
        assert trouble_of(cache) == "redis_password_refused"


@needs_redis
async def test_a_redis_that_comes_back_is_used_again(redis: Any, url: SecretStr) -> None:
    async with redis_cache(url, rest=0) as cache:
        await cache.put("a", b"one")
        await redis.client_kill_filter(_type="normal", skipme=True)
        await redis.execute_command("CLIENT", "PAUSE", "700")
        assert await cache.get("a") is None
        assert trouble_of(cache) == "redis_slow"
        await redis.ping()  # answers when the pause is over
        assert await cache.get("a") == b"one"
        assert cache.trouble is None


@needs_redis
def test_a_cache_outlives_its_event_loop(port: int) -> None:
    cache = RedisCache(SecretStr(f"redis://:{PASSWORD}@127.0.0.1:{port}/0"))

    async def once() -> bytes | None:
        await cache.put("a", b"one")
        kept = await cache.get("a")
        await cache.close()
        return kept

    assert [asyncio.run(once()) for _ in range(2)] == [b"one", b"one"]


# A Redis that fails


def trouble_of(cache: RedisCache) -> str:
    """What is wrong, by its key; its sentences can be said, and hold no password."""
    assert cache.trouble
    name, details = cache.trouble
    for language in ("en", "ru"):
        said = Unavailable(name, **details).say(language)
        assert not any(secret in said for secret in (PASSWORD, "wrong"))
    return name


@asynccontextmanager
async def redis_cache(url: SecretStr | str, **bounds: Any) -> AsyncIterator[RedisCache]:
    cache = RedisCache(url if isinstance(url, SecretStr) else SecretStr(url), **bounds)
    try:
        yield cache
    finally:
        await cache.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def no_redis(handle: Handler) -> AsyncIterator[str]:
    """The address of a server that is none."""
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            try:
                await handle(reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.ensure_future(connected(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        try:
            yield f"redis://:{PASSWORD}@127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        finally:
            for connection in connections:
                connection.cancel()
            await asyncio.gather(*connections, return_exceptions=True)


async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"$100000\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)


def answers(reply: bytes) -> Handler:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            writer.write(reply)
            await writer.drain()

    return answer


async def asked(url: str, **bounds: float) -> str | None:
    """The trouble with the Redis there; neither `get` nor `put` may fail or take longer than a second together."""
    async with redis_cache(url, **bounds) as cache:
        began = time.monotonic()
        assert await cache.get("a") is None
        await cache.put("a", b"one")
        assert time.monotonic() - began < 1
        return trouble_of(cache) if cache.trouble else None


@pytest.mark.parametrize(
    ("handle", "trouble"),
    [
        (stalls, "redis_slow"),
        (drips, "redis_slow"),
        (hangs_up, "redis_down"),
        (answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "redis_failed"),
        (answers(b"-ERR no\r\n"), "redis_failed"),
        (answers(b"-LOADING Redis is loading the dataset in memory\r\n"), "redis_down"),
        (answers(b"$abc\r\n"), "redis_failed"),
    ],
)
async def test_a_server_that_is_no_redis_costs_no_question_and_is_named(handle: Handler, trouble: str) -> None:
    async with no_redis(handle) as url:
        assert await asked(url) == trouble


REPLIES = st.builds(
    b"".join,
    st.tuples(
        st.sampled_from([bytes([mark]) for mark in b"-+:$*_#,(%~>=!|"]),
        st.sampled_from([b"", b"0", b"1", b"-1", b"3", b"99", b"x", b"OK"]),
        st.sampled_from([b"\r\n", b"\n", b""]),
        st.binary(max_size=5),
        st.sampled_from([b"\r\n", b""]),
    ),
)


@given(REPLIES | st.binary(min_size=1, max_size=60))
@settings(max_examples=50)
def test_no_answer_of_any_server_fails_a_question(reply: bytes) -> None:
    async def check() -> None:
        async with no_redis(answers(reply * 8)) as url:
            await asked(url, patience=0.02)

    asyncio.run(check())


async def test_a_redis_that_is_not_there_is_asked_once(unused_port: int) -> None:
    async with redis_cache(f"redis://:{PASSWORD}@127.0.0.1:{unused_port}/0") as cache:
        assert await cache.get("a") is None
        assert trouble_of(cache) == "redis_down"
        began = time.monotonic()
        for number in range(1000):
            await cache.put(f"{number}", b"value")
        assert time.monotonic() - began < 0.5


async def test_a_redis_in_trouble_is_not_asked_for_every_question() -> None:
    connections = count()

    async def counts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        next(connections)

    async with no_redis(counts) as url, redis_cache(url) as cache:
        for _ in range(5):
            await cache.get("a")
    assert next(connections) == 1


@pytest.mark.parametrize(
    "address", ["redis://127.0.0.1:1/nonsense", "redis://127.0.0.1:1/0?colour=red", "unix:///nowhere"]
)
async def test_an_address_that_makes_no_sense_to_redis_fails_no_question(address: str) -> None:
    assert await asked(address) in ("redis_failed", "redis_down")


async def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    assert await asked("redis://127.0.0.1:1/0") == "extra_missing"


@pytest.fixture
def unused_port() -> int:
    return redis_server.free_port()
