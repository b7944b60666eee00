"""The only module that loads onnxruntime and tokenizers: texts in, unit vectors out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_library_bot.errors import BadSetting, Unavailable
from ai_library_bot.text import one_line

try:
    import numpy
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors
    from tokenizers import Tokenizer
except ImportError as error:
    raise BadSetting("local_extra_missing", reason=str(error)) from error

if TYPE_CHECKING:
    from tokenizers import Encoding

    from ai_library_bot.local_model.folder import ModelFolder
    from ai_library_bot.protocols import Matrix

_ONNX_ERRORS = (
    *(onnx_errors.Fail, onnx_errors.InvalidArgument, onnx_errors.InvalidGraph, onnx_errors.InvalidProtobuf),
    *(onnx_errors.NoSuchFile, onnx_errors.NotImplemented, onnx_errors.RuntimeException),
)

_RUN = 4
"""Texts in one run of the model; 16 at once took a tenth more time on two cores."""

_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_TOKEN_OUTPUTS = ("last_hidden_state", "token_embeddings")
_TEXT_OUTPUT = "sentence_embedding"
_NUMBERS = {"tensor(int64)": numpy.int64, "tensor(int32)": numpy.int32}
_ONLY_ERRORS = 3
_REASON_CHARACTERS = 200


class OnnxModel:
    """A model and its tokenizer, loaded. May be used by several threads at once.

    Raises BadSetting for files that are damaged or do not belong together.
    """

    def __init__(self, description: ModelFolder) -> None:
        self._description = description
        try:
            self._tokenizer = Tokenizer.from_file(str(description.tokenizer))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(description.window)
        except Exception as error:  # tokenizers raises nothing more special
            raise self._broken(description.tokenizer, error) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _processors()
        options.log_severity_level = _ONLY_ERRORS
        # Threads that wait for the next run do not turn in circles: others need this computer too.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(description.model), options, providers=["CPUExecutionProvider"]
            )
        except _ONNX_ERRORS as error:
            raise self._broken(description.model, error) from error
        self._inputs = {found.name: _NUMBERS.get(found.type) for found in self._session.get_inputs()}
        if "input_ids" not in self._inputs or not self._inputs.keys() <= _INPUTS or None in self._inputs.values():
            raise self._unsupported(self._inputs)
        outputs = [found.name for found in self._session.get_outputs()]
        self._output = next((name for name in (*_TOKEN_OUTPUTS, _TEXT_OUTPUT) if name in outputs), None)
        if self._output is None:
            raise self._unsupported(outputs)

    def questions(self, texts: Sequence[str]) -> Matrix:
        """The vectors of questions."""
        return self._vectors([self._description.question_prefix + text for text in texts])

    def passages(self, texts: Sequence[str]) -> Matrix:
        """The vectors of passages."""
        return self._vectors([self._description.passage_prefix + text for text in texts])

    def _vectors(self, texts: Sequence[str]) -> Matrix:
        # Halves of characters, which a terminal may hand over, are no text to a tokenizer.
        encodings = self._tokenizer.encode_batch_fast([text.encode("utf-8", "replace").decode() for text in texts])
        by_length = sorted(
            range(len(texts)), key=lambda number: len(encodings[number].ids)
        )  # so that few are filled up
        runs = [by_length[start : start + _RUN] for start in range(0, len(texts), _RUN)]
        rows = numpy.concatenate([self._run([encodings[number] for number in run]) for run in runs])
        vectors = numpy.empty_like(rows)
        vectors[by_length] = rows
        return vectors

    def _run(self, encodings: Sequence[Encoding]) -> Matrix:
        """The unit vectors of texts in tokens: pooled over the tokens that are no filler."""
        length = max(len(encoding.ids) for encoding in encodings)
        numbers = numpy.full((len(encodings), length), self._description.padding)
        mask = numpy.zeros_like(numbers)
        for row, encoding in enumerate(encodings):
            numbers[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        values = {"input_ids": numbers, "attention_mask": mask, "token_type_ids": numpy.zeros_like(numbers)}
        inputs = {name: values[name].astype(kind) for name, kind in self._inputs.items()}
        try:
            output = numpy.asarray(self._session.run([self._output], inputs)[0], dtype=numpy.float32)
        except _ONNX_ERRORS as error:
            raise Unavailable("model_failed", file=str(self._description.model), reason=_reason(error)) from error
        with numpy.errstate(all="ignore"):  # what is no number is found below
            if self._output != _TEXT_OUTPUT:
                output = self._pooled(output, mask)
            lengths = numpy.linalg.norm(output, axis=1, keepdims=True)
        if output.ndim != 2 or not numpy.isfinite(lengths).all() or not lengths.all():
            raise Unavailable("model_failed", file=str(self._description.model), reason="no vectors")
        vectors: Matrix = output / lengths
        return vectors

    def _pooled(self, output: Any, mask: Any) -> Any:
        """`(texts, tokens, d)` to `(texts, d)`."""
        if self._description.pooling == "cls":
            return output[:, 0]
        weights = mask[:, :, numpy.newaxis].astype(numpy.float32)
        return (output * weights).sum(axis=1) / weights.sum(axis=1)

    def _unsupported(self, names: Iterable[str]) -> BadSetting:
        return BadSetting("model_unsupported", folder=str(self._description.model), what=", ".join(names))

    @staticmethod
    def _broken(path: Path, error: Exception) -> BadSetting:
        return BadSetting("model_broken", file=str(path), reason=_reason(error))


def _processors() -> int:
    """Those this process may use: onnxruntime by itself would count all of the machine's."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _reason(error: Exception) -> str:
    return one_line(str(error))[:_REASON_CHARACTERS]
