"""Score records in one short line, so that a test shows only what it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from workbench.board.table import Frame, tidy
from workbench.records import ScoreRow


def _row(model: str, task: str, value: float | None, stderr: float | None = 0.02, **other: Any) -> ScoreRow:
    fields: dict[str, Any] = {
        "model_id": f"id-{model}",
        "task_version": "1.0",
        "metric": "acc",
        "n": 100,
        "unscored": 0,
        "role": "validation",
        "higher_is_better": True,
        "in_mean": True,
    }
    return ScoreRow(model=model, task=task, value=value, stderr=stderr, **{**fields, **other})


@pytest.fixture
def row() -> Callable[..., ScoreRow]:
    """`row(model, task, value, stderr, **fields)`: a validation score of 100 items that counts in the mean."""
    return _row


@pytest.fixture
def frame() -> Callable[..., Frame]:
    """`frame(base=[0.5, 0.6], merge=[0.7, None])`: validation scores of tasks t0, t1, ... by model."""

    def build(stderr: float | None = 0.02, **models: list[float | None]) -> Frame:
        return tidy(
            _row(model, f"t{i}", value, None if value is None else stderr)
            for model, values in models.items()
            for i, value in enumerate(values)
        )

    return build
