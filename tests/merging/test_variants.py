"""`variant: paper`: each method as its own paper has it, against the paper's formulas in plain numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import oracle
import pytest
import tiny
import torch

from workbench.merging.kernels.device import draws
from workbench.merging.kernels.draws import key_of
from workbench.specs.methods import METHODS

WEIGHTS = (0.7, 0.4, 0.9)
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def uneven(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Experts whose layers changed by different amounts: trimming over the model is not trimming each tensor."""
    found = []
    for i, name in enumerate(("notes", "codes", "guides")):
        expert = tiny.save_expert(base, tmp_path_factory.mktemp("uneven") / name, seed=i)
        weights, origin = tiny.weights_of(expert), tiny.weights_of(base)
        for j, tensor in enumerate(sorted(weights)):
            weights[tensor] = origin[tensor] + (weights[tensor] - origin[tensor]) * (1 + (i + j) % 4)
        tiny.save_file(weights, expert / "model.safetensors", metadata={"format": "pt"})
        found.append(expert)
    return found


def task_vectors(experts: list[Path], base: Path) -> list[Arrays]:
    """As float32 has them, flat."""
    origin = tiny.weights_of(base)
    return [{n: (t - origin[n]).numpy().reshape(-1) for n, t in tiny.weights_of(e).items()} for e in experts]


def merged(method: str, density: float, experts: list[Path], base: Path, out: Path, **fields: object) -> Arrays:
    """What the merge adds to the base, flat."""
    each = {"density": density, **({"epsilon": 0.1} if "epsilon" in METHODS[method].each else {})}
    spec = tiny.recipe(method, WEIGHTS, each=each, variant="paper", **fields)
    origin = tiny.weights_of(base)
    return {n: (t - origin[n]).numpy().reshape(-1) for n, t in tiny.merged(spec, [*experts, base], out).items()}


def elected(sparse: list[np.ndarray]) -> np.ndarray:
    """The TIES paper's consensus: the sign of the plain sum, then the weighted mean of those that have it."""
    sign = np.where(sum(sparse) >= 0, 1, -1)
    match = [(np.sign(vector) == sign) for vector in sparse]
    total = sum(w * np.where(m, vector, 0) for w, m, vector in zip(WEIGHTS, match, sparse, strict=True))
    weight = sum(w * m for w, m in zip(WEIGHTS, match, strict=True))
    return total / np.where(weight == 0, 1, weight)


@pytest.mark.parametrize("density", [0.03, 0.4])
def test_ties_trims_over_the_whole_model(density: float, uneven: list[Path], base: Path, tmp_path: Path) -> None:
    vectors = task_vectors(uneven, base)
    sparse = []
    for vector in vectors:
        every = np.abs(np.concatenate(list(vector.values())))
        threshold = np.sort(every)[len(every) - max(1, int(density * len(every)))]
        sparse.append({n: np.where(np.abs(v) >= threshold, v, 0) for n, v in vector.items()})
    shares = {n: np.mean(v != 0) for n, v in sparse[0].items()}
    assert max(shares.values()) - min(shares.values()) > 0.1  # unlike trimming tensor by tensor
    found = merged("ties", density, uneven, base, tmp_path / "out")
    for name, tensor in found.items():
        wanted = elected([vector[name].astype(np.float64) for vector in sparse])
        np.testing.assert_allclose(tensor, wanted, atol=1e-6)
        assert not np.any(tensor[wanted == 0]), name


def stays(name: str, expert: str, n: int, bound: np.ndarray | float) -> np.ndarray:
    """Which elements our generator keeps with some probabilities."""
    numbers = draws(n, key_of(7, name, expert), torch.device("cpu")).numpy()
    return numbers < np.round(np.asarray(bound) * 2**32)


def probabilities(vector: np.ndarray, shape: tuple[int, ...], density: float) -> np.ndarray:
    """DELLA's: from density - epsilon for a row's smallest magnitude to density + epsilon for its largest."""
    rows = np.abs(vector).reshape(shape if len(shape) > 1 else (1, -1))
    ranks = rows.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return (density - 0.1 + 0.2 * ranks / (rows.shape[1] - 1)).reshape(-1)


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("method", ["dare_linear", "dare_ties", "della", "della_linear"])
def test_what_stays_is_divided_by_its_probability(
    method: str, rescale: bool, uneven: list[Path], base: Path, tmp_path: Path
) -> None:
    density, shapes = 0.4, {n: tuple(t.shape) for n, t in tiny.weights_of(base).items()}
    vectors = task_vectors(uneven, base)
    parameters = {"rescale": rescale, "normalize": "linear" not in method}
    found = merged(method, density, uneven, base, tmp_path / "out", parameters=parameters)
    for name, tensor in found.items():
        sparse = []
        for expert, vector in zip(uneven, vectors, strict=True):
            whole = vector[name].astype(np.float64)
            p = (
                probabilities(vector[name], shapes[name], density)
                if "della" in method
                else np.full(len(whole), density)
            )
            sparse.append(np.where(stays(name, expert.name, len(whole), p), whole / p, 0))
        wanted = elected(sparse)
        if "linear" in method:
            wanted = sum(w * vector for w, vector in zip(WEIGHTS, sparse, strict=True))
        off = np.abs(tensor - wanted) > 1e-6 * (1 + np.abs(wanted))
        assert off.mean() < 1e-3, name  # a plain sum that cancels to the last bit may elect the other sign


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if row.paper])
def test_the_variants_differ(method: str, uneven: list[Path], base: Path) -> None:
    models = [tiny.weights_of(expert)["model.layers.0.mlp.up_proj.weight"] for expert in uneven]
    group = oracle.group("w", tiny.weights_of(base)["model.layers.0.mlp.up_proj.weight"], models)
    found = []
    for variant in ("mergekit", "paper"):
        shared, each = oracle.defaults(method, 3, weight=list(WEIGHTS), density=0.4, variant=variant)
        if variant == "paper" and method == "ties":
            each = [{**own, "threshold": 0} for own in each]
        found.append(oracle.ours(method, group, shared, each))
    assert not np.allclose(*found, atol=1e-4)


def test_methods_without_a_variant_refuse_it() -> None:
    for method in ("breadcrumbs", "task_arithmetic", "linear"):
        with pytest.raises(ValueError, match=rf"'{method}' has no variant: mergekit computes it as its source has it"):
            tiny.recipe(method, variant="paper")
    with pytest.raises(ValueError, match=r"'ties' in its paper's variant has one density a model: it trims over"):
        tiny.recipe("ties", variant="paper", each={"density": [{"filter": "mlp", "value": 0.5}, {"value": 0.7}]})
