"""The settings, from the environment and `.env`; `.env.example` explains each to the person who sets it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ai_library_bot.env_file import ENV_FILE, ENV_FILE_ENCODING
from ai_library_bot.errors import BadSetting
from ai_library_bot.locales import interface_language

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
    """Shorter passages join a neighbour or are left out."""
    min_relevance: float = Field(default=0.7, ge=0, le=1)
    """How well, 0…1, a passage must fit a question to count as support for an answer."""
    keep_generations: int = Field(default=5, ge=1)
    """How many generations of the index are kept for `rollback-index`, with the active one."""
    library_lang: Annotated[Literal["en", "ru"], BeforeValidator(lambda value: str(value).lower())] = Field(
        default_factory=lambda: "ru" if interface_language(os.environ) == "ru" else "en"
    )
    """The language of the interface; answers follow their question."""
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(lambda value: str(value).upper())
    ] = "WARNING"
    """What the log on standard error holds."""

    @model_validator(mode="wrap")
    @classmethod
    def _explain_bad_value(cls, values: Any, handler: ModelWrapValidatorHandler[Settings]) -> Settings:
        try:
            return handler(values)
        except ValidationError as error:
            name = error.errors()[0]["loc"][0]
            raise BadSetting(f"setting.{name}", value=str(values[name])) from None
