"""What a library of a million passages costs: how fast and how well it is searched, and what a new book adds.

python -m benchmarks.million FOLDER [PASSAGES]

The index is made in FOLDER unless it is there already. Its texts are drawn from a vocabulary with the frequencies of
natural language, its vectors lie around topics as those of books do. Both go through the writers of `library ingest`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
from numpy.typing import NDArray

from ai_library_bot.embedding import fingerprint
from ai_library_bot.index import catalogue, hybrid, vectors
from ai_library_bot.index.entries import Entry
from ai_library_bot.index.generations import Generations
from ai_library_bot.index.lexical import LEXICAL, LexicalWriter
from ai_library_bot.index.search import SearchIndex
from ai_library_bot.index.vectors import VectorIndex
from ai_library_bot.openai_api.embedding import OpenAIEmbedder
from ai_library_bot.openai_api.service import Service
from ai_library_bot.types import Book, Passage, passage_id
from benchmarks.processes import LIBRARY, PYTHON

Vectors = NDArray[numpy.float32]

DIMENSIONS = 384
PASSAGES_OF_A_BOOK = 500
WORDS_OF_A_PASSAGE = 165
WORDS_OF_A_SENTENCE = 15
VOCABULARY = 200_000
KERNEL = 3_000  # words that all books use; beyond them frequencies fall faster
TOPICS = 5_000
TOPICS_OF_A_BOOK = 25
SPREAD = 0.85  # of a passage's vector around its topic, in the lengths of the topic's
QUESTIONS = 100
ROUNDS = 9
QUESTION_SPREAD = 0.6  # of a question's vector around that of the passage it asks about

COMMONEST = "the of and to a in that it is was he for with as his on be at by had not but from her she which or".split()
SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]


def vocabulary() -> NDArray[numpy.object_]:
    """Words from common to rare."""
    words = list(COMMONEST)
    number = len(SYLLABLES)
    while len(words) < VOCABULARY:
        rest, word = number, ""
        while rest:
            rest, syllable = divmod(rest, len(SYLLABLES))
            word += SYLLABLES[syllable]
        words.append(word)
        number += 1
    return numpy.array(words, dtype=object)


class Shelf:
    """Books that are made as they are asked for, each the same whenever it is."""

    def __init__(self) -> None:
        self._words = vocabulary()
        ranks = numpy.arange(3, VOCABULARY + 3)
        shares = 1 / ranks * numpy.minimum(1, KERNEL / ranks)  # two regimes: Ferrer i Cancho & Solé, 2001
        self._frequencies = numpy.cumsum(shares / shares.sum())
        self._topics = _directions(numpy.random.default_rng(0), TOPICS)

    def book(self, number: int, passages: int = PASSAGES_OF_A_BOOK) -> Book:
        return Book(
            id=f"{number:016x}",
            path=Path(f"/books/{number}.txt"),
            title=f"Book {number}",
            authors=(f"Author {number % 1000}",),
            language="en",
            year=None,
            format="txt",
            size=1000 * passages,
            modified_ns=0,
            passages=passages,
            characters=1000 * passages,
        )

    def texts(self, number: int, passages: int = PASSAGES_OF_A_BOOK) -> Iterator[str]:
        drawn = numpy.random.default_rng((1, number)).random((passages, WORDS_OF_A_PASSAGE))
        words = self._words[numpy.searchsorted(self._frequencies, drawn, "right").clip(max=VOCABULARY - 1)]
        for passage in words.reshape(passages, -1, WORDS_OF_A_SENTENCE).tolist():
            yield ". ".join(map(" ".join, passage)) + "."

    def vectors(self, number: int) -> Vectors:
        """The vectors of a book's passages, `(n, d)`."""
        random = numpy.random.default_rng((2, number))
        about = random.choice(TOPICS, TOPICS_OF_A_BOOK)
        topics = self._topics[numpy.repeat(about, PASSAGES_OF_A_BOOK // TOPICS_OF_A_BOOK)]
        return _unit(topics + SPREAD * _directions(random, PASSAGES_OF_A_BOOK))


def _directions(random: numpy.random.Generator, count: int) -> Vectors:
    return _unit(random.standard_normal((count, DIMENSIONS), numpy.float32))


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def make(folder: Path, shelf: Shelf, count: int, embedder: str) -> None:
    """Makes the index, as one ingest of so many books."""
    generations = Generations(folder)
    books = [shelf.book(number) for number in range(count)]
    with generations.writing() as writing:
        stage = writing.stage()
        lexical = LexicalWriter(stage / LEXICAL)
        for number, book in enumerate(books):
            for entry in _entries(book, shelf.texts(number)):
                lexical.add(entry)
        lexical.close()
        vectors.write(stage / vectors.VECTORS, 1, ((book.id, shelf.vectors(n)) for n, book in enumerate(books)), ())
        catalogue.write(stage, books)
        hybrid.calibrate(stage / vectors.VECTORS)
        writing.publish(books=count, passages=sum(book.passages for book in books), embedder=embedder, keep=5)


def _entries(book: Book, texts: Iterator[str]) -> Iterator[Entry]:
    start = 0
    for number, text in enumerate(texts):
        chapter = (f"Chapter {1 + number // 20}",)
        end = start + len(text)
        identifier = passage_id(book.id, number)
        yield Entry(Passage(identifier, book.id, 0, chapter, start, end, text, number / book.passages), book.title)
        start = end + 2


def questions(shelf: Shelf, books: int) -> Iterator[tuple[str, Vectors, str]]:
    """Questions with their vectors, each with the id of the passage it is about: rare words of it among common ones."""
    random = numpy.random.default_rng(3)
    for number in random.choice(books, QUESTIONS):
        passage = int(random.integers(PASSAGES_OF_A_BOOK))
        text = next(itertools.islice(shelf.texts(number), passage, None))
        rare = [word for word in dict.fromkeys(text.replace(".", "").split()) if word not in COMMONEST]
        words = [*random.choice(rare, 4, replace=False), *random.choice(COMMONEST, 4, replace=False)]
        vector = shelf.vectors(number)[passage] + QUESTION_SPREAD * _directions(random, 1)[0]
        yield " ".join(random.permutation(words)), _unit(vector[None])[0], passage_id(shelf.book(number).id, passage)


def exact(shelf: Shelf, books: int, asked: Vectors, limit: int) -> list[set[str]]:
    """The ids of the passages whose vectors are nearest to each of the vectors `asked`, all of them compared."""
    best = numpy.empty((len(asked), 0), numpy.float32)
    rows = numpy.empty((len(asked), 0), numpy.int64)
    for number in range(books):
        cosines = asked @ shelf.vectors(number).T
        here = number * PASSAGES_OF_A_BOOK + numpy.arange(cosines.shape[1])
        best = numpy.concatenate((best, cosines), axis=1)
        rows = numpy.concatenate((rows, numpy.broadcast_to(here, cosines.shape)), axis=1)
        order = numpy.argpartition(-best, limit, axis=1)[:, :limit]
        best, rows = numpy.take_along_axis(best, order, axis=1), numpy.take_along_axis(rows, order, axis=1)
    return [
        {passage_id(shelf.book(row // PASSAGES_OF_A_BOOK).id, row % PASSAGES_OF_A_BOOK) for row in found.tolist()}
        for found in rows
    ]


def warm(folder: Path, shelf: Shelf, books: int) -> None:
    """Searches one after the other in one process."""
    index = SearchIndex(Generations(folder).current())
    nearest = VectorIndex(index.published.folder / vectors.VECTORS)
    asked = list(questions(shelf, books))
    best = exact(shelf, books, numpy.array([vector for _, vector, _ in asked]), 10)
    found = [{passage for passage, _ in nearest.nearest(vector, 10)} for _, vector, _ in asked]
    recall = sum(len(one & other) for one, other in zip(found, best, strict=True)) / (10 * len(asked))
    print(f"recall@10 against comparing every vector: {recall:.4f}")
    for name, search in (
        ("vectors alone", lambda _, vector: nearest.nearest(vector, 10)),
        ("words alone", lambda text, _: index.search(text, 10)),
        ("both", lambda text, vector: index.search(text, 10, vector=vector)),
    ):
        seconds = []
        for text, vector, _ in asked:
            began = time.process_time()
            search(text, vector)
            seconds.append(time.process_time() - began)
        print(f"warm search, {name}: {statistics.median(seconds) * 1000:.1f} ms CPU (median)")


def cold(folder: Path, shelf: Shelf, books: int, server: dict[str, str]) -> None:
    """One search in a process of its own, its vector from a server on this machine, against `python -c pass`."""
    text, _, _ = next(questions(shelf, books))
    environment = {**os.environ, **server, "FAISS_PATH": str(folder)}
    search = [*LIBRARY, "search", text]
    differences = [
        _seconds(search, environment) - _seconds([PYTHON, "-c", "pass"], environment) for _ in range(1 + ROUNDS)
    ]
    seconds, memory = statistics.median(differences[1:]), _megabytes(search, environment)
    print(f"one search: {seconds * 1000:.0f} ms above python's start, {memory:.0f} MB")


def growing(folder: Path, shelf: Shelf, books: int, server: dict[str, str]) -> None:
    """New books of 500 passages, each an ingest of its own; the index itself stays as it is."""
    with TemporaryDirectory(dir=folder.parent) as place:
        index = Path(place, "index")
        shutil.copytree(folder, index, copy_function=os.link)
        seconds = []
        for number in range(ROUNDS):
            shelf_folder = Path(place, f"{number}")
            shelf_folder.mkdir()
            (shelf_folder / "new.txt").write_text("\n\n".join(shelf.texts(books + number)), "utf-8")
            line = [*LIBRARY, "ingest", str(shelf_folder)]
            seconds.append(_seconds(line, {**os.environ, **server, "FAISS_PATH": str(index)}))
        print(f"a new book of about {PASSAGES_OF_A_BOOK} passages: {statistics.median(seconds):.2f} s (median)")


def _seconds(line: Sequence[str], environment: Mapping[str, str]) -> float:
    """How long a process takes on the wall's clock."""
    began = time.perf_counter()
    subprocess.run(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _megabytes(line: Sequence[str], environment: Mapping[str, str]) -> float:
    """The most memory that a process holds, asked by a small parent: a child begins with the memory of its parent."""
    program = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    asked = subprocess.run([PYTHON, "-c", program, *line], env=environment, capture_output=True, check=True)
    return int(asked.stdout) / 1024


def main() -> None:
    folder = Path(sys.argv[1])
    books = (int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000) // PASSAGES_OF_A_BOOK
    shelf = Shelf()
    line = [PYTHON, "-m", "tests.openai_server", "--dimensions", str(DIMENSIONS)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        server = {"OPENAI_BASE_URL": process.stdout.readline().strip(), "EMBEDDING_MODEL": "benchmark"}
        embedder = OpenAIEmbedder(Service(server["OPENAI_BASE_URL"], None), "benchmark", None, {})
        try:
            if not (folder / "CURRENT").exists():
                began = time.monotonic()
                make(folder, shelf, books, fingerprint(embedder))
                print(f"{books * PASSAGES_OF_A_BOOK} passages written in {time.monotonic() - began:.0f} s")
            cold(folder, shelf, books, server)
            growing(folder, shelf, books, server)
            warm(folder, shelf, books)
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
