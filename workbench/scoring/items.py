"""The items of tasks, without any model: what lm-eval would ask."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Items = list[tuple[str, dict[str, Any]]]
"""(lm-eval's hash of the item, the item) in the order in which they are asked."""


def items_of(tasks: Path, names: Sequence[str]) -> dict[str, Items]:
    """All items of each task of a folder of tasks; of a group, those of its members one after another.

    The hashes are the `doc_hash` of the results of items. Raises DataMissing when a task's data are not here.
    """
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    return {name: _items(manager, name) for name in names}


def _items(manager: Any, name: str) -> Items:
    built = manager.load([name])  # one at a time: together, a group and a member of it would be refused
    members = built["group_map"].get(name, [name])
    return [(_hash(item), item) for member in members for item in built["tasks"][member].eval_docs]


def _hash(item: dict[str, Any]) -> str:
    from lm_eval.utils import handle_non_serializable, hash_string

    # As lm_eval.evaluator writes it, letter by letter.
    text = json.dumps(item, indent=2, default=handle_non_serializable, ensure_ascii=False)
    return str(hash_string(text))
