"""Where a tensor sits in a model, read off its name: in which layer, in which kind of module."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

EMBEDDINGS, FINAL = "embeddings", "final"
_LAYER = re.compile(r"(.*?)\.(\d+)\.")
_EMBEDS = re.compile(r"embed|(^|\.)w[tp]e(\.|$)")
_PARAMETERS = ("weight", "bias")


@dataclass(frozen=True)
class Seat:
    """Where one tensor sits: `layer` such as "0", EMBEDDINGS or FINAL; `module` such as "q_proj"."""

    tensor: str
    layer: str
    module: str


def seats(tensors: Sequence[str]) -> list[Seat]:
    """Seats in reading order: embeddings, layers as they follow one another, what is in no layer; then as given.

    A module is called by the shortest end of its path that is unambiguous in this model: "q_proj", but
    "attn.c_proj" beside "mlp.c_proj". A layer is its number, with the name of its stack where a model has several.
    """
    matches = {tensor: _LAYER.match(tensor) for tensor in tensors}
    stacks = list(dict.fromkeys(match[1] for match in matches.values() if match))
    paths = {tensor: _module_path(tensor, match.end() if match else 0) for tensor, match in matches.items()}
    modules = shortest_ends(list(dict.fromkeys(paths.values())))
    placed: list[tuple[tuple[int, int, int], Seat]] = []
    for tensor, match in matches.items():
        if match is None:
            embeds = _EMBEDS.search(tensor) is not None
            order, layer = (0 if embeds else 2, 0, 0), EMBEDDINGS if embeds else FINAL
        else:
            order = (1, stacks.index(match[1]), int(match[2]))
            layer = f"{match[1]}.{int(match[2])}" if len(stacks) > 1 else str(int(match[2]))
        placed.append((order, Seat(tensor, layer, modules[paths[tensor]])))
    return [seat for _, seat in sorted(placed, key=lambda one: one[0])]


def _module_path(tensor: str, start: int) -> tuple[str, ...]:
    """The modules below the layer, without numbers: the experts of a mixture count as one kind."""
    parts = [part for part in tensor[start:].split(".") if not part.isdigit()]
    if len(parts) > 1 and parts[-1] in _PARAMETERS:
        parts.pop()
    return tuple(parts)


def shortest_ends(paths: Sequence[tuple[str, ...]], joint: str = ".") -> dict[tuple[str, ...], str]:
    """For each of some different paths the shortest end that no other has, joined; all of it where another ends so."""
    ends = Counter(path[-k:] for path in paths for k in range(1, len(path) + 1))
    return {
        path: joint.join(next((path[-k:] for k in range(1, len(path)) if ends[path[-k:]] == 1), path)) for path in paths
    }
