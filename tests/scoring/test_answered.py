"""What is kept of every item."""

from __future__ import annotations

import numpy as np

from workbench.scoring.answered import Answered, Task


def test_numbers_of_numpy_are_kept_as_numbers() -> None:
    sample = {"doc_id": 3, "metrics": ["f1", "acc"], "f1": [1, np.int64(1)], "acc": np.float64(0.5)}
    task = Task("nli", "nli", "acc", "0" * 8, None, True, True)
    [item] = Answered({"samples": {"nli": [sample]}}, set()).items(task)
    assert (item["f1"], item["acc"]) == ([1, 1], 0.5)
    assert {type(value) for value in (*item["f1"], item["acc"])} == {int, float}
