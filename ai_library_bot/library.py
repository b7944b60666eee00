"""The library: the one object that the terminal, the bot and programs hold."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from ai_library_bot import adapters, choosing, metrics
from ai_library_bot.errors import BadData, BadRequest, BadSetting, LibraryError, MissingInput
from ai_library_bot.index.generations import Generations
from ai_library_bot.models import Models
from ai_library_bot.types import (
    Answer,
    Book,
    Check,
    Citation,
    Excerpt,
    Generation,
    IngestPlan,
    IngestReport,
    Notice,
    Progress,
    SearchResult,
    Turn,
    Verification,
)

if TYPE_CHECKING:
    from ai_library_bot.conversation import Conversation
    from ai_library_bot.index.search import SearchIndex
    from ai_library_bot.ingest import Rules
    from ai_library_bot.local_model.hub import Fetched
    from ai_library_bot.protocols import Purse
    from ai_library_bot.settings import Settings

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")

Parameters = ParamSpec("Parameters")

_MEGABYTE = 1_000_000  # bytes
_REWRITING = 0.25  # of the time for an answer: understanding a follow-up question


def _of_a_sound_generation(
    asked: Callable[Concatenate[Library, Parameters], Awaitable[Result]],
) -> Callable[Concatenate[Library, Parameters], Coroutine[Any, Any, Result]]:
    """Asks once more, of the newest sound generation, if a file of the active one turns out to be damaged."""

    @wraps(asked)
    async def ask(library: Library, /, *arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
        while True:
            try:
                return await asked(library, *arguments, **named)
            except BadData as error:
                if not await asyncio.to_thread(library._generations.found_damaged, error):
                    raise

    return ask


class Library:
    """A person's books, their index and the ways to ask it. Making one opens nothing.

    Every search and every answer comes from one generation of the index, whole, also while an ingest publishes the
    next one. Methods raise the children of `errors.LibraryError`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._generations = Generations(settings.faiss_path.absolute())
        self._models = Models(settings, self._generations.folder, self._fetching)
        self._opened: SearchIndex | None = None
        self._drawing = asyncio.Semaphore(os.cpu_count() or 1)  # each picture takes a process of its own
        self._notices: dict[str, Notice] = {}
        self._on_progress: Callable[[Progress], None] = lambda _: None

    @classmethod
    def open(cls, settings: Settings) -> Library:
        """The library of these settings, for `async with`."""
        return cls(settings)

    async def __aenter__(self) -> Self:
        if self._settings.metrics_port:
            try:
                metrics.start(self._settings.metrics_port)
            except BadSetting as error:
                if error.key != "metrics_port_taken":  # by a bot on this computer: its figures are the ones to read
                    raise
                _LOG.info("%s", error)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened = None
        await self._models.close()
        metrics.stop()

    async def prepare(self) -> None:
        """Does what the first question would have to wait for: opens the index, loads what speaks to models."""

        def load() -> None:
            from ai_library_bot import ask
            from ai_library_bot.answers import follow_up

            _ = self._models.chat, ask, follow_up
            with suppress(LibraryError):  # whoever asks will hear of it
                index = self._index()
                index.search("кто who", 1)  # the dictionary as well
                if self._models.embedder:
                    index.open_vectors()

        await asyncio.to_thread(load)

    @property
    def conversation(self) -> Conversation:
        """The turns of the last conversation at this index."""
        from ai_library_bot.conversation import Conversation

        return Conversation(self._generations.folder)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What came up that a person should know."""
        return tuple(self._notices.values())

    @_of_a_sound_generation
    async def search(
        self,
        query: str,
        *,
        limit: int = 10,
        books: Sequence[str] = (),
        authors: Sequence[str] = (),
        languages: Sequence[str] = (),
    ) -> SearchResult:
        """The `limit` passages that match a query best, from the named books, authors and languages if any are."""
        began = time.monotonic()
        index = await asyncio.to_thread(self._index)
        index.choose(books, authors, languages)  # what no book meets is said before a model is asked for anything
        bill = self._models.bill()
        vector, notices = await self._models.meaning(index, query, bill)
        found = await asyncio.to_thread(
            lambda: index.search(query, limit, vector=vector, books=books, authors=authors, languages=languages)
        )
        metrics.searched(time.monotonic() - began)
        return replace(found, notices=(*notices, *found.notices), usage=bill.usage)

    @_of_a_sound_generation
    async def quotations(self, words: str, *, limit: int = 5) -> tuple[Citation, ...]:
        """What the books say to words that somebody is typing: a sentence of each passage that fits, best first.

        They are searched by words alone, so it costs nothing and takes milliseconds. Without a letter nothing fits.
        """
        from ai_library_bot import ask

        if not any(map(str.isalpha, words)):
            return ()
        demand = self._settings.min_relevance
        return await asyncio.to_thread(lambda: ask.quotations(self._index(), words, limit=limit, min_relevance=demand))

    @_of_a_sound_generation
    async def ask(
        self,
        question: str,
        *,
        books: Sequence[str] = (),
        authors: Sequence[str] = (),
        languages: Sequence[str] = (),
        strict: bool = True,
        history: Sequence[Turn] = (),
        purse: Purse | None = None,
        on_growth: Callable[[str], None] = lambda _: None,
    ) -> Answer:
        """The answer to a question, with quotations that stand in the books, or `found=False`.

        Where no model is set up, or it does not answer in time, the answer only quotes. `history` are the turns before,
        which help to understand the question and never become a source. `on_growth` hears all that is written and
        checked so far. Unless `strict`, sentences without a quotation stay, marked as the model's own words. With a
        `purse` no model is asked for what that does not grant, as if it were down.
        """
        from ai_library_bot import ask
        from ai_library_bot.answers import follow_up

        began = time.monotonic()
        index = await asyncio.to_thread(self._index)
        index.choose(books, authors, languages)  # what no book meets is said before a model is asked for anything
        limit = self._settings.answer_seconds
        bill = self._models.bill(purse)
        chat = self._models.billed_chat("rewrite", bill)
        query, _ = await follow_up.stand_alone(question, history, chat, seconds=limit * _REWRITING)
        vector, notices = await self._models.meaning(index, query, bill, seconds=limit - (time.monotonic() - began))
        filters = {"books": books, "authors": authors, "languages": languages}
        writer = self._models.writer(index, filters, bill, meaning=vector is not None)
        answer = await ask.answer(
            index,
            question,
            query=query,
            vector=vector,
            writer=writer,
            reranker=self._models.reranker(bill),
            strict=strict,
            min_relevance=self._settings.min_relevance,
            seconds=max(0.0, limit - (time.monotonic() - began)),
            on_growth=on_growth,
            **filters,
        )
        notices = (*notices, *self._models.cache_notices())
        for notice in answer.notices:
            if notice.because:
                metrics.failed(notice.because[0])
        seconds = round(time.monotonic() - began, 3)
        quoted = writer is not None and answer.writer != writer.name
        metrics.answered("quoted" if quoted else "found" if answer.found else "not_found", seconds)
        return replace(answer, notices=(*notices, *answer.notices), usage=bill.usage, seconds=seconds)

    @property
    def understands_voice(self) -> bool:
        """Whether a model is set up that `transcribe` can ask."""
        return self._models.transcriber is not None

    async def transcribe(self, audio: bytes, *, name: str = "voice.ogg", purse: Purse | None = None) -> str:
        """What is said in a recording, on one line; empty if nothing is. `name` is that of its file.

        A stranger's text, like all that a model says. Raises BadSetting where no model is set up for it.
        """
        if self._models.transcriber is None:
            raise BadSetting("voice_not_set_up")
        from ai_library_bot import voice

        return await voice.understood(self._models.transcriber, audio, name, self._models.bill(purse))

    async def ingest(
        self, paths: Sequence[Path] = (), *, on_progress: Callable[[Progress], None] | None = None
    ) -> IngestReport:
        """Brings the index in step with the books under `paths`, or under the setting BOOKS_PATH.

        Cancelling stops it soon and leaves the index as it was.
        """
        from ai_library_bot import ingest

        return await self._with_books(ingest.ingest, paths, on_progress)

    async def add(self, file: Path, name: str) -> IngestReport:
        """Moves a file that somebody sent as `name` to the books under BOOKS_PATH, and ingests it alone.

        If it is no book, too large, or there already, the report says so, and the file is gone. After an error, or
        when cancelled, it is where it was. Raises BadRequest for a kind of file that no reader reads.
        """
        from ai_library_bot import shelving

        return await self._with_books(partial(shelving.add, file, name), (), None)

    async def plan(
        self, paths: Sequence[Path] = (), *, on_progress: Callable[[Progress], None] | None = None
    ) -> IngestPlan:
        """What `ingest` would do with the same arguments, and what that would cost. Nothing is written or paid."""
        from ai_library_bot import ingest

        return await self._with_books(ingest.plan, paths, on_progress)

    async def remove(self, books: Sequence[str]) -> IngestReport:
        """Takes the named books out of the index; their files stay where they are.

        Raises BadRequest for a name that fits several books and is not the whole title, file name or id of one.
        """
        from ai_library_bot import ingest

        chosen = self._of_index(lambda index: choosing.books_to_remove(index, books))
        return await asyncio.to_thread(ingest.remove, self._generations, chosen, self._rules())

    def books(self) -> tuple[Book, ...]:
        """The books in the index, by path."""
        return self._of_index(lambda index: tuple(index.books.values()))

    def show(self, passage: str, *, around: int = 1) -> Excerpt:
        """A passage by its id, with the passages of its chapter around it."""
        if ":" not in passage:
            raise MissingInput("half_a_passage", passage=passage)
        return self._of_index(lambda index: index.show(passage, around))

    @_of_a_sound_generation
    async def page_picture(self, passage_id: str, start: int, end: int) -> bytes:
        """The page of a PDF on which `passage.text[start:end]` begins, as PNG, with these words marked.

        Raises MissingInput for a passage or a file that is not there any more, BadRequest for a book without pages,
        UnreadableBook for a file that has changed since or can't be drawn.
        """
        from ai_library_bot.pictures import page_picture

        async with self._drawing:
            return await page_picture(self._index(), passage_id, start, end)

    def generations(self) -> tuple[Generation, ...]:
        """The generations kept, newest first."""
        return self._generations.listed()

    def roll_back(self, to: int | None = None) -> tuple[int, int]:
        """Makes an earlier generation (or `to`) the active one; returns the numbers of the old one and the new."""
        return self._generations.roll_back(to)

    def verify(self) -> tuple[Verification, ...]:
        """Compares every byte of every generation with what was written, newest first."""
        found = []
        for number in self._generations.numbers():
            with suppress(BadRequest):  # an ingest has removed it meanwhile
                found.append(self._generations.verify(number))
        return tuple(found)

    async def check(self) -> tuple[Check, ...]:
        """What is set up and what is not."""
        from ai_library_bot.doctor import checks

        return await checks(
            self._settings.books_path.absolute(),
            self._generations,
            service=adapters.service(self._settings),
            has_key=self._settings.openai_api_key is not None,
            chat_model=adapters.chat_name(self._settings),
            embedder=self._models.accounted_embedder,
            redis=self._models.cache if self._settings.cache_backend == "redis" else None,
            ledger=self._models.ledger,
            has_token=self._settings.tg_token is not None,
            may_ask=None
            if self._settings.tg_public
            else len(self._settings.tg_allowed_users | self._settings.tg_admins),
        )

    def _fetching(self, fetched: Fetched) -> None:
        """A local model is on its way: once, but it takes a while."""
        self._notices["fetched"] = fetched.notice
        self._on_progress(Progress("fetch", fetched.done // _MEGABYTE, fetched.total // _MEGABYTE, fetched.model))

    async def _with_books(
        self, work: Callable[..., Result], paths: Sequence[Path], on_progress: Callable[[Progress], None] | None
    ) -> Result:
        """Does work on books in a thread. When cancelled, tells it to stop and waits for it to do so."""
        self._on_progress = on_progress or (lambda _: None)
        folders = tuple(paths) or (self._settings.books_path,)
        stop = threading.Event()
        task = asyncio.create_task(
            asyncio.to_thread(
                work,
                self._generations,
                folders,
                self._rules(),
                self._on_progress,
                stop.is_set,
                self._models.accounted_embedder,
            )
        )
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.gather(task, return_exceptions=True)
            raise

    def _of_index(self, get: Callable[[SearchIndex], Result]) -> Result:
        """What `get` gets from the active generation, or the newest sound one if a file turns out to be damaged."""
        while True:
            try:
                return get(self._index())
            except BadData as error:
                if not self._generations.found_damaged(error):
                    raise

    def _index(self) -> SearchIndex:
        """The active generation, opened; the one in hand if it is still the active one."""
        from ai_library_bot.index.search import SearchIndex

        published = self._generations.current()
        for number in published.damaged:
            self._notices[f"damaged {number}"] = Notice(
                "generation_damaged", {"damaged": number, "served": published.number}
            )
        opened = self._opened
        if opened is None or opened.published.folder != published.folder:
            try:
                opened = SearchIndex(published)
            except (OSError, BadData):
                if published.folder.exists():
                    raise
                opened = SearchIndex(self._generations.current())  # pruned by an ingest between the two looks
            self._opened = opened
            used = opened.published
            metrics.index(generation=used.number, books=used.books, passages=used.passages, size=used.size)
        return opened

    def _rules(self) -> Rules:
        from ai_library_bot.ingest import Rules

        return Rules(
            max_book_mb=self._settings.max_book_mb,
            min_passage_chars=self._settings.min_passage_chars,
            keep_generations=self._settings.keep_generations,
        )
