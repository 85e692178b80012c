"""Labelled spans in a generated JSON list, scored by type match with boundary overlap (SDoH in CLUE+).

The measure is the 'type' one of MUC and SemEval-2013 task 9.1, which eval4ner (Chai 2019) implements: the label must be
right, the span need only touch. As there, a string stands for its first occurrence in the text. Unlike there, a
prediction with a wrong label never uses up a gold entity, so that the order of the answer does not matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entity:
    """Words of a text, what they tell of (Tobacco) and the status they give (past)."""

    entity: str
    label: str
    value: str


KEYS = ("entity", "label", "value")
STARTS = re.compile(r"\[\s*[{\]]")  # where a list of objects, or an empty one, may begin


def entities_of(generation: str) -> tuple[Entity, ...] | None:
    """The first JSON list of entities in a text, whatever stands around it; None when there is none.

    Every element must be an object with the strings `entity`, `label` and `value`; one that is not spoils its list.
    """
    decoder = json.JSONDecoder()
    for start in STARTS.finditer(generation):
        try:
            found, _ = decoder.raw_decode(generation, start.start())
        except (ValueError, RecursionError):
            continue
        if all(_is_entity(element) for element in found):
            return tuple(Entity(*(element[key] for key in KEYS)) for element in found)
    return None


def _is_entity(element: Any) -> bool:
    return isinstance(element, dict) and all(isinstance(element.get(key), str) for key in KEYS)


def entity_f1(gold: Sequence[Entity], predicted: Sequence[Entity], text: str) -> float:
    """F1 of the largest one-to-one match between entities of one label whose spans in `text` overlap.

    1 when there is neither a gold nor a predicted entity, as in eval4ner. Values are not compared.
    """
    if not gold and not predicted:
        return 1.0
    return 2 * _matched(gold, predicted, text) / (len(gold) + len(predicted))


def _matched(gold: Sequence[Entity], predicted: Sequence[Entity], text: str) -> int:
    """Size of a maximum matching, by augmenting paths (Kuhn)."""
    fitting = [[j for j, other in enumerate(predicted) if _fit(one, other, text)] for one in gold]
    taker: dict[int, int] = {}

    def placed(i: int, tried: set[int]) -> bool:
        for j in fitting[i]:
            if j not in tried:
                tried.add(j)
                if j not in taker or placed(taker[j], tried):
                    taker[j] = i
                    return True
        return False

    return sum(placed(i, set()) for i in range(len(gold)))


def _fit(one: Entity, other: Entity, text: str) -> bool:
    starts = text.find(one.entity), text.find(other.entity)
    if one.label != other.label or min(starts) < 0:
        return False
    return max(starts) < min(starts[0] + len(one.entity), starts[1] + len(other.entity))


def entity_scores(gold: Iterable[Mapping[str, str]], generation: str, text: str) -> dict[str, float]:
    """What an lm-eval `process_results` returns for one generated list of entities: `entity_f1` and `unparsable`.

    A generation without such a list scores 0 and stays in the mean; `unparsable` is 1 for it.
    """
    predicted = entities_of(generation)
    if predicted is None:
        return {"entity_f1": 0.0, "unparsable": 1.0}
    wanted = [Entity(*(one[key] for key in KEYS)) for one in gold]
    return {"entity_f1": entity_f1(wanted, predicted, text), "unparsable": 0.0}
