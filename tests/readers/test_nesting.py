import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.readers.nesting import nest


@pytest.mark.parametrize(
    ("titles", "paths"),
    [
        (
            ["Prologue", "Part One", "I", "II", "Part Two", "I", "Epilogue"],
            ["Prologue", "Part One", "Part One>I", "Part One>II", "Part Two", "Part Two>I", "Epilogue"],
        ),
        (
            ["Часть первая. Глава I", "Глава II", "Часть вторая Глава I", "Глава II"],
            ["Часть первая>Глава I", "Часть первая>Глава II", "Часть вторая>Глава I", "Часть вторая>Глава II"],
        ),
        (
            ["Том 1", "Часть 1", "I", "Часть 2", "I"],
            ["Том 1", "Том 1>Часть 1", "Том 1>Часть 1>I", "Том 1>Часть 2", "Том 1>Часть 2>I"],
        ),
        (["Fog", "I", "II", "Oil", "I", "II"], ["Fog", "Fog>I", "Fog>II", "Oil", "Oil>I", "Oil>II"]),
        (["Dedication", "I", "II", "III"], ["Dedication", "I", "II", "III"]),
        (
            ["Part I", "Fog", "Oil", "Part II", "Wick"],
            ["Part I", "Part I>Fog", "Part I>Oil", "Part II", "Part II>Wick"],
        ),
        (["My Book", "I. Fog", "II. Rain"], ["", "I. Fog", "II. Rain"]),
        (["Chapter 1. Fog", "Chapter 2. Rain"], ["Chapter 1. Fog", "Chapter 2. Rain"]),
    ],
)
def test_chapters_stand_under_their_parts(titles: list[str], paths: list[str]) -> None:
    assert [">".join(path) for path in nest(titles, "My book")] == paths


@given(st.lists(st.sampled_from(["Part One", "Chapter 2", "I", "3", "Fog", "Epilogue", "Часть вторая. Глава I", ""])))
def test_every_title_has_a_path_that_ends_with_it(titles: list[str]) -> None:
    for title, path in zip(titles, nest(titles, "My book"), strict=True):
        assert title.endswith(path[-1])
