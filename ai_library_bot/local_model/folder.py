"""What the folder of a model says about it: the files, and how its numbers become one vector of a text.

The layout is that of sentence-transformers and of the models that the Hugging Face hub offers in ONNX. Files that only
refine something may be missing; their defaults are those of sentence-transformers.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ai_library_bot.errors import BadSetting

FULL_MODEL = "model.onnx"
ONNX = "onnx"
WEIGHTS = "_data"
"""What the name of the model's file ends with in the name of its weights, where these are more than 2 GB."""

TOKENIZER = "tokenizer.json"
_CONFIG = "config.json"
_TOKENIZER_CONFIG = "tokenizer_config.json"
_WINDOW = "sentence_bert_config.json"
_PROMPTS = "config_sentence_transformers.json"
_MODULES = "modules.json"
_POOLING = "1_Pooling"

DESCRIPTIONS = (TOKENIZER, _CONFIG, _TOKENIZER_CONFIG, _WINDOW, _PROMPTS, _MODULES, f"{_POOLING}/{_CONFIG}")
"""All that is read of a model besides its weights."""

_MOST_TOKENS = 512
"""Longer windows are not used: a passage has about 300 tokens, and the time grows with the square of the length."""

_EXTRA_POSITIONS = {"roberta", "xlm-roberta", "camembert", "mpnet"}
"""Model types that count positions from 2 on, so that their window is 2 shorter than their positions."""

_QUESTION_PROMPTS = ("query", "search_query")
_PASSAGE_PROMPTS = ("document", "passage", "search_document")
_E5 = re.compile(r"(?<![a-z0-9])e5(?![a-z0-9])(?!.*(instruct|mistral))", re.IGNORECASE)
_E5_PREFIXES = ("query: ", "passage: ")
"""Wang et al., "Text Embeddings by Weakly-Supervised Contrastive Pre-training", 2022, section 4.2."""

_KNOWN_MODULES = {"Transformer", "Pooling", "Normalize"}
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model's files and rules. `window` is how many tokens of a text it reads; `padding` the number of its filler."""

    model: Path
    tokenizer: Path
    pooling: Literal["mean", "cls"]
    question_prefix: str
    passage_prefix: str
    window: int
    padding: int

    def hash(self) -> str:
        """Names all that the vectors depend on, wherever the folder lies."""
        rules = (self.pooling, self.question_prefix, self.passage_prefix, self.window)
        total = hashlib.sha256(repr(rules).encode())
        weights = sorted(self.model.parent.glob(f"{self.model.name}*"))
        for path in (*weights, self.tokenizer):
            try:
                with path.open("rb") as file:
                    total.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise _broken(path, error) from error
        return total.hexdigest()[:16]


def read(folder: Path, name: str) -> ModelFolder:
    """What the folder holds; `name` is the model's, which tells the prefixes where the folder does not.

    Raises BadSetting for a folder that lacks something, or holds a model of a kind that is not supported.
    """
    if not folder.is_dir():
        raise BadSetting("model_no_folder", folder=str(folder))
    model, tokenizer = _model_file(folder), folder / TOKENIZER
    if not tokenizer.is_file():
        raise BadSetting("model_incomplete", folder=str(folder), file=TOKENIZER)
    config = _object(folder / _CONFIG)
    question_prefix, passage_prefix = _prefixes(folder, name)
    return ModelFolder(
        model=model,
        tokenizer=tokenizer,
        pooling=_pooling(folder),
        question_prefix=question_prefix,
        passage_prefix=passage_prefix,
        window=_window(folder, config),
        padding=_number(config.get("pad_token_id")) or 0,
    )


def _model_file(folder: Path) -> Path:
    """`model.onnx`, in the folder or its `onnx/`; where there is none, the only other `.onnx` file there."""
    places = (folder, folder / ONNX)
    for place in places:
        if (place / FULL_MODEL).is_file():
            return place / FULL_MODEL
    others = sorted(path for place in places for path in place.glob("*.onnx"))
    if not others:
        raise BadSetting("model_incomplete", folder=str(folder), file=FULL_MODEL)
    if len(others) > 1:
        raise BadSetting("model_ambiguous", folder=str(folder), files=", ".join(path.name for path in others))
    return others[0]


def _pooling(folder: Path) -> Literal["mean", "cls"]:
    modules = _json(folder / _MODULES, [])
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise _broken(folder / _MODULES, "not a list of modules")
    path = _POOLING
    for module in modules:
        kind = str(module.get("type")).rpartition(".")[2]
        if kind not in _KNOWN_MODULES:
            raise BadSetting("model_unsupported", folder=str(folder), what=kind)
        if kind == "Pooling":
            path = str(module.get("path"))
    config = _object(folder / path / _CONFIG)
    modes = config.get("pooling_mode", [name for name, on in config.items() if name.startswith("pooling_mode_") and on])
    chosen = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    mode = [chosen.get(str(mode), str(mode)) for mode in ([modes] if isinstance(modes, str) else modes or ["mean"])]
    if mode == ["mean"] and config.get("include_prompt", True):
        return "mean"
    if mode == ["cls"]:
        return "cls"
    raise BadSetting("model_unsupported", folder=str(folder), what=f"{path}: {', '.join(mode)}")


def _prefixes(folder: Path, name: str) -> tuple[str, str]:
    """What is put before a question and before a passage: the folder's prompts, or the rule of the e5 family."""
    prompts = _object(folder / _PROMPTS).get("prompts")
    if isinstance(prompts, dict) and any(prompts.values()):
        question = next((str(prompts[key]) for key in _QUESTION_PROMPTS if prompts.get(key)), "")
        return question, next((str(prompts[key]) for key in _PASSAGE_PROMPTS if prompts.get(key)), "")
    return _E5_PREFIXES if _E5.search(name) else ("", "")


def _window(folder: Path, config: dict[str, Any]) -> int:
    positions = _number(config.get("max_position_embeddings"))
    if positions and config.get("model_type") in _EXTRA_POSITIONS:
        positions -= 2
    said = _number(_object(folder / _WINDOW).get("max_seq_length"))
    said = said or _number(_object(folder / _TOKENIZER_CONFIG).get("model_max_length"))
    return min(number for number in (said, positions, _MOST_TOKENS) if number and number > 0)


def _number(value: object) -> int | None:
    """Whole numbers as they are; some files have 1e30 for "no limit"."""
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _object(path: Path) -> dict[str, Any]:
    found = _json(path, {})
    if not isinstance(found, dict):
        raise _broken(path, "not a JSON object")
    return found


def _json(path: Path, default: object) -> object:
    """What the file says, or the default where there is no file."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return default
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, reason: object) -> BadSetting:
    return BadSetting("model_broken", file=str(path), reason=str(reason))
