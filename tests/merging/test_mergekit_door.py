"""What our kernels do not compute: mergekit's other layouts, with the same recipe, checks and output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
import yaml

from workbench.errors import Incompatible, StepFailed
from workbench.merging.mergekit_door import lower
from workbench.merging.standalone import merge_file
from workbench.specs.merge import MergeSpec


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A base of four layers, a full expert, and an adapter, as references."""
    folder = tmp_path_factory.mktemp("deep")
    base = tiny.save_model(folder / "base", num_hidden_layers=4)
    expert = tiny.save_expert(base, folder / "expert", seed=1)
    adapter = tiny.save_adapter(base, folder / "adapter", rank=2)
    return {"base": str(base), "expert": str(expert), "adapted": f"{base}+{adapter}"}


def merged(raw: dict[str, Any], folder: Path) -> Path:
    (folder / "m.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    merge_file(folder / "m.yaml", folder / "out")
    return folder / "out"


def layers(model: str, start: int, stop: int) -> dict[str, Any]:
    return {"sources": [{"model": model, "layer_range": [start, stop]}]}


def test_a_frankenmerge_of_a_base_and_an_adapter(models: dict[str, str], tmp_path: Path) -> None:
    slices = [layers(models["base"], 0, 3), layers(models["adapted"], 1, 4)]
    out = merged({"merge_method": "passthrough", "slices": slices, "dtype": "bfloat16"}, tmp_path)
    assert json.loads((out / "config.json").read_text())["num_hidden_layers"] == 6
    found, base = tiny.weights_of(out), tiny.weights_of(Path(models["base"]))
    name = "model.layers.{}.self_attn.q_proj.weight"
    assert torch.equal(found[name.format(2)], base[name.format(2)].bfloat16())
    assert not torch.equal(found[name.format(3)], base[name.format(1)].bfloat16())  # layer 1 with the adapter
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md", "chat_template.jinja", "config.json", "generation_config.json", "manifest.json",
        "model.safetensors", "recipe.yaml", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    assert "computed by mergekit 0.1.5" in (out / "README.md").read_text()


def test_slices_of_whole_models_are_what_models_are(models: dict[str, str], tmp_path: Path) -> None:
    sources = [{"model": models[name], "layer_range": [0, 4]} for name in ("base", "expert")]
    shared = {"merge_method": "slerp", "base_model": models["base"], "dtype": "float32"}
    gradient = {"t": [0.0, 0.5, 1.0]}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    theirs = merged({**shared, "slices": [{"sources": sources}], "parameters": gradient}, tmp_path / "a")
    entries = [{"model": models["base"]}, {"model": models["expert"]}]
    ours = merged({**shared, "models": entries, "parameters": gradient}, tmp_path / "b")
    assert "its own kernels" in (ours / "README.md").read_text()
    wanted = tiny.weights_of(theirs)
    for name, tensor in tiny.weights_of(ours).items():
        torch.testing.assert_close(tensor, wanted[name], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("change", [{"tokenizer_source": "union"}, {"chat_template": "chatml"}], ids=str)
def test_tokenizers_and_chat_templates_are_mergekit_s(
    change: dict[str, Any], models: dict[str, str], tmp_path: Path
) -> None:
    entries = [{"model": models[name], "parameters": {"weight": 0.5}} for name in ("base", "expert")]
    out = merged({"merge_method": "linear", "models": entries, "dtype": "float32", **change}, tmp_path)
    assert {"tokenizer.json", "generation_config.json"} <= {path.name for path in out.iterdir()}
    base, expert = (tiny.weights_of(Path(models[name])) for name in ("base", "expert"))
    for name, tensor in tiny.weights_of(out).items():
        torch.testing.assert_close(tensor, (base[name] + expert[name]) / 2, rtol=0, atol=1e-6)


def test_what_mergekit_cannot_run_is_one_sentence(models: dict[str, str], tmp_path: Path) -> None:
    parts = {"nothing_like_it": {"models": [{"model": models["base"], "parameters": {"weight": 1.0}}]}}
    with pytest.raises(StepFailed, match=r"^mergekit could not run 'linear': 'nothing_like_it'$"):
        merged({"merge_method": "linear", "modules": parts}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["m.yaml"]


def test_not_a_number_is_found_before_mergekit_is_asked(models: dict[str, str], tmp_path: Path) -> None:
    broken = tiny.copy(Path(models["expert"]), tmp_path / "broken")
    weights = tiny.weights_of(broken)
    weights["model.norm.weight"][0] = torch.nan
    tiny.save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    slices = [layers(models["base"], 0, 2), layers(str(broken), 2, 4)]
    with pytest.raises(
        Incompatible, match=r"broken': model\.norm\.weight holds NaN or infinity \(.*model\.safetensors"
    ):
        merged({"merge_method": "passthrough", "slices": slices}, tmp_path)


def test_lowering_names_folders_and_leaves_out_what_mergekit_does_not_know() -> None:
    spec = MergeSpec.model_validate(
        {
            "merge_method": "dare_ties",
            "models": [{"model": "1", "parameters": {"weight": 0.5}}],
            "base_model": "0",
            "seed": 4,
            "variant": "paper",
        }
    )
    assert lower(spec, [Path("/x"), Path("/y")]) == {
        "merge_method": "dare_ties",
        "models": [{"model": "/y", "parameters": {"weight": 0.5}}],
        "base_model": "/x",
    }
