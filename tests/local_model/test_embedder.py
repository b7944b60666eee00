from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import pytest

from ai_library_bot.errors import BadSetting, Unavailable
from ai_library_bot.local_model import LocalEmbedder
from tests.local_model import tiny_model

if TYPE_CHECKING:
    from ai_library_bot.protocols import Vector

QUESTION = "Who is the keeper of the lighthouse?"


def vector(folder: Path, text: str = QUESTION) -> Vector:
    return asyncio.run(LocalEmbedder(str(folder)).embed_question(text))[0]


async def passage_vector(embedder: LocalEmbedder, text: str) -> Vector:
    (embedded,) = [batch async for batch in embedder.embed_passages([text])]
    found: Vector = embedded.vectors[0]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_model.write(tmp_path / "model")


class TestVectors:
    def test_the_mean_over_tokens_is_the_mean_of_what_the_model_says(self, tmp_path: Path) -> None:
        pooled_here = tiny_model.write(tmp_path / "tokens")
        pooled_there = tiny_model.write(tmp_path / "text", tiny_model.model(output="sentence_embedding"))
        assert numpy.allclose(vector(pooled_here), vector(pooled_there), atol=1e-6)

    def test_the_first_token_alone_where_the_folder_says_so(self, folder: Path, tmp_path: Path) -> None:
        old = tiny_model.write(tmp_path / "old", others={"1_Pooling/config": {"pooling_mode_cls_token": True}})
        new = tiny_model.write(tmp_path / "new", others={"1_Pooling/config": {"pooling_mode": "cls"}})
        assert numpy.allclose(vector(old), vector(new), atol=1e-6)
        assert not numpy.allclose(vector(old), vector(folder), atol=1e-2)

    @pytest.mark.parametrize("inputs", [("input_ids", "attention_mask", "token_type_ids")])
    def test_models_may_ask_for_the_kinds_of_tokens_too(self, folder: Path, tmp_path: Path, inputs: list[str]) -> None:
        other = tiny_model.write(tmp_path / "other", tiny_model.model(inputs=inputs))
        assert numpy.allclose(vector(folder), vector(other), atol=1e-6)

    def test_models_may_count_in_small_numbers(self, folder: Path, tmp_path: Path) -> None:
        other = tiny_model.write(tmp_path / "other", tiny_model.model(kinds={"input_ids": tiny_model.INT32}))
        assert numpy.allclose(vector(folder), vector(other), atol=1e-6)

    def test_a_text_longer_than_the_window_is_cut(self, folder: Path) -> None:
        window = "a " * (tiny_model.WINDOW - 2)  # two places are for the marks of beginning and end
        assert numpy.allclose(vector(folder, window), vector(folder, window + "storm " * 50), atol=1e-6)
        assert not numpy.allclose(vector(folder, window[2:]), vector(folder, "storm " + window[2:]), atol=1e-3)

    async def test_an_empty_text_and_half_a_character_have_vectors_too(self, folder: Path) -> None:
        embedder = LocalEmbedder(str(folder))
        for text in ("", "  ", "\ud83d", "\x00"):
            assert numpy.linalg.norm(await passage_vector(embedder, text)) == pytest.approx(1, abs=1e-5)

    async def test_the_event_loop_stays_free(self, folder: Path) -> None:
        embedder = LocalEmbedder(str(folder))
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(turn())
        await passage_vector(embedder, "storm")
        other.cancel()
        assert turns > 1


class TestPrefixes:
    @staticmethod
    async def both(folder: Path) -> tuple[Vector, Vector]:
        embedder = LocalEmbedder(str(folder))
        return (await embedder.embed_question("the storm"))[0], await passage_vector(embedder, "the storm")

    async def test_there_are_none_by_themselves(self, folder: Path) -> None:
        question, passage = await self.both(folder)
        assert numpy.allclose(question, passage, atol=1e-6)

    @pytest.mark.parametrize("name", ["multilingual-e5-small", "intfloat--e5-base-v2", "E5_large"])
    async def test_the_e5_family_has_its_own(self, folder: Path, tmp_path: Path, name: str) -> None:
        question, passage = await self.both(shutil.copytree(folder, tmp_path / name))
        plain = LocalEmbedder(str(folder))
        assert numpy.allclose(question, (await plain.embed_question("query: the storm"))[0], atol=1e-6)
        assert numpy.allclose(passage, (await plain.embed_question("passage: the storm"))[0], atol=1e-6)

    async def test_the_hubs_own_cache_names_the_model_further_up(self, folder: Path, tmp_path: Path) -> None:
        cached = tmp_path / "models--intfloat--multilingual-e5-small" / "snapshots" / "614241f"
        question, passage = await self.both(shutil.copytree(folder, cached))
        assert not numpy.allclose(question, passage, atol=1e-3)

    @pytest.mark.parametrize("name", ["e5-mistral-7b", "multilingual-e5-large-instruct", "base5", "the5th"])
    async def test_who_only_looks_like_it_has_none(self, folder: Path, tmp_path: Path, name: str) -> None:
        question, passage = await self.both(shutil.copytree(folder, tmp_path / name))
        assert numpy.allclose(question, passage, atol=1e-6)

    @pytest.mark.parametrize("keys", [("query", "document"), ("query", "passage"), ("search_query", "search_document")])
    async def test_the_prompts_of_the_folder_win(self, tmp_path: Path, keys: tuple[str, str]) -> None:
        prompts = {keys[0]: "storm ", keys[1]: "bridge "}
        folder = tiny_model.write(tmp_path / "e5", others={"config_sentence_transformers": {"prompts": prompts}})
        question, passage = await self.both(folder)
        plain = LocalEmbedder(str(tiny_model.write(tmp_path / "plain")))
        assert numpy.allclose(question, (await plain.embed_question("storm the storm"))[0], atol=1e-6)
        assert numpy.allclose(passage, (await plain.embed_question("bridge the storm"))[0], atol=1e-6)


class TestFingerprint:
    def test_a_moved_folder_is_the_same_embedder(self, folder: Path, tmp_path: Path) -> None:
        before = LocalEmbedder(str(folder)).fingerprint
        assert LocalEmbedder(str(folder.rename(tmp_path / "elsewhere"))).fingerprint == before

    def test_the_place_of_the_file_in_the_folder_does_not_matter(self, folder: Path) -> None:
        before = LocalEmbedder(str(folder)).fingerprint
        (folder / "onnx").mkdir()
        (folder / "model.onnx").rename(folder / "onnx" / "model.onnx")
        assert LocalEmbedder(str(folder)).fingerprint == before

    def test_whatever_changes_the_vectors_changes_it(self, tmp_path: Path) -> None:
        changes: list[tuple[bytes | None, dict[str, object]]] = [
            (None, {}),
            (tiny_model.model(scale=2), {}),
            (None, {"1_Pooling/config": {"pooling_mode": "cls"}}),
            (None, {"sentence_bert_config": {"max_seq_length": 12}}),
            (None, {"config_sentence_transformers": {"prompts": {"query": "q: "}}}),
            (None, {"config_sentence_transformers": {"prompts": {"document": "q: "}}}),
        ]
        folders = [
            tiny_model.write(tmp_path / str(number), model, others) for number, (model, others) in enumerate(changes)
        ]
        other_tokenizer = tiny_model.write(tmp_path / "tokenizer")
        path = other_tokenizer / "tokenizer.json"
        path.write_text(path.read_text("utf-8").replace('"Lowercase"', '"NFC"'), "utf-8")
        other_weights = tiny_model.write(tmp_path / "weights")
        (other_weights / "model.onnx_data").write_bytes(b"weights")
        fingerprints = {LocalEmbedder(str(found)).fingerprint for found in (*folders, other_tokenizer, other_weights)}
        assert len(fingerprints) == len(changes) + 2

    def test_a_model_of_the_hub_is_known_by_its_name_before_it_is_there(self, tmp_path: Path) -> None:
        embedder = LocalEmbedder("intfloat/multilingual-e5-small", tmp_path)
        assert embedder.fingerprint == "local:1:intfloat/multilingual-e5-small"
        assert list(tmp_path.iterdir()) == []


class TestBadInput:
    def test_no_folder(self, tmp_path: Path) -> None:
        for name in (str(tmp_path / "none"), "~/no such model", "./none", "a/b/c", "what is this"):
            with pytest.raises(BadSetting) as caught:
                asyncio.run(LocalEmbedder(name).embed_question(QUESTION))
            assert caught.value.key == "model_no_folder"

    @pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
    def test_a_file_that_is_missing(self, folder: Path, file: str) -> None:
        (folder / file).unlink()
        with pytest.raises(BadSetting) as caught:
            vector(folder)
        assert caught.value.key == "model_incomplete"
        assert file in str(caught.value)

    def test_one_model_under_another_name_is_taken_two_are_too_many(self, folder: Path) -> None:
        expected = vector(folder)
        (folder / "model.onnx").rename(folder / "model_quantized.onnx")
        assert numpy.allclose(vector(folder), expected, atol=1e-6)
        (folder / "onnx").mkdir()
        shutil.copy(folder / "model_quantized.onnx", folder / "onnx" / "model_O4.onnx")
        with pytest.raises(BadSetting) as caught:
            vector(folder)
        assert caught.value.key == "model_ambiguous"
        shutil.copy(folder / "model_quantized.onnx", folder / "onnx" / "model.onnx")
        assert numpy.allclose(vector(folder), expected, atol=1e-6)

    @pytest.mark.parametrize(
        "file",
        [
            *("model.onnx", "tokenizer.json", "config.json", "modules.json", "sentence_bert_config.json"),
            *("1_Pooling/config.json", "config_sentence_transformers.json", "tokenizer_config.json"),
        ],
    )
    @pytest.mark.parametrize("content", [b"", b"garbage", b"[[" * 50_000, b"\xff\xfe\x00", b"17", b'"text"'])
    def test_garbage(self, folder: Path, file: str, content: bytes) -> None:
        if file == "sentence_bert_config.json" or file == "tokenizer_config.json":
            (folder / "sentence_bert_config.json").unlink()
        (folder / file).write_bytes(content)
        with pytest.raises(BadSetting) as caught:
            vector(folder)
        assert caught.value.key == "model_broken"
        assert file in str(caught.value)

    def test_half_a_file(self, folder: Path) -> None:
        path = folder / "model.onnx"
        path.write_bytes(path.read_bytes()[:-3000])
        with pytest.raises(BadSetting) as caught:
            vector(folder)
        assert caught.value.key == "model_broken"

    @pytest.mark.parametrize(
        ("model", "others", "what"),
        [
            (tiny_model.model(inputs=("input_ids", "attention_mask", "past_key_values")), {}, "past_key_values"),
            (tiny_model.model(kinds={"attention_mask": tiny_model.FLOAT}), {}, "attention_mask"),
            (tiny_model.model(output="logits"), {}, "logits"),
            (None, {"1_Pooling/config": {"pooling_mode_max_tokens": True}}, "max"),
            (None, {"1_Pooling/config": {"pooling_mode": ["mean", "cls"]}}, "mean, cls"),
            (None, {"1_Pooling/config": {"pooling_mode": "mean", "include_prompt": False}}, "mean"),
            (None, {"modules": [{"type": "sentence_transformers.models.Dense"}]}, "Dense"),
        ],
    )
    def test_a_model_of_another_kind(
        self, tmp_path: Path, model: bytes | None, others: dict[str, object], what: str
    ) -> None:
        with pytest.raises(BadSetting) as caught:
            vector(tiny_model.write(tmp_path / "model", model, others))
        assert caught.value.key == "model_unsupported"
        assert what in str(caught.value)

    @pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0])
    def test_numbers_that_are_no_vectors(self, tmp_path: Path, scale: float) -> None:
        with pytest.raises(Unavailable) as caught:
            vector(tiny_model.write(tmp_path / "model", tiny_model.model(scale=scale)))
        assert caught.value.key == "model_failed"

    def test_a_tokenizer_of_another_model(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable) as caught:
            vector(tiny_model.write(tmp_path / "model", tiny_model.model(vocabulary=5)))
        assert caught.value.key == "model_failed"

    def test_settings_that_are_no_numbers_fall_back(self, folder: Path, tmp_path: Path) -> None:
        config = {"max_position_embeddings": tiny_model.WINDOW, "pad_token_id": None}
        odd = tiny_model.write(
            tmp_path / "odd", others={"config": config, "sentence_bert_config": {"max_seq_length": None}}
        )
        (odd / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 10**30}))
        assert numpy.allclose(vector(odd, "storm " * 50), vector(folder, "storm " * 50), atol=1e-6)

    def test_models_that_count_positions_from_two_on_have_a_shorter_window(self, folder: Path, tmp_path: Path) -> None:
        config = {"max_position_embeddings": tiny_model.WINDOW + 2, "model_type": "xlm-roberta"}
        other = tiny_model.write(
            tmp_path / "other", others={"config": config, "sentence_bert_config": {"max_seq_length": 514}}
        )
        assert numpy.allclose(vector(other, "storm " * 50), vector(folder, "storm " * 50), atol=1e-6)

    @pytest.mark.parametrize("package", ["onnxruntime", "tokenizers"])
    def test_the_extra_is_not_installed(self, folder: Path, package: str) -> None:
        program = (
            "import asyncio, sys\n"
            f"sys.modules['{package}'] = None\n"
            "from ai_library_bot.errors import BadSetting\n"
            "from ai_library_bot.local_model import LocalEmbedder\n"
            "try:\n"
            f"    asyncio.run(LocalEmbedder({str(folder)!r}).embed_question('storm'))\n"
            "except BadSetting as error:\n"
            "    print(error)\n"
        )
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert "make extras" in ended.stdout
        assert package in ended.stdout


def test_making_one_loads_nothing(folder: Path) -> None:
    program = (
        "import sys\n"
        "from ai_library_bot.local_model import LocalEmbedder\n"
        f"LocalEmbedder({str(folder)!r}).fingerprint\n"
        "print({'numpy', 'onnxruntime', 'tokenizers', 'huggingface_hub'} & sys.modules.keys())\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"
    assert ended.stderr == ""


def test_several_threads_load_the_model_once(folder: Path) -> None:
    embedder = LocalEmbedder(str(folder))
    vectors: list[Vector] = []
    threads = [
        threading.Thread(target=lambda: vectors.append(asyncio.run(embedder.embed_question(QUESTION))[0]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(vectors) == 4
    assert all(numpy.allclose(found, vectors[0], atol=1e-6) for found in vectors)
