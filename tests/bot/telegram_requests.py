"""What comes from the bot over HTTP and what goes back: forms, JSON and files in, Telegram's JSON out."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.bot.telegram_faults import Raw
from tests.bot.telegram_rules import Json, Refusal

# What comes as a string and stays one, though it may look like a number or JSON.
_STRINGS = {
    *("text", "caption", "action", "parse_mode", "url", "secret_token", "callback_query_id", "inline_query_id"),
    *("photo", "document", "file_id", "description", "short_description", "name", "language_code", "next_offset"),
    *("inline_message_id", "method"),
}


@dataclass
class Request:
    """What the bot asked. An uploaded file is a pair of its name and content under the name it was uploaded by."""

    method: str
    parameters: Json
    time: float = field(default_factory=time.monotonic)
    answer: Json | None = None
    """What it got, once it got it; None also for a cut connection."""


async def received(incoming: web.Request) -> Request:
    """The request, whichever way the bot sent its parameters."""
    parameters: Json = dict(incoming.query)
    if incoming.content_type == "application/json":
        parameters |= await incoming.json()
    elif incoming.method == "POST":
        for name, value in (await incoming.post()).items():
            parameters[name] = (value.filename, value.file.read()) if isinstance(value, web.FileField) else value
    return Request(incoming.match_info["method"], understood(parameters))


def understood(parameters: Json) -> Json:
    """Forms bring everything as strings; numbers and JSON are made of those that are."""
    values = dict(parameters)
    for name, value in parameters.items():
        if isinstance(value, str) and name not in _STRINGS:
            with suppress(ValueError):
                values[name] = json.loads(value)
    return values


def answer(result: Any) -> Json:
    """A result, or a refusal, in Telegram's shape."""
    if not isinstance(result, Refusal):
        return {"ok": True, "result": result}
    told: Json = {"ok": False, "error_code": result.status, "description": result.description}
    return told | ({"parameters": result.parameters} if result.parameters else {})


def response(result: Any, incoming: web.Request) -> web.Response:
    """The answer over HTTP: of a result, of a refusal, or of something raw."""
    if isinstance(result, Raw):
        return result.response(incoming)
    return web.json_response(answer(result), status=result.status if isinstance(result, Refusal) else 200)
