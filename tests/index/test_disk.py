"""The steps on the disk: what they do, in which order, and what they say when the system refuses."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from pathlib import Path

import pytest

from ai_library_bot.errors import Busy, CannotWrite
from ai_library_bot.index import disk


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The calls to the system that make things safe, in order, with the names of what they are about."""
    made: list[tuple[str, str]] = []
    fsync, replace, mkdir = os.fsync, Path.replace, Path.mkdir

    def noted_fsync(descriptor: int) -> None:
        made.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        made.append(("rename", self.name))
        return replace(self, target)

    def noted_mkdir(self: Path, *, exist_ok: bool) -> None:
        made.append(("mkdir", self.name))
        mkdir(self, exist_ok=exist_ok)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    monkeypatch.setattr(Path, "mkdir", noted_mkdir)
    return made


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@on_linux
def test_a_file_is_synced_before_it_gets_its_name(tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    disk.write(tmp_path / "CURRENT", b"000001\n")
    assert calls == [("fsync", "CURRENT.tmp"), ("rename", "CURRENT.tmp")]
    assert (tmp_path / "CURRENT").read_bytes() == b"000001\n"


@on_linux
def test_every_new_folder_is_synced_into_the_one_above_it(tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    disk.make_folder(tmp_path / "a" / "b")
    disk.make_folder(tmp_path / "a" / "b")
    assert calls == [("mkdir", "a"), ("fsync", tmp_path.name), ("mkdir", "b"), ("fsync", "a")]


def test_writing_replaces_a_linked_file_and_never_changes_it(tmp_path: Path) -> None:
    (tmp_path / "parent").write_bytes(b"old")
    assert disk.link(tmp_path / "parent", tmp_path / "child")
    assert (tmp_path / "child").samefile(tmp_path / "parent")
    disk.write(tmp_path / "child", memoryview(b"new"))
    assert (tmp_path / "parent").read_bytes() == b"old"
    assert (tmp_path / "child").read_bytes() == b"new"


def test_a_link_that_the_system_refuses_is_no_error(tmp_path: Path) -> None:
    assert not disk.link(tmp_path / "nothing", tmp_path / "child")


def test_a_digest_is_the_sha_256_of_the_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(data)
    assert disk.digest(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_what_is_not_there_is_discarded_without_a_word(tmp_path: Path) -> None:
    disk.discard(tmp_path / "nothing")


def test_a_folder_that_cannot_be_synced_by_its_file_system_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    disk.sync_folder(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Invalid argument"):
        disk.sync_file(tmp_path / "file")


def test_a_lock_is_held_by_one_and_free_after_it(tmp_path: Path) -> None:
    with disk.locked(tmp_path / "LOCK"), pytest.raises(Busy), disk.locked(tmp_path / "LOCK"):
        pytest.fail("both hold it")
    with disk.locked(tmp_path / "LOCK"):
        pass


@pytest.mark.parametrize(
    "said", [b"", b"7\n", b"seven\nhost\nnow\n", b"\xff\n\n\n", b"7\nhost\nnow\nand more\n"], ids=repr
)
def test_whatever_stands_in_the_lock_file_who_comes_second_is_turned_away(tmp_path: Path, said: bytes) -> None:
    with disk.locked(tmp_path / "LOCK"):
        (tmp_path / "LOCK").write_bytes(said)
        with pytest.raises(Busy) as caught, disk.locked(tmp_path / "LOCK"):
            pytest.fail("both hold it")
    assert caught.value.key == "locked"


def test_a_lock_is_held_also_where_its_holder_cannot_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with disk.locked(tmp_path / "LOCK"), pytest.raises(Busy) as caught, disk.locked(tmp_path / "LOCK"):
        pytest.fail("both hold it")
    assert caught.value.key == "locked"


def test_an_error_under_the_lock_passes_through_and_frees_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="somebody else's"), disk.locked(tmp_path / "LOCK"):
        raise OSError(errno.ENOSPC, "somebody else's")
    with disk.locked(tmp_path / "LOCK"):
        pass


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EMFILE])
def test_a_refusal_names_the_folder_in_the_language_of_the_reader(tmp_path: Path, code: int, language: str) -> None:
    with pytest.raises(CannotWrite) as caught, disk.writing_into(tmp_path):
        raise OSError(code, os.strerror(code))
    assert str(tmp_path) in caught.value.say(language)
