"""What a torture counts: its trials by how they ended, and the failures with enough to try them again."""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Trial = TypeVar("Trial")

_SHOWN = 5


class Tally:
    """Counts trials by their outcomes; a trial that raises is a failure."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcomes: Counter[str] = Counter()
        self.failures: list[str] = []
        self.facts: dict[str, object] = {}
        self._lock = threading.Lock()

    @property
    def trials(self) -> int:
        return self.outcomes.total() + len(self.failures)

    def run(self, trials: Iterable[Trial], run: Callable[[Trial], str], *, at_a_time: int = 1) -> Tally:
        """Runs each trial, which returns the name of its outcome, `at_a_time` of them beside one another."""
        if at_a_time == 1:  # then a trial may decide whether there is another one
            for trial in trials:
                self._try(trial, run)
            return self
        with ThreadPoolExecutor(at_a_time) as threads:
            for _ in threads.map(lambda trial: self._try(trial, run), trials):
                pass
        return self

    def _try(self, trial: Trial, run: Callable[[Trial], str]) -> None:
        try:
            outcome = run(trial)
        except Exception:  # noqa: BLE001 - whatever it is, it is a failure
            with self._lock:
                self.failures.append(f"{trial!r}: {traceback.format_exc(limit=-3)}")
        else:
            with self._lock:
                self.outcomes[outcome] += 1

    def __str__(self) -> str:
        told = [f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items())]
        told += [f"{name} {value}" for name, value in self.facts.items()]
        lines = [f"{self.name}: {self.trials} trials ({', '.join(told)}), {len(self.failures)} failures"]
        return "\n".join([*lines, *self.failures[:_SHOWN]])


def assert_passed(tally: Tally) -> None:
    """Says what has failed, if anything has, or that nothing was tried."""
    assert not tally.failures, str(tally)
    assert tally.trials, str(tally)
