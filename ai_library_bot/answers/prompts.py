"""What models are told: the texts in the folder `prompts`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

LIBRARIAN = "system_librarian"
FOLLOW_UP = "follow_up"


@cache
def prompt(name: str) -> str:
    """The text of that name."""
    return (files("ai_library_bot") / "prompts" / f"{name}.txt").read_text("utf-8")
