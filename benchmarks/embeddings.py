"""Embedding many passages through a server on this machine that takes 80 ms for each answer, with three clients.

python -m benchmarks.embeddings [TEXTS] [RUNS] [PYTHON]

The other two clients are no dependencies of ours. To measure them, install them somewhere and name that Python:

    python -m venv /tmp/peers && /tmp/peers/bin/pip install langchain-openai llama-index-embeddings-openai
    python -m benchmarks.embeddings 12000 3 /tmp/peers/bin/python
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.processes import PYTHON

DIMENSIONS = 1536
LATENCY_SECONDS = 0.08

# Each client embeds a text first, so that imports and the first connection are not counted.
FRAME = """
import json, resource, sys, time
base_url, count = sys.argv[1], int(sys.argv[2])
texts = [f"{number}: " + "It was late when the keeper climbed the stairs to the lamp. " * 15 for number in range(count)]
%s
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
embed(texts[:1])
wall, busy = time.perf_counter(), cpu()
assert embed(texts) == count
print(json.dumps([time.perf_counter() - wall, cpu() - busy]))
"""

OURS = """
import asyncio
from ai_library_bot.openai_api.embedding import OpenAIEmbedder
from ai_library_bot.openai_api.service import Service
embedder = OpenAIEmbedder(Service(base_url, None), "text-embedding-3-small", 1536)
async def embedded(texts):
    return sum([len(batch.vectors) async for batch in embedder.embed_passages(texts)])
def embed(texts):
    return asyncio.run(embedded(texts))
"""

# Counting tokens first is left out: it is no part of the protocol.
LANGCHAIN = """
from langchain_openai import OpenAIEmbeddings
embeddings = OpenAIEmbeddings(
    model="text-embedding-3-small", base_url=base_url, api_key="none", check_embedding_ctx_length=False
)
def embed(texts):
    return len(embeddings.embed_documents(texts))
"""

LLAMA_INDEX = """
from llama_index.embeddings.openai import OpenAIEmbedding
embedding = OpenAIEmbedding(model="text-embedding-3-small", api_base=base_url, api_key="none")
def embed(texts):
    return len(embedding.get_text_embedding_batch(texts))
"""


@dataclass(frozen=True)
class Client:
    """A way to embed texts: the Python it runs in, and the source of its function `embed`."""

    name: str
    python: str
    needs: str
    source: str


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12000
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    peers = sys.argv[3] if len(sys.argv) > 3 else PYTHON
    clients = [
        Client("library", PYTHON, "ai_library_bot", OURS),
        Client("LangChain", peers, "langchain_openai", LANGCHAIN),
        Client("LlamaIndex", peers, "llama_index.embeddings.openai", LLAMA_INDEX),
    ]
    measured = [client for client in clients if _installed(client)]
    with _server() as base_url:
        rounds = [[_run(client, base_url, count) for client in measured] for _ in range(runs)]
    print(f"{count} texts, vectors of {DIMENSIONS} numbers, {LATENCY_SECONDS * 1000:.0f} ms before each answer")
    for column, client in enumerate(measured):
        rate = statistics.median(count / row[column][0] for row in rounds)
        busy = statistics.median(row[column][1] / count * 1000 for row in rounds)
        ahead = statistics.median(row[column][0] / row[0][0] for row in rounds)
        print(
            f"{client.name}: {rate:.0f} vectors a second, {busy:.3f} CPU seconds for 1000, {ahead:.1f} times our time"
        )
    for client in clients:
        if client not in measured:
            print(f"{client.name}: not measured, for {client.python} has no {client.needs}; see {__file__}")


def _installed(client: Client) -> bool:
    line = [client.python, "-c", f"import {client.needs}"]
    return subprocess.run(line, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _run(client: Client, base_url: str, count: int) -> tuple[float, float]:
    """The wall and CPU seconds of one run. Raises CalledProcessError if it fails."""
    line = [client.python, "-c", FRAME % client.source, base_url, str(count)]
    seconds, busy = json.loads(subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout)
    return seconds, busy


@contextmanager
def _server() -> Iterator[str]:
    """The base URL of a server of its own process, so that its work does not count as a client's."""
    options = ["--prepared", "--latency", str(LATENCY_SECONDS), "--dimensions", str(DIMENSIONS)]
    line = [PYTHON, "-m", "tests.openai_server", *options]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().strip()
        server.terminate()


if __name__ == "__main__":
    main()
