"""The passes on CPUs: numpy arrays, walked by the compiled loops of loops/ on a few threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.merging.kernels.blocks import BF16, BLOCK, F32, read
from workbench.merging.kernels.fusion import row_divergence
from workbench.merging.kernels.group import Group, Kind, Operand
from workbench.merging.kernels.loops import results, scores, sparse, sums
from workbench.merging.kernels.passes import (
    All,
    Band,
    Draw,
    Factors,
    Keep,
    Magnitude,
    Mask,
    Mix,
    Nothing,
    Part,
    Ranked,
    Score,
    Variance,
)
from workbench.merging.kernels.selection import Keys, Pairs, Position, select
from workbench.merging.kernels.workers import Workers

_ELECT = {"none": results.ELECT_NONE, "weighted": results.ELECT_WEIGHTED, "plain": results.ELECT_PLAIN}
_NO_FACTORS = np.zeros(0, np.float32)


class CpuPasses:
    """`passes.Passes` over numpy arrays."""

    def __init__(self, workers: Workers | None = None) -> None:
        self.workers = workers or Workers()

    def load(self, operand: Operand) -> Operand:
        """The operand as it is."""
        return operand

    def empty(self, n: int, dtype: str) -> NDArray[Any]:
        """Room for a result: bits of bfloat16 for "BF16", float32 for every other safetensors dtype."""
        return np.empty(n, np.uint16 if dtype == "BF16" else np.float32)

    def fetch(self, out: NDArray[Any]) -> NDArray[Any]:
        """The result as it is."""
        return out

    def finite(self, operand: Operand) -> bool:
        """Whether all elements of an operand are finite."""
        if operand.data is None:
            return True
        address, kind = _address(operand.data), int(operand.kind)
        run = self._each(operand.data.size, lambda a, b: sums.finite(address, kind, a, b))
        return all(run)

    def keys(self, group: Group, score: Score) -> Keys:
        """The keys of a score, to select among."""
        return _Keys(self, group, score)

    def positions(self, group: Group, score: Score, ranks: Sequence[int]) -> list[Position]:
        """What stands at ascending 0-based ranks of a score, exactly, in one pass (selection.py)."""
        return select(self.keys(group, score), ranks)

    def mask_of(self, group: Group, score: Score, band: Band) -> Mask:
        """Elements whose score lies in the band."""
        inputs, rule, out = inputs_of(group), _rule(band), np.empty(group.n, np.uint8)
        by, i, factors = _score(score)
        self._each(group.n, lambda a, b: scores.mask(*inputs, by, i, factors, group.columns, rule, out, a, b))
        return Mask(out)

    def ranks(self, group: Group, i: int) -> NDArray[Any]:
        """Rank of every element of |task vector i| in its row [n], by sorting (magnitude, column) in each row."""
        size = np.uint16 if group.ranked <= 1 << 16 else np.uint32
        inputs, columns, out = inputs_of(group), group.columns, np.empty(group.n, size)
        if len(group.shape) > 2:  # rare, and ranked along an axis that is not the last
            everything = np.array([0], np.uint32), np.array([2**32 - 1], np.uint32)
            _, pairs = self.keys(group, Magnitude(i)).bracket(*everything)
            order = (pairs >> np.uint64(32)).reshape(group.shape).argsort(axis=1, kind="stable")
            return order.argsort(axis=1).astype(size).reshape(-1)

        def run(start: int, stop: int) -> None:
            keys = np.empty(stop - start, np.uint64)
            sparse.rank_keys(*inputs, i, columns, keys, start, stop)
            keys.reshape(-1, columns).sort(axis=1)
            sparse.spread_ranks(keys, columns, out, start, stop)

        self._each(group.n, run, columns)
        return out

    def l1(self, group: Group, i: int, keep: Keep) -> tuple[float, float]:
        """L1 norm of task vector i: whole, and of what stays."""
        inputs, rule = inputs_of(group), _rule(keep)
        by_block = np.zeros((2, -(-group.n // BLOCK)))
        self._each(group.n, lambda a, b: sums.norms(*inputs, i, rule, by_block, a, b))
        return float(by_block[0].sum()), float(by_block[1].sum())

    def squares(self, group: Group, i: int, keep: Keep) -> float:
        """Sum of squares of what stays of task vector i."""
        inputs, rule = inputs_of(group), _rule(keep)
        by_block = np.zeros(-(-group.n // BLOCK))
        self._each(group.n, lambda a, b: sums.squares(*inputs, i, rule, by_block, a, b))
        return float(by_block.sum())

    def gram(self, group: Group, about_base: bool, axis: int | None) -> NDArray[np.float64]:
        """Inner products of all models, or of their task vectors."""
        inputs, columns = inputs_of(group), group.columns
        m = _operands(group, about_base)
        if axis == 1:
            by_row = np.zeros((group.rows, m, m))
            self._each(group.n, lambda a, b: sums.gram_rows(*inputs, m, about_base, columns, by_row, a, b), columns)
            return _both_halves(by_row)

        def run(start: int, stop: int) -> NDArray[np.float64]:
            if axis == 0:
                by_column = np.zeros((m, m, columns))
                sums.gram_columns(*inputs, m, about_base, columns, by_column, start, stop)
                return np.moveaxis(by_column, -1, 0)
            total = np.zeros((m, m))
            sums.gram(*inputs, m, about_base, total, start, stop)
            return total

        shape = (columns, m, m) if axis == 0 else (m, m)
        return _both_halves(sum(self._each(group.n, run), np.zeros(shape)))

    def divergence(self, group: Group) -> NDArray[np.float32]:
        """KL(softmax(model 0) || softmax(base)) of each row [rows]."""
        model, base = (_floats(operand, group) for operand in (group.models[0], group.base))
        return np.concatenate(
            self._each(group.n, lambda a, b: row_divergence(model(a, b), base(a, b)).numpy(), group.columns)
        )

    def combine(
        self, group: Group, factors: Sequence[Factors], about_base: bool, divisor: np.float32, out: Any
    ) -> bool:
        """Sum of factors[i] * operand i, divided by `divisor`, into `out`; base added at last when `about_base`."""
        inputs = inputs_of(group)
        longest = max(f.size for f in factors)
        rows = any(f.shape[0] > 1 for f in factors)
        if longest == 1:
            scalars, along = np.concatenate([f.ravel() for f in factors]), np.zeros((len(factors), 0), np.float32)
        else:
            scalars = np.zeros(0, np.float32)
            along = np.stack([np.broadcast_to(f.ravel(), longest) for f in factors]).astype(np.float32)
        place, kind = _out(out)
        return all(
            self._each(
                group.n,
                lambda a, b: results.combine(
                    *inputs, len(factors), scalars, along, rows, about_base, group.columns, divisor, place, kind, a, b
                ),
            )
        )

    def mix(self, group: Group, parts: Sequence[Part], mix: Mix, out: Any) -> bool:
        """Base + the mix of the sparse, weighted task vectors into `out`."""
        inputs = inputs_of(group)
        rules = np.stack([_rule(part.keep) for part in parts])
        ratios = np.array([part.ratio for part in parts], np.float32)
        weights = np.array([part.weight for part in parts], np.float32)
        each = mix.divisor is None
        divisor = np.float32(1) if mix.divisor is None else mix.divisor
        place, kind = _out(out)
        return all(
            self._each(
                group.n,
                lambda a, b: results.mix(
                    *inputs, rules, ratios, weights, _ELECT[mix.elect], each, mix.floor, divisor, mix.scale,
                    place, kind, a, b,
                ),
            )
        )  # fmt: skip

    def _each(self, n: int, run: Callable[[int, int], Any], multiple: int = BLOCK) -> list[Any]:
        return self.workers.each(run, n, multiple)


class _Keys:
    """The keys of one score of a group (selection.Keys)."""

    def __init__(self, passes: CpuPasses, group: Group, score: Score) -> None:
        self.n = group.n
        self._group = group  # whose memory the addresses below point into
        self._passes = passes
        self._about = (*inputs_of(group), *_score(score), group.columns)

    def sample(self, stride: int, run: int) -> NDArray[np.uint32]:
        """Runs of neighbours, one every `stride` elements."""
        keys = np.empty(((self.n - run) // stride + 1, run), np.uint32)
        scores.sample(*self._about, stride, run, keys)
        return keys.ravel()

    def histogram(self, high: int) -> NDArray[np.int64]:
        """Counts of the keys' upper 16 bits, or of the lower 16 of those whose upper are `high`."""

        def run(start: int, stop: int) -> NDArray[np.uint32]:
            counts = np.zeros(scores.HIGH_BITS, np.uint32)
            scores.histogram(*self._about, high, counts, start, stop)
            return counts

        total = np.zeros(scores.HIGH_BITS, np.int64)
        for counts in self._passes.workers.each(run, self.n):
            total += counts
        return total

    def bracket(self, lows: NDArray[np.uint32], highs: NDArray[np.uint32]) -> tuple[NDArray[np.int64], Pairs]:
        """How many keys are below each bracket, and (key << 32 | index) of all keys inside one."""

        def run(start: int, stop: int) -> tuple[NDArray[np.int64], Pairs]:
            below, found = np.zeros(len(lows), np.int64), np.empty(stop - start + 8, np.uint64)
            filled = scores.bracket(*self._about, lows, highs, below, found, start, stop)
            return below, found[:filled] + np.uint64(start)

        chunks = self._passes.workers.each(run, self.n)
        return sum((below for below, _ in chunks), np.zeros(len(lows), np.int64)), np.concatenate(
            [found for _, found in chunks]
        )


def _floats(operand: Operand | None, group: Group) -> Callable[[int, int], Any]:
    """Rows of an operand between two elements, as a float32 torch tensor [rows, columns]."""
    import torch

    assert operand is not None

    def rows(start: int, stop: int) -> Any:
        out = np.empty(stop - start, np.float32)
        read(_address(operand.data), int(operand.kind), start, stop - start, out)
        return torch.from_numpy(out.reshape(-1, group.columns))

    return rows


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def inputs_of(group: Group) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Addresses and kinds of the models, and of the base last; zeros where there is none."""
    operands = [*group.models, group.base or Operand("", Kind.ZERO, None)]
    addresses = [0 if o.data is None else _address(o.data) for o in operands]
    return np.array(addresses, np.int64), np.array([int(o.kind) for o in operands], np.int64)


def _operands(group: Group, about_base: bool) -> int:
    return len(group.models) + (group.base is not None and not about_base)


def _score(score: Score) -> tuple[int, int, NDArray[np.float32]]:
    if isinstance(score, Magnitude):
        return scores.BY_MAGNITUDE, score.i, _NO_FACTORS
    if isinstance(score, Variance):
        return scores.BY_VARIANCE, 0, _NO_FACTORS
    return scores.BY_IMPORTANCE, 0, score.factors


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


def _rule(keep: Keep) -> NDArray[np.int64]:
    """A Keep in numbers, as loops/sparse.py reads it."""
    if isinstance(keep, All | Nothing):
        return np.array([sparse.KEEP_ALL if isinstance(keep, All) else sparse.KEEP_NOTHING, *[0] * 9], np.int64)
    if isinstance(keep, Band):
        low, high = (keep.low, keep.first, keep.last), (keep.high, keep.high_last)
        return np.array([sparse.KEEP_BAND, *low, *high, 0, 0, 0, 0], np.int64)
    if isinstance(keep, Draw):
        return np.array([sparse.KEEP_DRAW, 0, 0, 0, 0, keep.bound, _signed(keep.key), 0, 0, 0], np.int64)
    if isinstance(keep, Ranked):
        tables = (_address(keep.ranks), _address(keep.bounds), 0 if keep.scales is None else _address(keep.scales))
        sizes = (len(keep.bounds), keep.ranks.itemsize)
        return np.array([sparse.KEEP_RANKED, *sizes, 0, 0, 0, _signed(keep.key), *tables], np.int64)
    return np.array([sparse.KEEP_MASK, *[0] * 6, _address(keep.bytes), 0, 0], np.int64)


def _out(out: NDArray[Any]) -> tuple[int, int]:
    return _address(out), BF16 if out.dtype == np.uint16 else F32


def _both_halves(upper: NDArray[np.float64]) -> NDArray[np.float64]:
    return upper + np.swapaxes(np.triu(upper, 1), -1, -2)
