"""What the bot's store promises, in a SQLite file and in a real Redis; and what each of them does in trouble."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from pydantic import SecretStr

from ai_library_bot.bot.redis_store import RedisStore
from ai_library_bot.bot.sqlite_store import ASIDE, SqliteStore
from ai_library_bot.bot.store import Store
from ai_library_bot.errors import Busy, CannotWrite, Unavailable
from tests import redis_server
from tests.answers.test_cache import no_redis, stalls
from tests.bot.stores import KINDS, Clock, Place, opened, places
from tests.redis_server import needs_redis

KEYS = st.sampled_from(
    [
        "person/1/a",
        "person/1/b",
        "person/1/",
        "person/1",
        "person/11/a",
        "member/1",
        "m*",
        "m[e]",
        "m?",
        "m\\",
        "ё/1",
        "",
    ]
)
PREFIXES = KEYS | st.sampled_from(["person/", "person/1/", "m", "ё", "m*"])
VALUES = st.binary(max_size=20) | st.sampled_from([b"", b"-", b"+", b"x" * 10_000])

Result = TypeVar("Result")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def new_place(kind: str) -> Iterator[Callable[[], Place]]:
    with places(kind, Clock()) as new_place:
        yield new_place


@pytest.fixture
def place(new_place: Callable[[], Place]) -> Place:
    """An empty one."""
    return new_place()


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    async with opened(place) as store:
        yield store


def one_more(value: bytes | None) -> bytes:
    return b"%d" % (int(value or 0) + 1)


# What every store promises


class Like(RuleBasedStateMachine):
    """A store does as a dict does, and outlives its being closed."""

    new_place: Callable[[], Place]

    def __init__(self) -> None:
        super().__init__()
        self.place = type(self).new_place()
        self.store = self.place()
        self.kept: dict[str, bytes] = {}
        self.runner = asyncio.Runner()

    def do(self, work: Awaitable[Result]) -> Result:
        async def done() -> Result:
            return await work

        return self.runner.run(done())

    @rule(key=KEYS, value=VALUES)
    def put(self, key: str, value: bytes) -> None:
        self.do(self.store.put(key, value))
        self.kept[key] = value

    @rule(key=KEYS, value=VALUES)
    def add(self, key: str, value: bytes) -> None:
        assert self.do(self.store.add(key, value)) is (key not in self.kept)
        self.kept.setdefault(key, value)

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        assert self.do(self.store.get(key)) == self.kept.get(key)

    @rule(key=KEYS, more=st.binary(max_size=3))
    def lengthen(self, key: str, more: bytes) -> None:
        wanted = self.kept.get(key, b"") + more
        assert self.do(self.store.change(key, lambda value: (value or b"") + more)) == wanted
        self.kept[key] = wanted

    @rule(key=KEYS)
    def change_to_nothing(self, key: str) -> None:
        assert self.do(self.store.change(key, lambda _: None)) is None
        self.kept.pop(key, None)

    @rule(keys=st.lists(KEYS, max_size=3))
    def remove(self, keys: list[str]) -> None:
        self.do(self.store.remove(*keys))
        for key in keys:
            self.kept.pop(key, None)

    @rule(prefix=PREFIXES)
    def items(self, prefix: str) -> None:
        wanted = sorted((key, value) for key, value in self.kept.items() if key.startswith(prefix))
        assert self.do(self.store.items(prefix)) == wanted

    @rule(prefix=PREFIXES)
    def erase(self, prefix: str) -> None:
        self.do(self.store.erase(prefix))
        self.kept = {key: value for key, value in self.kept.items() if not key.startswith(prefix)}

    @precondition(lambda self: self.kept)
    @rule()
    def open_again(self) -> None:
        self.do(self.store.close())
        self.store = self.place()

    def teardown(self) -> None:
        self.do(self.store.close())
        self.runner.close()


def test_it_does_as_a_dict_does_and_outlives_being_closed(new_place: Callable[[], Place]) -> None:
    machine = type("Like", (Like,), {"new_place": staticmethod(new_place)})
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=25, deadline=None))


async def test_what_many_change_at_once_is_never_lost(store: Store) -> None:
    changed = await asyncio.gather(*(store.change("n", one_more) for _ in range(100)))
    assert await store.get("n") == b"100"
    assert {int(value or 0) for value in changed} == set(range(1, 101))


async def test_of_many_that_add_at_once_one_wins(store: Store) -> None:
    won = await asyncio.gather(*(store.add("n", b"%d" % number) for number in range(50)))
    assert won.count(True) == 1
    assert await store.get("n") == b"%d" % won.index(True)


async def test_everything_at_once_leaves_everybody_with_their_own(store: Store) -> None:
    async def use(number: int) -> None:
        await store.put(f"person/{number}/a", b"%d" % number)
        await store.change(f"person/{number}/b", lambda _: b"b%d" % number)
        assert await store.items(f"person/{number}/") == [
            (f"person/{number}/a", b"%d" % number),
            (f"person/{number}/b", b"b%d" % number),
        ]
        if number % 2:
            await store.erase(f"person/{number}/")

    await asyncio.gather(*(use(number) for number in range(1, 121)))
    assert len(await store.items("person/")) == 120


async def test_those_who_share_a_prefix_are_no_relatives(store: Store) -> None:
    for key in ("person/1/a", "person/11/a", "person/1", "person/2/a"):
        await store.put(key, b"x")
    await store.erase("person/1/")
    assert [key for key, _ in await store.items("person/")] == ["person/1", "person/11/a", "person/2/a"]


async def test_a_thousand_keys_are_listed_and_erased(store: Store) -> None:
    await asyncio.gather(*(store.put(f"a/{number:04}", b"%d" % number) for number in range(1_000)))
    await store.put("b", b"x")
    assert await store.items("a/") == [(f"a/{number:04}", b"%d" % number) for number in range(1_000)]
    await store.erase("a/")
    assert await store.items("") == [("b", b"x")]


@pytest.mark.parametrize("error", [KeyError, ValueError, RuntimeError])
async def test_what_a_change_raises_arrives_and_nothing_has_changed(store: Store, error: type[Exception]) -> None:
    def fails(_: bytes | None) -> bytes:
        raise error("no")

    await store.put("a", b"1")
    outcomes = await asyncio.gather(
        store.change("a", one_more), store.change("a", fails), store.change("b", one_more), return_exceptions=True
    )
    assert (outcomes[0], type(outcomes[1]), outcomes[2]) == (b"2", error, b"1")
    assert (await store.get("a"), await store.get("b")) == (b"2", b"1")


async def test_one_who_is_cancelled_takes_nobody_along(store: Store) -> None:
    tasks = [asyncio.ensure_future(store.change("a", one_more)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    done = sum(isinstance(outcome, bytes) for outcome in outcomes)
    assert done >= 10
    assert done <= int(await store.get("a") or 0) <= 20


async def test_a_closed_store_can_be_used_again_and_closed_twice(store: Store) -> None:
    await store.put("a", b"1")
    await store.close()
    await store.close()
    assert await store.get("a") == b"1"


async def test_a_value_is_forgotten_after_its_time(store: Store) -> None:
    """Of a store whose clock cannot be moved: see below for the other one."""
    if isinstance(store, SqliteStore):
        pytest.skip("its clock stands still")
    await store.put("put", b"1", seconds=0.03)
    await store.add("add", b"1", seconds=0.03)
    await store.change("change", one_more, seconds=0.03)
    await store.put("kept", b"1", seconds=0.03)
    await store.put("kept", b"1")
    await store.put("changed", b"1", seconds=0.03)
    await store.change("changed", one_more)
    deadline = time.monotonic() + 5
    while [key for key, _ in await store.items("")] != ["changed", "kept"]:
        assert time.monotonic() < deadline
    assert [await store.get(key) for key in ("put", "add", "change")] == [None, None, None]
    assert await store.add("add", b"2")


# In SQLite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.sqlite"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def sqlite(path: Path, clock: Clock | None = None) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock=clock or Clock())
    try:
        yield store
    finally:
        await store.close()


def holding(path: Path, content: bytes) -> Path:
    """The file, which now holds that."""
    path.write_bytes(content)
    return path


def bytes_of(folder: Path) -> bytes:
    """All that stands in any file of the folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


async def test_a_value_is_absent_as_soon_as_its_time_is_over_and_gone_from_the_file_in_the_end(
    path: Path, clock: Clock
) -> None:
    async with sqlite(path, clock) as store:
        await store.put("put", b"short-lived", seconds=60)
        await store.change("change", one_more, seconds=60)
        await store.put("for good", b"1", seconds=60)
        await store.change("for good", one_more)
        clock.now += 59.9
        assert await store.get("put") == b"short-lived"
        clock.now += 0.2
        assert (await store.get("put"), await store.get("change")) == (None, None)
        assert await store.items("") == [("for good", b"2")]
        assert await store.change("change", lambda value: value or b"anew", seconds=1) == b"anew"
        assert await store.add("put", b"again", seconds=1)
        clock.now += 3600
        await store.get("put")
    assert b"again" not in bytes_of(path.parent)


def test_making_one_opens_nothing(path: Path) -> None:
    SqliteStore(path)
    assert not path.exists()


async def test_the_file_is_for_its_owner_and_closing_leaves_one(path: Path) -> None:
    async with sqlite(path) as store:
        await store.put("a", b"1")
        if sys.platform != "win32":
            assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert list(path.parent.iterdir()) == [path]


async def test_a_hundred_calls_at_once_cost_a_few_commits(path: Path) -> None:
    async with sqlite(path) as store:
        await store.get("a")
        before = commits(path)
        await asyncio.gather(*(store.put(f"{number}", b"x") for number in range(100)))
        assert 1 <= commits(path) - before <= 5


def commits(path: Path) -> int:
    """How many there are in the write-ahead log: its frames that say how large the file is then (SQLite, walformat)."""
    log = path.with_name(path.name + "-wal").read_bytes()
    page_size = int.from_bytes(log[8:12], "big")
    return sum(any(log[start + 4 : start + 8]) for start in range(32, len(log), 24 + page_size))


@given(st.data())
@settings(max_examples=20)
def test_no_byte_of_what_was_erased_is_left_in_any_file(data: st.DataObject) -> None:
    texts = st.integers(1, 3000).map(lambda length: (b"secret " * length)[: length + 6])
    steps = st.tuples(st.sampled_from(["put", "change", "remove"]), st.integers(1, 12), texts)

    async def check(folder: Path) -> None:
        async with sqlite(folder / "bot.sqlite") as store:
            await store.put("person/11/text", b"somebody else's")
            for what, key, text in data.draw(st.lists(steps, min_size=1, max_size=25)):
                name = f"person/1/{key}"
                if what == "put":
                    await store.put(name, text, seconds=data.draw(st.none() | st.just(0.0)))
                elif what == "change":
                    await store.change(name, lambda value, more=text: (value or b"")[-500:] + more)  # type: ignore[misc]
                else:
                    await store.remove(name)
            await asyncio.gather(store.erase("person/1/"), store.put("person/2/text", b"meanwhile"))
            left = bytes_of(folder)
            assert b"secret" not in left
            assert b"person/1/" not in left
            assert await store.get("person/11/text") == b"somebody else's"
            assert await store.get("person/2/text") == b"meanwhile"

    with TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder)))


async def test_erasing_also_removes_the_damaged_file_that_was_set_aside(path: Path) -> None:
    async with sqlite(holding(path, b"no database, but a secret " * 100)) as store:
        await store.put("a", b"1")
        assert b"secret" in bytes_of(path.parent)
        await store.erase("person/1/")
        assert b"secret" not in bytes_of(path.parent)


@pytest.mark.parametrize(
    "content", [b"no database at all " * 100, b"SQLite format 3\0" + b"\xff" * 4096, b"SQLite format 3\0" * 512]
)
async def test_a_damaged_file_is_set_aside_for_a_new_one(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with sqlite(holding(path, content)) as store:
        values = await asyncio.gather(store.get("a"), *(store.change("a", one_more) for _ in range(3)))
        assert values == [None, b"1", b"2", b"3"]
    assert path.with_name(path.name + ASIDE).read_bytes() == content
    assert str(path) in caplog.text
    async with sqlite(path) as store:
        assert await store.get("a") == b"3"


async def test_a_database_of_something_else_is_set_aside(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE kept (id, name)")
    async with sqlite(path) as store:
        await store.put("a", b"1")
    assert path.with_name(path.name + ASIDE).exists()


@given(st.data())
@settings(max_examples=40)
def test_whatever_bytes_are_wrong_it_works_on(data: st.DataObject) -> None:
    content = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 150) | st.integers(0, len(SOUND) - 1))
        if at != 18:  # where it says that it may only be read, by this program: that is said, and not mended
            content[at] ^= data.draw(st.integers(1, 255))
    del content[data.draw(st.just(len(SOUND)) | st.integers(1, len(SOUND))) :]

    async def check(path: Path) -> None:
        async with sqlite(holding(path, bytes(content))) as store:
            for _ in range(2):  # it may be found out at any call, and what was kept until then is set aside
                await store.get("30")
                await store.put("a", b"1")
                await store.erase("3")
            assert await store.get("a") == b"1"

    with TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder, "bot.sqlite")))


def _sound() -> bytes:
    async def fill(path: Path) -> None:
        async with sqlite(path) as store:
            await asyncio.gather(*(store.put(f"{number}", b"x" * 10 * number) for number in range(60)))

    with TemporaryDirectory() as folder:
        path = Path(folder, "bot.sqlite")
        asyncio.run(fill(path))
        return path.read_bytes()


SOUND = _sound()


async def test_what_does_not_fit_on_the_disk_fails_alone(path: Path) -> None:
    async with sqlite(path) as store:
        await store.put("a", b"1")
        await store._ask(lambda connection: connection.execute("PRAGMA max_page_count = 20").fetchall())
        outcomes = await asyncio.gather(
            store.change("a", one_more),
            store.put("huge", b"x" * 1_000_000),
            store.change("a", one_more),
            store.get("a"),
            return_exceptions=True,
        )
        assert (outcomes[0], outcomes[2], outcomes[3]) == (b"2", b"3", b"3")
        assert isinstance(outcomes[1], CannotWrite)
        assert outcomes[1].key == "bot_disk_full"
        assert (await store.get("a"), await store.get("huge")) == (b"3", None)


async def test_where_nothing_can_be_written_it_says_so_to_everybody(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "nowhere" / "bot.sqlite", tmp_path / "folder"):
        async with sqlite(path) as store:
            outcomes = await asyncio.gather(store.get("a"), store.put("a", b"1"), return_exceptions=True)
            assert [getattr(outcome, "key", None) for outcome in outcomes] == ["bot_not_writable"] * 2


# Other processes


HOLDS = """
import asyncio, sys
from pathlib import Path
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.errors import Busy

async def hold():
    store = SqliteStore(Path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        await store.put("a", b"held")
    except Busy:
        print("busy", flush=True)
    else:
        print("held", flush=True)
        sys.stdin.readline()

asyncio.run(hold())
"""


def start(program: str, path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", program, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def told(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.write(b"\n")


async def test_while_one_bot_runs_another_is_told_at_once_and_a_killed_one_stands_in_nobodys_way(path: Path) -> None:
    with start(HOLDS, path) as other:
        assert told(other) == b"ready"
        go_on(other)
        assert told(other) == b"held"
        async with sqlite(path) as store:
            began = time.monotonic()
            outcomes = await asyncio.gather(*(store.get("a") for _ in range(20)), return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {Busy}
            assert time.monotonic() - began < 5
            other.kill()
            other.wait()
            assert await store.get("a") == b"held"


def test_of_bots_that_start_together_one_runs(path: Path) -> None:
    bots = [start(HOLDS, path) for _ in range(3)]
    try:
        assert [told(bot) for bot in bots] == [b"ready"] * 3
        for bot in bots:
            go_on(bot)
        assert sorted(told(bot) for bot in bots) == [b"busy", b"busy", b"held"]
    finally:
        for bot in bots:
            bot.kill()
            bot.communicate()


WRITES = """
import asyncio, sys
from pathlib import Path
from ai_library_bot.bot.sqlite_store import SqliteStore

async def write():
    store = SqliteStore(Path(sys.argv[1]))

    async def work(name):
        for number in range(1_000_000):
            await store.put(f"{name}/{number}", b"x" * 3000)
            await store.change(name, lambda value: b"%d" % (int(value or 0) + 1))
            print(name, number + 1, flush=True)

    await asyncio.gather(*(work(name) for name in "abcdefgh"))

asyncio.run(write())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("lines", [1, 40, 200])
async def test_what_was_answered_is_there_after_a_kill(path: Path, lines: int) -> None:
    with start(WRITES, path) as writer:
        answered = dict(told(writer).split() for _ in range(lines))
        writer.kill()
    async with sqlite(path) as store:
        for name, count in answered.items():
            assert int(await store.get(name.decode()) or 0) >= int(count)
            assert await store.get(f"{name.decode()}/{int(count) - 1}") == b"x" * 3000


# In Redis


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a Redis to do mischief with."""
    with redis_server.running(tmp_path_factory.mktemp("redis"), "--requirepass", "swordfish") as port:
        yield port


@asynccontextmanager
async def redis(port: int, login: str = ":swordfish@", **bounds: float) -> AsyncIterator[RedisStore]:
    store = RedisStore(SecretStr(f"redis://{login}127.0.0.1:{port}/0"), **bounds)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def client(port: int) -> AsyncIterator[Any]:
    """A client of the empty Redis, to look inside and to do mischief."""
    from redis.asyncio import Redis

    async with Redis.from_url(f"redis://:swordfish@127.0.0.1:{port}/0") as client:
        await client.flushall()
        yield client


@needs_redis
async def test_keys_in_redis_have_a_prefix_and_a_version_and_others_stay_untouched(client: Any, port: int) -> None:
    await client.set("a", b"somebody else's")
    async with redis(port) as store:
        await store.put("a", b"1", seconds=100)
        assert (await client.get("library:bot:1:a"), await client.pttl("library:bot:1:a") > 99_000) == (b"1", True)
        await store.change("a", one_more)
        assert await client.pttl("library:bot:1:a") == -1
        await store.erase("")
    assert await client.keys("*") == [b"a"]


@needs_redis
async def test_several_processes_change_one_key_and_nothing_is_lost(client: Any, port: int) -> None:
    async with redis(port) as one, redis(port) as two, redis(port) as three:
        await asyncio.gather(*(store.change("n", one_more) for store in (one, two, three) * 20))
        assert await two.get("n") == b"60"


@needs_redis
async def test_a_connection_that_was_cut_is_made_anew(client: Any, port: int) -> None:
    async with redis(port) as store:
        await store.put("a", b"1")
        await client.client_kill_filter(_type="normal", skipme=True)
        assert await store.get("a") == b"1"


async def trouble(store: RedisStore) -> set[str]:
    """The keys of what each call raises."""
    calls: list[Awaitable[object]] = [
        store.get("a"),
        store.put("a", b"1"),
        store.add("a", b"1"),
        store.change("a", one_more),
        store.remove("a"),
        store.items("a"),
        store.erase("a"),
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    return {outcome.key for outcome in outcomes if isinstance(outcome, Unavailable)}


async def test_a_redis_that_is_silent_costs_a_bounded_time() -> None:
    async with no_redis(stalls) as url:
        store = RedisStore(SecretStr(url), patience=0.1)
        began = time.monotonic()
        outcomes = await asyncio.gather(*(store.change("a", one_more) for _ in range(50)), return_exceptions=True)
        assert time.monotonic() - began < 50 * 0.1
        assert {getattr(outcome, "key", None) for outcome in outcomes} == {"redis_slow"}
        assert await trouble(store) == {"redis_slow"}
        await store.close()


@needs_redis
async def test_a_refused_password_is_said(port: int) -> None:
    async with redis(port, ":wrong@") as store:
        assert await trouble(store) == {"redis_password_refused"}


@needs_redis
async def test_a_value_of_another_kind_is_said(client: Any, port: int) -> None:
    await client.lpush("library:bot:1:a", "x")
    async with redis(port) as store:
        with pytest.raises(Unavailable) as caught:
            await store.get("a")
        assert caught.value.key == "redis_failed"


async def test_a_redis_that_is_not_there_is_said() -> None:
    async with redis(redis_server.free_port()) as store:
        assert await trouble(store) == {"redis_down"}
