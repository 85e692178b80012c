"""Where candidates are tried: inputs in memory, a live model into which they are written, and the items of a suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.specs.merge import MergeSpec

if TYPE_CHECKING:
    from workbench.merging.places import Place
    from workbench.scoring.live import Live


class Stand:
    """Candidates of one search, tried one after another. Use as a context manager.

    `places` are the inputs by the names that candidates call them; `identify` gives the id of a candidate's weights,
    by which answers are remembered.
    """

    def __init__(self, places: Mapping[str, Place], live: Live, identify: Callable[[MergeSpec], str]) -> None:
        from workbench.merging.places import open_sources
        from workbench.merging.resident import Resident
        from workbench.merging.stream import Options

        self._live = live
        self._identify = identify
        sources = dict(zip(places, open_sources(list(places.values())), strict=True))
        self._resident = Resident(sources, Options(device=live.model.device.type))
        self._written: str | None = None

    def __enter__(self) -> Stand:
        return self

    def __exit__(self, *error: Any) -> None:
        self._resident.__exit__(*error)

    @property
    def sizes(self) -> Mapping[str, int]:
        """Items of every task in the suite's mean."""
        return self._live.sizes

    def ask(self, spec: MergeSpec, wanted: Mapping[str, Sequence[int]]) -> dict[str, list[float]]:
        """A candidate's metrics on items by their numbers in a task, in order.

        Raises Incompatible when its inputs do not fit, StepFailed when a weight is no finite number.
        """
        weights = self._identify(spec)
        if weights != self._written:
            self._written = None  # a merge that fails leaves parts of two candidates
            self._resident.write(spec, self._live.model)
            self._written = weights
        return self._live.ask(weights, wanted)
