"""Items that cannot be scored fairly, found before any model is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.errors import UserError


def refuse_faulty(name: str, task: Any) -> None:
    """Raise UserError naming the first item of an lm-eval task with an empty reference, or a gold label it lacks."""
    kind = task.config.output_type
    for index, doc in enumerate(task.eval_docs):
        fault = None
        if kind == "multiple_choice":
            fault = _gold_fault(task.doc_to_target(doc), task.doc_to_choice(doc))
        elif kind == "generate_until" and not _says_something(task.doc_to_target(doc)):
            fault = "has an empty reference"
        if fault is not None:
            raise UserError(f"task '{name}': item {_called(doc, index)} {fault}. Mend or drop it in the task's data.")


def _gold_fault(gold: Any, choices: list[str]) -> str | None:
    if isinstance(gold, str):
        return None if gold in choices else f"has the gold label '{gold}', which is none of its choices"
    if isinstance(gold, int):
        return None if 0 <= gold < len(choices) else f"has the gold label {gold}, but {len(choices)} choices"
    return "has no gold label" if not gold else next((f for one in gold if (f := _gold_fault(one, choices))), None)


def _says_something(reference: Any) -> bool:
    texts = reference if isinstance(reference, list) else [reference]
    return any(str(text).strip() for text in texts if text is not None)


def _called(doc: Mapping[str, Any], index: int) -> str:
    return f"'{doc['id']}'" if doc.get("id") is not None else str(index)
