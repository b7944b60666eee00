"""The door to what the bot remembers; behind it a file for one bot, or a Redis for several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Store(Protocol):
    """Keeps small values under keys such as person/17/language.

    Each call is atomic, and what it did outlives the process. `seconds` is how long a value is kept from then on; None
    is for good. Nothing is opened before the first call. Calls raise Unavailable for a store that does not answer as it
    should, CannotWrite for a disk that is full or may not be written to, Busy where another bot has the store; of a
    call that was cancelled or ended in Unavailable nobody knows whether it was carried out.
    """

    async def get(self, key: str) -> bytes | None:
        """What is kept under the key."""

    async def put(self, key: str, value: bytes, *, seconds: float | None = None) -> None:
        """Keeps the value, in place of one that is there."""

    async def add(self, key: str, value: bytes, *, seconds: float | None = None) -> bool:
        """Keeps the value unless something is there; then it returns False."""

    async def change(
        self, key: str, change: Callable[[bytes | None], bytes | None], *, seconds: float | None = None
    ) -> bytes | None:
        """Replaces what is there by what `change` makes of it, and returns that; None is for nothing there.

        `change` has to be quick and may be called more than once, also in another thread: the last time counts. What it
        raises arrives here, and nothing has changed.
        """

    async def remove(self, *keys: str) -> None:
        """Forgets what is kept under the keys."""

    async def items(self, prefix: str) -> list[tuple[str, bytes]]:
        """What is kept under keys that begin so, by key. What comes and goes meanwhile may be among it or not."""

    async def erase(self, prefix: str) -> None:
        """Removes what is kept under keys that begin so, and all that was, so that no byte of it is left in any file.

        What Redis itself writes to a disk is not in our hands.
        """

    async def close(self) -> None:
        """Lets go of what it holds."""
