"""The searches of a run with the models that they combine, resolved as those of candidates are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.specs.merge import Input
from workbench.specs.search import SearchSpec


@dataclass(frozen=True)
class Search:
    """One search of a run. `base` is the base model where the method, or the baselines, have one."""

    name: str
    spec: SearchSpec
    models: tuple[Input, ...]
    base: str
    members: Mapping[str, tuple[str, ...]]
    """For each `best-of` reference: the candidates it chooses from."""

    @property
    def references(self) -> tuple[str, ...]:
        """Names of the models it reads, the base last."""
        return tuple(dict.fromkeys((*(one.model for one in self.models), self.base)))
