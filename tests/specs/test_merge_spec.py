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
            "'slerp' takes exactly 2 models, 3 listed.",
        ),
        (plain("linear", A), "'linear' takes at least 2 models, 1 listed."),
        ("merge_method: ties\nmodels: []\nbase_model: z\n", "'ties' takes at least 1 models, 0 listed."),
        (plain("linear", A, B, A), "model 'a' is listed twice."),
        (
            plain("linear", A, B, base_model="a"),
            "'linear' has no base model: list it under models, or remove 'base_model'.",
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


def test_slices_of_mergekit_are_an_unknown_key(tmp_path: Path) -> None:
    (found,) = problems("slices: []\n" + ACCEPTED["ties"], tmp_path)
    assert found.startswith("unknown key 'slices'. Known: merge_method, models, base_model, ")
