"""Why experts merge well or badly: how their task vectors (expert minus base) lie to one another, tensor by tensor.

Cosine of task vectors follows Ilharco et al. 2023 (task arithmetic), sign conflicts follow Yadav et al. 2023 (TIES).
Tensors are read one after the other, so that memory holds a few of the largest, whatever the size of the models.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import Incompatible
from workbench.merging.adapters import Adapted
from workbench.merging.anatomy import Seat, seats
from workbench.merging.compatible import check_sources
from workbench.merging.kernels.conflicts import sign_conflicts
from workbench.merging.kernels.cpu import CpuPasses
from workbench.merging.kernels.group import Group, Kind, Operand
from workbench.merging.kernels.workers import Workers
from workbench.merging.sources import FLOATS, Source
from workbench.merging.vocabulary import fill_rows
from workbench.progress import Progress, silent

Key = TypeVar("Key", bound=Hashable)
AHEAD = 4
"""Tensors that the system is asked to read before they are needed."""


@dataclass(frozen=True, eq=False)
class Sums:
    """What adds up over tensors, for m experts; every figure of a diagnosis is a quotient of these.

    `base_square`: squared L2 norm of the base. `products` [m, m]: inner products of the task vectors. `both` and
    `opposed` [m, m]: elements where the task vectors of a pair are nonzero, and those of them where the signs differ.
    """

    elements: int
    base_square: float
    products: NDArray[np.float64]
    both: NDArray[np.int64]
    opposed: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TensorSums:
    """The sums of one tensor; `ranks` [m] are those of LoRA pairs, None where an expert's change is no such pair."""

    seat: Seat
    sums: Sums
    ranks: tuple[int | None, ...]


@dataclass(frozen=True)
class ExpertFigures:
    """How far one expert moved. None is undefined: a share of nothing, or relative to a base of zeros.

    `norm`: L2 norm of the task vector. `share`: of the squared norm of the expert's whole task vector, 0 to 1.
    `relative_norm`: `norm` over the L2 norm of the base there.
    """

    expert: str
    elements: int
    norm: float
    share: float | None
    relative_norm: float | None


@dataclass(frozen=True)
class PairFigures:
    """How two experts lie to one another. None is undefined: one of them did not move, or no element is shared.

    `cosine` of their task vectors, -1 to 1. `sign_conflict_rate`: share, 0 to 1, of elements with different signs
    among the `both_nonzero` ones that both experts changed; about 0.5 for unrelated experts.
    """

    a: str
    b: str
    cosine: float | None
    sign_conflict_rate: float | None
    both_nonzero: int


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """All tensors in reading order (anatomy.seats), and the figures of any group of them."""

    base: str
    experts: tuple[str, ...]
    tensors: tuple[TensorSums, ...]

    @cached_property
    def whole(self) -> Sums:
        """Sums of the whole model."""
        return total(tensor.sums for tensor in self.tensors)

    def by(self, key: Callable[[Seat], Key]) -> dict[Key, Sums]:
        """Sums of the tensors whose seats have a key in common, in reading order."""
        groups: dict[Key, list[Sums]] = {}
        for tensor in self.tensors:
            groups.setdefault(key(tensor.seat), []).append(tensor.sums)
        return {name: total(group) for name, group in groups.items()}

    def expert_figures(self, sums: Sums) -> list[ExpertFigures]:
        """Figures of every expert, in order."""
        squares, wholes = np.diagonal(sums.products).tolist(), np.diagonal(self.whole.products).tolist()
        return [
            ExpertFigures(
                expert,
                sums.elements,
                math.sqrt(square),
                square / whole if whole else None,
                math.sqrt(square / sums.base_square) if sums.base_square else None,
            )
            for expert, square, whole in zip(self.experts, squares, wholes, strict=True)
        ]

    def pair_figures(self, sums: Sums) -> list[PairFigures]:
        """Figures of every pair of experts, (0, 1), (0, 2), ...; none for a single expert."""
        found = []
        for i, j in combinations(range(len(self.experts)), 2):
            norms = math.sqrt(sums.products[i, i]) * math.sqrt(sums.products[j, j])
            cosine = float(sums.products[i, j]) / norms if norms else None
            if cosine is not None:
                cosine = min(1.0, max(-1.0, cosine))  # equal vectors may come out a rounding above 1
            both = int(sums.both[i, j])
            rate = int(sums.opposed[i, j]) / both if both else None
            found.append(PairFigures(self.experts[i], self.experts[j], cosine, rate, both))
        return found


def total(parts: Iterable[Sums]) -> Sums:
    """Sums of several disjoint groups of tensors, at least one."""
    several = list(parts)
    return Sums(
        sum(part.elements for part in several),
        math.fsum(part.base_square for part in several),
        np.sum([part.products for part in several], axis=0),
        np.sum([part.both for part in several], axis=0),
        np.sum([part.opposed for part in several], axis=0),
    )


def diagnose(
    base: Source,
    experts: Sequence[Source],
    names: Sequence[str],
    threads: int = os.cpu_count() or 1,
    progress: Progress = silent,
) -> Diagnosis:
    """The diagnosis of at least one expert about a base; `names` are what experts are called in it.

    Task vectors are taken in float32 as merges take them, those of LoRA experts of this base from the pair itself.
    Tensors that hold no floats are left out. The figures do not depend on `threads`.

    Raises Incompatible when the models do not fit one another, or hold NaN or infinity.
    """
    check_sources(experts, base)
    placed = seats(sorted(name for name, header in base.headers.items() if header.dtype in FLOATS))
    if not placed:
        raise Incompatible(f"'{base.name}' holds no floating-point tensor: there is nothing to compare.")
    with ThreadPoolExecutor(threads, "diagnose") as pool:
        passes = CpuPasses(Workers(pool))
        found = []
        for index, seat in enumerate(placed):
            for later in placed[index + 1 : index + 1 + AHEAD] if index % AHEAD == 0 else []:
                for source in (base, *experts):
                    source.ahead(later.tensor)
            found.append(_tensor(seat, base, experts, passes))
            for source in (base, *experts):
                source.done(seat.tensor)
            progress(index + 1, len(placed), seat.tensor)
    return Diagnosis(base.name, tuple(names), tuple(found))


def _tensor(seat: Seat, base: Source, experts: Sequence[Source], passes: CpuPasses) -> TensorSums:
    name, shape = seat.tensor, base.headers[seat.tensor].shape
    n = math.prod(shape)
    ours = base.operand(name, None, passes.workers)
    operands = [source.operand(name, base, passes.workers) for source in experts]
    ranks = tuple(_rank(source, name, operand) for source, operand in zip(experts, operands, strict=True))
    # Tokens that the base lacks have no task vector; those that an expert lacks, it leaves as they are.
    cut = [one if one.data is None else replace(one, data=one.data[:n]) for one in operands]
    *models, ours = fill_rows([*cut, ours], True, shape, passes)
    group, m = Group(name, shape, ours, tuple(models)), len(models)
    products, counts = np.zeros((m, m)), np.zeros((2, m, m), np.int64)
    with np.errstate(invalid="ignore"):  # infinities are reported below
        if any(model.kind != Kind.ZERO for model in models):
            products, counts = passes.gram(group, True, None), sign_conflicts(group, passes.workers)
        base_square = float(passes.gram(Group(name, shape, None, (ours,)), False, None)[0, 0])
    if not (np.isfinite(products).all() and math.isfinite(base_square)):
        raise _not_finite(name, (base, *experts), (ours, *models), passes)
    return TensorSums(seat, Sums(n, base_square, products, counts[0], counts[1]), ranks)


def _rank(source: Source, tensor: str, operand: Operand) -> int | None:
    """The rank of the LoRA pair that a task vector is; None where it is a difference of weights, or no pair."""
    if not isinstance(source, Adapted) or operand.kind != Kind.DELTA:
        return None
    change = source.changes[tensor]
    halves = [change[half] for half in ("lora_A.weight", "lora_embedding_A") if half in change]
    return source.rank(halves[0]) if halves else None


def _not_finite(tensor: str, sources: Sequence[Source], operands: Sequence[Operand], passes: CpuPasses) -> Incompatible:
    for source, operand in zip(sources, operands, strict=True):
        if not passes.finite(operand):
            place = source.place(tensor)
            return Incompatible(
                f"'{source.name}': {tensor} holds NaN or infinity ({place}). Mend or leave out that model."
            )
    return Incompatible(f"{tensor}: an expert lies farther from '{sources[0].name}' than float32 can hold.")
