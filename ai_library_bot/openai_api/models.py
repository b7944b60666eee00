"""Which models a service has: the cheapest question that proves address, connection and key."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2

from ai_library_bot.openai_api.service import Service

_PATH = "/models"
_NOT_THERE = {404, 405, 501}
_LARGEST_LIST = 16 * 1024 * 1024


async def models(service: Service, *, seconds: float) -> list[str] | None:
    """The names of the service's models; None if it answers but keeps no list. One request, free of charge.

    Raises Unavailable.
    """
    body = bytearray()
    try:
        async with (
            asyncio.timeout(seconds),
            service.client() as client,
            client.stream("GET", service.base_url.rstrip("/") + _PATH) as response,
        ):
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _LARGEST_LIST:
                    raise service.nonsense("endless answer")
    except TimeoutError:
        raise service.slow(seconds) from None
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        raise service.down(error) from None
    if response.status_code in _NOT_THERE:
        return None
    if not response.is_success:
        raise service.refusal(response.status_code, response.headers, bytes(body), model="", setting="OPENAI_MODEL")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise service.nonsense("not JSON") from None
    listed: Any = told.get("data") if isinstance(told, dict) else None
    if not isinstance(listed, list):
        raise service.nonsense("no list of models")
    return [one["id"] for one in listed if isinstance(one, dict) and isinstance(one.get("id"), str)]
