"""Vectors in an ingest: nothing is paid for twice, an outage takes nothing away, and every book has them in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_library_bot import embedding, ingest
from ai_library_bot.embedding import fingerprint, prepared
from ai_library_bot.errors import BadRequest, Unavailable
from ai_library_bot.index import disk, embedding_store
from ai_library_bot.index.manifest import Published
from ai_library_bot.index.vectors import VECTORS, VectorIndex
from ai_library_bot.openai_api.embedding import OpenAIEmbedder
from ai_library_bot.openai_api.service import Service
from ai_library_bot.protocols import Embedded
from ai_library_bot.reading import Stopped
from ai_library_bot.types import IngestReport, Notice, Progress, Usage
from tests.fakes_embedder import FakeEmbedder, hashed_words
from tests.openai_server import OpenAIServer
from tests.shelves import RULES, Shelf

CHAPTERS = 10
ALL = 3 * CHAPTERS


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Three books of ten passages each, not yet ingested."""
    shelf = Shelf(tmp_path)
    for name in ("lamp", "bridge", "clock"):
        shelf.put(f"{name}.md", *chapters(name))
    return shelf


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


def chapters(name: str, count: int = CHAPTERS) -> list[str]:
    return [f"The {name} of chapter {number} stood where the river turns to the north." for number in range(count)]


def vectors(shelf: Shelf) -> dict[str, list[float]]:
    """Every vector of the active generation by its passage; each is that of its passage's text."""
    published = shelf.generations.current()
    if not published.embedder:
        assert not (published.folder / VECTORS).exists()
        return {}
    index = VectorIndex(published.folder / VECTORS)
    search = shelf.open()
    found = {}
    for book in search.books.values():
        if book.id in index.books:
            for entry in search._lexical.book_passages(book.id):
                right = hashed_words(prepared(entry), index.dimensions)
                (cosine,) = index.cosines(right, [entry.passage.id])
                assert cosine == pytest.approx(1, abs=0.001)
                found[entry.passage.id] = [round(number, 2) for number in right.tolist()]
    assert len(found) == index.passages
    return found


def outage_after(batches: int, key: str = "service_busy") -> Callable[[Sequence[str]], None]:
    """Lets so many batches through and no more."""
    left = iter(range(batches))

    def before(_: Sequence[str]) -> None:
        if next(left, None) is None:
            raise Unavailable(key, service="fake", status=400, reason="bad input")

    return before


class TestEveryBook:
    def test_gets_the_vectors_of_its_passages(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        report = shelf.ingest(embedder=embedder)
        assert (report.embedded, report.passages, report.notices) == (ALL, ALL, ())
        assert len(vectors(shelf)) == ALL
        assert len(embedder.paid) == len(set(embedder.paid)) == ALL
        assert report.usage == embedder.estimate(embedder.paid)
        assert shelf.generations.current().embedder == fingerprint(embedder)

    def test_that_is_new_costs_itself_only(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        embedder.paid.clear()
        shelf.put("new.md", *chapters("new"))
        report = shelf.ingest(embedder=embedder)
        assert (report.embedded, len(embedder.paid), len(vectors(shelf))) == (ALL + CHAPTERS, CHAPTERS, ALL + CHAPTERS)

    def test_that_was_read_without_an_embedder_gets_them_later_without_being_read_again(
        self, shelf: Shelf, embedder: FakeEmbedder
    ) -> None:
        report = shelf.ingest()
        assert (report.embedded, report.usage, vectors(shelf)) == (None, Usage(), {})
        report = shelf.ingest(embedder=embedder)
        assert (report.generation, report.parent, report.unchanged, report.embedded) == (2, 1, 3, ALL)
        assert shelf.pool.asked == []
        assert len(vectors(shelf)) == ALL

    def test_that_says_the_same_as_another_is_paid_for_once(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.put("lamp again.md", *chapters("lamp"), "One chapter more, for the file to be another.", title="Lamp")
        report = shelf.ingest(embedder=embedder)
        assert report.embedded == 2 * CHAPTERS + 1 + 2 * CHAPTERS
        assert len(embedder.paid) == len(set(embedder.paid)) == ALL + 1

    def test_that_goes_or_changes_takes_its_vectors_with_it(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        (shelf.books / "lamp.md").unlink()
        shelf.put("clock.md", *chapters("watch", 3))
        report = shelf.ingest(embedder=embedder)
        assert (report.embedded, len(vectors(shelf))) == (CHAPTERS + 3, CHAPTERS + 3)

    def test_that_is_renamed_gets_those_of_its_new_title(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        path = shelf.put("Anna North - Lamp.txt", data=" ".join(chapters("lamp")).encode())
        shelf.ingest(embedder=embedder)
        embedder.paid.clear()
        path.rename(shelf.books / "Anna North - Sea.txt")
        shelf.ingest(embedder=embedder)
        assert len(vectors(shelf)) == ALL + 1
        assert ["Sea" in text for text in embedder.paid] == [True]

    def test_may_be_the_last_to_go(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        report = ingest.remove(shelf.generations, tuple(shelf.open().books.values()), RULES)
        assert (report.books, vectors(shelf)) == (0, {})


class TestNothingNew:
    def test_publishes_nothing_and_asks_for_nothing(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        requests = embedder.requests
        report = shelf.ingest(embedder=embedder)
        assert (report.generation, report.parent, report.embedded, report.usage) == (1, 1, ALL, Usage())
        assert embedder.requests == requests

    def test_without_an_embedder_the_vectors_stay(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        assert shelf.ingest().generation == 1
        shelf.put("new.md", *chapters("new"))
        (shelf.books / "lamp.md").unlink()
        assert shelf.ingest().embedded is None
        assert shelf.generations.current().embedder == fingerprint(embedder)
        assert len(vectors(shelf)) == 2 * CHAPTERS
        assert shelf.ingest(embedder=embedder).embedded == ALL


class TestNothingIsPaidForTwice:
    def finish(self, shelf: Shelf, embedder: FakeEmbedder) -> IngestReport:
        """Ingests to the end, with the promise that no text was paid for twice over all runs."""
        embedder.before = lambda _: None
        report = shelf.ingest(embedder=embedder)
        assert (report.embedded, len(vectors(shelf))) == (report.passages, report.passages)
        assert len(embedder.paid) == len(set(embedder.paid))
        return report

    @pytest.mark.parametrize("batches", range(9))
    def test_after_ctrl_c(self, shelf: Shelf, embedder: FakeEmbedder, batches: int) -> None:
        def stop_wanted() -> bool:
            return embedder.requests >= batches

        with pytest.raises(Stopped):
            shelf.ingest(embedder=embedder, stop_wanted=stop_wanted)
        assert not (shelf.index / "CURRENT").exists()
        self.finish(shelf, embedder)

    def test_after_ctrl_c_with_many_requests_under_way(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path)
        shelf.put("long.md", *chapters("road", 600))
        shelf.ingest()
        with OpenAIServer(latency=0.2) as server:
            embedder = OpenAIEmbedder(Service(server.base_url, None), "some-model", None)
            with pytest.raises(Stopped):
                shelf.ingest(embedder=embedder, stop_wanted=lambda: len(server.requests) > 0)
            assert 0 < len(server.texts) < 600
            assert shelf.ingest(embedder=embedder).embedded == 600
            assert (len(server.texts), set(server.texts.values())) == (600, {1})

    @pytest.mark.parametrize("batches", range(9))
    def test_after_a_crash(self, shelf: Shelf, embedder: FakeEmbedder, batches: int) -> None:
        def crash(_: Sequence[str]) -> None:
            if embedder.requests > batches:
                raise MemoryError

        embedder.before = crash
        if batches < 8:
            with pytest.raises(MemoryError):
                shelf.ingest(embedder=embedder)
        self.finish(shelf, embedder)

    @pytest.mark.parametrize("batches", range(9))
    def test_after_an_outage(self, shelf: Shelf, embedder: FakeEmbedder, batches: int) -> None:
        embedder.before = outage_after(batches)
        shelf.ingest(embedder=embedder)
        self.finish(shelf, embedder)

    def test_after_a_rollback(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        before = vectors(shelf)
        shelf.put("new.md", *chapters("new"))
        shelf.ingest(embedder=embedder)
        after = vectors(shelf)
        shelf.generations.roll_back()
        assert vectors(shelf) == before
        self.finish(shelf, embedder)
        assert vectors(shelf) == after

    def test_after_a_move(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        (shelf.books / "sub").mkdir()
        (shelf.books / "lamp.md").rename(shelf.books / "sub/lamp.md")
        report = self.finish(shelf, embedder)
        assert ([path.name for path in report.updated], report.generation) == (["lamp.md"], 2)

    def test_after_a_book_was_away(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        away = (shelf.books / "lamp.md").rename(shelf.books.parent / "lamp.md")
        shelf.ingest(embedder=embedder)
        away.rename(shelf.books / "lamp.md")
        self.finish(shelf, embedder)

    def test_when_the_index_is_built_anew(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        before = vectors(shelf)
        disk.discard(shelf.index / "generations")
        (shelf.index / "CURRENT").unlink()
        self.finish(shelf, embedder)
        assert vectors(shelf) == before

    def test_when_an_earlier_model_comes_back(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        shelf.ingest(embedder=FakeEmbedder("other"))
        self.finish(shelf, embedder)


class TestOutage:
    def test_books_that_are_complete_have_their_vectors_and_a_notice_says_what_is_left(
        self, shelf: Shelf, embedder: FakeEmbedder
    ) -> None:
        embedder.batch = CHAPTERS
        embedder.before = outage_after(2)
        report = shelf.ingest(embedder=embedder)
        (notice,) = report.notices
        assert (notice.key, notice.details) == ("not_embedded", {"count": CHAPTERS})
        assert notice.because == ("service_busy", {"service": "fake", "status": 400, "reason": "bad input"})
        assert (report.books, report.embedded, len(vectors(shelf))) == (3, 2 * CHAPTERS, 2 * CHAPTERS)
        assert report.usage == embedder.estimate(embedder.paid)

    def test_where_nothing_is_embedded_the_books_are_found_by_words(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        embedder.before = outage_after(0, "service_key_refused")
        report = shelf.ingest(embedder=embedder)
        assert (report.generation, report.embedded, vectors(shelf)) == (1, 0, {})
        assert report.notices[0].details == {"count": ALL}
        assert shelf.found("lamp") != []

    def test_that_goes_on_publishes_nothing_new(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        embedder.before = outage_after(0)
        shelf.ingest(embedder=embedder)
        report = shelf.ingest(embedder=embedder)
        assert (report.generation, report.parent, report.notices[0].details) == (1, 1, {"count": ALL})

    def test_does_not_hide_what_is_in_the_store(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        disk.discard(shelf.index / "generations")
        shelf.put("a first one.md", *chapters("first"))
        embedder.before = outage_after(0)
        assert shelf.ingest(embedder=embedder).embedded == ALL


class TestRefusedTexts:
    def refuse(self, *wrong: Callable[[str], bool]) -> Callable[[Sequence[str]], None]:
        def before(texts: Sequence[str]) -> None:
            if any(is_wrong(text) for text in texts for is_wrong in wrong):
                raise Unavailable("service_refused", service="fake", status=400, reason="bad input")

        return before

    def test_one_of_them_leaves_only_its_book_without_vectors(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.put("cursed.md", *chapters("curse", 1))
        embedder.before = self.refuse(lambda text: text.startswith("Curs"))
        report = shelf.ingest(embedder=embedder)
        assert (report.embedded, len(vectors(shelf))) == (ALL, ALL)
        assert (report.notices[0].key, report.notices[0].details) == ("not_embedded", {"count": 1})
        assert len(embedder.paid) == len(set(embedder.paid)) == ALL

    def test_long_ones_are_embedded_by_their_beginning(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.put("long.md", *(f"{text} " * 12 for text in chapters("long")))
        embedder.before = self.refuse(lambda text: len(text) > 500)
        report = shelf.ingest(embedder=embedder)
        assert (report.embedded, report.notices) == (ALL + CHAPTERS, ())
        assert max(map(len, embedder.paid)) <= 500
        assert shelf.ingest(embedder=embedder).generation == 1

    def test_when_every_one_is_refused_a_few_requests_tell(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        embedder.before = self.refuse(lambda _: True)
        report = shelf.ingest(embedder=embedder)
        assert (report.embedded, report.notices[0].details) == (0, {"count": ALL})
        assert embedder.requests <= 12


class TestAnotherModel:
    def test_replaces_all_vectors(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        other = FakeEmbedder("other", dimensions=32)
        report = shelf.ingest(embedder=other)
        assert (report.generation, report.embedded, len(other.paid)) == (2, ALL, ALL)
        assert shelf.generations.current().embedder == fingerprint(other)
        assert len(vectors(shelf)) == ALL

    def test_that_gives_nothing_takes_nothing_away(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.ingest(embedder=embedder)
        misspelt = FakeEmbedder("tpyo", before=outage_after(0, "service_unknown_model"))
        shelf.put("new.md", *chapters("new"))
        report = shelf.ingest(embedder=misspelt)
        assert (report.generation, report.embedded) == (2, 0)
        assert shelf.generations.current().embedder == fingerprint(embedder)
        assert len(vectors(shelf)) == ALL

    def test_under_the_same_name_is_noticed_by_the_length_of_its_vectors(
        self, shelf: Shelf, embedder: FakeEmbedder
    ) -> None:
        shelf.ingest(embedder=embedder)
        embedder.dimensions = 32
        shelf.put("new.md", *chapters("new"))
        report = shelf.ingest(embedder=embedder)
        assert (report.books, report.embedded) == (4, ALL)
        assert report.notices[0].because == (
            "vectors_other_length",
            {"model": embedder.fingerprint, "got": 32, "wanted": 64},
        )


class TestPlan:
    def test_says_what_an_ingest_would_pay_for_and_writes_nothing(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        planned = shelf.plan(embedder=embedder)
        assert not shelf.index.exists()
        assert embedder.requests == 0
        report = shelf.ingest(embedder=embedder)
        assert (planned.to_embed, planned.tokens, planned.cost) == (ALL, report.usage.prompt_tokens, report.usage.cost)
        assert (planned.added, planned.updated, planned.unchanged) == (report.added, report.updated, report.unchanged)
        assert (planned.passages, planned.embedder) == (ALL, embedder.fingerprint)

    def test_counts_what_is_in_the_store_as_paid(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        embedder.before = outage_after(2)
        shelf.ingest(embedder=embedder)
        embedder.paid.clear()
        shelf.put("lamp.md", *chapters("lamp"), "An end.")
        shelf.put("bad.md", data=b"")
        (shelf.books / "bridge.md").unlink()
        before = {path: path.read_bytes() for path in shelf.index.rglob("*") if path.is_file()}
        planned = shelf.plan(embedder=embedder)
        assert {path: path.read_bytes() for path in shelf.index.rglob("*") if path.is_file()} == before
        embedder.before = lambda _: None
        report = shelf.ingest(embedder=embedder)
        assert planned.to_embed == len(embedder.paid)
        assert planned.tokens == report.usage.prompt_tokens
        assert (planned.updated, planned.removed, planned.failed) == (report.updated, report.removed, report.failed)
        assert shelf.plan(embedder=embedder).to_embed == 0
        assert shelf.plan(embedder=FakeEmbedder("other")).to_embed == report.passages

    def test_without_an_embedder_costs_nothing(self, shelf: Shelf) -> None:
        planned = shelf.plan()
        assert (planned.passages, planned.embedder, planned.to_embed, planned.tokens) == (ALL, None, 0, 0)
        assert planned.cost is None


class TestGenerations:
    @pytest.fixture
    def published(self, shelf: Shelf, embedder: FakeEmbedder) -> Published:
        shelf.ingest(embedder=embedder)
        return shelf.generations.current()

    def test_a_damaged_shard_is_named(self, shelf: Shelf, published: Published) -> None:
        (name,) = (name for name in published.files if name.endswith(".faiss"))
        data = bytearray((published.folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (published.folder / name).write_bytes(data)
        assert [damage.file for damage in shelf.generations.verify(1).damages] == [name]

    def test_none_is_changed_by_those_that_follow(
        self, shelf: Shelf, embedder: FakeEmbedder, published: Published
    ) -> None:
        shelf.put("new.md", *chapters("new"))
        shelf.ingest(embedder=embedder)
        (shelf.books / "lamp.md").unlink()
        shelf.ingest()
        shelf.ingest(embedder=FakeEmbedder("other"))
        for number in (1, 2, 3, 4):
            assert shelf.generations.verify(number).damages == ()
        assert len(VectorIndex(published.folder / VECTORS).books) == 3


class TestStopping:
    def test_while_nothing_arrives_ends_soon(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedding, "_LAST_ARRIVALS", 0.1)

        class Silent(FakeEmbedder):
            async def embed_passages(
                self, texts: Sequence[str], go_on: Callable[[], bool] = lambda: True
            ) -> AsyncIterator[Embedded]:
                self.requests += 1
                await asyncio.Event().wait()
                async for batch in super().embed_passages(texts, go_on):
                    yield batch

        silent = Silent()
        with pytest.raises(Stopped):
            shelf.ingest(embedder=silent, stop_wanted=lambda: silent.requests > 0)

    def test_progress_counts_the_passages(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        heard: list[Progress] = []
        shelf.ingest(embedder=embedder, listener=heard.append)
        assert list(dict.fromkeys(step.phase for step in heard)) == ["scan", "read", "embed", "index", "check"]
        steps = [(step.done, step.total) for step in heard if step.phase == "embed"]
        assert steps == sorted(steps)
        assert (steps[0], steps[-1]) == ((0, ALL), (ALL, ALL))


class TestDamagedStore:
    def test_is_said(self, shelf: Shelf, embedder: FakeEmbedder) -> None:
        shelf.index.mkdir()
        (shelf.index / embedding_store.NAME).write_bytes(b"this is no database at all, whatever it is called" * 100)
        report = shelf.ingest(embedder=embedder)
        aside = shelf.index / (embedding_store.NAME + embedding_store.ASIDE)
        assert report.notices == (Notice("embedding_store_damaged", {"file": str(aside)}),)
        assert (report.embedded, aside.exists()) == (ALL, True)
        assert len(vectors(shelf)) == ALL


STEPS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["lamp", "bridge", "clock"]), min_size=1),
        st.sampled_from(["whole", "cut off", "stopped", "other model", "no model", "rolled back"]),
        st.integers(0, 5),
    ),
    max_size=5,
)


@settings(max_examples=20)
@given(STEPS)
def test_whatever_came_before_every_book_has_its_vectors_in_the_end_and_was_paid_for_once(
    steps: list[tuple[dict[str, str], str, int]],
) -> None:
    """Each step is a whole shelf (file names with their subjects), what becomes of its ingest, and after how much."""
    with TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder))
        embedder, other = FakeEmbedder(batch=2), FakeEmbedder("other", dimensions=32)
        for files, fate, batches in [*steps, ({"a": "lamp", "b": "bridge"}, "whole", 0)]:
            for path in shelf.books.iterdir():
                path.unlink()
            for name, subject in files.items():
                shelf.put(f"{name}.md", *chapters(subject, 5))
            embedder.before = outage_after(batches) if fate == "cut off" else lambda _: None
            stop_at = embedder.requests + batches if fate == "stopped" else 10**6
            model = {"other model": other, "no model": None}.get(fate, embedder)
            with suppress(Stopped):
                shelf.ingest(embedder=model, stop_wanted=lambda at=stop_at: embedder.requests >= at)  # type: ignore[misc]
            if fate == "rolled back":
                with suppress(BadRequest):
                    shelf.generations.roll_back()
            if (shelf.index / "CURRENT").exists():
                vectors(shelf)
        assert len(vectors(shelf)) == 10
        for model in (embedder, other):
            assert len(model.paid) == len(set(model.paid))
