from __future__ import annotations

import json
from typing import Any

from workbench.scoring.entities import KEYS, entity_scores


def target(doc: dict[str, Any]) -> str:
    """The gold list on one line, as the worked example has it."""
    return json.dumps([{key: one[key] for key in KEYS} for one in doc["entities"]], ensure_ascii=False)


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    return entity_scores(doc["entities"], results[0], doc["text"])
