"""Which files lie on the shelf, each once, and what tells that one was written anew."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

import pytest

from ai_library_bot.errors import MissingInput
from ai_library_bot.scan import Found, book_id, scan, settled_ns

NAMES = ["b.txt", "a.epub", "Книга.FB2.ZIP", "deep/er/c.md", "d.MOBI", "e.djvu"]
PASSED_OVER = ["cover.jpg", "notes", ".hidden.txt", "~$open.docx", ".git/x.md", "deep/.calibre/x.epub", "x.py"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (*NAMES, *PASSED_OVER):
        path = tmp_path / "books" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "books"


def names(found: tuple[Found, ...], folder: Path) -> list[str]:
    return [file.path.relative_to(folder).as_posix() for file in found]


def test_books_of_all_subfolders_are_found_sorted_and_others_are_passed_over(folder: Path) -> None:
    assert names(scan([folder]).found, folder) == sorted(NAMES, key=lambda name: folder / name)


def test_a_file_is_found_with_its_size_and_time(folder: Path) -> None:
    path = folder / "b.txt"
    os.utime(path, ns=(5, 7_000_000_000))
    (found,) = scan([path]).found
    assert found == Found(path, len("b.txt"), 7_000_000_000)
    assert found.stamp == (5, 7_000_000_000)


def test_a_file_that_is_named_is_taken_whatever_its_kind(folder: Path) -> None:
    assert names(scan([folder / "cover.jpg"]).found, folder) == ["cover.jpg"]


def test_paths_that_overlap_give_each_file_once(folder: Path) -> None:
    assert scan([folder, folder / "deep", folder / "b.txt"]).found == scan([folder]).found


def test_relative_paths_and_dots_lead_to_the_same_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert scan([Path("deep/.."), Path()]).found == scan([folder]).found


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_are_followed_to_files_of_the_given_folders_only(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/z.md").write_text("z")
    (folder / "inside.md").symlink_to(folder / "deep/er/c.md")
    (folder / "outside.md").symlink_to(tmp_path / "elsewhere/z.md")
    (folder / "step.md").symlink_to(folder / "outside.md")
    (folder / "gone.md").symlink_to(tmp_path / "elsewhere/nothing.md")
    (folder / "self.md").symlink_to(folder / "self.md")
    (folder / "folder").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    shelf = scan([folder])
    assert set(names(shelf.found, folder)) == {*NAMES, "inside.md"}
    assert shelf.outside == (folder / "outside.md", folder / "step.md")
    assert scan([folder, tmp_path / "elsewhere"]).outside == ()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_that_a_person_names_is_followed(folder: Path, tmp_path: Path) -> None:
    link, shelf = folder / "link.md", tmp_path / "shelf"
    (tmp_path / "z.md").write_text("z")
    link.symlink_to(tmp_path / "z.md")
    shelf.symlink_to(folder)
    for roots in ([link], [folder, link], [link, folder]):
        named = scan(roots)
        assert link in [file.path for file in named.found]
        assert named.outside == ()
    assert len(scan([shelf]).found) == len(NAMES)
    assert scan(sorted(folder.glob("*.*"))).outside == (link,)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the file system takes no such names")
@pytest.mark.parametrize("name", ["😀.md", "שלום.txt", "new\nline.md", os.fsdecode(b"\xff\xfe.txt"), " .md", "*?.md"])
def test_strange_names_are_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    assert [file.path.name for file in scan([tmp_path]).found] == [name]


def test_a_path_that_is_not_there_is_missing_input(folder: Path) -> None:
    with pytest.raises(MissingInput) as caught:
        scan([folder, folder / "nowhere"])
    assert (caught.value.key, caught.value.details["path"]) == ("no_such_path", str(folder / "nowhere"))


@pytest.mark.parametrize("inside", [[], ["cover.jpg"], [".hidden.md"]])
def test_a_folder_without_books_is_missing_input(tmp_path: Path, inside: list[str]) -> None:
    for name in inside:
        (tmp_path / name).write_text("x")
    with pytest.raises(MissingInput) as caught:
        scan([tmp_path])
    assert (caught.value.key, caught.value.details["path"]) == ("no_books_there", str(tmp_path))


def test_a_shelf_covers_what_lies_under_its_roots_whether_it_is_there_or_not(folder: Path) -> None:
    shelf = scan([folder / "deep", folder / "b.txt"])
    assert shelf.covers(folder / "deep/er/gone.md")
    assert shelf.covers(folder / "b.txt")
    assert not shelf.covers(folder / "a.epub")
    assert not shelf.covers(folder / "deeper/c.md")


class TestStillThere:
    @pytest.fixture
    def file(self, folder: Path) -> Found:
        return scan([folder / "b.txt"]).found[0]

    def test_a_file_left_alone_is(self, file: Found) -> None:
        assert file.still_there()

    def test_a_file_written_since_is_not(self, file: Found) -> None:
        file.path.write_text("longer than before")
        assert not file.still_there()

    def test_a_file_written_with_the_same_size_is_not(self, file: Found) -> None:
        os.utime(file.path, ns=(0, file.modified_ns + 2_000_000_000))
        assert not file.still_there()

    def test_a_file_removed_since_is_not(self, file: Found) -> None:
        file.path.unlink()
        assert not file.still_there()


def test_the_id_of_a_book_is_made_of_its_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000  # more than one read
    for name in ("a.txt", "b.md"):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "c.txt").write_bytes(content[:-1])
    assert book_id(tmp_path / "a.txt") == book_id(tmp_path / "b.md") == hashlib.sha256(content).hexdigest()[:16]
    assert book_id(tmp_path / "c.txt") != book_id(tmp_path / "a.txt")


def test_a_recent_time_of_modification_is_not_recorded() -> None:
    now = time.time_ns()
    assert settled_ns(now) == settled_ns(now - 1_000_000_000) == settled_ns(now + 10**12) == 0
    assert settled_ns(now - 5_000_000_000) == now - 5_000_000_000
