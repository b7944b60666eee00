"""Figures for Prometheus: how long things take, what fails, what models cost. The only importer of prometheus_client.

Until `start` is called every function here does nothing. docs/metrics.md says what each figure means.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

from ai_library_bot.errors import BadSetting
from ai_library_bot.types import Usage

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import CollectorRegistry

ADDRESS = "127.0.0.1"
"""Nobody but this machine may read: the figures tell who asks how much."""

Outcome = Literal["found", "not_found", "quoted"]
"""How a question ended. "quoted": a model is set up but did not answer, so the answer only quotes."""

_POLL = 0.05  # seconds until the server hears that it shall stop
_REQUEST_SECONDS = 5  # for a request to arrive

# Upper ends of the histograms' bars, in seconds.
_SEARCH_BARS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_REQUEST_BARS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120)


def start(port: int) -> None:
    """Serves the figures on the port, to this machine only, until `stop` or the end of the process.

    Raises BadSetting where the extra is not installed or the port is not to be had.
    """
    global _running  # noqa: PLW0603  # one exporter in a process
    if _running is not None:
        return
    try:
        figures = _Figures()
    except ImportError:
        raise BadSetting("extra_missing", setting="METRICS_PORT") from None
    try:
        server = _server(port, figures.registry)
    except OSError as error:
        raise BadSetting("metrics_port_taken", port=port, reason=error.strerror or str(error)) from error
    thread = threading.Thread(target=server.serve_forever, args=(_POLL,), name="metrics", daemon=True)
    thread.start()
    _running = _Running(figures, server, thread)


def stop() -> None:
    """Ends the service."""
    global _running
    running, _running = _running, None
    if running:
        running.server.shutdown()
        running.server.server_close()
        running.thread.join()


def searched(seconds: float) -> None:
    """A search has ended."""
    if _running:
        _running.figures.search_seconds.observe(seconds)


def answered(outcome: Outcome, seconds: float) -> None:
    """A question has ended."""
    if _running:
        _running.figures.answers.labels(outcome).inc()
        _running.figures.answer_seconds.observe(seconds)


def failed(key: str) -> None:
    """A command or a request came to an error, by its message key."""
    if _running:
        _running.figures.errors.labels(key).inc()


def requested(kind: str, model: str, usage: Usage, seconds: float) -> None:
    """A model has answered a request; the arguments are those of `UsageLedger.record`."""
    if _running:
        figures = _running.figures
        figures.request_seconds.labels(kind).observe(seconds)
        figures.tokens.labels(kind, model, "prompt").inc(usage.prompt_tokens)
        figures.tokens.labels(kind, model, "completion").inc(usage.completion_tokens)
        figures.cost.labels(kind, model).inc(usage.cost or 0)


def looked_up(hit: bool) -> None:
    """An answer was looked for in the cache."""
    if _running:
        _running.figures.cache.labels("hit" if hit else "miss").inc()


def index(*, generation: int, books: int, passages: int, size: int) -> None:
    """This generation answers from now on; `size` in bytes."""
    if _running:
        for name, value in {"generation": generation, "books": books, "passages": passages, "bytes": size}.items():
            _running.figures.index[name].set(value)


class _Figures:
    """One of each, in a registry of their own."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        registry = self.registry = CollectorRegistry()
        self.search_seconds = Histogram(
            "library_search_seconds", "Time of a search", buckets=_SEARCH_BARS, registry=registry
        )
        self.answer_seconds = Histogram(
            "library_answer_seconds", "Time of an answer, search included", buckets=_REQUEST_BARS, registry=registry
        )
        self.request_seconds = Histogram(
            "library_request_seconds",
            "Time of a model's answer",
            ["kind"],
            buckets=_REQUEST_BARS,
            registry=registry,
        )
        self.answers = Counter("library_answers", "Questions, by how they ended", ["outcome"], registry=registry)
        self.errors = Counter("library_errors", "Errors, by their key", ["error"], registry=registry)
        self.tokens = Counter("library_tokens", "Tokens of models", ["kind", "model", "direction"], registry=registry)
        self.cost = Counter("library_cost_dollars", "Money, by the price table", ["kind", "model"], registry=registry)
        self.cache = Counter("library_cache_lookups", "Answers looked for in the cache", ["result"], registry=registry)
        self.index = {
            name: Gauge(f"library_index_{name}", f"The index in use: {name}", registry=registry)
            for name in ("generation", "books", "passages", "bytes")
        }


def _server(port: int, registry: CollectorRegistry) -> WSGIServer:
    """What answers Prometheus. Its libraries take longer to load than a search."""
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    from prometheus_client import make_wsgi_app

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class QuietHandler(WSGIRequestHandler):
        timeout = _REQUEST_SECONDS

        def log_message(self, *_: object) -> None:
            """No line on standard error for each time that Prometheus looks."""

    return make_server(ADDRESS, port, make_wsgi_app(registry), Server, QuietHandler)


class _Running:
    def __init__(self, figures: _Figures, server: WSGIServer, thread: threading.Thread) -> None:
        self.figures, self.server, self.thread = figures, server, thread


_running: _Running | None = None
