"""The quick part of every torture. `make torture` runs them all at length."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.reliability import calls, crowd, flips, fuzz, hostile, injections, killer, moments, mounts, power_cuts
from tests.reliability.hostile_files import SLOW, files
from tests.reliability.tally import assert_passed

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


def test_killed_at_a_system_call_the_index_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    if why_not := killer.usable():
        pytest.skip(why_not)
    assert_passed(calls.kills(tmp_path, every=60))


def test_when_a_system_call_fails_the_old_generation_is_left_and_it_is_said(tmp_path: Path) -> None:
    if why_not := calls.usable():
        pytest.skip(why_not)
    assert_passed(calls.failures(tmp_path, every=80))


@on_posix
def test_killed_at_a_random_moment_the_index_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    assert_passed(moments.kills(tmp_path, 3))


@on_posix
@pytest.mark.parametrize("vectors", [False, True], ids=["words", "vectors"])
def test_after_a_power_cut_the_index_is_the_old_one_or_the_new_one(tmp_path: Path, vectors: bool) -> None:
    tally = power_cuts.cuts(tmp_path, 12, vectors=vectors)
    assert_passed(tally)
    assert {outcome.split(", ")[1] for outcome in tally.outcomes} >= {"old", "new after it was done"}


def test_a_file_system_switched_off_in_the_midst_keeps_the_old_or_the_new(tmp_path: Path) -> None:
    if why_not := mounts.usable(tmp_path, disk=True):
        pytest.skip(why_not)
    assert_passed(mounts.switched_off(tmp_path, 2))


@on_posix
def test_damage_is_found_and_never_shown(tmp_path: Path) -> None:
    tally = flips.flips(tmp_path, 8)
    assert_passed(tally)
    assert tally.outcomes["flipped and refused when it was read"]


@on_posix
def test_who_searches_while_another_writes_sees_one_generation(tmp_path: Path) -> None:
    tally = crowd.searching(tmp_path, 1, searchers=3)
    assert_passed(tally)
    assert tally.facts["generations published"]


@on_linux
def test_hostile_files_are_named_and_stop_no_good_one(tmp_path: Path) -> None:
    assert len(files()) - len(SLOW) >= 60
    tally = hostile.ingest(tmp_path, slow=False)
    assert_passed(tally)
    assert tally.outcomes["good ones read"] == hostile.GOOD


def test_orders_in_books_are_obeyed_in_vain(tmp_path: Path) -> None:
    assert len(list(injections.injections())) >= 200
    assert_passed(injections.obey(tmp_path, every=7))


@on_posix
def test_a_damaged_book_is_read_or_named(tmp_path: Path) -> None:
    assert_passed(fuzz.fuzz(tmp_path, seconds=2, seed=1))
