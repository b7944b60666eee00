"""The figures for Prometheus, read as Prometheus reads them; and nothing at all where nobody asked for them."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ai_library_bot import metrics
from ai_library_bot.errors import BadSetting
from ai_library_bot.types import Usage
from tests.redis_server import free_port

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
LISTENERS = Path("/proc/net/tcp")


def something_of_everything() -> None:
    metrics.searched(0.03)
    metrics.answered("found", 1.5)
    metrics.answered("found", 2.5)
    metrics.answered("quoted", 60)
    metrics.failed("service_slow")
    metrics.requested("embedding", "small", Usage(1000, 0, 0.5), 0.3)
    metrics.requested("embedding", "small", Usage(500, 0, 0.25), 0.3)
    metrics.requested("answer", "of my own", Usage(10, 20), 0.3)
    metrics.looked_up(True)
    metrics.looked_up(False)
    metrics.index(generation=7, books=3, passages=50, size=9000)


@pytest.fixture
def port() -> Iterator[int]:
    """Where the figures are served."""
    port = free_port()
    metrics.start(port)
    yield port
    metrics.stop()


def read(port: int) -> dict[str, float]:
    """The figures by their names and labels, as the exporter writes them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_every_figure_can_be_read(port: int) -> None:
    something_of_everything()
    figures = read(port)
    assert figures["library_search_seconds_count"] == 1
    assert figures['library_search_seconds_bucket{le="0.02"}'] == 0
    assert figures['library_search_seconds_bucket{le="0.05"}'] == 1
    assert figures["library_answer_seconds_sum"] == 64
    assert figures['library_answers_total{outcome="found"}'] == 2
    assert figures['library_answers_total{outcome="quoted"}'] == 1
    assert figures['library_errors_total{error="service_slow"}'] == 1
    assert figures['library_request_seconds_count{kind="embedding"}'] == 2
    assert figures['library_tokens_total{direction="prompt",kind="embedding",model="small"}'] == 1500
    assert figures['library_tokens_total{direction="completion",kind="answer",model="of my own"}'] == 20
    assert figures['library_cost_dollars_total{kind="embedding",model="small"}'] == 0.75
    assert figures['library_cost_dollars_total{kind="answer",model="of my own"}'] == 0
    assert figures['library_cache_lookups_total{result="hit"}'] == 1
    assert figures["library_index_generation"] == 7
    assert figures["library_index_bytes"] == 9000


def test_the_page_explains_every_figure_and_no_other(port: int) -> None:
    something_of_everything()
    served = {re.sub(r"(_bucket|_count|_sum|_created)?(\{.*)?$", "", name) for name in read(port)}
    served = {name for name in served if f"{name}_total" not in served}
    explained = set(re.findall(r"^\| `(library_\w+)", PAGE.read_text("utf-8"), re.MULTILINE))
    assert explained == served


@pytest.mark.skipif(not LISTENERS.exists(), reason="this system does not list who listens")
def test_nobody_but_this_machine_can_read(port: int) -> None:
    listening = [line.split()[1] for line in LISTENERS.read_text().splitlines() if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_nothing_happens_before_the_start_and_after_the_end(port: int) -> None:
    metrics.stop()
    something_of_everything()
    metrics.start(port)
    assert read(port)["library_search_seconds_count"] == 0


def test_a_second_start_changes_nothing(port: int) -> None:
    metrics.searched(1)
    metrics.start(port)
    assert read(port)["library_search_seconds_count"] == 1


def test_a_port_that_is_taken_is_named() -> None:
    with closing(socket.create_server((metrics.ADDRESS, 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(BadSetting, match=f"port {port}.*METRICS_PORT"):
            metrics.start(port)
    something_of_everything()


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(BadSetting, match=r"METRICS_PORT.*make extras"):
        metrics.start(1)


def test_who_does_not_start_it_does_not_load_it() -> None:
    script = "import sys; from ai_library_bot.metrics import searched; searched(1); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert "ai_library_bot.metrics" in loaded
    assert "prometheus_client" not in loaded
