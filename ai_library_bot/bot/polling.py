"""Updates fetched from Telegram, one long request after another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramConflictError,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)

from ai_library_bot.bot.inbox import Inbox
from ai_library_bot.errors import BadSetting, LibraryError

_LOG = logging.getLogger(__name__)

_WAIT = 25  # seconds that Telegram may keep a request open
_ANSWER = 15  # seconds for the answer when that is over
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0  # seconds between tries, doubled each time


async def poll(bot: Bot, inbox: Inbox, kinds: Sequence[str], *, heard: Callable[[], None]) -> None:
    """Takes updates of these kinds into the inbox until that is closed; `heard` is told of each answer of Telegram.

    A webhook that was set before is ended: Telegram gives updates in one way only. An update is confirmed to Telegram
    only when the inbox has written it down. Whatever Telegram answers, or does not, the next try follows; but with a
    token that it does not know this raises BadSetting.
    """
    offset: int | None = None
    fetches = False
    pause = _FIRST_PAUSE
    while True:
        try:
            if fetches:
                updates = await bot.get_updates(
                    offset=offset, timeout=_WAIT, allowed_updates=list(kinds), request_timeout=_WAIT + _ANSWER
                )
            else:
                fetches, updates = await bot.delete_webhook(), []
            if updates and not await inbox.accept(updates):
                return
        except TelegramUnauthorizedError:
            raise BadSetting("token_refused") from None
        except TelegramRetryAfter as told:
            await asyncio.sleep(told.retry_after)
        except (TelegramAPIError, ClientDecodeError) as error:
            if isinstance(error, TelegramConflictError):
                _LOG.error("another program fetches the updates of this bot; two can't, unless with a webhook")
            else:
                _LOG.warning("Telegram does not answer: %s", type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        except LibraryError as error:  # the updates can't be written down: Telegram keeps them
            _LOG.error("%s", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            heard()
            pause = _FIRST_PAUSE
            if updates:
                offset = updates[-1].update_id + 1
