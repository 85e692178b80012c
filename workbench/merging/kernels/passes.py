"""The passes over memory that merge methods are made of: one contract, two implementations (cpu.py, device.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.merging.kernels.group import Group, Operand
from workbench.merging.kernels.selection import Keys, Position
from workbench.merging.kernels.workers import Workers

ONE, LEAST = np.float32(1), np.float32(-np.inf)

Factors = NDArray[np.float32]
"""Factors of one operand: shape (1, 1) for the tensor, (rows, 1) for each row, (1, columns) for each column."""


@dataclass(frozen=True)
class Magnitude:
    """Scores elements by |task vector i|."""

    i: int


@dataclass(frozen=True)
class Variance:
    """Scores elements by the population variance across all task vectors."""


@dataclass(frozen=True, eq=False)
class Importance:
    """Scores elements by |task vector 0| times a factor of their row, which may be negative. factors [rows] float32."""

    factors: NDArray[np.float32]


Score = Magnitude | Variance | Importance
"""What elements are ordered by; keys are 32-bit numbers that order alike (`key_of_float` for Importance's floats)."""


@dataclass(frozen=True)
class All:
    """Every element stays."""


@dataclass(frozen=True)
class Nothing:
    """No element stays."""


@dataclass(frozen=True)
class Band:
    """Elements whose key lies in a band stay; equal keys are told apart by position, as a stable sort does.

    Stays: (above `low`, or equal to it with index in [`first`, `last`)) and (below `high`, or equal to it with index
    less than `high_last`).
    """

    low: int
    first: int
    last: int
    high: int = 0xFFFFFFFF
    high_last: int = 0


@dataclass(frozen=True)
class Draw:
    """Elements whose random number lies below `bound` (of 2^32) stay."""

    bound: int
    key: int


@dataclass(frozen=True, eq=False)
class Ranked:
    """Elements whose random number lies below the bound of their rank stay, multiplied with the scale of their rank.

    `ranks` [n] on the passes' device; bounds [ranks] (of 2^32) and scales [ranks], if there are any, by rank.
    """

    ranks: Any
    bounds: NDArray[np.uint32]
    scales: NDArray[np.float32] | None
    key: int


@dataclass(frozen=True, eq=False)
class Mask:
    """Elements with a nonzero byte stay; `bytes` [n] uint8, on the passes' device."""

    bytes: Any


Keep = All | Nothing | Band | Draw | Ranked | Mask


@dataclass(frozen=True)
class Part:
    """One model's part in a mix of task vectors: what stays, the factor that restores its norm, its weight."""

    keep: Keep
    ratio: np.float32
    weight: np.float32


@dataclass(frozen=True)
class Mix:
    """How sparse, weighted task vectors become one.

    `elect`: no consensus; the sign of the weighted sum (mergekit's TIES), or of the plain sum (the TIES paper, SCE).
    The mix is divided by `divisor`, or, when that is None, at each element by the weights that took part there: by no
    less than `floor`, and by 1 where they sum to zero. At last it is multiplied with `scale`.
    """

    elect: Literal["none", "weighted", "plain"] = "none"
    divisor: np.float32 | None = ONE
    floor: np.float32 = LEAST
    scale: np.float32 = ONE


def key_of_float(value: np.float32) -> int:
    """The key that orders as a signed float32 does."""
    bits = int(np.float32(value).view(np.uint32))
    return bits ^ (0xFFFFFFFF if bits > 0x7FFFFFFF else 0x80000000)


def float_of_key(key: int) -> np.float32:
    """The float32 of a key."""
    bits = key ^ (0x80000000 if key > 0x7FFFFFFF else 0xFFFFFFFF)
    return np.uint32(bits).view(np.float32)


class Passes(Protocol):
    """Reductions are exact or have a fixed order; writers return False when a result is not finite.

    `i` counts a group's models; a task vector is a model minus the base. Outputs are flat arrays of the passes'
    device, float32 or bfloat16.
    """

    workers: Workers

    def load(self, operand: Operand) -> Operand:
        """The operand with its data on the passes' device."""

    def empty(self, n: int, dtype: str) -> Any:
        """Room for a result: bfloat16 for "BF16", float32 for every other safetensors dtype."""

    def fetch(self, out: Any) -> NDArray[Any]:
        """A result as a numpy array."""

    def finite(self, operand: Operand) -> bool:
        """Whether all elements of a loaded operand are finite."""

    def keys(self, group: Group, score: Score) -> Keys:
        """The keys of a score, to select among."""

    def positions(self, group: Group, score: Score, ranks: Sequence[int]) -> list[Position]:
        """What stands at ascending 0-based ranks of a score, by exact selection."""

    def mask_of(self, group: Group, score: Score, band: Band) -> Mask:
        """Elements whose score lies in the band."""

    def ranks(self, group: Group, i: int) -> Any:
        """Ranks [n] from 0 of |task vector i| along the second axis, or in a vector; equal ones by position."""

    def l1(self, group: Group, i: int, keep: Keep) -> tuple[float, float]:
        """L1 norm of task vector i: whole, and of what stays. The same bits on every device."""

    def squares(self, group: Group, i: int, keep: Keep) -> float:
        """Sum of squares of what stays of task vector i."""

    def gram(self, group: Group, about_base: bool, axis: int | None) -> NDArray[np.float64]:
        """Inner products of all models, or of their task vectors.

        [m, m] over the whole tensor for `axis` None; [rows, m, m] along each row for 1; [columns, m, m] down each
        column for 0. m counts the models, and last among them the base unless it is `about_base`.
        """

    def divergence(self, group: Group) -> NDArray[np.float32]:
        """KL(softmax(model 0) || softmax(base)) of each row, with mergekit's 1e-8 added to both [rows]."""

    def combine(
        self, group: Group, factors: Sequence[Factors], about_base: bool, divisor: np.float32, out: Any
    ) -> bool:
        """Sum of factors[i] * operand i, divided by `divisor`, into `out`; base added at last when `about_base`.

        Operands are as in `gram`: models or task vectors, then the base unless it is `about_base`.
        """

    def mix(self, group: Group, parts: Sequence[Part], mix: Mix, out: Any) -> bool:
        """Base + the mix of the sparse, weighted task vectors into `out`."""
