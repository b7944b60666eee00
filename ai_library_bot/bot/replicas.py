"""Signs of life, by which the replicas that share a store know of one another which have died."""

from __future__ import annotations

from ai_library_bot.bot.store import Store

BEAT = 5.0
"""Seconds between two signs of life."""

_DEAD_AFTER = 20.0  # seconds without one


async def give_sign(store: Store, replica: str) -> None:
    """To be called every `BEAT` seconds, and before anything is begun that others would take over."""
    await store.put(_sign(replica), b"alive", seconds=_DEAD_AFTER)


async def is_alive(store: Store, replica: str) -> bool:
    """Whether the replica has given a sign of life lately."""
    return await store.get(_sign(replica)) is not None


async def take_leave(store: Store, replica: str) -> None:
    """The replica ends in good order: nobody needs to wait for its next sign."""
    await store.remove(_sign(replica))


def _sign(replica: str) -> str:
    return f"replica/{replica}"
