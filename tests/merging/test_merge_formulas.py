"""Merged weights against the formulas, written out in numpy: float32, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from workbench.specs.merge import MergeSpec

Array = np.ndarray
Arrays = dict[str, Array]
WEIGHTS = (0.2, 0.5, 0.9)  # unequal: the elected sign depends on them


def arrays(folder: Path) -> Arrays:
    return {name: tensor.float().numpy() for name, tensor in tiny.weights_of(folder).items()}


def by_hand(formula: Callable[..., Array], models: Sequence[Path]) -> Arrays:
    loaded = [arrays(folder) for folder in models]
    return {name: formula(*(model[name] for model in loaded)) for name in loaded[0]}


def assert_equal(found: dict[str, torch.Tensor], wanted: Arrays) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in found.items():
        np.testing.assert_allclose(tensor.numpy(), wanted[name], rtol=0, atol=1e-6, err_msg=name)


def linear(*models: Array) -> Array:
    return sum(w * x.astype(np.float64) for w, x in zip(WEIGHTS, models, strict=True)) / sum(WEIGHTS)


def slerp(t: float, a: Array, b: Array) -> Array:
    """Spherical interpolation of the flattened tensors; weights of the unnormalised ones, as mergekit has it."""
    u, v = (x.astype(np.float64).ravel() / np.linalg.norm(x.astype(np.float64)) for x in (a, b))
    if abs(u @ v) > 0.9995:
        return (1 - t) * a + t * b
    angle = np.arccos(u @ v)
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def largest(delta: Array, density: float) -> Array:
    """TIES: the share `density` of largest magnitude of one tensor, the rest zero."""
    keep = max(1, int(density * delta.size))
    order = np.argsort(-np.abs(delta), axis=None)
    mask = np.zeros(delta.size, dtype=bool)
    mask[order[:keep]] = True
    return delta * mask.reshape(delta.shape)


def breadcrumbs(delta: Array, density: float, gamma: float) -> Array:
    """The share `gamma` of largest magnitude goes, then the smallest until the share `density` is left."""
    n = delta.size
    keep, top = int(density * n), int(gamma * n)
    bottom = max(0, n - keep - top)
    order = np.argsort(np.abs(delta), axis=None)
    mask = np.zeros(n, dtype=bool)
    mask[order[bottom : bottom + keep]] = True
    return delta * mask.reshape(delta.shape)


def weighted(sparse: Callable[[Array], Array], models: Sequence[Array], base: Array) -> list[Array]:
    return [np.float32(w) * sparse(x - base) for w, x in zip(WEIGHTS, models, strict=True)]


def elected(vectors: Sequence[Array]) -> list[Array]:
    """Where a task vector has the sign of the weighted sum; a sum of zero counts as positive."""
    sign = np.where(sum(vectors) >= 0, 1, -1)
    return [np.sign(vector) == sign for vector in vectors]


def test_linear(experts: list[Path], tmp_path: Path) -> None:
    assert_equal(tiny.merged(tiny.recipe("linear", WEIGHTS), experts, tmp_path / "out"), by_hand(linear, experts))


def test_linear_without_normalisation(experts: list[Path], tmp_path: Path) -> None:
    spec = tiny.recipe("linear", WEIGHTS, parameters={"normalize": False})
    wanted = by_hand(lambda *models: linear(*models) * sum(WEIGHTS), experts)
    assert_equal(tiny.merged(spec, experts, tmp_path / "out"), wanted)


@pytest.mark.parametrize("t", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("size", [0.02, 1e-4])  # apart, and so near that slerp falls back to a straight line
def test_slerp(t: float, size: float, base: Path, tmp_path: Path) -> None:
    expert = tiny.save_expert(base, tmp_path / "expert", seed=5, size=size)
    wanted = by_hand(lambda a, b: slerp(t, a, b), [base, expert])
    assert_equal(tiny.merged(tiny.recipe("slerp", t=t), [expert, base], tmp_path / "out"), wanted)


def test_slerp_between_models_that_have_nothing_in_common(base: Path, tmp_path: Path) -> None:
    other = tiny.save_model(tmp_path / "other", seed=9)
    found = tiny.merged(tiny.recipe("slerp", t=0.3), [other, base], tmp_path / "out")
    assert_equal(found, by_hand(lambda a, b: slerp(0.3, a, b), [base, other]))
    straight = by_hand(lambda a, b: 0.7 * a + 0.3 * b, [base, other])
    assert any(np.abs(found[name].numpy() - straight[name]).max() > 1e-3 for name in straight)


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_task_arithmetic(scale: float, base: Path, experts: list[Path], tmp_path: Path) -> None:
    spec = tiny.recipe("task_arithmetic", WEIGHTS, parameters={"lambda": scale})

    def formula(*models: Array) -> Array:
        *tuned, origin = models
        return origin + scale * sum(w * (x - origin) for w, x in zip(WEIGHTS, tuned, strict=True))

    assert_equal(tiny.merged(spec, [*experts, base], tmp_path / "out"), by_hand(formula, [*experts, base]))


@pytest.mark.parametrize("normalize", [True, False])
def test_ties(normalize: bool, base: Path, experts: list[Path], tmp_path: Path) -> None:
    spec = tiny.recipe("ties", WEIGHTS, each={"density": 0.3}, parameters={"normalize": normalize})

    def formula(*models: Array) -> Array:
        *tuned, origin = models
        vectors = weighted(lambda delta: largest(delta, 0.3), tuned, origin)
        masks = elected(vectors)
        mixed = sum(vector * mask for vector, mask in zip(vectors, masks, strict=True))
        if normalize:
            divisor = sum(np.float32(w) * mask for w, mask in zip(WEIGHTS, masks, strict=True))
            mixed = mixed / np.where(divisor == 0, 1, divisor)
        return origin + mixed

    assert_equal(tiny.merged(spec, [*experts, base], tmp_path / "out"), by_hand(formula, [*experts, base]))


def test_ties_normalises_unless_it_is_told_not_to(base: Path, experts: list[Path], tmp_path: Path) -> None:
    models = [*experts, base]
    plain = tiny.merged(tiny.recipe("ties", WEIGHTS, each={"density": 0.3}), models, tmp_path / "plain")
    said = tiny.recipe("ties", WEIGHTS, each={"density": 0.3}, parameters={"normalize": True})
    asked = tiny.merged(said, models, tmp_path / "asked")
    assert all(torch.equal(plain[name], asked[name]) for name in plain)


@pytest.mark.parametrize(("density", "gamma"), [(0.9, 0.01), (0.5, 0.2), (0.9, 0.0), (0.9, 0.1)])
def test_breadcrumbs(density: float, gamma: float, base: Path, experts: list[Path], tmp_path: Path) -> None:
    # Norms have 32 elements, so that gamma 0.01 removes none of them.
    each = {"density": density, "gamma": gamma}

    def formula(*models: Array) -> Array:
        *tuned, origin = models
        return origin + sum(weighted(lambda delta: breadcrumbs(delta, density, gamma), tuned, origin))

    found = tiny.merged(tiny.recipe("breadcrumbs", WEIGHTS, each=each), [*experts, base], tmp_path / "out")
    assert_equal(found, by_hand(formula, [*experts, base]))


def test_breadcrumbs_ties(base: Path, experts: list[Path], tmp_path: Path) -> None:
    def formula(*models: Array) -> Array:
        *tuned, origin = models
        vectors = weighted(lambda delta: breadcrumbs(delta, 0.7, 0.1), tuned, origin)
        return origin + sum(v * m for v, m in zip(vectors, elected(vectors), strict=True))

    spec = tiny.recipe("breadcrumbs_ties", WEIGHTS, each={"density": 0.7, "gamma": 0.1})
    assert_equal(tiny.merged(spec, [*experts, base], tmp_path / "out"), by_hand(formula, [*experts, base]))


@pytest.mark.parametrize("method", ["dare_linear", "dare_ties"])
def test_dare_keeps_a_random_share_and_rescales_it(
    method: str, base: Path, experts: list[Path], tmp_path: Path
) -> None:
    # With one expert of weight 1 the merge is base + delta * mask * (L1 of delta / L1 of what is kept).
    spec = tiny.recipe(method, (1.0,), each={"density": 0.4})
    found = tiny.merged(spec, [experts[0], base], tmp_path / "out")
    origin, tuned = arrays(base), arrays(experts[0])
    kept_in_all = n = 0
    for name, tensor in found.items():
        delta = tuned[name] - origin[name]
        kept = np.abs(tensor.numpy() - origin[name]) > 1e-7
        kept &= np.abs(delta) > 1e-5  # what rounding hides
        rescaled = delta * np.abs(delta).sum() / np.abs(delta * kept).sum() * kept
        moved = np.where(np.abs(delta) > 1e-5, tensor.numpy() - origin[name], 0)
        np.testing.assert_allclose(moved, rescaled, rtol=0, atol=2e-4, err_msg=name)
        kept_in_all, n = kept_in_all + int(kept.sum()), n + delta.size
    assert kept_in_all / n == pytest.approx(0.4, abs=5 * (0.4 * 0.6 / n) ** 0.5 + 1e-3)


def test_gradients_and_filters_reach_mergekit(experts: list[Path], tmp_path: Path) -> None:
    one, two = experts[:2]
    parameters = {
        "weight": [{"filter": "self_attn", "value": [1.0, 0.0]}, {"filter": "mlp", "value": 0.25}, {"value": 0.5}]
    }
    fields = {
        "merge_method": "linear",
        "models": [{"model": "0", "parameters": parameters}, {"model": "1", "parameters": {"weight": 0.5}}],
        "out_dtype": "float32",
    }
    found = tiny.merged(MergeSpec.model_validate(fields), [one, two], tmp_path / "out")

    def weight(name: str) -> float:
        if "self_attn" in name:
            return 1.0 if "layers.0." in name else 0.0
        return 0.25 if "mlp" in name else 0.5

    a, b = arrays(one), arrays(two)
    assert_equal(found, {n: (weight(n) * a[n] + 0.5 * b[n]) / (weight(n) + 0.5) for n in a})


def test_a_gradient_over_the_layers_of_slerp(base: Path, experts: list[Path], tmp_path: Path) -> None:
    found = tiny.merged(tiny.recipe("slerp", t=[0.0, 1.0]), [experts[0], base], tmp_path / "out")
    for name, tensor in found.items():  # mergekit takes the first value outside the layers
        source = arrays(experts[0]) if "layers.1." in name else arrays(base)
        np.testing.assert_allclose(tensor.numpy(), source[name], rtol=0, atol=1e-6, err_msg=name)


def test_the_order_of_the_models_does_not_matter_to_methods_that_draw_nothing(
    base: Path, experts: list[Path], tmp_path: Path
) -> None:
    forward = tiny.merged(tiny.recipe("ties", WEIGHTS, each={"density": 0.3}), [*experts, base], tmp_path / "f")
    spec = tiny.recipe("ties", WEIGHTS[::-1], each={"density": 0.3})
    backward = tiny.merged(spec, [*experts[::-1], base], tmp_path / "b")
    assert_equal(forward, {name: tensor.numpy() for name, tensor in backward.items()})
