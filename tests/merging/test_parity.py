"""Every kernel against mergekit's own code in float32, tensor by tensor: at most one bfloat16 ulp apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle
import pytest
import torch

from workbench.specs.methods import METHODS

SHAPES = [(1,), (7,), (576,), (64, 48), (5, 700), (33, 3, 5)]
WEIGHTS = {"equal": 0.4, "unequal": [0.2, 0.5, 0.9], "negative": [0.5, -0.3, 0.9], "zero": [0.5, 0.0, 0.9]}

GTA = [name for name, row in METHODS.items() if "lambda" in row.shared]
SPARSE: dict[str, list[dict[str, Any]]] = {
    "density": [{"density": 0.5}, {"density": [0.2, 0.7, 1.0]}, {"density": 0.001}],
    "gamma": [{"density": 0.8, "gamma": 0.1}, {"density": [0.3, 0.5, 0.9], "gamma": [0.0, 0.2, 0.05]}],
    "epsilon": [{"density": 0.5, "epsilon": 0.3}, {"density": [0.3, 0.5, 0.9], "epsilon": 0.05}],
}
OTHERS: list[tuple[str, int, bool, dict[str, Any]]] = [
    *(("linear", 3, False, {"weight": w, "normalize": n}) for w in WEIGHTS.values() for n in (True, False)),
    *(("slerp", 1, True, {"t": t}) for t in (0.0, 0.3, 1.0)),
    *(
        ("nuslerp", 2, base, {"weight": [0.3, w], "nuslerp_flatten": flat, "nuslerp_row_wise": rows})
        for base in (True, False)
        for flat, rows in ((True, False), (False, False), (False, True))
        for w in (0.6, -0.3)
    ),
    *(
        ("multislerp", count, base, {"weight": w, "normalize_weights": n})
        for base in (True, False)
        for count, w in ((3, [0.2, 0.5, 0.9]), (3, [0.5, -0.3, 0.9]), (2, 0.5), (1, 1.0))
        for n in (True, False)
    ),
    *(("karcher", count, False, {"max_iter": i}) for count in (1, 2, 4) for i in (0.0, 1.0, 10.0)),
    *(("model_stock", count, True, {"filter_wise": rows}) for count in (2, 4) for rows in (True, False)),
    *(("sce", count, True, {"select_topk": k}) for count in (1, 3) for k in (1.0, 0.5, 0.1, 0.0)),
    ("arcee_fusion", 1, True, {}),
    *(("passthrough", 1, False, {"scale": s}) for s in (None, 0.3)),
]


def tensors(shape: tuple[int, ...], count: int, dtype: torch.dtype, seed: int = 0) -> list[torch.Tensor]:
    """A base and models around it; in bfloat16 many task vector elements are equal in magnitude, or zero."""
    generator = torch.Generator().manual_seed(seed)
    base = 0.02 * torch.randn(shape, generator=generator)
    return [base.to(dtype), *((base + 0.003 * torch.randn(shape, generator=generator)).to(dtype) for _ in range(count))]


def check(method: str, shape: tuple[int, ...], count: int, base: bool, dtype: torch.dtype, **given: Any) -> None:
    origin, *models = tensors(shape, count, dtype)
    shared, each = oracle.defaults(method, count, **given)
    wanted = oracle.theirs(method, "w", origin if base else None, models, shared, each)
    found = oracle.ours(method, oracle.group("w", origin if base else None, models), shared, each)
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)  # far below a bfloat16 ulp, in fact
    assert ((oracle.ulps(found, wanted) <= 1) | (np.abs(found - wanted) < 1e-8)).all()  # ulps of zero are no measure


every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])


def test_every_kernel_is_compared() -> None:
    assert {*GTA, *(method for method, *_ in OTHERS)} == {name for name, row in METHODS.items() if row.kernel}


@every_dtype
@pytest.mark.parametrize("method", GTA)
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=list(WEIGHTS))
def test_task_vectors(method: str, weight: Any, dtype: torch.dtype) -> None:
    for sparse in [{}] + [s for name, given in SPARSE.items() if name in METHODS[method].each for s in given]:
        if sparse.get("density") == 0.001 and "epsilon" in METHODS[method].each:
            continue  # no epsilon fits
        if "epsilon" in METHODS[method].each and "epsilon" not in sparse:
            sparse = {**sparse, "epsilon": 0.1}
        if "gamma" in METHODS[method].each and sparse.get("density") == [0.2, 0.7, 1.0]:
            sparse = {**sparse, "gamma": 0.2}
        for normalize in (True, False):
            for rescale in (True, False):
                for scale in (1.0, 0.7):
                    settings = {"normalize": normalize, "rescale": rescale, "lambda": scale, **sparse}
                    check(method, (64, 48), 3, True, dtype, weight=weight, **settings)


@every_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_task_vectors_of_any_shape(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    for method in GTA:
        if "epsilon" in METHODS[method].each and shape[-1] == 1:
            continue  # mergekit divides by zero there
        check(method, shape, 3, True, dtype, weight=[0.2, 0.5, 0.9], density=0.4)


@every_dtype
@pytest.mark.parametrize(("method", "count", "base", "given"), OTHERS, ids=str)
def test_other_methods(method: str, count: int, base: bool, given: dict[str, Any], dtype: torch.dtype) -> None:
    for shape in SHAPES:
        if method == "nuslerp" and given["nuslerp_row_wise"] and len(shape) != 2:
            continue  # mergekit swaps the first axis in, which says nothing for vectors
        if method == "arcee_fusion" and len(shape) == 3:
            continue
        check(method, shape, count, base, dtype, **given)


def test_identical_and_opposite_experts() -> None:
    origin, one = tensors((64, 48), 1, torch.float32)
    opposite = 2 * origin - one
    for method in GTA:
        for models in ([one, one], [one, opposite], [origin, one]):
            shared, each = oracle.defaults(method, 2, weight=0.5, density=0.5)
            wanted = oracle.theirs(method, "w", origin, models, shared, each)
            found = oracle.ours(method, oracle.group("w", origin, models), shared, each)
            # Where opposite task vectors cancel but for rounding, the elected sign is a matter of the last bit.
            assert (np.abs(found - wanted) > 1e-6).mean() < (0.01 if models[1] is opposite else 1e-9), method


def test_nearly_parallel_tensors_are_interpolated_linearly_by_slerp() -> None:
    origin, one = tensors((64, 48), 1, torch.float32)
    near = origin + 0.001 * (one - origin)
    shared, each = oracle.defaults("slerp", 1, t=0.25)
    wanted = 0.75 * origin.numpy() + 0.25 * near.numpy()
    found = oracle.ours("slerp", oracle.group("w", origin, [near]), shared, each)
    np.testing.assert_allclose(found, wanted.reshape(-1), atol=1e-8)
