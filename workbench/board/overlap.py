"""What training corpora share with the items of tasks, in sentences, and scores without those items."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from workbench.board.numbers import count, with_error
from workbench.records import CleanScore, Overlap, ScoreRow

BY_DESIGN = "knowledge recall by design: the code tables are the corpus, the questions are not"
SHARE = "13 words in a row"

Value = float | Sequence[float]
"""What an item scored; of a weighted metric, (value, weight)."""


def by_design(task: str) -> bool:
    """Whether a task asks for what an expert is meant to have read."""
    return task.startswith("icd10cm")


def shared_items(overlaps: Iterable[Overlap]) -> dict[tuple[str, str], set[str]]:
    """Hashes of the items that any expert's corpora overlap, by (task, role); tasks without any are left out."""
    found: dict[tuple[str, str], set[str]] = {}
    for one in overlaps:
        if one.shared:
            found.setdefault((one.task, one.role), set()).update(item.doc_hash for item in one.shared)
    return found


def most(overlap: Overlap) -> str:
    """How much of one item is shared at most: a stock phrase of a few per cent tells little, a copy is near all."""
    return f"at most {100 * max(item.share for item in overlap.shared):.0f} % of one"


def clean_score(row: ScoreRow, items: Iterable[Mapping[str, Any]], shared: Set[str]) -> CleanScore:
    """A score beside the one over the items whose hash is not in `shared`.

    `items` are the results of a score step: `task`, `doc_hash`, `filter` and the metrics of each item. The clean score
    is undefined when the board's own does not come out of all items as a mean (or as bits per byte). Of a group it is
    the mean over the items of all members together, and so is its error, which lm-eval's is not.
    """
    asked = [item for item in items if item["task"] == row.task and item.get("filter", "none") == "none"]
    every, clean = (
        [item[row.metric] for item in part if item.get(row.metric) is not None]
        for part in (asked, [item for item in asked if item["doc_hash"] not in shared])
    )
    whole, _ = _estimate(every, row.metric)
    value, stderr = _estimate(clean, row.metric)
    if row.value is None or whole is None or not math.isclose(whole, row.value, rel_tol=1e-9, abs_tol=1e-12):
        value = stderr = None
    return CleanScore(
        row.model, row.task, row.role, row.metric, row.n, row.value, row.stderr, len(clean), value, stderr
    )


def _estimate(values: Sequence[Value], metric: str) -> tuple[float | None, float | None]:
    """(mean, its standard error) as lm-eval has them; of bits per byte the ratio of sums and its delta method."""
    n = len(values)
    if not n:
        return None, None
    plain = [value for value in values if isinstance(value, int | float)]
    if len(plain) == n:
        return math.fsum(plain) / n, statistics.stdev(plain) / math.sqrt(n) if n > 1 else None
    if metric != "bits_per_byte":
        return None, None
    pairs = [value for value in values if not isinstance(value, int | float)]
    total = math.fsum(weight for _, weight in pairs)
    ratio = math.fsum(value for value, _ in pairs) / total
    # Cochran, Sampling Techniques, ch. 6: the variance of a ratio of sums.
    squares = math.fsum((value - ratio * weight) ** 2 for value, weight in pairs)
    stderr = math.sqrt(n / (n - 1) * squares) / total / math.log(2) if n > 1 else None
    return -ratio / math.log(2), stderr


def sentences(overlaps: Sequence[Overlap], scores: Sequence[CleanScore]) -> list[tuple[str, str]]:
    """(whom it is about, what there is to say): each expert over all tasks, then each task with shared items."""
    experts = dict.fromkeys(one.expert for one in overlaps)
    found = [(name, _of_expert([one for one in overlaps if one.expert == name])) for name in experts]
    for task, role in shared_items(overlaps):
        here = [one for one in overlaps if (one.task, one.role) == (task, role)]
        found.append((f"{task} ({role})", _of_task(here, [s for s in scores if (s.task, s.role) == (task, role)])))
    return found


def _of_expert(overlaps: Sequence[Overlap]) -> str:
    shared, items = (sum(numbers) for numbers in zip(*((len(o.shared), o.items) for o in overlaps), strict=True))
    tasks = len({one.task for one in overlaps})
    verb = "share" if shared > 1 else "shares"
    return f"{shared or 'none'} of {count(items, 'item')} of {count(tasks, 'task')} {verb} {SHARE} with what it read"


def _of_task(overlaps: Sequence[Overlap], scores: Sequence[CleanScore]) -> str:
    experts = ", ".join(f"{one.expert} {len(one.shared)}, {most(one)}" for one in overlaps if one.shared)
    either = {item.doc_hash for one in overlaps for item in one.shared}
    said = f"{len(either)} of {count(overlaps[0].items, 'item')} shared ({experts})"
    if by_design(overlaps[0].task):
        said += f", {BY_DESIGN}"
    return ". ".join([said, *(_beside(score) for score in scores)])


def _beside(score: CleanScore) -> str:
    if score.value is None:
        return f"{score.model}: no score"
    if score.clean_value is None:
        left = "no item is left" if not score.clean_n else f"{score.metric} is no mean over items"
        return f"{score.model}: {with_error(score.value, score.stderr)}, without them undefined ({left})"
    clean = with_error(score.clean_value, score.clean_stderr)
    return (
        f"{score.model}: {clean} on the {count(score.clean_n, 'other item')} "
        f"({with_error(score.value, score.stderr)} on all {score.n})"
    )
