"""What can go wrong, as a person should hear it.

    LibraryError
    ├── BadRequest        64   a query, an option or a number that makes no sense
    ├── BadData           65   an index that is damaged or newer than this program
    ├── MissingInput      66   a path, a book or an index that is not there
    ├── Unavailable       69   a service that does not answer
    ├── CannotWrite       73   a folder that cannot be written, a full disk
    ├── Busy              75   another ingest holds the lock
    ├── BadSetting        78   a setting with a value it does not take
    └── UnreadableBook    65   one book; `ingest` reports it and goes on

Each error carries a message key and its details; the sentence stands in `locales/`, in every language. Anything
that is not a `LibraryError` is a bug.
"""

from __future__ import annotations

from typing import ClassVar

from ai_library_bot.locales import messages

Detail = str | int | float


class LibraryError(Exception):
    """Something went wrong that a person can understand and mend.

    `key` names the message under `error.` in `locales/`; `details` fill its placeholders.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, key: str, **details: Detail) -> None:
        super().__init__(key, details)
        self.key = key
        self.details = details

    def __str__(self) -> str:
        return self.say("en")

    def say(self, language: str) -> str:
        """The whole message: what happened, to what, and what to do."""
        return messages(language)(f"error.{self.key}", **self.details)


class BadRequest(LibraryError):
    exit_code = 64


class BadData(LibraryError):
    exit_code = 65


class MissingInput(LibraryError):
    exit_code = 66


class Unavailable(LibraryError):
    exit_code = 69


class CannotWrite(LibraryError):
    exit_code = 73


class Busy(LibraryError):
    exit_code = 75


class BadSetting(LibraryError):
    exit_code = 78


class UnreadableBook(LibraryError):
    """One book cannot be read. `retry` is true for a passing fault, false for a file that has to change first."""

    exit_code = 65

    def __init__(self, key: str, *, retry: bool = False, **details: Detail) -> None:
        super().__init__(key, **details)
        self.retry = retry
