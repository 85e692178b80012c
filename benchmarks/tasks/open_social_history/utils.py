"""Open stand-in for SDoH: SDOH-NLI (Lelkes et al. 2023), made as many false as true.

4 in 100 pairs of the set are true. Every true pair is kept (182 in test, 172 in validation), and for each a false
pair about the same hypothesis is drawn with a fixed seed, so that 364 and 344 items are asked. The files hold one
hypothesis twice for every premise, in the test file 14 times with both labels: there the true one counts, and no such
pair is drawn as a false one.

Premises are lines of MTSamples, and so are the notes of MTS-Dialog, a training corpus here: 30 of the test items and
22 of the validation items share 13 words in a row with its training notes, which never say which statements are true.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable

from datasets import Dataset

from workbench.data.items import csv_items, require, wrong
from workbench.data.sources import path_of
from workbench.errors import UserError

LABELS = ("False", "True")
"""In the order of the task's choices."""
SHOTS, SEED = 4, 11
COLUMNS = ("premise", "hypothesis", "label")

Pair = tuple[str, str]
"""Premise and hypothesis."""


def splits(**_: object) -> dict[str, Dataset]:
    """Both balanced splits; the shots are two true and two false pairs of the training file, in turn."""
    chosen = {split: balanced(split) for split in ("train", "validation", "test")}
    chosen["fewshot"] = chosen.pop("train")[:SHOTS]
    return {split: Dataset.from_list(rows) for split, rows in chosen.items()}


def balanced(split: str) -> list[dict[str, object]]:
    """Every true pair of a file in shuffled order, each followed by a false one about the same hypothesis."""
    pairs = labelled(split)
    order = sorted(pairs)
    random.Random(SEED).shuffle(order)
    false: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in order:
        if not pairs[pair]:
            false[pair[1]].append(pair)
    true = [pair for pair in order if pairs[pair]]
    for hypothesis, n in Counter(hypothesis for _, hypothesis in true).items():
        if n > len(false[hypothesis]):
            raise UserError(
                f"sdoh-nli: in {split}, '{hypothesis}' is true {n} times, false {len(false[hypothesis])} times."
            )
    both = [(one, answer) for pair in true for one, answer in ((pair, 1), (false[pair[1]].pop(), 0))]
    return [
        {"id": f"{split}-{number}", "premise": premise, "hypothesis": hypothesis, "answer": answer}
        for number, ((premise, hypothesis), answer) in enumerate(both)
    ]


def labelled(split: str) -> dict[Pair, bool]:
    """The distinct pairs of a file, premises on one line, and whether any of its rows says that they are true."""
    path, found = path_of("sdoh-nli", f"sdoh_nli_{split}.csv"), dict[Pair, bool]()
    rows = csv_items(path)
    require(path, rows, COLUMNS, COLUMNS)
    for number, row in enumerate(rows, 1):
        if row["label"] not in LABELS:
            raise wrong(path, number, f"has the label '{row['label']}'. Known: {', '.join(LABELS)}.")
        pair = " ".join(row["premise"].split()), row["hypothesis"].strip()
        found[pair] = found.get(pair, False) or row["label"] == "True"
    return found


def true_f1(pairs: Iterable[tuple[int, int]]) -> float:
    """F1 of the answer True over (gold, predicted) pairs; 0 when no true pair is found."""
    counted = list(pairs)
    found = sum(gold == predicted == 1 for gold, predicted in counted)
    return 2 * found / sum(gold + predicted for gold, predicted in counted) if found else 0.0
