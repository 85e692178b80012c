"""Folded adapters against PEFT's own merge_and_unload, and adapters that cannot be folded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from workbench.errors import Incompatible
from workbench.merging.fold import fold

KINDS: dict[str, dict[str, Any]] = {
    "rank 2": {},
    "rank 3": {"rank": 3},
    "rank-stabilised": {"rank": 3, "use_rslora": True},
    "rank pattern": {"rank_pattern": {"q_proj": 5, "layers.1.mlp.up_proj": 1}},
    "alpha pattern": {"alpha_pattern": {"v_proj": 16, r"layers\.0\..*_proj": 1}},
    "both patterns, rank-stabilised": {
        "rank_pattern": {"down_proj": 4}, "alpha_pattern": {"down_proj": 9, "o_proj": 3}, "use_rslora": True
    },
    "some layers": {"target_modules": ["q_proj", "v_proj"], "layers_to_transform": [1]},
    "some modules": {"target_modules": ["gate_proj"]},
}  # fmt: skip


def merged_by_peft(base: Path, adapter: Path) -> dict[str, torch.Tensor]:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    dense = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return {name: tensor for name, tensor in dense.state_dict().items() if name != "lm_head.weight"}


@pytest.mark.parametrize("kind", list(KINDS))
def test_fold_equals_peft(kind: str, base: Path, tmp_path: Path) -> None:
    adapter = tiny.save_adapter(base, tmp_path / "adapter", **KINDS[kind])
    out = tmp_path / "out"
    out.mkdir()
    fold(base, adapter, "tiny", out)
    found, wanted = tiny.weights_of(out), merged_by_peft(base, adapter)
    assert found.keys() == wanted.keys()
    assert max((found[name] - wanted[name]).abs().max().item() for name in wanted) < 1e-6
    origin = tiny.weights_of(base)
    changed = [name for name in found if not torch.equal(found[name], origin[name])]
    adapted = {name for name in load_file(adapter / "adapter_model.safetensors") if "lora_A" in name}
    assert len(changed) == len(adapted) > 0


def test_a_bfloat16_base_is_folded_in_float32(tmp_path: Path) -> None:
    base = tiny.save_model(tmp_path / "base", dtype=torch.bfloat16)
    adapter = tiny.save_adapter(base, tmp_path / "adapter")
    out = tmp_path / "out"
    out.mkdir()
    before = tiny.hashes(base), tiny.hashes(adapter)
    fold(base, adapter, "tiny", out)
    assert (tiny.hashes(base), tiny.hashes(adapter)) == before
    found, wanted = tiny.weights_of(out), merged_by_peft(base, adapter)
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert max((found[name] - wanted[name]).abs().max().item() for name in wanted) < 1e-6
    assert AutoModelForCausalLM.from_pretrained(out, dtype="auto").dtype == torch.float32


def test_a_float32_base_is_not_modified(base: Path, tmp_path: Path) -> None:
    adapter = tiny.save_adapter(base, tmp_path / "adapter")
    before = tiny.hashes(base), tiny.hashes(adapter)
    out = tmp_path / "out"
    out.mkdir()
    fold(base, adapter, "tiny", out)
    assert (tiny.hashes(base), tiny.hashes(adapter)) == before


def test_a_sharded_base_is_folded(base: Path, tmp_path: Path) -> None:
    sharded = Path(shutil.copytree(base, tmp_path / "sharded"))
    tiny.shard(sharded)
    adapter = tiny.save_adapter(base, tmp_path / "adapter")
    (tmp_path / "out").mkdir()
    fold(sharded, adapter, "tiny", tmp_path / "out")
    found, wanted = tiny.weights_of(tmp_path / "out"), merged_by_peft(base, adapter)
    assert max((found[name] - wanted[name]).abs().max().item() for name in wanted) < 1e-6


MERGE_FIRST = r"Fold it with PEFT's merge_and_unload and declare the folder instead\.$"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"use_dora": True}, "uses use_dora"),
        ({"bias": "all"}, "uses bias"),
        ({"modules_to_save": ["input_layernorm"]}, "uses modules_to_save"),
        ({"init_lora_weights": "pissa"}, "uses init_lora_weights: pissa"),
    ],
)
def test_more_than_lora_is_refused(changes: dict[str, Any], what: str, base: Path, tmp_path: Path) -> None:
    adapter = tiny.save_adapter(base, tmp_path / "adapter", target_modules=["q_proj"], **changes)
    refused(base, adapter, rf"adapter: {what}\. {MERGE_FIRST}", tmp_path)


def test_another_kind_of_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = tiny.save_adapter(base, tmp_path / "adapter")
    tiny.edit_json(adapter / "adapter_config.json", peft_type="LOHA")
    refused(base, adapter, rf"adapter: is a LOHA adapter\. {MERGE_FIRST}", tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"fan_in_fan_out": True}, {"lora_bias": True}, {"kasa_config": {"beta": 1e-4}}, {"layer_replication": [[0, 2]]}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_only_the_config_tells_is_refused(changes: dict[str, Any], base: Path, tmp_path: Path) -> None:
    adapter = tiny.save_adapter(base, tmp_path / "adapter")
    tiny.edit_json(adapter / "adapter_config.json", **changes)
    refused(base, adapter, rf"adapter: uses {next(iter(changes))}\. {MERGE_FIRST}", tmp_path)


def test_an_adapter_of_a_wider_base_is_refused(base: Path, tmp_path: Path) -> None:
    wide = tiny.save_model(tmp_path / "wide", hidden_size=64)
    adapter = tiny.save_adapter(wide, tmp_path / "adapter")
    sentence = (
        r"adapter: base_model\.model\.model\.layers\.0\.mlp\.down_proj\.lora_B\.weight is \(64, 2\), "
        r"but model\.layers\.0\.mlp\.down_proj\.weight of 'tiny' is \(32, 64\)\. It was trained on another base\.$"
    )
    refused(base, adapter, sentence, tmp_path)


def test_an_adapter_of_a_deeper_base_is_refused(base: Path, tmp_path: Path) -> None:
    deep = tiny.save_model(tmp_path / "deep", num_hidden_layers=3)
    adapter = tiny.save_adapter(deep, tmp_path / "adapter")
    sentence = r"adapts model\.layers\.2\.\S+, which 'tiny' lacks\. It was trained on another base\.$"
    refused(base, adapter, sentence, tmp_path)


def without_weights(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").unlink()


def pickled(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")


def truncated(adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def without_config(adapter: Path) -> None:
    (adapter / "adapter_config.json").unlink()


def half_a_config(adapter: Path) -> None:
    (adapter / "adapter_config.json").write_text('{"peft_type": ')


def half_a_pair(adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    save_file({n: t for n, t in load_file(path).items() if "layers.0.mlp.up_proj.lora_B" not in n}, path)


def not_a_number(adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    weights[next(name for name in sorted(weights) if "lora_B" in name)][0, 0] = torch.nan
    save_file(weights, path)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (without_weights, r"is no usable adapter: it holds no weights\.$"),
        (pickled, r"its weights are pickled \(adapter_model\.bin\); save them as safetensors\.$"),
        (
            truncated,
            r"_model\.safetensors: truncated, \d+ of \d+ bytes are there\. Copy or download it again\.$",
        ),
        (without_config, r"its adapter_config\.json cannot be read \(.*\)\. Save it again\.$"),
        (half_a_config, r"its adapter_config\.json cannot be read \(.*\)\. Save it again\.$"),
        (half_a_pair, r"layers\.0\.mlp\.up_proj\.lora_A\.weight is no half of a LoRA pair\. .*save it again\.$"),
        (not_a_number, r"holds NaN or infinity once folded\. Train it again\.$"),
    ],
)
def test_a_damaged_adapter_is_refused(
    damage: Callable[[Path], None], sentence: str, base: Path, tmp_path: Path
) -> None:
    adapter = tiny.save_adapter(base, tmp_path / "adapter")
    damage(adapter)
    refused(base, adapter, sentence, tmp_path)


def refused(base: Path, adapter: Path, sentence: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(Incompatible, match=sentence) as caught:
        fold(base, adapter, "tiny", out)
    assert "\n" not in str(caught.value)
    assert not list(out.iterdir())
