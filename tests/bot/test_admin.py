"""What admins do in Telegram: books that they send, the index that they change, the people whom they let in."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from ai_library_bot import reading
from ai_library_bot.bot.layout import JOINER
from ai_library_bot.bot.people import People
from ai_library_bot.locales import messages
from tests.bot.running import ADMIN, KEEPER, QUOTE, READER, STRANGER, running, settings_for
from tests.bot.talking import Done, answer_to, sent_by, told_by
from tests.bot.telegram_chats import Message
from tests.bot.telegram_faults import status
from tests.bot.telegram_people import Person
from tests.bot.telegram_server import TelegramServer
from tests.shelves import ReadingHere

pytestmark = pytest.mark.usefixtures("hasty")

EN = messages("en")

ORCHARD = """# The Orchard at Brill

The pear trees of Brill were grafted in 1907 by a schoolmaster named Osip Lang, who had lost a wager about a goose.
He never ate a pear in his life, and he said so to everybody who thanked him for the orchard, year after year.
"""
GRAFTED = "Who grafted the pear trees of Brill?"
LANG = "The pear trees of Brill were grafted in 1907 by a schoolmaster named Osip Lang"


@pytest.fixture
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Books are read in the bot's own process, which is quicker than to start others."""
    monkeypatch.setattr(reading, "ReaderPool", ReadingHere())


class Clock:
    """Shows the time, so many days later."""

    days = 0

    def __call__(self) -> float:
        return time.time() + self.days * 24 * 3600


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the bot looks at to tell whether somebody may still come in."""
    made = Clock()
    defaults = People.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "clock", made)
    return made


async def sent(person: Person, name: str, content: bytes = b"", *, size: int | None = None) -> Message:
    """What the bot says of a file in the end."""
    server = person.server
    before = len(server.messages(person))
    person.send_file(name, content, size=size)

    def reported() -> Message | None:
        new = server.messages(person)[before:]
        return new[0] if new and not new[0].text.startswith("Reading “") else None

    return await server.wait_for(reported)


async def test_a_book_that_an_admin_sends_answers_at_once_while_others_keep_asking(
    telegram: TelegramServer, shelf: Path, caplog: pytest.LogCaptureFixture
) -> None:
    admin = telegram.user(ADMIN)
    readers = [telegram.user(1000 + number) for number in range(10)]
    telegram.per_chat_seconds = None
    caplog.set_level("INFO", "ai_library_bot.bot.answering")
    settings = settings_for(telegram, shelf, tg_allowed_users={reader.id for reader in readers})
    async with running(settings):
        added = asyncio.Event()

        async def keep_asking(reader: Person) -> int:
            asked = 0
            while not added.is_set() or asked < 2:
                assert QUOTE in (await answer_to(reader, KEEPER)).text
                asked += 1
            return asked

        asking = [asyncio.create_task(keep_asking(reader)) for reader in readers]
        report = await sent(admin, "orchard.md", ORCHARD.encode())
        assert report.text.startswith(EN("bot.book_added", count=1, number="1")), report.text
        assert EN("bot.version", generation=2, books=6) in report.text
        added.set()
        answer = await answer_to(admin, GRAFTED)
        assert LANG in answer.text
        asked = sum(await asyncio.gather(*asking))
        assert asked >= 20
    generations = re.findall(r"answered by extractive in .* generation (\d+)", caplog.text)
    assert len(generations) == asked + 1, "each answer is from one generation"
    assert set(generations) <= {"1", "2"}
    assert generations[-1] == "2"
    assert (shelf / "books" / "orchard.md").read_text("utf-8") == ORCHARD


@pytest.mark.usefixtures("read_here")
async def test_a_file_that_is_no_new_book_is_named_with_the_reason_and_leaves_nothing(
    telegram: TelegramServer, shelf: Path
) -> None:
    admin = telegram.user(ADMIN)
    books = names(shelf)
    async with running(settings_for(telegram, shelf, max_book_mb=0.5)):
        for name, content, reason in (
            (
                "photo.pdf",
                b"\x89PNG\r\n\x1a\n" + bytes(400),
                EN("error.other_kind", path="photo.pdf", suffix="pdf", kind="PNG"),
            ),
            ("program.exe", b"MZ", EN("error.not_a_book_kind", path="program.exe", suffix="exe")),
            ("book", b"no suffix", EN("error.not_a_book_kind", path="book", suffix="")),
            ("novel.mobi", b"BOOKMOBI", EN("error.other_kind_of_book", path="novel.mobi", suffix="mobi")),
            ("empty.txt", b"", EN("error.empty_file", path="empty.txt")),
            ("torn.epub", b"PK\x03\x04 and no more", "torn.epub"),
        ):
            report = await sent(admin, name, content)
            assert reason in plain(report.text), name
            assert str(shelf) not in report.text, "a name says enough"
            assert report.links == ()
        assert names(shelf) == books
        large = await sent(admin, "large.txt", size=600_000)
        assert large.text == EN("bot.file_too_large", megabytes="0.6", limit="0.5")
    assert names(shelf) == books
    assert telegram.calls("getFile")[-1].parameters["file_id"] != "document-6", "what is too large is not fetched"


@pytest.mark.usefixtures("read_here")
async def test_a_book_that_is_there_already_is_no_second_one(telegram: TelegramServer, shelf: Path) -> None:
    admin = telegram.user(ADMIN)
    async with running(settings_for(telegram, shelf)):
        await sent(admin, "orchard.md", ORCHARD.encode())
        again = await sent(admin, "copy.md", ORCHARD.encode())
        assert EN("error.duplicate", path="copy.md", of="orchard.md") in plain(again.text)
        assert EN("bot.version", generation=2, books=6) in again.text
        huge = await sent(admin, "huge.pdf", size=25_000_000)
        assert huge.text.startswith(EN("bot.file_too_large", megabytes="25.0", limit="20"))
    assert "copy.md" not in names(shelf)


async def test_what_telegram_does_not_give_away_is_told(telegram: TelegramServer, shelf: Path) -> None:
    admin = telegram.user(ADMIN)
    async with running(settings_for(telegram, shelf, max_book_mb=100)):
        huge = await sent(admin, "huge.pdf", size=25_000_000)
        assert plain(huge.text) == EN("error.file_not_fetched", reason="Bad Request: file is too big")
        telegram.fail(status(500), method="download")
        lost = await sent(admin, "lost.md", ORCHARD.encode())
        assert telegram.token not in lost.text
        assert plain(lost.text).startswith("Telegram did not give the bot a file")
        telegram.fail(status(404, "Not Found"), method="getFile")
        assert "docs/deploy.md" in plain((await sent(admin, "gone.md", ORCHARD.encode())).text)
    assert "orchard" not in " ".join(names(shelf))


@pytest.mark.usefixtures("read_here")
async def test_an_evil_name_harms_nobody(telegram: TelegramServer, shelf: Path) -> None:
    admin = telegram.user(ADMIN)
    evil = (
        "../../escape.md",
        "a\u202egpj.md",
        "line\nbreak.md",
        "http://evil.example/@durov #tag.md",
        "x" * 300 + ".md",
    )
    before = everything_under(shelf.parent)
    async with running(settings_for(telegram, shelf)):
        for name in evil:
            report = await sent(admin, name, f"{ORCHARD}\n{name[:1]}".encode())
            assert report.text.startswith(EN("bot.book_added", count=1, number="1")), report.text
        assert all(message.links == () for message in telegram.messages(admin))
        assert LANG in (await answer_to(admin, GRAFTED)).text
    made = [path for path in everything_under(shelf.parent) - before if "index" not in path.parts]
    assert len(made) == len(evil)
    assert {path.parent for path in made} == {shelf / "books"}
    assert all(path.name.isprintable() and path.suffix == ".md" for path in made)


async def test_nobody_else_changes_anything(telegram: TelegramServer, shelf: Path, done: Done) -> None:
    reader, stranger = telegram.user(READER), telegram.user(STRANGER)
    books = names(shelf)
    async with running(settings_for(telegram, shelf)):
        for command in ("/status", "/stats", "/invite", "/members", "/allow", "/rollback", "/remove clock"):
            for person in (reader, stranger):
                said = await answer_to(person, command)
                assert said.text == EN("bot.admins_only")
                assert said.buttons == []
        file = reader.send_file("orchard.md", ORCHARD.encode(), caption=KEEPER)
        refused = await telegram.wait_for(lambda: [m for m in telegram.messages(reader) if m.id > file.id])
        assert refused[0].text == EN("bot.admins_only")
        stranger.send_file("orchard.md", ORCHARD.encode())
        answer = await answer_to(reader, KEEPER)
        for data in ("r:1", "d:8af659693ea0f10f", f"m:{READER}"):
            query = reader.forge(answer, data)
            assert (await telegram.wait_for(lambda query=query: telegram.answers.get(query)))["text"] == EN(  # type: ignore[misc]
                "bot.admins_only"
            )
        await done.all()
    assert telegram.calls("getFile") == []
    assert names(shelf) == books
    assert not (shelf / "index" / "generations" / "000002").exists()


@pytest.mark.usefixtures("read_here")
async def test_the_index_is_rolled_back_when_it_was_confirmed_and_only_once(
    telegram: TelegramServer, shelf: Path
) -> None:
    admin = telegram.user(ADMIN)
    async with running(settings_for(telegram, shelf)):
        nowhere = await answer_to(admin, "/rollback")
        assert (
            EN("error.no_older_generation", number=1) in (await settled(admin, nowhere, EN("bot.button.rollback"))).text
        )
        await sent(admin, "orchard.md", ORCHARD.encode())
        first, second, third = [await answer_to(admin, "/rollback") for _ in range(3)]
        assert first.text == EN("bot.rollback_what", generation=2)
        assert (await settled(admin, first, EN("bot.button.cancel"))).text == EN("bot.cancelled")
        assert LANG in (await answer_to(admin, GRAFTED)).text
        assert (await settled(admin, second, EN("bot.button.rollback"))).text == EN("bot.rolled_back", origin=2, to=1)
        assert LANG not in (await answer_to(admin, GRAFTED)).text
        assert (await settled(admin, third, EN("bot.button.rollback"))).text == EN("bot.stale")


@pytest.mark.usefixtures("read_here")
async def test_a_book_is_taken_away_when_it_was_chosen_and_its_file_stays(
    telegram: TelegramServer, shelf: Path
) -> None:
    admin = telegram.user(ADMIN)
    books = names(shelf)
    async with running(settings_for(telegram, shelf)):
        assert (await answer_to(admin, "/remove")).text == EN("bot.remove_which")
        assert (await answer_to(admin, "/remove whales")).text == EN("bot.no_such_book")
        choices = [await answer_to(admin, f"/remove {words}") for words in ("HALLAN point", "hallan", "a")]
        assert choices[0].labels == ["🗑 The Silence at Hallan Point", EN("bot.button.cancel")]
        assert (await settled(admin, choices[1], EN("bot.button.cancel"))).text == EN("bot.cancelled")
        answer = await answer_to(admin, KEEPER)
        source = await sent_by(admin, answer, "[1]")
        gone = await settled(admin, choices[0], "🗑 The Silence at Hallan Point")
        assert gone.text == EN("bot.removed", books=EN("count.books", count=4, number="4"))
        assert gone.buttons == []
        assert QUOTE not in (await answer_to(admin, KEEPER)).text
        for message, button in ((answer, "[1]"), (source, "▶")):
            assert await told_by(admin, message, button) == EN("bot.book_has_changed")
        again = await settled(admin, choices[2], "🗑 The Silence at Hallan Point")
        assert "8af659693ea0f10f" in again.text, "nothing is there to be taken away any more"
    assert names(shelf) == books


async def test_status_and_figures_tell_the_owner_how_things_are(telegram: TelegramServer, shelf: Path) -> None:
    admin, reader = telegram.user(ADMIN), telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        status = (await answer_to(admin, "/status")).text
        assert EN("bot.status.index", generation=1, books="5", passages="79") in status
        assert EN("bot.status.running", questions=0, count=0) in status
        answer = await answer_to(reader, KEEPER)
        await told_by(reader, answer, "👍")
        await answer_to(reader, "Who wrote Don Quixote?")
        await answer_to(admin, KEEPER)
        stats = plain((await answer_to(admin, "/stats")).text)
        assert EN("bot.stats.sum", people=2, questions=3, tokens="0", money=EN.money(0.0)) in stats
        assert EN("bot.stats.votes", good=1, bad=0) in stats
        assert EN("bot.stats.person", id=READER, questions=2, tokens="0") in stats
        assert "Quixote" not in stats, "how much somebody asks is counted, not what"


async def test_an_invitation_lets_in_as_many_as_it_says_as_long_as_it_says(
    telegram: TelegramServer, shelf: Path, clock: Clock
) -> None:
    admin = telegram.user(ADMIN)
    first, second, third, late = (telegram.user(200 + number, first_name=f"N{number}") for number in range(4))
    async with running(settings_for(telegram, shelf)):
        for wrong in (
            "/invite 0",
            "/invite x",
            "/invite 1 2 3",
            "/invite 1001",
            "/invite 1 366",
            "/invite -1",
            "/invite ²",
        ):
            told = (await answer_to(admin, wrong)).text
            assert told == EN("bot.invite_how", uses="1,000 people", days="365 days"), wrong
        invitation = await answer_to(admin, "/invite 2 3")
        assert invitation.text.startswith(EN("bot.invitation", uses="2 people", days="3 days"))
        assert invitation.links == ()
        (link,) = invitation.marked("code")
        code = link.removeprefix("https://t.me/library_test_bot?start=")
        assert re.fullmatch(r"[\w-]{20,64}", code)
        welcome = EN("bot.welcome", name="Library")
        assert (await answer_to(first, f"/start {code}")).text.startswith(welcome)
        assert (await answer_to(first, f"/start {code}")).text.startswith(welcome), "it was not used up twice"
        assert (await answer_to(second, f"/start {code}")).text.startswith(welcome)
        assert QUOTE in (await answer_to(second, KEEPER)).text
        for asked in (code, "made-up", "x" * 200, "пробел и слова"):
            assert (await answer_to(third, f"/start {asked}")).text == EN("bot.invitation_over", id=third.id)
        assert (await answer_to(third, "/start")).text == EN("bot.not_invited", id=third.id)
        (link,) = (await answer_to(admin, "/invite")).marked("code")
        clock.days = 8
        over = await answer_to(late, f"/start {link.rpartition('=')[2]}")
        assert over.text == EN("bot.invitation_over", id=late.id)


async def test_members_are_named_and_may_be_shown_out(telegram: TelegramServer, shelf: Path) -> None:
    admin, member = telegram.user(ADMIN), telegram.user(200, first_name="<b>*Eve*</b> @durov \u202ex")
    async with running(settings_for(telegram, shelf)):
        assert (await answer_to(admin, "/members")).text == EN("bot.no_members")
        (link,) = (await answer_to(admin, "/invite")).marked("code")
        await answer_to(member, f"/start {link.rpartition('=')[2]}")
        assert QUOTE in (await answer_to(member, KEEPER)).text
        listed = await answer_to(admin, "/members")
        assert listed.text == EN("bot.members", count=1)
        assert listed.labels == ["✕ <b>*Eve*</b> @durov x"]
        shown_out = await settled(admin, listed, listed.labels[0])
        assert (shown_out.text, shown_out.buttons) == (EN("bot.dismissed", id=200), [])
        assert (await answer_to(member, KEEPER)).text == EN("bot.not_invited", id=200)
        assert (await answer_to(member, f"/start {link.rpartition('=')[2]}")).text == EN("bot.invitation_over", id=200)


async def settled(person: Person, question: Message, button: str) -> Message:
    """The question as it stands when the button has settled it."""
    person.press(question, button)
    await person.server.wait_for(lambda: person.server.now(question).edits)
    return person.server.now(question)


def plain(text: str) -> str:
    """The text without what keeps Telegram from making links of it."""
    return text.replace(JOINER, "")


def names(shelf: Path) -> set[str]:
    return {path.name for path in Path(shelf, "books").rglob("*")}


def everything_under(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))
