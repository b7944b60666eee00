"""What every command of the command line works with: the language, where it writes, and the way to the library."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ai_library_bot import json_output
from ai_library_bot.locales import Messages
from ai_library_bot.terminal import Page
from ai_library_bot.types import Notice

if TYPE_CHECKING:
    from ai_library_bot.bot.dry_run import Line
    from ai_library_bot.library import Library
    from ai_library_bot.settings import Settings

Result = TypeVar("Result")

OpenLibrary = Callable[["Settings"], "Library"]


def open_library(settings: Settings) -> Library:
    """The library of these settings."""
    from ai_library_bot.library import Library

    return Library.open(settings)


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with: the language, the two streams and the way to the library."""

    say: Messages
    out: Page
    err: Page
    open_library: OpenLibrary

    def wait_for(self, work: Callable[[Library], Awaitable[Result]]) -> Result:
        """Open the library, wait for its result, and pass on what it has to say besides."""
        import asyncio

        settings = self._settings()

        async def session() -> Result:
            async with self.open_library(settings) as library:
                try:
                    return await work(library)
                finally:
                    self.note(library.notices)

        return asyncio.run(session())

    def read(self, work: Callable[[Library], Result]) -> Result:
        """`wait_for` what takes no waiting."""

        async def at_once(library: Library) -> Result:
            return work(library)

        return self.wait_for(at_once)

    def serve(self, log_as_json: bool) -> None:
        """Be the bot in Telegram until it is stopped."""
        import asyncio

        from ai_library_bot.bot.serve import serve

        settings = self._settings(log_as_json)

        async def session() -> None:
            async with self.open_library(settings) as library:
                await serve(library, settings, on_ready=lambda name: self.err.write(self.say("serve.ready", bot=name)))

        asyncio.run(session())
        self.err.write(self.say("serve.stopped"))

    def rehearse(self) -> Sequence[Line]:
        """What the bot would say in a short dialogue."""
        import asyncio

        from ai_library_bot.bot.dry_run import dialogue

        return asyncio.run(dialogue(self._settings()))

    def _settings(self, log_as_json: bool = False) -> Settings:
        """The settings; the log begins, and knows from then on what to hide."""
        from ai_library_bot import logs
        from ai_library_bot.settings import Settings

        settings = Settings()
        logs.start(settings, as_json=log_as_json)
        return settings

    def note(self, notices: Iterable[Notice]) -> None:
        """Say what a person should know besides the result."""
        for notice in notices:
            self.err.write((self.say.notice(notice), "yellow"))

    def show(
        self,
        result: Result,
        for_people: Callable[[Page, Messages, Result], None],
        for_programs: Callable[[Result], json_output.Json],
        as_json: bool,
    ) -> None:
        """Write the result to standard output, and what goes with it to standard error."""
        self.note(getattr(result, "notices", ()))
        if as_json:
            json_output.write(for_programs(result))
        else:
            for_people(self.out, self.say, result)
