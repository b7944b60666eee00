"""What was put is there, whatever happened since; what is damaged counts as missing and is never handed out."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_library_bot.errors import Busy, CannotWrite
from ai_library_bot.index import embedding_store
from ai_library_bot.index.embedding_store import ASIDE, NAME, EmbeddingStore, key

if TYPE_CHECKING:
    from ai_library_bot.protocols import Matrix

KEYS = [key("model", str(number)) for number in range(50)]


def matrix(rows: int, dimensions: int = 16, seed: int = 1) -> Matrix:
    """Unit rows whose numbers half precision holds to 3 digits."""
    vectors = numpy.random.default_rng(seed).standard_normal((rows, dimensions)).astype(numpy.float32)
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


VECTORS = matrix(len(KEYS))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddingStore]:
    with closing(EmbeddingStore(tmp_path)) as store:
        yield store


@pytest.fixture
def filled(store: EmbeddingStore) -> EmbeddingStore:
    store.put(KEYS, VECTORS)
    return store


def right(found: dict[bytes, numpy.ndarray]) -> bool:
    """Whether every vector found is the one that was put."""
    return all(numpy.allclose(vector, VECTORS[KEYS.index(key)], atol=0.001) for key, vector in found.items())


class TestKeeping:
    def test_what_was_put_comes_back(self, filled: EmbeddingStore) -> None:
        found = filled.get(KEYS)
        assert (len(found), right(found)) == (len(KEYS), True)
        assert {vector.dtype for vector in found.values()} == {numpy.dtype(numpy.float32)}

    def test_what_was_not_put_is_missing(self, filled: EmbeddingStore) -> None:
        assert filled.get([key("other", "0"), KEYS[3]]).keys() == {KEYS[3]}
        assert filled.get([]) == {}

    def test_a_vector_that_comes_back_can_be_put_again_unchanged(self, filled: EmbeddingStore) -> None:
        found = filled.get(KEYS)
        filled.put(list(found), numpy.stack(list(found.values())))
        again = filled.get(KEYS)
        assert all((again[key] == found[key]).all() for key in KEYS)

    def test_another_vector_of_the_same_key_replaces_it(self, filled: EmbeddingStore) -> None:
        filled.put(KEYS[:1], VECTORS[1:2])
        assert numpy.allclose(filled.get(KEYS[:1])[KEYS[0]], VECTORS[1], atol=0.001)

    def test_it_outlives_the_process_and_leaves_one_file(self, filled: EmbeddingStore, tmp_path: Path) -> None:
        filled.close()
        assert [path.name for path in tmp_path.iterdir()] == [NAME]
        with closing(EmbeddingStore(tmp_path)) as again:
            assert len(again.get(KEYS)) == len(KEYS)

    def test_asking_makes_no_file(self, store: EmbeddingStore, tmp_path: Path) -> None:
        assert store.get(KEYS) == {}
        assert list(tmp_path.iterdir()) == []

    def test_a_copy_taken_in_the_midst_is_sound_with_its_log_and_without(
        self, filled: EmbeddingStore, tmp_path: Path
    ) -> None:
        for name in ("whole", "bare"):
            (tmp_path / name).mkdir()
            shutil.copy(tmp_path / NAME, tmp_path / name)
        shutil.copy(tmp_path / f"{NAME}-wal", tmp_path / "whole")
        for name, there in (("whole", len(KEYS)), ("bare", 0)):
            with closing(EmbeddingStore(tmp_path / name)) as copy:
                assert (len(copy.get(KEYS)), copy.set_aside) == (there, None)

    @given(st.lists(st.text(), unique=True, min_size=2, max_size=2), st.text())
    def test_models_and_texts_have_keys_of_their_own(self, two: list[str], other: str) -> None:
        assert key(two[0], other) != key(two[1], other)
        assert key(other, two[0]) != key(other, two[1])


class TestDamage:
    def test_a_damaged_row_counts_as_missing_and_can_be_mended(self, filled: EmbeddingStore, tmp_path: Path) -> None:
        filled.close()
        flip(tmp_path / NAME, (tmp_path / NAME).read_bytes().index(VECTORS[7].astype(numpy.float16).tobytes()))
        with closing(EmbeddingStore(tmp_path)) as store:
            found = store.get(KEYS)
            assert (set(KEYS) - found.keys(), right(found)) == ({KEYS[7]}, True)
            store.put(KEYS[7:8], VECTORS[7:8])
            assert len(store.get(KEYS)) == len(KEYS)
            assert store.set_aside is None

    @pytest.mark.parametrize("data", [b"", b"no database", b"no database " * 1000, b"SQLite format 3\0" * 512])
    def test_a_file_of_something_else_is_set_aside(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / NAME).write_bytes(data)
        with closing(EmbeddingStore(tmp_path)) as store:
            assert store.get(KEYS) == {}
            store.put(KEYS, VECTORS)
            assert len(store.get(KEYS)) == len(KEYS)
            if data:
                assert store.set_aside == tmp_path / (NAME + ASIDE)
                assert store.set_aside.read_bytes() == data
            else:
                assert store.set_aside is None  # an empty file is how every database begins

    def test_a_database_of_something_else_is_set_aside(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / NAME)) as other:
            other.execute("CREATE TABLE vectors (id, name)")
        with closing(EmbeddingStore(tmp_path)) as store:
            store.put(KEYS, VECTORS)
            assert (len(store.get(KEYS)), store.set_aside is None) == (len(KEYS), False)

    @settings(max_examples=60)
    @given(st.data())
    def test_whatever_byte_is_wrong_no_wrong_vector_comes_out_and_it_works_on(self, data: st.DataObject) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder, NAME)
            path.write_bytes(SOUND)
            for at in data.draw(st.lists(st.integers(0, len(SOUND) - 1), min_size=1, max_size=4)):
                flip(path, at, data.draw(st.integers(1, 255)))
            if data.draw(st.booleans()):
                os.truncate(path, data.draw(st.integers(0, len(SOUND))))
            with closing(EmbeddingStore(Path(folder))) as store:
                assert right(store.get(KEYS))
                store.put(KEYS, VECTORS)
                assert len(store.get(KEYS)) == len(KEYS)


def flip(path: Path, at: int, bits: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= bits
    path.write_bytes(data)


def _sound() -> bytes:
    with TemporaryDirectory() as folder:
        with closing(EmbeddingStore(Path(folder))) as store:
            store.put(KEYS, VECTORS)
        return Path(folder, NAME).read_bytes()


SOUND = _sound()


class TestTrouble:
    def test_a_full_disk_is_said_in_words(self, filled: EmbeddingStore) -> None:
        connection = filled._connection
        assert connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(CannotWrite) as caught:
            filled.put([key("other", str(number)) for number in range(50)], VECTORS)
        assert caught.value.key == "disk_full"
        assert len(filled.get(KEYS)) == len(KEYS)

    def test_a_folder_that_is_not_there_is_said_in_words(self, tmp_path: Path) -> None:
        with pytest.raises(CannotWrite) as caught:
            EmbeddingStore(tmp_path / "nowhere").put(KEYS, VECTORS)
        assert caught.value.key == "folder_not_writable"

    def test_another_process_may_read_while_this_one_writes(self, filled: EmbeddingStore, tmp_path: Path) -> None:
        with closing(EmbeddingStore(tmp_path)) as reader:
            assert len(reader.get(KEYS)) == len(KEYS)
            filled.put([key("other", "text")], VECTORS[:1])
            assert len(reader.get([key("other", "text")])) == 1

    def test_another_process_that_does_not_stop_writing_is_busy(
        self, filled: EmbeddingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedding_store, "_PATIENCE", 0)
        with closing(sqlite3.connect(tmp_path / NAME)) as other, closing(EmbeddingStore(tmp_path)) as store:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Busy):
                store.put(KEYS, VECTORS)
        assert len(filled.get(KEYS)) == len(KEYS)

    def test_many_keys_are_asked_for_at_once(self, store: EmbeddingStore) -> None:
        keys = [key("many", str(number)) for number in range(3000)]
        for some in itertools.batched(keys, 50) if hasattr(itertools, "batched") else [keys]:
            store.put(list(some), matrix(len(some), 4))
        assert store.get(keys).keys() == set(keys)
