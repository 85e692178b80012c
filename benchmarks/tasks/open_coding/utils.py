"""Open stand-in for MeDiSumCode: case reports of CodiEsp (CLEF eHealth 2020), translated, and their diagnosis codes.

All 250 cases of dev are the test items. The shot is the first of the shuffled train cases (CLUE's order), and 100 drawn
from the other 499 are the validation items. Codes are the Spanish ICD-10-CM's; about 1 in 70 is not in the US tables,
so that a perfect answer has a little less than 1 in `valid`. Some texts hold words that look like a code (P53, B12).
"""

from __future__ import annotations

import random
from typing import Any

from datasets import Dataset

from workbench.data.items import json_items, require
from workbench.data.sources import path_of
from workbench.errors import UserError
from workbench.scoring.codes import code_scores, codes_of

SHOTS = 1
VALIDATION_N, VALIDATION_SEED = 100, 11
COLUMNS = ("id", "split", "text", "icd10_dx")


def splits(**_: object) -> dict[str, Dataset]:
    """The dev cases as test, a shot and a sample of the train cases."""
    path = path_of("codiesp-en", "codiesp_en_train_dev.jsonl")
    cases = json_items(path)
    require(path, cases, COLUMNS, COLUMNS)
    rows = {split: [_row(case) for case in cases if case["split"] == split] for split in ("train", "dev")}
    random.Random(1).shuffle(rows["train"])
    shots, others = rows["train"][:SHOTS], rows["train"][SHOTS:]
    if len(others) < VALIDATION_N:
        raise UserError(
            f"{path}: {len(rows['train'])} training cases, too few for the validation items. Fetch it again."
        )
    validation = random.Random(VALIDATION_SEED).sample(others, VALIDATION_N)
    chosen = {"fewshot": shots, "validation": validation, "test": rows["dev"]}
    return {split: Dataset.from_list(found) for split, found in chosen.items()}


def _row(case: dict[str, Any]) -> dict[str, object]:
    """A case with its codes as "E11.9". Raises UserError for one that is no ICD-10 code."""
    for code in case["icd10_dx"]:
        if len(codes_of(code)) != 1:
            raise UserError(f"codiesp-en: case '{case['id']}' has the code '{code}', which does not look like ICD-10.")
    return {"id": case["id"], "text": case["text"].strip(), "codes": [code.upper() for code in case["icd10_dx"]]}


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    return code_scores(doc["codes"], results[0])
