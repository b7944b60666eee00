"""Fetching a model from the Hugging Face hub, once, by its name.

The work is done by a process of its own, this module run as a program: it can be ended at any moment, and what it has
fetched till then is not fetched again. It writes a line of JSON for each thing it has to say:

    {"fetched": [done, total]}     in bytes, the first time before anything is fetched
    {"failed": "message_key", "reason": "…"}
    {"ready": true}
"""

from __future__ import annotations

import asyncio
import errno
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

from ai_library_bot.errors import BadSetting, CannotWrite, LibraryError, Unavailable
from ai_library_bot.local_model.folder import DESCRIPTIONS, FULL_MODEL, ONNX, TOKENIZER, WEIGHTS
from ai_library_bot.text import one_line
from ai_library_bot.types import Notice

HUB = "huggingface.co"

_SILENT_SECONDS = 120
"""After so long without another byte the fetching is given up."""

_LOOK_SECONDS = 0.5
_REASON_CHARACTERS = 200
_CACHE = ".cache/ai-library-bot/models"
_UNFINISHED = ".part"
_NAME = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?")

_HUB_SECONDS = 20
_NOT_WRITTEN = {
    *(errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS),
}

_ERRORS: dict[str, type[LibraryError]] = {
    "model_unknown": BadSetting,
    "model_not_onnx": BadSetting,
    "model_fetch_failed": Unavailable,
    "model_not_written": CannotWrite,
    "local_extra_missing": BadSetting,
}


class Fetched(NamedTuple):
    """How far the fetching of a model is, in bytes; `done` is 0 the first time, before anything is fetched."""

    model: str
    folder: Path
    done: int
    total: int

    @property
    def notice(self) -> Notice:
        """What a person should know before it begins."""
        megabytes = max(1, round(self.total / 1_000_000))
        details: dict[str, str | int | float] = {
            "model": self.model,
            "hub": HUB,
            "folder": str(self.folder),
            "megabytes": megabytes,
        }
        return Notice("model_fetched", details)


def is_name(model: str) -> bool:
    """Whether this may be the name of a model on the hub."""
    return _NAME.fullmatch(model) is not None


def folder_of(model: str, cache_folder: Path | None) -> Path:
    """The folder in which the model of that name is kept, a folder like any other model's."""
    return (cache_folder or Path.home() / _CACHE) / model.replace("/", "--")


async def fetch(
    model: str, folder: Path, on_progress: Callable[[Fetched], None], go_on: Callable[[], bool] = lambda: True
) -> None:
    """Fetches the model into `folder`, which is there only when all of it is; ends soon once `go_on` says no.

    Raises Unavailable for a hub that cannot be reached, BadSetting for a model it does not have in ONNX.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", __name__, model, str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    last_heard = time.monotonic()
    try:
        while go_on():
            try:
                line = await asyncio.wait_for(process.stdout.readline(), _LOOK_SECONDS)
            except TimeoutError:
                if time.monotonic() - last_heard > _SILENT_SECONDS:
                    raise _failed("model_fetch_failed", model, folder, f"{_SILENT_SECONDS} s") from None
                continue
            last_heard = time.monotonic()
            said = json.loads(line) if line else {"failed": "model_fetch_failed", "reason": "interrupted"}
            if "failed" in said:
                raise _failed(said["failed"], model, folder, said["reason"])
            if "ready" in said:
                return
            on_progress(Fetched(model, folder, *said["fetched"]))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _failed(key: str, model: str, folder: Path, reason: str) -> LibraryError:
    return _ERRORS[key](key, model=model, folder=str(folder), reason=reason, hub=HUB)


def main(model: str, folder: Path) -> None:
    """What the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; ours decides
    try:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
    except ImportError as error:
        _give_up("local_extra_missing", error)
    try:
        found = HfApi().model_info(model, files_metadata=True, timeout=_HUB_SECONDS)
        sizes = {file.rfilename: file.size or 0 for file in found.siblings or ()}
        files = _needed(sizes)
        if not files:
            _give_up("model_not_onnx", model)
        unfinished = folder.with_name(folder.name + _UNFINISHED)
        total = sum(sizes[file] for file in files)
        _say(fetched=[0, total])
        threading.Thread(target=_watch, args=(unfinished, total), daemon=True).start()
        snapshot_download(model, revision=found.sha, local_dir=unfinished, allow_patterns=files)
        if not folder.is_dir():  # another process may have been at it too
            unfinished.rename(folder)
    except (RepositoryNotFoundError, HFValidationError) as error:
        _give_up("model_unknown", error)
    except Exception as error:  # noqa: BLE001 - whatever the hub or its library does, the person hears the reason
        _give_up("model_not_written" if getattr(error, "errno", None) in _NOT_WRITTEN else "model_fetch_failed", error)
    _say(ready=True)


def _needed(offered: Collection[str]) -> list[str]:
    """The files to fetch of those offered; none if the model cannot be used."""
    place = "" if FULL_MODEL in offered else f"{ONNX}/"
    if f"{place}{FULL_MODEL}" not in offered or TOKENIZER not in offered:
        return []
    model = [name for name in (f"{place}{FULL_MODEL}", f"{place}{FULL_MODEL}{WEIGHTS}") if name in offered]
    return [*model, *(name for name in DESCRIPTIONS if name in offered)]


def _watch(folder: Path, total: int) -> None:
    """Says how large the folder is, whenever it has grown."""
    said = 0
    while True:
        time.sleep(_LOOK_SECONDS)
        done = 0
        for path in folder.rglob("*"):
            with suppress(OSError):  # renamed between the two looks
                done += path.stat().st_size if path.is_file() else 0
        if done > said:
            said = done
            _say(fetched=[min(done, total), total])


def _say(**said: object) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _give_up(key: str, reason: object) -> NoReturn:
    _say(failed=key, reason=one_line(str(reason))[:_REASON_CHARACTERS])
    sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
