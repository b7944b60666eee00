"""Ingest is a sync: afterwards the index is that of a clean one of the same shelf, and only news cost anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_library_bot import ingest, reading
from ai_library_bot.errors import Busy, MissingInput, UnreadableBook
from ai_library_bot.ingest import Rules
from ai_library_bot.locales import messages
from ai_library_bot.reading import Stopped
from ai_library_bot.types import BookText, IngestReport, Progress
from tests.shelves import RULES, ReadingHere, Shelf

LAMP = "Лампа на маяке горела всю ночь, и смотритель не спал."
BRIDGE = "Мост строили девять лет, и все девять лет река была против."
CLOCK = "The clock in the tower ran slow, because the summer was hot."
DAMAGED = b"PK\x03\x04 this is no zip file at all"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def two(shelf: Shelf) -> Shelf:
    """A shelf of two books, ingested."""
    shelf.put("lamp.md", LAMP, title="Лампа")
    shelf.put("bridge.md", BRIDGE, title="Мост")
    shelf.ingest()
    return shelf


def names(paths: Iterable[Path]) -> list[str]:
    return sorted(path.name for path in paths)


def bare(report: IngestReport) -> tuple[list[str], list[str], list[str], int]:
    """What was added, updated, removed and left alone."""
    return names(report.added), names(report.updated), names(report.removed), report.unchanged


class TestSync:
    def test_a_first_ingest_adds_every_book(self, shelf: Shelf) -> None:
        shelf.put("lamp.md", LAMP, LAMP, title="Лампа", author="Анна Север", language="ru")
        shelf.put("sub/clock.md", CLOCK, language="en")
        report = shelf.ingest()
        assert bare(report) == (["clock.md", "lamp.md"], [], [], 0)
        assert (report.generation, report.parent, report.books, report.passages) == (1, None, 2, 3)
        assert (report.languages, report.failed, report.skipped) == ({"ru": 1, "en": 1}, (), ())
        lamp = next(book for book in shelf.open().books.values() if book.title == "Лампа")
        assert (lamp.path, lamp.authors, lamp.language) == (shelf.books / "lamp.md", ("Анна Север",), "ru")
        assert (lamp.passages, lamp.characters, lamp.format) == (2, 2 * len(LAMP), "md")

    def test_a_new_book_beside_old_ones_is_the_only_one_read(self, two: Shelf) -> None:
        two.put("clock.md", CLOCK)
        report = two.ingest()
        assert bare(report) == (["clock.md"], [], [], 2)
        assert (report.generation, report.parent) == (2, 1)
        assert names(two.pool.asked) == ["clock.md"]
        assert two.found("clock лампа река") != []

    def test_a_changed_book_is_replaced_whole(self, two: Shelf) -> None:
        two.put("lamp.md", CLOCK)
        assert bare(two.ingest()) == ([], ["lamp.md"], [], 1)
        assert names(two.pool.asked) == ["lamp.md"]
        assert two.found("лампа смотритель") == []
        assert two.found("clock") == [CLOCK]

    def test_a_removed_book_goes(self, two: Shelf) -> None:
        (two.books / "lamp.md").unlink()
        assert bare(two.ingest()) == ([], [], ["lamp.md"], 1)
        assert (two.pool.asked, two.files(), two.found("лампа")) == ([], ["bridge.md"], [])

    def test_a_moved_book_keeps_its_id_and_is_not_read_again(self, two: Shelf) -> None:
        before = {hit.passage.id for hit in two.open().search("лампа", 5)}
        (two.books / "sub").mkdir()
        (two.books / "lamp.md").rename(two.books / "sub/lamp.md")
        assert bare(two.ingest()) == ([], ["lamp.md"], [], 1)
        assert two.pool.asked == []
        (hit,) = two.open().search("лампа", 5)
        assert ({hit.passage.id}, hit.book.path) == (before, two.books / "sub/lamp.md")

    def test_a_renamed_book_is_read_again_for_its_name_may_be_its_title(self, shelf: Shelf) -> None:
        shelf.put("Анна Север - Лампа.txt", data=LAMP.encode()).rename(shelf.books / "one.txt")
        shelf.ingest()
        (shelf.books / "one.txt").rename(shelf.books / "Анна Север - Лампа.txt")
        report = shelf.ingest()
        assert (names(report.updated), report.added, report.removed) == (["Анна Север - Лампа.txt"], (), ())
        (book,) = shelf.open().books.values()
        assert (book.title, book.authors) == ("Лампа", ("Анна Север",))
        assert len(shelf.found("лампа")) == 1

    def test_a_book_copied_and_then_changed_leaves_both(self, two: Shelf) -> None:
        two.put("copy/lamp.md", data=(two.books / "lamp.md").read_bytes())
        two.put("lamp.md", CLOCK)
        two.ingest()
        assert sorted(two.found("лампа clock")) == sorted([LAMP, CLOCK])
        assert bare(two.ingest()) == ([], [], [], 3)

    def test_two_files_that_change_places_keep_both_books(self, two: Shelf) -> None:
        one, other = (two.books / "lamp.md").read_bytes(), (two.books / "bridge.md").read_bytes()
        two.put("lamp.md", data=other)
        two.put("bridge.md", data=one)
        two.ingest()
        assert {book.path.name: book.title for book in two.open().books.values()} == {
            "lamp.md": "Мост",
            "bridge.md": "Лампа",
        }
        assert sorted(two.found("лампа река")) == sorted([LAMP, BRIDGE])

    def test_the_same_content_twice_is_indexed_once(self, two: Shelf) -> None:
        two.put("z.md", data=(two.books / "lamp.md").read_bytes())
        report = two.ingest()
        assert [(skip.path.name, skip.reason) for skip in report.skipped] == [("z.md", "duplicate")]
        assert (report.generation, two.found("лампа")) == (1, [LAMP])

    def test_folders_are_kept_apart(self, two: Shelf, tmp_path: Path) -> None:
        other = Shelf(tmp_path / "other")
        path = other.put("clock.md", CLOCK)
        assert bare(two.ingest(other.books)) == (["clock.md"], [], [], 0)
        assert two.files() == ["bridge.md", "clock.md", "lamp.md"]
        path.unlink()
        other.put("new.md", LAMP * 2)
        assert bare(two.ingest(other.books)) == (["new.md"], [], ["clock.md"], 0)
        assert two.files() == ["bridge.md", "lamp.md", "new.md"]

    def test_one_file_by_its_name_touches_no_other(self, two: Shelf) -> None:
        two.put("lamp.md", CLOCK)
        two.put("bridge.md", CLOCK)
        assert bare(two.ingest(two.books / "lamp.md")) == ([], ["lamp.md"], [], 0)
        assert two.found("река") == [BRIDGE]


class TestNothingNew:
    def test_nothing_is_opened_staged_or_published(self, two: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError("an ingest without changes needs none of this")

        monkeypatch.setattr(ingest, "LexicalWriter", refuse)
        monkeypatch.setattr(ingest, "LexicalIndex", refuse)
        monkeypatch.setattr(reading, "book_id", refuse)
        before = state_of(two.index)
        report = two.ingest()
        assert bare(report) == ([], [], [], 2)
        assert (report.generation, report.parent, report.books) == (1, 1, 2)
        assert two.pool.asked == []
        assert state_of(two.index) == before

    def test_a_file_that_was_only_touched_is_hashed_but_not_read(self, two: Shelf) -> None:
        two.touch(two.books / "lamp.md")
        report = two.ingest()
        assert (bare(report), report.generation) == (([], [], [], 2), 1)
        assert two.pool.asked == []

    def test_a_file_written_just_now_is_looked_into_again(self, two: Shelf) -> None:
        path = two.put("clock.md", CLOCK + " x")
        os.utime(path)
        recorded = path.stat()
        two.ingest()
        path.write_bytes(path.read_bytes()[:-1] + b"y")  # the same size, and under the same time
        os.utime(path, ns=(recorded.st_atime_ns, recorded.st_mtime_ns))
        assert bare(two.ingest()) == ([], ["clock.md"], [], 2)

    @pytest.mark.parametrize("path", ["nowhere", "empty"])
    def test_a_missing_path_or_an_empty_folder_changes_nothing(self, two: Shelf, path: str, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        before = state_of(two.index)
        with pytest.raises(MissingInput):
            two.ingest(two.books, tmp_path / path)
        assert state_of(two.index) == before

    def test_a_folder_that_was_emptied_does_not_empty_the_library(self, two: Shelf) -> None:
        for path in two.books.iterdir():
            path.unlink()
        with pytest.raises(MissingInput) as caught:
            two.ingest()
        assert caught.value.key == "no_books_there"
        assert two.files() == ["bridge.md", "lamp.md"]


def state_of(folder: Path) -> dict[str, bytes]:
    """Every file under the folder, but for the empty lock files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


class TestBadBooks:
    def test_a_bad_book_among_good_ones_is_named_and_stops_none(self, shelf: Shelf) -> None:
        shelf.put("bad.epub", data=DAMAGED)
        shelf.put("empty.txt", data=b"")
        shelf.put("lamp.md", LAMP)
        shelf.put("picture.pdf", data=b"\x89PNG\r\n\x1a\n" + bytes(50))
        report = shelf.ingest()
        assert bare(report) == (["lamp.md"], [], [], 0)
        assert {failure.path.name: failure.reason for failure in report.failed} == {
            "bad.epub": "archive_broken",
            "empty.txt": "empty_file",
            "picture.pdf": "other_kind",
        }
        for failure in report.failed:
            assert str(failure.path) in messages("en")(f"error.{failure.reason}", **failure.details)

    def test_it_is_named_again_but_not_tried_until_it_changes(self, shelf: Shelf) -> None:
        shelf.put("lamp.md", LAMP)
        shelf.put("bad.epub", data=DAMAGED)
        first = shelf.ingest()
        again = shelf.ingest()
        assert again.failed == first.failed
        assert (shelf.pool.asked, again.generation) == ([], 1)
        shelf.put("bad.epub", data=DAMAGED + b"!")
        shelf.ingest()
        assert names(shelf.pool.asked) == ["bad.epub"]

    def test_it_is_forgotten_when_it_is_mended_or_gone(self, shelf: Shelf) -> None:
        shelf.put("lamp.md", LAMP)
        bad = shelf.put("bad.md", data=b"")
        shelf.put("gone.md", data=b"")
        shelf.ingest()
        shelf.put("bad.md", BRIDGE)
        (shelf.books / "gone.md").unlink()
        assert shelf.ingest().failed == ()
        bad.unlink()
        shelf.put("gone.md", CLOCK)
        assert bare(shelf.ingest()) == (["gone.md"], [], ["bad.md"], 1)

    def test_failures_elsewhere_are_kept_in_mind(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.put("bad.md", data=b"")
        shelf.put("lamp.md", LAMP)
        shelf.ingest()
        other = Shelf(tmp_path / "other")
        other.put("clock.md", CLOCK)
        shelf.ingest(other.books)
        assert [failure.path.name for failure in shelf.ingest().failed] == ["bad.md"]
        assert shelf.pool.asked == []

    def test_a_passing_fault_is_tried_at_every_ingest(self, shelf: Shelf) -> None:
        shelf.pool = Slow()
        shelf.put("lamp.md", LAMP)
        shelf.put("slow.md", BRIDGE)
        for _ in range(2):
            report = shelf.ingest()
            assert [(failure.path.name, failure.retry) for failure in report.failed] == [("slow.md", True)]
            assert "slow.md" in names(shelf.pool.asked)
        shelf.pool = ReadingHere()
        assert bare(shelf.ingest()) == (["slow.md"], [], [], 1)

    def test_a_book_that_became_bad_keeps_its_former_text(self, two: Shelf) -> None:
        two.put("lamp.md", data=b"")
        report = two.ingest()
        assert [failure.path.name for failure in report.failed] == ["lamp.md"]
        assert (report.removed, two.found("лампа")) == ((), [LAMP])
        assert two.ingest().removed == ()

    def test_a_book_too_large_is_named_and_not_read(self, shelf: Shelf) -> None:
        shelf.put("lamp.md", LAMP)
        shelf.put("large.md", LAMP * 100)
        report = shelf.ingest(rules=Rules(max_book_mb=0.005, min_passage_chars=20, keep_generations=5))
        assert [(failure.path.name, failure.reason) for failure in report.failed] == [("large.md", "too_large")]
        assert names(shelf.pool.asked) == ["lamp.md"]
        assert names(shelf.ingest().added) == ["large.md"]  # as soon as the limit allows it

    def test_a_file_that_changes_while_it_is_read_is_left_for_the_next_time(self, shelf: Shelf) -> None:
        shelf.put("lamp.md", LAMP)
        shelf.pool = Meddling(shelf)
        report = shelf.ingest()
        assert [(failure.reason, failure.retry) for failure in report.failed] == [("changed_while_reading", True)]
        assert (report.generation, report.books) == (None, 0)
        shelf.pool = ReadingHere()
        assert names(shelf.ingest().added) == ["lamp.md"]

    @pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="everything may be read here")
    def test_a_file_that_may_not_be_read_is_named(self, shelf: Shelf) -> None:
        shelf.put("lamp.md", LAMP)
        path = shelf.put("closed.md", BRIDGE)
        path.chmod(0)
        (failure,) = shelf.ingest().failed
        assert (failure.path, failure.reason, failure.retry) == (path, "cannot_open", True)
        path.chmod(0o600)
        assert names(shelf.ingest().added) == ["closed.md"]

    def test_a_shelf_of_bad_books_only_publishes_nothing(self, shelf: Shelf) -> None:
        shelf.put("bad.md", data=b"")
        report = shelf.ingest()
        assert (report.generation, report.parent, report.books) == (None, None, 0)
        with pytest.raises(MissingInput):
            shelf.generations.current()

    @pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the file system takes no such names")
    @pytest.mark.parametrize(
        "name", ["😀.txt", "שלום.txt", "new\nline.txt", os.fsdecode(b"\xff\xfe.txt"), "\u202e.txt"]
    )
    def test_a_book_may_have_any_name(self, shelf: Shelf, name: str) -> None:
        shelf.put(name, data=LAMP.encode())
        assert shelf.ingest().added == (shelf.books / name,)
        (hit,) = shelf.open().search("лампа", 5)
        assert hit.book.path == shelf.books / name
        assert shelf.ingest().unchanged == 1


class Slow(ReadingHere):
    """Runs out of time at the book called slow.md."""

    def read(self, paths: Iterable[Path], *_: object) -> Iterator[tuple[Path, BookText | UnreadableBook]]:
        for path, book in super().read(paths):
            late = UnreadableBook("reading_too_long", retry=True, path=str(path), seconds=60)
            yield path, late if path.name == "slow.md" else book


class Meddling(ReadingHere):
    """Somebody writes every book anew while it is being read."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self._shelf = shelf

    def read(self, paths: Iterable[Path], *_: object) -> Iterator[tuple[Path, BookText | UnreadableBook]]:
        for path, book in super().read(paths):
            self._shelf.put(path.name, CLOCK)
            yield path, book


class TestStopping:
    def test_progress_goes_through_all_phases_and_never_back(self, two: Shelf) -> None:
        heard: list[Progress] = []
        two.put("clock.md", CLOCK)
        two.ingest(listener=heard.append)
        assert list(dict.fromkeys(step.phase for step in heard)) == ["scan", "read", "index", "check"]
        for phase in ("scan", "read", "index", "check"):
            steps = [step.done for step in heard if step.phase == phase]
            assert steps == sorted(steps)
        assert all(step.done <= step.total for step in heard)
        assert heard[-1] == Progress("check", 1, 1)

    def test_stopped_at_any_step_it_leaves_everything_as_it_was(self, two: Shelf) -> None:
        two.put("clock.md", CLOCK)
        two.put("lamp.md", LAMP + " И всё.")
        before = state_of(two.index)
        for steps in range(100):
            asked = iter(range(steps))
            try:
                two.ingest(stop_wanted=lambda asked=asked: next(asked, None) is None)  # type: ignore[misc]
            except Stopped:
                assert state_of(two.index) == before
            else:
                break
        assert steps > 5
        assert two.files() == ["bridge.md", "clock.md", "lamp.md"]

    def test_an_error_in_the_midst_leaves_everything_as_it_was(self, two: Shelf) -> None:
        two.put("clock.md", CLOCK)
        before = state_of(two.index)

        def fail(progress: Progress) -> None:
            if progress.phase == "check":
                raise OSError("the terminal is gone")

        with pytest.raises(OSError, match="terminal"):
            two.ingest(listener=fail)
        assert state_of(two.index) == before

    def test_a_second_ingest_at_the_same_time_is_refused_at_once(self, two: Shelf) -> None:
        with two.generations.writing(), pytest.raises(Busy):
            two.ingest()


class TestRemove:
    def remove(self, shelf: Shelf, *titles: str) -> IngestReport:
        return ingest.remove(shelf.generations, shelf.open().choose(titles), RULES)

    def test_books_are_taken_out_and_their_files_stay(self, two: Shelf) -> None:
        report = self.remove(two, "лампа")
        assert bare(report) == ([], [], ["lamp.md"], 0)
        assert (report.generation, report.parent, report.books, report.passages) == (2, 1, 1, 1)
        assert two.found("лампа") == []
        assert (two.books / "lamp.md").exists()

    def test_the_next_ingest_brings_them_back(self, two: Shelf) -> None:
        self.remove(two, "лампа")
        assert names(two.ingest().added) == ["lamp.md"]

    def test_the_last_book_may_go(self, two: Shelf) -> None:
        self.remove(two, "лампа", "мост")
        assert (two.files(), two.found("лампа река")) == ([], [])
        assert len(two.ingest().added) == 2


class TestGenerations:
    def test_back_and_forward_gives_the_same_hits(self, two: Shelf) -> None:
        first = two.open().search("лампа река clock", 10)
        two.put("clock.md", CLOCK)
        two.put("lamp.md", LAMP + " И всё.")
        two.ingest()
        second = two.open().search("лампа река clock", 10)
        assert two.generations.roll_back() == (2, 1)
        assert two.open().search("лампа река clock", 10) == first
        two.generations.roll_back(2)
        assert two.open().search("лампа река clock", 10) == second

    def test_after_a_rollback_an_ingest_starts_from_what_is_active(self, two: Shelf) -> None:
        two.put("clock.md", CLOCK)
        two.ingest()
        two.generations.roll_back()
        report = two.ingest()
        assert (names(report.added), report.generation, report.parent) == (["clock.md"], 3, 1)

    def test_only_so_many_generations_are_kept(self, shelf: Shelf) -> None:
        for number in range(5):
            shelf.put(f"{number}.md", LAMP * (number + 1))
            shelf.ingest(rules=Rules(max_book_mb=1, min_passage_chars=20, keep_generations=2))
        assert [generation.number for generation in shelf.generations.listed()] == [5, 4]

    def test_every_generation_is_sound_to_the_last_byte_also_after_it_was_read(self, two: Shelf) -> None:
        two.put("clock.md", CLOCK)
        two.ingest()
        (two.books / "lamp.md").unlink()
        two.ingest()
        assert two.found("река")
        for generation in two.generations.listed():
            assert two.generations.verify(generation.number).damages == ()


EDITS = st.lists(
    st.dictionaries(
        st.sampled_from(["a.md", "b.md", "sub/a.md", "c.txt"]),
        st.sampled_from(["", "лампа море", "лампа лампа мост", "clock tower", "мост река лампа"]),
        min_size=1,
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25)
@given(EDITS)
def test_any_sequence_of_ingests_ends_where_a_clean_one_begins(edits: list[dict[str, str]]) -> None:
    """Each edit is the whole shelf: file names with their words; an empty file is a bad book."""
    with TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder))
        for edit in edits:
            for path in list(shelf.books.rglob("*.*")):
                if path.relative_to(shelf.books).as_posix() not in edit:
                    path.unlink()
            for name, words in edit.items():
                data = f"# {words}\n\nЗдесь сказано: {words}. И ничего больше.".encode() if words else b""
                if not (shelf.books / name).exists() or (shelf.books / name).read_bytes() != data:
                    shelf.put(name, data=data)
            shelf.ingest()
        good = {words for words in edits[-1].values() if words}
        kept = contents(shelf)
        assert good <= {
            text.removeprefix("Здесь сказано: ").removesuffix(". И ничего больше.") for text in kept.values()
        }
        clean = Shelf(Path(folder), "clean")
        clean.ingest()
        # A bad book keeps its former text, and of two copies the first one seen is kept: no clean index can know.
        if len(good) == len(edits[-1]):
            assert contents(clean) == kept
            for query in ("лампа", "мост река", "clock", "здесь сказано"):
                assert hits(shelf, query) == hits(clean, query)


def contents(shelf: Shelf) -> dict[str, str]:
    """The passages of the index with their ids; none if there is no index."""
    try:
        index = shelf.open()
    except MissingInput:
        return {}
    return {f"{hit.book.title} {hit.passage.id}": hit.passage.text for hit in index.search("здесь сказано", 100)}


def hits(shelf: Shelf, query: str) -> list[tuple[str, str, float]]:
    return [(hit.passage.id, hit.book.title, hit.score) for hit in shelf.open().search(query, 100)]
