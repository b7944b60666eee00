"""The library with a service behind it: settings in, a folder of books, a loopback server; the whole way and back."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ai_library_bot import Library, Settings, reading
from ai_library_bot.errors import BadSetting, Unavailable
from ai_library_bot.openai_api.tries import without_waiting
from ai_library_bot.prices import Price
from ai_library_bot.types import Answer, Turn
from ai_library_bot.usage import UsageLedger
from tests.openai_server import Fault, OpenAIServer, body, cut, drip, no_credit, stall, status
from tests.redis_server import free_port
from tests.shelves import Shelf

KEY = "sk-not-for-anybodys-eyes"
KEEPER = "The keeper of the lighthouse stopped writing letters because he was going blind."
CLOCK = "The clock of the tower stopped in the winter of 1871, and nobody wound it again."
QUESTION = "Why did the keeper of the lighthouse stop writing letters?"
SAID = "He was losing his sight."


def librarian(payload: dict[str, Any]) -> str:
    """What an honest model says: the sentence of the passage that answers, under the number it was shown with."""
    shown = payload["messages"][-1]["content"]
    quotes = [
        {"passage": int(number), "quote": KEEPER}
        for number, text in re.findall(r"passage (\d+)\n(.*?)end of passage \1", shown, re.DOTALL)
        if KEEPER in text
    ]
    sentences = [{"text": SAID, "quotes": quotes[:1]}, {"text": "He missed his sister.", "quotes": []}]
    return json.dumps({"found": True, "sentences": sentences})


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(key=KEY) as server, without_waiting():
        server.reply = librarian
        yield server


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf(tmp_path)
    monkeypatch.setattr(reading, "ReaderPool", shelf.pool)  # worker processes are not what is tried here
    shelf.put("keeper.md", KEEPER, title="The Keeper", author="John Frost", language="en")
    shelf.put("clock.md", CLOCK, title="The Clock", author="John Frost", language="en")
    shelf.put("orchard.md", *(f"Orchard number {n} bears apples and pears every autumn." for n in range(20)))
    return shelf


Open = Callable[..., Library]


@pytest.fixture
def opened(server: OpenAIServer, shelf: Shelf) -> Open:
    def open_(**changes: Any) -> Library:
        chosen: dict[str, Any] = {
            "faiss_path": shelf.index,
            "books_path": shelf.books,
            "min_passage_chars": 20,
            "openai_api_key": SecretStr(KEY),
            "openai_base_url": server.base_url,
            "openai_model": "chat",
            "answer_seconds": 5,
        }
        return Library.open(Settings(_env_file=None, **(chosen | changes)))  # type: ignore[call-arg]

    return open_


def chats(server: OpenAIServer) -> int:
    return server.paths.count("/v1/chat/completions")


def read_figures(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as served:
        return served.read().decode().splitlines()  # type: ignore[no-any-return]


def reasons(answer: Answer) -> list[str]:
    return [notice.because[0] if notice.because else notice.key for notice in answer.notices]


async def test_from_a_folder_of_books_to_an_answer_in_sentences(opened: Open, server: OpenAIServer) -> None:
    grown: list[str] = []
    async with opened() as library:
        report = await library.ingest()
        assert (report.embedded, report.notices) == (report.passages, ())
        found = await library.search("keeper lighthouse letters")
        assert (found.mode, found.notices) == ("hybrid", ())
        answer = await library.ask(QUESTION, on_growth=grown.append)
    assert (answer.found, answer.text, answer.writer, answer.notices) == (True, f"{SAID} [1]", "chat", ())
    assert [citation.quote for citation in answer.citations] == [KEEPER]
    assert grown == [answer.text]
    assert len(server.texts) == sum(server.texts.values()) == report.passages + 2


async def test_not_strict_the_models_own_words_stay_and_are_marked(opened: Open) -> None:
    async with opened() as library:
        await library.ingest()
        answer = await library.ask(QUESTION, strict=False)
    assert answer.text == f"{SAID} [1] He missed his sister. [*]"
    assert answer.own_words == ("He missed his sister.",)


async def test_the_same_question_is_not_paid_for_twice_until_the_books_change(
    opened: Open, server: OpenAIServer, shelf: Shelf
) -> None:
    async with opened() as library:
        await library.ingest()
        first = await library.ask(QUESTION)
        again = await library.ask(f"  {QUESTION.upper()} ")
        assert (again.text, again.citations) == (first.text, first.citations)
        assert chats(server) == 1
        await library.ask(QUESTION, books=["keeper"])
        assert chats(server) == 2
        shelf.put("new.md", "A new book changes what the answer may be.")
        await library.ingest()
        await library.ask(QUESTION)
    assert chats(server) == 3


async def test_what_to_ask_next_is_suggested_by_the_model_and_remembered_with_the_answer(
    opened: Open, server: OpenAIServer
) -> None:
    suggested = ["When did the clock of the tower stop?", "How do whales breathe?"]
    server.reply = lambda payload: json.dumps(json.loads(librarian(payload)) | {"next_questions": suggested})
    async with opened() as library:
        await library.ingest()
        for _ in range(2):
            answer = await library.ask(QUESTION)
            assert answer.next_questions == (suggested[0],)
    assert chats(server) == 1


async def test_without_a_cache_every_question_is_asked(opened: Open, server: OpenAIServer) -> None:
    async with opened(cache_backend="none") as library:
        await library.ingest()
        for _ in range(2):
            await library.ask(QUESTION)
    assert chats(server) == 2


async def test_what_was_paid_for_is_written_down(opened: Open, shelf: Shelf) -> None:
    async with opened() as library:
        await library.ingest()
        answer = await library.ask(QUESTION, history=[Turn("Who kept the lighthouse?", "Prokhor.")])
    spent = {one.kind: one.usage.prompt_tokens for one in UsageLedger(shelf.index).today()}
    assert spent.keys() == {"embedding", "question", "answer", "rewrite"}
    assert all(spent.values())
    assert answer.usage.prompt_tokens == sum(spent.values()) - spent["embedding"]


async def test_a_model_that_gives_nothing_usable_is_paid_for_all_the_same(
    opened: Open, server: OpenAIServer, shelf: Shelf
) -> None:
    server.reply = "I would rather talk about the weather."
    async with opened() as library:
        await library.ingest()
        answer = await library.ask(QUESTION)
    assert answer.writer == "extractive"
    assert [one.model for one in UsageLedger(shelf.index).today() if one.kind == "answer"] == ["chat"]


async def test_ordering_anew_has_an_account_of_its_own(opened: Open, server: OpenAIServer, shelf: Shelf) -> None:
    server.replies.append({"best_first": [2, 1]})
    async with opened(rerank_model="chat") as library:
        await library.ingest()
        await library.ask(QUESTION)
    assert {"rerank", "answer"} <= {one.kind for one in UsageLedger(shelf.index).today()}


async def test_the_figures_for_prometheus_are_those_of_the_library(opened: Open, server: OpenAIServer) -> None:
    port = free_port()
    async with opened(metrics_port=port) as library:
        report = await library.ingest()
        for _ in range(2):
            await library.ask(QUESTION)
        server.fault = status(500)
        await library.search("keeper")
        figures = await asyncio.to_thread(read_figures, port)
    for line in (
        'library_cache_lookups_total{result="hit"} 1.0',
        'library_cache_lookups_total{result="miss"} 1.0',
        'library_answers_total{outcome="found"} 2.0',
        'library_errors_total{error="service_failed"} 1.0',
        f"library_index_passages {float(report.passages)}",
    ):
        assert line in figures


FAULTS: list[tuple[Fault, str]] = [
    (status(500), "service_failed"),
    (status(401), "service_key_refused"),
    (no_credit(), "service_no_credit"),
    (body(b"<html>"), "service_nonsense"),
    (cut(), "service_down"),
    (stall(), "service_slow"),
    (drip(), "service_slow"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=[reason for _, reason in FAULTS])
async def test_a_service_that_fails_costs_the_model_and_not_the_answer(
    opened: Open, server: OpenAIServer, fault: Fault, reason: str
) -> None:
    async with opened() as library:
        await library.ingest()
    server.fault = fault
    before = len(server.requests)
    began = time.monotonic()
    async with opened(answer_seconds=1) as library:
        answer = await library.ask(QUESTION)
    assert (answer.found, answer.writer) == (True, "extractive")
    assert [citation.quote for citation in answer.citations] == [KEEPER]
    assert [notice.key for notice in answer.notices] == ["search_by_words", "writer_unavailable"]
    assert reasons(answer)[0] == reason
    assert time.monotonic() - began < 3
    assert len(server.requests) - before <= 2 + 5  # two tries for the vector, five for the answer


async def test_a_server_that_is_gone_is_told_apart_from_an_empty_library(opened: Open, server: OpenAIServer) -> None:
    async with opened() as library:
        await library.ingest()
    async with opened(openai_base_url="http://127.0.0.1:1/v1") as library:
        found = await library.search("keeper")
        answer = await library.ask(QUESTION)
    assert (found.mode, [notice.key for notice in found.notices]) == ("lexical", ["search_by_words"])
    assert [hit.book.title for hit in found] == ["The Keeper"]
    assert answer.found


async def test_the_vectors_of_another_model_are_refused_with_the_command_that_mends_it(
    opened: Open, server: OpenAIServer
) -> None:
    async with opened() as library:
        await library.ingest()
    async with opened(embedding_model="other") as library:
        with pytest.raises(BadSetting, match="library ingest") as refused:
            await library.search("keeper")
        assert "text-embedding-3-small" in str(refused.value)
        assert "other" in str(refused.value)
        with pytest.raises(BadSetting):
            await library.ask(QUESTION)
        await library.ingest()
        assert (await library.search("keeper")).mode == "hybrid"


async def test_an_index_without_vectors_says_how_to_get_them_and_one_without_a_model_how_to_use_them(
    opened: Open,
) -> None:
    async with opened(embedder="none") as library:
        await library.ingest()
        assert (await library.search("keeper")).notices == ()
    async with opened() as library:
        assert [notice.key for notice in (await library.search("keeper")).notices] == ["vectors_missing"]
        await library.ingest()
        assert (await library.search("keeper")).notices == ()
    unset = {"openai_api_key": None, "openai_base_url": "https://api.openai.com/v1"}
    async with opened(**unset) as library:
        assert [notice.key for notice in (await library.search("keeper")).notices] == ["vectors_unused"]
    async with opened(**unset, embedder="none") as library:
        assert (await library.search("keeper")).notices == ()


async def test_a_follow_up_question_is_searched_as_the_model_understands_it(opened: Open, server: OpenAIServer) -> None:
    def understood(payload: dict[str, Any]) -> str:
        server.reply = librarian
        return json.dumps({"question": QUESTION})

    async with opened() as library:
        await library.ingest()
        server.reply = understood
        answer = await library.ask("And why did he stop?", history=[Turn("Who kept it?", "The keeper [1].")])
    assert answer.question == "And why did he stop?"
    assert answer.text == f"{SAID} [1]"
    assert server.texts[QUESTION] == 1


async def test_words_that_are_being_typed_are_quoted_without_asking_anybody(opened: Open, server: OpenAIServer) -> None:
    async with opened() as library:
        await library.ingest()
        before = len(server.requests)
        found = await library.quotations("keeper of the lighthouse")
        assert [(citation.number, citation.quote) for citation in found] == [(1, KEEPER)]
        assert len(await library.quotations("apples and pears", limit=3)) == 3
        for nothing in ("", "  ", "?!", "1871", "whales under the polar ice"):
            assert await library.quotations(nothing) == ()
        assert len(server.requests) == before


async def test_a_recording_becomes_a_question(opened: Open, server: OpenAIServer, shelf: Shelf) -> None:
    server.transcript = f" {QUESTION}\n"
    async with opened(transcription_model="hears", prices={"hears": Price(input=3)}) as library:
        await library.ingest()
        assert library.understands_voice
        question = await library.transcribe(b"sound" * 1000, name="voice.oga")
        assert question == QUESTION
        assert (await library.ask(question)).found
    (spent,) = (one for one in UsageLedger(shelf.index).today() if one.kind == "transcription")
    assert (spent.model, spent.requests) == ("hears", 1)
    assert spent.usage.prompt_tokens > 0
    assert spent.usage.cost


async def test_a_recording_that_a_service_fails_on_is_sent_once_more(opened: Open, server: OpenAIServer) -> None:
    async with opened(transcription_model="hears") as library:
        server.faults.append(status(503))
        assert await library.transcribe(b"sound") == server.transcript
        server.fault = status(503)
        with pytest.raises(Unavailable):
            await library.transcribe(b"sound")
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "changes",
    [{}, {"transcription_model": "hears", "openai_api_key": None, "openai_base_url": "https://api.openai.com/v1"}],
    ids=["no model", "no service"],
)
async def test_where_nothing_is_set_up_for_it_voice_is_not_understood_and_it_says_how(
    opened: Open, server: OpenAIServer, changes: dict[str, Any]
) -> None:
    async with opened(**changes) as library:
        assert not library.understands_voice
        with pytest.raises(BadSetting, match="TRANSCRIPTION_MODEL"):
            await library.transcribe(b"sound")
    assert server.requests == []


async def test_only_quoting_is_a_choice_that_asks_no_model(opened: Open, server: OpenAIServer) -> None:
    async with opened(openai_model="none") as library:
        await library.ingest()
        answer = await library.ask(QUESTION, history=[Turn("Who kept it?", "The keeper.")])
    assert (answer.found, answer.writer, answer.notices) == (True, "extractive", ())
    assert chats(server) == 0


async def test_a_dry_run_sends_nothing_and_tells_what_an_ingest_will_send(opened: Open, server: OpenAIServer) -> None:
    async with opened() as library:
        plan = await library.plan()
        assert server.requests == []
        await library.ingest()
        assert plan.to_embed == sum(server.texts.values()) == len(server.texts)
        assert plan.tokens > 0
        assert plan.cost
        assert (await library.plan()).to_embed == 0


async def test_no_notice_holds_a_secret(opened: Open, server: OpenAIServer, shelf: Shelf) -> None:
    async with opened() as library:
        await library.ingest()
    server.fault = status(400, f"bad key {KEY}")
    async with opened() as library:
        answer = await library.ask(QUESTION)
        assert answer.notices
        assert KEY not in repr(answer)
        assert KEY not in repr(vars(library))
        shelf.put("new.md", "Another book, which will have to wait for its vectors.")
        report = await library.ingest()
        assert report.notices
        assert KEY not in repr(report)
