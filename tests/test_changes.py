"""From the catalogue to the shelf: what is new, changed, moved, gone, double or bad, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.changes import Changes, ToRead, compare
from ai_library_bot.scan import Found, Shelf
from ai_library_bot.types import Book, Failure

ROOT = Path("/shelf")
OTHER = Path("/other")


def found(name: str, *, size: int = 10, modified: int = 1) -> Found:
    return Found(ROOT / name, size, modified)


def book(content: str, name: str, *, size: int = 10, modified: int = 1, root: Path = ROOT) -> Book:
    return Book(content, root / name, content, (), "ru", None, "txt", size, modified, 1, 1)


class Content:
    """What stands in the files, by name; remembers who asked."""

    def __init__(self, **by_stem: str) -> None:
        self._by_stem = by_stem
        self.asked: list[str] = []

    def __call__(self, file: Found) -> str:
        self.asked.append(file.path.name)
        content = self._by_stem[file.path.stem]
        if content == "unreadable":
            raise PermissionError(13, "Permission denied")
        return content


def changes(
    files: list[Found],
    catalogue: list[Book],
    content: Content,
    failed: Mapping[Path, tuple[tuple[int, int], Failure]] | None = None,
    max_book_mb: float = 1,
) -> Changes:
    return compare(Shelf((ROOT,), tuple(files)), catalogue, failed or {}, max_book_mb, content)


def test_a_new_file_is_read() -> None:
    file = found("a.txt")
    assert changes([file], [], Content(a="A")) == Changes(to_read=[ToRead("A", file, None)])


def test_a_file_with_the_size_and_time_on_record_is_not_even_opened() -> None:
    content = Content()
    assert changes([found("a.txt")], [book("A", "a.txt")], content) == Changes(unchanged=[book("A", "a.txt")])
    assert content.asked == []


@pytest.mark.parametrize("file", [found("a.txt", modified=2), found("a.txt", size=11)])
def test_a_file_of_another_size_or_time_is_looked_into(file: Found) -> None:
    old = book("A", "a.txt")
    assert changes([file], [old], Content(a="A")) == Changes(unchanged=[old])
    assert changes([file], [old], Content(a="B")) == Changes(to_read=[ToRead("B", file, old)])


def test_a_file_that_is_gone_is_removed() -> None:
    gone = book("A", "a.txt")
    assert changes([found("b.txt")], [gone, book("B", "b.txt")], Content()).removed == [gone]


def test_books_from_elsewhere_are_left_alone() -> None:
    assert changes([found("b.txt")], [book("A", "a.txt", root=OTHER)], Content(b="B")).removed == []


def test_a_file_in_another_folder_is_moved_and_not_read() -> None:
    old, file = book("A", "a.txt"), found("sub/a.txt")
    assert changes([file], [old], Content(a="A")) == Changes(moved=[(old, file)])


def test_a_file_with_another_name_is_read_since_the_name_may_tell_the_title() -> None:
    old, file = book("A", "a.txt"), found("b.txt")
    assert changes([file], [old], Content(b="A")) == Changes(to_read=[ToRead("A", file, old)])


class TestDoubles:
    def test_the_first_by_path_stands_for_both(self) -> None:
        one, other = found("a.txt"), found("b.txt")
        result = changes([one, other], [], Content(a="A", b="A"))
        assert result.to_read == [ToRead("A", one, None)]
        assert [(skip.path, skip.reason, skip.details["of"]) for skip in result.skipped] == [
            (other.path, "duplicate", str(one.path))
        ]

    def test_the_one_in_the_catalogue_stays(self) -> None:
        old = book("A", "b.txt")
        result = changes([found("a.txt"), found("b.txt")], [old], Content(a="A"))
        assert (result.unchanged, result.to_read, result.removed) == ([old], [], [])
        assert [skip.path.name for skip in result.skipped] == ["a.txt"]

    def test_when_that_one_goes_the_other_takes_its_place(self) -> None:
        old, file = book("A", "b.txt"), found("a.txt")
        assert changes([file], [old], Content(a="A")) == Changes(to_read=[ToRead("A", file, old)])

    def test_one_that_is_still_there_in_another_root_stays(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").touch()
        result = changes([found("a.txt")], [book("A", "a.txt", root=tmp_path)], Content(a="A"))
        assert (result.to_read, result.moved, result.removed) == ([], [], [])
        assert [skip.details["of"] for skip in result.skipped] == [str(tmp_path / "a.txt")]

    def test_one_that_is_gone_from_another_root_is_moved(self, tmp_path: Path) -> None:
        old, file = book("A", "a.txt", root=tmp_path), found("a.txt")
        assert changes([file], [old], Content(a="A")) == Changes(moved=[(old, file)])

    def test_a_file_that_became_the_double_of_another_is_removed(self) -> None:
        one, other = book("A", "a.txt"), book("B", "b.txt")
        result = changes([found("a.txt"), found("b.txt", modified=2)], [one, other], Content(b="A"))
        assert (result.unchanged, result.removed, result.to_read) == ([one], [other], [])


class TestCopiedAndChanged:
    """A copy was made and then one of the two was changed: both contents must be there afterwards."""

    @pytest.mark.parametrize("copy", ["b.txt", "copies/a.txt"])
    def test_the_original_is_changed(self, copy: str) -> None:
        old = book("A", "a.txt")
        edited, copied = found("a.txt", modified=2), found(copy)
        by_path = {edited.path: "B", copied.path: "A"}
        result = compare(Shelf((ROOT,), (edited, copied)), [old], {}, 1, lambda file: by_path[file.path])
        assert outcome([old], result) == {"B": edited.path, "A": copied.path}

    def test_two_files_change_places(self) -> None:
        books = [book("A", "a.txt"), book("B", "b.txt")]
        files = [found("a.txt", modified=2), found("b.txt", modified=2)]
        result = changes(files, books, Content(a="B", b="A"))
        assert outcome(books, result) == {"B": ROOT / "a.txt", "A": ROOT / "b.txt"}


def outcome(catalogue: list[Book], result: Changes) -> dict[str, Path]:
    """The contents that are in the catalogue once the changes are made, with their paths. Fails if one goes twice."""
    left = {book.id: book.path for book in catalogue}
    for gone in result.removed:
        del left[gone.id]
    for moved, file in result.moved:
        assert moved.id in left
        left[moved.id] = file.path
    for read in result.to_read:
        if read.replaces:
            del left[read.replaces.id]
        assert read.id not in left
        left[read.id] = read.file.path
    return left


NAMES = ("a.txt", "b.txt", "sub/a.txt", "sub/c.txt")
STATE = st.dictionaries(st.sampled_from(NAMES), st.sampled_from("ABCD"))


@given(STATE, STATE.filter(bool))
def test_whatever_the_shelf_was_and_is_each_content_is_there_once_afterwards(
    before: dict[str, str], after: dict[str, str]
) -> None:
    catalogue = {content: book(content, name) for name, content in sorted(before.items(), reverse=True)}
    files = [found(name, modified=1 if before.get(name) == content else 2) for name, content in sorted(after.items())]
    result = compare(
        Shelf((ROOT,), tuple(files)),
        catalogue.values(),
        {},
        1,
        lambda file: after[file.path.relative_to(ROOT).as_posix()],
    )
    left = outcome(list(catalogue.values()), result)
    assert {content: after[path.relative_to(ROOT).as_posix()] for content, path in left.items()} == {
        content: content for content in after.values()
    }
    assert len(result.skipped) == len(after) - len(set(after.values()))


class TestBadFiles:
    FAILED = Failure(ROOT / "a.txt", "damaged", {}, retry=False)

    def test_a_file_too_large_is_named_and_not_opened(self) -> None:
        content = Content()
        file = found("a.txt", size=1_500_001)
        ((bad, failure),) = changes([file], [], content, max_book_mb=1.5).failed
        assert (bad, failure.reason, failure.retry) == (file, "too_large", False)
        assert content.asked == []

    def test_the_limit_itself_is_not_too_large(self) -> None:
        assert changes([found("a.txt", size=1_500_000)], [], Content(a="A"), max_book_mb=1.5).failed == []

    def test_a_file_that_cannot_be_opened_is_named_and_tried_again_next_time(self) -> None:
        file = found("a.txt")
        ((bad, failure),) = changes([file], [], Content(a="unreadable")).failed
        assert (bad, failure.reason, failure.retry) == (file, "cannot_open", True)
        assert failure.details["reason"] == "Permission denied"

    def test_a_bad_file_is_named_again_but_not_opened_until_it_changes(self) -> None:
        content = Content(a="A")
        file = found("a.txt")
        known = {file.path: (file.stamp, self.FAILED)}
        assert changes([file], [], content, known).failed == [(file, self.FAILED)]
        assert content.asked == []
        changed = found("a.txt", modified=2)
        assert changes([changed], [], content, known) == Changes(to_read=[ToRead("A", changed, None)])

    def test_a_passing_fault_is_tried_again(self) -> None:
        file = found("a.txt")
        known = {file.path: (file.stamp, Failure(file.path, "reading_too_long", {}, retry=True))}
        assert changes([file], [], Content(a="A"), known) == Changes(to_read=[ToRead("A", file, None)])

    @pytest.mark.parametrize(
        ("file", "content"), [(found("a.txt", size=2_000_000), ""), (found("a.txt", modified=2), "unreadable")]
    )
    def test_the_former_book_of_a_bad_file_stays(self, file: Found, content: str) -> None:
        result = changes([file], [book("A", "a.txt")], Content(a=content))
        assert (result.removed, result.to_read, result.moved) == ([], [], [])

    def test_a_kind_of_book_that_nobody_reads_is_skipped(self) -> None:
        result = changes([found("a.mobi")], [], Content())
        assert [(skip.path.name, skip.reason, skip.details["suffix"]) for skip in result.skipped] == [
            ("a.mobi", "other_kind_of_book", "mobi")
        ]
        assert (result.failed, result.to_read) == ([], [])
