"""What a merge method works on: the base's and the experts' tensors of one parameter."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

from workbench.merging.kernels.blocks import BF16, DELTA, F32, ZERO

Value = TypeVar("Value")
Memo = Callable[[Hashable, Callable[[], Any]], Any]
"""`memo(key, compute)`: the value of a key, computed unless it is remembered."""


class Kind(IntEnum):
    """How an operand's elements are to be read."""

    F32 = F32
    BF16 = BF16
    DELTA = DELTA  # float32, and already a task vector relative to the group's base
    ZERO = ZERO  # a task vector that is zero throughout: no memory behind it


@dataclass(frozen=True, eq=False)
class Operand:
    """One input's tensor, flat. `data` is float32 or the bits of bfloat16 (uint16) [n]; None when the kind is ZERO.

    `expert` names the input: random draws and remembered statistics are its own, whatever else is merged.
    """

    expert: str
    kind: Kind
    data: Any


def forget(_key: Hashable, compute: Callable[[], Any]) -> Any:
    """A memo that remembers nothing."""
    return compute()


@dataclass(frozen=True, eq=False)
class Group:
    """The inputs of one parameter: `base` when the method has one, and the other models in listed order.

    `shape` is the parameter's; operands of kind DELTA and ZERO are relative to `base`.
    """

    name: str
    shape: tuple[int, ...]
    base: Operand | None
    models: tuple[Operand, ...]
    memo: Memo = field(default=forget)

    def about(self, *models: int) -> tuple[Hashable, ...]:
        """What a finding on some task vectors is remembered by: tensor, base, experts in order.

        Their kinds, too: the same adapter as weights and as a task vector differs by a rounding.
        """
        chosen = [self.models[i] for i in models]
        return self.name, self.base and self.base.expert, *((model.expert, model.kind) for model in chosen)

    @property
    def about_all(self) -> tuple[Hashable, ...]:
        """The same for a finding on all inputs."""
        return self.about(*range(len(self.models)))

    @property
    def n(self) -> int:
        """Elements of the parameter."""
        n = 1
        for size in self.shape:
            n *= size
        return n

    @property
    def columns(self) -> int:
        """Length of the last axis; elements of a row."""
        return self.shape[-1] if self.shape else 1

    @property
    def ranked(self) -> int:
        """Elements among which DELLA ranks one: along the second axis, as mergekit has it, or of a whole vector."""
        return self.shape[1] if len(self.shape) > 1 else self.n

    @property
    def rows(self) -> int:
        """Rows of the parameter as a matrix; a vector is one row."""
        return self.n // self.columns if self.columns else 0
