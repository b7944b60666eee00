"""The settings, from the environment and `.env`; `.env.example` explains each to the person who sets it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Json,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ai_library_bot.env_file import ENV_FILE, ENV_FILE_ENCODING
from ai_library_bot.errors import BadSetting
from ai_library_bot.locales import interface_language
from ai_library_bot.prices import Price

OPENAI = "https://api.openai.com/v1"


def _whole_url(value: str) -> str:
    parts = urlsplit(value)  # ValueError for some that make no sense, and below for a port that is no number
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("no http")
    return value.rstrip("/")


def _key(value: SecretStr) -> SecretStr:
    """The key without the white space that comes along when it is copied; what is left has to fit into a header."""
    key = value.get_secret_value().strip()
    if not (key and key.isascii() and key.isprintable() and " " not in key):
        raise ValueError("no key")
    return SecretStr(key)


def _redis_url(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path):
        raise ValueError("no Redis")
    _ = parts.port  # ValueError where it is no number of a port
    return value


def _token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value().strip()
    if not re.fullmatch(r"\d+:[\w-]+", token, re.ASCII):
        raise ValueError("no token")
    return SecretStr(token)


def _webhook_secret(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\w-]{1,256}", value.get_secret_value(), re.ASCII):
        raise ValueError("no secret for a webhook")
    return value


def _numbers(value: object) -> object:
    """Numbers of people, as they are written one after another: "17, 42"."""
    return re.split(r"[\s,;]+", value.strip(" ,;")) if isinstance(value, str) else value


def _host_and_port(value: str) -> str:
    parts = urlsplit(f"//{value}")
    if not parts.hostname or not parts.port or parts.path:
        raise ValueError("no host and port")
    return value


_Url = Annotated[str, AfterValidator(_whole_url)]
_Key = Annotated[SecretStr, AfterValidator(_key)]
_People = Annotated[frozenset[Annotated[int, Field(gt=0)]], NoDecode, BeforeValidator(_numbers)]
_Folder = Annotated[Path, AfterValidator(Path.expanduser)]


class Settings(BaseSettings):
    """What can be chosen. Constructor arguments win over the environment, the environment over `.env`.

    Raises BadSetting for a value that a setting does not take.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_file_encoding=ENV_FILE_ENCODING, env_ignore_empty=True, extra="ignore", frozen=True
    )

    faiss_path: _Folder = Path("index")
    """The folder of the index."""
    books_path: _Folder = Path("books")
    """The folder of books that `ingest` reads when it is given none."""
    max_book_mb: float = Field(default=20, gt=0, allow_inf_nan=False)
    """Larger files are reported and left out, in megabytes."""
    min_passage_chars: int = Field(default=200, ge=0, le=1000)
    """Chapters and notes shorter than this are left out, unless the book has nothing longer."""
    min_relevance: float = Field(default=0.7, ge=0, le=1)
    """How well, 0…1, a passage must fit a question to count as support for an answer."""
    keep_generations: int = Field(default=5, ge=1)
    """How many generations of the index are kept for `rollback-index`, with the active one."""
    openai_api_key: _Key | None = None
    """The key of OpenAI or of the compatible server. Without key and base URL no model is asked."""
    openai_base_url: _Url = OPENAI
    """Where the service is. Set, it is asked without a key too: servers at home need none."""
    openai_model: str = "gpt-5.4-mini"
    """The model that writes answers; `none` for answers that only quote."""
    answer_seconds: float = Field(default=60, gt=0, le=600)
    """After so many seconds an answer is made without the model."""
    embedder: Literal["openai", "local", "none"] | None = None
    """Who makes the vectors for finding by meaning; without it `openai` where a key or a base URL is set."""
    embedding_model: str | None = None
    """The embedding model's name; for a local one also its folder."""
    embedding_dimensions: int | None = Field(default=None, ge=1, le=8192)
    """How long a vector the service is asked for."""
    rerank_url: _Url | None = None
    """A `/rerank` endpoint that orders the passages found anew."""
    rerank_model: str | None = None
    """The model the endpoint is asked for; alone, without an endpoint: `chat` lets OPENAI_MODEL do it."""
    rerank_api_key: _Key | None = None
    """The key of the endpoint, which may be somebody else's: it never gets OPENAI_API_KEY."""
    transcription_model: str | None = None
    """The model of the same service that turns voice messages into text; without one they are not understood."""
    cache_backend: Literal["memory", "redis", "none"] = "memory"
    """Where answers are kept, so that the same question is not paid for twice."""
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] = SecretStr("redis://localhost:6379/0")
    """Where Redis is, with its password if it has one."""
    prices: Annotated[Json[dict[str, Price]] | dict[str, Price], NoDecode] = Field(default_factory=dict)
    """What models cost, where `prices.py` does not know it or is out of date."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Where Prometheus may read figures while the program runs, on this machine only."""
    library_lang: Annotated[Literal["en", "ru"], BeforeValidator(lambda value: str(value).lower())] = Field(
        default_factory=lambda: "ru" if interface_language(os.environ) == "ru" else "en"
    )
    """The language of the interface; answers follow their question."""
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(lambda value: str(value).upper())
    ] = "WARNING"
    """What the log on standard error holds."""

    tg_token: Annotated[SecretStr, AfterValidator(_token)] | None = None
    """The token of the bot, from @BotFather."""
    tg_allowed_users: _People = frozenset()
    """Who may ask, by their numbers in Telegram."""
    tg_admins: _People = frozenset()
    """Who may ask and look after the bot."""
    tg_public: bool = False
    """Whether everybody in Telegram may ask."""
    tg_questions_per_day: int | None = Field(default=100, ge=0)
    """How many questions a person may ask a day; without it as many as they like."""
    tg_tokens_per_day: int | None = Field(default=None, ge=0)
    """How many tokens the questions of a person may use a day; then answers only quote."""
    tg_dollars_per_day: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """How much money they may cost a day, in US dollars; then answers only quote."""
    tg_api_url: _Url | None = None
    """A Bot API server of one's own; without it Telegram's."""
    tg_webhook_url: _Url | None = None
    """Where Telegram brings updates; without it they are fetched. Only a Bot API server of one's own takes http."""
    tg_webhook_secret: Annotated[SecretStr, AfterValidator(_webhook_secret)] | None = None
    """What proves that an update comes from Telegram."""
    tg_listen: Annotated[str, AfterValidator(_host_and_port)] | None = None
    """Where the bot answers over HTTP: the webhook and /healthz."""
    state_backend: Literal["sqlite", "redis"] = "sqlite"
    """Where the bot remembers people and conversations; several bots at once need redis."""

    @model_validator(mode="wrap")
    @classmethod
    def _explain_bad_value(cls, values: Any, handler: ModelWrapValidatorHandler[Settings]) -> Settings:
        try:
            return handler(values)
        except ValidationError as error:
            name = error.errors()[0]["loc"][0]
            # Sentences about secrets leave the value out; an address may hold a password.
            raise BadSetting(f"setting.{name}", value=re.sub("//.*@", "//***@", str(values[name]))) from None
