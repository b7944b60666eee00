"""One OpenAI-compatible service over HTTP: connections, time limits and what its refusals mean."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx2
from pydantic import SecretStr

from ai_library_bot.errors import Detail, Unavailable
from ai_library_bot.openai_api.tries import Passing
from ai_library_bot.text import one_line

_CONNECT_SECONDS = 10
_LARGEST_BODY = 64 * 1024 * 1024
_LONGEST_REASON = 200
_NOT_REACHED = (httpx2.ConnectError, httpx2.ConnectTimeout)
_OUT_OF_MONEY = {"insufficient_quota", "insufficient_balance", "billing_hard_limit_reached", "credits_exhausted"}


class PassingFault(Unavailable, Passing):
    """The service does not answer now, but may at the next try. `free`: it certainly did no work to be paid for."""

    def __init__(self, key: str, *, wait_seconds: float | None = None, free: bool = False, **details: Detail) -> None:
        super().__init__(key, **details)
        self.wait_seconds = wait_seconds
        self.free = free


class Refusal(Unavailable):
    """The service understood and said no, with `reason`: the same request will not do better."""

    free = True

    def __init__(self, key: str, details: Mapping[str, Detail], *, status: int, code: str, reason: str) -> None:
        super().__init__(key, **details)
        self.status = status
        self.code = code
        self.reason = reason


class Service:
    """A server under `base_url`, asked with `key` if it has one. Making one opens nothing.

    No connection outlives the job it was opened for, so there is nothing to close, and any event loop may ask.
    """

    def __init__(self, base_url: str, key: SecretStr | None) -> None:
        # Credentials in the address would stand in every log line of the HTTP library; they go into the header.
        self.base_url, credentials = _parted(base_url)
        self.name = urlsplit(self.base_url).hostname or "—"
        """The host, without port or credentials: for people, and for fingerprints."""
        basic = base64.b64encode(credentials.encode()).decode()
        secret = key.get_secret_value().strip() if key else ""
        self._authorization = f"Bearer {secret}" if secret else f"Basic {basic}" if basic else ""
        self._secrets = [told for told in (secret, credentials, basic) if told]

    def __repr__(self) -> str:
        return f"Service({self.name!r})"

    def url(self, path_or_url: str) -> str:
        """The whole address of a path, or of an address on the same server: the key is for no other."""
        if not path_or_url.startswith(("http://", "https://")):
            return self.base_url.rstrip("/") + path_or_url
        url, _ = _parted(path_or_url)
        if urlsplit(url)[:2] != urlsplit(self.base_url)[:2]:
            raise ValueError(f"not an address of {self.name}")
        return url

    async def post(
        self, path_or_url: str, payload: Mapping[str, Any], *, seconds: float, setting: str = "OPENAI_MODEL"
    ) -> dict[str, Any]:
        """What the service answers to one request on a connection of its own; see `Connection.post`."""
        async with self.connected() as connection:
            return await connection.post(path_or_url, payload, seconds=seconds, setting=setting)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """A connection pool for many requests."""
        async with self.client() as client:
            yield Connection(self, client)

    def client(self) -> httpx2.AsyncClient:
        """A client of the HTTP library that brings the key; whoever takes it bounds the time of a whole request.

        Raises Unavailable for a key that no service can have.
        """
        headers = {"Accept-Encoding": "identity"}  # unpacking vectors takes longer than fetching them
        if self._authorization:
            headers["Authorization"] = self._authorization
        if not (self._authorization.isascii() and self._authorization.isprintable()):
            raise Unavailable("service_key_refused", service=self.name)
        return httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
            verify=self._trusted if self.base_url.startswith("https:") else False,
        )

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return httpx2.create_ssl_context()  # takes as long as a request: once is enough

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes, *, model: str, setting: str) -> Unavailable:
        """What an answer with an error status means."""
        code, reason = _told(body)
        reason = self.safe(reason)

        def refused(key: str, **details: Detail) -> Refusal:
            return Refusal(key, {"service": self.name} | details, status=status, code=code, reason=reason)

        if status == 402 or code in _OUT_OF_MONEY:
            return refused("service_no_credit")
        if code == "model_not_found" or (status == 404 and "model" in reason.lower()):
            return refused("service_unknown_model", model=model, setting=setting)
        if status in (401, 403):
            return refused("service_key_refused")
        if status == 429:
            return PassingFault("service_busy", service=self.name, wait_seconds=_retry_after(headers), free=True)
        if status >= 500 or status in (408, 409):
            wait = _retry_after(headers)
            return PassingFault("service_failed", service=self.name, status=status, wait_seconds=wait, free=True)
        if status >= 400:
            return refused("service_refused", status=status, reason=reason or "—")
        return self.nonsense(f"HTTP {status}")

    def down(self, error: BaseException) -> Unavailable:
        """What it means that the HTTP library failed: no connection, or one that broke."""
        if isinstance(error, httpx2.DecodingError):
            return self.nonsense("cannot be unpacked")
        reason = self.safe(str(error)) or type(error).__name__
        return PassingFault("service_down", service=self.name, reason=reason, free=isinstance(error, _NOT_REACHED))

    def slow(self, seconds: float) -> PassingFault:
        """No whole answer in time."""
        return PassingFault("service_slow", service=self.name, seconds=max(1, round(seconds)))

    def nonsense(self, reason: str) -> Unavailable:
        """An answer that is not what the protocol says."""
        return Unavailable("service_nonsense", service=self.name, reason=self.safe(reason))

    def safe(self, text: str) -> str:
        """Words of the service, short, on one line, and without our secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        text = one_line(text)
        return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"


class Connection:
    """An open way to a service."""

    def __init__(self, service: Service, client: httpx2.AsyncClient) -> None:
        self._service = service
        self._client = client

    async def post(
        self, path_or_url: str, payload: Mapping[str, Any], *, seconds: float, setting: str
    ) -> dict[str, Any]:
        """The JSON object that the service answers; see `ask`."""
        answer = await self.ask(path_or_url, payload, seconds=seconds, setting=setting)
        if not isinstance(answer, dict):
            raise self._service.nonsense("not a JSON object")
        return answer

    async def ask(self, path_or_url: str, payload: Mapping[str, Any], *, seconds: float, setting: str) -> Any:
        """The JSON that the service answers, of any kind; one request, whole within `seconds`.

        `setting` names the variable that holds the model's name. Raises Unavailable.
        """
        model = str(payload.get("model", ""))
        return await self._answer(path_or_url, seconds=seconds, model=model, setting=setting, json=payload)

    async def send_file(
        self, path_or_url: str, fields: Mapping[str, str], file: tuple[str, bytes], *, seconds: float, setting: str
    ) -> Any:
        """The JSON that the service answers to a form with a file, its name and its content; as `ask`."""
        return await self._answer(
            path_or_url, seconds=seconds, model=fields["model"], setting=setting, data=fields, files={"file": file}
        )

    async def _answer(self, path_or_url: str, *, seconds: float, model: str, setting: str, **content: Any) -> Any:
        url = self._service.url(path_or_url)
        try:
            async with asyncio.timeout(seconds), self._client.stream("POST", url, **content) as response:
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > _LARGEST_BODY:
                        raise self._service.nonsense("endless answer")
        except TimeoutError:
            raise self._service.slow(seconds) from None
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise self._service.down(error) from None
        if not response.is_success:
            raise self._service.refusal(
                response.status_code, response.headers, bytes(body), model=model, setting=setting
            )
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise self._service.nonsense("not JSON") from None


def _parted(url: str) -> tuple[str, str]:
    """The address without the credentials in it, and those; nothing of what is no address."""
    try:
        address = urlsplit(url)
    except ValueError:
        return "", ""
    credentials, _, place = address.netloc.rpartition("@")
    return urlunsplit(address._replace(netloc=place)), unquote(credentials)


def _told(body: bytes) -> tuple[str, str]:
    """The code and the words in the body of a refusal, in whatever shape servers send them."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return "", body[: 4 * _LONGEST_REASON].decode("utf-8", "replace")
    error = told.get("error", told) if isinstance(told, dict) else told
    if not isinstance(error, dict):
        return "", str(error)
    code = error.get("code") or error.get("type") or ""
    return str(code), str(error.get("message") or error.get("detail") or "")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """How long the service asks to wait: seconds, or the time until a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
