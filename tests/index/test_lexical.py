"""The lexical index gives back the passages it was given, exactly, until they are removed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_library_bot.errors import CannotWrite
from ai_library_bot.index import disk
from ai_library_bot.index.entries import Entry
from ai_library_bot.index.lexical import PRIVATE_FILES, LexicalIndex, LexicalWriter, _Stems
from ai_library_bot.text import clean
from ai_library_bot.types import Passage, Term, passage_id
from tests.texts import ANY_TEXT

CLEAN = ANY_TEXT.map(clean)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lexical"


def entry(book: str, number: int, text: str, *, chapter: tuple[str, ...] = (), title: str = "") -> Entry:
    return Entry(Passage(passage_id(book, number), book, 0, chapter, 0, len(text), text, 0.5, ((0, 7),)), title)


def write(folder: Path, entries: Sequence[Entry], remove: Sequence[str] = ()) -> LexicalIndex:
    writer = LexicalWriter(folder)
    for book in remove:
        writer.remove(book)
    for one in entries:
        writer.add(one)
    writer.close()
    return LexicalIndex(folder)


def term(word: str, index: LexicalIndex) -> Term:
    return Term(word, frozenset(index.stems(word)), 1.0)


def found(index: LexicalIndex, word: str, limit: int = 10, books: Sequence[str] | None = None) -> list[str]:
    return [candidate.passage.id for candidate in index.candidates([term(word, index)], limit, books)]


def everything(index: LexicalIndex) -> list[Entry]:
    return sorted(index.entries(), key=lambda one: one.passage.id)


@settings(max_examples=25)
@given(st.lists(st.tuples(CLEAN, CLEAN, st.lists(CLEAN, max_size=2).map(tuple)), min_size=1, max_size=5))
def test_what_was_added_is_read_exactly(drawn: list[tuple[str, str, tuple[str, ...]]]) -> None:
    entries = [
        entry("b", number, text, chapter=chapter, title=title) for number, (text, title, chapter) in enumerate(drawn)
    ]
    with TemporaryDirectory() as folder:
        index = write(Path(folder, "lexical"), entries)
        assert everything(index) == entries
        assert [index.passage(one.passage.id) for one in entries] == [one.passage for one in entries]
        assert index.passages == len(entries)


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=6)


@settings(max_examples=15)
@given(STEPS)
def test_whatever_was_replaced_and_removed_only_the_last_state_is_found(steps: list[tuple[str, int]]) -> None:
    last: dict[str, list[Entry]] = {}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "lexical")
        index = write(folder, [])
        for step, (book, count) in enumerate(steps):
            last[book] = [entry(book, number, f"общее слово шага {step}") for number in range(count)]
            index = write(folder, last[book], remove=[book])
        expected = sorted((one for entries in last.values() for one in entries), key=lambda one: one.passage.id)
        assert everything(index) == expected
        assert index.passages == len(expected)
        assert sorted(found(index, "слово", 100)) == [one.passage.id for one in expected]
        assert index.frequency(frozenset(index.stems("слово"))) >= len(expected)


def test_an_index_that_is_open_does_not_change(folder: Path) -> None:
    before = write(folder, [entry("a", 0, "лампа горела")])
    write(folder, [entry("b", 0, "лампа погасла")], remove=["a"])
    assert found(before, "лампа") == ["a:0000"]
    assert before.passages == 1


def test_the_files_of_an_index_are_never_written_into_but_for_those_that_are_private(folder: Path) -> None:
    write(folder, [entry("a", 0, "лампа горела"), *(entry("c", number, "море") for number in range(9))])
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.iterdir()}
    write(folder, [entry("b", 0, "лампа погасла")], remove=["a"])
    for name in before.keys() - set(PRIVATE_FILES):
        if (folder / name).exists() and not name.endswith(".lock"):
            assert ((folder / name).stat().st_ino, (folder / name).read_bytes()) == before[name]


def test_a_writer_that_is_closed_leaves_no_lock(folder: Path) -> None:
    writer = LexicalWriter(folder)
    writer.add(entry("a", 0, "лампа"))
    writer.close()
    assert list(folder.glob("*.lock")) == []


def test_a_folder_that_may_not_be_written_is_read_and_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, [entry("a", 0, "the lamp on the shore")])
    for lock in folder.glob("*.lock"):
        lock.unlink()
    before = sorted(path.name for path in folder.iterdir())
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert found(LexicalIndex(folder), "lamp") == ["a:0000"]
    assert sorted(path.name for path in folder.iterdir()) == before


def test_without_any_place_for_a_lock_it_is_said_what_helps(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, [entry("a", 0, "the lamp on the shore")])
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(disk, "_FOR_LINKS", (str(tmp_path / "gone"), str(tmp_path / "gone too")))
    with pytest.raises(CannotWrite, match="TMPDIR"):
        LexicalIndex(folder)
    monkeypatch.setattr(disk, "_FOR_LINKS", (str(tmp_path / "gone"), str(tmp_path)))
    before = sorted(tmp_path.iterdir())
    assert found(LexicalIndex(folder), "lamp") == ["a:0000"]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of file sizes")
def test_a_disk_that_takes_no_more_is_named(folder: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = LexicalWriter(folder)
    writer.add(entry("a", 0, " ".join(f"word{number}" for number in range(20_000))))
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(CannotWrite, match=re.escape(str(folder))):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_same_passages_make_the_same_index(tmp_path: Path) -> None:
    entries = [entry("a", number, f"лампа номер {number}") for number in range(20)]
    one, other = (write(tmp_path / name, entries) for name in ("one", "other"))
    assert found(one, "лампа", 50) == found(other, "лампа", 50)
    assert list(one.entries()) == list(other.entries())


@settings(max_examples=15, deadline=None)
@given(
    rare=st.sets(st.integers(0, 299), min_size=3, max_size=5),
    scarce=st.sets(st.integers(0, 299), min_size=6, max_size=40),
    weights=st.tuples(*[st.sampled_from([0.003, 0.03, 0.3])] * 3),
)
def test_the_first_candidates_are_those_of_a_search_for_all(
    rare: set[int], scarce: set[int], weights: tuple[float, ...]
) -> None:
    words = {"keeper": rare, "storm": scarce, "lamp": set(range(0, 300, 3)), "sea": set(range(0, 300, 2))}
    texts = [" ".join(["filling", *(word for word, there in words.items() if n in there)]) for n in range(300)]
    with TemporaryDirectory() as folder:
        index = write(Path(folder, "lexical"), [entry("b", number, text) for number, text in enumerate(texts)])
        terms = [Term(word, frozenset([word]), weight) for word, weight in zip(words, (1, *weights), strict=True)]
        texts_found = [one.passage.text for one in index.candidates(terms, 300)]
        assert [one.passage.text for one in index.candidates(terms, 3)] == texts_found[:3]


class TestCandidates:
    @pytest.fixture
    def index(self, folder: Path) -> LexicalIndex:
        return write(
            folder,
            [
                entry("a", 0, "Ёлка стояла у моря", title="Лампа"),
                entry("a", 1, "море и море, и снова море"),
                entry("b", 0, "The lamps were lit", chapter=("The Sea",)),
            ],
        )

    @pytest.mark.parametrize(
        ("word", "ids"),
        [
            ("елки", ["a:0000"]),
            ("МОРЕ", ["a:0001", "a:0000"]),
            ("lamp", ["b:0000"]),
            ("sea", ["b:0000"]),
            ("лампы", ["a:0000"]),
            ("окно", []),
        ],
    )
    def test_stems_are_found_in_texts_titles_and_chapters(self, index: LexicalIndex, word: str, ids: list[str]) -> None:
        assert found(index, word) == ids

    def test_there_are_no_more_than_asked_for(self, index: LexicalIndex) -> None:
        assert found(index, "море", limit=1) == ["a:0001"]

    def test_only_of_the_books_asked_for(self, index: LexicalIndex) -> None:
        terms = [term("море", index), term("lamp", index)]
        assert [one.passage.id for one in index.candidates(terms, 10, ["b"])] == ["b:0000"]
        assert index.candidates(terms, 10, []) == []

    def test_no_terms_no_candidates(self, index: LexicalIndex) -> None:
        assert index.candidates([], 10) == []

    def test_similar_words_stand_in_some_passage(self, index: LexicalIndex) -> None:
        assert "море" in index.similar_words("море", 1)
        assert "lamps" in index.similar_words("lamsp", 1)
        assert index.similar_words("абракадабра", 1) == set()

    def test_an_unknown_passage_is_none(self, index: LexicalIndex) -> None:
        assert index.passage("a:0002") is None


@pytest.mark.parametrize(
    ("text", "stems"),
    [
        ("Корабли и корабль", ["корабл", "и", "корабл"]),
        ("Ships, SHIP; shipping", ["ship", "ship", "ship"]),
        ("Ёж", ["еж"]),
        ("wüstite café", ["wustit", "cafe"]),
        ("", []),
    ],
)
def test_stems(folder: Path, text: str, stems: list[str]) -> None:
    assert list(write(folder, []).stems(text)) == stems


class OneAtATime:
    """An analyzer like tantivy's, which refuses to work for a second thread while it works for one."""

    def __init__(self) -> None:
        self.second_comes, self.clash = Event(), Event()
        self._working = False

    def analyze(self, piece: str) -> list[str]:
        if self._working:
            self.clash.set()
            raise RuntimeError("Already borrowed")
        self._working = True
        if self.second_comes.wait(5):
            self.clash.wait(0.05)
        self._working = False
        return [piece]


def test_two_threads_may_ask_for_stems_at_once() -> None:
    analyzer: Any = OneAtATime()
    stems = _Stems(analyzer)

    def second() -> list[str]:
        analyzer.second_comes.set()
        return stems["other"]

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(stems.__getitem__, "word")
        assert threads.submit(second).result() == ["other"]
        assert first.result() == ["word"]
    assert not analyzer.clash.is_set()
