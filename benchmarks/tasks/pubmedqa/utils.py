"""PubMedQA's expert-labelled questions: the official test PMIDs, and a validation sample of the other 500."""

from __future__ import annotations

import json
import random

from datasets import Dataset

from workbench.data.sources import path_of

VALIDATION_N, VALIDATION_SEED = 100, 11


def splits(**_: object) -> dict[str, Dataset]:
    """The 500 official test questions, and 100 of the others drawn with a fixed seed."""
    labelled = json.loads(path_of("pubmedqa", "ori_pqal.json").read_text(encoding="utf-8"))
    test = sorted(json.loads(path_of("pubmedqa", "test_ground_truth.json").read_text(encoding="utf-8")))
    others = sorted(labelled.keys() - set(test))
    chosen = {"validation": random.Random(VALIDATION_SEED).sample(others, VALIDATION_N), "test": test}
    return {split: Dataset.from_list([_row(pmid, labelled[pmid]) for pmid in pmids]) for split, pmids in chosen.items()}


def _row(pmid: str, item: dict[str, object]) -> dict[str, object]:
    return {"pmid": pmid} | {key: item[key] for key in ("QUESTION", "CONTEXTS", "final_decision")}
