"""The passes in torch against those in compiled loops: every kernel, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import oracle
import pytest
import torch

from workbench.merging.kernels.cpu import CpuPasses
from workbench.merging.kernels.device import DevicePasses
from workbench.merging.kernels.group import Group, Kind, Operand
from workbench.merging.kernels.passes import Passes
from workbench.merging.kernels.table import KERNELS
from workbench.merging.merger import ABOUT_BASE
from workbench.specs.methods import METHODS

SHAPES = [(1,), (5,), (40, 48), (7, 300), (4, 6, 10), (70_000,)]
SPARSE = {
    "density": [0.2, 0.7, 0.45],
    "gamma": [0.0, 0.2, 0.05],
    "epsilon": [0.1, 0.2, 0.05],
    "weight": [0.5, -0.3, 0.9],
}
CHOICES: dict[str, list[dict[str, Any]]] = {
    "linear": [{"weight": SPARSE["weight"], "normalize": n} for n in (True, False)],
    "slerp": [{"t": 0.3}],
    "nuslerp": [
        {"weight": [0.3, 0.6], "nuslerp_flatten": flat, "nuslerp_row_wise": rows}
        for flat, rows in ((True, False), (False, False), (False, True))
    ],
    "multislerp": [{"weight": SPARSE["weight"]}],
    "karcher": [{}],
    "model_stock": [{"filter_wise": rows} for rows in (True, False)],
    "sce": [{"select_topk": k} for k in (1.0, 0.3)],
    "arcee_fusion": [{}],
    "passthrough": [{"scale": None}, {"scale": 0.3}],
}
KINDS = {
    "float32": (Kind.F32, (Kind.F32,) * 3),
    "bfloat16": (Kind.BF16, (Kind.BF16,) * 3),
    "mixed": (Kind.BF16, (Kind.F32, Kind.BF16, Kind.F32)),
    "adapters": (Kind.BF16, (Kind.DELTA, Kind.ZERO, Kind.BF16)),
}


def choices(method: str) -> list[dict[str, Any]]:
    if method in CHOICES:
        return CHOICES[method]
    rescale = [{"rescale": r, "normalize": n, "lambda": 0.7} for r, n in ((True, True), (False, False))]
    return [{**{key: SPARSE[key] for key in METHODS[method].each}, **given} for given in rescale]


def operand(name: str, kind: Kind, n: int, generator: torch.Generator, around: torch.Tensor) -> Operand:
    """An operand of a kind: weights around a base, or a task vector as large."""
    if kind == Kind.ZERO:
        return Operand(name, kind, None)
    moved = 0.003 * torch.randn(n, generator=generator)
    if kind == Kind.DELTA:
        moved[::5] = 0  # as where a LoRA pair has a row of zeros
        return Operand(name, kind, moved.numpy())
    return oracle.operand(name, (around + moved).to(torch.bfloat16 if kind == Kind.BF16 else torch.float32))


def groups(method: str, shape: tuple[int, ...]) -> Iterator[tuple[str, Group]]:
    """Groups of all mixes of kinds that a method may get, with and without a base where it has the choice."""
    row, n = METHODS[method], int(np.prod(shape))
    count = 3 if row.others[1] is None else row.others[1]
    for name, (of_base, of_models) in KINDS.items():
        if name == "adapters" and method not in ABOUT_BASE:
            continue  # gets weights
        generator = torch.Generator().manual_seed(len(name) + n)
        around = 0.02 * torch.randn(n, generator=generator)
        base = operand("base", of_base, n, generator, around)
        models = tuple(operand(f"e{i}", kind, n, generator, around) for i, kind in enumerate(of_models[:count]))
        if row.base != "input":
            yield f"{name} with base", Group("w", shape, base, models)
        if row.base != "required" and name != "adapters":
            yield f"{name} without base", Group("w", shape, None, models)


def bits(passes: Passes, method: str, group: Group, given: dict[str, Any], variant: str, dtype: str) -> Any:
    """The result's bits by some passes; the kernel's word that it is finite is kept beside them."""
    on = replace(
        group,
        base=None if group.base is None else passes.load(group.base),
        models=tuple(passes.load(model) for model in group.models),
    )
    shared, each = oracle.defaults(method, len(group.models), **given, variant=variant)
    out = passes.empty(group.n, dtype)
    good = KERNELS[method](passes, on, shared, each, out)
    found = passes.fetch(out)
    return good, found if dtype == "BF16" else found.view(np.uint32)


def same(method: str, shape: tuple[int, ...], device: str) -> None:
    """The CPU's loops and torch on `device` give the same bits, in all settings and mixes of inputs."""
    if "epsilon" in METHODS[method].each and shape == (70_000,):
        shape = (6_000,)  # DELLA finds a probability for every rank of a vector, which takes a while
    ours, theirs = CpuPasses(), DevicePasses(device)
    for name, group in groups(method, shape):
        for given in choices(method):
            for variant in ("mergekit", "paper") if METHODS[method].paper else ("mergekit",):
                for dtype in ("F32", "BF16"):
                    good, wanted = bits(ours, method, group, given, variant, dtype)
                    there, found = bits(theirs, method, group, given, variant, dtype)
                    assert good, (name, given)
                    assert there, (name, given)
                    np.testing.assert_array_equal(found, wanted, err_msg=f"{name} {given} {variant} {dtype}")


every_kernel = pytest.mark.parametrize("method", list(KERNELS))


@every_kernel
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_torch_gives_the_bits_of_the_compiled_loops(method: str, shape: tuple[int, ...]) -> None:
    same(method, shape, "cpu")


@pytest.mark.gpu
@every_kernel
def test_a_gpu_gives_the_bits_of_the_compiled_loops(method: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    for shape in SHAPES:
        same(method, shape, "cuda")


def test_settings_that_are_compared_matter() -> None:
    # Two ways to compute nothing would agree as well: every setting above must change the result.
    for method in KERNELS:
        group = dict(groups(method, (40, 48)))[
            "mixed " + ("without" if METHODS[method].base == "input" else "with") + " base"
        ]
        found = [bits(CpuPasses(), method, group, given, "mergekit", "F32")[1].tobytes() for given in choices(method)]
        assert len(set(found)) == len(found), method


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
@pytest.mark.parametrize("passes", [CpuPasses(), DevicePasses("cpu")], ids=["cpu", "device"])
def test_a_result_that_is_not_finite_is_told(passes: Passes, dtype: str) -> None:
    for value in (np.nan, np.inf, -np.inf, 3e38):
        data = np.ones(5000, np.float32)
        data[4321] = value
        group = Group("w", (5000,), None, (Operand("e", Kind.F32, data),))
        good, _ = bits(passes, "passthrough", group, {"scale": 1.0}, "mergekit", dtype)
        assert good == (value == 3e38)
        good, _ = bits(passes, "passthrough", group, {"scale": 2.0}, "mergekit", dtype)
        assert not good
    largest = np.full(3000, np.finfo(np.float32).max)  # finite in float32, infinite when rounded to bfloat16
    group = Group("w", (3000,), None, (Operand("e", Kind.F32, largest),))
    assert bits(passes, "passthrough", group, {"scale": None}, "mergekit", dtype)[0] == (dtype == "F32")
