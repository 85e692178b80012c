"""Small files in the forms of the credentialed tasks; every person and finding in them is made up."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

N = 6
Rows = list[dict[str, Any]]

LABELS = ("entailment", "neutral", "contradiction")
MEDNLI: Rows = [
    {
        "pairID": f"pair-{i}",
        "sentence1": f"He has had gout {i} times.",
        "sentence2": f"Joint pain is not new to him, number {i}.",
        "gold_label": LABELS[i % 3],
    }
    for i in range(N)
]
PLS: Rows = [
    {
        "File ID": f"{i}.txt",
        "Subjectives": f"Coughs since day {i}.\nNo fever.",
        "Assessment": "" if i == 2 else f'A {50 + i}-year-old man, "breathless".',
        "Objectives": "Crackles.",
        "Summary": f"Pneumonia; heart failure, stage {i};",
    }
    for i in range(N)
]
MEDISUMQA: Rows = [
    {
        "note_id": f"note-{i // 2}",
        "discharge_summary": f"Letter {i}: the fever went with antibiotics.",
        "Question": f"What helped against the fever, part {i}?",
        "Answer": f"Antibiotics number {i}.",
    }
    for i in range(N)
]
MEDISUMCODE: Rows = [
    {
        "hadm_id": f"{100 + i}",
        "text": f"Type 2 diabetes, visit {i}.",
        "icd_codes": [{"code": "E119", "description": "Type 2 diabetes"}, {"code": f"I1{i}", "description": "?"}],
    }
    for i in range(N)
]
RRS_QA: Rows = [
    {
        "study_id": 7,
        "findings": f"Line {i} ends in the vena cava. No effusion.",
        "question": "Is there an effusion?",
        "answer": "No.",
    }
    for i in range(N)
]
SHAC_TEXT = "Retired welder {0}, lives with wife. Tobacco: quit"
SHAC_ANN = """\
T1\tEmployment 8 14\twelder
T2\tStatusEmploy 0 7\tRetired
T3\tType 8 14\twelder
E1\tEmployment:T1 Status:T2 Type:T3
A1\tStatusEmployVal T2 retired
T4\tLivingStatus 18 23\tlives
T5\tTypeLiving 24 33\twith wife
T6\tStatusTime 18 23\tlives
E2\tLivingStatus:T4 Type:T5 Status:T6
A2\tTypeLivingVal T5 with_family
A3\tStatusTimeVal T6 current
T7\tTobacco 35 42\tTobacco
T8\tStatusTime 44 48\tquit
E3\tTobacco:T7 Status:T8
A4\tStatusTimeVal T8 past
"""
SHAC_GOLD = [
    {"entity": "Retired", "label": "Employment.StatusEmploy", "value": "retired"},
    {"entity": "welder", "label": "Employment.Type", "value": "welder"},
    {"entity": "with wife", "label": "LivingStatus.TypeLiving", "value": "with family"},
    {"entity": "lives", "label": "LivingStatus.StatusTime", "value": "current"},
    {"entity": "quit", "label": "Tobacco.StatusTime", "value": "past"},
]
SHAC: Rows = [{"name": f"test/mimic/{i:04}", "text": SHAC_TEXT.format(i), "ann": SHAC_ANN} for i in range(N)]


def as_json(rows: Rows) -> bytes:
    return json.dumps(rows).encode()


def as_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_csv(rows: Rows) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def as_zip(rows: Rows) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as file:
        for row in reversed(rows):
            file.writestr(f"{row['name']}.txt", row["text"])
            file.writestr(f"{row['name']}.ann", row["ann"])
    return raw.getvalue()


FILES: dict[str, tuple[str, str, Rows, Callable[[Rows], bytes]]] = {
    "mednli": ("mednli", "mli_test_v1.jsonl", MEDNLI, as_lines),
    "pls": ("pls", "BioNLP2023-1A-Test.csv", PLS, as_csv),
    "medisumqa": ("medisumqa", "MeDiSumQA.json", MEDISUMQA, as_json),
    "medisumcode": ("medisumcode", "MeDiSumCode.json", MEDISUMCODE, as_lines),
    "rrs_qa": ("rrs-qa", "rrs_qa.jsonl", RRS_QA, as_lines),
    "sdoh": ("shac", "shac_test.zip", SHAC, as_zip),
}
"""By task: its source, the source's file, six items of its form, and how they are written."""

IDS = {
    "mednli": [f"pair-{i}" for i in range(N)],
    "pls": [f"{i}.txt" for i in range(N)],
    "medisumqa": [f"note-{i // 2}-{i + 1}" for i in range(N)],
    "medisumcode": [f"{100 + i}-{i + 1}" for i in range(N)],
    "rrs_qa": [f"7-{i + 1}" for i in range(N)],
    "sdoh": [f"test/mimic/{i:04}" for i in range(N)],
}
SHOTS = {"mednli": 3, "pls": 3, "medisumqa": 1, "medisumcode": 1, "rrs_qa": 3, "sdoh": 4}
PUBLISHED = {"mednli": 1422, "pls": 237, "medisumqa": 416, "medisumcode": 450, "rrs_qa": 4, "sdoh": 373}
