"""A real Redis of the test session's own: on a free port of this machine, with nothing on disk."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

PROGRAM = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server on this machine")

_STARTS = 5  # tries: another program may take the free port before Redis does
_PATIENCE = 10  # seconds


@contextmanager
def running(folder: Path, *options: str) -> Iterator[int]:
    """The port of a Redis that runs until the end of the block."""
    for _ in range(_STARTS):
        port = free_port()
        process = _start(folder, port, options)
        try:
            if _ready(process, port):
                yield port
                return
        finally:
            process.terminate()
            process.wait(_PATIENCE)
    raise RuntimeError(f"redis-server does not start: {(folder / 'redis.log').read_text()}")


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _start(folder: Path, port: int, options: Sequence[str]) -> subprocess.Popen[bytes]:
    assert PROGRAM
    only_here = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder))
    keeping_nothing = ("--save", "", "--appendonly", "no", "--maxmemory", "64mb")
    with (folder / "redis.log").open("wb") as log:
        return subprocess.Popen([PROGRAM, *only_here, *keeping_nothing, *options], stdout=log, stderr=log)


def _ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """Waits for the first answer; False if the process ends before."""
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(64):
                    return process.poll() is None
        except OSError:
            time.sleep(0.01)
    return False
