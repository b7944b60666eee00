"""The record of files that could not be read: kept whole, and safe to lose."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from ai_library_bot.errors import CannotWrite
from ai_library_bot.index import disk, failures
from ai_library_bot.types import Failure

DAMAGED = ((7, 8), Failure(Path("книги/Маяк\n.fb2"), "damaged", {"path": "Маяк", "size": 1.5}, retry=False))
BUSY = ((0, 2**62), Failure(Path("a\udcff.txt"), "cannot_open", {}, retry=True))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    failures.write(tmp_path, [DAMAGED, BUSY])
    assert failures.read(tmp_path) == {DAMAGED[1].path: DAMAGED, BUSY[1].path: BUSY}


def test_the_last_record_counts(tmp_path: Path) -> None:
    failures.write(tmp_path, [DAMAGED, BUSY])
    failures.write(tmp_path, [BUSY])
    assert failures.read(tmp_path) == {BUSY[1].path: BUSY}


def test_another_version_of_the_program_tries_every_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures.write(tmp_path, [DAMAGED])
    monkeypatch.setattr(failures, "version", lambda name: "next")
    assert failures.read(tmp_path) == {}


@pytest.mark.parametrize("record", [None, "", "{", "null", "7", '{"a": 1}', "[[]]", "[[1, 2, 3, 4, 5, 6]]", "[7]", "é"])
def test_without_a_record_or_with_a_damaged_one_nothing_has_failed(tmp_path: Path, record: str | None) -> None:
    if record is not None:
        (tmp_path / failures.NAME).write_text(record, "utf-8")
    assert failures.read(tmp_path) == {}


def test_a_full_disk_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "sync_file", fail)
    with pytest.raises(CannotWrite) as caught:
        failures.write(tmp_path, [DAMAGED])
    assert caught.value.key == "disk_full"
