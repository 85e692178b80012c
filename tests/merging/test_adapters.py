"""Adapters of every kind that PEFT saves as a dense change: tensors against its merge, answers against its model."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from workbench.errors import Incompatible
from workbench.merging.adapters import Adapted
from workbench.merging.fold import fold
from workbench.merging.kernels.group import Kind
from workbench.merging.kernels.lowrank import dense_update
from workbench.merging.kernels.workers import Workers
from workbench.merging.sources import Checkpoint

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
QV = ["q_proj", "v_proj"]
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
Q = "model.layers.0.self_attn.q_proj.weight"

# Kind -> (base, rows added to the vocabulary, fields of LoraConfig)
KINDS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "rank 1": ("tied", 0, {"r": 1}),
    "rank 5": ("tied", 0, {"r": 5}),
    "rank-stabilised": ("tied", 0, {"r": 3, "use_rslora": True}),
    "rank pattern": ("tied", 0, {"rank_pattern": {"q_proj": 5, "layers.1.mlp.up_proj": 1}}),
    "alpha pattern": ("tied", 0, {"alpha_pattern": {"v_proj": 16, r"^model\.layers\.0\..*_proj": 1}}),
    "all patterns": ("tied", 0, {
        "rank_pattern": {"down_proj": 4}, "alpha_pattern": {"down_proj": 9, "o_proj": 3}, "use_rslora": True
    }),
    "some layers": ("tied", 0, {"target_modules": QV, "layers_to_transform": [1]}),
    "gaussian": ("tied", 0, {"init_lora_weights": "gaussian"}),
    "orthogonal": ("tied", 0, {"init_lora_weights": "orthogonal"}),
    "mica": ("tied", 0, {"init_lora_weights": "mica", "target_modules": QV}),
    "dora": ("tied", 0, {"use_dora": True}),
    "dora, patterns": ("tied", 0, {"use_dora": True, "use_rslora": True, "rank_pattern": {"k_proj": 3}}),
    "norms": ("tied", 0, {"modules_to_save": ["norm", "input_layernorm"]}),
    "all biases": ("biased", 0, {"target_modules": ["q_proj"], "bias": "all"}),
    "adapted layers' biases": ("biased", 0, {"target_modules": QV, "bias": "lora_only"}),
    "biases of the update": ("biased", 0, {"target_modules": QV, "lora_bias": True, "alpha_pattern": {"v_proj": 7}}),
    "biases of both": ("biased", 0, {"target_modules": QV, "lora_bias": True, "bias": "all"}),
    "dora, biases": ("biased", 0, {"target_modules": QV, "use_dora": True, "bias": "lora_only"}),
    "output matrix": ("untied", 0, {"modules_to_save": ["lm_head"]}),
    "embeddings and output matrix": ("untied", 0, {"modules_to_save": ["lm_head", "embed_tokens"]}),
    "pair of the embeddings": ("untied", 0, {"target_modules": ["embed_tokens", "q_proj"]}),
    "pairs of both": ("untied", 0, {"target_modules": ["embed_tokens", "lm_head"], "rank_pattern": {"lm_head": 3}}),
    "dora of both": ("untied", 0, {"target_modules": ["embed_tokens", "lm_head"], "use_dora": True}),
    "tokens": ("untied", 0, {"trainable_token_indices": [258, 3, 5]}),
    "tokens of both": ("untied", 0, {"trainable_token_indices": {"embed_tokens": [3, 5], "lm_head": [4]}}),
    "tokens, tied": ("tied", 0, {"trainable_token_indices": [3, 5]}),
    "embeddings, tied": ("tied", 0, {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}),
    "embeddings, untied by it": ("tied", 0, {"modules_to_save": ["embed_tokens"]}),
    "both, untied by it": ("tied", 0, {"modules_to_save": ["embed_tokens", "lm_head"]}),
    "Conv1D": ("gpt2", 0, {"target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True}),
    "Conv1D, dora, biases": ("gpt2", 0, {"target_modules": ["c_attn", "c_proj"], "use_dora": True, "bias": "all"}),
    "Conv1D, tokens": ("gpt2", 0, {"target_modules": ["c_proj"], "trainable_token_indices": [7]}),
    "new rows, not trained": ("untied", 3, {"target_modules": QV}),
    "new rows, not trained, tied": ("tied", 3, {"target_modules": QV}),
    "new rows": ("untied", 3, {"modules_to_save": ["embed_tokens", "lm_head"]}),
    "new rows, tied": ("tied", 3, {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}),
    "new rows, untied by it": ("tied", 3, {"modules_to_save": ["embed_tokens"]}),
    "new rows as tokens": ("untied", 2, {"trainable_token_indices": {"embed_tokens": [259, 260], "lm_head": [260]}}),
    "new rows as tokens, tied": ("tied", 2, {"trainable_token_indices": [260, 259]}),
    "new rows and pairs": ("untied", 2, {"target_modules": ["embed_tokens", "lm_head", "q_proj"]}),
    "fewer rows": ("untied", -9, {"modules_to_save": ["embed_tokens", "lm_head"]}),
}  # fmt: skip

# PEFT's merge adds these to the matrix that both sides share (peft issue 2777); the model that was trained unties it.
NOT_AS_PEFT_MERGES: dict[str, tuple[str, int, dict[str, Any]]] = {
    "pair of the embeddings, tied": ("tied", 0, {"target_modules": ["embed_tokens"]}),
    "pairs alike, tied": ("tied", 0, {"target_modules": ["embed_tokens"], "ensure_weight_tying": True}),
    "pair of the output matrix, tied": ("tied", 0, {"target_modules": ["lm_head", "q_proj"]}),
    "tokens of the output matrix, tied": ("tied", 0, {"trainable_token_indices": {"lm_head": [4]}}),
    "Conv1D and Linear": ("gpt2", 0, {"target_modules": ["c_proj", "lm_head"]}),
}


@pytest.fixture(scope="module")
def bases(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {
        "tied": base,
        "untied": tiny.save_model(folder / "untied", 1, tie_word_embeddings=False),
        "biased": tiny.save_model(folder / "biased", 2, attention_bias=True),
        "gpt2": gpt2(folder / "gpt2"),
    }


def gpt2(folder: Path) -> Path:
    sizes = {"vocab_size": 259, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=2))
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.data += 0.1 * torch.randn(parameter.shape)
        model.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


def loaded(base: Path, more: int) -> PreTrainedModel:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if more:
        model.resize_token_embeddings(model.config.vocab_size + more)
    return model


def trained(base: Path, folder: Path, more: int = 0, **fields: Any) -> Path:
    """An adapter by PEFT with every trainable number moved."""
    kept = {"r": 2, "lora_alpha": 3, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **fields}
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT's, on tied embeddings
        torch.manual_seed(5)
        model = get_peft_model(loaded(base, more), LoraConfig(**kept))
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data.add_(0.1 * torch.randn(parameter.shape))  # in place: PEFT shares memory of tied ones
        model.save_pretrained(folder)
    return folder


def by_peft(base: Path, adapter: Path, more: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Answers of PEFT's adapted model, and its tensors once PEFT has merged it."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = PeftModel.from_pretrained(loaded(base, more), adapter).eval()
        answers = model(torch.arange(3, 40)[None]).logits
        dense = model.merge_and_unload()
        tensors = dense.state_dict()
        if dense.config.tie_word_embeddings:
            tensors.pop(HEAD)
        return answers, tensors


def folded(base: Path, adapter: Path, out: Path) -> dict[str, torch.Tensor]:
    out.mkdir()
    fold(base, adapter, "tiny", out)
    return tiny.weights_of(out)


def answers_of(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder).eval()(torch.arange(3, 40)[None]).logits


@pytest.mark.parametrize("kind", KINDS)
def test_fold_is_pefts_merge(kind: str, bases: dict[str, Path], tmp_path: Path) -> None:
    name, more, fields = KINDS[kind]
    adapter = trained(bases[name], tmp_path / "adapter", more, **fields)
    found = folded(bases[name], adapter, tmp_path / "out")
    answers, wanted = by_peft(bases[name], adapter, more)
    assert found.keys() == wanted.keys()
    for tensor, value in wanted.items():
        torch.testing.assert_close(
            found[tensor], value, rtol=1e-6, atol=1e-6, msg=lambda text, t=tensor: f"{t}: {text}"
        )
    torch.testing.assert_close(answers_of(tmp_path / "out"), answers, rtol=1e-5, atol=1e-5)
    origin = tiny.weights_of(bases[name])
    assert any(not torch.equal(found[tensor], origin[tensor]) for tensor in origin)


@pytest.mark.parametrize("kind", NOT_AS_PEFT_MERGES)
def test_fold_answers_as_the_trained_model_where_pefts_merge_does_not(
    kind: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    name, more, fields = NOT_AS_PEFT_MERGES[kind]
    adapter = trained(bases[name], tmp_path / "adapter", more, **fields)
    answers, _ = by_peft(bases[name], adapter, more)
    folded(bases[name], adapter, tmp_path / "out")
    torch.testing.assert_close(answers_of(tmp_path / "out"), answers, rtol=1e-5, atol=1e-5)
    alike = "alike" in kind
    assert json.loads((tmp_path / "out" / "config.json").read_text())["tie_word_embeddings"] is alike


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["rank 5", "dora", "norms", "pairs of both", "tokens"])
def test_an_adapter_in_half_precision(kind: str, dtype: torch.dtype, bases: dict[str, Path], tmp_path: Path) -> None:
    name, more, fields = KINDS[kind]
    adapter = trained(bases[name], tmp_path / "adapter", more, **fields)
    save_file({n: t.to(dtype) for n, t in load_file(adapter / WEIGHTS).items()}, adapter / WEIGHTS)
    found = folded(bases[name], adapter, tmp_path / "out")
    _, wanted = by_peft(bases[name], adapter, more)
    for tensor, value in wanted.items():
        torch.testing.assert_close(found[tensor], value, rtol=1e-6, atol=1e-6)
        assert found[tensor].dtype == torch.float32


# New rows


def with_tokens(folder: Path, *tokens: str) -> None:
    """The tiny tokenizer with more tokens, as a trainer saves it beside an adapter."""
    tokenizer = tiny.tokenizer()
    tokenizer.add_tokens(list(tokens))
    tokenizer.save_pretrained(folder)


def test_new_rows_come_with_their_tokenizer(bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["tied"], tmp_path / "adapter", 2, trainable_token_indices=[259, 260])
    with_tokens(adapter, "<note>", "<plan>")
    source = Adapted("new", "new", Checkpoint("tiny", "tiny", bases["tied"]), adapter)
    assert source.headers[EMBEDDING].shape == (261, 32)
    assert source.headers[EMBEDDING].bytes == 261 * 32 * 4
    operand = source.operand(EMBEDDING, source.base, Workers())
    assert (operand.kind, operand.data.shape) == (Kind.F32, (261 * 32,))
    folded(bases["tied"], adapter, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["vocab_size"] == 261
    saved = (adapter / "tokenizer.json").read_bytes()
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == saved
    assert (tmp_path / "out" / "generation_config.json").is_file()


def test_without_embeddings_for_it_an_adapters_tokenizer_is_left(bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["tied"], tmp_path / "adapter", target_modules=QV)
    with_tokens(adapter, "<pad>")
    folded(bases["tied"], adapter, tmp_path / "out")
    saved = (bases["tied"] / "tokenizer.json").read_bytes()
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == saved


# Task vectors


def opened(base: Path, adapter: Path) -> Adapted:
    return Adapted("notes", "notes", Checkpoint("tiny", "tiny", base), adapter)


@pytest.mark.parametrize(("rank", "scale"), [(1, 3.0), (7, 3 / 7)])
def test_the_task_vector_is_the_product(rank: int, scale: float, bases: dict[str, Path], tmp_path: Path) -> None:
    source = opened(bases["tied"], trained(bases["tied"], tmp_path / "adapter", r=rank, target_modules=QV))
    weights = {name: tensor.double() for name, tensor in load_file(source.adapter / WEIGHTS).items()}
    stem = f"base_model.model.{Q.removesuffix('.weight')}"
    wanted = scale * weights[f"{stem}.lora_B.weight"] @ weights[f"{stem}.lora_A.weight"]
    operand = source.operand(Q, source.base, Workers())
    assert operand.kind == Kind.DELTA
    error = np.abs(operand.data.reshape(32, 32) - wanted.numpy()).max()
    assert error < 1e-6 * wanted.abs().max()


def test_what_is_not_adapted_is_a_zero_task_vector(bases: dict[str, Path], tmp_path: Path) -> None:
    source = opened(bases["tied"], trained(bases["tied"], tmp_path / "adapter", target_modules=QV))
    kinds = {name: source.operand(name, source.base, Workers()).kind for name in source.headers}
    assert {name for name, kind in kinds.items() if kind == Kind.DELTA} == set(source.changes)
    assert set(kinds.values()) == {Kind.DELTA, Kind.ZERO}
    alone = source.operand("model.norm.weight", None, Workers())
    assert alone.expert == "notes"
    assert np.array_equal(alone.data, tiny.weights_of(bases["tied"])["model.norm.weight"].numpy())


def test_about_another_model_the_weights_come(bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["tied"], tmp_path / "adapter", target_modules=QV)
    source, same = opened(bases["tied"], adapter), opened(bases["tied"], adapter)
    other = Checkpoint("other", "other", tiny.copy(bases["tied"], tmp_path / "other"))
    weights = source.operand(Q, None, Workers()).data
    for about in (other, same):  # an adapter on the same base is another model, where it changes the tensor
        operand = source.operand(Q, about, Workers())
        assert operand.kind == Kind.F32
        assert np.array_equal(operand.data, weights)
    assert source.operand("model.norm.weight", same, Workers()).kind == Kind.ZERO


def test_the_saved_embedding_beside_its_pair_leaves_a_task_vector(bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["untied"], tmp_path / "adapter", target_modules=["embed_tokens"])
    source = opened(bases["untied"], adapter)
    assert source.operand(EMBEDDING, source.base, Workers()).kind == Kind.DELTA
    weights = load_file(adapter / WEIGHTS)
    weights[f"base_model.model.{EMBEDDING.replace('.weight', '.base_layer.weight')}"][0, 0] += 1
    save_file(weights, adapter / WEIGHTS)
    found = folded(bases["untied"], adapter, tmp_path / "out")[EMBEDDING]
    _, wanted = by_peft(bases["untied"], adapter, 0)
    torch.testing.assert_close(found, wanted[EMBEDDING], rtol=1e-6, atol=1e-6)
    source = opened(bases["untied"], adapter)
    assert source.operand(EMBEDDING, source.base, Workers()).kind == Kind.F32


@pytest.mark.parametrize("rank", [1, 4, 6])
def test_threads_do_not_change_a_bit(rank: int) -> None:
    generator = np.random.default_rng(rank)
    b, a = (generator.standard_normal(shape, np.float32) for shape in ((1500, rank), (rank, 700)))
    alone = dense_update(b, a, 0.3, Workers())
    with ThreadPoolExecutor(2) as pool:
        shared = dense_update(b, a, 0.3, Workers(pool))
    assert np.array_equal(alone.view(np.uint32), shared.view(np.uint32))
    wanted = 0.3 * b.astype(np.float64) @ a.astype(np.float64)
    assert np.abs(alone - wanted).max() < 1e-6 * np.abs(wanted).max()


# What cannot be folded


def refused(base: Path, adapter: Path, sentence: str, tmp_path: Path) -> None:
    out = tmp_path / "refused"
    out.mkdir()
    with pytest.raises(Incompatible, match=sentence) as caught:
        fold(base, adapter, "tiny", out)
    assert str(caught.value).startswith(str(adapter))
    assert "\n" not in str(caught.value)
    assert not list(out.iterdir())


FOLD_FIRST = r"Fold it with PEFT's merge_and_unload and declare the folder instead\.$"


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora"])
def test_a_start_that_changes_the_base_is_refused(start: str, bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["tied"], tmp_path / "adapter", target_modules=QV, init_lora_weights=start)
    refused(bases["tied"], adapter, rf"adapter: uses init_lora_weights: {start}\. {FOLD_FIRST}", tmp_path)


@pytest.mark.parametrize("fields", [{}, {"use_rslora": True}, {"rank_pattern": {"q_proj": 3}}], ids=str)
def test_such_an_adapter_is_folded_once_peft_has_converted_it(
    fields: dict[str, Any], bases: dict[str, Path], tmp_path: Path
) -> None:
    first, adapter = tmp_path / "first", tmp_path / "adapter"
    lora = LoraConfig(r=2, lora_alpha=3, target_modules=QV, init_lora_weights="pissa", **fields)
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT's, that PiSSA changes the base
        torch.manual_seed(5)
        model = get_peft_model(loaded(bases["tied"], 0), lora)
        model.peft_config["default"].init_lora_weights = True  # as PEFT's documentation has it
        model.save_pretrained(first)
        model.peft_config["default"].init_lora_weights = "pissa"
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data.add_(0.1 * torch.randn(parameter.shape))
        model.save_pretrained(adapter, path_initial_model_for_weight_conversion=str(first))
    folded(bases["tied"], adapter, tmp_path / "out")
    answers, _ = by_peft(bases["tied"], adapter, 0)
    torch.testing.assert_close(answers_of(tmp_path / "out"), answers, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"layer_replication": [[0, 2], [1, 2]]}, "uses layer_replication"),
        ({"kasa_config": {"beta": 1e-4}, "use_qalora": True}, "uses use_qalora, kasa_config"),
        ({"target_parameters": ["experts.gate_up_proj"]}, "uses target_parameters"),
        ({"init_lora_weights": "loftq"}, "uses init_lora_weights: loftq"),
        ({"peft_type": "LOHA"}, "is a LOHA adapter"),
        ({"peft_type": None}, "is a None adapter"),
    ],
    ids=str,
)
def test_what_is_no_plain_lora_is_refused(
    changes: dict[str, Any], what: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    adapter = trained(bases["tied"], tmp_path / "adapter", target_modules=QV)
    tiny.edit_json(adapter / CONFIG, **changes)
    refused(bases["tied"], adapter, rf"adapter: {what}\. {FOLD_FIRST}", tmp_path)


def without_weights(adapter: Path) -> None:
    (adapter / WEIGHTS).unlink()


def pickled(adapter: Path) -> None:
    (adapter / WEIGHTS).rename(adapter / "adapter_model.bin")


def truncated(adapter: Path) -> None:
    (adapter / WEIGHTS).write_bytes((adapter / WEIGHTS).read_bytes()[:-10])


def without_config(adapter: Path) -> None:
    (adapter / CONFIG).unlink()


def half_a_config(adapter: Path) -> None:
    (adapter / CONFIG).write_text('{"peft_type": ')


def a_list(adapter: Path) -> None:
    (adapter / CONFIG).write_text("[]")


def without_alpha(adapter: Path) -> None:
    tiny.edit_json(adapter / CONFIG, lora_alpha=None)


def rewrite(adapter: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(adapter / WEIGHTS)
    change(weights)
    save_file(weights, adapter / WEIGHTS)


def without_b(adapter: Path) -> None:
    rewrite(adapter, lambda weights: weights.pop(f"base_model.model.{Q.replace('weight', 'lora_B.weight')}"))


def without_a(adapter: Path) -> None:
    rewrite(adapter, lambda weights: weights.pop(f"base_model.model.{Q.replace('weight', 'lora_A.weight')}"))


def another_rank(adapter: Path) -> None:
    tiny.edit_json(adapter / CONFIG, r=4)


def dora_by_its_config_alone(adapter: Path) -> None:
    tiny.edit_json(adapter / CONFIG, use_dora=True)


def in_eight_bits(adapter: Path) -> None:
    name = f"base_model.model.{Q.replace('weight', 'lora_A.weight')}"
    rewrite(adapter, lambda weights: weights.update({name: weights[name].to(torch.int8)}))


def an_unknown_tensor(adapter: Path) -> None:
    name = f"base_model.model.{Q.replace('weight', 'lora_diag')}"
    rewrite(adapter, lambda weights: weights.update({name: torch.ones(2)}))


HALF = r"base_model\.model\.model\.layers\.0\.self_attn\.q_proj\.lora_"
DAMAGED: dict[Callable[[Path], None], str] = {
    without_weights: r"is no adapter: it holds no adapter_model\.safetensors\. Name the folder that PEFT saved\.$",
    pickled: (
        r"its weights are pickled \(adapter_model\.bin\), which can run code when loaded\. Load it with PEFT on a "
        r"machine you trust and save it again: safetensors are written by default\.$"
    ),
    truncated: r"_model\.safetensors: truncated, \d+ of \d+ bytes are there\. Copy or download it again\.$",
    without_config: r"its adapter_config\.json cannot be read \(.*No such file.*\)\. Save it again\.$",
    half_a_config: r"its adapter_config\.json cannot be read \(.*\)\. Save it again\.$",
    a_list: r"its adapter_config\.json cannot be read \(.*\)\. Save it again\.$",
    without_alpha: r"lora_alpha of its adapter_config\.json is None\. Save it again\.$",
    without_a: HALF + r"B\.weight is one half of a LoRA pair\. Save the adapter again\.$",
    without_b: HALF + r"A\.weight is one half of a LoRA pair\. Save the adapter again\.$",
    another_rank: (
        HALF
        + r"A\.weight is \(2, 32\), but \(4, 32\) is what model\.layers\.0\.self_attn\.q_proj\.weight of 'tiny' and "
        r"adapter_config\.json ask for\. Name the base that it was trained on, or save the adapter again\.$"
    ),
    dora_by_its_config_alone: (
        r"self_attn\.q_proj\.weight has no lora_magnitude_vector, but use_dora of its adapter_config\.json is True\. "
        r"Save the adapter again\.$"
    ),
    in_eight_bits: HALF + r"A\.weight is I8, which cannot be folded\. Save the adapter again in bfloat16 or float32\.$",
    an_unknown_tensor: (
        r"changes model\.layers\.0\.self_attn\.q_proj\.lora_diag, which 'tiny' lacks\. Name the base that it was "
        r"trained on\.$"
    ),
}


@pytest.mark.parametrize("damage", DAMAGED, ids=lambda damage: damage.__name__)
def test_a_damaged_adapter_is_refused(damage: Callable[[Path], None], bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["tied"], tmp_path / "adapter", target_modules=["q_proj"])
    damage(adapter)
    refused(bases["tied"], adapter, DAMAGED[damage], tmp_path)


def test_an_adapter_of_a_wider_base_is_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    wide = tiny.save_model(tmp_path / "wide", hidden_size=64)
    adapter = trained(wide, tmp_path / "adapter", target_modules=["down_proj"])
    sentence = (
        r"down_proj\.lora_B\.weight is \(64, 2\), but \(32, 2\) is what model\.layers\.0\.mlp\.down_proj\.weight of "
        r"'tiny' and adapter_config\.json ask for\. Name the base that it was trained on, or save the adapter again\.$"
    )
    refused(bases["tied"], adapter, sentence, tmp_path)


def test_an_adapter_of_a_deeper_base_is_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    deep = tiny.save_model(tmp_path / "deep", num_hidden_layers=3)
    adapter = trained(deep, tmp_path / "adapter", target_modules=QV)
    sentence = (
        r"changes model\.layers\.2\.self_attn\.q_proj\.weight, which 'tiny' lacks\. Name the base that it was trained "
        r"on\.$"
    )
    refused(bases["tied"], adapter, sentence, tmp_path)


def test_a_bias_that_has_no_place_is_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["tied"], tmp_path / "adapter", target_modules=["q_proj"], lora_bias=True)
    sentence = (
        r"lora_bias needs model\.layers\.0\.self_attn\.q_proj\.bias, which 'tiny' lacks\. Train it again without "
        r"lora_bias\.$"
    )
    refused(bases["tied"], adapter, sentence, tmp_path)


def test_rows_of_one_side_alone_are_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["untied"], tmp_path / "adapter", 2, target_modules=QV)
    rewrite(adapter, lambda weights: weights.pop(f"base_model.model.{HEAD}"))
    sentence = (
        r"lm_head\.weight has 259 rows and model\.embed_tokens\.weight 261\. Save the adapter again with "
        r"save_embedding_layers=True\.$"
    )
    refused(bases["untied"], adapter, sentence, tmp_path)


def test_tokens_without_their_embeddings_are_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["tied"], tmp_path / "adapter", target_modules=QV, trainable_token_indices=[3, 5])
    tiny.edit_json(adapter / CONFIG, trainable_token_indices=[3, 259])
    sentence = (
        r"trains token 259 of model\.embed_tokens\.weight, which has 259 rows in 'tiny'\. Save the adapter again with "
        r"save_embedding_layers=True\.$"
    )
    refused(bases["tied"], adapter, sentence, tmp_path)


def test_a_quantised_base_is_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["tied"], tmp_path / "adapter", target_modules=QV)
    small = tiny.copy(bases["tied"], tmp_path / "small")
    weights = tiny.weights_of(small)
    save_file(weights | {Q: weights[Q].to(torch.int8)}, small / "model.safetensors", metadata={"format": "pt"})
    sentence = (
        r"changes model\.layers\.0\.self_attn\.q_proj\.weight, which is I8 in 'tiny'\. Fold it into the model that was "
        r"not quantised\.$"
    )
    refused(small, adapter, sentence, tmp_path)


def test_not_a_number_is_refused_with_its_file(bases: dict[str, Path], tmp_path: Path) -> None:
    adapter = trained(bases["tied"], tmp_path / "adapter", target_modules=["q_proj"])
    name = f"base_model.model.{Q.replace('weight', 'lora_B.weight')}"
    rewrite(adapter, lambda weights: weights[name].fill_(torch.nan))
    (tmp_path / "out").mkdir()
    sentence = (
        rf"^'adapter': model\.layers\.0\.self_attn\.q_proj\.weight holds NaN or infinity \({adapter / WEIGHTS}\)\. "
        r"Mend or leave out that model\.$"
    )
    with pytest.raises(Incompatible, match=sentence):
        fold(bases["tied"], adapter, "tiny", tmp_path / "out")
