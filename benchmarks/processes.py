"""Measuring whole processes: the CPU seconds and the memory that the system accounts to them once they have ended."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PYTHON = sys.executable
LIBRARY = (PYTHON, "-m", "ai_library_bot")


@dataclass(frozen=True)
class Command:
    """A command line with its name in the report, its environment on top of ours and what it reads."""

    name: str
    line: Sequence[str]
    environment: Mapping[str, str]


def cpu_seconds(command: Command) -> float:
    """User and system time of one run and all its children. Raises CalledProcessError if it fails."""
    before = os.times()
    subprocess.run(command.line, env={**os.environ, **command.environment}, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (after.children_user - before.children_user) + (after.children_system - before.children_system)


def compare(commands: Sequence[Command], baseline: Command, runs: int) -> None:
    """Runs all commands in turn, `runs` times after a warm-up, and prints the medians and the ratios to the baseline.

    Ratios are taken pair by pair within a round, so that a machine whose speed drifts does not tilt them.
    """
    for command in (baseline, *commands):
        cpu_seconds(command)
    rounds = [[cpu_seconds(command) for command in (baseline, *commands)] for _ in range(runs)]
    print(f"{baseline.name}: {statistics.median(row[0] for row in rounds) * 1000:.0f} ms CPU")
    for column, command in enumerate(commands, start=1):
        median = statistics.median(row[column] for row in rounds)
        ratios = sorted(row[column] / row[0] for row in rounds)
        print(
            f"{command.name}: {median * 1000:.0f} ms CPU, "
            f"{statistics.median(ratios):.2f} times the baseline ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
