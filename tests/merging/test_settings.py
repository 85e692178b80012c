"""Parameters at each tensor: filters, gradients and precedence as in mergekit, and values that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
import yaml
from mergekit.config import MergeConfiguration, ParameterSetting, evaluate_setting
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from pydantic import TypeAdapter

from workbench.errors import Incompatible
from workbench.merging.settings import depths, evaluate, inputs_of, resolve
from workbench.merging.standalone import merge_file
from workbench.specs.merge import MergeSpec, Setting

Q, UP, NORM = "self_attn.q_proj.weight", "mlp.up_proj.weight", "input_layernorm.weight"
TENSORS = [
    "model.embed_tokens.weight",
    *(f"model.layers.{i}.{part}" for i in range(5) for part in (Q, UP, NORM)),
    "model.norm.weight",
]
PHI = [
    f"model.layers.{i}.{part}" for i in range(2) for part in ("self_attn.qkv_proj.weight", "mlp.gate_up_proj.weight")
]


def ties(parameters: dict[str, Any] | None = None, **first: Any) -> MergeSpec:
    """TIES of two experts, the first with parameters of its own, the merge with others."""
    return MergeSpec.model_validate(
        {
            "merge_method": "ties",
            "base_model": "base",
            "models": [
                {"model": "a", "parameters": {"weight": 1.0, **first}},
                {"model": "b", "parameters": {"weight": 0.5}},
            ],
            "parameters": parameters or {},
        }
    )


def densities(spec: MergeSpec, tensors: list[str] = TENSORS) -> dict[str, list[float]]:
    """Of the first model and the second, by tensor."""
    return {name: [own["density"] for own in found.each] for name, found in resolve(spec, tensors).items()}


SETTINGS: list[Any] = [
    0.3, True, [0.0, 1.0], [0.2, 0.9, 0.4], [0.7], [0.1, 0.2, 0.3, 0.4], [True, False], [False, True, True],
    [{"filter": "self_attn", "value": 0.2}, {"value": 0.8}],
    [{"filter": "self_attn", "value": [0.0, 0.5, 1.0]}, {"filter": "mlp", "value": [1.0, 0.0]}, {"value": 0.8}],
    [{"filter": "*", "value": 0.1}, {"filter": "mlp", "value": 0.9}],
    [{"filter": "mlp", "value": 0.9}, {"filter": "*", "value": 0.1}],
    [{"filter": "layers.1.", "value": 0.4}, {"filter": "norm", "value": 0.6}],
    [{"filter": "self_attn", "value": [True, False]}, {"value": True}],
    {"filter": "mlp", "value": 0.5},
]  # fmt: skip


@pytest.mark.parametrize("raw", SETTINGS, ids=str)
def test_settings_are_read_as_mergekit_reads_them(raw: Any) -> None:
    ours, theirs = TypeAdapter(Setting).validate_python(raw), TypeAdapter(ParameterSetting).validate_python(raw)
    for tensor in TENSORS:
        for depth in (0.0, 0.1, 0.25, 1 / 3, 0.5, 0.99, 1.0):
            wanted = evaluate_setting(tensor, theirs, depth, validate=lambda value: value)
            assert evaluate(ours, tensor, depth) == wanted, (tensor, depth)


def test_depth_runs_from_the_first_layer_to_the_last_of_each_stack() -> None:
    found = depths([*TENSORS, "vision.blocks.0.w", "vision.blocks.2.w", "lm_head.weight"])
    assert [found[f"model.layers.{i}.{Q}"] for i in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    assert (found["vision.blocks.0.w"], found["vision.blocks.2.w"]) == (0, 1)
    assert {found[name] for name in ("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight")} == {0}
    assert depths(["model.layers.0.w", "model.norm.weight"]) == {"model.layers.0.w": 1, "model.norm.weight": 0}


def test_gradients_follow_the_layers() -> None:
    found = densities(ties(density=[0.2, 0.6, 0.4]))
    assert [found[f"model.layers.{i}.{UP}"][0] for i in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.5, 0.4])
    assert found["model.norm.weight"] == [0.2, 1.0]


def test_a_model_s_own_value_goes_before_the_merge_s() -> None:
    assert set(map(tuple, densities(ties({"density": 0.3})).values())) == {(0.3, 0.3)}
    assert set(map(tuple, densities(ties({"density": 0.3}, density=0.7)).values())) == {(0.7, 0.3)}
    partly = densities(ties({"density": 0.3}, density=[{"filter": "mlp", "value": 0.7}]))
    assert partly[f"model.layers.0.{UP}"] == [0.7, 0.3]
    assert partly[f"model.layers.0.{Q}"] == [0.3, 0.3]  # where no filter of the model's matches, the merge's counts
    neither = densities(ties(density=[{"filter": "mlp", "value": 0.7}]))
    assert neither[f"model.layers.0.{Q}"] == [1.0, 1.0]


def test_the_first_filter_that_matches_counts() -> None:
    found = densities(
        ties(density=[{"filter": "layers.2", "value": 0.1}, {"filter": "mlp", "value": 0.2}, {"value": 0.3}])
    )
    assert [found[f"model.layers.{i}.{UP}"][0] for i in (1, 2)] == [0.2, 0.1]
    assert found[f"model.layers.1.{Q}"][0] == 0.3


def test_regular_expressions_match_anywhere() -> None:
    found = densities(ties(density=[{"regex": r"layers\.[0-2]\.mlp", "value": 0.1}, {"value": 0.9}]))
    assert [found[f"model.layers.{i}.{UP}"][0] for i in range(5)] == [0.1, 0.1, 0.1, 0.9, 0.9]
    assert found[f"model.layers.0.{Q}"][0] == 0.9


def test_a_list_of_booleans_is_no_gradient() -> None:
    spec = MergeSpec.model_validate(
        {
            "merge_method": "linear",
            "models": [{"model": m, "parameters": {"weight": 1}} for m in "ab"],
            "parameters": {"normalize": [True, True, False]},
        }
    )
    found = resolve(spec, TENSORS)
    assert [found[f"model.layers.{i}.{Q}"].shared["normalize"] for i in range(5)] == [True, True, True, True, False]


def test_which_models_a_method_mixes() -> None:
    raw = {"models": [{"model": "base"}, {"model": "a"}], "base_model": "base"}
    slerp = MergeSpec.model_validate({**raw, "merge_method": "slerp", "parameters": {"t": 0.5}})
    assert [entry.model for entry in inputs_of(slerp)] == ["a"]
    linear = MergeSpec.model_validate(
        {"merge_method": "linear", "base_model": "base", "models": [{"model": "a"}], "parameters": {"weight": 1.0}}
    )
    assert [entry.model for entry in inputs_of(linear)] == ["a", "base"]


# --- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "tensors", "sentence"),
    [
        ([{"filter": "self_atn", "value": 0.5}, {"value": 1}], TENSORS,
         r"^model 'a': the filter 'self_atn' of 'density' matches no tensor\. Names hold: .*self_attn\.q_proj"),
        ([{"regex": r"mlp\.down", "value": 0.5}, {"value": 1}], TENSORS,
         r"^model 'a': the regex 'mlp\\\.down' of 'density' matches no tensor\. Names hold: "),
        ([{"regex": r"mlp(", "value": 0.5}], TENSORS, r"^model 'a': 'mlp\(' is no regular expression \("),
        ([{"filter": "q_proj", "value": 0.5}], PHI,
         r"^model 'a': the filter 'q_proj' .* In this model q_proj is part of qkv_proj: filter on that, or on self_a"),
        ([{"filter": "mlp.gate_proj", "value": 0.5}], PHI, r"In this model gate_proj is part of gate_up_proj: filter"),
        ([{"filter": "up_proj", "value": [0.5, 0.0]}, {"value": 1}], TENSORS, r"'density' must be above 0 \(0\)"),
    ],
)  # fmt: skip
def test_settings_that_fit_no_tensor_are_refused(setting: Any, tensors: list[str], sentence: str) -> None:
    with pytest.raises((Incompatible, ValueError), match=sentence):
        resolve(ties(density=setting), tensors)


def test_a_filter_that_matches_a_part_of_a_fused_name_is_taken() -> None:
    found = densities(ties(density=[{"filter": "up_proj", "value": 0.5}, {"value": 0.9}]), PHI)
    assert found["model.layers.0.mlp.gate_up_proj.weight"][0] == 0.5  # a substring, as in mergekit


def test_a_required_value_that_no_filter_gives_is_named() -> None:
    spec = MergeSpec.model_validate(
        {
            "merge_method": "slerp",
            "base_model": "base",
            "models": [{"model": "a"}],
            "parameters": {"t": [{"filter": "mlp", "value": 0.5}]},
        }
    )
    sentence = r"^'t' has no value at model\.embed_tokens\.weight: no filter matches it\. Add an entry without a"
    with pytest.raises(Incompatible, match=sentence):
        resolve(spec, TENSORS)


def test_densities_and_gammas_that_do_not_go_together_at_a_tensor() -> None:
    raw = {
        "merge_method": "breadcrumbs",
        "base_model": "base",
        "models": [{"model": "a", "parameters": {"weight": 1.0, "density": [0.5, 0.95], "gamma": 0.1}}],
    }
    with pytest.raises(Incompatible) as caught:
        resolve(MergeSpec.model_validate(raw), TENSORS)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3  # of the last layer alone
    assert all(line.startswith("'a' at model.layers.4.") for line in lines)
    assert "gamma (0.1) and density (0.95) add up to more than 1" in lines[0]
    raw = {**raw, "merge_method": "della", "seed": 1}
    raw["models"] = [
        {
            "model": "a",
            "parameters": {
                "weight": 1.0,
                "density": [{"filter": "mlp", "value": 0.1}, {"value": 0.5}],
                "epsilon": 0.2,
            },
        }
    ]
    with pytest.raises(Incompatible, match=r"^'a' at model\.layers\.0\.mlp\.up_proj\.weight: epsilon \(0\.2\) leaves"):
        resolve(MergeSpec.model_validate(raw), TENSORS)


@pytest.mark.parametrize("method", ["linear", "task_arithmetic", "dare_linear", "breadcrumbs", "della_linear"])
def test_weights_that_sum_to_zero_cannot_be_divided_by(method: str) -> None:
    fields: dict[str, Any] = {"parameters": {"normalize": True}}
    for weights in ((0.5, -0.5), (0.0, 0.0)):
        spec = tiny.recipe(method, weights, **fields)
        with pytest.raises(Incompatible, match=rf"^'{method}' is normalised, but its weights sum to zero\. Set"):
            resolve(spec, TENSORS)
    resolve(tiny.recipe(method, (0.5, -0.5), parameters={"normalize": False}), TENSORS)
    gradient = tiny.recipe(method, (0.5, [0.5, -0.5]), **fields)  # at the last layer alone
    with pytest.raises(Incompatible, match="weights sum to zero"):
        resolve(gradient, TENSORS)
    resolve(gradient, [name for name in TENSORS if ".4." not in name and ".3." not in name and "layers" not in name])


# --- against mergekit itself -----------------------------------------------------------------------------------------

T = {"t": [{"filter": "self_attn", "value": [0, 0.5, 1]}, {"filter": "mlp", "value": [1, 0.5, 0]}, {"value": 0.25}]}
FILTERED = [{"filter": "self_attn", "value": [0.2, 0.5, 1]}, {"filter": "mlp", "value": 0.3}, {"value": [0.9, 0.4]}]
OWN: dict[str, list[dict[str, Any]]] = {
    "linear": [{"weight": [0, 0.5, 1]}, {"weight": [{"filter": "mlp", "value": [0.5, 0.1]}, {"value": 0.7}]}],
    "slerp": [{}],
    "ties": [{"weight": [0, 0.5, 1], "density": FILTERED}, {"weight": FILTERED, "density": [0.3, 1.0, 0.6]}],
    "breadcrumbs": [
        {"weight": [0, 0.5, 1], "density": FILTERED, "gamma": 0.0},
        {"weight": 0.4, "density": [0.3, 0.8, 0.6], "gamma": [0.0, 0.1]},
    ],
}


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two experts and a base of four layers, untied, so that there is a tensor after the layers."""
    root = tmp_path_factory.mktemp("deep")
    base = tiny.save_model(root / "base", num_hidden_layers=4, tie_word_embeddings=False)
    return [*(tiny.save_expert(base, root / name, seed) for seed, name in enumerate(("a", "b"), 1)), base]


@pytest.mark.parametrize("method", OWN)
def test_gradients_and_filters_give_what_mergekit_gives(method: str, deep: list[Path], tmp_path: Path) -> None:
    *experts, base = deep
    raw: dict[str, Any] = {
        "merge_method": method,
        "models": [
            {"model": str(expert), "parameters": own} for expert, own in zip(experts, OWN[method], strict=False)
        ],
        "parameters": T if method == "slerp" else {},
        "dtype": "float32",
    }
    if method != "linear":
        raw["base_model"] = str(base)
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(raw))
    merge_file(path, tmp_path / "ours")
    options = MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True)
    run_merge(MergeConfiguration.model_validate(raw), str(tmp_path / "theirs"), options)
    found, wanted = tiny.weights_of(tmp_path / "ours"), tiny.weights_of(tmp_path / "theirs")
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=0, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )
