"""Structured answers from a service's chat model."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, SecretStr

from ai_library_bot.openai_api.service import PassingFault, Refusal, Service
from ai_library_bot.openai_api.structure import DoesNotFit, instruction, json_schema, read
from ai_library_bot.openai_api.tokens import estimated_tokens
from ai_library_bot.openai_api.tries import Passing
from ai_library_bot.prices import Price, priced
from ai_library_bot.types import Usage

Schema = TypeVar("Schema", bound=BaseModel)

Format = Literal["json_schema", "json_object", "text"]

_LADDER: tuple[Format, ...] = ("json_schema", "json_object", "text")

# Statuses of servers that do not know what they were asked for, and codes that say it was something else.
_NOT_UNDERSTOOD = {400, 415, 422, 501}
_UNDERSTOOD = {"context_length_exceeded", "content_filter", "content_policy_violation", "invalid_prompt"}

# The HTTP client brings the key, for a service that has none too.
_NO_HEADER = {"Authorization": openai.Omit()}

_LONGEST_OUTPUT = 100_000

# What a request may use at the most: half as many tokens again as the messages are, about, and a long answer.
_MARGIN = 1.5
_MOST_COMPLETION = 4_000

_SETTING = "OPENAI_MODEL"


class _Delta(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Spent(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chunk(BaseModel):
    """What we read of a piece of a stream."""

    choices: list[_Choice] | None = None
    usage: _Spent | None = None


class Message(NamedTuple):
    """One message of a conversation with a model."""

    role: Literal["system", "user", "assistant"]
    content: str


class Completion(NamedTuple, Generic[Schema]):
    """What a model said, in the shape that was asked for."""

    parsed: Schema
    usage: Usage


class InvalidOutput(Passing):
    """A model's output that does not fit the schema. `problem` says so in words for the model. It was paid for."""

    wait_seconds = 0

    def __init__(self, text: str, problem: str, usage: Usage) -> None:
        super().__init__(problem)
        self.text = text
        self.problem = problem
        self.usage = usage


class Chat(Protocol):
    """A chat model, or somebody who asks one and keeps accounts of it."""

    @property
    def name(self) -> str:
        """The model's name."""

    async def complete(
        self,
        messages: Sequence[Message],
        schema: type[Schema],
        *,
        seconds: float,
        on_text: Callable[[str], None] | None = None,
    ) -> Completion[Schema]:
        """One answer in the shape of `schema`; see `ChatModel.complete`."""


class _Output(NamedTuple):
    """What has come of an answer; `ended` is the protocol's word for why there is no more, None as long as there is."""

    text: str
    ended: str | None
    usage: Usage


class ChatModel:
    """The chat model `model` of the service at `base_url`. It finds out what the service understands, and remembers."""

    def __init__(
        self, base_url: str, key: SecretStr | None, model: str, prices: Mapping[str, Price] | None = None
    ) -> None:
        self._service = Service(base_url, key)
        self._model = model
        self._prices = prices or {}
        self._formats = _LADDER
        self._counts_streams = True

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model

    async def complete(
        self,
        messages: Sequence[Message],
        schema: type[Schema],
        *,
        seconds: float,
        on_text: Callable[[str], None] | None = None,
    ) -> Completion[Schema]:
        """One answer in the shape of `schema`, whole within `seconds`.

        With `on_text` it is streamed: called with all the text there is so far. It is one request, followed at once by
        a simpler one where the service does not understand it; never a second try.
        Raises InvalidOutput for an answer that does not fit, Unavailable for none.
        """
        try:
            async with asyncio.timeout(seconds), self._service.client() as http:
                output = await self._understood(self._client(http), messages, schema, on_text)
        except TimeoutError:
            raise self._service.slow(seconds) from None
        return Completion(self._read(output, schema), output.usage)

    def most(self, messages: Sequence[Message], schema: type[BaseModel]) -> Usage:
        """The most that one answer may use, generously estimated; nothing is sent."""
        prompt = sum(estimated_tokens(text) for text in (instruction(schema), *(one.content for one in messages)))
        return priced(self._model, math.ceil(prompt * _MARGIN), _MOST_COMPLETION, self._prices)

    async def _understood(
        self,
        client: AsyncOpenAI,
        messages: Sequence[Message],
        schema: type[BaseModel],
        on_text: Callable[[str], None] | None,
    ) -> _Output:
        """The output for the first request that the service understands, down the ladder of formats."""
        formats = self._formats
        while True:
            request = self._request(messages, schema, formats[0])
            outputs = self._whole(client, request) if on_text is None else self._growing(client, request)
            try:
                output = await _last(self._translated(outputs), on_text)
            except Refusal as refusal:
                if on_text and self._counts_streams and "stream_options" in refusal.reason:
                    self._counts_streams = False
                elif refusal.status in _NOT_UNDERSTOOD and refusal.code not in _UNDERSTOOD and formats[1:]:
                    formats = formats[1:]
                else:
                    raise
            else:
                self._formats = formats
                return output

    def _request(self, messages: Sequence[Message], schema: type[BaseModel], wanted: Format) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self._model, "extra_headers": _NO_HEADER}
        if wanted == "json_schema":
            described = {"name": schema.__name__, "strict": True, "schema": json_schema(schema)}
            request["response_format"] = {"type": wanted, "json_schema": described}
        else:
            messages = _told_first(instruction(schema), messages)
            if wanted == "json_object":
                request["response_format"] = {"type": wanted}
        return request | {"messages": [{"role": role, "content": _encodable(content)} for role, content in messages]}

    async def _whole(self, client: AsyncOpenAI, request: dict[str, Any]) -> AsyncIterator[_Output]:
        completion: ChatCompletion = await client.chat.completions.create(**request)
        yield self._output(completion)

    async def _growing(self, client: AsyncOpenAI, request: dict[str, Any]) -> AsyncIterator[_Output]:
        body = {name: value for name, value in request.items() if name != "extra_headers"} | {"stream": True}
        if self._counts_streams:
            body["stream_options"] = {"include_usage": True}
        stream = await client.post(
            "/chat/completions",
            cast_to=object,  # its own classes take half a millisecond for each of a hundred chunks
            body=body,
            options={"headers": request["extra_headers"]},
            stream=True,
            stream_cls=AsyncStream[object],
        )
        async with stream:
            if "json" in stream.response.headers.get("content-type", ""):  # a service that knows no streams
                yield self._output(ChatCompletion.construct(**json.loads(await stream.response.aread())))
                return
            text, ended, usage = "", None, Usage()
            async for told in stream:
                chunk = _Chunk.model_validate(told)
                usage = self._usage(chunk.usage) or usage
                for choice in (chunk.choices or ())[:1]:
                    if choice.delta:
                        text += choice.delta.content or choice.delta.refusal or ""
                    ended = choice.finish_reason or ended
                if len(text) > _LONGEST_OUTPUT:
                    ended = "length"
                yield _Output(_encodable(text), ended, usage)
                if len(text) > _LONGEST_OUTPUT:
                    return
            if ended is None and not text:
                raise ValueError("nothing came")

    def _output(self, completion: ChatCompletion) -> _Output:
        choice = completion.choices[0]
        text = choice.message.content or choice.message.refusal or ""
        return _Output(_encodable(text), choice.finish_reason, self._usage(completion.usage) or Usage())

    def _usage(self, usage: CompletionUsage | _Spent | None) -> Usage | None:
        if not usage:
            return None
        return priced(self._model, usage.prompt_tokens or 0, usage.completion_tokens or 0, self._prices)

    async def _translated(self, outputs: AsyncIterator[_Output]) -> AsyncIterator[_Output]:
        """The same outputs, with our errors instead of those of the libraries."""
        try:
            async for output in outputs:
                yield output
        except openai.APIStatusError as error:
            answer = error.response
            raise self._service.refusal(
                answer.status_code, answer.headers, answer.content, model=self._model, setting=_SETTING
            ) from None
        except openai.APIConnectionError as error:
            raise self._service.down(error.__cause__ or error) from None
        except httpx2.RequestError as error:
            raise self._service.down(error) from None
        except openai.APIError as error:  # told in the middle of a stream
            raise PassingFault(
                "service_failed", service=self._service.name, status=self._service.safe(error.message)
            ) from None
        except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError, httpx2.InvalidURL):
            raise self._service.nonsense("no chat completion") from None

    def _read(self, output: _Output, schema: type[Schema]) -> Schema:
        try:
            return read(output.text, schema)
        except DoesNotFit as error:
            problem = "It was cut off because it was too long." if output.ended == "length" else str(error)
            raise InvalidOutput(output.text, problem, output.usage) from None

    def _client(self, http: httpx2.AsyncClient) -> AsyncOpenAI:
        return AsyncOpenAI(
            base_url=self._service.base_url,
            api_key="see _NO_HEADER",
            http_client=http,
            timeout=http.timeout,
            max_retries=0,
        )


async def _last(outputs: AsyncIterator[_Output], on_text: Callable[[str], None] | None) -> _Output:
    """The last output; `on_text` hears of each."""
    output = _Output("", None, Usage())
    async for output in outputs:
        if on_text:
            on_text(output.text)
    return output


def _told_first(instruction: str, messages: Sequence[Message]) -> list[Message]:
    """The messages with an instruction in the first place, where models that know one system message expect it."""
    first, *others = messages
    if first.role != "system":
        return [Message("system", instruction), *messages]
    return [Message("system", f"{first.content}\n\n{instruction}"), *others]


def _encodable(text: str) -> str:
    """The text without halves of characters: JSON can spell them, but no request, file or screen takes them."""
    return text.encode("utf-8", "replace").decode()
