"""A bot as a process of its own, as `library serve-bot` starts it, to be stopped and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ai_library_bot.settings import Settings
from tests.bot.running import ADMIN, READER
from tests.bot.telegram_server import TelegramServer

READY = "To stop it"
_PATIENCE = 60  # seconds: importing all of it takes several on a busy machine


class BotProcess:
    """A running `library serve-bot`; `said` are the lines on its standard error so far."""

    def __init__(self, folder: Path, environment: dict[str, str], *options: str) -> None:
        self.said: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ai_library_bot", "serve-bot", *options],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._ready = threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def wait_until_ready(self) -> None:
        assert self._ready.wait(_PATIENCE), self.said
        assert self._process.poll() is None, self.said

    def stop(self) -> int:
        """SIGTERM, and the exit code it ends with."""
        self._process.send_signal(signal.SIGTERM)
        return self.end()

    def kill(self) -> None:
        self._process.kill()
        self.end()

    def end(self) -> int:
        code = self._process.wait(_PATIENCE)
        self._reading.join(_PATIENCE)
        if self._process.stderr:
            self._process.stderr.close()
        return code

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self.said.append(line.rstrip("\n"))
            if READY in line:
                self._ready.set()
        self._ready.set()


def environment(telegram: TelegramServer, folder: Path, **changes: str) -> dict[str, str]:
    """What a bot in `folder` is told: nothing of what this machine has set for a library of its own."""
    ours = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    return ours | {
        "FAISS_PATH": str(folder / "index"),
        "BOOKS_PATH": str(folder / "books"),
        "TG_TOKEN": telegram.token,
        "TG_API_URL": telegram.base_url,
        "TG_ADMINS": str(ADMIN),
        "TG_ALLOWED_USERS": str(READER),
        "LIBRARY_LANG": "en",
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        **changes,
    }


@contextmanager
def started(folder: Path, told: dict[str, str], *options: str) -> Iterator[BotProcess]:
    """A bot that is ready; whatever becomes of it, it is gone at the end of the block."""
    bot = BotProcess(folder, told, *options)
    try:
        bot.wait_until_ready()
        yield bot
    finally:
        if bot._process.poll() is None:
            bot.kill()
