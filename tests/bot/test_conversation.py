"""Whole conversations with a running bot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_library_bot.locales import messages
from ai_library_bot.openai_api.tries import without_waiting
from tests.bot.librarian import BLIND, asking, is_rewriting, librarian
from tests.bot.running import BOOKS, KEEPER, QUOTE, READER, STRANGER, running, settings_for
from tests.bot.talking import Done, answer_to, answered, edited_by, everything_sent, sent_by, told_by
from tests.bot.telegram_server import TelegramServer
from tests.openai_server import OpenAIServer, held, stall
from tests.readers.pixels import pixels
from tests.shelves import Shelf

pytestmark = pytest.mark.usefixtures("hasty")

CLOCK = "Why was the village clock silent for seven weeks in 1871?"
STOPPED = "Sayle stopped the clock because each stroke of the bell was killing his wife"
STRUCK = "From the fourth of June to the twenty-third of July 1871 it neither went nor struck"
UNANSWERED = "Who wrote Don Quixote?"

EN, RU = messages("en"), messages("ru")


@pytest.fixture
def model() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server, without_waiting():
        server.reply = librarian()
        yield server


async def test_a_question_is_answered_with_its_source(telegram: TelegramServer, shelf: Path) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        answer = await answer_to(reader, KEEPER)
        assert QUOTE in answer.text
        assert answer.labels == ["[1]", "👍", "👎"]
        assert answer.links == ()
        passage = await sent_by(reader, answer, "[1]")
        assert QUOTE in passage.marked("bold")[-1]
        assert "The Silence at Hallan Point" in passage.text
        for vote in ("👍", "👎"):
            assert await told_by(reader, answer, vote) == EN("bot.thanks")
        assert telegram.calls("sendChatAction")[0].parameters["action"] == "typing"


async def test_an_answer_of_several_quotations_numbers_them_with_chapter_and_page(
    telegram: TelegramServer, shelf: Path
) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        answer = await answer_to(reader, CLOCK)
    assert answer.labels == ["[1]", "[2]", "[3]", "👍", "👎"]
    marks = [bold for bold in answer.marked("bold") if bold.startswith("[")]
    assert marks == ["[1]", "[2]", "[3]"] * 2
    text, first, *_ = answer.text.split("\n[1] ")[0], answer.text.split("\n[1] ")[1]
    assert STOPPED in text
    assert first.startswith("P. J. Haddow · “A Short History of the Wenlow Clock” · ")
    assert "p. 6" in first


async def test_a_source_is_turned_like_a_book_from_its_first_passage_to_its_last(
    telegram: TelegramServer, shelf: Path
) -> None:
    reader = telegram.user(READER)
    telegram.per_chat_seconds = None
    async with running(settings_for(telegram, shelf)):
        answer = await answer_to(reader, CLOCK)
        source = await sent_by(reader, answer, "[1]")
        assert source.labels == ["◀", "▶", EN("bot.button.page")]
        shown = source
        for _ in range(2):
            shown = await edited_by(reader, shown, "▶")
            assert shown.labels == ["◀", "▶"]
            assert STOPPED not in shown.text
            assert "A Short History of the Wenlow Clock" in shown.text
        for _ in range(2):
            shown = await edited_by(reader, shown, "◀")
        assert (shown.text, shown.entities, shown.labels) == (source.text, source.entities, source.labels)
        while "◀" in shown.labels:
            shown = await edited_by(reader, shown, "◀")
        assert shown.labels == ["▶"]
        passages = {shown.text}
        while "▶" in shown.labels:
            shown = await edited_by(reader, shown, "▶")
            passages.add(shown.text)
        assert shown.labels == ["◀"]
        assert len(passages) == 15, "each passage of the book was shown once"
        assert len(telegram.messages(reader)) == 2, "nothing but edits in place"


async def test_the_page_of_a_pdf_is_sent_as_a_picture(telegram: TelegramServer, shelf: Path) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        source = await sent_by(reader, await answer_to(reader, CLOCK), "[1]")
        picture = await sent_by(reader, source, EN("bot.button.page"))
        assert picture.photo
        assert min(pixels(picture.photo).shape[:2]) > 500
        assert "A Short History of the Wenlow Clock" in picture.text
        assert "p. 6" in picture.text
        keeper = await sent_by(reader, await answer_to(reader, KEEPER), "[1]")
        assert EN("bot.button.page") not in keeper.labels, "an EPUB has no pages"


async def test_a_page_of_a_file_that_is_gone_is_not_shown(telegram: TelegramServer, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    book = shelf.put("clock.pdf", data=(BOOKS / "wenlow-clock.pdf").read_bytes())
    shelf.ingest()
    book.unlink()
    reader = telegram.user(READER)
    async with running(settings_for(telegram, tmp_path)):
        source = await sent_by(reader, await answer_to(reader, CLOCK), "[1]")
        assert await told_by(reader, source, EN("bot.button.page")) == EN("bot.no_picture")


async def test_what_the_books_do_not_answer_is_not_answered_but_the_closest_passages_are_shown(
    telegram: TelegramServer, shelf: Path
) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        answer = await answer_to(reader, UNANSWERED)
        assert answer.text.startswith(EN("ask.not_found"))
        assert answer.labels == ["[1]", "[2]", "[3]", "👍", "👎"]
        assert len(answer.marked("blockquote")) == 3
        first = answer.marked("blockquote")[0].strip("…")
        passage = await sent_by(reader, answer, "[1]")
        assert first[:40] in passage.text


async def test_the_person_is_spoken_to_in_the_language_of_their_telegram_until_they_choose_one(
    telegram: TelegramServer, shelf: Path
) -> None:
    codes = {READER: "ru", 18: "en-GB", 19: "de", 20: None}
    people = {number: telegram.user(number, language_code=code) for number, code in codes.items()}
    async with running(settings_for(telegram, shelf, tg_allowed_users=set(codes), library_lang="ru")):
        for number, say in zip(codes, (RU, EN, EN, RU), strict=True):
            hello = await answer_to(people[number], "/start")
            assert hello.text.startswith(say("bot.welcome", name="Library"))
            assert [link.text for link in hello.links] == ["/help", "/privacy"]
        boris = people[READER]
        choice = await answer_to(boris, "/lang")
        assert choice.labels == ["English", "Русский"]
        assert await told_by(boris, choice, "English") == EN("bot.language_chosen")
        assert (await answer_to(boris, "/privacy")).text == "\n\n".join(
            [EN("bot.privacy.title"), EN("bot.privacy.text")]
        )
        assert await told_by(boris, choice, "Русский") == RU("bot.language_chosen")
        help_ = await answer_to(boris, "/help")
        assert help_.text.startswith(RU("bot.help.question"))
        assert "@library_test_bot" in help_.text
        assert "/rollback" not in help_.text, "what only admins may do, only they are told"


async def test_a_question_may_lean_on_the_one_before_until_a_new_conversation_begins(
    telegram: TelegramServer, shelf: Path
) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        await answer_to(reader, CLOCK)
        assert STRUCK in (await answer_to(reader, "And when was that?")).text
        assert (await answer_to(reader, "/new")).text == EN("bot.new_conversation")
        assert STRUCK not in (await answer_to(reader, "And when was that?")).text


async def test_search_shows_passages_with_the_words_marked_and_says_what_it_corrected(
    telegram: TelegramServer, shelf: Path
) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        found = await answer_to(reader, "/search lighthose keeper")
        assert found.text.startswith(EN("search.corrected", typed="lighthose", searched="lighthouse"))
        assert found.labels == ["[1]", "[2]", "[3]", "[4]", "[5]"]
        assert {"lighthouse", "keeper"} & {word.lower() for word in found.marked("bold")}
        assert len(found.marked("blockquote")) == 5
        passage = await sent_by(reader, found, "[5]")
        assert found.marked("blockquote")[4].strip("…")[:40] in passage.text
        nothing = await answer_to(reader, "/search xyzzyplugh")
        assert (nothing.text, nothing.labels) == (EN("bot.nothing_found"), [])
        for empty in ("/search", "/search 🙂"):
            assert (await answer_to(reader, empty)).text == EN("bot.search_what")


async def test_a_long_list_of_books_is_turned_in_place(telegram: TelegramServer, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(23):
        shelf.put(f"{number:02}.md", f"The orchard number {number} bears apples in autumn.", title=f"Book {number:02}")
    shelf.ingest()
    reader = telegram.user(READER)
    async with running(settings_for(telegram, tmp_path)):
        page = await answer_to(reader, "/books")
        assert page.text.startswith("23 books")
        assert page.labels == ["1 / 3", "▶"]
        titles = [page.text.count("Book ")]
        for button, labels in (
            ("▶", ["◀", "2 / 3", "▶"]),
            ("▶", ["◀", "3 / 3"]),
            ("◀", ["◀", "2 / 3", "▶"]),
        ):
            page = await edited_by(reader, page, button)
            assert page.labels == labels
            titles.append(page.text.count("Book "))
        assert titles == [10, 10, 3, 10]
        assert await told_by(reader, page, "2 / 3") == "", "the page that is shown already stays"
        assert "Book 10 — Анна Север" in page.text


async def test_a_bot_without_books_says_so(telegram: TelegramServer, tmp_path: Path, done: Done) -> None:
    reader = telegram.user(READER)
    (tmp_path / "books").mkdir()
    async with running(settings_for(telegram, tmp_path)):
        assert (await answer_to(reader, "/books")).text == EN("bot.no_books")
        for asked in (KEEPER, "/search keeper"):
            said = (await answer_to(reader, asked)).text
            assert said.startswith(EN("bot.trouble", id="")), (
                "the owner has yet to do something, and finds it in the log"
            )
        query = reader.inline("keeper")
        assert (await answered(telegram, query))["results"] == []
        await done.all()


async def test_a_model_understands_what_a_question_leans_on(
    telegram: TelegramServer, shelf: Path, model: OpenAIServer
) -> None:
    reader = telegram.user(READER)
    model.reply = librarian(rewritten="Why did the keeper Pascoe hide that he was going blind?")
    async with running(settings_for(telegram, shelf, **asking(model))):
        assert (await answer_to(reader, KEEPER)).text.startswith(f"{BLIND} [1]")
        again = await answer_to(reader, "Why did he hide it?")
        assert again.text.startswith(f"{BLIND} [1]")
        assert QUOTE in again.marked("blockquote")[0], "an answer in a model's words shows what it rests on"
    rewriting = [request.payload for request in model.requests if is_rewriting(request.payload)]
    (talk,) = [payload["messages"][1]["content"] for payload in rewriting]
    assert KEEPER in talk
    assert BLIND in talk
    answers = [request.payload["messages"][1]["content"] for request in model.requests][-1]
    assert "hide that he was going blind?" in answers or "Why did he hide it?" in answers


async def test_what_to_ask_next_is_a_button_and_asks_it(
    telegram: TelegramServer, shelf: Path, model: OpenAIServer
) -> None:
    reader = telegram.user(READER)
    suggested = "How many stairs are there in the tower at Hallan Point?"
    model.reply = librarian(next_questions=[suggested, "How do whales breathe under the ice?"])
    async with running(settings_for(telegram, shelf, **asking(model))):
        answer = await answer_to(reader, KEEPER)
        assert answer.labels == ["[1]", suggested, "👍", "👎"], "only what the books answer is suggested"
        asked = await sent_by(reader, answer, suggested)
        assert (asked.text, asked.marked("italic")) == (suggested, [suggested])
        following = await telegram.wait_for(lambda: telegram.messages(reader)[2:])
        assert following[0].text


async def test_a_spoken_question_is_repeated_in_writing_and_answered(
    telegram: TelegramServer, shelf: Path, model: OpenAIServer
) -> None:
    reader = telegram.user(READER)
    model.transcript = KEEPER
    async with running(settings_for(telegram, shelf, **asking(model, transcription_model="whisper"))):
        reader.voice()
        heard, answer = await telegram.wait_for(lambda: (now := telegram.messages(reader))[1:] and now)
        assert heard.text == EN("bot.heard", text=KEEPER)
        assert answer.text.startswith(f"{BLIND} [1]")
        model.transcript = ""
        reader.voice(b"OggS and silence")
        nothing = await telegram.wait_for(lambda: telegram.messages(reader)[2:])
        assert nothing[0].text == EN("bot.no_words")


async def test_without_a_model_for_it_a_spoken_question_is_not_understood(
    telegram: TelegramServer, shelf: Path
) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        reader.voice()
        assert (await telegram.wait_for(lambda: telegram.last(reader))).text == EN("bot.no_voice")


async def test_in_any_chat_quotations_are_offered_that_stand_in_the_books(
    telegram: TelegramServer, shelf: Path
) -> None:
    reader, stranger = telegram.user(READER), telegram.user(STRANGER)
    async with running(settings_for(telegram, shelf)):
        offered = await answered(telegram, reader.inline("ключ от сарая"))
        assert offered["is_personal"] is True
        assert offered["results"]
        for result in offered["results"]:
            content = result["input_message_content"]
            assert content["link_preview_options"] == {"is_disabled": True}
            quote = content["entities"][0]
            assert quote["type"] == "blockquote"
            assert "“" not in result["description"]
        key = "Ключ от сарая висит за портретом адмирала Макарова."
        assert key in offered["results"][0]["input_message_content"]["message_text"]
        assert "Записки с перевала" in offered["results"][0]["title"]
        assert (await answered(telegram, reader.inline("")))["results"] == []
        refused = await answered(telegram, stranger.inline("ключ от сарая"))
        assert refused["results"] == []
        assert refused["is_personal"] is True, "what a stranger gets is kept for nobody else"


@pytest.mark.usefixtures("eager")
async def test_in_private_a_slow_answer_grows_in_a_draft(
    telegram: TelegramServer, shelf: Path, model: OpenAIServer
) -> None:
    reader = telegram.user(READER)
    told = "It was told by Ellen."
    model.reply = librarian([(BLIND, QUOTE), (told, "a line that wandered down the page would have told anyone")])
    go_on = threading.Event()
    model.faults.append(held(go_on))
    async with running(settings_for(telegram, shelf, **asking(model))):
        reader.say(KEEPER)
        await telegram.wait_for(lambda: telegram.drafts and telegram.drafts[-1].text)
        go_on.set()
        answer = await telegram.wait_for(lambda: telegram.last(reader))
    assert len(telegram.messages(reader)) == 1, "a draft is no message"
    assert answer.text.startswith(f"{BLIND} [1] {told} [1]") or answer.text.startswith(f"{BLIND} [1] {told} [2]")
    assert {draft.id for draft in telegram.drafts} == {telegram.drafts[0].id}
    assert all(draft.can_stop for draft in telegram.drafts)
    grown = [draft.text for draft in telegram.drafts]
    assert f"{BLIND} [1]" in grown
    assert all(answer.text.startswith(text) for text in grown), (
        "only what was checked is shown, and nothing is taken back"
    )


@pytest.mark.usefixtures("eager")
async def test_in_a_group_a_slow_answer_grows_in_the_place_of_a_promise(
    telegram: TelegramServer, shelf: Path, model: OpenAIServer
) -> None:
    reader = telegram.user(READER)
    club = telegram.group(-100)
    told = "It was told by Ellen."
    model.reply = librarian([(BLIND, QUOTE), (told, "a line that wandered down the page would have told anyone")])
    go_on = threading.Event()
    model.faults.append(held(go_on))
    shown: list[str] = []

    def note(_: object) -> None:
        if (last := telegram.last(club)) and last.text not in shown:
            shown.append(last.text)

    telegram.before_answer = note
    async with running(settings_for(telegram, shelf, **asking(model))):
        question = reader.say(f"/ask {KEEPER}", chat=club)
        await telegram.wait_for(lambda: (last := telegram.last(club)) and last.edits)
        go_on.set()
        await telegram.wait_for(lambda: (last := telegram.last(club)) and last.labels)
    (answer,) = telegram.messages(club)
    assert shown[0] == EN("ask.looking")
    assert shown[1] == f"{BLIND} [1]"
    assert shown[-1] == answer.text
    assert answer.labels[0] == "[1]"
    assert answer.reply_to == question.id
    assert telegram.drafts == []


@pytest.mark.usefixtures("eager")
async def test_the_stop_button_of_a_draft_ends_the_answer(
    telegram: TelegramServer, shelf: Path, model: OpenAIServer
) -> None:
    reader = telegram.user(READER)
    model.fault = stall(after=3)
    async with running(settings_for(telegram, shelf, **asking(model))):
        reader.say(KEEPER)
        await telegram.wait_for(lambda: telegram.drafts)
        reader.stop(telegram.drafts[0])
        assert (await telegram.wait_for(lambda: telegram.last(reader))).text == EN("bot.stopped")
        model.fault = None
        assert (await answer_to(reader, KEEPER)).text.startswith(f"{BLIND} [1]"), (
            "the next question has its turn at once"
        )
    assert QUOTE not in everything_sent(telegram).split(EN("bot.stopped"))[0]
