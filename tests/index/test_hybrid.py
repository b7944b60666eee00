"""Words and meaning together: a sure engine leads, a guessing one changes nothing, and every model is read alike."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.index import catalogue, vectors
from ai_library_bot.index.hybrid import CALIBRATION, DOUBT, Likeness, Meaning, calibrate, support
from ai_library_bot.index.ranking import Scored, relevance
from ai_library_bot.types import Book, passage_id

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ai_library_bot.protocols import Matrix

DIMENSIONS = 24
COSINES = st.floats(-1, 1)
SIGHTS = st.floats(0, 1)


def units(matrix: NDArray[numpy.float64]) -> Matrix:
    found: Matrix = (matrix / numpy.linalg.norm(matrix, axis=1, keepdims=True)).astype(numpy.float32)
    return found


def told(passages: int, *, seed: int = 0) -> Matrix:
    """A book as a model sees it that can read: each passage goes on from the one before."""
    noise = numpy.random.default_rng(seed)
    place = noise.normal(size=DIMENSIONS)
    rows = []
    for _ in range(passages):
        place = 0.8 * place + 0.6 * noise.normal(size=DIMENSIONS)
        rows.append(place)
    return units(numpy.array(rows))


def guessed(passages: int, *, seed: int = 0) -> Matrix:
    """A book as a model sees it that cannot read: all passages are alike, and differ at random."""
    noise = numpy.random.default_rng(seed).normal(size=(passages, DIMENSIONS))
    noise[:, 0] += 8
    return units(noise)


def meaning(folder: Path, *books: tuple[str, Matrix]) -> Meaning:
    """The vectors of books `b0`, `b1`…, each given with its language."""
    made = [
        Book(f"b{number}", Path(f"{number}.md"), "", (), language, None, "md", 1, 1, len(matrix), 1)
        for number, (language, matrix) in enumerate(books)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    catalogue.write(folder, made)
    vectors.write(
        folder / "vectors", 1, ((book.id, matrix) for book, (_, matrix) in zip(made, books, strict=True)), set()
    )
    calibrate(folder / "vectors")
    return Meaning(folder / "vectors")


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> tuple[Meaning, Matrix]:
    story = told(200)
    return meaning(tmp_path_factory.mktemp("english"), ("en", story)), story


class TestSupport:
    @given(COSINES, COSINES, SIGHTS)
    def test_the_more_alike_the_more_support(self, one: float, other: float, sight: float) -> None:
        less, more = sorted((one, other))
        assert support(Likeness(less, sight)) <= support(Likeness(more, sight))

    @given(COSINES)
    def test_a_model_that_cannot_read_never_speaks_against_a_passage(self, cosine: float) -> None:
        assert support(Likeness(cosine, 0)) >= DOUBT == support(None)

    @given(st.floats(-1, 0.38))
    def test_a_model_that_cannot_read_and_only_guesses_says_nothing(self, cosine: float) -> None:
        assert support(Likeness(cosine, 0)) == DOUBT

    @given(COSINES, SIGHTS)
    def test_no_passage_loses_more_than_the_doubt(self, cosine: float, sight: float) -> None:
        assert support(Likeness(cosine, sight)) >= 0


WORDS = st.lists(st.integers(0, 300).map(lambda tenths: tenths / 10), min_size=1, max_size=40)


def by_words(scores: list[float]) -> list[Scored]:
    return [Scored(number, score, relevance(score / 10)) for number, score in enumerate(scores)]


def passages(count: int, book: str = "b0", language: str = "en") -> list[tuple[str, str]]:
    return [(passage_id(book, number), language) for number in range(count)]


class TestOrder:
    @given(WORDS, st.integers(0, 199), st.randoms(use_true_random=False))
    def test_the_order_of_the_input_makes_no_difference(
        self, english: tuple[Meaning, Matrix], scores: list[float], asked: int, chance: random.Random
    ) -> None:
        index, story = english
        known = passages(len(scores))
        shuffled = list(range(len(scores)))
        chance.shuffle(shuffled)
        one = index.rank(story[asked], known, by_words(scores), 10)
        other = index.rank(
            story[asked], [known[place] for place in shuffled], by_words([scores[place] for place in shuffled]), 10
        )
        assert [(known[found.number][0], found.score) for found in one] == [
            (known[shuffled[found.number]][0], found.score) for found in other
        ]

    @given(WORDS, st.integers(0, 199))
    def test_scores_fall_and_relevance_with_them(
        self, english: tuple[Meaning, Matrix], scores: list[float], asked: int
    ) -> None:
        index, story = english
        found = index.rank(story[asked], passages(len(scores)), by_words(scores), 10)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        assert [one.relevance for one in found] == sorted((one.relevance for one in found), reverse=True)
        assert all(one.score > 0 and 0 <= one.relevance <= 1 for one in found)

    @given(WORDS)
    def test_passages_without_vectors_keep_the_order_and_the_relevance_of_their_words(
        self, english: tuple[Meaning, Matrix], scores: list[float]
    ) -> None:
        index, story = english
        found = index.rank(story[0], passages(len(scores), "elsewhere"), by_words(scores), 10)
        expected = sorted(by_words(scores), key=lambda one: (-one.score, one.number))
        assert [one.number for one in found] == [one.number for one in expected]
        assert [one.relevance for one in found] == pytest.approx([one.relevance for one in expected], abs=2e-4)

    def test_of_two_that_have_the_same_words_the_one_that_means_the_same_comes_first(
        self, english: tuple[Meaning, Matrix]
    ) -> None:
        index, story = english
        assert index.rank(story[7], passages(20), by_words([5.0] * 20), 10)[0].number == 7

    def test_where_the_words_of_a_question_cannot_stand_likeness_alone_makes_relevant(
        self, english: tuple[Meaning, Matrix]
    ) -> None:
        index, story = english
        by_language = {
            asked_in: index.rank(story[7], passages(200), by_words([0.0] * 200), 10, asked_in=asked_in)
            for asked_in in ("", "en", "ru")
        }
        orders = {tuple(one.number for one in found) for found in by_language.values()}
        assert len(orders) == 1
        assert by_language["en"] == by_language[""]
        assert by_language["en"][0].relevance < by_language["ru"][0].relevance
        assert by_language["ru"][0].number == 7
        assert by_language["ru"][0].relevance >= 0.7 > by_language["ru"][-1].relevance

    def test_a_model_that_cannot_read_question_or_book_makes_nothing_relevant_by_itself(self, tmp_path: Path) -> None:
        read, unread = told(300), guessed(300)
        index = meaning(tmp_path, ("en", read), ("ru", unread))
        for asked_in, book, language, question in (("en", "b1", "ru", read[7]), ("ru", "b0", "en", unread[7])):
            for_words_alone, found = (
                index.rank(question, passages(200, book, language), by_words([0.0] * 200), 10, asked_in=known)
                for known in ("", asked_in)
            )
            assert found == for_words_alone

    def test_a_passage_that_neither_has_found_is_no_hit(self, english: tuple[Meaning, Matrix]) -> None:
        index, story = english
        unlike = int((story @ story[0]).argmin())
        assert index.rank(story[0], [(passage_id("b0", unlike), "en")], by_words([0.0]), 10) == []


class TestBlindness:
    def test_a_guessing_engine_leaves_the_order_of_a_sure_one(self, tmp_path: Path) -> None:
        index = meaning(tmp_path, ("ru", guessed(200)))
        questions = guessed(20, seed=1)
        scores = [20.0 - number for number in range(20)]
        for question in questions:
            found = index.rank(question, passages(20, language="ru"), by_words(scores), 10)
            assert found[0].number == 0
            assert found[0].relevance >= relevance(2.0)

    def test_what_a_seeing_engine_finds_unlike_is_less_relevant(self, english: tuple[Meaning, Matrix]) -> None:
        index, story = english
        unlike = int((story @ story[0]).argmin())
        (found,) = index.rank(story[0], [(passage_id("b0", unlike), "en")], by_words([9.0]), 10)
        assert found.relevance < relevance(0.9)


class TestCalibration:
    @pytest.mark.parametrize(("book", "sight"), [(told(300), 1.0), (guessed(300), 0.0), (told(4), 0.0)])
    def test_the_books_tell_whether_the_model_can_read(self, tmp_path: Path, book: Matrix, sight: float) -> None:
        likeness = self.likeness(meaning(tmp_path, ("en", book)), book[0], passage_id("b0", 1))
        assert likeness.sight == sight

    def test_each_language_is_tried_by_itself(self, tmp_path: Path) -> None:
        read, unread = told(150), guessed(150)
        index = meaning(tmp_path, ("en", read), ("ru", unread))
        assert self.likeness(index, read[3], passage_id("b0", 3)).sight == 1
        assert self.likeness(index, unread[3], passage_id("b1", 3), "ru").sight == 0

    def test_passages_of_a_language_are_not_alike_for_being_of_it(self, tmp_path: Path) -> None:
        unread = guessed(150)
        index = meaning(tmp_path, ("en", told(150)), ("ru", unread))
        cosines = [self.likeness(index, unread[0], passage_id("b1", number), "ru").cosine for number in range(1, 150)]
        assert abs(float(numpy.mean(cosines))) < 0.1
        assert float((unread[1:] @ unread[0]).mean()) > 0.6

    @pytest.mark.parametrize("stretch", [0.05, 0.3, 0.9])
    def test_the_range_of_a_models_cosines_makes_no_difference(self, tmp_path: Path, stretch: float) -> None:
        def narrowed(vectors: Matrix) -> Matrix:
            shared = numpy.full((len(vectors), 1), (1 - stretch) ** 0.5, numpy.float32)
            return numpy.hstack([vectors * stretch**0.5, shared]).astype(numpy.float32)

        story, questions = told(120), told(10, seed=5)
        wide = meaning(tmp_path / "wide", ("en", story))
        narrow = meaning(tmp_path / "narrow", ("en", narrowed(story)))
        for one, other in zip(questions, narrowed(questions), strict=True):
            found, again = (
                {hit.number: hit.score for hit in index.rank(question, passages(120), by_words([1.0] * 120), 10)}
                for index, question in ((wide, one), (narrow, other))
            )
            assert found == pytest.approx(again, abs=0.03)  # half precision of stored vectors

    def test_many_books_are_tried_by_a_sample_of_all(self, tmp_path: Path) -> None:
        books = [("en", told(700, seed=number)) for number in range(5)]
        index = meaning(tmp_path, *books)
        assert self.likeness(index, books[4][1][0], passage_id("b4", 0)).sight == 1

    def test_the_only_passage_of_a_language_can_still_be_like_a_question(self, tmp_path: Path) -> None:
        only = told(1, seed=9)
        index = meaning(tmp_path, ("en", told(100)), ("de", only))
        assert self.likeness(index, only[0], passage_id("b1", 0), "de").cosine > 0.9

    @pytest.mark.parametrize("count", [0, 1, 2, 3])
    def test_a_library_of_a_few_passages_is_left_to_its_words(self, tmp_path: Path, count: int) -> None:
        index = meaning(tmp_path, ("en", told(3)[:count]))
        for one in index.rank(told(1, seed=3)[0], passages(count), by_words([8.0] * count), 10):
            assert one.relevance >= relevance(0.8)

    def test_where_there_are_no_vectors_there_is_nothing_to_calibrate(self, tmp_path: Path) -> None:
        calibrate(tmp_path / "vectors")
        assert list(tmp_path.iterdir()) == []

    def test_a_calibration_is_made_anew_with_the_vectors(self, tmp_path: Path) -> None:
        meaning(tmp_path, ("en", told(100)))
        before = (tmp_path / "vectors" / CALIBRATION).read_bytes()
        vectors.write(tmp_path / "vectors", 2, [("b0", guessed(100))], set())
        calibrate(tmp_path / "vectors")
        assert (tmp_path / "vectors" / CALIBRATION).read_bytes() != before

    def likeness(self, index: Meaning, question: object, passage: str, language: str = "en") -> Likeness:
        (found,) = index.likenesses(question, [(passage, language)])  # type: ignore[arg-type]
        assert found is not None
        return found
