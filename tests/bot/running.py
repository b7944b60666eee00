"""A bot that runs: the real one, over the sample books, at a Telegram of the tests' own."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ai_library_bot.bot.serve import serve
from ai_library_bot.library import Library
from ai_library_bot.settings import Settings
from tests.bot.telegram_server import TelegramServer

BOOKS = Path(__file__).parent.parent.parent / "books"

ADMIN = 7
READER = 17
STRANGER = 99

KEEPER = "Why does the keeper of the lighthouse stop writing letters?"
QUOTE = "The keeper of the lighthouse had stopped writing letters because he was going blind"


def settings_for(server: TelegramServer, folder: Path, **changes: Any) -> Settings:
    """The settings of a bot with an admin and a reader, whose index is in `folder`."""
    given: dict[str, Any] = {
        "faiss_path": folder / "index",
        "books_path": folder / "books",
        "tg_token": server.token,
        "tg_api_url": server.base_url,
        "tg_admins": {ADMIN},
        "tg_allowed_users": {READER},
        "library_lang": "en",
    }
    return Settings(**(given | changes))


def with_sample_books(folder: Path, index: Path) -> Path:
    """The folder, with a copy of the sample books and of an index of them."""
    shutil.copytree(BOOKS, folder / "books")
    shutil.copytree(index, folder / "index")
    return folder


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    """The bot, from its first word to its orderly end."""
    ready = asyncio.Event()

    async def run() -> None:
        async with Library.open(settings) as library:
            await serve(library, settings, on_ready=lambda _: ready.set())

    task = asyncio.create_task(run())
    starting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait([task, starting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield task
    finally:
        starting.cancel()
        task.cancel()
        await asyncio.gather(task, starting, return_exceptions=True)
