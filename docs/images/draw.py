"""Draws the pictures of the READMEs, terminal-en.svg and terminal-ru.svg: what the program really shows.

python docs/images/draw.py
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

HERE = Path(__file__).parent
BOOKS = HERE.parent.parent / "books"
COLUMNS = 96

SHOWN = {
    "en": (
        'library ask "Why was the village clock eight minutes slow?"',
        'library search "lighthouse letters" --limit 2',
    ),
    "ru": (
        'library ask "Почему Пётр Алексеевич вывез голубей из города?"',
        'library search "лёд у моста" --limit 2',
    ),
}

_FONT_FROM_THE_NETWORK = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def draw(language: str, folder: Path) -> str:
    """The picture of the commands that are `SHOWN` in a language, run in a folder that holds an index."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor")
    for number, command in enumerate(SHOWN[language]):
        if number:
            console.print()
        console.print(Text.assemble(("$ ", "bold green"), command))
        console.print(Text.from_ansi(run(command, language, folder)))
    picture = console.export_svg(title="library", theme=DIMMED_MONOKAI, unique_id=f"library-{language}")
    return _FONT_FROM_THE_NETWORK.sub("", picture)


def run(command: str, language: str, folder: Path) -> str:
    """What a command writes onto a terminal of so many columns."""
    environment = {"LIBRARY_LANG": language, "FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    arguments = [sys.executable, "-m", "ai_library_bot", *shlex.split(command)[1:]]
    ran = subprocess.run(  # noqa: S603 - our own program, and no shell
        arguments, cwd=folder, env=os.environ | environment, capture_output=True, check=True
    )
    return ran.stdout.decode().rstrip("\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(shlex.join(["library", "ingest", str(BOOKS)]), "en", Path(folder))
        for language in SHOWN:
            HERE.joinpath(f"terminal-{language}.svg").write_text(draw(language, Path(folder)), "utf-8")


if __name__ == "__main__":
    main()
