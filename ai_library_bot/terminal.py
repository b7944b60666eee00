"""A page of text on a terminal or in a pipe: the one place where text meets the screen.

Everything written here is shown as it is: nothing is read as markup, and control characters are written out.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain, repeat
from typing import TYPE_CHECKING, TextIO

from ai_library_bot.text import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Part = str | tuple[str, str]
"""Some text, or some text and its Rich style."""

_NARROW = 60  # columns; a table on a narrower terminal becomes a list
_LEAST_ROOM = 10  # columns for text, however deep it is indented
_STEP = 2


class Page:
    """Lines on one stream: wrapped and coloured on a terminal; whole, plain and without padding in a pipe.

    Rich is loaded for terminals only: a pipe needs nothing of it and starts sooner.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        self._stream: TextIO = sys.stderr if stderr else sys.stdout
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="replace")
        self.is_terminal = self._stream.isatty() or bool(os.environ.get("FORCE_COLOR"))

    @cached_property
    def console(self) -> Console:
        """Rich's view of the stream."""
        from rich.console import Console

        return Console(
            file=self._stream,
            force_terminal=self.is_terminal,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
        )

    @contextmanager
    def captured(self) -> Iterator[io.StringIO]:
        """Writes into memory instead, just as it would look on the stream."""
        memory = io.StringIO()
        if self.is_terminal:
            with self.console.capture() as capture:
                yield memory
            memory.write(capture.get())
            return
        stream, self._stream = self._stream, memory
        try:
            yield memory
        finally:
            self._stream = stream

    def write(self, *parts: Part, indent: int = 0, label: Part = "", gutter: Part = "") -> None:
        """Write one paragraph.

        `label` stands in the indentation of its first line; `gutter` stands left of each of its lines.
        """
        if self.is_terminal:
            self._wrap(_text(*parts), indent, _text(label), _text(gutter))
        else:
            line = _plain(gutter) + _plain(label).ljust(indent) + _plain(*parts)
            self._stream.write(line.rstrip() + "\n")

    def _wrap(self, text: Text, indent: int, label: Text, gutter: Text) -> None:
        from rich.text import Text

        label.pad_right(max(0, indent - label.cell_len))
        room = self.console.width - gutter.cell_len - label.cell_len
        lines = list(text.wrap(self.console, max(_LEAST_ROOM, room))) or [text]
        for margin, line in zip(chain([label], repeat(Text(" " * label.cell_len))), lines, strict=False):
            whole = Text.assemble(gutter, margin, line)
            whole.rstrip()
            self.console.print(whole)

    def definitions(self, pairs: Collection[tuple[Part, str]]) -> None:
        """Write terms with what they mean: side by side, or one below the other on a narrow terminal."""
        indent = _STEP + max((len(_plain(term)) for term, _ in pairs), default=0) + _STEP
        beside = not self.is_terminal or self.console.width >= _NARROW
        for term, meaning in pairs:
            if beside:
                self.write(meaning, indent=indent, label=_indented(term))
            else:
                self.write(label=_indented(term))
                self.write(meaning, indent=2 * _STEP)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Part]], *, numbers: Collection[int] = ()) -> None:
        """Write rows under their headings; the columns `numbers` are set flush right.

        A column without a heading holds pictures and is left out where there is little room: a narrow terminal gets a
        short paragraph for each row, a pipe gets bare cells with tabs between them.
        """
        if not self.is_terminal:
            for row in rows:
                cells = (_plain(cell) for heading, cell in zip(columns, row, strict=True) if heading)
                self._stream.write("\t".join(cells) + "\n")
        elif self.console.width < _NARROW:
            self._list(columns, rows)
        else:
            self._grid(columns, rows, numbers)

    def _grid(self, columns: Sequence[str], rows: Iterable[Sequence[Part]], numbers: Collection[int]) -> None:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for number, heading in enumerate(columns):
            right = number in numbers
            table.add_column(heading, justify="right" if right else "left", no_wrap=right or not heading)
        for row in rows:
            table.add_row(*map(_text, row))
        self.console.print(table, soft_wrap=False)

    def _list(self, columns: Sequence[str], rows: Iterable[Sequence[Part]]) -> None:
        from rich.text import Text

        for row in rows:
            named = [(heading, _text(cell)) for heading, cell in zip(columns, row, strict=True) if heading]
            (_, first), *others = named
            self._wrap(Text.assemble(first, style="bold"), 0, Text(), Text())
            details = [Text.assemble((f"{heading}: ", "dim"), cell) for heading, cell in others if cell]
            for line in _packed(details, self.console.width - _STEP):
                self._wrap(line, _STEP, Text(), Text())


def _packed(pieces: Iterable[Text], width: int) -> Iterator[Text]:
    """The pieces on as few lines as hold them, none broken unless it is wider than a line."""
    from rich.text import Text

    line = Text()
    for piece in pieces:
        longer = Text(" · ").join([line, piece]) if line else piece
        if line and longer.cell_len > width:
            yield line
            line = piece
        else:
            line = longer
    yield line


def _indented(term: Part) -> Part:
    return " " * _STEP + term if isinstance(term, str) else (" " * _STEP + term[0], term[1])


def _plain(*parts: Part) -> str:
    return "".join(visible(part if isinstance(part, str) else part[0]) for part in parts)


def _text(*parts: Part) -> Text:
    from rich.text import Text

    return Text.assemble(
        *((visible(part), "") if isinstance(part, str) else (visible(part[0]), part[1]) for part in parts)
    )
