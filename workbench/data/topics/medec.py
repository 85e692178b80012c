"""MEDEC-MS's validation cases in their correct wording."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.data.topics.clashes import IN_TEST_SETS
from workbench.data.topics.read import table

FILE = "MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv"
COLUMNS = ("Text ID", "Text", "Error Flag", "Error Type", "Error Sentence", "Corrected Sentence", "Corrected Text")


@dataclass(frozen=True)
class Case:
    """A case in its correct wording; `kind` and both wordings of the sentence are empty where there was no error."""

    id: str
    text: str
    kind: str
    wrong: str
    right: str


def cases() -> tuple[Case, ...]:
    """The cases in the order of the file, but those that share 13 words in a row with a test set."""
    rows = table("medec-ms", FILE, *COLUMNS)
    return tuple(_case(row) for row in rows if row["Text ID"] not in IN_TEST_SETS["medec-ms"])


def _case(row: dict[str, str]) -> Case:
    if row["Error Flag"] == "0":
        return Case(row["Text ID"], _line(row["Text"]), "", "", "")
    wrong, right = _line(row["Error Sentence"]), _line(row["Corrected Sentence"])
    return Case(row["Text ID"], _line(row["Corrected Text"]), row["Error Type"], wrong, right)


def _line(text: str) -> str:
    return " ".join(text.split())
