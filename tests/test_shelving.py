"""What somebody sends becomes a book on the shelf under a harmless name, or leaves nothing there."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ai_library_bot import reading, shelving
from ai_library_bot.errors import BadRequest, Busy, CannotWrite
from ai_library_bot.index import disk
from ai_library_bot.ingest import Rules
from ai_library_bot.readers import SUFFIXES, suffix_of
from ai_library_bot.reading import Stopped
from ai_library_bot.scan import OTHER_KINDS, scan
from ai_library_bot.shelving import shelf_name
from ai_library_bot.types import IngestReport
from tests.shelves import RULES, Shelf
from tests.texts import ANY_TEXT

LAMP = "Лампа на маяке горела всю ночь, и смотритель не спал."
CLOCK = "The clock in the tower ran slow, because the summer was hot."

DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{name}{number}" for name in ("COM", "LPT") for number in "123456789¹²³")}
"""What Windows takes for a device, whatever the suffix."""

A_BOOKS_NAME = st.builds("{}.{}".format, ANY_TEXT | st.sampled_from(sorted(DEVICES)), st.sampled_from(sorted(SUFFIXES)))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.put("lamp.md", LAMP)
    shelf.ingest()
    return shelf


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A book that lies somewhere for the time being."""
    path = tmp_path / "download"
    path.write_text(CLOCK)
    return path


@pytest.fixture
def add(shelf: Shelf, sent: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., IngestReport]:
    """Adds the file that was sent to the shelf."""
    monkeypatch.setattr(reading, "ReaderPool", shelf.pool)

    def add(name: str, *, rules: Rules = RULES, stop_wanted: Callable[[], bool] = lambda: False) -> IngestReport:
        return shelving.add(sent, name, shelf.generations, [shelf.books], rules, lambda _: None, stop_wanted)

    return add


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestBooks:
    def test_a_book_that_was_sent_stands_on_the_shelf_and_can_be_asked(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport]
    ) -> None:
        report = add("Башня.txt")
        assert report.added == (shelf.books / "Башня.txt",)
        assert (report.books, report.removed, report.failed, report.skipped) == (2, (), (), ())
        assert shelf.found("clock") == [CLOCK]
        assert not sent.exists()
        assert shelf.ingest().unchanged == 2

    def test_a_shelf_that_is_not_there_yet_is_made(self, tmp_path: Path, add: Callable[..., IngestReport]) -> None:
        (tmp_path / "books/lamp.md").unlink()
        (tmp_path / "books").rmdir()
        add("clock.txt")
        assert names_in(tmp_path / "books") == ["clock.txt"]

    def test_what_has_the_name_already_stays_as_it_is(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport]
    ) -> None:
        lamp = (shelf.books / "lamp.md").read_bytes()
        add("lamp.md")
        sent.write_text(CLOCK * 2)
        report = add("lamp.md")
        assert names_in(shelf.books) == ["lamp (2).md", "lamp (3).md", "lamp.md"]
        assert (shelf.books / "lamp.md").read_bytes() == lamp
        assert (report.added, report.books) == ((shelf.books / "lamp (3).md",), 3)

    def test_a_number_stands_before_the_whole_suffix(self, shelf: Shelf, add: Callable[..., IngestReport]) -> None:
        shelf.put("tale.fb2.zip", data=b"PK")
        report = add("tale.fb2.zip")
        assert [failure.path.name for failure in report.failed] == ["tale (2).fb2.zip"]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
    def test_everybody_may_read_it_who_may_read_other_files(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport]
    ) -> None:
        sent.chmod(0o600)
        add("clock.txt")
        assert (shelf.books / "clock.txt").stat().st_mode == (shelf.books / "lamp.md").stat().st_mode


class TestWhatDoesNotStay:
    def test_a_book_that_is_there_already_is_named_and_not_kept_twice(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport]
    ) -> None:
        sent.write_bytes((shelf.books / "lamp.md").read_bytes())
        report = add("свет.md")
        assert [(skip.reason, skip.details["of"]) for skip in report.skipped] == [
            ("duplicate", str(shelf.books / "lamp.md"))
        ]
        assert (report.generation, names_in(shelf.books)) == (1, ["lamp.md"])
        assert not sent.exists()

    @pytest.mark.parametrize(
        ("content", "reason"),
        [(b"", "empty_file"), (b"PK\x03\x04 no zip", "archive_broken"), (b"\x7fELF\x02", "other_kind")],
    )
    def test_a_file_that_is_no_book_is_named_with_the_reason(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport], content: bytes, reason: str
    ) -> None:
        sent.write_bytes(content)
        report = add("tale.epub")
        assert [(failure.path.name, failure.reason) for failure in report.failed] == [("tale.epub", reason)]
        assert names_in(shelf.books) == ["lamp.md"]
        assert not sent.exists()

    def test_a_file_that_is_too_large_is_named_with_the_limit(
        self, shelf: Shelf, add: Callable[..., IngestReport]
    ) -> None:
        report = add("clock.txt", rules=Rules(max_book_mb=1e-6, min_passage_chars=20, keep_generations=5))
        assert [failure.reason for failure in report.failed] == ["too_large"]
        assert names_in(shelf.books) == ["lamp.md"]

    def test_what_was_refused_is_looked_at_anew_when_a_sound_file_of_that_name_comes(
        self, sent: Path, add: Callable[..., IngestReport]
    ) -> None:
        add("clock.epub")
        sent.write_text(CLOCK)
        assert [path.name for path in add("clock.txt").added] == ["clock.txt"]


class TestErrors:
    """After an error the shelf and the file are as they were."""

    @pytest.mark.parametrize(
        ("name", "key"),
        [
            ("virus.exe", "not_a_book_kind"),
            ("", "not_a_book_kind"),
            ("book", "not_a_book_kind"),
            (".epub", "not_a_book_kind"),
            ("book.epub/", "not_a_book_kind"),
            ("роман.MOBI", "other_kind_of_book"),
        ],
    )
    def test_a_kind_of_file_that_is_not_read_never_reaches_the_shelf(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport], name: str, key: str
    ) -> None:
        with pytest.raises(BadRequest) as caught:
            add(name)
        assert caught.value.key == key
        assert (names_in(shelf.books), sent.exists()) == (["lamp.md"], True)

    def test_while_another_ingest_runs_nothing_is_added(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport]
    ) -> None:
        with shelf.generations.writing(), pytest.raises(Busy):
            add("clock.txt")
        assert (names_in(shelf.books), sent.read_text()) == (["lamp.md"], CLOCK)
        assert add("clock.txt").books == 2

    def test_who_stops_it_finds_no_half_file(self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport]) -> None:
        with pytest.raises(Stopped):
            add("clock.txt", stop_wanted=lambda: True)
        assert (names_in(shelf.books), sent.read_text()) == (["lamp.md"], CLOCK)

    def test_a_full_disk_leaves_no_half_file(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def copy_half(source: Path, target: Path) -> None:
            target.write_bytes(source.read_bytes()[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(disk, "copy", copy_half)
        with pytest.raises(CannotWrite) as caught:
            add("clock.txt")
        assert str(shelf.books) in str(caught.value)
        assert (names_in(shelf.books), sent.read_text()) == (["lamp.md"], CLOCK)

    def test_whenever_it_is_killed_there_are_only_whole_books(
        self, shelf: Shelf, add: Callable[..., IngestReport], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shelf.put("clock.txt", "Another one.")

        def books() -> dict[str, str]:
            return {path.name: path.read_text() for path in shelf.books.glob("[!.]*")}

        before, seen, steps = books(), [], list[str]()

        def watched(name: str, change: Callable[..., object]) -> Callable[..., object]:
            def watching(*paths: Path) -> object:
                seen.append(books())
                if {shelf.books, *shelf.books.iterdir()} & set(paths):
                    steps.append(name)
                return change(*paths)

            return watching

        for name in ("copy", "sync_file", "link", "rename", "sync_folder"):
            monkeypatch.setattr(disk, name, watched(name, getattr(disk, name)))
        add("clock.txt")
        assert all(one in (before, before | {"clock (2).txt": CLOCK}) for one in seen)
        assert (seen[0], books()) == (before, before | {"clock (2).txt": CLOCK})
        assert steps == ["sync_file", "link", "link", "sync_folder"], "nor does a power cut leave half of one"

    def test_without_hard_links_a_free_name_is_found_as_well(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(source: Path, target: Path) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        shelf.put("clock.txt", "Another one.")
        monkeypatch.setattr(disk, "link", lambda source, target: False)
        with monkeypatch.context() as patch:
            patch.setattr(disk, "rename", full)
            with pytest.raises(CannotWrite):
                add("clock.txt")
        assert (names_in(shelf.books), sent.read_text()) == (["clock.txt", "lamp.md"], CLOCK)
        add("clock.txt")
        assert (shelf.books / "clock (2).txt").read_text() == CLOCK

    def test_two_that_are_added_at_once_under_one_name_do_not_mix(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy, others = disk.copy, "Written by another process at the same time."

        def meanwhile(source: Path, target: Path) -> None:
            copy(source, target)
            monkeypatch.setattr(disk, "copy", copy)
            other = sent.with_name("another")
            other.write_text(others)
            shelving._put(shelf.books, "clock.txt", other)

        monkeypatch.setattr(disk, "copy", meanwhile)
        add("clock.txt")
        assert [(shelf.books / name).read_text() for name in ("clock.txt", "clock (2).txt")] == [others, CLOCK]
        assert [path.name for path in shelf.books.glob(".*")] == []

    def test_a_folder_that_cannot_be_synced_keeps_no_book(
        self, shelf: Shelf, sent: Path, add: Callable[..., IngestReport], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def faulty(folder: Path) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(disk, "sync_folder", faulty)
        with pytest.raises(CannotWrite):
            add("clock.txt")
        assert (names_in(shelf.books), sent.read_text()) == (["lamp.md"], CLOCK)

    def test_a_shelf_that_cannot_be_made_is_named(self, tmp_path: Path, add: Callable[..., IngestReport]) -> None:
        (tmp_path / "books/lamp.md").unlink()
        (tmp_path / "books").rmdir()
        (tmp_path / "books").write_text("no folder")
        with pytest.raises(CannotWrite) as caught:
            add("clock.txt")
        assert str(tmp_path / "books") in str(caught.value)


class TestNames:
    @given(A_BOOKS_NAME)
    @example("../../etc/passwd.txt")
    @example(r"C:\Windows\system32\con.txt")
    @example("~$~$. ~$.hidden.docx")
    @example("\u202etxt.exe.epub")
    @example("con .fb2.zip")
    @example("Я" * 1000 + ".fb2.zip")
    @example("a. . .epub")
    def test_a_strangers_name_becomes_one_that_harms_nobody(self, name: str) -> None:
        try:
            safe = shelf_name(name)
        except BadRequest:  # all of it was taken away but the suffix
            return
        assert suffix_of(Path(safe)) in SUFFIXES
        assert Path(safe).name == PureWindowsPath(safe).name == safe
        assert safe.split(".")[0].strip().upper() not in DEVICES
        assert not safe.startswith((".", "~$"))
        assert not set(safe) & {*'<>:"/\\|?*', *map(chr, range(32)), "\x7f", "\u202e", "\u2028"}
        assert len(safe.encode()) < 200
        assert safe == " ".join(safe.split())
        assert not safe.rpartition(".")[0].endswith((" ", "."))

    @given(A_BOOKS_NAME)
    def test_a_safe_name_is_left_as_it_is(self, name: str) -> None:
        try:
            safe = shelf_name(name)
        except BadRequest:
            return
        assert shelf_name(safe) == safe

    @given(ANY_TEXT.filter(lambda name: suffix_of(Path(name.strip())) not in SUFFIXES | OTHER_KINDS))
    def test_a_name_of_no_book_is_refused_or_holds_one(self, name: str) -> None:
        try:
            assert suffix_of(Path(shelf_name(name))) in SUFFIXES
        except BadRequest as error:
            str(error).encode()

    @pytest.mark.parametrize(
        ("name", "safe"),
        [
            ("Маяк и море.fb2", "Маяк и море.fb2"),
            ("The Keeper's Ledger (1911).EPUB", "The Keeper's Ledger (1911).epub"),
            ("Кто виноват?.fb2.zip", "Кто виноват_.fb2.zip"),
            ("downloads/books/clock.pdf", "clock.pdf"),
            ("$100.txt", "$100.txt"),
            ("NUL.txt", "_NUL.txt"),
            ("com1.fb2.zip", "_com1.fb2.zip"),
            ("Console.txt", "Console.txt"),
            (" Геро\u0438\u0306\nнашего\tвремени .md", "Герой нашего времени.md"),
        ],
    )
    def test_a_good_name_stays_what_it_says(self, name: str, safe: str) -> None:
        assert shelf_name(name) == safe

    @given(A_BOOKS_NAME)
    def test_a_scan_finds_what_has_such_a_name(self, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
        folder = tmp_path_factory.mktemp("shelf")
        try:
            path = folder / shelf_name(name)
        except BadRequest:
            return
        path.touch()
        assert [found.path for found in scan([folder]).found] == [path]
