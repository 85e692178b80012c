"""The passes as torch operations on whole tensors, for any device.

Every element goes through the same float32 operations in the same order as in loops/, none fused: results agree with
the CPU's bit for bit, but for sums over a tensor (`gram`, `squares`) of methods that draw nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.merging.kernels.blocks import BLOCK, LANES
from workbench.merging.kernels.draws import QUARTER, ROUNDS
from workbench.merging.kernels.fusion import row_divergence
from workbench.merging.kernels.group import Group, Kind, Operand
from workbench.merging.kernels.passes import (
    All,
    Band,
    Draw,
    Factors,
    Importance,
    Keep,
    Magnitude,
    Mask,
    Mix,
    Nothing,
    Part,
    Ranked,
    Score,
)
from workbench.merging.kernels.selection import Keys, Pairs, Position, select
from workbench.merging.kernels.workers import Workers

GRAM_ELEMENTS = 1 << 24
"""Elements of each model that an inner product widens to float64 at a time."""
_WORD = 0xFFFFFFFF


class DevicePasses:
    """`passes.Passes` over torch tensors."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.workers = Workers()

    def load(self, operand: Operand) -> Operand:
        """The operand as a flat tensor on the device, bfloat16 or float32."""
        if operand.data is None or isinstance(operand.data, torch.Tensor):
            return operand
        data = torch.from_numpy(np.array(operand.data.view(np.int16) if operand.kind == Kind.BF16 else operand.data))
        if operand.kind == Kind.BF16:
            data = data.view(torch.bfloat16)
        return replace(operand, data=data.to(self.device))

    def empty(self, n: int, dtype: str) -> torch.Tensor:
        """Room for a result."""
        return torch.empty(n, dtype=torch.bfloat16 if dtype == "BF16" else torch.float32, device=self.device)

    def fetch(self, out: torch.Tensor) -> NDArray[Any]:
        """The result as numpy; bits where it is bfloat16."""
        if out.dtype == torch.bfloat16:
            return out.view(torch.int16).cpu().numpy().view(np.uint16)
        return out.cpu().numpy()

    def finite(self, operand: Operand) -> bool:
        """Whether all elements of a loaded operand are finite."""
        return operand.data is None or bool(torch.isfinite(operand.data).all())

    def keys(self, group: Group, score: Score) -> Keys:
        """The keys of a score, to select among."""
        return _Keys(_keys(group, score))

    def positions(self, group: Group, score: Score, ranks: Sequence[int]) -> list[Position]:
        """What stands at ascending 0-based ranks of a score, exactly (selection.py)."""
        return select(self.keys(group, score), ranks)

    def mask_of(self, group: Group, score: Score, band: Band) -> Mask:
        """Elements whose score lies in the band."""
        return Mask(_band(_keys(group, score), band))

    def ranks(self, group: Group, i: int) -> torch.Tensor:
        """Rank of every element of |task vector i| in its row [n] int64."""
        shape = group.shape if len(group.shape) > 1 else (1, group.n)
        order = torch.sort(_delta(group, i).abs().view(shape), dim=1, stable=True).indices
        return torch.argsort(order, dim=1).view(-1)

    def l1(self, group: Group, i: int, keep: Keep) -> tuple[float, float]:
        """L1 norm of task vector i: whole, and of what stays."""
        delta = _delta(group, i)
        return _l1(delta), _l1(self._sparse(delta, keep))

    def squares(self, group: Group, i: int, keep: Keep) -> float:
        """Sum of squares of what stays of task vector i."""
        return float(self._sparse(_delta(group, i), keep).double().square().sum())

    def gram(self, group: Group, about_base: bool, axis: int | None) -> NDArray[np.float64]:
        """Inner products of all models, or of their task vectors."""
        vectors = _operands(group, about_base)
        if axis is None:
            total = torch.zeros(len(vectors), len(vectors), dtype=torch.float64, device=self.device)
            for start in range(0, group.n, GRAM_ELEMENTS):
                part = torch.stack([vector[start : start + GRAM_ELEMENTS] for vector in vectors]).double()
                total = total + part @ part.T
            return total.cpu().numpy()
        matrix = torch.stack(vectors).view(len(vectors), -1, group.columns).double()
        return torch.einsum("arc,brc->rab" if axis == 1 else "arc,brc->cab", matrix, matrix).cpu().numpy()

    def divergence(self, group: Group) -> NDArray[np.float32]:
        """KL(softmax(model 0) || softmax(base)) of each row [rows]."""
        assert group.base is not None
        model, base = (_weights(o).view(-1, group.columns) for o in (group.models[0], group.base))
        return row_divergence(model, base).cpu().numpy()  # type: ignore[no-any-return]

    def combine(
        self, group: Group, factors: Sequence[Factors], about_base: bool, divisor: np.float32, out: Any
    ) -> bool:
        """Sum of factors[i] * operand i, divided by `divisor`, into `out`; base added at last when `about_base`."""
        total = torch.full((group.rows, group.columns), -0.0, device=self.device)
        for factor, vector in zip(factors, _operands(group, about_base), strict=True):
            total = total + torch.from_numpy(np.array(factor)).to(self.device) * vector.view_as(total)
        total = total.view(-1)
        if divisor != 1:
            total = total / self._scalar(divisor)
        if about_base:
            total = total + _weights(group.base)
        return _write(total, out)

    def mix(self, group: Group, parts: Sequence[Part], mix: Mix, out: Any) -> bool:
        """Base + the mix of the sparse, weighted task vectors into `out`."""
        deltas = []
        for i, part in enumerate(parts):
            delta = self._sparse(_delta(group, i), part.keep)
            if part.ratio != 1:
                delta = delta * self._scalar(part.ratio)
            deltas.append(delta if mix.elect == "plain" else delta * self._scalar(part.weight))
        mixed = sum(deltas, torch.zeros(group.n, device=self.device))
        weights = torch.zeros_like(mixed)
        if mix.elect != "none":
            positive, mixed = mixed >= 0, torch.zeros_like(mixed)
            for delta, part in zip(deltas, parts, strict=True):
                match = torch.where(positive, delta > 0, delta < 0)
                value = delta * self._scalar(part.weight) if mix.elect == "plain" else delta
                mixed = mixed + torch.where(match, value, 0.0)
                weights = weights + torch.where(match, self._scalar(part.weight), 0.0)
        if mix.divisor is None:
            by = weights.clamp(min=float(mix.floor))
            mixed = mixed / torch.where(by != 0, by, 1.0)
        elif mix.divisor != 1:
            mixed = mixed / self._scalar(mix.divisor)
        if mix.scale != 1:
            mixed = mixed * self._scalar(mix.scale)
        return _write(mixed + _weights(group.base), out)

    def _scalar(self, value: np.float32) -> torch.Tensor:
        """A number on the device: torch would multiply with the inverse of a divisor that is a plain number."""
        return torch.tensor(float(value), dtype=torch.float32, device=self.device)

    def _sparse(self, delta: torch.Tensor, keep: Keep) -> torch.Tensor:
        if isinstance(keep, All):
            return delta
        if isinstance(keep, Nothing):
            return torch.zeros_like(delta)
        if isinstance(keep, Ranked):
            bounds = torch.from_numpy(keep.bounds.astype(np.int64)).to(self.device)[keep.ranks]
            if keep.scales is not None:
                delta = delta * torch.from_numpy(keep.scales).to(self.device)[keep.ranks]
            return torch.where(draws(len(delta), keep.key, self.device) < bounds, delta, 0.0)
        if isinstance(keep, Mask):
            stays = keep.bytes
        elif isinstance(keep, Draw):
            stays = draws(len(delta), keep.key, self.device) < keep.bound
        else:
            stays = _band(_magnitude(delta), keep)
        return torch.where(stays.bool(), delta, 0.0)


class _Keys:
    """Keys [n] int64 on a device, as selection.Keys."""

    def __init__(self, keys: torch.Tensor) -> None:
        self.n = len(keys)
        self._keys = keys

    def sample(self, stride: int, run: int) -> NDArray[np.uint32]:
        """Runs of neighbours, one every `stride` elements."""
        count = (self.n - run) // stride + 1
        starts = torch.arange(count, device=self._keys.device)[:, None] * stride
        index = starts + torch.arange(run, device=self._keys.device)
        return self._keys[index.view(-1)].cpu().numpy().astype(np.uint32)

    def histogram(self, high: int) -> NDArray[np.int64]:
        """Counts of the keys' upper 16 bits, or of the lower 16 of those whose upper are `high`."""
        bins = self._keys >> 16 if high < 0 else self._keys[self._keys >> 16 == high] & 0xFFFF
        return torch.bincount(bins, minlength=1 << 16).cpu().numpy()

    def bracket(self, lows: NDArray[np.uint32], highs: NDArray[np.uint32]) -> tuple[NDArray[np.int64], Pairs]:
        """How many keys are below each bracket, and (key << 32 | index) of all keys inside one."""
        inside = torch.zeros(self.n, dtype=torch.bool, device=self._keys.device)
        for low, high in zip(lows, highs, strict=True):
            inside |= (self._keys >= int(low)) & (self._keys <= int(high))
        below = np.array([int((self._keys < int(low)).sum()) for low in lows], np.int64)
        index = inside.nonzero().view(-1)
        keys = self._keys[index].cpu().numpy().astype(np.uint64)
        return below, keys << np.uint64(32) | index.cpu().numpy().astype(np.uint64)


def draws(n: int, key: int, device: torch.device) -> torch.Tensor:
    """The numbers of draws.py for elements [0, n) as int64: Philox 4x32-7."""
    tiles = -(-n // BLOCK)
    counter = torch.arange(tiles * QUARTER, device=device)
    x0, x1 = counter & _WORD, counter >> 32
    x2, x3 = torch.zeros_like(counter), torch.zeros_like(counter)
    k0, k1 = key & _WORD, key >> 32
    for _ in range(ROUNDS):
        p0, p1 = x0 * 0xD2511F53, x2 * 0xCD9E8D57  # the upper half of a wrapped product is still its bits
        x0, x1, x2, x3 = (p1 >> 32 & _WORD) ^ x1 ^ k0, p1 & _WORD, (p0 >> 32 & _WORD) ^ x3 ^ k1, p0 & _WORD
        k0, k1 = (k0 + 0x9E3779B9) & _WORD, (k1 + 0xBB67AE85) & _WORD
    lanes = torch.stack([x.view(tiles, QUARTER) for x in (x0, x1, x2, x3)], dim=1)
    return lanes.reshape(-1)[:n]


def _weights(operand: Operand | None) -> torch.Tensor:
    assert operand is not None
    data: torch.Tensor = operand.data
    return data.float()


def _delta(group: Group, i: int) -> torch.Tensor:
    model = group.models[i]
    if model.kind == Kind.ZERO:
        return torch.zeros(group.n, device=_weights(group.base).device)
    return _weights(model) if model.kind == Kind.DELTA else _weights(model) - _weights(group.base)


def _operands(group: Group, about_base: bool) -> list[torch.Tensor]:
    if about_base:
        return [_delta(group, i) for i in range(len(group.models))]
    return [_weights(operand) for operand in (*group.models, *([group.base] if group.base else []))]


def _magnitude(values: torch.Tensor) -> torch.Tensor:
    return values.view(torch.int32).long() & 0x7FFFFFFF


def _keys(group: Group, score: Score) -> torch.Tensor:
    if isinstance(score, Magnitude):
        return _magnitude(_delta(group, score.i))
    if isinstance(score, Importance):
        factors = torch.from_numpy(score.factors).to(_weights(group.base).device)
        values = _delta(group, 0).abs().view(-1, group.columns) * factors[:, None]
        bits = values.view(-1).view(torch.int32).long() & _WORD
        return torch.where(bits > 0x7FFFFFFF, bits ^ _WORD, bits ^ 0x80000000)
    deltas = [_delta(group, i) for i in range(len(group.models))]
    count = torch.tensor(float(len(deltas)), device=deltas[0].device)
    mean = sum(deltas, torch.zeros_like(deltas[0])) / count
    return _magnitude(sum(((d - mean) * (d - mean) for d in deltas), torch.zeros_like(mean)) / count)


def _band(keys: torch.Tensor, band: Band) -> torch.Tensor:
    index = torch.arange(len(keys), device=keys.device)
    up = (keys > band.low) | ((keys == band.low) & (index >= band.first) & (index < band.last))
    down = (keys < band.high) | ((keys == band.high) & (index < band.high_last))
    return up & down


def _l1(values: torch.Tensor) -> float:
    """Sum of magnitudes in the order of blocks.lane_sum."""
    padded = torch.nn.functional.pad(values.abs().double(), (0, -len(values) % BLOCK)).view(-1, BLOCK // LANES, LANES)
    lanes = torch.zeros(padded.shape[0], LANES, dtype=torch.float64, device=values.device)
    for row in range(BLOCK // LANES):
        lanes = lanes + padded[:, row]
    half = LANES // 2
    while half:
        lanes = lanes[:, :half] + lanes[:, half : 2 * half]
        half //= 2
    return float(lanes[:, 0].cpu().numpy().sum())


def _write(values: torch.Tensor, out: torch.Tensor) -> bool:
    out.copy_(values)
    return bool(torch.isfinite(out).all())
