"""The vectors of the passages, and those nearest to a question's. The only importer of faiss.

    vectors/
      vectors.json            which vectors stand where (see `shards`)
      000003-00.faiss         a shard: vectors in half precision, written once and never changed
      000003-00.sketch        of a large shard: a bit per dimension, to tell which vectors are worth looking at

Half precision moves a cosine by less than 0.001. Up to some two hundred thousand vectors are compared one by one.
Among more of them the sketches (Gao & Long, "RaBitQ", 2024) name a few hundred candidates, and these are compared:
that takes a fourth of the time, and reads a tenth of the bytes. All files are mapped into memory, so opening reads
next to nothing; only sketches are loaded.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy

from ai_library_bot.errors import BadData
from ai_library_bot.index import disk, shards
from ai_library_bot.index.shards import VECTORS as VECTORS
from ai_library_bot.index.shards import Rows, Shard
from ai_library_bot.types import passage_id

if TYPE_CHECKING:
    import io

    from numpy.typing import NDArray

    from ai_library_bot.protocols import Matrix, Vector

PRIVATE_FILES = (shards.LIST,)
"""The file that a writer replaces; all others are never changed once written."""

_SHARD_BYTES = 64 * 2**20  # of a full shard: what a writer holds in memory, and the most that one merge writes
_SKETCHED = 4  # a shard gets a sketch from this part of a full one on
_BLOCK = 8192  # vectors in full precision at a time

_EXACT_ROWS = 200_000
"""Up to so many vectors are compared one by one: 8 ms with 384 dimensions."""

_CANDIDATES = 300  # that sketches name; with 200 of them a hundredth of the thirty nearest among a million is missed
_CANDIDATES_PER_HIT = 4
_SHARE = 2  # times what a shard would have of the candidates if all had the same: the more are asked for, the slower
_WIDEST = 16  # asking a sketch for more than this part of its rows costs more than comparing them


def write(
    folder: Path,
    number: int,
    added: Iterable[tuple[str, Matrix]],
    keep: Collection[str],
    *,
    shard_rows: int | None = None,
) -> None:
    """Adds books to the staged folder of vectors, and takes out those that are neither added nor in `keep`.

    `added` are books with the vectors of all their passages in order, `(n, d)` float32 of unit length; a book that is
    there already is replaced. `number` is the generation's; new files are named after it. A shard is full with
    `shard_rows`. What else was in the folder is removed, and the folder itself where no book is left.
    Raises CannotWrite, BadData.
    """
    with disk.writing_into(folder):
        dimensions, old = shards.read(folder) if (folder / shards.LIST).exists() else (0, [])
        folder.mkdir(exist_ok=True)
        writer = _ShardWriter(folder, number, shard_rows)
        for book_id, vectors in added:
            writer.add(book_id, vectors)
        gone = {book.book_id for shard in old for book in shard.books}.difference(keep) | writer.books
        staying: list[Shard] = []
        for shard in reversed([shard.without(gone) for shard in old]):
            if shards.worth_merging(shard, writer.waiting, shard_rows or _full(dimensions)):
                writer.move(shard)
            else:
                staying.append(shard)
        written = writer.close()
        listed = [*reversed(staying), *written]
        for name in {path.name for path in folder.iterdir()} - {n for shard in listed for n in _names(shard.name)}:
            (folder / name).unlink()
        if listed:
            shards.write(folder, writer.dimensions if written else dimensions, listed)
        else:
            folder.rmdir()


def _full(dimensions: int) -> int:
    """The rows of a full shard."""
    return _SHARD_BYTES // (2 * dimensions)


def _names(shard: str) -> tuple[str, str]:
    """The names of a shard's vectors and of its sketch."""
    return shard + ".faiss", shard + ".sketch"


class _ShardWriter:
    """Gathers vectors in memory, and writes a shard whenever one is full."""

    def __init__(self, folder: Path, number: int, shard_rows: int | None) -> None:
        self._folder, self._number, self._shard_rows = folder, number, shard_rows
        self._written: list[Shard] = []
        self._vectors: Any = None  # of the shard that is being gathered, with its books
        self._books: list[Rows] = []

    @property
    def dimensions(self) -> int:
        return int(self._vectors.d)

    @property
    def waiting(self) -> int:
        """The vectors that are not yet in a shard."""
        return self._vectors.ntotal if self._books else 0

    @property
    def books(self) -> set[str]:
        return {book.book_id for books in (*(shard.books for shard in self._written), self._books) for book in books}

    def add(self, book_id: str, vectors: Matrix) -> None:
        """Adds a book."""
        self._make_room(*vectors.shape)
        self._books.append(Rows(book_id, self.waiting, len(vectors)))
        if len(vectors):
            self._vectors.add(vectors)

    def move(self, shard: Shard) -> None:
        """Adds the books of another shard, their vectors as they are."""
        other = _opened(self._folder / _names(shard.name)[0])
        stored = _stored(other)
        for book in shard.books:
            self._make_room(book.length, other.d)
            self._books.append(Rows(book.book_id, self.waiting, book.length))
            if book.length:
                self._vectors.add_sa_codes(stored[book.start : book.start + book.length])

    def close(self) -> list[Shard]:
        """Writes what is waiting; returns all shards written."""
        if self._books:
            self._flush()
        return self._written

    def _make_room(self, count: int, dimensions: int) -> None:
        """Begins a shard, if there is none or this one is full; a book stands in one shard."""
        if self._books and dimensions != self.dimensions:
            raise ValueError(f"vectors of {dimensions} dimensions beside others of {self.dimensions}")
        if self.waiting and self.waiting + count > (self._shard_rows or _full(dimensions)):
            self._flush()
        if not self._books:
            half = faiss.ScalarQuantizer.QT_fp16
            self._vectors = faiss.IndexScalarQuantizer(dimensions, half, faiss.METRIC_INNER_PRODUCT)

    def _flush(self) -> None:
        shard = Shard(f"{self._number:06d}-{len(self._written):02d}", self.waiting, tuple(self._books))
        vectors, sketch = _names(shard.name)
        disk.write(self._folder / vectors, _serialized(self._vectors))
        if shard.rows >= max(1, (self._shard_rows or _full(self.dimensions)) // _SKETCHED):
            disk.write(self._folder / sketch, _serialized(_sketch(self._vectors)))
        self._written.append(shard)
        self._books = []


def _sketch(vectors: Any) -> Any:
    """The sketch of a shard's vectors."""
    sketch = faiss.IndexRaBitQFastScan(vectors.d, faiss.METRIC_INNER_PRODUCT)
    sample = numpy.arange(0, vectors.ntotal, 1 + vectors.ntotal // _BLOCK)
    sketch.train(vectors.reconstruct_batch(sample))  # takes the mean
    for start in range(0, vectors.ntotal, _BLOCK):
        sketch.add(vectors.reconstruct_n(start, min(_BLOCK, vectors.ntotal - start)))
    return sketch


def _serialized(index: Any) -> memoryview:
    """The bytes of a file that `_opened` opens. faiss itself writes files without noticing that a disk is full."""
    return memoryview(faiss.serialize_index(index))  # type: ignore[arg-type]  # an array is a buffer


def _opened(path: Path) -> Any:
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise BadData("file_damaged", file=str(path)) from error


def _stored(vectors: Any) -> NDArray[numpy.uint8]:
    """The stored vectors, `(n, 2 d)` bytes, in place: good for as long as `vectors` is there."""
    size = vectors.code_size
    return faiss.rev_swig_ptr(vectors.codes.data(), vectors.ntotal * size).reshape(-1, size)


def _read(file: io.FileIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


class VectorIndex:
    """Reads the vectors in `folder`; any number of these may be open, and any number of threads may ask one.

    More than `exact_rows` vectors are looked through by sketches. Raises BadData for a damaged file.
    """

    def __init__(self, folder: Path, *, exact_rows: int = _EXACT_ROWS) -> None:
        self.dimensions, listed = shards.read(folder)
        self.passages = sum(shard.live for shard in listed)
        """How many passages have a vector."""
        self._exact_rows = exact_rows
        self._shards = [_OpenShard(folder, shard, sketched=self.passages > exact_rows) for shard in listed]
        self._places = {book.book_id: (shard, book) for shard in self._shards for book in shard.books}
        self.books = frozenset(self._places)
        """The ids of the books that have vectors; those of a book are all there."""

    def nearest(self, vector: Vector, limit: int, book_ids: Collection[str] | None = None) -> list[tuple[str, float]]:
        """The `limit` passages whose vectors are nearest to `vector`, each with its cosine, best first.

        Only those of the books `book_ids` if given: then there are fewer only if these have no more passages.
        """
        faiss.omp_set_num_threads(1)  # of this thread: threads that share one question mostly wait for each other
        chosen = [shard.choose(book_ids) for shard in self._shards]
        wanted = sum(shard.count(books) for shard, books in zip(self._shards, chosen, strict=True))
        by_sketch = wanted > self._exact_rows
        depth = max(_CANDIDATES, _CANDIDATES_PER_HIT * limit) if by_sketch else limit
        asked = list(zip(self._shards, chosen, strict=True))
        few = min(depth, max(limit, _SHARE * depth // max(1, len(asked)))) if by_sketch else depth
        looked = [shard.near(vector, few, books, by_sketch=by_sketch) for shard, books in asked]
        for place, among_best in enumerate(_best([likeness for _, likeness in looked], depth)):
            if few <= len(among_best) < depth:  # all that the shard gave: it may have more
                shard, books = asked[place]
                looked[place] = shard.near(vector, depth, books, by_sketch=by_sketch)
        worth = _best([likeness for _, likeness in looked], depth)
        rows = [rows[places] for (rows, _), places in zip(looked, worth, strict=True)]
        cosines = [shard.cosines(vector, of_shard) for shard, of_shard in zip(self._shards, rows, strict=True)]
        found = [
            named
            for shard, of_shard, likeness, places in zip(
                self._shards, rows, cosines, _best(cosines, limit), strict=True
            )
            for named in zip(shard.passages(of_shard[places]), likeness[places].tolist(), strict=True)
        ]
        return sorted(found, key=lambda named: (-named[1], named[0]))[:limit]

    def cosines(self, vector: Vector, passage_ids: Sequence[str]) -> list[float | None]:
        """The cosine of each passage's vector with `vector`; None for a passage that has none."""
        places, vectors = self.known(passage_ids)
        cosines: list[float | None] = [None] * len(passage_ids)
        for place, cosine in zip(places, (vectors @ vector).tolist(), strict=True):
            cosines[place] = cosine
        return cosines

    def known(self, passage_ids: Sequence[str]) -> tuple[list[int], Matrix]:
        """The vectors of those of the passages that have one, and the places of these in `passage_ids`."""
        places, found = [], []
        for place, passage in enumerate(passage_ids):
            book_id, _, number = passage.rpartition(":")
            if book_id in self._places and int(number) < self._places[book_id][1].length:
                places.append(place)
                found.append((book_id, int(number)))
        return places, self.vectors(found)

    def vectors(self, passages: Sequence[tuple[str, int]]) -> Matrix:
        """The vectors of passages, each given by its book's id and its number there. Raises KeyError."""
        found = numpy.empty((len(passages), self.dimensions), numpy.float32)
        rows: dict[_OpenShard, list[tuple[int, int]]] = {}
        for place, (book_id, number) in enumerate(passages):
            shard, book = self._places[book_id]
            rows.setdefault(shard, []).append((place, book.start + number))
        for shard, of_shard in rows.items():
            places, numbers = numpy.array(of_shard).T
            found[places] = shard.vectors(numbers)
        return found


def _best(likenesses: Sequence[NDArray[numpy.float32]], count: int) -> list[NDArray[numpy.int64]]:
    """The places, in each of the lists, of the `count` largest of all."""
    together = numpy.concatenate(likenesses)
    if len(together) <= count:
        return [numpy.arange(len(likeness)) for likeness in likenesses]
    least = numpy.partition(together, -count)[-count]
    return [numpy.flatnonzero(likeness >= least) for likeness in likenesses]


class _OpenShard:
    """A shard, mapped into memory, and its sketch if it is wanted and there is one."""

    def __init__(self, folder: Path, shard: Shard, *, sketched: bool) -> None:
        vectors, sketch = (folder / name for name in _names(shard.name))
        self.books = shard.books
        self._vectors = _opened(vectors)
        self._file = vectors.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._codes = vectors.stat().st_size - shard.rows * self._vectors.code_size  # they end the file
        self._reading = threading.Lock()
        self._sketch = _opened(sketch) if sketched and sketch.exists() else None
        self._starts = numpy.array([book.start for book in shard.books])
        self._lengths = numpy.array([book.length for book in shard.books])

    def choose(self, book_ids: Collection[str] | None) -> NDArray[numpy.bool_]:
        """Which of the shard's books are wanted."""
        if book_ids is None:
            return numpy.ones(len(self.books), bool)
        return numpy.array([book.book_id in book_ids for book in self.books])

    def count(self, chosen: NDArray[numpy.bool_]) -> int:
        """How many vectors the chosen books have."""
        return int(self._lengths[chosen].sum())

    def near(
        self, vector: Vector, count: int, chosen: NDArray[numpy.bool_], *, by_sketch: bool
    ) -> tuple[NDArray[numpy.int64], NDArray[numpy.float32]]:
        """The `count` rows of the chosen books that are nearest, and how like they are, both in no certain order.

        By sketch both are an estimate, but as many rows come as there are.
        """
        wanted = self.count(chosen)
        count = min(count, wanted)
        if not count:
            return numpy.empty(0, numpy.int64), numpy.empty(0, numpy.float32)
        if by_sketch and self._sketch is not None:
            width = count * self._vectors.ntotal // wanted
            while width * _WIDEST <= self._vectors.ntotal:
                likeness, rows = self._sketch.search(vector[None], width)
                kept = self._among(rows[0], chosen)
                if kept.sum() >= count:
                    return rows[0][kept], likeness[0][kept]
                width *= 2
        likeness, rows = self._vectors.search(vector[None], count, params=self._only(chosen))
        return rows[0], likeness[0]

    def passages(self, rows: NDArray[numpy.int64]) -> list[str]:
        """The ids of the passages whose vectors stand in these rows."""
        places = numpy.searchsorted(self._starts, rows, "right") - 1
        numbers = rows - self._starts[places]
        named = zip(places.tolist(), numbers.tolist(), strict=True)
        return [passage_id(self.books[place].book_id, number) for place, number in named]

    def cosines(self, vector: Vector, rows: NDArray[numpy.int64]) -> NDArray[numpy.float32]:
        """The cosines of the vectors in these rows."""
        found: NDArray[numpy.float32] = self.vectors(rows) @ vector
        return found

    def vectors(self, rows: NDArray[numpy.int64]) -> Matrix:
        """The vectors in these rows, `(n, d)`.

        They are read from the file: of its map each would bring up to two megabytes of its surroundings into memory.
        """
        size = self._vectors.code_size
        with self._reading:
            codes = b"".join(_read(self._file, self._codes + row * size, size) for row in rows.tolist())
        return numpy.frombuffer(codes, "<f2").reshape(len(rows), self._vectors.d).astype(numpy.float32)

    def _among(self, rows: NDArray[numpy.int64], chosen: NDArray[numpy.bool_]) -> NDArray[numpy.bool_]:
        """Which of the rows belong to the chosen books; a row of a removed book belongs to none."""
        places = numpy.searchsorted(self._starts, rows, "right") - 1
        inside = rows - self._starts[places] < self._lengths[places]
        among: NDArray[numpy.bool_] = (places >= 0) & chosen[places] & inside
        return among

    def _only(self, chosen: NDArray[numpy.bool_]) -> Any:
        """The faiss parameters that confine a search to the chosen books; None where these are all there is."""
        if self.count(chosen) == self._vectors.ntotal:
            return None
        wanted = numpy.zeros(self._vectors.ntotal, bool)
        for start, count in zip(self._starts[chosen], self._lengths[chosen], strict=True):
            wanted[start : start + count] = True
        selector: Any = faiss.IDSelectorBitmap  # the stubs know only its C++ face
        parameters: Any = faiss.SearchParameters
        return parameters(sel=selector(numpy.packbits(wanted, bitorder="little")))
