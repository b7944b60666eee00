"""Files that people send."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from aiogram import Bot
from aiogram.types import Document, Voice

LARGEST = 20_000_000
"""Bytes of a file that Telegram's own servers let a bot fetch; a Bot API server of one's own has no such bound."""


async def fetch(bot: Bot, sent: Document | Voice, target: Path) -> None:
    """Writes the file that was sent to `target`."""
    known = await bot.get_file(sent.file_id)
    path = Path(known.file_path or "")
    if path.is_absolute():  # a Bot API server on this machine, which says where the file lies
        await asyncio.to_thread(shutil.copyfile, path, target)
    else:
        await bot.download_file(str(known.file_path), target)
