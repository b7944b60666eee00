"""What moves on a terminal while something takes its time. It goes when that is over, and a pipe sees none of it."""

from __future__ import annotations

from types import TracebackType

from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.spinner import Spinner
from rich.text import Text

from ai_library_bot.locales import Messages
from ai_library_bot.terminal import Page
from ai_library_bot.text import visible
from ai_library_bot.types import Progress

_ROOM_FOR_ITEM = 80  # columns; a narrower terminal shows the bars without what is at work


class ProgressBars:
    """Bars that live as long as the `with` block: call it with every `Progress`, from any thread."""

    def __init__(self, page: Page, say: Messages) -> None:
        self._say = say
        self._tasks: dict[str, TaskID] = {}
        roomy = page.console.width >= _ROOM_FOR_ITEM
        columns = [TextColumn("{task.description}", markup=False), BarColumn(20 if roomy else 10), MofNCompleteColumn()]
        if roomy:
            columns += [TimeElapsedColumn(), TextColumn("{task.fields[item]}", style="dim", markup=False)]
        self._bars = Bars(*columns, console=page.console, transient=True, disable=not page.is_terminal)

    def __call__(self, progress: Progress) -> None:
        if progress.phase not in self._tasks:
            self._tasks[progress.phase] = self._bars.add_task(self._say(f"phase.{progress.phase}"), total=None, item="")
        self._bars.update(
            self._tasks[progress.phase],
            completed=progress.done,
            total=progress.total or None,  # not known yet: the bar moves to and fro
            item="" if progress.done == progress.total else visible(progress.item),
        )

    def __enter__(self) -> ProgressBars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()


class GrowingAnswer:
    """The answer as it grows, for as long as the `with` block lives: call it with all there is of it so far."""

    def __init__(self, page: Page, say: Messages) -> None:
        waiting = Spinner("dots", Text(say("ask.looking"), "dim"))
        self._live = Live(waiting, console=page.console, transient=True) if page.is_terminal else None

    def __call__(self, text: str) -> None:
        if self._live:
            console = self._live.console
            self._live.update(Text("\n").join(Text(visible(text)).wrap(console, console.width)))

    def __enter__(self) -> GrowingAnswer:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
