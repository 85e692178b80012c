from __future__ import annotations

from workbench.scoring.metrics import generation_scores


def process_results(doc: dict[str, list[str]], results: list[str]) -> dict[str, float]:
    return generation_scores("; ".join(doc["problems"]), results[0])
