from __future__ import annotations

from workbench.scoring.metrics import generation_scores


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    return generation_scores(doc["answer"], results[0])
