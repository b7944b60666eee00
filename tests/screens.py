"""Standard streams in memory that say they are a terminal, or that they are not."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import dataclass

import pytest

COLOURS = re.compile(r"\x1b\[[\d;]*m")
MOVES = re.compile(r"\x1b\[\??[\d;]*[A-Zhl]|\r")


class Stream(io.TextIOWrapper):
    """A stream in memory; `encoding` is what its reader expects."""

    def __init__(self, *, is_terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="")
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def written(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


@dataclass(frozen=True)
class Screen:
    """Standard output and standard error as somebody sees them."""

    out: Stream
    err: Stream


def attach(
    monkeypatch: pytest.MonkeyPatch, *, columns: int | None = None, encoding: str = "utf-8", colours: bool = True
) -> Screen:
    """Put both streams on a terminal of that many columns, or in pipes if None."""
    screen = Screen(*(Stream(is_terminal=columns is not None, encoding=encoding) for _ in range(2)))
    monkeypatch.setattr(sys, "stdout", screen.out)
    monkeypatch.setattr(sys, "stderr", screen.err)
    monkeypatch.setenv("COLUMNS", str(columns or 80))
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    return screen
