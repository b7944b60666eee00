"""Who may ask, and what is known of them.

person/<id>/language       en or ru; whatever is text about a person stands under person/<id>/
member/<id>                somebody who came by an invitation
group/<id>                 a group that an admin has opened
invitation/<code>          how many may use it, until when, the ids of those who have
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from typing import Self

from ai_library_bot.bot.store import Store

_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what Telegram lets stand behind ?start=
_CODE_BYTES = 16
_DAY = 24 * 3600


class People:
    """The people of one bot. `allowed` and `admins` may ask whatever the store says; if `public`, everybody may."""

    def __init__(
        self,
        store: Store,
        *,
        allowed: Collection[int],
        admins: Collection[int],
        public: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._allowed, self._admins = frozenset(allowed), frozenset(admins)
        self._public = public
        self._clock = clock

    def is_admin(self, user: int) -> bool:
        """Whether the settings name the person as one."""
        return user in self._admins

    async def may_ask(self, user: int, chat: int) -> bool:
        """Whether the person may ask in that chat. A group has a number below 0; in one that is open anybody may."""
        return (
            self._public
            or user in self._allowed | self._admins
            or await self._is_member(user)
            or (chat < 0 and await self._store.get(f"group/{chat}") is not None)
        )

    async def language(self, user: int) -> str | None:
        """The language the person chose, if they did."""
        chosen = await self._store.get(f"person/{user}/language")
        return chosen.decode() if chosen else None

    async def speak(self, user: int, language: str) -> None:
        """From now on the person is spoken to in that language."""
        await self._store.put(f"person/{user}/language", language.encode())

    async def invite(self, *, uses: int, days: int) -> str:
        """A code that nobody can guess, for https://t.me/<bot>?start=<code>: so many may join with it, so long."""
        code = secrets.token_urlsafe(_CODE_BYTES)
        invitation = _Invitation(uses, self._clock() + days * _DAY)
        await self._store.put(f"invitation/{code}", invitation.to_bytes(), seconds=days * _DAY)
        return code

    async def join(self, user: int, code: str) -> bool:
        """Makes the person a member; False for an invitation that there never was, or that is used up or too old.

        One person uses up one use, and a member none. Whoever was dismissed needs another invitation.
        """
        key = f"invitation/{code}"
        known = await self._store.get(key) if _CODE.fullmatch(code) else None
        left = _Invitation.of(known).until - self._clock() if known else 0
        if left <= 0:
            return False
        is_member = await self._is_member(user)
        changed = await self._store.change(key, lambda now: _used(now, user, is_member=is_member), seconds=left)
        joins = changed is not None and user in _Invitation.of(changed).welcome
        if joins:
            await self._store.add(f"member/{user}", b"")  # after the use is counted: a crash between costs a second try
        return joins or is_member

    async def members(self) -> list[int]:
        """Those who came by an invitation, by number."""
        return sorted(int(key.rpartition("/")[2]) for key, _ in await self._store.items("member/"))

    async def dismiss(self, user: int) -> bool:
        """Sends a member away, whose invitations are void from now on; False if the person was none."""
        if not await self._is_member(user):
            return False
        for key, value in await self._store.items("invitation/"):
            left = _Invitation.of(value).until - self._clock()
            await self._store.change(key, lambda now: _closed(now, user), seconds=left)
        await self._store.remove(f"member/{user}")
        return True

    async def open_group(self, chat: int) -> None:
        """From now on anybody in the group may ask there."""
        await self._store.put(f"group/{chat}", b"")

    async def close_group(self, chat: int) -> None:
        """From now on only those may ask there who may ask anywhere."""
        await self._store.remove(f"group/{chat}")

    async def forget(self, user: int) -> None:
        """Erases all text about the person. That they may ask, and what they spent, stays: it is numbers."""
        await self._store.erase(f"person/{user}/")

    async def _is_member(self, user: int) -> bool:
        return await self._store.get(f"member/{user}") is not None


@dataclass(frozen=True, slots=True)
class _Invitation:
    """For `uses` people, `until` then (seconds since the epoch). `dismissed` are those who joined and had to go."""

    uses: int
    until: float
    joined: tuple[int, ...] = ()
    dismissed: tuple[int, ...] = ()

    @property
    def welcome(self) -> set[int]:
        return set(self.joined) - set(self.dismissed)

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def of(cls, value: bytes) -> Self:
        kept = json.loads(value)
        return cls(kept["uses"], kept["until"], tuple(kept["joined"]), tuple(kept["dismissed"]))


def _used(value: bytes | None, user: int, *, is_member: bool) -> bytes | None:
    """The invitation after the person has used it, as far as they need to and may."""
    if value is None or is_member:
        return value
    invitation = _Invitation.of(value)
    if user in invitation.joined or len(invitation.joined) >= invitation.uses:
        return value
    return replace(invitation, joined=(*invitation.joined, user)).to_bytes()


def _closed(value: bytes | None, user: int) -> bytes | None:
    """The invitation after the person was dismissed."""
    if value is None:
        return None
    invitation = _Invitation.of(value)
    if user not in invitation.welcome:
        return value
    return replace(invitation, dismissed=(*invitation.dismissed, user)).to_bytes()
