"""Fetching a model by its name, from a hub on this machine that speaks as much of the protocol as that takes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ai_library_bot.errors import BadSetting, CannotWrite, LibraryError, Unavailable
from ai_library_bot.local_model import LocalEmbedder, hub
from tests.local_model import tiny_model

NAME = "somebody/tiny-e5"
REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Offers the files of a folder as the model `NAME`."""

    daemon_threads = True

    def __init__(self, offered: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {
            str(path.relative_to(offered)): path.read_bytes() for path in offered.rglob("*") if path.is_file()
        }
        self.asked: list[str] = []
        self.stalled = threading.Event()
        self.stall_at = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        files = self.server.files
        resolve = f"/{NAME}/resolve/{REVISION}/"
        listed: list[dict[str, Any]] = [
            {"type": "file", "path": name, "rfilename": name, "size": len(content), "oid": _tag(content)}
            for name, content in files.items()
        ]
        if path in (f"/api/models/{NAME}", f"/api/models/{NAME}/revision/{REVISION}"):
            self._answer(json.dumps({"id": NAME, "sha": REVISION, "siblings": listed}).encode())
        elif path == f"/api/models/{NAME}/tree/{REVISION}":
            self._answer(json.dumps(listed).encode())
        elif path.startswith(resolve) and path.removeprefix(resolve) in files:
            name = path.removeprefix(resolve)
            if self.command == "GET":
                self.server.asked.append(name)
            self._answer(files[name], stall=name == self.server.stall_at)
        else:
            self._answer(b'{"error": "Repository not found"}', status=404, code="RepoNotFound")

    def _answer(self, body: bytes, *, status: int = 200, code: str = "", stall: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{_tag(body)}"')
        self.send_header("X-Repo-Commit", REVISION)
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        if self.command == "GET" and stall:
            self.wfile.write(body[:100])
            self.wfile.flush()
            self.server.stalled.set()
            time.sleep(60)
        elif self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def _tag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tiny_model.write(tmp_path / "offered")
    (folder / "README.md").write_text("a model")
    (folder / "pytorch_model.bin").write_bytes(b"of no use here" * 1000)
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model.onnx")
    (folder / "onnx" / "model_O4.onnx").write_bytes(b"another variant")
    with Hub(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home of the hub's library"))
        yield server
        server.shutdown()
        thread.join()


def embed(embedder: LocalEmbedder) -> int:
    async def count() -> int:
        return sum([len(batch.vectors) async for batch in embedder.embed_passages(["storm", "bridge"])])

    return asyncio.run(count())


def failure(embedder: LocalEmbedder) -> LibraryError:
    with pytest.raises(LibraryError) as caught:
        embed(embedder)
    return caught.value


def test_a_model_is_fetched_once_and_only_what_is_needed(server: Hub, tmp_path: Path) -> None:
    heard: list[hub.Fetched] = []
    embedder = LocalEmbedder(NAME, tmp_path / "cache", heard.append)
    assert embed(embedder) == 2
    wanted = {name for name in server.files if name.endswith(".json")} | {"onnx/model.onnx"}
    assert sorted(server.asked) == sorted(wanted)
    first = heard[0]
    assert first == (NAME, tmp_path / "cache" / "somebody--tiny-e5", 0, sum(len(server.files[name]) for name in wanted))
    assert first.notice.details["megabytes"] == 1
    assert all(step.done <= step.total == first.total for step in heard)

    server.shutdown()
    again = LocalEmbedder(NAME, tmp_path / "cache", heard.append)
    assert embed(again) == 2
    assert len([step for step in heard if step.done == 0]) == 1
    assert again.fingerprint == embedder.fingerprint


def test_what_was_fetched_is_a_folder_like_any_other(server: Hub, tmp_path: Path) -> None:
    by_name = LocalEmbedder(NAME, tmp_path)
    embed(by_name)
    by_folder = LocalEmbedder(str(hub.folder_of(NAME, tmp_path)))
    question = asyncio.run(by_name.embed_question("storm"))[0]
    assert (question == asyncio.run(by_folder.embed_question("storm"))[0]).all()


def test_a_question_does_not_wait_for_it(server: Hub, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        asyncio.run(LocalEmbedder(NAME, tmp_path).embed_question("storm"))
    assert caught.value.key == "model_not_fetched"
    assert server.asked == []


def test_without_texts_nothing_is_fetched(server: Hub, tmp_path: Path) -> None:
    async def none() -> list[object]:
        return [batch async for batch in LocalEmbedder(NAME, tmp_path).embed_passages([])]

    assert asyncio.run(none()) == []
    assert server.asked == []


def test_no_such_model(server: Hub, tmp_path: Path) -> None:
    error = failure(LocalEmbedder("somebody/other", tmp_path))
    assert isinstance(error, BadSetting)
    assert error.key == "model_unknown"


@pytest.mark.parametrize("missing", ["onnx/model.onnx", "tokenizer.json"])
def test_a_model_that_is_not_offered_in_onnx(server: Hub, tmp_path: Path, missing: str) -> None:
    del server.files[missing]
    error = failure(LocalEmbedder(NAME, tmp_path))
    assert isinstance(error, BadSetting)
    assert error.key == "model_not_onnx"


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    error = failure(LocalEmbedder(NAME, tmp_path / "cache"))
    assert isinstance(error, Unavailable)
    assert error.key == "model_fetch_failed"
    assert "EMBEDDING_MODEL" in str(error)
    assert not (tmp_path / "cache" / "somebody--tiny-e5").exists()


def test_offline_by_wish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert failure(LocalEmbedder(NAME, tmp_path)).key == "model_fetch_failed"


def test_a_place_that_cannot_be_written(server: Hub, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    error = failure(LocalEmbedder(NAME, tmp_path / "cache"))
    assert isinstance(error, CannotWrite)
    assert error.key == "model_not_written"


def test_a_stalled_hub_is_given_up(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_SILENT_SECONDS", 2)
    server.stall_at = "onnx/model.onnx"
    error = failure(LocalEmbedder(NAME, tmp_path))
    assert isinstance(error, Unavailable)
    assert error.key == "model_fetch_failed"


async def test_who_wants_no_more_need_not_wait_for_it(server: Hub, tmp_path: Path) -> None:
    server.stall_at = "onnx/model.onnx"
    batches = LocalEmbedder(NAME, tmp_path).embed_passages(["storm"], lambda: not server.stalled.is_set())
    assert [batch async for batch in batches] == []


async def test_cancelling_ends_it_at_once_and_the_next_run_goes_on(server: Hub, tmp_path: Path) -> None:
    server.stall_at = "onnx/model.onnx"
    embedder = LocalEmbedder(NAME, tmp_path)

    async def first() -> None:
        await anext(embedder.embed_passages(["storm"]))

    work = asyncio.create_task(first())
    await asyncio.to_thread(server.stalled.wait)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not hub.folder_of(NAME, tmp_path).exists()
    server.stall_at = ""
    assert [len(batch.vectors) async for batch in embedder.embed_passages(["storm"])] == [1]
