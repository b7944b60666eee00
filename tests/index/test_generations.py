"""A published generation is whole, never changes and is never lost, whatever happens while the next one is made."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ai_library_bot.errors import BadData, BadRequest, Busy, CannotWrite, MissingInput
from ai_library_bot.index import disk, manifest
from ai_library_bot.index.generations import Generations
from ai_library_bot.index.manifest import Published
from ai_library_bot.types import Damage
from tests.index.power import Disk

Content = dict[str, bytes]

FIRST: Content = {"books.jsonl": b"one\n", "lexical/meta.json": b"{}", "lexical/a.term": b"terms of one"}
SECOND: Content = FIRST | {"books.jsonl": b"one\ntwo\n", "lexical/b.term": b"terms of two", "vectors/1.faiss": b"\0\1"}


def write(stage: Path, content: Content) -> None:
    """Makes the staged files those of `content`; what is there already stays as it is (and linked)."""
    for name in manifest.file_names(stage):
        if content.get(name) != (stage / name).read_bytes():
            (stage / name).unlink()
    for name, data in content.items():
        path = stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(data)


def publish(folder: Path, content: Content, keep: int = 5) -> Published:
    with Generations(folder).writing() as writing:
        write(writing.stage(), content)
        return writing.publish(books=len(content), passages=7, embedder="model/3", keep=keep)


def content_of(published: Published) -> Content:
    return {name: (published.folder / name).read_bytes() for name in published.files}


def numbers(folder: Path) -> list[int]:
    return [generation.number for generation in Generations(folder).listed()]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for no disk: the power is only cut in `power.py`, which keeps its own account of what was synced."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def two(folder: Path) -> Path:
    """An index with the generations 1 and 2, the second one active."""
    publish(folder, FIRST)
    publish(folder, SECOND)
    return folder


class TestReading:
    def test_a_folder_without_an_index_is_missing_input_and_stays_untouched(self, folder: Path) -> None:
        with pytest.raises(MissingInput) as caught:
            Generations(folder).current()
        assert caught.value.key == "no_index"
        assert not folder.exists()

    def test_a_file_in_the_place_of_the_folder_is_no_index(self, tmp_path: Path) -> None:
        (tmp_path / "index").touch()
        with pytest.raises(MissingInput):
            Generations(tmp_path / "index").current()

    def test_what_was_published_is_what_is_opened(self, folder: Path) -> None:
        published = publish(folder, FIRST)
        assert Generations(folder).current() == published
        assert content_of(published) == FIRST
        assert (published.number, published.parent, published.books, published.passages) == (1, None, 3, 7)
        assert published.embedder == "model/3"
        assert published.size == sum(map(len, FIRST.values()))

    def test_the_manifest_is_plain_json_with_the_format_and_the_program_that_made_it(self, two: Path) -> None:
        fields = json.loads((two / "generations/000002" / manifest.NAME).read_bytes())
        assert fields["format"] == manifest.FORMAT
        assert fields["program"]
        assert fields["parent"] == 1

    def test_listed_goes_from_new_to_old_and_marks_the_one_that_readers_open(self, two: Path) -> None:
        Generations(two).roll_back()
        listed = Generations(two).listed()
        assert [(generation.number, generation.parent, generation.active) for generation in listed] == [
            (2, 1, False),
            (1, None, True),
        ]

    def test_a_damaged_generation_is_named_and_the_newest_sound_one_is_served(self, two: Path) -> None:
        (two / "generations/000002/vectors/1.faiss").unlink()
        current = Generations(two).current()
        assert (current.number, current.damaged) == (1, (2,))
        assert numbers(two) == [1]

    @pytest.mark.parametrize("name", [*SECOND, manifest.NAME])
    def test_a_truncated_file_is_noticed_at_once(self, two: Path, name: str) -> None:
        path = two / "generations/000002" / name
        shorter = path.read_bytes()[:-1]
        path.unlink()  # or the first generation, which shares the file, would be damaged as well
        path.write_bytes(shorter)
        assert Generations(two).current().damaged == (2,)

    @pytest.mark.parametrize("name", [*SECOND, manifest.NAME])
    def test_verify_finds_a_flipped_bit_anywhere(self, two: Path, name: str) -> None:
        path = two / "generations/000002" / name
        size = path.stat().st_size
        for at in {*range(0, size, 1 + size // 60), size - 1}:
            flip(path, at)
            damages = Generations(two).verify(2).damages
            assert damages == (Damage(name, "manifest" if name == manifest.NAME else "content"),)
            flip(path, at)
        assert Generations(two).verify(2).damages == ()

    def test_verify_names_what_is_missing_cut_and_added(self, two: Path) -> None:
        inside = two / "generations/000002"
        (inside / "books.jsonl").unlink()
        (inside / "lexical/b.term").write_bytes(b"terms")
        (inside / "lexical/c.term").write_bytes(b"new")
        assert Generations(two).verify(2).damages == (
            Damage("books.jsonl", "missing"),
            Damage("lexical/b.term", "size"),
            Damage("lexical/c.term", "unlisted"),
        )

    def test_verify_of_a_sound_generation_counts_files_and_bytes(self, two: Path) -> None:
        verification = Generations(two).verify(2)
        assert (verification.files, verification.size) == (len(SECOND), sum(map(len, SECOND.values())))

    def test_nothing_sound_is_bad_data(self, folder: Path) -> None:
        (publish(folder, FIRST).folder / manifest.NAME).unlink()
        with pytest.raises(BadData) as caught:
            Generations(folder).current()
        assert (caught.value.key, caught.value.details["generations"]) == ("index_damaged", "1")

    @pytest.mark.parametrize("current", ["", "two", "٣", "9" * 5000, "000009\n", "\x00"])
    def test_a_damaged_pointer_leads_to_the_newest_sound_generation(self, two: Path, current: str) -> None:
        (two / "CURRENT").write_text(current, "utf-8")
        assert Generations(two).current().number == 2

    def test_an_index_made_by_a_newer_program_is_refused_and_left_alone(
        self, two: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(manifest, "FORMAT", manifest.FORMAT - 1)
        with pytest.raises(BadData) as caught:
            Generations(two).current()
        assert caught.value.key == "index_too_new"
        with pytest.raises(BadData), Generations(two).writing():
            pytest.fail("nobody may write into it")

    def test_a_reader_whose_generation_was_pruned_under_its_hands_looks_again(
        self, two: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = manifest.read

        def late_read(inside: Path) -> Published | None:
            monkeypatch.setattr(manifest, "read", read)
            publish(two, FIRST)
            publish(two, FIRST, keep=1)
            return read(inside)

        monkeypatch.setattr(manifest, "read", late_read)
        current = Generations(two).current()
        assert numbers(two) == [4, 3]
        assert (current.number, current.damaged) == (4, ())

    def test_a_folder_that_may_not_be_read_says_so(self, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: Path) -> bytes:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(MissingInput) as caught:
            Generations(two).current()
        assert caught.value.key == "index_not_readable"

    def test_reading_writes_nothing(self, two: Path) -> None:
        def state() -> dict[Path, tuple[int, int]]:
            return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in two.rglob("*")}

        before = state()
        generations = Generations(two)
        generations.current(), generations.listed(), generations.verify(1)
        assert state() == before


class TestWriting:
    def test_files_that_did_not_change_are_shared_with_the_parent(self, two: Path) -> None:
        def inode(number: int, name: str) -> int:
            return (two / f"generations/{number:06d}" / name).stat().st_ino

        assert inode(1, "lexical/a.term") == inode(2, "lexical/a.term")
        assert inode(1, "books.jsonl") != inode(2, "books.jsonl")

    def test_private_files_are_copies_that_may_be_written_into(self, two: Path) -> None:
        with Generations(two).writing() as writing:
            with (writing.stage(private=["books.jsonl"]) / "books.jsonl").open("ab") as file:
                file.write(b"three\n")
            published = writing.publish(books=3, passages=0, embedder=None, keep=5)
        assert content_of(published)["books.jsonl"] == b"one\ntwo\nthree\n"
        assert Generations(two).verify(2).damages == ()

    def test_without_hard_links_files_are_copied(self, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(disk, "link", lambda source, target: False)
        third = publish(two, SECOND)
        assert content_of(third) == SECOND
        assert not (third.folder / "lexical/a.term").samefile(two / "generations/000001/lexical/a.term")

    def test_leaving_without_publishing_changes_nothing(self, two: Path) -> None:
        with Generations(two).writing() as writing:
            write(writing.stage(), FIRST)
        assert content_of(Generations(two).current()) == SECOND
        assert names_in(two / "generations") == {"000001", "000002"}

    def test_an_interruption_changes_nothing(self, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*paths: Path) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(disk, "digest", interrupted)
            with pytest.raises(KeyboardInterrupt):
                publish(two, FIRST)
        assert content_of(Generations(two).current()) == SECOND
        assert names_in(two / "generations") == {"000001", "000002"}

    def test_without_a_stage_nothing_is_created(self, two: Path) -> None:
        with Generations(two).writing() as writing:
            assert writing.parent == Generations(two).current()
            assert names_in(two / "generations") == {"000001", "000002"}

    def test_only_the_newest_are_kept_and_numbers_are_never_used_again(self, folder: Path) -> None:
        for _ in range(5):
            publish(folder, FIRST, keep=2)
        assert numbers(folder) == [5, 4]

    def test_the_generation_one_comes_from_is_kept_however_old(self, folder: Path) -> None:
        for _ in range(4):
            publish(folder, FIRST)
        Generations(folder).roll_back(1)
        published = publish(folder, SECOND, keep=1)
        assert (published.number, published.parent) == (5, 1)
        assert numbers(folder) == [5, 1]

    @pytest.mark.parametrize("name", FIRST)
    @pytest.mark.parametrize("links", [True, False])
    def test_damage_is_never_carried_on(
        self, two: Path, name: str, links: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not links:
            monkeypatch.setattr(disk, "link", lambda source, target: False)
        damaged = two / "generations/000002" / name
        flip(damaged, 0)
        with Generations(two).writing() as writing, pytest.raises(BadData) as caught:
            writing.publish(books=0, passages=0, embedder=None, keep=5)
        assert (caught.value.key, caught.value.details["file"]) == ("file_damaged", str(damaged))
        assert numbers(two) == [2, 1]

    def test_files_that_are_shared_and_untouched_are_not_read_again(self, two: Path) -> None:
        for path in (two / "generations/000002").rglob("*.term"):
            os.utime(path, ns=(0, 0))  # long before the manifest
        recorded = Disk(two)
        with recorded.running():
            third = publish(two, SECOND | {"books.jsonl": b"three"})
        recorded.close()
        read = {paths[0].name for step, paths in recorded.steps if step == "digest"}
        assert "a.term" not in read
        assert "books.jsonl" in read
        assert Generations(two).verify(third.number).damages == ()

    def test_damage_that_leaves_no_trace_is_still_found_by_verify(self, two: Path) -> None:
        damaged = two / "generations/000002/lexical/b.term"
        flip(damaged, 0)
        os.utime(damaged, ns=(0, 0))  # as when the disk itself forgets a bit
        third = publish(two, SECOND | {"books.jsonl": b"three", "lexical/b.term": damaged.read_bytes()})
        for number in (2, third.number):
            assert Generations(two).verify(number).damages == (Damage("lexical/b.term", "content"),)

    def test_an_index_with_nothing_sound_in_it_is_built_anew(self, two: Path) -> None:
        for number in (1, 2):
            (two / f"generations/{number:06d}" / manifest.NAME).write_bytes(b"{}")
        with Generations(two).writing() as writing:
            assert writing.parent is None
            write(writing.stage(), FIRST)
            published = writing.publish(books=1, passages=1, embedder=None, keep=5)
        assert (published.number, published.parent) == (3, None)
        assert Generations(two).current() == published

    def test_a_second_writer_is_turned_away_at_once(self, two: Path) -> None:
        with Generations(two).writing():
            for attempt in (Generations(two).roll_back, lambda: Generations(two).writing().__enter__()):
                with pytest.raises(Busy) as caught:
                    attempt()
                assert caught.value.key == "locked_by"
                assert caught.value.details["process"] == os.getpid()
            assert Generations(two).current().number == 2
        assert publish(two, FIRST).number == 3

    def test_another_process_holds_the_lock_until_it_dies(self, two: Path) -> None:
        program = (
            "import sys; from pathlib import Path; from ai_library_bot.index.generations import Generations\n"
            "with Generations(Path(sys.argv[1])).writing() as writing: print(writing.stage(), flush=True); input()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, str(two)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout is not None
            stage = Path(other.stdout.readline().decode().rstrip("\n"))
            with pytest.raises(Busy, match=f"process {other.pid} on .+, since 20"), Generations(two).writing():
                pytest.fail("two writers at once")
            other.kill()
            other.wait()
        assert stage.is_dir()
        assert publish(two, FIRST).number > 2
        assert names_in(two / "generations") == {"000001", "000002", "000003"}


class TestRollingBack:
    def test_it_goes_to_the_parent_and_forward_again(self, two: Path) -> None:
        assert Generations(two).roll_back() == (2, 1)
        assert content_of(Generations(two).current()) == FIRST
        assert Generations(two).roll_back(2) == (1, 2)
        assert content_of(Generations(two).current()) == SECOND

    def test_the_parent_comes_before_a_newer_sibling(self, two: Path) -> None:
        Generations(two).roll_back(1)
        publish(two, SECOND)
        assert Generations(two).roll_back() == (3, 1)

    def test_a_damaged_parent_is_passed_over(self, two: Path) -> None:
        publish(two, FIRST)
        flip(two / "generations/000002/vectors/1.faiss", 0)
        assert Generations(two).roll_back() == (3, 1)

    def test_a_damaged_generation_is_refused_by_name(self, two: Path) -> None:
        publish(two, FIRST)
        flip(two / "generations/000002/vectors/1.faiss", 0)
        with pytest.raises(BadData) as caught:
            Generations(two).roll_back(2)
        assert caught.value.details["number"] == 2
        assert Generations(two).current().number == 3

    def test_an_unknown_generation_is_refused_with_those_that_are_kept(self, two: Path) -> None:
        with pytest.raises(BadRequest) as caught:
            Generations(two).roll_back(8)
        assert (caught.value.key, caught.value.details["kept"]) == ("unknown_generation", "2, 1")

    def test_there_is_nothing_before_the_first(self, folder: Path) -> None:
        publish(folder, FIRST)
        with pytest.raises(BadRequest) as caught:
            Generations(folder).roll_back()
        assert caught.value.key == "no_older_generation"

    def test_from_a_damaged_generation_it_leads_to_a_sound_one(self, two: Path) -> None:
        (two / "generations/000002" / manifest.NAME).unlink()
        assert Generations(two).roll_back() == (2, 1)
        assert Generations(two).current().damaged == ()

    def test_without_an_index_there_is_nothing_to_roll_back(self, folder: Path) -> None:
        with pytest.raises(MissingInput):
            Generations(folder).roll_back()
        assert not folder.exists()


class TestDamageThatWasFound:
    @pytest.fixture
    def damaged(self, two: Path) -> Path:
        """The index after `verify` has found a flipped bit in generation 2."""
        path = two / "generations/000002/books.jsonl"
        flip(path, 3)
        assert Generations(two).current().number == 2
        assert Generations(two).verify(2).damages == (Damage("books.jsonl", "content"),)
        return two

    def test_nobody_is_given_it_any_more(self, damaged: Path) -> None:
        assert (Generations(damaged).current().number, Generations(damaged).current().damaged) == (1, (2,))
        assert numbers(damaged) == [1]

    def test_the_next_generation_begins_with_a_sound_one(self, damaged: Path) -> None:
        published = publish(damaged, SECOND)
        assert (published.number, published.parent) == (3, 1)
        assert Generations(damaged).current() == published

    def test_when_its_bytes_are_right_again_it_is_given_again(self, damaged: Path) -> None:
        flip(damaged / "generations/000002/books.jsonl", 3)
        assert Generations(damaged).roll_back(2) == (2, 2)
        assert (Generations(damaged).current().number, Generations(damaged).current().damaged) == (2, ())

    def test_where_nothing_can_be_written_the_one_who_looked_remembers(
        self, two: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(path: Path) -> None:
            raise OSError(errno.EROFS, "read-only")

        monkeypatch.setattr(Path, "touch", refuse)
        generations = Generations(two)
        flip(two / "generations/000002/books.jsonl", 3)
        generations.verify(2)
        assert (generations.current().number, generations.current().damaged) == (1, (2,))

    def test_the_mark_goes_with_its_generation(self, damaged: Path) -> None:
        for _ in range(3):
            publish(damaged, SECOND, keep=1)
        assert names_in(damaged / "generations") == {"000004", "000005"}

    def test_what_a_writer_removes_meanwhile_is_not_called_damaged(
        self, two: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def removing(published: Published) -> Iterator[Damage]:
            disk.discard(published.folder)
            yield Damage("books.jsonl", "missing")

        generations = Generations(two)
        with monkeypatch.context() as patch:
            patch.setattr(manifest, "damages", removing)
            with pytest.raises(BadRequest):
                generations.verify(2)
        assert names_in(two / "generations") == {"000001"}
        assert generations.current().number == 1

    def test_only_damage_is_taken_for_damage(self, two: Path) -> None:
        generations = Generations(two)
        assert not generations.found_damaged(BadData("file_damaged", file="x"))
        assert not generations.found_damaged(BadData("index_too_new"))
        flip(two / "generations/000002/books.jsonl", 3)
        assert generations.found_damaged(BadData("file_damaged", file="x"))
        assert generations.current().number == 1


class TestFailingDisk:
    @pytest.mark.parametrize(
        ("code", "key"),
        [
            (errno.ENOSPC, "disk_full"),
            (errno.EACCES, "folder_not_writable"),
            (errno.EROFS, "folder_not_writable"),
            (errno.EIO, "write_failed"),
        ],
    )
    @pytest.mark.parametrize("step", ["sync_file", "sync_folder", "rename", "copy", "digest"])
    def test_what_the_system_refuses_is_said_in_words_and_costs_nothing(
        self, two: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int, key: str
    ) -> None:
        def fail(*paths: Path) -> None:
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(disk, "link", lambda source, target: False)
            patch.setattr(disk, step, fail)
            with pytest.raises(CannotWrite) as caught:
                publish(two, FIRST)
        assert (caught.value.key, caught.value.details["folder"]) == (key, str(two))
        assert content_of(Generations(two).current()) == SECOND
        assert names_in(two / "generations") == {"000001", "000002"}

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(CannotWrite), Generations(tmp_path / "file" / "index").writing():
            pytest.fail("there is no folder to write into")

    def test_a_generation_that_cannot_be_removed_is_left_for_the_next_time(
        self, two: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rename = disk.rename

        def in_use(source: Path, target: Path) -> None:
            if source.name == "000001":
                raise PermissionError(errno.EACCES, "in use")
            rename(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(disk, "rename", in_use)
            publish(two, SECOND, keep=1)
        assert numbers(two) == [3, 2, 1]
        publish(two, SECOND, keep=1)
        assert numbers(two) == [4, 3]


class TestPowerCuts:
    def test_everything_is_on_the_disk_before_it_is_named(self, tmp_path: Path) -> None:
        folder = tmp_path / "index"
        publish(folder, FIRST)
        recorded = Disk(tmp_path)
        with recorded.running():
            publish(folder, SECOND)
        recorded.close()
        stage, published = folder / "generations/000002.tmp", folder / "generations/000002"
        files = [("sync_file", (stage / name,)) for name in sorted(SECOND)]
        ordered = [
            *files,
            ("sync_file", (stage / "manifest.json.tmp",)),
            ("rename", (stage / "manifest.json.tmp", stage / "manifest.json")),
            ("sync_folder", (stage,)),
            ("rename", (stage, published)),
            ("sync_folder", (published.parent,)),
            ("sync_file", (folder / "CURRENT.tmp",)),
            ("rename", (folder / "CURRENT.tmp", folder / "CURRENT")),
            ("sync_folder", (folder,)),
        ]
        assert [step for step in recorded.steps if step in ordered] == ordered
        for inside in ("lexical", "vectors"):
            assert recorded.steps.index(("sync_folder", (stage / inside,))) < recorded.steps.index(ordered[-5])

    @pytest.mark.parametrize("before", [{}, FIRST], ids=["the first generation", "a later one"])
    def test_at_any_step_the_old_or_the_new_generation_is_left_whole(self, tmp_path: Path, before: Content) -> None:
        cut, published, seen = 0, False, set()
        while not published:
            root = tmp_path / f"{cut}"
            folder = root / "index"
            root.mkdir()
            if before:
                publish(folder, before, keep=1)
            machine = Disk(root, cut)
            with machine.running():
                published = publish(folder, SECOND, keep=1).number > 0
            for start, lucky in enumerate(_lucks(machine.folders)):
                machine.after_power_cut(tmp_path / f"{cut}-{start}", lucky)
                seen.add(self._restarted(tmp_path / f"{cut}-{start}" / "index", before, published))
            machine.close()
            seen.add(self._restarted(folder, before, published))  # kill -9: nothing is lost but the process
            cut += 1
        assert seen == {"old", "new"}
        assert cut > len(SECOND) + 8

    def _restarted(self, folder: Path, before: Content, published: bool) -> str:
        """Checks what a reader finds and that a writer can go on from there; returns which generation it was."""
        try:
            current = Generations(folder).current()
        except MissingInput:
            found: Content = {}
        else:
            assert current.damaged == ()
            assert Generations(folder).verify(current.number).damages == ()
            found = content_of(current)
        assert found == SECOND or (found == before and not published)
        following = publish(folder, SECOND | {"books.jsonl": b"three"}, keep=1)
        assert Generations(folder).current() == following
        assert not list(folder.rglob("*.tmp"))
        return "new" if found == SECOND else "old"

    def test_a_rollback_is_done_or_not_done(self, two: Path, tmp_path: Path) -> None:
        active = {}
        for cut in range(4):
            machine = Disk(tmp_path, cut)
            with machine.running():
                Generations(two).roll_back(1)
            active[cut] = Generations(two).current().number
            machine.close()
        assert sorted(active.values(), reverse=True) == list(active.values())

    def test_readers_find_a_whole_generation_at_every_moment_of_a_publish(self, tmp_path: Path) -> None:
        folder = tmp_path / "index"
        publish(folder, FIRST)
        found: list[Content] = []

        def look() -> None:
            current = Generations(folder).current()
            assert current.damaged == ()
            found.append(content_of(current))

        machine = Disk(tmp_path, watch=look)
        with machine.running():
            publish(folder, SECOND, keep=1)
        machine.close()
        switch = found.index(SECOND)
        assert found == [FIRST] * switch + [SECOND] * (len(found) - switch)


def _lucks(folders: list[int]) -> Iterator[set[int]]:
    """Which folders keep their newest names: none, all, each one alone."""
    yield set()
    yield set(folders)
    for folder in folders:
        yield {folder}


CONTENTS = strategies.dictionaries(
    strategies.sampled_from(
        ["books.jsonl", "lexical/meta.json", "lexical/a.term", "lexical/b.term", "vectors/1.faiss"]
    ),
    strategies.binary(max_size=8),
    min_size=1,
)


class IndexLife(RuleBasedStateMachine):
    """Whatever the order of publishing, rolling back, pruning and power cuts, readers find what was acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.place = TemporaryDirectory()
        self.root = Path(self.place.name, "0")
        self.root.mkdir()
        self.kept: dict[int, Content] = {}
        self.active: int | None = None

    @property
    def folder(self) -> Path:
        return self.root / "index"

    @rule(content=CONTENTS, keep=strategies.integers(1, 3))
    def publish(self, content: Content, keep: int) -> None:
        published = publish(self.folder, content, keep)
        assert published.number > max(self.kept, default=0)
        assert published.parent == self.active
        self.kept[published.number] = content
        spared = {published.number, self.active, *sorted(self.kept)[-keep:]}
        self.kept = {number: content for number, content in self.kept.items() if number in spared}
        self.active = published.number

    @precondition(lambda self: self.kept)
    @rule(data=strategies.data())
    def roll_back(self, data: strategies.DataObject) -> None:
        to = data.draw(strategies.sampled_from(sorted(self.kept)))
        assert Generations(self.folder).roll_back(to) == (self.active, to)
        self.active = to

    @rule(
        content=CONTENTS,
        cut=strategies.integers(0, 30),
        luck=strategies.none() | strategies.sets(strategies.integers(0, 5)),
    )
    def cut_the_power(self, content: Content, cut: int, luck: set[int] | None) -> None:
        machine = Disk(self.root, cut)
        published = None
        with machine.running():
            published = publish(self.folder, content, keep=2).number
        if luck is not None:  # without it only the process dies
            lucky = {inode for place, inode in enumerate(machine.folders) if place in luck}
            self.root = self.root.with_name(f"{int(self.root.name) + 1}")
            machine.after_power_cut(self.root, lucky)
        machine.close()
        self._learn_what_is_left(content, published)

    def _learn_what_is_left(self, content: Content, published: int | None) -> None:
        active = None
        if left := _numbers_left(self.folder):
            active = Generations(self.folder).current().number
        new = left - self.kept.keys()
        assert len(new) <= 1
        self.kept = {number: self.kept.get(number, content) for number in left}
        assert active in (new if published else {self.active, *new})
        self.active = active

    @invariant()
    def what_was_acknowledged_is_there(self) -> None:
        if self.active is None:
            with pytest.raises(MissingInput):
                Generations(self.folder).current()
            return
        current = Generations(self.folder).current()
        assert (current.number, current.damaged) == (self.active, ())
        assert numbers(self.folder) == sorted(self.kept, reverse=True)
        for number, content in self.kept.items():
            assert Generations(self.folder).verify(number).damages == ()
            opened = self.folder / f"generations/{number:06d}"
            assert {name: (opened / name).read_bytes() for name in manifest.file_names(opened)} == content

    def teardown(self) -> None:
        self.place.cleanup()


def _numbers_left(folder: Path) -> set[int]:
    try:
        return set(numbers(folder))
    except MissingInput:
        return set()


TestIndexLife = IndexLife.TestCase
TestIndexLife.settings = settings(max_examples=20, stateful_step_count=10, deadline=None)
