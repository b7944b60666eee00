"""Who may ask: invitations and members for admins, and groups that an admin opens."""

from __future__ import annotations

from aiogram import Bot, F, Router
from aiogram.exceptions import TelegramAPIError
from aiogram.filters import Command, CommandObject
from aiogram.filters.chat_member_updated import JOIN_TRANSITION, ChatMemberUpdatedFilter
from aiogram.types import CallbackQuery, ChatMemberUpdated, InlineKeyboardMarkup, Message, User

from ai_library_bot.bot.access import ADMINS, OPEN, Person
from ai_library_bot.bot.callbacks import Dismiss
from ai_library_bot.bot.layout import code, paragraph, told
from ai_library_bot.bot.people import People
from ai_library_bot.bot.rendering import button
from ai_library_bot.bot.sending import Place, place_of, send, settle
from ai_library_bot.locales import Messages

_ADMINS = {ADMINS: True}
_USES, _DAYS = 1, 7  # of an invitation, if an admin says nothing else
_MOST_USES, _MOST_DAYS = 1_000, 365
_MOST_SHOWN = 20  # members with a button

_GROUP = F.chat.type.in_({"group", "supergroup"})


def router() -> Router:
    made = Router(name="members")
    made.message.register(_invite, Command("invite"), flags=_ADMINS)
    made.message.register(_members, Command("members"), flags=_ADMINS)
    made.message.register(_allow, Command("allow", "disallow"), _GROUP, flags=_ADMINS)
    made.message.register(_only_in_groups, Command("allow", "disallow"), flags=_ADMINS)
    made.callback_query.register(_dismiss, Dismiss.filter(), flags=_ADMINS)
    made.my_chat_member.register(_came_in, ChatMemberUpdatedFilter(JOIN_TRANSITION), _GROUP, flags={OPEN: True})
    return made


async def _invite(message: Message, command: CommandObject, bot: Bot, me: User, people: People, say: Messages) -> None:
    wanted = _uses_and_days(command.args or "")
    if wanted is None:
        await send(bot, place_of(message), (told(say("bot.invite_how", **_counted(say, _MOST_USES, _MOST_DAYS))),))
        return
    uses, days = wanted
    link = f"https://t.me/{me.username}?start={await people.invite(uses=uses, days=days)}"
    invitation = (told(say("bot.invitation", **_counted(say, uses, days))), paragraph(code(link)))
    await send(bot, place_of(message), invitation)


def _counted(say: Messages, uses: int, days: int) -> dict[str, str]:
    """For how many people and days an invitation is good, in words."""
    return {
        "uses": say("count.people", count=uses, number=say.number(uses)),
        "days": say("count.days", count=days, number=say.number(days)),
    }


async def _members(message: Message, bot: Bot, people: People, say: Messages) -> None:
    members = await people.members()
    if not members:
        await send(bot, place_of(message), (told(say("bot.no_members")),))
        return
    rows = [[button(f"✕ {await _name(bot, user)}", Dismiss(user=user))] for user in members[:_MOST_SHOWN]]
    count = say("bot.members", count=len(members))
    await send(bot, place_of(message), (told(count),), InlineKeyboardMarkup(inline_keyboard=rows))


async def _dismiss(callback: CallbackQuery, callback_data: Dismiss, bot: Bot, people: People, say: Messages) -> None:
    await people.dismiss(callback_data.user)
    await settle(callback, bot, told(say("bot.dismissed", id=callback_data.user)))


async def _allow(message: Message, command: CommandObject, bot: Bot, people: People, say: Messages) -> None:
    if command.command == "allow":
        await people.open_group(message.chat.id)
    else:
        await people.close_group(message.chat.id)
    key = "bot.group_open" if command.command == "allow" else "bot.group_closed"
    await send(bot, place_of(message), (told(say(key)),))


async def _only_in_groups(message: Message, bot: Bot, say: Messages) -> None:
    await send(bot, place_of(message), (told(say("bot.only_in_groups")),))


async def _came_in(event: ChatMemberUpdated, bot: Bot, person: Person, people: People, say: Messages) -> None:
    """Brought into a group: an admin hears how to open it; from anybody else nothing follows."""
    if person.admin and not await people.may_ask(0, event.chat.id):
        await send(bot, Place(event.chat.id), (told(say("bot.open_this_group")),))


def _uses_and_days(arguments: str) -> tuple[int, int] | None:
    """How often and how long an invitation may be used; None for numbers that make no sense."""
    given = arguments.split()
    if len(given) > 2 or not all(word.isdecimal() for word in given):
        return None
    uses, days = [*map(int, given), *(_USES, _DAYS)[len(given) :]]
    return (uses, days) if 1 <= uses <= _MOST_USES and 1 <= days <= _MOST_DAYS else None


async def _name(bot: Bot, user: int) -> str:
    try:
        return (await bot.get_chat(user)).full_name
    except TelegramAPIError:  # gone, or has never written to us
        return str(user)
