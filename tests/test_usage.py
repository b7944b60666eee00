"""The accounts: every request counts once, by day, kind and model, and none of them can fail a command."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest

from ai_library_bot.types import Usage
from ai_library_bot.usage import ASIDE, NAME, Kind, UsageLedger, total

DAY = 24 * 3600
NOON = time.mktime((2026, 3, 14, 12, 0, 0, 0, 0, -1))
TODAY = date(2026, 3, 14)


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> UsageLedger:
    return UsageLedger(tmp_path, clock=clock)


def test_what_is_recorded_comes_back_by_kind_and_model(ledger: UsageLedger) -> None:
    ledger.record("answer", "gpt", Usage(100, 20, 0.25), 1.5)
    ledger.record("answer", "gpt", Usage(10, 2, 0.5), 0.5)
    ledger.record("question", "small", Usage(7, 0, None), 0.25)
    assert ledger.today() == (
        (TODAY, "answer", "gpt", 2, Usage(110, 22, 0.75), 2.0),
        (TODAY, "question", "small", 1, Usage(7, 0, None), 0.25),
    )
    assert total(ledger.today()) == Usage(117, 22, None)
    assert total(ledger.today()[:1]) == Usage(110, 22, 0.75)


def test_every_kind_of_request_has_its_place(ledger: UsageLedger) -> None:
    for kind in get_args(Kind):
        ledger.record(kind, "m", Usage(1, 1), 0)
    assert {spent.kind for spent in ledger.today()} == set(get_args(Kind))


def test_a_day_ends_at_midnight_of_this_computer(ledger: UsageLedger, clock: Clock) -> None:
    for hours in (-13, -12, -0.5, 0):  # 23:00 of the day before, midnight, 11:30, noon
        clock.now = NOON + hours * 3600
        ledger.record("answer", "m", Usage(1), 0)
    assert [(spent.day, spent.requests) for spent in ledger.per_day(2)] == [(TODAY, 3), (TODAY - timedelta(1), 1)]
    assert [spent.requests for spent in ledger.today()] == [3]
    clock.now = NOON + DAY
    assert ledger.today() == ()


def test_days_further_back_are_left_out_and_after_a_year_forgotten(ledger: UsageLedger, clock: Clock) -> None:
    for days in (0, 29, 30, 395, 410):
        clock.now = NOON - days * DAY
        ledger.record("answer", "m", Usage(1), 0)
    clock.now = NOON
    assert len(ledger.per_day(30)) == 2
    assert len(ledger.per_day(1000)) == 5
    ledger.record("answer", "m", Usage(1), 0)
    assert len(ledger.per_day(1000)) == 4


def test_nothing_was_spent_at_first_and_asking_makes_no_file(ledger: UsageLedger, tmp_path: Path) -> None:
    assert ledger.today() == ledger.per_day(30) == ()
    assert total(()) == Usage()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_kept_of_questions_or_books(ledger: UsageLedger, tmp_path: Path) -> None:
    ledger.record("answer", "m", Usage(1), 0)
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(requests)")]
    assert columns == ["time", "kind", "model", "prompt_tokens", "completion_tokens", "cost", "seconds"]


WRITES = """
import sys
from pathlib import Path
from ai_library_bot.types import Usage
from ai_library_bot.usage import UsageLedger
ledger = UsageLedger(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(50):
    ledger.record("embedding", "m", Usage(1, 0, 1.0), 0)
"""


def test_several_processes_write_at_once_and_no_line_is_lost(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITES, str(tmp_path)]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline()
    for writer in writers:
        writer.communicate(b"\n")
        assert writer.returncode == 0
    assert total(UsageLedger(tmp_path).per_day(2)) == Usage(150, 0, 150.0)


# What may not fail a command


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    ledger = UsageLedger(tmp_path / "index")
    ledger.record("answer", "m", Usage(1), 0)
    assert ledger.today() == ()
    assert not (tmp_path / "index").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything may be written by root")
def test_a_folder_that_is_only_read_stays_as_it_is(ledger: UsageLedger, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        ledger.record("answer", "m", Usage(1), 0)
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o700)


def test_accounts_that_cannot_be_written_are_still_read(ledger: UsageLedger, tmp_path: Path) -> None:
    ledger.record("answer", "m", Usage(1), 0)
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # another process that writes and does not end
        began = time.monotonic()
        ledger.record("answer", "m", Usage(1), 0)
        assert time.monotonic() - began < 1
        assert [spent.requests for spent in ledger.today()] == [1]


@pytest.mark.parametrize("content", [b"this is no database at all " * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_set_aside_for_a_new_one(ledger: UsageLedger, tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert ledger.today() == ()
    ledger.record("answer", "m", Usage(1), 0)
    ledger.record("answer", "m", Usage(1), 0)
    assert ledger.today()
    assert (tmp_path / (NAME + ASIDE)).read_bytes() == content


def test_a_file_of_another_kind_or_a_folder_in_its_place_changes_nothing(ledger: UsageLedger, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    ledger.record("answer", "m", Usage(1), 0)
    assert ledger.today() == ()
    (tmp_path / NAME).rmdir()
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute("CREATE TABLE requests (something TEXT)")
    ledger.record("answer", "m", Usage(1), 0)
    assert ledger.today() == ()
