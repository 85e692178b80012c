"""Open stand-in for RRS QA: findings, and which of four assessments belongs to them. No option is written by a model.

From ACI-Bench, every note with a RESULTS section and named problems: findings are its vitals, exam and results, the
answer is its problems. From MTS-Dialog, every dialogue about results or about an assessment, and the section of the
note that was written from it. Test items come from test1 to test3 and MTS-Dialog's test set 1 (87 visits and 19
dialogues: the first three in CLUE's order are the shots, 103 are asked), validation items from the two validation
sets (17 and 4). No training split is read.

The wrong options are answers of other items of the same split and kind: three drawn, with a fixed seed, from the
eight nearest in words among those that have no word in common with the right one, but for words that tell no disease
or place (`COMMON`). An item with fewer than three such answers is left out: 4 dialogues of validation.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from datasets import Dataset

from workbench.data.encounters import HELD_OUT, aci_notes, problems_of
from workbench.data.items import csv_items, require
from workbench.data.sources import path_of

SHOTS, SEED, NEAREST = 3, 11, 8
COLUMNS = ("ID", "section_header", "section_text", "dialogue")
MTS = {"validation": "MTS-Dialog-ValidationSet.csv", "test": "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv"}
KINDS = dict.fromkeys(("IMAGING", "LABS", "EXAM"), "results") | dict.fromkeys(("ASSESSMENT", "DIAGNOSIS"), "assessment")
"""Kind of an item by MTS-Dialog's section header; dialogues under other headers are not asked."""

FINDINGS = ("VITALS", "VITALS REVIEWED", "PHYSICAL EXAM", "PHYSICAL EXAMINATION", "EXAM", "RESULTS")
SAME = {
    "high blood pressure": "hypertension", "elevated blood pressure": "hypertension", "chf": "heart failure",
    "high cholesterol": "hyperlipidemia", "elevated cholesterol": "hyperlipidemia", "acid reflux": "gerd",
    "hypercholesterolemia": "hyperlipidemia", "kidney stone": "nephrolithiasis", "urolithiasis": "nephrolithiasis",
    "osteoarthritis": "arthritis", "migraine": "headache", "lumbar": "back", "disc": "back disc",
    "myocardial infarction": "coronary artery", "chest pain": "coronary artery", "covid-19": "infection",
    "cough": "infection",
}  # fmt: skip
"""Names of one thing, or of what one may be taken for: without them two options could both be right."""

_COMMON = """
a able about acute after and any are at be bilateral both but by chronic concern consistent diagnosed due for from
had has have he her his history in into is it its left likely mild moderate most new newly no normal not of on or
other pain patient possible possibly post probable probably question re right severe she shows some status that the
there this to today two type was were which will with without you your
"""
COMMON = frozenset(_COMMON.split())


class Asked(NamedTuple):  # no dataclass: lm-eval loads this file without entering it in sys.modules, which they need
    """Findings and their answer; wrong options come from the same kind."""

    id: str
    kind: str
    findings: str
    answer: str

    @property
    def words(self) -> frozenset[str]:
        """What the answer is about."""
        text = self.answer.lower()
        for name, other in SAME.items():
            text = text.replace(name, other)
        return frozenset(word.removesuffix("s") for word in re.findall(r"[a-z]{2,}", text) if word not in COMMON)


def splits(**_: object) -> dict[str, Dataset]:
    """CLUE's rule: the first three of the shuffled test items are the shots of both forms."""
    test = items("test")
    random.Random(1).shuffle(test)
    chosen = {"fewshot": test[:SHOTS], "test": test[SHOTS:], "validation": items("validation")}
    return {split: Dataset.from_list(rows) for split, rows in chosen.items()}


def items(role: str) -> list[dict[str, object]]:
    asked = [*_from_notes(role), *_from_dialogues(role)]
    return [row for one in asked if (row := _row(one, asked)) is not None]


def _from_notes(role: str) -> list[Asked]:
    found = []
    for note in (note for split in HELD_OUT[role] for note in aci_notes(split)):
        parts = [f"{s.heading}: {s.text}" for s in note.sections if s.heading in FINDINGS]
        if note.section("RESULTS") and (problems := problems_of(note)):
            found.append(Asked(note.id, "visit", "\n".join(parts).replace("\n\n", "\n"), "; ".join(problems)))
    return found


def _from_dialogues(role: str) -> list[Asked]:
    path = path_of("mts-dialog", MTS[role])
    rows = csv_items(path)
    require(path, rows, COLUMNS, COLUMNS)
    return [
        Asked(f"mts-{r['ID']}", KINDS[r["section_header"]], r["dialogue"].strip(), " ".join(r["section_text"].split()))
        for r in rows
        if r["section_header"] in KINDS
    ]


def _row(one: Asked, asked: list[Asked]) -> dict[str, object] | None:
    fitting = {other.answer: other for other in asked if other.kind == one.kind and not other.words & one.words}
    length = len(one.answer.split())
    near = sorted(fitting, key=lambda answer: (abs(len(answer.split()) - length), answer))[:NEAREST]
    if len(near) < 3:
        return None
    draw = random.Random(f"{SEED} {one.id}")
    options = [one.answer, *draw.sample(near, 3)]
    draw.shuffle(options)
    return {"id": one.id, "findings": one.findings, "options": options, "answer": options.index(one.answer)}
