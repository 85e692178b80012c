from __future__ import annotations

from workbench.scoring.codes import code_scores


def process_results(doc: dict[str, list[str]], results: list[str]) -> dict[str, float]:
    return code_scores(doc["codes"], results[0])
