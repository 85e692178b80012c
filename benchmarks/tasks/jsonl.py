"""Items of the tasks that lie beside their YAML, so that `lm_eval --include_path` works from any working directory."""

from __future__ import annotations

import json
from pathlib import Path

from datasets import Dataset


def splits(folder: str, **_: object) -> dict[str, Dataset]:
    """Both splits of a task folder. lm-eval passes the task's metadata and model arguments along; they are ignored."""
    return {name: Dataset.from_list(_rows(folder, name)) for name in ("validation", "test")}


def _rows(folder: str, name: str) -> list[dict[str, object]]:
    text = (Path(__file__).parent / folder / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
