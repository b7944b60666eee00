"""A server that speaks OpenAI's protocol on this machine, as well or as badly as a test wants.

In a test:

    with OpenAIServer() as server:
        server.replies.append({"found": True})       # what the model says next; a dict is sent as JSON
        server.faults += [status(500), stall()]      # what happens to the next two requests instead
        service = Service(server.base_url, None)
        ...
        assert server.texts["a passage"] == 1        # how often a text was sent for embedding

As a process of its own, for benchmarks and for tests that kill:

    python -m tests.openai_server --latency 0.08 --dimensions 1536

It prints its base URL on the first line and serves until it is ended; `GET /seen` tells what it was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import email
import json
import sys
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy

from tests.fakes_embedder import hashed_words

if TYPE_CHECKING:
    from ai_library_bot.protocols import Matrix

UNKNOWN_MODEL = "no-such-model"
"""The model that the server has not."""

MOST_INPUTS = 2048


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    headers: dict[str, str]
    payload: dict[str, Any]


@dataclass(frozen=True)
class Response:
    """What the server means to answer: `pieces` follow one another as chunks."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()


Send = Callable[[bytes], Awaitable[None]]
Fault = Callable[[Response, Send], Awaitable[None]]
"""Does with the response that was meant what it likes. The connection closes behind it."""

Reply = str | dict[str, Any] | Callable[[dict[str, Any]], str]
"""What the model says: text, an object to be sent as JSON, or a function of the request's payload."""


def word_vectors(texts: Sequence[str], dimensions: int) -> Matrix:
    """Vectors of texts that share words are near."""
    return numpy.stack([hashed_words(text, dimensions) for text in texts])


class OpenAIServer:
    """Listens on a free port as long as it is entered. Thread-safe enough for tests: one side asks, the other looks.

    `embed` makes the vectors of texts in a given length; without it every request gets the same ones, prepared once:
    that is for benchmarks.
    """

    def __init__(
        self,
        *,
        dimensions: int = 64,
        latency: float = 0,
        key: str | None = None,
        embed: Callable[[Sequence[str], int], Matrix] | None = word_vectors,
        port: int = 0,
    ) -> None:
        self.dimensions = dimensions
        self.latency = latency
        self.key = key
        self.embed = embed
        self.port = port
        self.requests: list[Request] = []
        """Everything that was asked, in order."""
        self.texts: Counter[str] = Counter()
        """How often each text was sent for embedding, whatever came of it."""
        self.faults: deque[Fault] = deque()
        """What happens to the next requests, one each."""
        self.fault: Fault | None = None
        """What happens to every request, when `faults` are used up."""
        self.replies: deque[Reply] = deque()
        """What the model says next, one each."""
        self.reply: Reply = ""
        """What the model says when `replies` are used up."""
        self.formats = {"json_schema", "json_object", "text"}
        """The response formats it takes; any other is refused with 400."""
        self.transcript: str = "Who kept the lighthouse?"
        """What it hears in every recording."""
        self.models: list[str] | None = ["chat", "text-embedding-3-small"]
        """What it has, by its own account; None for a server that keeps no list."""
        self.reranks_texts = False
        """Whether it orders `texts`, as Text Embeddings Inference does, and not `documents`, as everybody else."""
        self.ignores: set[str] = set()
        """Fields of a request it pretends not to have seen."""
        self.refuses: set[str] = set()
        """Fields of a request that make it answer 400."""
        self.in_flight = 0
        self.most_in_flight = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai-server", daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many connections were made."""
        return len(self._writers)

    @property
    def paths(self) -> list[str]:
        """The paths that were asked, in order."""
        return [request.path for request in self.requests]

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**26)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # the loop lets go of their sockets

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(piece: bytes) -> None:
            writer.write(piece)
            await writer.drain()

        self._writers.append(writer)
        try:
            while True:
                request = await _received(reader)
                self.in_flight += 1
                self.most_in_flight = max(self.in_flight, self.most_in_flight)
                try:
                    if not await self._answered(request, send):
                        break
                finally:
                    self.in_flight -= 1
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone away, or the test is over
        finally:
            writer.close()

    async def _answered(self, request: Request, send: Send) -> bool:
        """Answers; tells whether the connection stays open."""
        if request.path == "/seen":
            await _send_well(_json({"requests": len(self.requests), "texts": dict(self.texts)}), send)
            return True
        self.requests.append(request)
        if request.path == "/v1/embeddings":
            self.texts.update(request.payload.get("input", ()))
        fault = self.faults.popleft() if self.faults else self.fault
        if self.latency:
            await asyncio.sleep(self.latency)
        response = self._response(request)
        if fault:
            await fault(response, send)
            return False
        await _send_well(response, send)
        return True

    def _response(self, request: Request) -> Response:
        payload = request.payload
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            sent = request.headers.get("authorization", "").removeprefix("Bearer ")
            return error(401, f"Incorrect API key provided: {sent}.", code="invalid_api_key")
        if payload.get("model") == UNKNOWN_MODEL:
            return error(404, f"The model `{UNKNOWN_MODEL}` does not exist.", code="model_not_found")
        for name in self.refuses & payload.keys():
            return error(400, f"Unrecognized request argument supplied: {name}")
        payload = {name: value for name, value in payload.items() if name not in self.ignores}
        if request.path == "/v1/embeddings":
            return self._embeddings(payload)
        if request.path == "/v1/chat/completions":
            return self._chat(payload)
        if request.path == "/v1/audio/transcriptions":
            return self._transcription(payload)
        if request.path == "/v1/rerank":
            return self._rerank(payload)
        if request.path == "/v1/models" and self.models is not None:
            return _json({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})
        return error(404, "Not found.")

    def _embeddings(self, payload: dict[str, Any]) -> Response:
        texts = payload["input"]
        if not texts or len(texts) > MOST_INPUTS or not all(texts):
            return error(400, "'$.input' is invalid.")
        model, dimensions = payload["model"], payload.get("dimensions", self.dimensions)
        as_base64 = payload.get("encoding_format") == "base64"
        if self.embed is None:
            return _prepared(model, len(texts), dimensions, as_base64)
        tokens = sum(len(text) // 4 + 1 for text in texts)
        return _vectors(model, self.embed(texts, dimensions), as_base64, tokens)

    def _chat(self, payload: dict[str, Any]) -> Response:
        wanted = payload.get("response_format", {"type": "text"})["type"]
        if wanted not in self.formats:
            return error(400, f"This model does not support response format `{wanted}`.")
        reply = self.replies.popleft() if self.replies else self.reply
        if callable(reply):
            reply = reply(payload)
        text = reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
        prompt = sum(len(message["content"]) // 4 + 1 for message in payload["messages"])
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": len(text) // 4 + 1,
            "total_tokens": prompt + len(text) // 4 + 1,
        }
        same = {"id": "chatcmpl-1", "created": 1, "model": payload["model"]}
        if not payload.get("stream"):
            message = {"role": "assistant", "content": text, "refusal": None}
            choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
            return _json(same | {"object": "chat.completion", "choices": [choice], "usage": usage})
        chunk = same | {"object": "chat.completion.chunk"}
        events: list[dict[str, Any]] = [
            chunk | {"choices": [{"index": 0, "delta": {"content": text[start : start + 7]}, "finish_reason": None}]}
            for start in range(0, len(text), 7)
        ]
        events.append(chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if payload.get("stream_options", {}).get("include_usage"):
            events.append(chunk | {"choices": [], "usage": usage})
        lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
        return Response(headers={"content-type": "text/event-stream"}, pieces=(*lines, b"data: [DONE]\n\n"))

    def _transcription(self, payload: dict[str, Any]) -> Response:
        if not payload.get("file"):
            return error(400, "Invalid file format.")
        heard, said = len(payload["file"]) // 1000 + 1, len(self.transcript) // 4 + 1
        usage = {"type": "tokens", "input_tokens": heard, "output_tokens": said, "total_tokens": heard + said}
        return _json({"text": self.transcript, "usage": usage})

    def _rerank(self, payload: dict[str, Any]) -> Response:
        field = "texts" if self.reranks_texts else "documents"
        if field not in payload:
            return error(422, f"Failed to deserialize the JSON body: missing field `{field}`")
        query, *texts = word_vectors([payload["query"], *payload[field]], self.dimensions)
        scores = sorted(((float(query @ text), index) for index, text in enumerate(texts)), reverse=True)
        if self.reranks_texts:
            return _json([{"index": index, "score": score} for score, index in scores])
        results = [{"index": index, "relevance_score": score} for score, index in scores]
        return _json({"results": results, "usage": {"total_tokens": 10 * len(texts)}})


def _vectors(model: str, matrix: Matrix, as_base64: bool, tokens: int) -> Response:
    little = matrix.astype("<f4")
    rows: list[Any] = [base64.b64encode(row.tobytes()).decode() for row in little] if as_base64 else little.tolist()
    return _json(
        {
            "object": "list",
            "model": model,
            "data": [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


@cache
def _prepared(model: str, count: int, dimensions: int, as_base64: bool) -> Response:
    matrix = numpy.random.default_rng(1).standard_normal((count, dimensions), dtype=numpy.float32)
    return _vectors(model, matrix, as_base64, count)


def error(status: int, message: str, *, code: str | None = None, headers: dict[str, str] | None = None) -> Response:
    """A refusal in OpenAI's shape."""
    told = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return Response(status, {"content-type": "application/json"} | (headers or {}), (json.dumps(told).encode(),))


def instead(response: Response) -> Fault:
    """That response instead of the one that was meant."""

    async def fault(_: Response, send: Send) -> None:
        await _send_well(response, send, close=True)

    return fault


def status(code: int, message: str = "Something is wrong here.", **headers: str) -> Fault:
    """An error status; headers are named with underscores: `status(429, retry_after="1")`."""
    return instead(error(code, message, headers={name.replace("_", "-"): value for name, value in headers.items()}))


def no_credit() -> Fault:
    """429, but it will never pass."""
    return instead(error(429, "You exceeded your current quota.", code="insufficient_quota"))


def body(content: bytes | str, content_type: str = "application/json") -> Fault:
    """Anything at all, with status 200."""
    content = content.encode() if isinstance(content, str) else content
    return instead(Response(headers={"content-type": content_type}, pieces=(content,)))


def altered(change: Callable[[Any], object]) -> Fault:
    """The response that was meant, its JSON changed in place."""

    async def fault(response: Response, send: Send) -> None:
        value = json.loads(b"".join(response.pieces))
        change(value)
        await _send_well(_json(value), send, close=True)

    return fault


def badly_packed() -> Fault:
    """It says that it is gzip, and is not."""
    return instead(Response(headers={"content-type": "application/json", "content-encoding": "gzip"}, pieces=(b"{}",)))


def stall(after: int = 0) -> Fault:
    """Not a word more after so many pieces of the response; not even a status if there are none."""

    async def fault(response: Response, send: Send) -> None:
        if after:
            await send(_head(response, close=True))
        for chunk in _chunked(response)[:after]:
            await send(chunk)
        await asyncio.Event().wait()

    return fault


def drip(seconds: float = 0.05) -> Fault:
    """The response that was meant, a byte at a time."""

    async def fault(response: Response, send: Send) -> None:
        await send(_head(response, close=True))
        for byte in b"".join(_chunked(response)):
            await send(bytes([byte]))
            await asyncio.sleep(seconds)

    return fault


def spread(seconds: float) -> Fault:
    """The response that was meant, its pieces spread evenly over so many seconds, as a model writes."""

    async def fault(response: Response, send: Send) -> None:
        await send(_head(response, close=True))
        chunks = _chunked(response)
        for chunk in chunks:
            await asyncio.sleep(seconds / len(chunks))
            await send(chunk)

    return fault


def held(go: threading.Event, share: float = 0.75) -> Fault:
    """The response that was meant; only so much of it until it may go on."""

    async def fault(response: Response, send: Send) -> None:
        chunks = _chunked(response)
        first = round(share * len(chunks))
        await send(_head(response, close=True))
        for chunk in chunks[:first]:
            await send(chunk)
        while not go.is_set():  # noqa: ASYNC110 - it is the test's thread that sets it
            await asyncio.sleep(0.005)
        for chunk in chunks[first:]:
            await send(chunk)

    return fault


def cut(after: int = 1) -> Fault:
    """The connection ends after so many pieces of the response; inside the piece if there is only one."""

    async def fault(response: Response, send: Send) -> None:
        chunks = _chunked(response)
        await send(_head(response, close=True))
        for chunk in chunks[:after]:
            await send(chunk[: len(chunk) // 2] if len(response.pieces) == 1 else chunk)

    return fault


async def _received(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", 0)))
    kind = headers.get("content-type", "")
    payload = _form(kind, content) if kind.startswith("multipart/form-data") else json.loads(content or b"{}")
    return Request(first.split()[1], headers, payload)


def _form(kind: str, content: bytes) -> dict[str, Any]:
    """The fields of a form; that of a file is its content, and `file_name` its name."""
    form = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + content)
    payload: dict[str, Any] = {}
    for part in form.walk():
        name, value = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(value, bytes):
            payload[name] = value.decode() if part.get_filename() is None else value
            if part.get_filename() is not None:
                payload["file_name"] = part.get_filename()
    return payload


async def _send_well(response: Response, send: Send, *, close: bool = False) -> None:
    await send(_head(response, close=close))
    for chunk in _chunked(response):
        await send(chunk)


def _head(response: Response, *, close: bool) -> bytes:
    headers = response.headers | {"transfer-encoding": "chunked"} | ({"connection": "close"} if close else {})
    lines = [f"HTTP/1.1 {response.status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _chunked(response: Response) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in response.pieces] + [b"0\r\n\r\n"]


def _json(value: Any) -> Response:
    return Response(headers={"content-type": "application/json"}, pieces=(json.dumps(value).encode(),))


def main() -> None:
    parser = argparse.ArgumentParser(description="A loopback server that speaks OpenAI's protocol.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0, help="seconds before each answer")
    parser.add_argument("--dimensions", type=int, default=64, help="of vectors, where the request names none")
    parser.add_argument("--key", help="refuse every other key")
    parser.add_argument("--reply", default="", help="what the model says")
    parser.add_argument("--prepared", action="store_true", help="the same random vectors for every request")
    options = parser.parse_args()
    server = OpenAIServer(
        port=options.port,
        latency=options.latency,
        dimensions=options.dimensions,
        key=options.key,
        embed=None if options.prepared else word_vectors,
    )
    server.reply = options.reply
    with server, suppress(KeyboardInterrupt):
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
