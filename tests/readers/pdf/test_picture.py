"""A page as a picture: the words of the quotation are yellow, nothing else is, whatever the page is like."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers.pdf.picture import LONG_SIDE, Box, in_lines
from tests.readers.build_pdf import HEIGHT, WIDTH, Page, Text, pdf
from tests.readers.files import drawn
from tests.readers.pixels import Pixels, pixels, yellow

Rectangle = tuple[float, float, float, float]
"""Left, top, right and bottom in points from the upper left corner of what is shown."""

LAMP = Text(50, 100, "The lamp of the lighthouse burned all night.")
SLEEP = Text(50, 115, "The keeper of the lamp did not sleep.")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.pdf"


def seen(path: Path, quotation: str, *pages: Page, text: str = "", number: int = 1) -> Pixels:
    """The picture of a page of a PDF, with a quotation from its text marked."""
    path.write_bytes(pdf(pages))
    text = text or " ".join(piece.text for piece in pages[number - 1].texts)
    start = text.rindex(quotation)
    return pixels(drawn(path, number, text, start, start + len(quotation)))


def place(line: Text, words: str) -> Rectangle:
    """Where the words stand on an upright page: a character is half an em wide and from 0.8 above to 0.2 below."""
    start = line.text.index(words)
    left = line.x + start * line.size / 2
    return left, line.y - 0.8 * line.size, left + len(words) * line.size / 2, line.y + 0.2 * line.size


def assert_marked(picture: Pixels, *rectangles: Rectangle, size: tuple[float, float] = (WIDTH, HEIGHT)) -> None:
    """Yellow are these rectangles and nothing else, up to a pixel at their edges; glyphs in them may be black."""
    scale = LONG_SIDE / max(size)
    inside = numpy.zeros(picture.shape[:2], bool)
    near = inside.copy()
    for left, top, right, bottom in rectangles:
        x, y, behind_x, behind_y = (round(side * scale) for side in (left, top, right, bottom))
        inside[y + 2 : behind_y - 2, x + 2 : behind_x - 2] = True
        near[max(0, y - 2) : behind_y + 2, max(0, x - 2) : behind_x + 2] = True
    marked = yellow(picture)
    assert not (marked & ~near).any()
    paper = picture.min(axis=2) > 150
    assert not (paper & inside).any()
    assert (marked & inside).sum() > 0.5 * inside.sum() > 0


class TestMark:
    def test_the_words_are_marked_and_no_others(self, path: Path) -> None:
        picture = seen(path, "lighthouse burned", Page([LAMP, SLEEP]))
        assert_marked(picture, place(LAMP, "lighthouse burned"))

    def test_the_words_stay_readable(self, path: Path) -> None:
        marked = seen(path, "lighthouse", Page([LAMP, SLEEP]))
        plain = seen(path, "x", Page([LAMP, SLEEP]), text="x")
        assert not yellow(plain).any()
        assert numpy.array_equal(marked[..., 0], plain[..., 0])  # of the red, all that there is to see
        assert (plain.max(axis=2) < 100).any()

    def test_a_quotation_over_two_lines_is_marked_in_both(self, path: Path) -> None:
        picture = seen(path, "burned all night. The keeper", Page([LAMP, SLEEP]))
        assert_marked(picture, place(LAMP, "burned all night."), place(SLEEP, "The keeper"))

    def test_a_hyphenated_word_is_marked_on_both_lines(self, path: Path) -> None:
        page = Page([Text(50, 100, "all night the light-"), Text(50, 115, "house burned")])
        picture = seen(path, "the lighthouse", page, text="all night the lighthouse burned")
        assert_marked(picture, place(page.texts[0], "the light-"), place(page.texts[1], "house"))

    def test_of_a_quotation_over_two_pages_each_shows_its_part(self, path: Path) -> None:
        pages = Page([LAMP]), Page([Text(50, 60, "and the keeper did not sleep.")])
        first = seen(path, "all night.", *pages)
        second = seen(path, "and the keeper", *pages, number=2)
        assert_marked(first, place(LAMP, "all night."))
        assert_marked(second, place(pages[1].texts[0], "and the keeper"))

    def test_of_words_that_stand_there_twice_those_are_marked_that_are_meant(self, path: Path) -> None:
        assert_marked(seen(path, "lamp", Page([LAMP, SLEEP])), place(SLEEP, "lamp"))

    def test_russian_words_are_marked(self, path: Path) -> None:
        line = Text(50, 100, "Смотритель маяка ещё не спал.")
        assert_marked(seen(path, "маяка ещё", Page([line])), place(line, "маяка ещё"))

    def test_they_are_also_where_the_fonts_name_their_letters_as_latin_ones(self, path: Path) -> None:
        text = "Смотритель маяка ещё не спал."
        line = Text(50, 100, text.encode("cp1251").decode("latin-1"))
        picture = seen(path, "маяка", Page([line]), text=text)
        assert_marked(picture, place(line, "маяка".encode("cp1251").decode("latin-1")))

    def test_cells_of_a_table_are_marked_without_the_space_between_them(self, path: Path) -> None:
        name, number = Text(50, 100, "Oil for the lamp"), Text(250, 100, "1,911")
        picture = seen(path, "Oil for the lamp | 1,911", Page([name, number]), text="Oil for the lamp | 1,911")
        assert_marked(picture, place(name, name.text), place(number, number.text))

    def test_what_is_not_on_the_page_is_not_marked_and_the_page_comes_all_the_same(self, path: Path) -> None:
        picture = seen(path, "Кто виноват?", Page([LAMP]), text="Кто виноват?")
        assert not yellow(picture).any()
        assert (picture < 100).any()

    def test_a_page_without_text_is_shown(self, path: Path) -> None:
        assert not yellow(seen(path, "lamp", Page(picture=True), text="lamp")).any()


class TestPage:
    @pytest.mark.parametrize("rotate", [90, 180, 270])
    def test_a_turned_page_is_shown_turned(self, path: Path, rotate: int) -> None:
        picture = seen(path, "lighthouse burned", Page([LAMP, SLEEP], rotate=rotate))
        assert picture.shape[:2] == ((LONG_SIDE, 1000) if rotate == 180 else (1000, LONG_SIDE))
        assert_marked(numpy.rot90(picture, rotate // 90), place(LAMP, "lighthouse burned"))

    def test_lines_that_run_upwards_are_marked(self, path: Path) -> None:
        line = Text(100, 500, "The lamp burned all night.", upwards=True)
        picture = seen(path, "lamp burned", Page([line]))
        assert_marked(picture, (100 - 8, 500 - 15 * 5, 100 + 2, 500 - 4 * 5))

    def test_of_a_cropped_page_the_rest_is_shown(self, path: Path) -> None:
        picture = seen(path, "lighthouse burned", Page([LAMP, SLEEP], crop=(40, 80, 240, 180)))
        assert picture.shape[:2] == (LONG_SIDE // 2, LONG_SIDE)
        left, top, right, bottom = place(LAMP, "lighthouse burned")
        assert_marked(picture, (left - 40, top - 80, right - 40, bottom - 80), size=(200, 100))

    def test_a_mark_ends_at_the_edge_of_the_picture(self, path: Path) -> None:
        picture = seen(path, "lighthouse burned", Page([LAMP, SLEEP], crop=(150, 96, 350, 196)))
        _, _, right, bottom = place(LAMP, "lighthouse burned")
        assert_marked(picture, (0, 0, right - 150, bottom - 96), size=(200, 100))

    @pytest.mark.parametrize(
        ("size", "shape"),
        [
            ((14_400, 14_400), (LONG_SIDE, LONG_SIDE)),
            ((3, 2), (1000, LONG_SIDE)),
            ((14_400, 1), (1, LONG_SIDE)),
            ((1, 14_400), (LONG_SIDE, 1)),
            ((1e9, 1e9), (LONG_SIDE, LONG_SIDE)),
        ],
        ids=str,
    )
    def test_every_page_makes_a_picture_of_the_same_size(
        self, path: Path, size: tuple[float, float], shape: tuple[int, int]
    ) -> None:
        assert seen(path, "lamp", Page([LAMP], size=size)).shape[:2] == shape


class TestHostile:
    @pytest.mark.parametrize("number", [-1, 0, 2, 2**31, 2**40])
    def test_a_page_that_is_not_there_is_an_error(self, path: Path, number: int) -> None:
        path.write_bytes(pdf([Page([LAMP])]))
        with pytest.raises(UnreadableBook) as caught:
            drawn(path, number, "lamp", 0, 4)
        assert (caught.value.key, caught.value.details["page"]) == ("page_not_drawn", number)

    def test_a_file_that_is_no_sound_pdf_is_an_error(self, path: Path) -> None:
        for data, key in ((b"no PDF", "pdf_damaged"), (pdf([Page()], locked=True), "pdf_locked")):
            path.write_bytes(data)
            with pytest.raises(UnreadableBook) as caught:
                drawn(path, 1, "lamp", 0, 4)
            assert caught.value.key == key

    def test_a_page_full_of_the_same_letter_takes_no_long_time(self, path: Path) -> None:
        line = Text(0, 10, "a" * 3000, size=1)
        text = "a" * 900 + "b" + "a" * 900
        assert yellow(seen(path, text, Page([line] * 30), text=text)).any()

    @pytest.mark.parametrize(("start", "end"), [(-5, 99), (3, 3), (4, 1), (90, 99)])
    def test_a_span_that_makes_no_sense_does_no_harm(self, path: Path, start: int, end: int) -> None:
        path.write_bytes(pdf([Page([LAMP])]))
        assert pixels(drawn(path, 1, LAMP.text, start, end)).shape == (LONG_SIDE, 1000, 3)


BOXES = st.builds(
    lambda left, top, width, height: Box(left, top, left + width, top + height),
    *(st.integers(0, 60) for _ in range(2)),
    *(st.integers(0, 20) for _ in range(2)),
)


@given(st.lists(BOXES, max_size=12))
def test_lines_cover_every_character_and_reach_no_further(boxes: list[Box]) -> None:
    lines = list(in_lines(boxes))
    for box in boxes:
        assert any(
            line.left <= box.left and line.top <= box.top and line.right >= box.right and line.bottom >= box.bottom
            for line in lines
        )
    for side in range(4):
        assert {line[side] for line in lines} <= {box[side] for box in boxes}
