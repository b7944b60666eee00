"""Hostile files among good ones: all good ones are read, each bad one is named, and it costs little memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ai_library_bot.index.generations import Generations
from ai_library_bot.index.lexical import LEXICAL, LexicalIndex
from tests.readers import build
from tests.reliability.calls import ROOT
from tests.reliability.hostile_files import SECRET, SLOW, files
from tests.reliability.tally import Tally

GOOD = 20
MEGABYTE = 2**20
PARENT_MEGABYTES, WORKER_MEGABYTES = 400, 1024
MINUTES = 30

_TICK = 0.02  # seconds between two looks at the processes


def ingest(folder: Path, *, slow: bool = True) -> Tally:
    """Reads a folder of good and bad files with the command itself; without `slow` only those that take no time."""
    books, index = folder / "books", folder / "index"
    books.mkdir()
    (folder / "secret").write_text(SECRET * 50)
    bad = {name: make for name, make in files().items() if slow or name not in SLOW}
    for name, make in bad.items():
        make(books / name)
    good = {path.name for path in _good(books)}
    if sys.platform != "win32":
        (books / "link.txt").symlink_to(folder / "secret")
        (books / "loop.txt").symlink_to(books / "loop.txt")
        (books / "here").symlink_to(books)
        os.mkfifo(books / "pipe.txt")
    began = time.monotonic()
    environment = {
        **os.environ,
        "FAISS_PATH": str(index),
        "BOOKS_PATH": str(books),
        "MAX_BOOK_MB": "2000",
        "MIN_PASSAGE_CHARS": "20",
        "OPENAI_API_KEY": SECRET,
        "EMBEDDER": "none",
        "LIBRARY_LANG": "en",
    }
    command = [sys.executable, "-m", "ai_library_bot", "ingest", "--json"]
    out = folder / "report.json"
    with (
        out.open("wb") as report,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=report, stderr=subprocess.DEVNULL) as process,
    ):
        parent, worker = _watched(process)
    seconds = time.monotonic() - began
    tally = Tally("hostile files")
    tally.facts.update(parent=f"{parent} MB", workers=f"{worker} MB", seconds=round(seconds, 1))
    told = json.loads(out.read_bytes())
    named = {Path(one["path"]).name: one for one in [*told["failed"], *told["skipped"]]}
    read = {Path(path).name for path in told["added"]}
    lexical = LexicalIndex(Generations(index).current().folder / LEXICAL)
    index_text = json.dumps(list(lexical.entries()), default=str)

    def judge(name: str) -> str:
        if name in named:
            assert named[name]["message"], "no reason is given"
            assert name not in good, named[name]
            assert named[name]["reason"] != "reader_failed", named[name]
            return f"named: {named[name]['reason']}"
        assert name in read, "neither read nor named"
        return "good ones read" if name in good else "bad ones read as the little text they hold"

    def bounds(what: tuple[str, bool]) -> str:
        assert what[1], what[0]
        return "bounds kept"

    tally.run([*good, *bad, "link.txt"], judge)
    tally.run(
        [
            ("the parent took too much memory", 0 < parent <= PARENT_MEGABYTES),
            ("a worker took too much memory", 0 < worker <= WORKER_MEGABYTES),
            ("it took too long", seconds <= MINUTES * 60),
            ("a secret got in", SECRET not in index_text),
        ],
        bounds,
    )
    return tally


def _good(folder: Path) -> Iterator[Path]:
    """Writes the good books."""
    for number in range(GOOD // 4):
        text = f"Смотритель маяка номер {number} зажёг лампу и сел писать письмо. The lamp burned all night. "
        yield build.epub(folder / f"good {number}.epub", {"1.xhtml": f"<p>{text * 20}</p>"})
        path = folder / f"good {number}.fb2"
        path.write_text(build.fb2(f"<section><p>{text * 20}</p></section>"), "utf-8")
        yield path
        path = folder / f"good {number}.txt"
        path.write_text(text * 20, "cp1251")
        yield path
        yield build.docx(folder / f"good {number}.docx", f"<w:p><w:r><w:t>{text * 20}</w:t></w:r></w:p>")


def _watched(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """The most memory, in megabytes, that the process had in use, and that any of its workers had, until it ended."""
    parent = worker = 0
    while process.poll() is None:
        parent = max(parent, _most_memory(process.pid))
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if children.exists():
            pids = {pid for task in Path(f"/proc/{process.pid}/task").glob("*/children") for pid in _text(task).split()}
            worker = max(worker, *(_most_memory(int(pid)) for pid in pids), 0)
        time.sleep(_TICK)
    return parent, worker


def _most_memory(pid: int) -> int:
    for line in _text(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
