"""Servers of other people's making, from npm. Where Node is missing, the tests that want them are skipped."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries", "0")
LOCKED = ("package.json", "package-lock.json")


def installed(locked: Path, *, oldest_node: tuple[int, int]) -> Path:
    """The folder that holds the `node_modules` of that lock, beside our own dependencies; made at the first call."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs Node.js with npm")
    version = subprocess.check_output(["node", "--version"], text=True).strip()
    if tuple(map(int, version.removeprefix("v").split(".")[:2])) < oldest_node:
        pytest.skip(f"needs Node.js {oldest_node[0]}.{oldest_node[1]} or later, not {version}")
    ((package, pinned),) = json.loads((locked / "package.json").read_text())["dependencies"].items()
    name = package.rpartition("/")[2]
    shelf = Path(sys.prefix, name)
    folder = shelf / str(pinned)
    if not (folder / "node_modules" / package).exists():
        shelf.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=shelf, ignore_cleanup_errors=True) as scratch:
            for file in LOCKED:
                shutil.copy(locked / file, scratch)
            done = subprocess.run(NPM, cwd=scratch, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode:
                pytest.skip(f"npm cannot install {name}: {done.stderr.strip()[-300:]}")
            with suppress(OSError):  # another process was quicker
                Path(scratch).rename(folder)
    return folder


@contextmanager
def serving(line: list[str]) -> Iterator[str]:
    """The address a server says it listens on; it is ended when the context is left."""
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout
        heard = []
        try:
            for said in server.stdout:
                heard.append(said)
                if found := re.search(r"listening on (http://\S+)", said):
                    yield found[1]
                    return
            pytest.fail(f"{line[1]} did not start: {''.join(heard)}")
        finally:
            server.terminate()
