"""The model families that people merge: every tensor merged, as mergekit merges them, into what transformers loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
import transformers
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from transformers import AutoModelForCausalLM, PretrainedConfig

from workbench.errors import Incompatible
from workbench.merging.merge import merge
from workbench.merging.places import Place
from workbench.specs.merge import MergeSpec

SMALL = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "Llama": {},
    "Mistral": {"sliding_window": 64},
    "Qwen2": {"tie_word_embeddings": True},
    "Qwen3": {"tie_word_embeddings": True},
    "Gemma2": {"query_pre_attn_scalar": 8, "sliding_window": 64},
    "Gemma3": {"query_pre_attn_scalar": 8, "sliding_window": 64},
    "Phi3": {"sliding_window": 64},
    "Olmo2": {},
}
CONFIG = {"Gemma3": "Gemma3TextConfig"}

OF_THE_FAMILY = {
    "Llama": "model.layers.1.mlp.gate_proj.weight",
    "Mistral": "lm_head.weight",
    "Qwen2": "model.layers.0.self_attn.q_proj.bias",
    "Qwen3": "model.layers.0.self_attn.q_norm.weight",
    "Gemma2": "model.layers.0.pre_feedforward_layernorm.weight",
    "Gemma3": "model.layers.0.self_attn.k_norm.weight",
    "Phi3": "model.layers.0.self_attn.qkv_proj.weight",
    "Olmo2": "model.layers.0.post_attention_layernorm.weight",
}
"""A tensor that a checkpoint of the family has, so that a merge that knows no such name would lose it."""

every_family = pytest.mark.parametrize("family", list(FAMILIES))


def save(family: str, folder: Path) -> Path:
    """A random model of a family, in float32; no two parameters are alike, and none is only ones."""
    config: Callable[..., PretrainedConfig] = getattr(transformers, CONFIG.get(family, f"{family}Config"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, f"{family}ForCausalLM")(config(**{**SMALL, **FAMILIES[family]})).eval()
        for parameter in model.parameters():
            parameter.data += 0.05 * torch.randn(parameter.shape)
    model.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Path]]:
    """`made(family)`: two experts and their base."""
    root, known = tmp_path_factory.mktemp("families"), {}

    def make(family: str) -> list[Path]:
        if family not in known:
            if not hasattr(transformers, f"{family}ForCausalLM"):
                pytest.skip(f"transformers {transformers.__version__} has no {family}")
            base = save(family, root / family / "base")
            known[family] = [tiny.save_expert(base, root / family / f"expert-{i}", i) for i in (1, 2)] + [base]
        return known[family]

    return make


def recipe(method: str, count: int) -> MergeSpec:
    each = {"density": 0.5} if method == "ties" else {}
    spec = tiny.recipe(method, (0.6, 0.9)[:count], t=[0.2, 0.8], each=each)
    return spec.model_copy(update={"dtype": "float32", "out_dtype": None})


@every_family
@pytest.mark.parametrize("method", ["ties", "slerp"])
def test_every_tensor_is_merged_and_transformers_runs_the_model(
    family: str, method: str, made: Callable[[str], list[Path]], tmp_path: Path
) -> None:
    *experts, base = made(family)
    models = tiny.inputs(method, experts, base)
    found = tiny.merged(recipe(method, len(experts)), models, tmp_path / "out")
    origin = tiny.weights_of(base)
    assert OF_THE_FAMILY[family] in found
    assert {n: (t.shape, t.dtype) for n, t in found.items()} == {n: (t.shape, t.dtype) for n, t in origin.items()}
    assert not [name for name, tensor in found.items() if torch.equal(tensor, origin[name]) and method == "ties"]
    model, loading = AutoModelForCausalLM.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(loading.values()), loading  # nothing missing, unexpected, mismatched
    held = model.state_dict()
    assert all(torch.equal(held[name], tensor) for name, tensor in found.items())
    assert torch.isfinite(model(torch.tensor([[5, 6, 7, 8]])).logits).all()


@every_family
@pytest.mark.parametrize("method", ["ties", "slerp"])
def test_mergekit_merges_it_alike(family: str, method: str, made: Callable[[str], list[Path]], tmp_path: Path) -> None:
    *experts, base = made(family)
    spec = recipe(method, len(experts))
    models = tiny.inputs(method, experts, base)
    names = {str(i): str(folder) for i, folder in enumerate(models)}
    raw = spec.renamed(names).model_dump(mode="json", exclude_unset=True, exclude_none=True)
    options = MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True)
    try:
        run_merge(MergeConfiguration.model_validate(raw), str(tmp_path / "theirs"), options)
    except (RuntimeError, KeyError, ValueError) as error:
        pytest.skip(f"mergekit cannot merge {family}: {error}")
    found = tiny.merged(spec, models, tmp_path / "ours")
    wanted = tiny.weights_of(tmp_path / "theirs")
    lost = found.keys() - wanted.keys()
    assert wanted.keys() <= found.keys()
    assert not lost, f"mergekit loses {sorted(lost)}"
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-6, msg=name)


@pytest.mark.parametrize(
    ("part", "whole"), [("q_proj", "qkv_proj"), ("k_proj", "qkv_proj"), ("gate_proj", "gate_up_proj")]
)
def test_a_filter_on_what_phi_3_has_fused_is_refused(
    part: str, whole: str, made: Callable[[str], list[Path]], tmp_path: Path
) -> None:
    *experts, base = made("Phi3")
    spec = tiny.recipe("slerp", t=[{"filter": part, "value": 0.9}, {"value": 0.2}])
    places = [Place(folder.name, folder.name, folder) for folder in (experts[0], base)]
    (tmp_path / "out").mkdir()
    sentence = (
        rf"^parameters: the filter '{part}' of 't' matches no tensor\. "
        rf"In this model {part} is part of {whole}: filter on that, or on self_attn or mlp\.$"
    )
    with pytest.raises(Incompatible, match=sentence):
        merge("out", spec, places, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
