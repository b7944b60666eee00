"""The embedder on this computer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ai_library_bot.errors import Unavailable
from ai_library_bot.local_model import folder, hub
from ai_library_bot.protocols import Embedded
from ai_library_bot.types import Usage

if TYPE_CHECKING:
    from ai_library_bot.local_model.onnx_model import OnnxModel
    from ai_library_bot.protocols import Matrix, Vector

DEFAULT_MODEL = "intfloat/multilingual-e5-small"
"""Small, and at home in Russian and English as in some ninety other languages."""

_RULES = "1"
"""The version of the rules in this package by which a text becomes a vector; another one makes other fingerprints."""

_BATCH = 16
"""Texts that are handed over at once: what a crash can lose, and Ctrl-C waits for."""

_PATH_STARTS = ("/", "~", ".", "\\")


class LocalEmbedder:
    """Embeds with a model in ONNX on this computer's processor. Making one opens nothing.

    `model` is a folder, which is all that is needed then, or the name of a model on the Hugging Face hub. That one is
    fetched into `cache_folder` when the first passages are embedded; `on_fetch` hears how far it is, the first time
    before anything is fetched. Questions are not kept waiting for that: they raise Unavailable till the model is there.
    Raises BadSetting where the folder or the name is of no use, or the extra [local] is not installed.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        cache_folder: Path | None = None,
        on_fetch: Callable[[hub.Fetched], None] = lambda _: None,
    ) -> None:
        self._name = model
        self._own_folder = _own_folder(model)
        self._folder = self._own_folder or hub.folder_of(model, cache_folder)
        self._on_fetch = on_fetch
        self._fingerprint: str | None = None
        self._model: OnnxModel | None = None
        self._loading = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """The model's name; for a folder its content, so that a moved folder is the same embedder."""
        if self._fingerprint is None:
            self._fingerprint = f"local:{_RULES}:{self._description().hash() if self._own_folder else self._name}"
        return self._fingerprint

    async def embed_question(self, question: str) -> tuple[Vector, Usage]:
        """The vector of a question. Raises Unavailable for a model that has still to be fetched."""
        if self._own_folder is None and not self._folder.is_dir():
            raise Unavailable("model_not_fetched", model=self._name)
        vectors = await asyncio.to_thread(lambda: self._opened().questions([question]))
        return vectors[0], Usage()

    async def embed_passages(
        self, texts: Sequence[str], go_on: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[Embedded]:
        """The vectors of the texts, a few at a time."""
        if texts and self._own_folder is None and not self._folder.is_dir():
            await hub.fetch(self._name, self._folder, self._on_fetch, go_on)
        for start in range(0, len(texts), _BATCH):
            if not go_on():
                break
            yield Embedded(start, await asyncio.to_thread(self._passages, texts[start : start + _BATCH]), Usage())

    def estimate(self, texts: Sequence[str]) -> Usage:  # noqa: ARG002 - however many there are
        """Nothing: this computer is not paid by the token."""
        return Usage(cost=0.0)

    def _passages(self, texts: Sequence[str]) -> Matrix:
        return self._opened().passages(texts)

    def _opened(self) -> OnnxModel:
        with self._loading:
            if self._model is None:
                from ai_library_bot.local_model.onnx_model import OnnxModel

                self._model = OnnxModel(self._description())
            return self._model

    def _description(self) -> folder.ModelFolder:
        return folder.read(self._folder, _name_of(self._own_folder) if self._own_folder else self._name)


def _own_folder(model: str) -> Path | None:
    """The folder that the setting names, or None if it is a name on the hub."""
    path = Path(model).expanduser()
    return path if path.is_dir() or model.startswith(_PATH_STARTS) or not hub.is_name(model) else None


def _name_of(own_folder: Path) -> str:
    """The model's name as its folder tells it; in the cache of the hub's own programs that is two folders up."""
    path = own_folder.resolve()
    return path.parents[1].name if path.parent.name == "snapshots" else path.name
