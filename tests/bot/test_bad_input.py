"""Strangers, floods, forged buttons, odd messages, a Telegram that does not answer: the bot stays up through all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_library_bot import cli
from ai_library_bot.bot import access
from ai_library_bot.bot.serve import serve
from ai_library_bot.errors import BadSetting, Busy
from ai_library_bot.library import Library
from ai_library_bot.locales import messages
from ai_library_bot.settings import Settings
from ai_library_bot.text import sentences
from tests.bot.librarian import asking, librarian
from tests.bot.running import ADMIN, KEEPER, QUOTE, READER, STRANGER, running, settings_for
from tests.bot.talking import Done, answer_to, everything_sent, sent_by, told, told_by
from tests.bot.telegram_chats import Message
from tests.bot.telegram_faults import Fault, cut, cut_after, garbage, status, too_many
from tests.bot.telegram_people import Person
from tests.bot.telegram_server import TelegramServer
from tests.openai_server import OpenAIServer
from tests.shelves import Shelf

EN = messages("en")


@pytest.fixture(autouse=True)
def no_mistake(hasty: None, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever comes, nothing of it is a mistake in the program."""
    yield
    assert "mistake" not in caplog.text


def unmistaken(person: Person) -> list[str]:
    """What the bot has said to the person."""
    said = [message.text for message in person.server.messages(person)]
    assert not any(text.startswith(EN("bot.excuse.bug", id="")) for text in said)
    return said


# Strangers and floods


async def test_strangers_get_no_word_of_a_book_and_no_model_and_hear_so_once(
    telegram: TelegramServer, shelf: Path, done: Done
) -> None:
    stranger, reader = telegram.user(STRANGER, language_code="ru"), telegram.user(READER)
    club = telegram.group(-100, bot_status="administrator")
    with OpenAIServer() as model:
        model.reply = librarian()
        settings = settings_for(telegram, shelf, **asking(model, transcription_model="whisper"))
        async with running(settings):
            for _ in range(3):
                stranger.say(KEEPER)
                stranger.voice()
                stranger.send_file("book.md", b"A book.")
                for command in ("/ask why?", "/search keeper", "/books", "/new"):
                    stranger.say(command)
            stranger.say(f"/ask {KEEPER}", chat=club)
            queries = [stranger.inline("keeper"), stranger.inline("письма")]
            await done.all()
            assert unmistaken(stranger) == [messages("ru")("bot.not_invited", id=STRANGER)], "once, not each time"
            assert telegram.messages(club) == []
            assert [telegram.answers[query]["results"] for query in queries] == [[], []]
            for command in ("/start", "/start made-up", "/help", "/privacy", "/lang", "/forget"):
                assert (await answer_to(stranger, command)).text
            assert model.requests == []
            assert telegram.calls("getFile") == []
            sent = everything_sent(telegram)
            async with Library.open(settings) as library:
                for sentence in all_sentences(library):
                    assert sentence not in sent
            answer = await answer_to(reader, KEEPER)
            assert len(model.requests) == 1, "as soon as somebody may ask it is asked"
            for data in buttons_of(answer):
                query = stranger.forge(telegram.history(stranger)[-1], data)
                assert await told(telegram, query) == messages("ru")("bot.not_invited", id=STRANGER)
    assert QUOTE not in " ".join(unmistaken(stranger))


def all_sentences(library: Library) -> Iterator[str]:
    for book in library.books():
        yield book.title
        for number in range(book.passages):
            text = library.show(f"{book.id}:{number:04d}", around=0).passage.text
            yield from (text[start:end] for start, end in sentences(text) if end - start > 20)


def buttons_of(message: Message) -> list[str]:
    return [button["callback_data"] for button in message.buttons]


async def test_a_flood_of_one_person_is_passed_over_and_nobody_else_notices(
    telegram: TelegramServer, shelf: Path, done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_FLOOD", (12, 10.0))
    reader, admin = telegram.user(READER), telegram.user(ADMIN)
    async with running(settings_for(telegram, shelf)):
        for _ in range(8):
            reader.say(KEEPER)
        await done.all()
        said = unmistaken(reader)
        assert len(said) == 8, "each question has an answer, or is told that it is one too many"
        assert sum(QUOTE in text for text in said) >= 4
        assert {text for text in said if QUOTE not in text} <= {EN("bot.one_at_a_time")}
        for _ in range(80):
            reader.say("/help")
        assert QUOTE in (await answer_to(admin, KEEPER)).text
        await done.all()
        assert len(unmistaken(reader)) == 12


# Buttons

NUMBERS = st.integers(-3, 20) | st.integers() | st.sampled_from([2**31, 2**53, -(2**63), 10**18])
WORDS = st.text(st.characters(codec="utf-8", exclude_characters=":"), max_size=12)
FIELDS = st.one_of(NUMBERS.map(str), WORDS, st.sampled_from(["KEY", str(READER), str(ADMIN), "True", "0", "en", "ru"]))
DATA = st.one_of(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    st.tuples(st.sampled_from("ogpnvblrdm"), st.lists(FIELDS, max_size=5)).map(
        lambda made: ":".join([made[0], *made[1]])
    ),
    st.tuples(st.sampled_from("ogp"), NUMBERS.map(str), NUMBERS.map(str)).map(
        lambda made: f"{made[0]}:{READER}:KEY:{made[1]}" + (f":{made[2]}" if made[0] == "g" else "")
    ),
)


async def test_whatever_stands_in_a_button_its_press_is_answered_and_changes_nothing_of_others(
    telegram: TelegramServer, shelf: Path
) -> None:
    telegram.per_chat_seconds = None
    reader, other = telegram.user(READER), telegram.user(18)
    async with running(settings_for(telegram, shelf, tg_allowed_users={READER, other.id})):
        answer = await answer_to(reader, KEEPER)
        theirs = await answer_to(other, "/books")
        key = answer.buttons[0]["callback_data"].split(":")[2]

        @settings(max_examples=60)
        @given(DATA, st.booleans())
        def press(made: str, own: bool) -> None:
            data = made.replace("KEY", key)
            if not 1 <= len(data.encode()) <= 64:
                return
            person, message = (reader, answer) if own else (other, theirs)
            query = person.forge(message, data)
            telegram.wait(lambda: telegram.answers.get(query))
            assert own or QUOTE not in "".join(said.text for said in telegram.messages(other))

        await asyncio.to_thread(press)
        unmistaken(reader)
        assert QUOTE in (await sent_by(reader, await answer_to(reader, KEEPER), "[1]")).text


async def test_a_button_of_somebody_elses_answer_is_good_in_the_chat_of_that_answer_only(
    telegram: TelegramServer, shelf: Path
) -> None:
    reader, admin = telegram.user(READER), telegram.user(ADMIN)
    async with running(settings_for(telegram, shelf)):
        answer = await answer_to(reader, KEEPER)
        own = await answer_to(admin, "Who wrote Don Quixote?")
        for data in buttons_of(answer):
            for forged in (data, data.replace(str(READER), str(ADMIN), 1)):
                assert await told(telegram, admin.forge(own, forged)) == EN("bot.stale")
        assert [QUOTE in said for said in unmistaken(admin)] == [False]


async def test_a_button_shows_nothing_else_once_its_book_has_changed(telegram: TelegramServer, tmp_path: Path) -> None:
    shelf, reader = Shelf(tmp_path), telegram.user(READER)
    said = "The keeper of the lighthouse stopped writing letters because he was going blind."
    book = shelf.put("keeper.md", said, "In the evening the lamp was lit at six, and the boats came home by its light.")
    shelf.ingest()
    async with running(settings_for(telegram, tmp_path)):
        answer = await answer_to(reader, KEEPER)
        source = await sent_by(reader, answer, "[1]")
        shelf.put("keeper.md", "The keeper of the lighthouse stopped writing letters for no reason at all.")
        shelf.ingest()
        for message, button in ((answer, "[1]"), (source, "▶")):
            assert await told_by(reader, message, button) == EN("bot.book_has_changed")
        again = await answer_to(reader, KEEPER)
        assert "for no reason at all" in again.text
        assert "for no reason at all" in (await sent_by(reader, again, "[1]")).text
        book.unlink()
        shelf.put("other.md", "An orchard bears apples every autumn, and pears too.")
        shelf.ingest()
        assert await told_by(reader, again, "[1]") == EN("bot.book_has_changed")


async def test_a_press_that_telegram_has_given_up_is_carried_out_all_the_same(
    telegram: TelegramServer, shelf: Path, done: Done
) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        answer = await answer_to(reader, KEEPER)
        with telegram.down():
            reader.press(answer, "[1]")
            reader.press(answer, "👍")
            reader.inline("keeper")
            telegram.open_queries.clear()
        source = await telegram.wait_for(lambda: telegram.messages(reader)[1:])
        assert QUOTE in source[0].text
        await done.all()
        unmistaken(reader)


async def test_a_message_that_was_deleted_under_a_button_or_an_edit_is_no_trouble(
    telegram: TelegramServer, shelf: Path, done: Done
) -> None:
    reader = telegram.user(READER)

    def delete(message: Message) -> None:
        telegram.act(lambda: telegram.chats[message.chat_id].messages.pop(message.id))

    async with running(settings_for(telegram, shelf)):
        answer = await answer_to(reader, KEEPER)
        source = await sent_by(reader, answer, "[1]")
        books = await answer_to(reader, "/books")
        question = await answer_to(reader, "/forget")
        delete(answer)
        assert await told(telegram, reader.forge(answer, buttons_of(answer)[0])) == EN("bot.stale")
        telegram.fail(status(400, "Bad Request: message to edit not found"), method="editMessageText")
        shown = await sent_by(reader, source, "▶")
        assert shown.labels == ["◀", "▶"], "what can't be edited is sent anew"
        delete(question)
        reader.forge(question, "f")
        reader.forge(books, "b:0")
        await done.all()
        unmistaken(reader)


# Odd messages


async def test_messages_of_every_kind_get_one_clear_answer_or_none(
    telegram: TelegramServer, shelf: Path, done: Done
) -> None:
    reader = telegram.user(READER, first_name="<b>*_[x](http://evil.example)`")
    async with running(settings_for(telegram, shelf)):

        async def said_to(**message: Any) -> list[str]:
            before = len(unmistaken(reader))
            service = tuple(message.pop("service", {}).items())
            telegram.act(lambda: reader._post(None, None, service=service, **message))
            await done.all()
            return unmistaken(reader)[before:]

        sticker = {"file_id": "s", "file_unique_id": "s", "type": "regular", "width": 1, "height": 1}
        place = {"latitude": 1.5, "longitude": 2.5}
        for odd in (
            {"sticker": sticker | {"is_animated": False, "is_video": False}},
            {"location": place},
            {"contact": {"phone_number": "1", "first_name": "Eve"}},
            {"dice": {"emoji": "🎲", "value": 3}},
            {"poll_answer_of_the_future": 1},
            {"story": {"chat": {"id": 5, "type": "private"}, "id": 1}},
        ):
            assert await said_to(service=odd) == [EN("bot.only_text")], odd
        origin = {"type": "hidden_user", "date": 1, "sender_user_name": "Somebody"}
        assert QUOTE in (await said_to(text=KEEPER, service={"forward_origin": origin}))[0]
        file = {"document": {"file_id": "f", "file_unique_id": "f", "file_name": "book.md"}, "forward_origin": origin}
        assert await said_to(service=file) == [EN("bot.admins_only")]
        reader.photo(b"a photo")
        await done.all()
        assert unmistaken(reader)[-1] == EN("bot.only_text")
        reader.photo(b"a photo", caption=KEEPER)
        await done.all()
        assert QUOTE in unmistaken(reader)[-1]
        before = unmistaken(reader)
        question = next(message for message in telegram.history(reader) if message.text == KEEPER)
        reader.edit(question, f"{KEEPER} Tell me!")
        await done.all()
        assert unmistaken(reader) == before, "what was answered is not answered again when it is edited"


async def test_texts_of_every_kind_are_answered_and_taken_for_words(telegram: TelegramServer, shelf: Path) -> None:
    telegram.per_chat_seconds = None
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        await answer_to(reader, KEEPER)
        for empty in ("🙂", "👨‍👩‍👧‍👦👍🏽", "?!…", "\u200b ⁠ \u200b", "\u202e\u202c", "/search ?", "/ask 🙂"):
            said = (await answer_to(reader, empty)).text
            assert said in (EN("bot.no_words"), EN("bot.search_what"), EN("bot.ask_what")), empty
        for odd in (
            (KEEPER + " ") * 66,
            "слово " * 682,
            "x" * 4096,
            "𝒳" * 2048,
            "لماذا توقف حارس المنارة عن كتابة الرسائل؟",
            "למה הפסיק שומר המגדלור לכתוב מכתבים?",
            "\u202eWhy does the keeper stop writing letters?\u202c",
            "<b>keeper</b> & <script>alert(1)</script> *bold* _it_ [x](http://evil.example) `code`",
            "'; DROP TABLE kept; --",
            'title:keeper AND "lighthouse" OR -letters^5 ~2 [a TO z] \\',
            "{question} %s {0} ${HOME} $(reboot)",
            "/start@library_test_bot@library_test_bot",
            "/search " + "keeper " * 500,
        ):
            answer = await answer_to(reader, odd)
            assert answer.text
            assert all(link.kind == "bot_command" for link in answer.links)
        unmistaken(reader)
        assert QUOTE in (await answer_to(reader, KEEPER)).text


# A Telegram that does not answer


async def test_a_person_who_blocks_the_bot_troubles_nobody(telegram: TelegramServer, shelf: Path, done: Done) -> None:
    reader, admin = telegram.user(READER), telegram.user(ADMIN)
    async with running(settings_for(telegram, shelf)):
        reader.say(KEEPER)
        reader.block()
        await done.all()
        assert QUOTE in (await answer_to(admin, KEEPER)).text
        reader.unblock()
        assert QUOTE in (await answer_to(reader, KEEPER)).text


async def test_a_chat_in_which_the_bot_may_not_write_is_left_alone(
    telegram: TelegramServer, shelf: Path, done: Done
) -> None:
    reader, club = telegram.user(READER), telegram.group(-100)
    async with running(settings_for(telegram, shelf)):
        refusal = "Bad Request: not enough rights to send text messages to the chat"
        telegram.fail(status(400, refusal), method="sendMessage")
        reader.say(f"/ask {KEEPER}", chat=club)
        await done.all()
        assert telegram.messages(club) == []
        assert QUOTE in (await answer_to(reader, KEEPER)).text


async def test_what_was_asked_while_telegram_was_away_is_answered_when_it_is_back(
    telegram: TelegramServer, shelf: Path
) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        await telegram.wait_for(lambda: telegram.updates.polled)
        with telegram.down():
            reader.say(KEEPER)
            await telegram.wait_for(lambda: len(telegram.calls("getUpdates")) > 4)
        answer = await telegram.wait_for(lambda: telegram.last(reader))
        assert QUOTE in answer.text


@pytest.mark.parametrize(
    ("fault", "method"),
    [
        (garbage(), "getUpdates"),
        (garbage(b"{}", 200), "getUpdates"),
        (garbage(b"[" * 5_000, 200), "getUpdates"),
        (cut(), "getUpdates"),
        (status(500), "getUpdates"),
        (too_many(1), "sendMessage"),
        (status(502, "Bad Gateway"), "sendMessage"),
        (status(500), "sendChatAction"),
        (garbage(), "sendChatAction"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_after_a_fault_the_answer_comes_once(
    telegram: TelegramServer, shelf: Path, done: Done, fault: Fault, method: str
) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        telegram.fail(fault, times=2 if method == "getUpdates" else 1, method=method)
        reader.say(KEEPER)
        await telegram.wait_for(lambda: telegram.last(reader))
        await done.all()
    (said,) = unmistaken(reader)
    assert QUOTE in said


@pytest.mark.parametrize("fault", [cut(), cut_after(), garbage()], ids=["cut", "cut after", "garbage"])
async def test_an_answer_of_which_nobody_knows_whether_it_arrived_is_not_sent_twice(
    telegram: TelegramServer, shelf: Path, done: Done, fault: Fault
) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        telegram.fail(fault, method="sendMessage")
        reader.say(KEEPER)
        await done.all()
        assert [text for text in unmistaken(reader) if QUOTE not in text] == [EN("bot.excuse.unconfirmed")]
        assert sum(QUOTE in text for text in unmistaken(reader)) <= 1
        assert QUOTE in (await answer_to(reader, KEEPER)).text


# Starting


def test_a_bot_that_must_not_start_says_why_and_ends_with_78(
    telegram: TelegramServer, shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAISS_PATH", str(shelf / "index"))
    monkeypatch.setenv("LIBRARY_LANG", "en")
    monkeypatch.setenv("TG_API_URL", telegram.base_url)
    token = "2:this-is-not-the-token-of-the-bot"
    for changes, key in (
        ({}, "no_token"),
        ({"TG_TOKEN": telegram.token}, "nobody_may_ask"),
        ({"TG_TOKEN": token, "TG_ALLOWED_USERS": "17"}, "token_refused"),
    ):
        for name, value in changes.items():
            monkeypatch.setenv(name, value)
        assert cli.main(["serve-bot"]) == 78
        said = capsys.readouterr().err
        assert EN(f"error.{key}") in " ".join(said.split()), said
        assert token not in said


async def test_two_bots_do_not_share_an_index(telegram: TelegramServer, shelf: Path) -> None:
    reader = telegram.user(READER)
    settings = settings_for(telegram, shelf)
    async with running(settings):
        with pytest.raises(Busy) as busy:
            await run(settings)
        assert busy.value.exit_code == 75
        assert QUOTE in (await answer_to(reader, KEEPER)).text


async def test_two_bots_with_one_token_both_stay_up_and_say_what_is_wrong(
    telegram: TelegramServer, shelf: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = telegram.user(READER)
    (tmp_path / "other").mkdir()
    other = settings_for(telegram, shelf)
    other = other.model_copy(update={"faiss_path": tmp_path / "other"})
    async with running(settings_for(telegram, shelf)) as first:
        async with running(other) as second:
            for _ in range(3):
                seen = len(telegram.calls("getUpdates"))
                await telegram.wait_for(lambda seen=seen: len(telegram.calls("getUpdates")) > seen + 2)  # type: ignore[misc]
            assert not first.done()
            assert not second.done()
        assert QUOTE in (await answer_to(reader, KEEPER)).text
    assert "another program fetches the updates of this bot" in caplog.text


async def test_a_token_that_telegram_takes_back_ends_the_bot(telegram: TelegramServer, shelf: Path) -> None:
    async with running(settings_for(telegram, shelf)) as bot:
        telegram.fail(status(401, "Unauthorized"), method="getUpdates")
        telegram.user(READER).say("hello")
        with pytest.raises(BadSetting) as refused:
            await asyncio.wait_for(asyncio.shield(bot), 5)
    assert refused.value.key == "token_refused"


async def run(settings: Settings) -> None:
    async with Library.open(settings) as library:
        await serve(library, settings, on_ready=lambda _: None)
