"""SHAC's events as the entities that the prompt asks for: one an argument, labelled Tobacco.StatusTime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasets import Dataset

from workbench.data.brat import Argument, Document, documents
from workbench.data.items import Item, split
from workbench.data.sources import path_of
from workbench.errors import UserError
from workbench.scoring.entities import KEYS, entity_scores

SHOTS = 4
SUBSTANCE = {
    "StatusTime": ("none", "current", "past"),
    **dict.fromkeys(("Duration", "History", "Method", "Type", "Amount", "Frequency")),
}
TAXONOMY: dict[str, dict[str, tuple[str, ...] | None]] = {
    "Employment": {
        "StatusEmploy": ("employed", "unemployed", "retired", "on disability", "student", "homemaker"),
        **dict.fromkeys(("Duration", "History", "Type")),
    },
    "LivingStatus": {
        "StatusTime": ("current", "past", "future"),
        "TypeLiving": ("alone", "with family", "with others", "homeless"),
        **dict.fromkeys(("Duration", "History")),
    },
    "Alcohol": SUBSTANCE,
    "Drug": SUBSTANCE,
    "Tobacco": SUBSTANCE,
}
"""Determinants, what is told of each, and the values that it takes; None where the words of the text are the value."""


def splits(at_least: int = 0, **_: object) -> dict[str, Dataset]:
    """Shots and test items. Raises UserError for what is not in TAXONOMY. A text without entities is an item: []."""
    path = path_of("shac", "shac_test.zip")
    rows: list[Item] = [{"id": one.name, "text": one.text, "entities": entities(path, one)} for one in documents(path)]
    return {name: Dataset.from_list(part) for name, part in split(path, rows, SHOTS, at_least).items()}


def entities(path: Path, document: Document) -> list[dict[str, str]]:
    """All arguments of all events. The trigger of an event is not among them: the taxonomy has no place for it."""
    where = f"{path}: {document.name}.ann"
    return [_entity(where, event.type, argument) for event in document.events for argument in event.arguments]


def _entity(where: str, determinant: str, argument: Argument) -> dict[str, str]:
    label = f"{determinant}.{argument.type}"
    if argument.type not in TAXONOMY.get(determinant, {}):
        raise UserError(f"{where}: '{label}' is no category of the SDoH task. Use the files as published.")
    values = TAXONOMY[determinant][argument.type]
    if values is None:
        return {"entity": argument.words, "label": label, "value": argument.words}
    value = (argument.value or "no value").replace("_", " ")  # SHAC writes on_disability
    if value not in values:
        raise UserError(f"{where}: {label} has {value}, not one of {', '.join(values)}. Use the files as published.")
    return {"entity": argument.words, "label": label, "value": value}


def target(doc: dict[str, Any]) -> str:
    """The gold list on one line."""
    return json.dumps([{key: one[key] for key in KEYS} for one in doc["entities"]], ensure_ascii=False)


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    return entity_scores(doc["entities"], results[0], doc["text"]) | {"empty": float(not results[0].strip())}
