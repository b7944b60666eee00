"""What a purse pays for: whatever models do, each request was granted before and is settled once, for what it used."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from ai_library_bot import Library, Settings
from ai_library_bot.accounts import Bill, BilledChat
from ai_library_bot.errors import Unavailable
from ai_library_bot.locales import messages
from ai_library_bot.openai_api.chat import ChatModel, Message
from ai_library_bot.openai_api.tries import without_waiting
from ai_library_bot.prices import Price
from ai_library_bot.types import Answer, Turn, Usage
from ai_library_bot.usage import UsageLedger, total
from tests.openai_server import Fault, OpenAIServer, Response, Send, altered, body, cut, no_credit, status
from tests.shelves import Shelf
from tests.test_library_with_a_model import CLOCK, KEEPER, KEY, QUESTION, SAID, librarian

HISTORY = (Turn("Who kept the lighthouse?", "Prokhor kept it. [1]"),)
PRICES = {"chat": Price(input=1, output=4), "text-embedding-3-small": Price(input=0.02)}


class Purse:
    """Grants by turns what `grants` says, then everything, and notes what happens under each grant."""

    def __init__(self, *grants: bool) -> None:
        self.grants = list(grants)
        self.asked: list[Usage] = []
        self.open: list[tuple[Usage, list[str]]] = []
        """What is set aside, with what was asked of the service meanwhile."""
        self.settled: list[tuple[Usage, Usage, list[str]]] = []
        self.refused = 0

    async def reserve(self, most: Usage) -> bool:
        await asyncio.sleep(0)
        self.asked.append(most)
        granted = self.grants.pop(0) if self.grants else True
        if granted:
            self.open.append((most, []))
        self.refused += not granted
        return granted

    async def settle(self, most: Usage, used: Usage) -> None:
        await asyncio.sleep(0)
        place = [one for one, _ in self.open].index(most)
        self.settled.append((most, used, self.open.pop(place)[1]))


# What the service may do, and what is known of the cost afterwards.


def honest(payload: dict[str, Any]) -> str:
    """What the librarian says, also when it is asked again."""
    said = "\n".join(message["content"] for message in payload["messages"])
    return librarian({"messages": [{"content": said}]})


TOLD: dict[str, Callable[[dict[str, Any]], str]] = {
    "answers": honest,
    "invents": lambda payload: honest(payload).replace("letters", "novels"),
    "chats": lambda payload: "I would rather talk about the weather.",
    "finds nothing": lambda payload: '{"found": false}',
}
FREE: dict[str, Fault] = {
    "fails": status(500),
    "is busy": status(429),
    "refuses": status(401),
    "no credit": no_credit(),
}
UNKNOWN: dict[str, Fault] = {"garbage": body("<html>"), "breaks off": cut()}


async def untold(response: Response, send: Send) -> None:
    """The response that was meant, without what it cost."""
    pieces = [piece for piece in response.pieces if b'"choices": [], "usage"' not in piece]
    if len(pieces) == 1:
        value = json.loads(pieces[0])
        value.pop("usage", None)
        pieces = [json.dumps(value).encode()]
    kind = response.headers.get("content-type", "")
    await send(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode() + b"".join(pieces))


def say(payload: dict[str, Any], event: str) -> str:
    """What the model says in answer to any of the three things it is asked."""
    schema = json.dumps(payload.get("response_format", ""))
    if event == "answers" and "best_first" in schema:
        return '{"best_first": [2, 1]}'
    if event == "answers" and "Rewritten" in schema:
        return json.dumps({"question": QUESTION})
    return TOLD.get(event, honest)(payload)


class Scripted:
    """A service that does one event after the other, then answers; each is noted under what the purse has granted."""

    def __init__(self, server: OpenAIServer, purse: Purse, events: Sequence[str], stop: Callable[[], object]) -> None:
        self.ungranted = 0
        self._purse = purse
        self._events = list(events)
        self._stop = stop
        self._event = ""
        server.fault = self.fault
        server.reply = self.reply

    def reply(self, payload: dict[str, Any]) -> str:
        return say(payload, self._events[0] if self._events else "answers")

    async def fault(self, response: Response, send: Send) -> None:
        event = self._events.pop(0) if self._events else "answers"
        if self._purse.open:
            self._purse.open[-1][1].append(event)
        else:
            self.ungranted += 1
        if event == "is stopped":
            self._stop()
            await asyncio.Event().wait()
        elif event == "does not tell":
            await untold(response, send)
        elif event in FREE | UNKNOWN:
            await (FREE | UNKNOWN)[event](response, send)
        else:
            head = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
            await send(f"HTTP/1.1 200 OK\r\n{head}connection: close\r\n\r\n".encode() + b"".join(response.pieces))


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(key=KEY) as server:
        yield server


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, server: OpenAIServer) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    shelf.put("keeper.md", KEEPER, KEEPER.replace("letters", "poems"), title="The Keeper", language="en")
    shelf.put("clock.md", CLOCK, title="The Clock", language="en")
    shelf.put("orchard.md", *(f"Orchard number {n} bears apples and pears every autumn." for n in range(20)))
    server.fault = None

    async def ingest() -> None:
        async with opened(server, shelf) as library:
            await library.ingest()

    asyncio.run(ingest())
    return shelf


def opened(server: OpenAIServer, shelf: Shelf, **changes: Any) -> Library:
    chosen: dict[str, Any] = {
        "faiss_path": shelf.index,
        "books_path": shelf.books,
        "min_passage_chars": 20,
        "openai_api_key": SecretStr(KEY),
        "openai_base_url": server.base_url,
        "openai_model": "chat",
        "prices": PRICES,
        "cache_backend": "none",
        "answer_seconds": 5,
    }
    return Library.open(Settings(_env_file=None, **(chosen | changes)))  # type: ignore[call-arg]


def ask(
    server: OpenAIServer,
    shelf: Shelf,
    purse: Purse,
    events: Sequence[str] = (),
    *,
    history: bool = False,
    **changes: Any,
) -> Answer | None:
    """The answer, or None where the question was stopped. No request was made that was not granted."""

    async def asking() -> Answer | None:
        loop = asyncio.get_running_loop()
        async with opened(server, shelf, **changes) as library:
            task = asyncio.create_task(library.ask(QUESTION, history=HISTORY if history else (), purse=purse))
            script = Scripted(server, purse, events, lambda: loop.call_soon_threadsafe(task.cancel))
            try:
                return await task
            except asyncio.CancelledError:
                return None
            finally:
                assert script.ungranted == 0

    with without_waiting():
        return asyncio.run(asking())


def reasons(answer: Answer) -> list[str]:
    return [notice.because[0] if notice.because else notice.key for notice in answer.notices]


@settings(max_examples=30)
@given(
    grants=st.lists(st.sampled_from([True, True, True, False]), max_size=6),
    events=st.lists(st.sampled_from([*TOLD, *FREE, *UNKNOWN, "does not tell", "is stopped"]), max_size=7),
    history=st.booleans(),
    rerank_model=st.sampled_from([None, "chat"]),
    embedder=st.sampled_from([None, "none"]),
)
@example(grants=[], events=["chats", "invents", "answers"], history=False, rerank_model=None, embedder="none")
@example(grants=[], events=["chats", "is stopped"], history=False, rerank_model=None, embedder="none")
@example(grants=[], events=["does not tell", "refuses"], history=False, rerank_model=None, embedder=None)
@example(grants=[], events=["chats", "chats"], history=False, rerank_model="chat", embedder="none")
def test_whatever_models_do_each_request_was_granted_and_is_settled_once_for_what_it_used(
    server: OpenAIServer,
    shelf: Shelf,
    grants: list[bool],
    events: list[str],
    history: bool,
    rerank_model: str | None,
    embedder: str | None,
) -> None:
    purse = Purse(*grants)
    before, asked_before = total(UsageLedger(shelf.index).today()), len(server.requests)
    answer = ask(server, shelf, purse, events, history=history, rerank_model=rerank_model, embedder=embedder)

    assert purse.open == []
    assert len(purse.settled) + purse.refused == len(purse.asked)
    assert sum(len(under) for _, _, under in purse.settled) == len(server.requests) - asked_before
    told = Usage()
    for most, used, under in purse.settled:
        assert under, "nothing is set aside for nothing"
        if under[-1] in FREE:
            assert used == Usage()
        elif under[-1] in (*UNKNOWN, "does not tell", "is stopped"):
            assert used == most
        else:
            assert used.prompt_tokens
            told += used
    written_down = total(UsageLedger(shelf.index).today())
    assert written_down.prompt_tokens - before.prompt_tokens == told.prompt_tokens
    if answer is None:
        assert "is stopped" in events
    else:
        assert answer.usage.prompt_tokens == told.prompt_tokens
        assert answer.usage.completion_tokens == told.completion_tokens
        assert answer.usage.cost == (pytest.approx(told.cost) if told != Usage() else None)
        assert answer.found or not {"finds nothing", "invents"}.isdisjoint(events)
        if purse.refused and not history and rerank_model is None:
            assert "budget_spent" in reasons(answer) or answer.writer == "chat"


def test_an_empty_purse_leaves_words_joined_a_search_by_words_and_an_answer_that_quotes(
    server: OpenAIServer, shelf: Shelf
) -> None:
    purse = Purse(*[False] * 10)
    before = len(server.requests)
    answer = ask(server, shelf, purse, history=True, rerank_model="chat")
    assert answer
    assert len(server.requests) == before
    assert (answer.found, answer.writer, answer.usage) == (True, "extractive", Usage())
    assert [(notice.key, *notice.because[:1]) for notice in answer.notices if notice.because] == [
        ("search_by_words", "budget_spent"),
        ("rerank_unavailable", "budget_spent"),
        ("writer_unavailable", "budget_spent"),
    ]
    assert messages("en").notice(answer.notices[-1]) == (
        "The answer only quotes: today's budget for the language model is used up."
    )
    assert len(purse.asked) == 4


def test_what_is_left_for_one_try_is_enough_for_the_answer_of_that_try(server: OpenAIServer, shelf: Shelf) -> None:
    answer = ask(server, shelf, Purse(True, False), ["invents"], embedder="none")
    assert answer
    assert answer.writer == "extractive"
    answer = ask(server, shelf, Purse(True, False), ["answers"], embedder="none")
    assert answer
    assert answer.text == f"{SAID} [1]"


def test_an_answer_that_is_remembered_needs_no_purse_for_it(server: OpenAIServer, shelf: Shelf) -> None:
    async def twice() -> list[Answer]:
        async with opened(server, shelf, cache_backend="memory", embedder="none") as library:
            return [await library.ask(QUESTION, purse=purse) for purse in (Purse(), Purse(False))]

    server.fault, server.reply = None, honest
    first, again = asyncio.run(twice())
    assert (again.text, again.writer, again.usage) == (first.text, "chat", Usage())


def test_an_endpoint_that_orders_anew_and_a_model_on_this_computer_ask_no_purse(
    server: OpenAIServer, shelf: Shelf
) -> None:
    purse = Purse(False, False)
    url = f"{server.base_url}/rerank"
    answer = ask(
        server, shelf, purse, rerank_url=url, rerank_api_key=SecretStr(KEY), openai_model="none", embedder="none"
    )
    assert answer
    assert purse.asked == []


def test_a_recording_is_paid_from_the_purse_try_by_try(server: OpenAIServer, shelf: Shelf) -> None:
    purse = Purse(True, True, True, False)

    async def listen() -> list[str]:
        async with opened(server, shelf, transcription_model="hears") as library:
            texts = [await library.transcribe(b"sound" * 1000, purse=purse) for _ in range(2)]
            with pytest.raises(Unavailable, match="budget"):
                await library.transcribe(b"sound" * 1000, purse=purse)
            return texts

    server.fault = None
    server.faults += [status(503), altered(lambda answer: answer.pop("usage"))]
    before = len(server.requests)
    with without_waiting():
        assert asyncio.run(listen()) == [server.transcript] * 2
    failed, untold, told = purse.settled
    assert failed[1] == Usage()
    assert untold[1] == untold[0]
    assert 0 < told[1].prompt_tokens < told[0].prompt_tokens
    assert (purse.open, len(server.requests) - before) == ([], 3)


# One request


class Word(BaseModel):
    word: str


class Stubborn(Purse):
    """Takes its time for whatever it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = asyncio.Event()
        self.go_on = asyncio.Event()
        self.reserves_at_once = False

    async def reserve(self, most: Usage) -> bool:
        if not self.reserves_at_once:
            self.busy.set()
            await self.go_on.wait()
        return await super().reserve(most)

    async def settle(self, most: Usage, used: Usage) -> None:
        self.busy.set()
        await self.go_on.wait()
        await super().settle(most, used)


QUESTIONS = [Message("system", "You are a librarian."), Message("user", "Which word? Какое слово?" * 50)]


def billed(server: OpenAIServer, purse: Purse) -> tuple[BilledChat, Bill]:
    server.fault, server.reply = None, {"word": "lamp"}
    bill = Bill(lambda *_: None, purse)
    return BilledChat(ChatModel(server.base_url, SecretStr(KEY), "chat", PRICES), "answer", bill), bill


async def test_what_is_set_aside_is_more_than_what_a_request_uses(server: OpenAIServer) -> None:
    purse = Purse()
    chat, bill = billed(server, purse)
    completion = await chat.complete(QUESTIONS, Word, seconds=5)
    ((most, used, _),) = purse.settled
    assert used == completion.usage == bill.usage
    assert used.prompt_tokens < most.prompt_tokens < 10 * used.prompt_tokens
    assert used.completion_tokens < most.completion_tokens
    assert used.cost
    assert most.cost
    assert used.cost < most.cost


async def test_what_the_service_understands_is_found_out_once_for_all_questions(server: OpenAIServer) -> None:
    server.fault, server.reply, server.formats = None, {"word": "lamp"}, {"text"}
    try:
        model = ChatModel(server.base_url, SecretStr(KEY), "chat")
        before = len(server.requests)
        for _ in range(2):
            purse = Purse()
            await BilledChat(model, "answer", Bill(lambda *_: None, purse)).complete(QUESTIONS, Word, seconds=5)
            assert len(purse.settled) == 1
        assert len(server.requests) - before == 4
    finally:
        server.formats = {"json_schema", "json_object", "text"}


@pytest.mark.parametrize("stops", [1, 3])
async def test_whoever_is_stopped_while_the_purse_thinks_leaves_nothing_set_aside(
    server: OpenAIServer, stops: int
) -> None:
    purse = Stubborn()
    chat, _ = billed(server, purse)
    before = len(server.requests)
    asking = asyncio.create_task(chat.complete(QUESTIONS, Word, seconds=5))
    await purse.busy.wait()
    for _ in range(stops):
        asking.cancel()
        await asyncio.sleep(0)
    purse.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [used for _, used, _ in purse.settled] == [Usage()]
    assert (purse.open, len(server.requests) - before) == ([], 0)


async def test_whoever_is_stopped_while_the_purse_settles_has_settled(server: OpenAIServer) -> None:
    purse = Stubborn()
    chat, _ = billed(server, purse)
    purse.reserves_at_once = True
    asking = asyncio.create_task(chat.complete(QUESTIONS, Word, seconds=5))
    await purse.busy.wait()
    asking.cancel()
    await asyncio.sleep(0)
    purse.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert purse.open == []
    assert [used.prompt_tokens > 0 for _, used, _ in purse.settled] == [True]


async def test_a_service_that_is_not_there_costs_nothing_and_one_that_is_slow_may_have_been_paid() -> None:
    purse = Purse()
    nowhere = ChatModel("http://127.0.0.1:1/v1", None, "chat", PRICES)
    with pytest.raises(Unavailable):
        await BilledChat(nowhere, "answer", Bill(lambda *_: None, purse)).complete(QUESTIONS, Word, seconds=5)
    with pytest.raises(Unavailable):
        await BilledChat(nowhere, "answer", Bill(lambda *_: None, purse)).complete(QUESTIONS, Word, seconds=0)
    (free, slow) = purse.settled
    assert free[1] == Usage()
    assert slow[1] == slow[0]
