"""A real model in ONNX of a few kilobytes, written here byte by byte, and the loopback hub that offers it.

It has what matters for loading and running one: a table of vectors, one layer of attention that minds the mask, and a
word-piece tokenizer with letters of two alphabets. The fields are those of onnx.proto3
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3); each is written as its number and its value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

DIMENSIONS = 16
WINDOW = 24
FLOAT, INT32, INT64 = 1, 6, 7
_LETTERS = "abcdefghijklmnopqrstuvwxyzабвгдеёжзийклмнопрстуфхцчшщъыьэюя0123456789.,!?:;-"
_WORDS = ("lighthouse", "keeper", "storm", "bridge", "маяк", "мост", "буря", "the", "query", "passage")
_VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *_WORDS]

Field = tuple[int, "int | float | str | bytes | Sequence[Field]"]


def message(*fields: Field) -> bytes:
    """A message of Protocol Buffers: numbers as varints, everything else with its length in front."""
    written = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            written += _varint(number << 3) + _varint(value)
        elif isinstance(value, float):
            written += _varint(number << 3 | 5) + numpy.float32(value).tobytes()
        else:
            inner = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else message(*value)
            written += _varint(number << 3 | 2) + _varint(len(inner)) + inner
    return bytes(written)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def node(kind: str, inputs: Sequence[str], output: str, *attributes: Field) -> Field:
    return (1, [*((1, name) for name in inputs), (2, output), (4, kind), *attributes])


def whole_number(name: str, value: int) -> Field:
    return (5, [(1, name), (3, value), (20, 2)])


def whole_numbers(name: str, values: Sequence[int]) -> Field:
    return (5, [(1, name), *((8, value) for value in values), (20, 7)])


def tensor(name: str, values: numpy.ndarray) -> Field:
    kind = FLOAT if values.dtype == numpy.float32 else INT64
    return (5, [*((1, size) for size in values.shape), (2, kind), (8, name), (9, values.tobytes())])


def value_info(number: int, name: str, kind: int, shape: Sequence[str | int]) -> Field:
    dimensions: list[Field] = [(1, [(2 if isinstance(size, str) else 1, size)]) for size in shape]
    return (number, [(1, name), (2, [(1, [(1, kind), (2, dimensions)])])])


def model(
    *,
    inputs: Sequence[str] = ("input_ids", "attention_mask"),
    output: str = "last_hidden_state",
    kinds: Mapping[str, int] = MappingProxyType({}),
    scale: float = 1,
    vocabulary: int = len(_VOCABULARY),
) -> bytes:
    """The model's file. `scale` multiplies what comes out; with nan there are no vectors."""
    table = numpy.random.default_rng(7).standard_normal((vocabulary, DIMENSIONS)).astype(numpy.float32)
    last = "scaled" if output == "sentence_embedding" else output
    nodes = [
        node("Gather", ["table", "input_ids"], "words"),
        node("Transpose", ["words"], "turned", whole_numbers("perm", [0, 2, 1])),
        node("MatMul", ["words", "turned"], "likeness"),
        node("Cast", ["attention_mask"], "mask", whole_number("to", FLOAT)),
        node("Sub", ["mask", "one"], "absent"),
        node("Mul", ["absent", "far"], "distance"),
        node("Unsqueeze", ["distance", "axis"], "row"),
        node("Add", ["likeness", "row"], "masked"),
        node("Softmax", ["masked"], "attention", whole_number("axis", 2)),
        node("MatMul", ["attention", "words"], "seen"),
        node("Add", ["words", "seen"], "both"),
        node("Mul", ["both", "scale"], last),
    ]
    if output == "sentence_embedding":
        nodes.append(node("ReduceMean", [last, "axis"], output, whole_number("keepdims", 0)))
    shape: list[str | int] = (
        ["batch", DIMENSIONS] if output == "sentence_embedding" else ["batch", "sequence", DIMENSIONS]
    )
    graph = [
        *nodes,
        (2, "tiny"),
        tensor("table", table),
        tensor("one", numpy.ones(1, numpy.float32)),
        tensor("far", numpy.full(1, 10_000, numpy.float32)),
        tensor("axis", numpy.ones(1, numpy.int64)),
        tensor("scale", numpy.full(1, scale, numpy.float32)),
        *(value_info(11, name, kinds.get(name, INT64), ["batch", "sequence"]) for name in inputs),
        value_info(12, output, FLOAT, shape),
    ]
    return message((1, 8), (7, graph), (8, [(1, ""), (2, 18)]))


def tokenizer() -> str:
    """The tokenizer's file. Like those of real models it says how it was cut and filled up when it was saved."""
    made = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(_VOCABULARY)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.enable_truncation(8)
    made.enable_padding(length=8)
    return made.to_str()


def write(folder: Path, model_file: bytes | None = None, others: Mapping[str, object] = MappingProxyType({})) -> Path:
    """The folder of a whole model; `others` are JSON files by name without suffix, instead of or besides ours."""
    described: dict[str, object] = {
        "config": {"model_type": "bert", "max_position_embeddings": 64, "pad_token_id": 0},
        "sentence_bert_config": {"max_seq_length": WINDOW},
        "modules": [
            {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ],
        "1_Pooling/config": {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False},
    }
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    for name, content in {**described, **others}.items():
        (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")
    (folder / "tokenizer.json").write_text(tokenizer(), "utf-8")
    (folder / "model.onnx").write_bytes(model_file or model())
    return folder
