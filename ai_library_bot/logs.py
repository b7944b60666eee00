"""The log on standard error: a line for each event, for people or as JSON, and never with a secret in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from pydantic import SecretStr

from ai_library_bot.text import escaped, visible

if TYPE_CHECKING:
    from ai_library_bot.settings import Settings

HIDDEN = "***"
"""What stands in the place of a secret."""

_SHORTEST = 6  # characters; anything shorter is no secret, and hiding it would spoil other words

_hidden: set[str] = set()
_question: ContextVar[str] = ContextVar("question", default="")

# What these say at INFO has more of Telegram's doings than of ours.
_CHATTERERS = ("aiogram.event", "aiogram.middlewares", "httpx", "httpx2", "openai", "aiohttp.access")


def start(settings: Settings, *, as_json: bool = False) -> None:
    """Begins the log at the level of the settings, and hides all their secrets from now on."""
    _hidden.update(_secrets(settings))
    handler = logging.StreamHandler()
    handler.setFormatter(_AsJson() if as_json else _ForPeople("%(levelname)s %(name)s%(question)s: %(message)s"))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for name in _CHATTERERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def redacted(text: str) -> str:
    """The text with every secret of the settings hidden."""
    for secret in _hidden:
        text = text.replace(secret, HIDDEN)
    return text


def begin_question(number: str) -> None:
    """From now on all that this task logs carries the question's id."""
    _question.set(number)


def question_id() -> str:
    """The id of the question that this task works on; empty outside of one."""
    return _question.get()


def _secrets(settings: Settings) -> Iterator[str]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        is_secret = isinstance(value, SecretStr)
        told = value.get_secret_value() if is_secret else str(value)
        hidden = (urlsplit(told).password or "") if "://" in told else (told if is_secret else "")
        for spelling in (hidden, quote(hidden, safe=""), unquote(hidden)):
            if len(spelling) >= _SHORTEST:
                yield spelling


class _ForPeople(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        number = question_id()
        record.question = f" [{number}]" if number else ""
        return "\n".join(map(visible, redacted(super().format(record)).split("\n")))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        return visible(super().formatMessage(record))  # one line for each event, whatever stands in it


class _AsJson(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if number := question_id():
            told["question"] = number
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return escaped(json.dumps({name: redacted(value) for name, value in told.items()}, ensure_ascii=False))
