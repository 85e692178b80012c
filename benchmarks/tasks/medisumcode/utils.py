"""The letters and codes that CLUE's builder draws from MIMIC-IV; its one shot is the first item after the shuffle."""

from __future__ import annotations

from pathlib import Path

from datasets import Dataset

from workbench.data.items import Item, json_items, require, split, wrong
from workbench.data.sources import path_of
from workbench.scoring.codes import code_scores, codes_of

SHOTS = 1


def splits(at_least: int = 0, **_: object) -> dict[str, Dataset]:
    """Shot and test items. Raises UserError for an item without a text, without a code, or with what is no code."""
    path = path_of("medisumcode", "MeDiSumCode.json")
    items = json_items(path)
    require(path, items, ("hadm_id", "text", "icd_codes"), filled=["text"])
    rows = [_row(path, at, item) for at, item in enumerate(items, 1)]
    return {name: Dataset.from_list(part) for name, part in split(path, rows, SHOTS, at_least).items()}


def _row(path: Path, at: int, item: Item) -> Item:
    try:
        codes = [diagnosis["code"] for diagnosis in item["icd_codes"]]
    except (TypeError, KeyError) as error:
        raise wrong(
            path, at, "'icd_codes' is no list of objects with a 'code'. Build the file with CLUE's script."
        ) from error
    if not codes:
        raise wrong(path, at, "'icd_codes' is empty, so that nothing can be scored. Take the item out.")
    for code in codes:
        if len(codes_of(str(code))) != 1:
            raise wrong(path, at, f"'{code}' is no ICD-10-CM code. Build the file with CLUE's script.")
    return {"id": f"{item['hadm_id']}-{at}", "text": item["text"], "codes": codes}


def process_results(doc: dict[str, list[str]], results: list[str]) -> dict[str, float]:
    return code_scores(doc["codes"], results[0])
