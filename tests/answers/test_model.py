"""The writer with a model: what it asks, what goes back to the model, when it stops, and what it shows on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ai_library_bot.answers.model import ModelWriter, NoDraft
from ai_library_bot.errors import Unavailable
from ai_library_bot.openai_api.chat import ChatModel
from ai_library_bot.openai_api.service import PassingFault
from ai_library_bot.openai_api.tries import without_waiting
from ai_library_bot.types import Claim, Draft, Fault, Hit, SearchResult, Statement, Usage
from tests.answers.scripted import COST, ScriptedChat, Shown
from tests.fakes import BOOKS, PASSAGES

HITS = tuple(Hit(rank, 1.0, 1.0, passage, BOOKS[passage.book_id]) for rank, passage in enumerate(PASSAGES, 1))
QUESTION = "When did the keeper of the lighthouse stop writing letters to the town?"
FOUND = SearchResult(QUESTION, 1, "lexical", HITS)


def reply(*sentences: tuple[str, int, str], found: bool = True) -> str:
    """A reply of sentences, each with the number of a passage and a quotation."""
    return json.dumps(
        {
            "found": found,
            "sentences": [
                {"text": text, "quotes": [{"passage": number, "quote": quote}]} for text, number, quote in sentences
            ],
        },
        ensure_ascii=False,
    )


TRUE = ("It was in the winter, and he was blind.", 1, "true enough words")
FALSE = ("He was never there and she was not.", 2, "false words")
OTHER = ("The other one was in the town.", 2, "true enough words too")


def check(draft: Draft) -> Sequence[Fault]:
    """Every quotation that begins with "false" is."""
    return [
        Fault(claim.quote, "not_in_book")
        for statement in draft.statements
        for claim in statement.claims
        if claim.quote.startswith("false")
    ]


async def write(chat: ScriptedChat, found: SearchResult = FOUND, grown: list[Draft] | None = None) -> Draft:
    model: ChatModel = chat  # type: ignore[assignment]
    with without_waiting():
        return await ModelWriter(model, seconds=20).write(found, check, (grown if grown is not None else []).append)


def texts(draft: Draft) -> list[str]:
    return [statement.text for statement in draft.statements]


async def test_a_draft_names_the_passages_that_were_shown_under_those_numbers() -> None:
    chat = ScriptedChat(reply(TRUE, OTHER))
    draft = await write(chat)
    assert draft.statements == (
        Statement(TRUE[0], (Claim(PASSAGES[0].id, TRUE[2]),)),
        Statement(OTHER[0], (Claim(PASSAGES[1].id, OTHER[2]),)),
    )
    assert draft.usage == COST
    assert len(chat.asked) == 1


async def test_the_model_is_shown_the_passages_their_books_and_the_question_but_no_ids() -> None:
    chat = ScriptedChat(reply(TRUE))
    await write(chat)
    (messages,) = chat.asked
    assert [message.role for message in messages] == ["system", "user"]
    shown = Shown(messages)
    assert list(shown.passages.values()) == [passage.text for passage in PASSAGES]
    assert BOOKS[PASSAGES[0].book_id].title in shown.user
    assert shown.user.endswith(f"Question: {QUESTION}")
    assert PASSAGES[0].id not in shown.user
    assert PASSAGES[0].book_id not in shown.user


@pytest.mark.parametrize("number", [0, -1, 4, 10**40])
async def test_a_number_that_was_not_shown_names_no_passage(number: int) -> None:
    draft = await write(ScriptedChat(reply((TRUE[0], number, TRUE[2]))))
    assert draft.statements == (Statement(TRUE[0], (Claim("", TRUE[2]),)),)


async def test_found_false_is_a_draft_without_statements() -> None:
    for said in (reply(found=False), reply(TRUE, found=False), '{"found": false}'):
        chat = ScriptedChat(said)
        assert (await write(chat)).statements == ()
        assert len(chat.asked) == 1


async def test_what_to_ask_next_comes_with_the_draft_where_the_model_suggests_it() -> None:
    suggested = ["Who was blind?", "Кто был слеп и не писал?", "Where is the town?", "Why?", "Who is the keeper?"]
    said = json.loads(reply(TRUE)) | {"next_questions": suggested}
    draft = await write(ScriptedChat(json.dumps(said)))
    assert draft.next_questions == ("Who was blind?", "Where is the town?", "Why?")
    assert (await write(ScriptedChat(reply(TRUE)))).next_questions == ()


async def test_of_two_drafts_the_one_that_is_kept_tells_what_to_ask_next() -> None:
    first, second = (
        json.dumps(json.loads(said) | {"next_questions": [question]})
        for said, question in ((reply(TRUE, FALSE), "Who was blind?"), (reply(TRUE, OTHER), "Who was it?"))
    )
    draft = await write(ScriptedChat(first, second))
    assert (texts(draft), draft.next_questions) == ([TRUE[0], OTHER[0]], ("Who was it?",))


class TestSentBack:
    async def test_a_false_quotation_goes_back_once_with_what_is_wrong(self) -> None:
        chat = ScriptedChat(reply(TRUE, FALSE), reply(TRUE, OTHER))
        draft = await write(chat)
        assert texts(draft) == [TRUE[0], OTHER[0]]
        assert draft.usage == COST + COST
        system, user, assistant, complaint = chat.asked[1]
        assert [system, user] == chat.asked[0]
        assert json.loads(assistant.content) == json.loads(reply(TRUE, FALSE))
        assert '"false words" stands in no passage' in complaint.content
        assert TRUE[2] not in complaint.content

    async def test_a_model_that_does_not_mend_it_is_not_asked_a_third_time(self) -> None:
        chat = ScriptedChat(reply(TRUE, FALSE))
        assert texts(await write(chat)) == [TRUE[0], FALSE[0]]  # what is false in it is dropped by whoever checks
        assert len(chat.asked) == 2

    async def test_the_draft_with_more_true_sentences_is_kept(self) -> None:
        assert texts(await write(ScriptedChat(reply(TRUE, OTHER, FALSE), reply(TRUE)))) == [TRUE[0], OTHER[0], FALSE[0]]
        assert texts(await write(ScriptedChat(reply(TRUE, FALSE), reply(TRUE)))) == [TRUE[0]]
        assert texts(await write(ScriptedChat(reply(FALSE), reply(found=False)))) == []

    async def test_so_does_an_answer_without_any_quotation(self) -> None:
        bare = json.dumps({"found": True, "sentences": [{"text": TRUE[0], "quotes": []}]})
        chat = ScriptedChat(bare, reply(TRUE))
        assert (await write(chat)).statements[0].claims
        assert "No sentence has a quotation" in chat.asked[1][-1].content

    @pytest.mark.parametrize(
        ("question", "answer", "goes_back"),
        [
            (QUESTION, "Это было зимой, и смотритель уже ничего не видел.", True),
            (QUESTION, "Das war im Winter, und er war nicht mehr auf der Insel.", True),
            ("Почему смотритель перестал писать?", "It was in the winter and he was blind.", True),
            ("Who is Prokhor?", "Это было зимой, и смотритель уже ничего не видел.", True),
            (QUESTION, "It was in the winter, and he was blind.", False),
            (QUESTION, "Winter 1871.", False),
            ("Почему смотритель перестал писать?", "Он ослеп.", False),
            (
                "What does «Преступление и наказание» say of the keeper and the lamp?",
                "It says that he was in it.",
                False,
            ),
        ],
    )
    async def test_so_does_an_answer_in_another_language(self, question: str, answer: str, goes_back: bool) -> None:
        chat = ScriptedChat(reply((answer, 1, TRUE[2])))
        assert texts(await write(chat, replace(FOUND, query=question))) == [answer]  # true all the same
        assert len(chat.asked) == (2 if goes_back else 1)
        if goes_back:
            assert "language of the question" in chat.asked[1][-1].content

    @pytest.mark.parametrize(
        "said",
        ["I think it was in the winter.", "", "{}", "[]", '{"found": true, "sentences": "none"}', "```json\n```"],
    )
    async def test_so_does_what_is_not_in_the_form(self, said: str) -> None:
        chat = ScriptedChat(said, said, reply(TRUE))
        draft = await write(chat)
        assert texts(draft) == [TRUE[0]]
        assert draft.usage == COST + COST + COST
        assert [len(messages) for messages in chat.asked] == [2, 4, 4]
        assert "not the JSON object" in chat.asked[1][-1].content

    async def test_after_five_tries_that_ends(self) -> None:
        chat = ScriptedChat("I would rather <b>talk</b> about http://evil.example.")
        with pytest.raises(NoDraft) as failure:
            await write(chat)
        assert len(chat.asked) == 5
        assert (failure.value.key, failure.value.details) == ("model_keeps_no_form", {"model": "scripted"})
        assert failure.value.usage == sum([COST] * 5, Usage())
        assert "evil" not in failure.value.say("en") + failure.value.say("ru")

    @pytest.mark.parametrize("cut", [1, 2, 20, 60])
    async def test_of_an_answer_that_breaks_off_the_whole_sentences_are_kept(self, cut: int) -> None:
        chat = ScriptedChat(reply(TRUE, OTHER, TRUE)[:-cut])
        assert texts(await write(chat)) in ([TRUE[0], OTHER[0]], [TRUE[0]])
        assert len(chat.asked) == 2, "it may do better once"


class TestUnavailable:
    BUSY = PassingFault("service_busy", service="api.example")

    async def test_a_passing_fault_is_tried_again(self) -> None:
        chat = ScriptedChat(self.BUSY, self.BUSY, reply(TRUE))
        assert texts(await write(chat)) == [TRUE[0]]

    async def test_all_tries_together_are_at_most_five(self) -> None:
        chat = ScriptedChat(self.BUSY, "prose", reply(FALSE), self.BUSY, reply(TRUE), reply(TRUE, OTHER))
        assert texts(await write(chat)) == [TRUE[0]]
        assert len(chat.asked) == 5

    async def test_what_does_not_pass_ends_it_at_once(self) -> None:
        chat = ScriptedChat("prose", Unavailable("service_key_refused", service="api.example"))
        with pytest.raises(NoDraft) as failure:
            await write(chat)
        assert (failure.value.key, failure.value.usage, len(chat.asked)) == ("service_key_refused", COST, 2)

    async def test_a_draft_that_was_already_there_is_not_lost(self) -> None:
        chat = ScriptedChat(reply(TRUE, FALSE), Unavailable("service_no_credit", service="api.example"))
        assert texts(await write(chat)) == [TRUE[0], FALSE[0]]


class TestGrowth:
    @pytest.mark.parametrize("piece", [1, 5, 1000])
    async def test_whole_sentences_are_told_as_soon_as_the_next_begins(self, piece: int) -> None:
        grown: list[Draft] = []
        said = reply(TRUE, OTHER, (TRUE[0], 1, "more"))
        await write(ScriptedChat(f"Here: ```json\n{said}```", piece=piece), grown=grown)
        assert all(statement.claims for draft in grown for statement in draft.statements)
        if piece < 1000:
            assert [texts(draft) for draft in grown] == [[TRUE[0]], [TRUE[0], OTHER[0]]]

    @pytest.mark.parametrize(
        "said",
        ["prose", '{"found": false, "sentences": [{"text": "A", "quotes": []}, {"text": "B"', '{"found": true, [}'],
    )
    async def test_nothing_else_is(self, said: str) -> None:
        grown: list[Draft] = []
        await write(ScriptedChat(said, reply(found=False)), grown=grown)
        assert grown == []


async def test_more_sentences_and_quotations_than_anybody_reads_are_left_out() -> None:
    many = {"text": "It was in the winter.", "quotes": [{"passage": 1, "quote": "q"}] * 10}
    sentences = [{**many, "text": f"It was in the winter {number}."} for number in range(60)]
    draft = await write(ScriptedChat(json.dumps({"found": True, "sentences": sentences}), piece=50))
    assert len(draft.statements) == 30
    assert all(len(statement.claims) == 6 for statement in draft.statements)


async def test_a_sentence_said_twice_is_said_once() -> None:
    assert texts(await write(ScriptedChat(reply(TRUE, OTHER, TRUE)))) == [TRUE[0], OTHER[0]]
