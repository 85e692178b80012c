"""CodiEsp's training cases, and as documents with the codes of their diagnoses; no code of a held-out category.

Raises DataMissing for a file that is not at hand, UserError for one that is not as these readers expect it.
"""

from __future__ import annotations

import random

from workbench.data.corpora.codes import CODINGS, one_line, running, titles
from workbench.data.corpora.wording import question
from workbench.data.example import Example, Format, TaskText
from workbench.data.items import Item, json_items, require
from workbench.data.sources import path_of

CASES, CASE_COLUMNS = "codiesp_en_train_dev.jsonl", ("id", "split", "text", "icd10_dx", "icd10_px")


def training_cases() -> list[Item]:
    """CodiEsp's training cases, without the lines that only number a figure. Those of dev are a test set."""
    path = path_of("codiesp-en", CASES)
    rows = json_items(path)
    require(path, rows, CASE_COLUMNS, filled=("id", "split", "text"))
    return [{**row, "text": case_text(row["text"])} for row in rows if row["split"] == "train"]


def case_text(text: str) -> str:
    """A case, a sentence a line as in the corpus, without lines that hold no word ("1.", a figure's number)."""
    lines = (one_line(line) for line in text.split("\n"))
    return "\n".join(line for line in lines if any(character.isalpha() for character in line))


def diagnoses(case: Item) -> list[tuple[str, str]]:
    """(code, title) of a case's diagnoses in its order; none of a held-out category, none that the tables lack."""
    known = dict.fromkeys(str(code).upper() for code in case["icd10_dx"])
    return [(code, titles()[code]) for code in known if code in titles()]


def _coded_cases(seed: int) -> list[Example]:
    """Case reports with the codes of their diagnoses and procedures; the seed draws the wordings of the questions."""
    return [_coded_case(case, random.Random(f"{seed} {case['id']}")) for case in training_cases() if diagnoses(case)]


def _coded_case(case: Item, rng: random.Random) -> Example:
    found = diagnoses(case)
    lines = [f"Code {code}: {name}." for code, name in found]
    text = "\n".join(("Case report", case["text"], "", "Diagnoses in ICD-10-CM", *lines))
    named = "; ".join(f"{running(name)} ({code})" for code, name in found)
    if procedures := ", ".join(dict.fromkeys(code.upper() for code in case["icd10_px"])):
        text += f"\nProcedures in ICD-10-PCS: {procedures}."
    tasks = [
        TaskText("summary", "", f"A case report that is coded in ICD-10-CM with {named}."),
        *(question(rng.choice(CODINGS).format(name=running(name)), code) for code, name in found),
        TaskText("entities", "", f"Diagnoses: {named}."),
        *(TaskText("relations", "", f"The diagnosis of {running(name)} has the code {code}.") for code, name in found),
    ]
    return Example("", text, tuple(tasks), case["id"])


FORMATS: dict[tuple[str, str], Format] = {("codiesp-en", "coded_cases"): Format(_coded_cases, (CASES,))}
