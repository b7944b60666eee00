"""What stands in a button, at most 64 bytes. Whoever sends it may have made it up: every field is checked again."""

from __future__ import annotations

from aiogram.filters.callback_data import CallbackData


class OpenSource(CallbackData, prefix="o"):
    """Opens source `number` of a kept answer in a message of its own."""

    owner: int
    key: str
    number: int


class GoTo(CallbackData, prefix="g"):
    """Shows, in the message that shows source `number`, the passage `step` passages further on in the book."""

    owner: int
    key: str
    number: int
    step: int


class ShowPage(CallbackData, prefix="p"):
    """Sends the page of source `number` as a picture."""

    owner: int
    key: str
    number: int


class AskNext(CallbackData, prefix="n"):
    """Asks question `number` of those that a kept answer suggests."""

    owner: int
    key: str
    number: int


class Vote(CallbackData, prefix="v"):
    """Says whether a kept answer was good."""

    owner: int
    key: str
    good: bool


class TurnBooks(CallbackData, prefix="b"):
    """Turns the list of books to this page, counted from 0."""

    page: int


class Speak(CallbackData, prefix="l"):
    """Chooses the language."""

    language: str


class Forget(CallbackData, prefix="f"):
    """Erases what is known of the one who presses it."""


class RollBack(CallbackData, prefix="r"):
    """Goes back to an earlier generation, if `active` is still the one in use."""

    active: int


class Remove(CallbackData, prefix="d"):
    """Takes a book out of the index."""

    book: str


class Dismiss(CallbackData, prefix="m"):
    """Takes a member's right to ask."""

    user: int


class Cancel(CallbackData, prefix="x"):
    """Leaves everything as it is."""
