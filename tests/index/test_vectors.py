"""The nearest passages are those that comparing every vector would find, however the books came and went."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ai_library_bot.errors import BadData, CannotWrite
from ai_library_bot.index import disk, shards, vectors
from ai_library_bot.index.generations import Generations
from ai_library_bot.index.manifest import file_names
from ai_library_bot.index.shards import Rows, Shard, worth_merging
from ai_library_bot.index.vectors import VECTORS, VectorIndex
from ai_library_bot.types import passage_id

if TYPE_CHECKING:
    from ai_library_bot.protocols import Matrix, Vector

    Books = dict[str, Matrix]

DIMENSIONS = 24
SHARD_ROWS = 40
HALF = 0.002  # what half precision may move a cosine by


def unit(count: int, seed: int, dimensions: int = DIMENSIONS) -> Matrix:
    drawn = numpy.random.default_rng(seed).standard_normal((count, dimensions), numpy.float32)
    return normal(drawn)


def normal(rows: Matrix) -> Matrix:
    made: Matrix = rows / numpy.linalg.norm(rows, axis=1, keepdims=True)
    return made


def question(seed: int = 0) -> Vector:
    vector: Vector = unit(1, 1_000_000 + seed)[0]
    return vector


def write(folder: Path, number: int, added: Mapping[str, Matrix], keep: Collection[str] = ()) -> None:
    vectors.write(folder, number, added.items(), keep, shard_rows=SHARD_ROWS)


def compared(books: Mapping[str, Matrix], vector: Vector) -> dict[str, float]:
    """The cosine of every passage, computed one by one."""
    return {
        passage_id(book, number): float(row @ vector) for book, rows in books.items() for number, row in enumerate(rows)
    }


def check(index: VectorIndex, books: Mapping[str, Matrix], vector: Vector, limit: int, only: set[str] | None) -> None:
    """`nearest` gives the best there are: each with its own cosine, and none that is left out is better."""
    found = index.nearest(vector, limit, only)
    cosines = compared({book: rows for book, rows in books.items() if only is None or book in only}, vector)
    assert len(found) == len({passage for passage, _ in found}) == min(limit, len(cosines))
    assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)
    for passage, cosine in found:
        assert cosine == pytest.approx(cosines.pop(passage), abs=HALF)
    if found:
        assert max(cosines.values(), default=-1.0) <= found[-1][1] + 2 * HALF


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / VECTORS


class VectorLife(RuleBasedStateMachine):
    """Whatever is added, replaced and removed, the shards hold the last state and nothing else is ever found."""

    def __init__(self) -> None:
        super().__init__()
        self.place = TemporaryDirectory()
        self.folder = Path(self.place.name, VECTORS)
        self.books: Books = {}
        self.number = 0

    @rule(
        sizes=st.dictionaries(st.sampled_from("abcdefghijkl"), st.integers(0, 30), max_size=4),
        removed=st.sets(st.sampled_from("abcdefghijkl"), max_size=3),
    )
    def ingest(self, sizes: dict[str, int], removed: set[str]) -> None:
        self.number += 1
        added = {book: unit(size, 100 * self.number + ord(book)) for book, size in sizes.items()}
        self.books = {book: rows for book, rows in self.books.items() if book not in removed} | added
        write(self.folder, self.number, added, set(self.books))

    @invariant()
    def what_is_left_is_found(self) -> None:
        if not self.books:
            assert not self.folder.exists()
            return
        for exact_rows in (0, 50, 10_000):
            index = VectorIndex(self.folder, exact_rows=exact_rows)
            assert index.dimensions == DIMENSIONS
            assert index.books == self.books.keys()
            assert index.passages == sum(map(len, self.books.values()))
            check(index, self.books, question(self.number), 7, None)
            check(index, self.books, question(self.number), 500, None)
            check(index, self.books, question(self.number), 7, {"a", "e", "unknown"})

    @invariant()
    def shards_are_few(self) -> None:
        if self.books:
            rows = sum(map(len, self.books.values()))
            assert len(list(self.folder.glob("*.faiss"))) <= 2 + 2 * rows // (SHARD_ROWS // 2) + SHARD_ROWS.bit_length()

    @invariant()
    def no_file_is_left_over(self) -> None:
        if self.books:
            _, listed = shards.read(self.folder)
            assert {path.stem for path in self.folder.iterdir()} == {shard.name for shard in listed} | {"vectors"}

    def teardown(self) -> None:
        self.place.cleanup()


TestVectorLife = VectorLife.TestCase
TestVectorLife.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=25), st.sets(st.integers(0, 24)), st.integers(1, 60))
@settings(deadline=None, max_examples=30)
def test_of_some_books_no_passage_is_missed_by_sketch_either(sizes: list[int], chosen: set[int], limit: int) -> None:
    books = {f"b{number}": unit(size, number) for number, size in enumerate(sizes)}
    with TemporaryDirectory() as place:
        folder = Path(place, VECTORS)
        vectors.write(folder, 1, books.items(), (), shard_rows=700)
        index = VectorIndex(folder, exact_rows=0)
        check(index, books, question(), limit, {f"b{number}" for number in chosen})


class TestSearching:
    @pytest.fixture
    def books(self) -> Books:
        """A thousand vectors around ten topics, a topic a book."""
        topics = unit(10, 1)
        return {f"b{number}": normal(topics[number] + 0.8 * unit(100, number)) for number in range(10)}

    @pytest.fixture
    def index(self, folder: Path, books: Books) -> VectorIndex:
        vectors.write(folder, 1, books.items(), (), shard_rows=500)
        return VectorIndex(folder, exact_rows=0)

    def test_a_passage_is_nearest_to_itself(self, index: VectorIndex, books: Books) -> None:
        for book, number in (("b0", 0), ("b3", 99), ("b9", 7)):
            (first, cosine), *_ = index.nearest(books[book][number], 3)
            assert first == passage_id(book, number)
            assert cosine == pytest.approx(1, abs=HALF)

    def test_a_book_far_from_the_question_is_searched_when_it_is_asked_for(
        self, index: VectorIndex, books: Books
    ) -> None:
        check(index, books, books["b0"][0], 10, {"b9"})

    def test_books_without_vectors_are_as_good_as_none(self, index: VectorIndex) -> None:
        assert index.nearest(question(), 10, ["unknown"]) == []
        assert index.nearest(question(), 10, []) == []

    def test_cosines_are_those_of_the_passages_asked_for(self, index: VectorIndex, books: Books) -> None:
        asked = ["b7:0003", "unknown:0001", "b0:0000", "b7:0100", "b9:0099", "b7:0003"]
        cosines = compared(books, question())
        assert index.cosines(question(), asked) == [
            None if passage not in cosines else pytest.approx(cosines[passage], abs=HALF) for passage in asked
        ]
        assert index.cosines(question(), []) == []

    def test_nearest_and_cosines_agree(self, index: VectorIndex) -> None:
        found = index.nearest(question(), 20)
        assert index.cosines(question(), [passage for passage, _ in found]) == pytest.approx(
            [cosine for _, cosine in found], abs=1e-6
        )

    def test_another_process_finds_the_same(self, folder: Path, index: VectorIndex) -> None:
        program = (
            "import json, sys, numpy; from pathlib import Path; from ai_library_bot.index.vectors import VectorIndex\n"
            "index = VectorIndex(Path(sys.argv[1]), exact_rows=0)\n"
            "print(json.dumps(index.nearest(numpy.array(json.loads(sys.argv[2]), numpy.float32), 10)))"
        )
        line = [sys.executable, "-c", program, str(folder), json.dumps(question().tolist())]
        found = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
        assert [tuple(one) for one in found] == index.nearest(question(), 10)


class TestWriting:
    def test_the_files_of_the_generation_before_are_never_written_into(self, tmp_path: Path) -> None:
        generations = Generations(tmp_path)
        kept: dict[int, dict[str, bytes]] = {}
        for number in range(1, 8):
            with generations.writing() as writing:
                stage = writing.stage(private=[f"{VECTORS}/{name}" for name in vectors.PRIVATE_FILES])
                books = {f"b{n}" for n in range(1, number + 1) if n % 3}
                write(stage / VECTORS, number, {f"b{number}": unit(12 + number, number)}, books)
                published = writing.publish(books=0, passages=0, embedder="model", keep=9)
            kept[number] = {name: (published.folder / name).read_bytes() for name in file_names(published.folder)}
            for older, files in kept.items():
                inside = tmp_path / "generations" / f"{older:06d}"
                assert {name: (inside / name).read_bytes() for name in file_names(inside)} == files

    def test_an_open_index_finds_what_it_found_before(self, folder: Path) -> None:
        write(folder, 1, {"a": unit(30, 1), "b": unit(50, 2)})
        index = VectorIndex(folder)
        before = index.nearest(question(), 10)
        write(folder, 2, {"c": unit(30, 3)}, {"b"})
        assert index.nearest(question(), 10) == before

    def test_vectors_are_moved_bit_by_bit(self, folder: Path) -> None:
        write(folder, 1, {"a": unit(9, 1)})
        before = VectorIndex(folder).nearest(question(), 9)
        for number in range(2, 12):
            write(folder, number, {f"b{number}": unit(3, number)}, {"a", *(f"b{older}" for older in range(number))})
            assert VectorIndex(folder).nearest(question(), 9, ["a"]) == before
        assert "000001-00" not in {path.stem for path in folder.iterdir()}

    def test_a_new_embedder_begins_anew(self, folder: Path) -> None:
        write(folder, 1, {"a": unit(9, 1), "b": unit(50, 2)})
        write(folder, 2, {"a": unit(9, 1, dimensions=7)})
        index = VectorIndex(folder)
        assert index.dimensions == 7
        assert index.books == {"a"}

    def test_vectors_of_different_lengths_never_meet(self, folder: Path) -> None:
        write(folder, 1, {"a": unit(9, 1)})
        with pytest.raises(ValueError, match="24 dimensions beside others of 7"):
            write(folder, 2, {"b": unit(9, 1, dimensions=7)}, {"a"})

    @pytest.mark.parametrize("dimensions", [1, 2, 30, 512])
    def test_any_number_of_dimensions_will_do(self, folder: Path, dimensions: int) -> None:
        books = {"a": unit(300, 1, dimensions), "b": unit(300, 2, dimensions)}
        vectors.write(folder, 1, books.items(), (), shard_rows=400)
        check(VectorIndex(folder, exact_rows=0), books, unit(1, 3, dimensions)[0], 300, None)

    def test_a_shard_is_no_larger_than_it_may_be_unless_a_book_is(self, folder: Path) -> None:
        write(folder, 1, {f"b{number}": unit(size, number) for number, size in enumerate((30, 30, 90, 5, 5))})
        _, listed = shards.read(folder)
        assert [shard.rows for shard in listed] == [30, 30, 90, 10]

    def test_the_same_books_make_the_same_files(self, tmp_path: Path) -> None:
        for place in ("one", "other"):
            write(tmp_path / place, 1, {"a": unit(30, 1), "b": unit(50, 2)})
        one, other = ({path.name: path.read_bytes() for path in (tmp_path / p).iterdir()} for p in ("one", "other"))
        assert one == other

    def test_a_damaged_shard_is_named(self, folder: Path) -> None:
        write(folder, 1, {"a": unit(30, 1)})
        (folder / "000001-00.faiss").write_bytes(b"\0" * 100)
        with pytest.raises(BadData) as caught:
            VectorIndex(folder)
        assert caught.value.details["file"] == str(folder / "000001-00.faiss")

    def test_a_full_disk_is_said_in_words(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(path: Path) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(disk, "sync_file", full)
        with pytest.raises(CannotWrite) as caught:
            write(folder, 1, {"a": unit(30, 1)})
        assert caught.value.key == "disk_full"


class TestMerging:
    def simulated(self, sizes: Iterable[int], full: int) -> tuple[list[int], int]:
        """The live rows of the shards after ingests of these sizes, and how many rows were written in all."""
        listed: list[int] = []
        written = 0
        for size in sizes:
            newer = size
            while listed and worth_merging(Shard("", listed[-1], (Rows("b", 0, listed[-1]),)), newer, full):
                newer += listed.pop()
            listed.append(newer)
            written += newer
        return listed, written

    def test_books_that_come_one_by_one_leave_few_shards_and_are_seldom_written_anew(self) -> None:
        listed, written = self.simulated([100] * 3000, 80_000)
        assert len(listed) <= 14
        assert written <= 12 * 100 * 3000

    def test_a_shard_with_many_dead_rows_or_without_a_book_is_given_up(self) -> None:
        assert worth_merging(Shard("", 100, (Rows("b", 0, 69),)), 0, 100)
        assert not worth_merging(Shard("", 100, (Rows("b", 0, 71),)), 0, 100)
        assert worth_merging(Shard("", 0, ()), 0, 100)
