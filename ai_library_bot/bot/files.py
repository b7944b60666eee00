"""Files that people send."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from aiogram.types import Document, Voice
from aiohttp import ClientError

from ai_library_bot.errors import Unavailable

LARGEST = 20_000_000
"""Bytes of a file that Telegram's own servers let a bot fetch; a Bot API server of one's own has no such bound."""


async def fetch(bot: Bot, sent: Document | Voice, target: Path) -> None:
    """Writes the file that was sent to `target`. Raises Unavailable if Telegram does not give it away."""
    try:
        known = await bot.get_file(sent.file_id)
        path = Path(known.file_path or "")
        if path.is_absolute():  # a Bot API server on this machine, which says where the file lies
            await asyncio.to_thread(shutil.copyfile, path, target)
        else:
            await bot.download_file(str(known.file_path), target)
    except TelegramAPIError as error:
        raise Unavailable("file_not_fetched", reason=error.message) from error
    except (ClientDecodeError, ClientError, TimeoutError, OSError) as error:  # some of them name the token
        raise Unavailable("file_not_fetched", reason=type(error).__name__) from error
