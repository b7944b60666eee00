"""A page of text on a terminal or in a pipe: the one place where text meets the screen.

Everything written here is shown as it is: nothing is read as markup, and control characters are written out.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, repeat

from rich.console import Console
from rich.text import Text

from ai_library_bot.text import visible

Part = str | tuple[str, str]
"""Some text, or some text and its Rich style."""

_NARROW = 60  # columns; a table on a narrower terminal becomes a list
_LEAST_ROOM = 10  # columns for text, however deep it is indented
_STEP = 2


class Page:
    """Lines on one stream: wrapped and coloured on a terminal; whole, plain and without padding in a pipe."""

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
        self.console = Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def is_terminal(self) -> bool:
        return self.console.is_terminal

    def write(self, *parts: Part, indent: int = 0, label: Part = "", gutter: Part = "") -> None:
        """Write one paragraph.

        `label` stands in the indentation of its first line; `gutter` stands left of each of its lines.
        """
        self._write(_text(*parts), indent, _text(label), _text(gutter))

    def _write(self, text: Text, indent: int, label: Text, gutter: Text) -> None:
        label.pad_right(max(0, indent - label.cell_len))
        lines = [text]
        if self.is_terminal:
            room = self.console.width - gutter.cell_len - label.cell_len
            lines = list(text.wrap(self.console, max(_LEAST_ROOM, room))) or lines
        for margin, line in zip(chain([label], repeat(Text(" " * label.cell_len))), lines, strict=False):
            whole = Text.assemble(gutter, margin, line)
            whole.rstrip()
            self.console.print(whole)

    def definitions(self, pairs: Collection[tuple[Part, str]]) -> None:
        """Write terms with what they mean: side by side, or one below the other on a narrow terminal."""
        if not pairs:
            return
        terms = [_text(term) for term, _ in pairs]
        indent = _STEP + max(term.cell_len for term in terms) + _STEP
        beside = not self.is_terminal or self.console.width >= _NARROW
        for term, (_, meaning) in zip(terms, pairs, strict=True):
            label = Text.assemble(" " * _STEP, term)
            if beside:
                self._write(_text(meaning), indent, label, Text())
            else:
                self._write(Text(), 0, label, Text())
                self._write(_text(meaning), 2 * _STEP, Text(), Text())

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Part]], *, numbers: Collection[int] = ()) -> None:
        """Write rows under their headings; the columns `numbers` are set flush right.

        A column without a heading holds pictures and is left out where there is little room: a narrow terminal gets a
        short paragraph for each row, a pipe gets bare cells with tabs between them.
        """
        if self.is_terminal and self.console.width >= _NARROW:
            from rich.table import Table  # `search` and `ask` start faster without it

            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
            for number, heading in enumerate(columns):
                right = number in numbers
                table.add_column(heading, justify="right" if right else "left", no_wrap=right or not heading)
            for row in rows:
                table.add_row(*map(_text, row))
            self.console.print(table, soft_wrap=False)
            return
        for row in rows:
            named = [(heading, _text(cell)) for heading, cell in zip(columns, row, strict=True) if heading]
            if self.is_terminal:
                (_, first), *others = named
                self._write(Text.assemble(first, style="bold"), 0, Text(), Text())
                details = [Text.assemble((f"{heading}: ", "dim"), cell) for heading, cell in others if cell]
                for line in _packed(details, self.console.width - _STEP):
                    self._write(line, _STEP, Text(), Text())
            else:
                # Rich would turn the tabs into spaces.
                self.console.file.write("\t".join(cell.plain for _, cell in named) + "\n")


def _packed(pieces: Iterable[Text], width: int) -> Iterator[Text]:
    """The pieces on as few lines as hold them, none broken unless it is wider than a line."""
    line = Text()
    for piece in pieces:
        longer = Text(" · ").join([line, piece]) if line else piece
        if line and longer.cell_len > width:
            yield line
            line = piece
        else:
            line = longer
    yield line


def _text(*parts: Part) -> Text:
    return Text.assemble(
        *((visible(part), "") if isinstance(part, str) else (visible(part[0]), part[1]) for part in parts)
    )
