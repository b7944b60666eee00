"""What was asked before, for `library ask --continue`: a small file in the folder of the index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ai_library_bot.errors import CannotWrite
from ai_library_bot.index import disk
from ai_library_bot.types import Notice, Turn

_FILE = "conversation.json"
_TURNS = 10
_LONGEST = 4_000  # characters of a question or an answer
_LARGEST = 1_000_000  # bytes; a larger file is none of ours


class Conversation:
    """The last turns of a conversation, kept in a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def turns(self) -> tuple[Turn, ...]:
        """The turns, oldest first; none if there was no conversation, or its file cannot be read."""
        try:
            with self._path.open("rb") as file:
                written = json.loads(file.read(_LARGEST))["turns"]
            kept = [Turn(_text(turn["question"]), _text(turn["answer"])) for turn in written]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return ()
        return tuple(kept[-_TURNS:])

    def write(self, turns: Sequence[Turn]) -> tuple[Notice, ...]:
        """Remembers the last of these turns and forgets those that were there; says so where that can't be done."""
        kept = [{"question": turn.question[:_LONGEST], "answer": turn.answer[:_LONGEST]} for turn in turns[-_TURNS:]]
        try:
            with disk.writing_into(self._path.parent):
                disk.write(self._path, json.dumps({"turns": kept}, indent=1).encode())
        except CannotWrite as error:
            return (Notice("not_remembered", because=(error.key, error.details)),)
        return ()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value[:_LONGEST]
