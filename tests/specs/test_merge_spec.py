"""What each merge method takes, and what is said when it gets something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.specs.load import read_yaml, validate
from workbench.specs.merge import MergeSpec
from workbench.specs.methods import METHODS


def problems(text: str, folder: Path) -> list[str]:
    (folder / "merge.yaml").write_text(text)
    document = read_yaml(folder / "merge.yaml", "merge.yaml")
    spec = validate(document, MergeSpec)
    assert (spec is None) == bool(document.problems)
    return [problem.what for problem in document.problems]


def plain(method: str, *models: str, **rest: str) -> str:
    """A merge in flow style; a model is its name, or `name, parameters: {...}`."""
    entries = ", ".join(f"{{model: {model}}}" for model in models)
    return "".join(
        f"{key}: {value}\n" for key, value in {"merge_method": method, "models": f"[{entries}]", **rest}.items()
    )


A, B, C = (f"{name}, parameters: {{weight: 0.5}}" for name in "abc")
DENSE = "a, parameters: {weight: 0.5, density: 0.9, gamma: 0.01}"

ACCEPTED = {
    "linear": plain("linear", A, B, parameters="{normalize: true}"),
    "slerp": plain("slerp", "a", "b", base_model="a", parameters="{t: [0.0, 0.5, 1]}"),
    "task_arithmetic": plain("task_arithmetic", A, base_model="z", parameters="{lambda: 0.9}"),
    "ties": plain("ties", A, "b", base_model="b", parameters="{density: 0.2}"),
    "dare_linear": plain("dare_linear", A, B, base_model="z", seed="0"),
    "dare_ties": plain("dare_ties", A, "b", base_model="z", seed="7", parameters="{weight: 1.0, int8_mask: true}"),
    "breadcrumbs": plain("breadcrumbs", DENSE, base_model="z"),
    "della": plain("della", "a, parameters: {weight: 1, density: 0.5, epsilon: 0.1}", base_model="z", seed="1"),
    "della_linear": plain("della_linear", A, base_model="z", seed="1", variant="paper"),
    "nuslerp": plain("nuslerp", A, B, parameters="{nuslerp_row_wise: true, nuslerp_flatten: false}"),
    "multislerp": plain("multislerp", A, B, C, base_model="c", parameters="{eps: 1.0e-6}"),
    "karcher": plain("karcher", "a", "b", parameters="{max_iter: 5, tol: 0.001}"),
    "model_stock": plain("model_stock", "a", "b", base_model="z", parameters="{filter_wise: true}"),
    "sce": plain("sce", "a", "b", base_model="z", parameters="{select_topk: 0.1}"),
    "arcee_fusion": plain("arcee_fusion", "z", "a", base_model="z"),
    "passthrough": plain("passthrough", "a, parameters: {scale: [0.5, 1]}"),
    "nearswap": plain("nearswap", "a", base_model="z", parameters="{t: 0.001}"),
    "ram": plain("ram", "a", "b", base_model="z", parameters="{epsilon: 0.00001}"),
    "ramplus_tl": plain("ramplus_tl", "a", "b", base_model="z", parameters="{r: 0.2, alpha: 0.3}"),
    "breadcrumbs_ties": plain(
        "breadcrumbs_ties", DENSE, B, base_model="z", parameters="{gamma: [{filter: mlp, value: 0.1}]}"
    ),
}


def test_every_method_has_an_accepted_example() -> None:
    assert ACCEPTED.keys() == METHODS.keys()


@pytest.mark.parametrize("method", ACCEPTED)
def test_accepted(method: str, tmp_path: Path) -> None:
    assert problems(ACCEPTED[method], tmp_path) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (plain("tiess", A), "unknown merge method 'tiess'. Did you mean 'ties'?"),
        (
            plain("slerp", "a", "b", "c", base_model="a", parameters="{t: 0.5}"),
            "'slerp' takes exactly 1 model besides the base, 2 given.",
        ),
        (
            plain("model_stock", "a", base_model="z"),
            "'model_stock' takes at least 2 models besides the base, 1 given.",
        ),
        ("merge_method: linear\nmodels: []\n", "'linear' takes at least 1 model, 0 given."),
        (plain("ties", A), "'ties' needs a 'base_model'."),
        ("merge_method: ties\nmodels: []\nbase_model: z\n", "'ties' takes at least 1 model besides the base, 0 given."),
        (plain("linear", A, B, A), "model 'a' is listed twice."),
        (
            plain("linear", A, B, base_model="c"),
            "'linear' needs 'weight' for c (for 'linear' the base is one more input).",
        ),
        (
            plain("ties", "a, parameters: {wieght: 0.5, weight: 0.5}", base_model="z"),
            "unknown parameter 'wieght' in the parameters of 'a' of 'ties'. Did you mean 'weight'?",
        ),
        (
            plain("slerp", "a", "b", base_model="a", parameters="{t: 0.5, q: 1}"),
            "unknown parameter 'q' in parameters of 'slerp'. Known: t.",
        ),
        (
            plain("task_arithmetic", A, base_model="z", parameters="{density: 0.5}"),
            "unknown parameter 'density' in parameters of 'task_arithmetic'. "
            "Known: int8_mask, lambda, normalize, rescale, weight.",
        ),
        (
            plain("ties", "a, parameters: {weight: 0.5, normalize: true}", base_model="z"),
            "'normalize' is a parameter of the whole merge, not of one model: move it up.",
        ),
        (
            plain("slerp", "a, parameters: {t: 0.5}", "b", base_model="a", parameters="{t: 0.5}"),
            "'t' is a parameter of the whole merge, not of one model: move it up.",
        ),
        (plain("slerp", "a", "b", base_model="a"), "'slerp' needs the parameter 't'."),
        (plain("ties", A, "b", "c", base_model="z"), "'ties' needs 'weight' for b, c."),
        (
            plain("slerp", "a", "b", base_model="a", parameters="{t: 1.5}"),
            "'t' must lie from 0 to 1 (1.5).",
        ),
        (
            plain("slerp", "a", "b", base_model="a", parameters="{t: [0.5, -0.1]}"),
            "'t' must lie from 0 to 1 (-0.1).",
        ),
        (
            plain("ties", A, base_model="z", parameters="{density: [{filter: mlp, value: 2}, {value: 0.5}]}"),
            "'density' must lie from 0 to 1 (2).",
        ),
        (
            plain("ties", A, base_model="z", parameters="{density: 0.0}"),
            "'density' must be above 0 (0): nothing of a task vector would stay. Leave the model out.",
        ),
        (
            plain("breadcrumbs", "a, parameters: {weight: 1, density: 0.9, gamma: 0.2}", base_model="z"),
            "gamma (0.2) and density (0.9) add up to more than 1: gamma is the share of the largest that is dropped, "
            "density the share that stays.",
        ),
        (
            plain("della", A, base_model="z", seed="1", parameters="{density: 0.1}"),
            "epsilon (0.15) leaves the probabilities density +- epsilon outside (0, 1) at density 0.1: lower it.",
        ),
        (
            plain("slerp", "a", base_model="z", parameters="{t: 0.5}", variant="paper"),
            "'slerp' has no variant: mergekit computes it as its source has it.",
        ),
        (
            plain("ties", A, base_model="z", variant="paper", parameters="{density: [0.2, 0.5]}"),
            "'ties' in its paper's variant has one density a model: it trims over the whole model.",
        ),
        (
            plain("ties", A, base_model="z", tokenizer_source="union", tokenizer="{source: base}"),
            "'tokenizer_source' and 'tokenizer' say the same thing: keep one.",
        ),
        (
            plain("ties", A, base_model="z", parameters="{density: [{value: 1.0, filter: mlp, regex: mlp}]}"),
            "a value has both a filter ('mlp') and a regex ('mlp'): keep one.",
        ),
        (
            plain("breadcrumbs", "a, parameters: {weight: 9.0, gamma: -1}", base_model="z"),
            "'gamma' must lie from 0 to 1 (-1).",
        ),
        (
            plain("dare_ties", A, base_model="z"),
            "'dare_ties' draws random numbers: add a 'seed', it is part of the recipe.",
        ),
        (
            plain("ties", A, base_model="z", seed="7"),
            "'ties' draws nothing, so 'seed' (7) has no meaning: remove it.",
        ),
        (
            plain("dare_linear", "a", base_model="z", parameters="{density: 3}"),
            "'dare_linear' needs 'weight' for a; 'density' must lie from 0 to 1 (3); "
            "'dare_linear' draws random numbers: add a 'seed', it is part of the recipe.",
        ),
    ],
)
def test_refused(text: str, problem: str, tmp_path: Path) -> None:
    assert problems(text, tmp_path) == [problem]


def test_slices_and_models_exclude_each_other(tmp_path: Path) -> None:
    slices = "slices: [{sources: [{model: a, layer_range: [0, 2]}]}]\n"
    found = problems(slices + ACCEPTED["ties"], tmp_path)
    assert found == ["give either 'models', 'slices' or 'modules', not several of them."]
    assert problems(slices + "merge_method: passthrough\n", tmp_path) == []


def test_who_computes_what() -> None:
    def engine(**fields: object) -> str:
        raw = {"merge_method": "linear", "models": [{"model": "a", "parameters": {"weight": 1}}], **fields}
        return MergeSpec.model_validate(raw).engine

    assert engine() == "kernels"
    assert engine(chat_template="auto") == engine(tokenizer_source="union") == "mergekit"
    swap = {"merge_method": "nearswap", "base_model": "z", "parameters": {"t": 0.1}, "models": [{"model": "a"}]}
    assert engine(**swap) == "mergekit"


def test_renaming_reaches_every_mention() -> None:
    raw = {
        "merge_method": "slerp",
        "slices": [{"sources": [{"model": m, "layer_range": [0, 1]} for m in "ab"], "base_model": "c"}],
        "base_model": "a",
        "tokenizer": {"source": "b", "tokens": {"<x>": {"source": "model"}}},
        "parameters": {"t": 0.5},
    }
    spec = MergeSpec.model_validate(raw)
    assert spec.references == ("a", "b", "c")
    renamed = spec.renamed({"a": "0", "b": "1", "c": "2"})
    assert renamed.references == ("0", "1", "2")
    assert renamed.tokenizer is not None
    assert renamed.tokenizer.source == "1"
