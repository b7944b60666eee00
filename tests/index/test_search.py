"""What a query finds: the words in all their forms, typing errors, the right order, and always one generation."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ai_library_bot.errors import BadData, BadRequest, MissingInput, Unavailable
from ai_library_bot.index.search import SearchIndex
from ai_library_bot.types import SearchResult
from tests.fakes_embedder import FakeEmbedder, hashed_words
from tests.shelves import Shelf

WALK = "Он вышел из дома рано утром и шёл по дороге до самого вечера, пока не увидел огни."
PEOPLE = "На площади собрались люди. Они молчали и смотрели на пустую башню без часов."
TREE = "Ёлка стояла у окна, и дети ждали праздника с самого начала зимы."
FERRY = "Ferries crossed the strait twice a day, and the ferryman knew every passenger by name."
STORM = "The storm took the roof of the chapel, broke the great bell and drowned nobody at all."
BELL = "A bell hung in the great hall, and the storm outside was no longer heard by anybody there."
WUSTITE = "The mineral wüstite was found in the slag, beside the naïve drawings of a café."
LONG = " ".join(f"Paragraph {number} speaks about the orchard and its {number} apple trees." for number in range(60))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    shelf.put("road.md", WALK, PEOPLE, title="Дорога к морю", author="Пётр Северов", language="ru")
    shelf.put("tree.md", TREE, title="Записки о зиме", author="Лидия Тихонова", language="ru")
    shelf.put("ferry.md", FERRY, STORM, BELL, title="The Ferryman's Ledger", author="Anna Holm", language="en")
    shelf.put("slag.md", WUSTITE, LONG, title="Orchards and Slag", author="John Frost", language="en")
    shelf.ingest()
    return shelf


@pytest.fixture(scope="module")
def index(shelf: Shelf) -> SearchIndex:
    return shelf.open()


def texts(found: SearchResult) -> list[str]:
    return [hit.passage.text for hit in found]


class TestWords:
    @pytest.mark.parametrize(
        ("query", "text"),
        [
            ("идти по дороге", WALK),
            ("идёт", WALK),
            ("шла", WALK),
            ("огонь вечером", WALK),
            ("человек на площади", PEOPLE),
            ("человека", PEOPLE),
            ("елка", TREE),
            ("ЁЛКИ", TREE),
            ("ребёнок", TREE),
            ("ferry", FERRY),
            ("CROSSING THE STRAITS", FERRY),
            ("ferryman’s passengers", FERRY),
            ("wüstite", WUSTITE),
            ("wustite", WUSTITE),
            ("naive cafe", WUSTITE),
            ("drown", STORM),
        ],
    )
    def test_a_word_finds_its_other_forms_and_spellings(self, index: SearchIndex, query: str, text: str) -> None:
        found = index.search(query, 5)
        assert texts(found)[0] == text
        assert found.corrections == ()

    def test_matches_mark_the_words_that_were_asked_for(self, index: SearchIndex) -> None:
        hit = index.search("когда он идёт по дорогам", 5)[0]
        assert [hit.passage.text[start:end] for start, end in hit.matches] == ["шёл", "дороге"]

    def test_what_stands_nowhere_finds_nothing(self, index: SearchIndex) -> None:
        assert texts(index.search("xylophone", 5)) == []

    @pytest.mark.parametrize(
        ("query", "corrections", "text"),
        [
            ("ferrryman", (("ferrryman", "ferryman"),), FERRY),
            ("the strom and the chaple", (("strom", "storm"), ("chaple", "chapel")), STORM),
            ("дети ждут празника", (("празника", "праздника"),), TREE),
            ("пасажиры", (), None),
            ("strm", (("strm", "storm"),), STORM),
            ("bel", (), None),
            ("k9rm5", (), None),
        ],
    )
    def test_a_typing_error_is_mended_only_where_the_word_stands_nowhere(
        self, index: SearchIndex, query: str, corrections: tuple[tuple[str, str], ...], text: str | None
    ) -> None:
        found = index.search(query, 5)
        assert found.corrections == corrections
        assert next(iter(texts(found)), None) == text

    def test_a_word_that_stands_somewhere_is_never_corrected(self, index: SearchIndex) -> None:
        written = {word for text in (WALK, PEOPLE, TREE, FERRY, STORM, BELL, WUSTITE) for word in text.split()}
        for word in sorted(written):
            assert index.search(word, 1).corrections == ()


class TestContext:
    @pytest.mark.parametrize(
        ("query", "title"),
        [
            ("Записки о зиме", "Записки о зиме"),
            ("Тихонова", "Записки о зиме"),
            ("ledger", "The Ferryman's Ledger"),
            ("John Frost", "Orchards and Slag"),
        ],
    )
    def test_titles_and_authors_are_found(self, index: SearchIndex, query: str, title: str) -> None:
        assert index.search(query, 5)[0].book.title == title

    def test_chapters_are_found(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path)
        shelf.put("book.md", data=f"# Book\n\n## The Wall\n\n{FERRY}\n\n## The Orchard\n\n{STORM}\n".encode())
        shelf.put("other.md", WALK, BELL)
        shelf.ingest()
        assert shelf.found("orchard") == [STORM]

    def test_words_of_the_text_count_more_than_those_of_the_title(self, index: SearchIndex) -> None:
        assert texts(index.search("дорога", 5))[0] == WALK


class TestOrder:
    def test_words_in_the_order_of_the_query_come_before_words_far_apart(self, index: SearchIndex) -> None:
        assert texts(index.search("the great bell", 5))[:2] == [STORM, BELL]
        assert texts(index.search("the great hall", 5))[0] == BELL

    def test_a_quoted_phrase_prefers_the_passage_that_has_it(self, index: SearchIndex) -> None:
        assert texts(index.search('"storm outside"', 5))[0] == BELL

    def test_hits_are_ranked_from_one_by_falling_score(self, index: SearchIndex) -> None:
        found = index.search("the storm and the bell of the orchard", 10)
        assert [hit.rank for hit in found] == list(range(1, len(found) + 1))
        assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
        assert all(0 <= hit.relevance <= 1 for hit in found)

    def test_a_shorter_list_is_the_beginning_of_a_longer_one(self, index: SearchIndex) -> None:
        assert index.search("orchard apple", 2).hits == index.search("orchard apple", 10).hits[:2]

    def test_the_same_query_gives_the_same_hits(self, shelf: Shelf, index: SearchIndex) -> None:
        assert shelf.open().search("orchard trees", 10) == index.search("orchard trees", 10)


class TestResult:
    def test_it_names_query_generation_and_mode(self, index: SearchIndex) -> None:
        found = index.search("ferry", 5)
        assert (found.query, found.generation, found.mode) == ("ferry", index.published.number, "lexical")

    def test_it_says_what_was_looked_for(self, index: SearchIndex) -> None:
        (term,) = index.search("шёл", 5).terms
        assert term.word == "шел"
        assert {index.stem(word) for word in ("идти", "шла", "идет")} <= term.stems

    def test_every_hit_comes_with_its_book(self, index: SearchIndex) -> None:
        assert all(hit.book == index.books[hit.passage.book_id] for hit in index.search("the a в на", 50))


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "titles"),
        [
            ({"books": ["дорога"]}, {"Дорога к морю"}),
            ({"books": ["FERRYMAN'S"]}, {"The Ferryman's Ledger"}),
            ({"books": ["ferryman’s ledger"]}, {"The Ferryman's Ledger"}),
            ({"books": ["slag.md"]}, {"Orchards and Slag"}),
            ({"books": ["дорога", "зим"]}, {"Дорога к морю", "Записки о зиме"}),
            ({"authors": ["петр"]}, {"Дорога к морю"}),
            ({"authors": ["Holm", "Frost"]}, {"The Ferryman's Ledger", "Orchards and Slag"}),
            ({"languages": ["ru"]}, {"Дорога к морю", "Записки о зиме"}),
            ({"languages": [" EN "], "authors": ["holm"]}, {"The Ferryman's Ledger"}),
        ],
    )
    def test_only_the_books_named_are_searched(
        self, index: SearchIndex, filters: dict[str, Any], titles: set[str]
    ) -> None:
        everywhere = "the a bell storm orchard дорога люди дети"
        assert {
            book.title
            for book in index.choose(filters.get("books", []), filters.get("authors", []), filters.get("languages", []))
        } == titles
        assert {hit.book.title for hit in index.search(everywhere, 50, **filters)} == titles

    def test_the_beginning_of_an_id_names_a_book(self, index: SearchIndex) -> None:
        for book in index.books.values():
            assert index.choose([book.id[:8]]) == [book]

    @pytest.mark.parametrize(
        ("filters", "key"),
        [
            ({"books": ["Nowhere"]}, "unknown_book"),
            ({"books": ["Orchards", "Nowhere"]}, "unknown_book"),
            ({"authors": ["Nobody"]}, "unknown_author"),
            ({"languages": ["de"]}, "unknown_language"),
            ({"languages": ["ru"], "authors": ["Holm"]}, "no_book_meets_all"),
        ],
    )
    def test_a_filter_that_no_book_meets_is_missing_input(
        self, index: SearchIndex, filters: dict[str, Any], key: str
    ) -> None:
        with pytest.raises(MissingInput) as caught:
            index.search("storm", 5, **filters)
        assert caught.value.key == key
        assert next(iter(filters.values()))[-1] in str(caught.value)


class TestStrangeQueries:
    @pytest.mark.parametrize("query", ["", "   ", "\n\t", "?!…", "«—»", "*:*", "()", "\x00", "😀"])
    def test_blanks_and_punctuation_are_a_bad_request(self, index: SearchIndex, query: str) -> None:
        with pytest.raises(BadRequest) as caught:
            index.search(query, 5)
        assert caught.value.key == "empty_query"

    @pytest.mark.parametrize(
        "query",
        [
            "storm OR",
            'the "storm',
            "storm AND (bell",
            "text:storm",
            "storm~2^3",
            "storm*",
            "[storm TO bell]",
            "-storm",
            "storm\x00bell",
            "storm \ud800",
            "storm\\",
        ],
    )
    def test_nothing_in_a_query_is_a_command(self, index: SearchIndex, query: str) -> None:
        assert STORM in texts(index.search(query, 5))

    @pytest.mark.parametrize(
        "query",
        [
            "storm " * 2000,
            "storm" + "x" * 10_000 + " storm",
            "ш" * 10_000 + " storm",
            "storm " + "".join(f"w{n} " for n in range(2500)),
        ],
    )
    def test_ten_thousand_characters_are_searched_like_any_other(self, index: SearchIndex, query: str) -> None:
        assert STORM in texts(index.search(query, 5))

    def test_a_common_word_alone_is_looked_for_all_the_same(self, index: SearchIndex) -> None:
        assert len(index.search("the", 50)) >= 4


class TestShow:
    def passages(self, index: SearchIndex) -> list[str]:
        return sorted(
            hit.passage.id
            for hit in index.search("orchard apple trees", 50)
            if hit.book.path.name == "slag.md" and hit.passage.chapter[-1] == "Глава 2"
        )

    def test_a_passage_is_shown_with_its_neighbours_in_reading_order(self, index: SearchIndex) -> None:
        ids = self.passages(index)
        excerpt = index.show(ids[1], 1)
        assert (excerpt.passage.id, excerpt.book.path.name) == (ids[1], "slag.md")
        assert [passage.id for passage in excerpt.before] == [ids[0]]
        assert [passage.id for passage in excerpt.after] == [ids[2]]

    def test_all_neighbours_asked_for_stand_in_reading_order(self, index: SearchIndex) -> None:
        ids = self.passages(index)
        assert [passage.id for passage in index.show(ids[2], 2).before] == ids[:2]
        assert [passage.id for passage in index.show(ids[0], 2).after] == ids[1:3]

    def test_neighbours_are_of_the_same_chapter(self, index: SearchIndex) -> None:
        first, *rest = self.passages(index)
        excerpt = index.show(first, 50)
        assert excerpt.before == ()
        assert [passage.id for passage in excerpt.after] == rest

    def test_with_nothing_around_it_stands_alone(self, index: SearchIndex) -> None:
        excerpt = index.show(self.passages(index)[1], 0)
        assert (excerpt.before, excerpt.after) == ((), ())

    def test_the_book_may_be_named_by_the_beginning_of_its_id(self, index: SearchIndex) -> None:
        for hit in index.search("storm orchard дети", 50):
            book, number = hit.passage.id.split(":")
            assert index.show(f" {book[:6]}:{number} ", 0).passage == hit.passage
            assert index.show(f"{book}:{int(number)}", 0).passage == hit.passage

    @pytest.mark.parametrize(
        "passage", ["", ":", ":0000", "zzzz:0000", "0000", "{id}", "{id}:", "{id}:9999", "{id}:x", "{id}:-1"]
    )
    def test_what_is_no_passage_is_missing_input(self, index: SearchIndex, passage: str) -> None:
        with pytest.raises(MissingInput) as caught:
            index.show(passage.format(id=next(iter(index.books))), 1)
        assert caught.value.key == "unknown_passage"

    def test_a_beginning_that_fits_two_books_names_neither(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path)
        for number in range(17):  # more books than hexadecimal digits
            shelf.put(f"{number}.md", f"Книга под номером {number}, в ней почти ничего нет.")
        shelf.ingest()
        (shared, _), *_ = Counter(id_[0] for id_ in shelf.open().books).most_common()
        with pytest.raises(MissingInput):
            shelf.open().show(f"{shared}:0000", 0)


class TestRemoved:
    def test_a_removed_book_is_never_found_again(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path)
        for number in range(12):
            shelf.put(f"{number}.md", f"Общее слово и книга номер {number}, о которой нечего больше сказать.")
        shelf.ingest()
        gone = shelf.open().search("общее слово", 50)[0]
        gone.book.path.unlink()
        shelf.ingest()
        index = shelf.open()
        assert len(index.search("общее слово", 50)) == 11
        assert gone.passage not in [hit.passage for hit in index.search(gone.passage.text, 50)]
        with pytest.raises(MissingInput):
            index.show(gone.passage.id, 1)
        with pytest.raises(MissingInput):
            index.choose([gone.book.path.name])

    def test_an_index_opened_before_finds_it_still(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path)
        shelf.put("one.md", WALK)
        book = shelf.put("two.md", STORM)
        shelf.ingest()
        before = shelf.open()
        first = before.search("storm", 5)
        book.unlink()
        shelf.ingest()
        assert before.search("storm", 5) == first
        assert len(shelf.open().search("storm", 5)) == 0

    @pytest.mark.skipif(sys.platform == "win32", reason="what is open can't be removed there")
    def test_one_removed_since_it_was_opened_is_searched_whole_or_not_at_all(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path)
        shelf.put("storm.md", STORM)
        shelf.ingest(embedder=FakeEmbedder())
        before = shelf.open()
        shelf.put("bell.md", BELL)
        shelf.ingest(embedder=FakeEmbedder())
        shutil.rmtree(before.published.folder)
        assert [hit.passage.text for hit in before.search("storm", 5)] == [STORM]
        with pytest.raises(BadData) as caught:  # its vectors are not there any more
            before.search("storm", 5, vector=hashed_words("storm", 64))
        assert shelf.generations.found_damaged(caught.value)  # so it is to be asked again: of the one that is there
        assert shelf.open().search("storm", 5, vector=hashed_words("storm", 64)).mode == "hybrid"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    shelf = Shelf(tmp_path_factory.mktemp("embedded"))
    shelf.put("road.md", WALK, PEOPLE, title="Дорога к морю", language="ru")
    shelf.put("ferry.md", FERRY, STORM, BELL, title="The Ferryman's Ledger", language="en")
    shelf.put("slag.md", WUSTITE, LONG, title="Orchards and Slag", language="en")
    shelf.ingest(embedder=FakeEmbedder())
    return shelf.open()


class TestMeaning:
    def test_the_index_knows_what_made_its_vectors(self, embedded: SearchIndex, tmp_path: Path) -> None:
        assert embedded.embedder is not None
        assert embedded.embedder.startswith(FakeEmbedder().fingerprint)
        without = Shelf(tmp_path)
        without.put("road.md", WALK)
        without.ingest()
        assert without.open().embedder is None

    def test_what_has_no_word_in_common_is_found_by_its_meaning(self, embedded: SearchIndex) -> None:
        found = embedded.search("xylophone", 5, vector=hashed_words(f"The Ferryman's Ledger {FERRY}", 64))
        assert (found.mode, texts(found)[0]) == ("hybrid", FERRY)
        assert found[0].matches == ()

    def test_words_still_count_and_are_marked(self, embedded: SearchIndex) -> None:
        found = embedded.search("когда он идёт по дорогам", 5, vector=hashed_words("nothing of that kind", 64))
        assert texts(found)[0] == WALK
        assert [WALK[start:end] for start, end in found[0].matches] == ["шёл", "дороге"]

    def test_typing_errors_are_mended_as_ever(self, embedded: SearchIndex) -> None:
        found = embedded.search("the strom", 5, vector=hashed_words("the strom", 64))
        assert found.corrections == (("strom", "storm"),)
        assert STORM in texts(found)

    def test_without_a_vector_words_alone_are_searched(self, embedded: SearchIndex) -> None:
        found = embedded.search("xylophone", 5)
        assert (found.mode, texts(found)) == ("lexical", [])

    def test_without_vectors_words_alone_are_searched(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path)
        shelf.put("ferry.md", FERRY)
        shelf.ingest()
        found = shelf.open().search("ferry", 5, vector=hashed_words("ferry", 64))
        assert (found.mode, texts(found)) == ("lexical", [FERRY])
        assert found.hits == shelf.open().search("ferry", 5).hits

    def test_filters_hold_for_what_is_found_by_meaning(self, embedded: SearchIndex) -> None:
        found = embedded.search("xylophone", 50, vector=hashed_words(FERRY, 64), books=["slag"])
        assert {hit.book.path.name for hit in found} == {"slag.md"}

    def test_hits_are_ranked_from_one_by_falling_score_and_relevance(self, embedded: SearchIndex) -> None:
        found = embedded.search("the storm and the bell of the orchard", 50, vector=hashed_words("storm bell", 64))
        assert [hit.rank for hit in found] == list(range(1, len(found) + 1))
        assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
        english = [hit.relevance for hit in found if hit.book.language == "en"]
        assert english == sorted(english, reverse=True)
        assert len({hit.passage.id for hit in found}) == len(found)

    @pytest.mark.parametrize("length", [1, 63, 65])
    def test_a_vector_of_another_length_is_refused(self, embedded: SearchIndex, length: int) -> None:
        with pytest.raises(Unavailable) as caught:
            embedded.search("ferry", 5, vector=hashed_words("ferry", length))
        assert caught.value.key == "vectors_other_length"
        assert (caught.value.details["got"], caught.value.details["wanted"]) == (length, 64)
        assert str(length) in str(caught.value)

    def test_books_that_have_no_vectors_are_found_by_their_words(self, tmp_path: Path) -> None:
        def no_orchards(texts: Sequence[str]) -> None:
            if any("orchard" in text for text in texts):
                raise Unavailable("service_down", service="test")

        shelf = Shelf(tmp_path)
        shelf.put("ferry.md", FERRY, STORM, BELL)
        shelf.ingest(embedder=FakeEmbedder())
        shelf.put("slag.md", WUSTITE, LONG)
        shelf.ingest(embedder=FakeEmbedder(before=no_orchards))
        found = shelf.open().search("wustite in the slag", 5, vector=hashed_words("wustite in the slag", 64))
        assert (found.mode, texts(found)[0]) == ("hybrid", WUSTITE)
        assert not {FERRY, STORM, BELL}.isdisjoint(texts(found))


class TestOneBook:
    def test_a_passage_is_had_by_its_whole_id_only(self, index: SearchIndex) -> None:
        hit = index.search("ferry", 1)[0]
        found = index.passage(hit.passage.id)
        assert found is not None
        assert (found.passage, found.book) == (hit.passage, hit.book)
        assert index.passage(hit.passage.id[1:]) is None

    def test_the_passages_of_a_book_that_share_most_with_a_text(self, index: SearchIndex) -> None:
        (ledger,) = index.choose(["ledger"])
        assert index.find_in_book(ledger.id, "the great bell broke in the storm", 2)[0].text == STORM
        assert len(index.find_in_book(ledger.id, "the", 2)) == 2
        (road,) = index.choose(["дорога"])
        assert index.find_in_book(road.id, STORM.upper(), 5) == []
