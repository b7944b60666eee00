"""Who may ask: those in the settings, members by invitation, and anybody in an open group."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from ai_library_bot.bot.people import People
from ai_library_bot.bot.store import Store
from tests.bot.stores import DAY, KINDS, Clock, Place, opened, places

ADMIN, ALLOWED, STRANGER, OTHER = 1, 2, 17, 117
GROUP = -100_500


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module", params=KINDS)
def new_place(request: pytest.FixtureRequest) -> Iterator[Callable[[], Place]]:
    with places(request.param, Clock()) as new_place:
        yield new_place


@pytest.fixture
async def store(new_place: Callable[[], Place]) -> AsyncIterator[Store]:
    async with opened(new_place()) as store:
        yield store


@pytest.fixture
def people(store: Store, clock: Clock) -> People:
    return People(store, allowed=[ALLOWED], admins=[ADMIN], public=False, clock=clock)


async def may_ask(people: People, user: int) -> bool:
    """In a chat of their own."""
    return await people.may_ask(user, chat=user)


async def test_those_in_the_settings_may_ask_and_nobody_else(people: People) -> None:
    assert [await may_ask(people, user) for user in (ADMIN, ALLOWED, STRANGER)] == [True, True, False]
    assert [people.is_admin(user) for user in (ADMIN, ALLOWED, STRANGER)] == [True, False, False]


async def test_a_public_bot_answers_everybody_and_has_the_same_admins(store: Store) -> None:
    people = People(store, allowed=[], admins=[ADMIN], public=True)
    assert await may_ask(people, STRANGER)
    assert not people.is_admin(STRANGER)


async def test_in_an_open_group_anybody_may_ask_and_only_there(people: People) -> None:
    assert not await people.may_ask(STRANGER, GROUP)
    await people.open_group(GROUP)
    assert await people.may_ask(STRANGER, GROUP)
    assert not await people.may_ask(STRANGER, GROUP - 1)
    assert not await may_ask(people, STRANGER)
    await people.close_group(GROUP)
    assert not await people.may_ask(STRANGER, GROUP)
    assert await people.may_ask(ALLOWED, GROUP)


async def test_a_code_fits_into_a_link_and_no_two_are_the_same(people: People) -> None:
    codes = {await people.invite(uses=1, days=1) for _ in range(50)}
    assert len(codes) == 50
    assert all(re.fullmatch("[A-Za-z0-9_-]{20,64}", code) for code in codes)


async def test_whoever_has_an_invitation_may_ask_everywhere(people: People) -> None:
    code = await people.invite(uses=1, days=1)
    assert await people.join(STRANGER, code)
    assert await may_ask(people, STRANGER)
    assert await people.may_ask(STRANGER, GROUP)
    assert await people.members() == [STRANGER]


async def test_an_invitation_is_used_once_per_person_and_as_often_as_it_says(people: People) -> None:
    code = await people.invite(uses=2, days=1)
    assert [await people.join(user, code) for user in (20, 20, 9, 20, 40, 9)] == [True, True, True, True, False, True]
    assert await people.members() == [9, 20]


async def test_a_member_uses_up_no_other_invitation(people: People) -> None:
    await people.join(20, await people.invite(uses=1, days=1))
    code = await people.invite(uses=1, days=1)
    assert await people.join(20, code)
    assert await people.join(30, code)


async def test_of_many_who_come_at_once_no_more_join_than_are_invited(people: People) -> None:
    code = await people.invite(uses=5, days=1)
    joined = await asyncio.gather(*(people.join(user, code) for user in list(range(100, 130)) * 2))
    assert joined.count(True) >= 5
    assert len(await people.members()) == 5


@pytest.mark.parametrize("code", ["", "nonsense", "x" * 65, "a/b", "*", "ё", "\ud800", "code\n"])
async def test_a_code_that_there_never_was_lets_nobody_in(people: People, code: str) -> None:
    await people.invite(uses=1, days=1)
    assert not await people.join(STRANGER, code)
    assert not await may_ask(people, STRANGER)


async def test_an_invitation_grows_old_however_often_it_is_used_and_members_stay(people: People, clock: Clock) -> None:
    code = await people.invite(uses=10, days=2)
    clock.now += 1.9 * DAY
    assert await people.join(20, code)
    clock.now += 0.2 * DAY
    assert not await people.join(30, code)
    assert await people.members() == [20]


async def test_whoever_is_dismissed_may_not_ask_nor_come_back_by_the_same_way(people: People) -> None:
    code = await people.invite(uses=3, days=1)
    await people.join(STRANGER, code)
    await people.join(OTHER, code)
    assert await people.dismiss(STRANGER)
    assert not await people.dismiss(STRANGER)
    assert not await may_ask(people, STRANGER)
    assert not await people.join(STRANGER, code)
    assert await people.members() == [OTHER]
    assert await people.join(30, code)
    assert not await people.join(40, code)
    assert await people.join(STRANGER, await people.invite(uses=1, days=1))


async def test_those_in_the_settings_cannot_be_dismissed(people: People) -> None:
    assert not await people.dismiss(ALLOWED)
    assert await may_ask(people, ALLOWED)


async def test_a_join_that_was_cut_short_can_be_tried_again(people: People, store: Store) -> None:
    code = await people.invite(uses=1, days=1)
    await people.join(STRANGER, code)
    await store.remove(f"member/{STRANGER}")  # as if the power had gone before it was written
    assert await people.join(STRANGER, code)
    assert await may_ask(people, STRANGER)


async def test_the_language_that_a_person_chose_is_remembered(people: People) -> None:
    assert await people.language(STRANGER) is None
    await people.speak(STRANGER, "ru")
    await people.speak(OTHER, "en")
    await people.speak(STRANGER, "en")
    assert (await people.language(STRANGER), await people.language(OTHER)) == ("en", "en")


async def test_whoever_is_forgotten_may_still_ask_and_nothing_else_is_left(people: People, store: Store) -> None:
    await people.join(STRANGER, await people.invite(uses=1, days=1))
    await people.speak(STRANGER, "ru")
    await people.speak(OTHER, "ru")
    await store.put(f"person/{STRANGER}/conversation", b"what they asked")
    await people.forget(STRANGER)
    assert await people.language(STRANGER) is None
    assert await store.items(f"person/{STRANGER}") == []
    assert await people.language(OTHER) == "ru"
    assert await may_ask(people, STRANGER)
