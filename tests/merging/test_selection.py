"""Order statistics without a sort against a stable sort, on keys that are meant to break it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from workbench.merging.kernels import selection
from workbench.merging.kernels.cpu import CpuPasses
from workbench.merging.kernels.device import DevicePasses
from workbench.merging.kernels.group import Group, Kind, Operand
from workbench.merging.kernels.passes import Importance, Magnitude, Passes, Variance, float_of_key, key_of_float
from workbench.merging.kernels.selection import SMALL, Keys, select

every_device = pytest.mark.parametrize("passes", [CpuPasses(), DevicePasses("cpu")], ids=["cpu", "device"])


def keys_of(values: np.ndarray, passes: Passes) -> Keys:
    """Keys that are the bits of float32 values >= 0: the values are a task vector, which nothing is subtracted from."""
    base = Operand("base", Kind.F32, np.zeros(len(values), np.float32))
    model = Operand("e", Kind.DELTA, values.astype(np.float32))
    return passes.keys(Group("w", values.shape, passes.load(base), (passes.load(model),)), Magnitude(0))


def check(values: np.ndarray, ranks: list[int], passes: Passes) -> None:
    """Every field of what `select` finds, against a stable sort."""
    values = values.astype(np.float32)
    order = np.argsort(np.abs(values), kind="stable")
    keys = np.abs(values).view(np.uint32)
    for rank, found in zip(ranks, select(keys_of(values, passes), ranks), strict=True):
        key = keys[order[rank]]
        equal = np.flatnonzero(keys == key)
        assert (found.key, found.before, found.equal) == (key, (keys < key).sum(), len(equal))
        assert order[rank] == found.nth(rank - found.before)
        assert [found.nth(o) for o in (0, found.equal // 2, found.equal - 1)] == equal[
            [0, len(equal) // 2, len(equal) - 1]
        ].tolist()


def some_ranks(n: int) -> list[int]:
    return sorted({0, n // 100, n // 4, n // 2, n - 1 - n // 10, max(n - 2, 0), n - 1})


def normal(n: int) -> np.ndarray:
    return np.random.default_rng(n).normal(size=n)


def half_zeros(n: int) -> np.ndarray:
    return np.where(np.arange(n) % 2, normal(n), 0)


def zeros_first(n: int) -> np.ndarray:
    return np.where(np.arange(n) < n // 2, 0, normal(n))


def heavy_ties(n: int) -> np.ndarray:
    """A tenth of all in one value amid the rest, as experts in bfloat16 have it."""
    return np.where(np.random.default_rng(1).random(n) < 0.1, np.quantile(np.abs(normal(n)), 0.5), normal(n))


def denormals(n: int) -> np.ndarray:
    """Numbers below float32's smallest normal one, which a processor that flushes them would take for zero."""
    return np.random.default_rng(2).integers(0, 1 << 20, n).astype(np.uint32).view(np.float32)


def one_outlier_a_run(n: int) -> np.ndarray:
    """Large values that all lie where the sample does not look: one in 512 elements is sampled of 64."""
    values = np.abs(normal(n))
    values[100::512] += 1000
    return values


INPUTS: dict[str, Any] = {
    "normal": normal,
    "all equal": lambda n: np.full(n, 0.25),
    "all zero": lambda n: np.zeros(n),
    "half zeros": half_zeros,
    "zeros first": zeros_first,
    "two values": lambda n: np.where(np.arange(n) % 3, 1.0, 2.0),
    "ascending": lambda n: np.arange(n),
    "descending": lambda n: np.arange(n)[::-1],
    "heavy ties": heavy_ties,
    "bfloat16": lambda n: torch.from_numpy(normal(n)).bfloat16().double().numpy(),
    "denormals": denormals,
    "outliers between the samples": one_outlier_a_run,
    "one block differs": lambda n: np.where(np.arange(n) < 2048, 5.0, normal(n) * 0.01),
}


@every_device
@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("n", [1, 2, 3, 63, 64, 2049, SMALL - 1, SMALL, SMALL + 1, 70_001])
def test_one_rank(n: int, name: str, passes: Passes) -> None:
    values = INPUTS[name](n)
    for rank in some_ranks(n):
        check(values, [rank], passes)


@every_device
@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("n", [2, 64, SMALL + 1, 70_001])
def test_two_ranks_at_once(n: int, name: str, passes: Passes) -> None:
    values = INPUTS[name](n)
    for low, high in ((0, n - 1), (n // 10, n // 10 + 1), (n // 4, n // 2), (0, 1), (n - 2, n - 1)):
        check(values, [low, high], passes)


@every_device
def test_a_tensor_of_several_chunks(passes: Passes) -> None:
    # More elements than one thread's chunk of 262,144: positions and counts must be offset by the chunks before.
    for values in (normal(600_000), half_zeros(600_000), heavy_ties(600_000)):
        for rank in (0, 60_000, 299_999, 420_000, 599_999):
            check(values, [rank], passes)


@pytest.fixture
def histograms(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Ranks of every selection that had to be done by histograms."""
    calls: list[list[int]] = []
    original = selection.by_histogram

    def spy(keys: Keys, ranks: list[int]) -> list[selection.Position]:
        calls.append(list(ranks))
        return original(keys, ranks)

    monkeypatch.setattr(selection, "by_histogram", spy)
    return calls


@every_device
def test_histograms_are_for_crowded_ranks_only(passes: Passes, histograms: list[list[int]]) -> None:
    check(normal(70_001), [7_000], passes)
    check(half_zeros(70_001), [60_000], passes)  # half are zero, but not where the rank lies
    check(normal(SMALL), [100], passes)
    assert not histograms
    check(half_zeros(70_001), [10_000], passes)
    check(np.full(70_001, 0.25), [35_000], passes)
    check(half_zeros(70_001), [10_000, 60_000], passes)
    assert histograms == [[10_000], [35_000], [10_000, 60_000]]


class Misleading:
    """Keys whose sample says nothing about them."""

    def __init__(self, keys: Keys, sampled: np.ndarray) -> None:
        self.n = keys.n
        self.histogram, self.bracket = keys.histogram, keys.bracket
        self._sampled = sampled

    def sample(self, stride: int, run: int) -> np.ndarray:
        return self._sampled


@every_device
@pytest.mark.parametrize("low", [0, 0x3F000000, 0x7F000000])
def test_a_sample_that_misleads_costs_time_and_nothing_else(
    low: int, passes: Passes, histograms: list[list[int]]
) -> None:
    values = np.abs(normal(70_001)).astype(np.float32)
    sampled = np.arange(low, low + 4096, dtype=np.uint32)
    ranks = [20_000, 50_000]
    found = select(Misleading(keys_of(values, passes), sampled), ranks)
    assert [position.key for position in found] == np.sort(values).view(np.uint32)[ranks].tolist()
    assert [values[position.nth(0)] for position in found] == np.sort(values)[ranks].tolist()
    assert histograms == [ranks]


@every_device
def test_scores_with_a_sign_are_ordered_as_floats(passes: Passes) -> None:
    values, factors = np.abs(normal(40_000)).astype(np.float32), np.array([1, -1, 0.5, -2], np.float32)
    base = passes.load(Operand("base", Kind.F32, np.zeros(40_000, np.float32)))
    group = Group("w", (4, 10_000), base, (passes.load(Operand("e", Kind.DELTA, values)),))
    wanted = np.sort((values.reshape(4, -1) * factors[:, None]).reshape(-1))
    ranks = [0, 4_000, 20_000, 39_999]
    found = passes.positions(group, Importance(factors), ranks)
    assert [float_of_key(position.key) for position in found] == wanted[ranks].tolist()


@every_device
def test_variances_are_ordered(passes: Passes) -> None:
    rows = np.random.default_rng(3).normal(size=(3, 40_000)).astype(np.float32)
    base = passes.load(Operand("base", Kind.F32, np.zeros(40_000, np.float32)))
    group = Group("w", (40_000,), base, tuple(passes.load(Operand(str(i), Kind.DELTA, r)) for i, r in enumerate(rows)))
    ranks = [0, 30_000, 39_999]
    found = [float_of(position.key) for position in passes.positions(group, Variance(), ranks)]
    np.testing.assert_allclose(found, np.sort(rows.astype(np.float64).var(axis=0))[ranks], rtol=1e-5)


def float_of(bits: int) -> float:
    return float(np.uint32(bits).view(np.float32))


def test_keys_order_as_floats_do() -> None:
    values = np.array([-np.inf, -3e38, -1.0, -1e-40, -0.0, 0.0, 1e-40, 1.0, 3e38, np.inf], np.float32)
    keys = [key_of_float(value) for value in values]
    assert keys == sorted(keys)
    assert [float_of_key(key).view(np.uint32) for key in keys] == values.view(np.uint32).tolist()
