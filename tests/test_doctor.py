"""`library doctor` looks at everything, names what is wrong in plain words, and is done in a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ai_library_bot import doctor
from ai_library_bot.answers.redis_cache import RedisCache
from ai_library_bot.errors import Unavailable
from ai_library_bot.locales import LANGUAGES, messages
from ai_library_bot.openai_api.embedding import OpenAIEmbedder
from ai_library_bot.openai_api.service import Service
from ai_library_bot.readers import sandbox
from ai_library_bot.types import Check, Usage
from ai_library_bot.usage import UsageLedger
from tests import redis_server
from tests.fakes_embedder import FakeEmbedder
from tests.openai_server import OpenAIServer, no_credit, stall, status
from tests.redis_server import needs_redis
from tests.shelves import Shelf

KEY = "sk-very-secret"
STORM = "Буря началась ночью, и смотритель маяка зажёг вторую лампу."
CALM = "Утром море было спокойным, и чайки сидели на перилах."

Examine = Callable[..., dict[str, Check]]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def examine(shelf: Shelf) -> Examine:
    """The checks of the shelf by their keys. Every one of them can be said, and none says the key."""

    def examine(**set_up: Any) -> dict[str, Check]:
        nothing: dict[str, Any] = dict.fromkeys(("service", "chat_model", "embedder", "redis"))
        nothing |= {"has_key": False, "ledger": UsageLedger(shelf.index), "has_token": False, "may_ask": 0}
        found = asyncio.run(doctor.checks(shelf.books, shelf.generations, **nothing | set_up))
        for language in LANGUAGES:
            for check in found:
                said = messages(language).check(check)
                assert KEY not in said
                assert "{" not in said
        assert len({check.key for check in found}) == len(found)
        return {check.key: check for check in found}

    return examine


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(key=KEY) as server:
        yield server


def asked(server: OpenAIServer, key: str = KEY) -> dict[str, Any]:
    """What a library has set up that asks this server."""
    service = Service(server.base_url, SecretStr(key))
    embedder = OpenAIEmbedder(service, "text-embedding-3-small", None)
    return {"service": service, "has_key": True, "chat_model": "chat", "embedder": embedder}


# With nothing set up


def test_a_fresh_copy_is_sound_and_says_what_could_be_added(examine: Examine) -> None:
    found = examine()
    assert {key: check.ok for key, check in found.items() if not key.startswith("reader")} == {
        "program": True,
        "no_books": None,
        "no_index": None,
        "writable": True,
        "no_service": None,
        "no_bot": None,
    }


@pytest.mark.parametrize("missing", [[], ["network"], list(sandbox.PROTECTIONS)])
def test_what_this_system_does_not_take_from_the_readers_is_named(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, missing: list[str]
) -> None:
    monkeypatch.setattr(sandbox, "holding", lambda: frozenset(sandbox.PROTECTIONS) - {*missing})
    found = {key: check.ok for key, check in examine().items() if key.startswith("reader")}
    assert found == (dict.fromkeys(map("reader.{}".format, missing)) if missing else {"readers_confined": True})


def test_books_and_index_are_counted(examine: Examine, shelf: Shelf) -> None:
    shelf.put("storm.md", STORM)
    shelf.ingest()
    found = examine()
    assert found["books"].details["count"] == 1
    assert found["index"].details == {"generation": 1, "count": 1}


# The service and its models


def test_all_is_well_where_the_service_knows_key_and_models(examine: Examine, server: OpenAIServer) -> None:
    found = examine(**asked(server))
    assert (found["key"].ok, found["chat_model"].ok, found["embedder"].ok) == (True, True, True)
    assert sorted(server.paths) == ["/v1/embeddings", "/v1/models"]
    assert sum(server.texts.values()) == 1


def test_a_refused_key_is_named_for_both(examine: Examine, server: OpenAIServer) -> None:
    found = examine(**asked(server, "sk-wrong"))
    assert found["chat_failed"].because == found["embedder_failed"].because
    assert found["chat_failed"].because
    assert found["chat_failed"].because[0] == "service_key_refused"
    assert "OPENAI_API_KEY" in messages("en").check(found["chat_failed"])


def test_a_model_that_is_not_on_the_list_is_named_with_those_like_it(examine: Examine, server: OpenAIServer) -> None:
    server.models = ["gpt-5.4-mini", "gpt-5.4-nano", "whisper"]
    check = examine(**asked(server) | {"chat_model": "gpt-5.4-minni"})["chat_model_unknown"]
    assert check.ok is False
    assert str(check.details["known"]).startswith("gpt-5.4-mini")
    assert "whisper" not in str(check.details["known"])


def test_of_models_with_other_names_a_few_are_shown(examine: Examine, server: OpenAIServer) -> None:
    server.models = [f"model {number}" for number in range(100)]
    shown = str(examine(**asked(server) | {"chat_model": "xyz"})["chat_model_unknown"].details["known"])
    assert len(shown.split(", ")) == 5


def test_ollamas_names_need_no_version(examine: Examine, server: OpenAIServer) -> None:
    server.models = ["qwen3:latest"]
    assert "chat_model" in examine(**asked(server) | {"chat_model": "qwen3"})


@pytest.mark.parametrize("listed", [None, []])
def test_a_server_without_a_list_of_models_is_believed(
    examine: Examine, server: OpenAIServer, listed: list[str] | None
) -> None:
    server.models = listed
    assert examine(**asked(server))["chat_model_not_checked"].ok is None


def test_a_service_needs_no_key_and_no_writing_model(examine: Examine) -> None:
    with OpenAIServer() as server:
        found = examine(service=Service(server.base_url, None))
        assert (found["no_key"].ok, found["no_chat_model"].ok) == (None, None)
        assert server.requests == []


def test_no_credit_shows_where_it_is_asked_for(examine: Examine, server: OpenAIServer) -> None:
    server.fault = no_credit()
    check = examine(**asked(server))["embedder_failed"]
    assert check.because
    assert check.because[0] == "service_no_credit"


@pytest.mark.parametrize("fault", [stall(), status(503)])
def test_a_service_that_fails_is_waited_for_no_longer_than_a_few_seconds(
    examine: Examine, server: OpenAIServer, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_PATIENCE", 0.3)
    server.fault = fault
    began = time.monotonic()
    found = examine(**asked(server))
    assert time.monotonic() - began < 2
    assert found["chat_failed"].ok is False
    assert not {"embedder_failed", "embedder_slow"}.isdisjoint(found)


# Finding by meaning


def test_every_passage_has_its_vector(examine: Examine, shelf: Shelf) -> None:
    shelf.put("storm.md", STORM, CALM)
    shelf.ingest(embedder=(embedder := FakeEmbedder()))
    assert examine(embedder=embedder)["vectors"].details["count"] == 2


def test_passages_whose_vectors_are_missing_are_counted(examine: Examine, shelf: Shelf) -> None:
    def no_calm(texts: Sequence[str]) -> None:
        if any(CALM in text for text in texts):
            raise Unavailable("service_slow", service="example", seconds=5)

    shelf.put("storm.md", STORM)
    shelf.put("calm.md", CALM)
    shelf.ingest(embedder=FakeEmbedder(batch=1, before=no_calm))
    check = examine(embedder=FakeEmbedder())["vectors_missing"]
    assert (check.ok, check.details["count"]) == (False, 1)
    assert "library ingest" in messages("en").check(check)


def test_an_index_without_vectors_and_vectors_without_a_model_are_named(examine: Examine, shelf: Shelf) -> None:
    shelf.put("storm.md", STORM)
    shelf.ingest()
    assert examine(embedder=FakeEmbedder())["no_vectors"].ok is None
    shelf.ingest(embedder=FakeEmbedder())
    assert examine()["vectors_unused"].ok is None


def test_another_embedding_model_than_that_of_the_index_is_named(examine: Examine, shelf: Shelf) -> None:
    shelf.put("storm.md", STORM)
    shelf.ingest(embedder=FakeEmbedder("one"))
    check = examine(embedder=FakeEmbedder("another"))["embedder_changed"]
    assert check.ok is False
    assert "one" in str(check.details["made_with"])
    assert "another" in str(check.details["asked_for"])


def test_a_local_model_that_is_not_there_is_named_and_not_fetched(examine: Examine, tmp_path: Path) -> None:
    from ai_library_bot.local_model import LocalEmbedder

    assert examine(embedder=LocalEmbedder(cache_folder=tmp_path / "models"))["embedder_failed"].ok is False
    assert examine(embedder=LocalEmbedder(str(tmp_path / "nowhere")))["embedder_failed"].ok is False
    assert not (tmp_path / "models").exists()


# The bot, the cache and the money


@pytest.mark.parametrize(
    ("may_ask", "key", "ok"), [(0, "bot_closed", False), (2, "bot", True), (None, "bot_public", True)]
)
def test_a_bot_that_nobody_may_ask_is_named(examine: Examine, may_ask: int | None, key: str, ok: bool) -> None:
    assert examine(has_token=True, may_ask=may_ask)[key].ok is ok


@needs_redis
def test_a_redis_that_answers(examine: Examine, tmp_path: Path) -> None:
    with redis_server.running(tmp_path) as port:
        assert examine(redis=RedisCache(SecretStr(f"redis://127.0.0.1:{port}/0")))["redis"].ok


def test_a_redis_that_is_not_there_is_named_without_its_password(examine: Examine) -> None:
    check = examine(redis=RedisCache(SecretStr(f"redis://:{KEY}@127.0.0.1:{redis_server.free_port()}/0")))[
        "redis_failed"
    ]
    assert check.ok is False
    assert "127.0.0.1" in messages("en").check(check)


def test_what_was_spent_is_told_for_today_and_for_a_month(examine: Examine, shelf: Shelf) -> None:
    ten_days = 10 * 24 * 3600
    shelf.index.mkdir()
    UsageLedger(shelf.index, clock=lambda: time.time() - ten_days).record(
        "embedding", "m", Usage(2_000_000, 0, 0.04), 9
    )
    UsageLedger(shelf.index).record("answer", "m", Usage(1000, 500, 0.003), 2)
    found = examine()
    assert found["spent_today"].details == {"count": 1500, "cost": 0.003}
    assert found["spent_month"].details["count"] == 2_001_500
    assert messages("en").check(found["spent_today"]) == "Spent today: 1,500 tokens, less than $0.01"
    assert messages("en").check(found["spent_month"]) == "Spent in 30 days: 2,001,500 tokens, $0.04"


def test_tokens_are_told_where_the_price_is_not_known(examine: Examine, shelf: Shelf) -> None:
    shelf.index.mkdir()
    UsageLedger(shelf.index).record("answer", "m", Usage(1000, 500), 2)
    found = examine()
    assert found["used_today"].details == found["used_month"].details == {"count": 1500}
