"""What words and meaning say together about a passage.

The score of the words, per unit of the question's weight (see `ranking`), and the likeness of the meanings are added.
The likeness is the cosine of question and passage, both seen from the mean of the passages of that language. Models
differ in the range of their cosines, because all their vectors share a direction (Mu & Viswanath, "All-but-the-Top",
2018). Without it the best passage of a shelf that has no answer comes out at 0.2 to 0.3, one that answers at 0.3 to
0.6: so it was with two models, of which one gives cosines above 0.6 to everything. It counts squared, so a model that
only guesses moves next to nothing.

The words of a question in Russian stand in no English book. There they prove nothing, and what is relevant is told by
the likeness alone, as far as the model can read both.

A low likeness speaks against a passage only if the model can read its language. That is tried on the books themselves:
a model that can read finds the next passage of a book more like a passage than the one after the next but one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy

from ai_library_bot.index import catalogue, disk
from ai_library_bot.index.ranking import Scored, relevance
from ai_library_bot.index.vectors import VectorIndex
from ai_library_bot.text import CYRILLIC_LANGUAGES

if TYPE_CHECKING:
    from ai_library_bot.protocols import Matrix, Vector
    from ai_library_bot.types import Book

CALIBRATION = "calibration.json"
"""The file beside the shards that says how the vectors of each language are to be read."""

_WEIGHT = 2.0  # of the squared likeness; 1.5 or 2.5 moves the figures for articles and tales by 0.007 at most
DOUBT = 0.3
"""The support that speaks neither for nor against a passage: that of a likeness of 0.39, or of a passage unknown."""

_UNHEARD = 0.97
"""What the words of a question count at least for the relevance of a passage that can't hold them, being in another
script: with it a likeness of 0.3 is just relevant. Three in five questions that a shelf answers have a passage of that,
of those it does not answer one in a hundred (multilingual-e5-small, Russian questions about English books)."""

_SAMPLE = 1024  # passages of a language that its calibration looks at
_BORROWED = 8  # passages' worth of the mean of all languages in the mean of each: some have only one or two passages
_NEAR, _FAR = 1, 3  # passages further on in the book
_BLIND, _SEEING = 0.6, 0.7  # how often near is more like than far: 0.57 where MiniLM reads Russian, else 0.71 to 0.75
_UNDECIDED = 10  # trials, half of them lost, that are added: a few passages prove nothing


class Language(NamedTuple):
    """The mean of the vectors of a language's passages, and whether the model can read it: 0 not at all, 1 well."""

    mean: Vector
    sight: float


class Likeness(NamedTuple):
    """How like a question a passage is, -1…1, and the model's `sight` for its language (see `Language`)."""

    cosine: float
    sight: float


def support(likeness: Likeness | None) -> float:
    """What the meaning adds to the score of the words; more than DOUBT speaks for the passage, less against it."""
    if likeness is None:
        return DOUBT
    return max(DOUBT * (1 - likeness.sight), _WEIGHT * max(0.0, likeness.cosine) ** 2)


class Meaning:
    """The vectors of a generation in the folder `vectors`, with the calibration of their languages."""

    def __init__(self, vectors: Path) -> None:
        self._vectors = VectorIndex(vectors)
        self._languages = _read(vectors / CALIBRATION)
        self.dimensions = self._vectors.dimensions

    def nearest(self, vector: Vector, limit: int, book_ids: Collection[str] | None = None) -> list[str]:
        """The ids of the passages whose vectors are nearest to `vector`, of the books `book_ids` only if given."""
        return [passage for passage, _ in self._vectors.nearest(vector, limit, book_ids)]

    def rank(
        self,
        vector: Vector,
        passages: Sequence[tuple[str, str]],
        by_words: Iterable[Scored],
        weight: float,
        *,
        asked_in: str = "",
    ) -> list[Scored]:
        """The passages in the order of words and meaning, without those that neither of the two has found.

        Each comes with its id and its book's language, and `by_words` with the score of its words; `weight` is the
        whole weight of the question's terms, `asked_in` its language where that is known.
        """
        found = []
        likenesses = self.likenesses(vector, passages)
        reads_question = self._languages[asked_in].sight if asked_in in self._languages else 1.0
        for words in by_words:
            passage, language = passages[words.number]
            likeness = likenesses[words.number]
            by_word, by_meaning = words.score / weight, support(likeness)
            if by_word + by_meaning > 0:
                heard = by_word
                if likeness and _other_script(asked_in, language):
                    heard = max(heard, _UNHEARD * min(likeness.sight, reads_question))
                scored = Scored(words.number, by_word + by_meaning, relevance(heard + by_meaning - DOUBT))
                found.append((-scored.score, -(likeness.cosine if likeness else 0.0), passage, scored))
        return [scored for *_, scored in sorted(found)]

    def likenesses(self, vector: Vector, passages: Sequence[tuple[str, str]]) -> list[Likeness | None]:
        """How like the vector each passage is; None for one that has no vector."""
        by_language: dict[str, list[int]] = defaultdict(list)
        for place in sorted(range(len(passages)), key=lambda place: passages[place]):  # sums round by their order
            if (language := passages[place][1]) in self._languages:
                by_language[language].append(place)
        found: list[Likeness | None] = [None] * len(passages)
        for language, places in by_language.items():
            mean, sight = self._languages[language]
            known, vectors = self._vectors.known([passages[place][0] for place in places])
            to_mean, mean_squared = float(vector @ mean), float(mean @ mean)
            cosines = zip(known, (vectors @ vector).tolist(), (vectors @ mean).tolist(), strict=True)
            for place, cosine, from_mean in cosines:
                found[places[place]] = Likeness(_centred(cosine, to_mean, from_mean, mean_squared), sight)
        return found


def _other_script(asked_in: str, language: str) -> bool:
    """Whether a question and a book can't share words."""
    return bool(asked_in and language) and (asked_in in CYRILLIC_LANGUAGES) != (language in CYRILLIC_LANGUAGES)


def _centred(cosine: float, question_to_mean: float, passage_to_mean: float, mean_squared: float) -> float:
    """The cosine of two unit vectors as seen from the mean, by their inner products with each other and with it."""
    lengths = (1 - 2 * question_to_mean + mean_squared) * (1 - 2 * passage_to_mean + mean_squared)
    if lengths < 1e-9:  # one of them is the mean
        return 0.0
    return float((cosine - question_to_mean - passage_to_mean + mean_squared) / lengths**0.5)


def calibrate(vectors: Path) -> None:
    """Writes the calibration of the staged folder `vectors`; the catalogue stands beside the folder.

    Without the folder there is nothing to do. Raises CannotWrite.
    """
    if not vectors.exists():
        return
    index = VectorIndex(vectors)
    by_language: dict[str, list[Book]] = defaultdict(list)
    for book in catalogue.read(vectors.parent):
        if book.id in index.books:
            by_language[book.language].append(book)
    trials = {language: _trials(index, books) for language, books in by_language.items()}
    sample = numpy.concatenate([here for here, _, _ in trials.values()])
    everything = sample.sum(axis=0) / max(1, len(sample))  # books may have no passages
    fields = {}
    for language, (here, near, far) in sorted(trials.items()):
        mean = (here.sum(axis=0) + _BORROWED * everything) / (len(here) + _BORROWED)
        fields[language] = {"mean": [round(float(value), 5) for value in mean], "sight": _sight(mean, here, near, far)}
    with disk.writing_into(vectors):
        disk.write(vectors / CALIBRATION, json.dumps(fields, separators=(",", ":")).encode())


def _read(path: Path) -> dict[str, Language]:
    return {
        language: Language(numpy.array(fields["mean"], numpy.float32), fields["sight"])
        for language, fields in json.loads(path.read_bytes()).items()
    }


def _trials(index: VectorIndex, books: Sequence[Book]) -> tuple[Matrix, Matrix, Matrix]:
    """Vectors of passages spread evenly over the books, and of those `_NEAR` and `_FAR` further on.

    The first come from every part of every book, those that have nothing so far behind them last.
    """
    step = 1 + sum(book.passages for book in books) // _SAMPLE
    here, near, far, last = [], [], [], []
    seen = 0
    for book in books:
        for number in range(-seen % step, book.passages, step):
            if number + _FAR < book.passages:
                here.append((book.id, number))
                near.append((book.id, number + _NEAR))
                far.append((book.id, number + _FAR))
            else:
                last.append((book.id, number))
        seen += book.passages
    return index.vectors(here + last), index.vectors(near), index.vectors(far)


def _sight(mean: Vector, here: Matrix, near: Matrix, far: Matrix) -> float:
    here, near, far = (_unit(vectors - mean) for vectors in (here[: len(near)], near, far))
    won = int(((here * near).sum(axis=1) > (here * far).sum(axis=1)).sum())
    rate = (won + _UNDECIDED / 2) / (len(near) + _UNDECIDED)
    return round(min(1.0, max(0.0, (rate - _BLIND) / (_SEEING - _BLIND))), 3)


def _unit(vectors: Matrix) -> Matrix:
    lengths = numpy.linalg.norm(vectors, axis=1, keepdims=True)
    units: Matrix = vectors / numpy.maximum(lengths, 1e-9)
    return units
