"""Where the inputs of a merge lie, and how they are opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.merging.adapters import Adapted
from workbench.merging.sources import Checkpoint, Source


@dataclass(frozen=True)
class Place:
    """One input: a checkpoint folder, or an adapter folder with the folder of its base.

    `name` is shown, and `base_name` for an adapter's base; `expert` keys its random draws, so that it must not depend
    on the machine.
    """

    name: str
    expert: str
    folder: Path
    adapter: Path | None = None
    base_name: str | None = None


def open_sources(places: Sequence[Place]) -> list[Source]:
    """The inputs in order; adapters of one base share its files. Raises Incompatible when one does not fit its base."""
    opened: dict[Path, Checkpoint] = {}
    sources: list[Source] = []
    for place in places:
        key = place.folder.resolve()
        if place.adapter is None:
            sources.append(Checkpoint(place.name, place.expert, place.folder))
        else:
            base = opened.setdefault(key, Checkpoint(place.base_name or place.folder.name, place.expert, place.folder))
            sources.append(Adapted(place.name, place.expert, base, place.adapter))
    return sources
