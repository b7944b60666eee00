"""The bot in a group: who opens it, whom it answers there, and when it keeps silent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ai_library_bot.locales import messages
from tests.bot.running import ADMIN, KEEPER, QUOTE, READER, STRANGER, running, settings_for
from tests.bot.talking import Done, answer_to, everything_sent, sent_by, told_by
from tests.bot.telegram_chats import BOT
from tests.bot.telegram_server import TelegramServer

pytestmark = pytest.mark.usefixtures("hasty")

EN = messages("en")
ME = f"@{BOT['username']}"
CLUB = -1001


async def test_nobody_is_answered_in_a_group_before_an_admin_opens_it_and_after_it_was_closed(
    telegram: TelegramServer, shelf: Path, done: Done
) -> None:
    admin, member = telegram.user(ADMIN), telegram.user(STRANGER)
    club = telegram.group(CLUB)
    async with running(settings_for(telegram, shelf)):

        async def is_silent() -> bool:
            before = len(telegram.messages(club))
            for said in (f"/ask {KEEPER}", f"{ME} {KEEPER}", "/search keeper", "/books", "/allow", "/status"):
                member.say(said, chat=club)
            await done.all()
            return len(telegram.messages(club)) == before

        assert await is_silent()
        opened = await answer_to(admin, "/allow", chat=club)
        assert opened.text == EN("bot.group_open")
        answer = await answer_to(member, f"/ask {KEEPER}", chat=club)
        assert QUOTE in answer.text
        member.say(KEEPER)
        refusal = await telegram.wait_for(lambda: telegram.last(member))
        assert refusal.text == EN("bot.not_invited", id=STRANGER), "the group is open, not the bot"
        member.say("/disallow", chat=club)
        assert QUOTE in (await answer_to(member, f"/ask {KEEPER}", chat=club)).text
        assert (await answer_to(admin, "/disallow", chat=club)).text == EN("bot.group_closed")
        assert await is_silent()
        assert await told_by(member, answer, "[1]") == EN("bot.not_invited", id=STRANGER)
        assert (await answer_to(admin, "/allow")).text == EN("bot.only_in_groups")


async def test_whoever_may_ask_anywhere_may_ask_in_any_group(telegram: TelegramServer, shelf: Path) -> None:
    reader, club = telegram.user(READER), telegram.group(CLUB)
    async with running(settings_for(telegram, shelf)):
        assert QUOTE in (await answer_to(reader, f"/ask {KEEPER}", chat=club)).text


async def test_in_a_group_the_bot_answers_commands_its_name_and_replies(telegram: TelegramServer, shelf: Path) -> None:
    reader, club = telegram.user(READER), telegram.group(CLUB, bot_status="administrator")
    async with running(settings_for(telegram, shelf)):
        for said in (
            f"/ask {KEEPER}",
            f"/ask{ME} {KEEPER}",
            f"{ME} {KEEPER}",
            f"{KEEPER} {ME}",
            f"{ME.upper()}, {KEEPER}",
        ):
            answer = await answer_to(reader, said, chat=club)
            assert QUOTE in answer.text, said
            assert answer.reply_to == telegram.history(club)[-2].id, "it is told which question it answers"
        following = await answer_to(reader, "Which surgeon operated on the keeper's eye?", chat=club, reply_to=answer)
        assert "Osborne Kidd" in following.text
        for said in ("/ask", f"/ask{ME}", ME):
            assert (await answer_to(reader, said, chat=club)).text == EN("bot.ask_what")
        assert (await answer_to(reader, f"/search{ME} keeper", chat=club)).labels[:2] == ["[1]", "[2]"]


async def test_talk_among_people_and_with_other_bots_is_neither_answered_nor_excused(
    telegram: TelegramServer, shelf: Path, done: Done
) -> None:
    reader, other = telegram.user(READER), telegram.user(ADMIN)
    club = telegram.group(CLUB, bot_status="administrator")
    async with running(settings_for(telegram, shelf)):
        said = other.say("Did you read the one about the lighthouse?", chat=club)
        for text in (
            KEEPER,
            "/ask@other_bot why?",
            "/search@other_bot keeper",
            "/start@other_bot",
            "/allow@other_bot",
            "@other_bot why does the keeper stop writing letters?",
            f"{ME}s are what we need",
            f"mail{ME}.example",
            "/unknown",
            "/",
            "@",
        ):
            reader.say(text, chat=club)
        reader.say("Yes, I did.", chat=club, reply_to=said)
        reader.voice(chat=club)
        reader.photo(b"a photo", chat=club, caption="Look!")
        reader.send_file("book.txt", b"A book for the club.", chat=club)
        other.send_file("book.txt", b"A book for the club.", chat=club)
        await done.all()
    assert telegram.messages(club) == []
    assert telegram.calls("sendChatAction") == []


async def test_each_member_has_a_conversation_of_their_own(telegram: TelegramServer, shelf: Path) -> None:
    anna, boris = telegram.user(READER), telegram.user(ADMIN, first_name="Boris")
    club = telegram.group(CLUB)
    stopped = "Why was the village clock silent for seven weeks in 1871?"
    when = "From the fourth of June to the twenty-third of July 1871"
    async with running(settings_for(telegram, shelf)):
        await answer_to(anna, f"/ask {stopped}", chat=club)
        assert when not in (await answer_to(boris, "/ask And when was that?", chat=club)).text
        assert (await answer_to(boris, "/new", chat=club)).text == EN("bot.new_conversation")
        assert when not in (await answer_to(anna, "And when was that?")).text, "in private it is another one"
        assert when in (await answer_to(anna, "/ask And when was that?", chat=club)).text


async def test_a_member_may_open_and_judge_what_another_was_answered_in_the_same_group_only(
    telegram: TelegramServer, shelf: Path
) -> None:
    anna, boris = telegram.user(READER), telegram.user(ADMIN, first_name="Boris")
    club, class_ = telegram.group(CLUB), telegram.group(CLUB - 1, "Class")
    async with running(settings_for(telegram, shelf)):
        answer = await answer_to(anna, f"/ask {KEEPER}", chat=club)
        source = await sent_by(boris, answer, "[1]")
        assert QUOTE in source.marked("bold")[-1]
        assert source.reply_to == answer.id
        for person, vote in ((boris, "👍"), (anna, "👍"), (boris, "👎")):
            assert await told_by(person, answer, vote) == EN("bot.thanks")
        assert EN("bot.stats.votes", good=1, bad=1) in (await answer_to(boris, "/stats")).text
        elsewhere = await answer_to(boris, f"/ask {KEEPER}", chat=class_)
        stolen = answer.buttons[0]["callback_data"]
        query = boris.forge(elsewhere, stolen)
        assert (await telegram.wait_for(lambda: telegram.answers.get(query)))["text"] == EN("bot.stale")


async def test_brought_into_a_group_by_an_admin_it_says_how_to_open_it_and_by_others_nothing(
    telegram: TelegramServer, shelf: Path, done: Done
) -> None:
    admin, stranger, reader = telegram.user(ADMIN), telegram.user(STRANGER), telegram.user(READER)
    club = telegram.group(CLUB, bot_status="left")
    others = telegram.group(CLUB - 1, bot_status="left"), telegram.group(CLUB - 2, bot_status="left")
    async with running(settings_for(telegram, shelf)):
        stranger.add_bot(others[0])
        reader.add_bot(others[1])
        admin.add_bot(club)
        hello = await telegram.wait_for(lambda: telegram.last(club))
        assert hello.text == EN("bot.open_this_group")
        assert (await answer_to(admin, "/allow", chat=club)).text == EN("bot.group_open")
        admin.remove_bot(club)
        admin.add_bot(club)
        await done.all()
    assert len(telegram.messages(club)) == 2, "a group that is open needs no hint"
    assert [telegram.messages(other) for other in others] == [[], []]


async def test_a_bot_that_is_put_out_while_it_thinks_says_nothing_and_stays_up(
    telegram: TelegramServer, shelf: Path, done: Done, caplog: pytest.LogCaptureFixture
) -> None:
    admin, club = telegram.user(ADMIN), telegram.group(CLUB)
    async with running(settings_for(telegram, shelf)):
        admin.say(f"/ask {KEEPER}", chat=club)
        admin.remove_bot(club)
        await done.all()
        assert QUOTE in (await answer_to(admin, KEEPER)).text
    assert "mistake" not in caplog.text


async def test_in_a_topic_everything_is_said_in_that_topic(telegram: TelegramServer, shelf: Path) -> None:
    reader, forum = telegram.user(READER), telegram.group(CLUB)
    topic = (("message_thread_id", 5), ("is_topic_message", True))

    def in_topic(text: str) -> None:
        def act() -> None:
            chat = telegram.chats[forum.id]
            command = {"type": "bot_command", "offset": 0, "length": 4}
            message = chat.add(reader.as_json, text=text, entities=(command,), service=topic)
            telegram.updates.add("message", chat.id, chat.told(message))

        telegram.act(act)

    async with running(settings_for(telegram, shelf)):
        in_topic(f"/ask {KEEPER}")
        answer = await telegram.wait_for(lambda: telegram.last(forum))
        telegram.act(lambda: telegram.chats[forum.id].messages.update({answer.id: replace(answer, service=topic)}))
        await sent_by(reader, answer, "[1]")
    sent = [*telegram.calls("sendMessage"), *telegram.calls("sendChatAction")]
    assert len(telegram.calls("sendMessage")) == 2
    assert {request.parameters.get("message_thread_id") for request in sent} == {5}


async def test_commands_for_admins_show_in_their_menu_only(telegram: TelegramServer, shelf: Path) -> None:
    async with running(settings_for(telegram, shelf)):
        await telegram.wait_for(lambda: len(telegram.calls("setMyCommands")) == 4)
    menus = {
        str(call.parameters.get("scope", "everybody")): {one["command"] for one in call.parameters["commands"]}
        for call in telegram.calls("setMyCommands")
    }
    assert "rollback" not in menus["everybody"]
    assert "rollback" in menus[str({"type": "chat", "chat_id": ADMIN})]
    assert QUOTE not in everything_sent(telegram)
