"""What the topics take of ACI-Bench (Yim et al. 2023): the notes of two splits, and their plans by problem.

The train split is a training corpus, too (`workbench.data.formats`): an expert on notes has read these notes, not the
questions. The test splits are test sets and not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from workbench.data.encounters import Note, aci_notes
from workbench.data.topics.clashes import IN_TEST_SETS

SPLITS = ("train", "valid")
HISTORY = ("HISTORY OF PRESENT ILLNESS", "HPI", "SUBJECTIVE")
PLAN = "ASSESSMENT AND PLAN"
_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_PROBLEM = re.compile(r"^(?:\d+\.\s*)?([A-Z][^:•]{2,60}?)\.?$")
_LABELLED = re.compile(r"^\s*[•-]\s*([A-Z][A-Za-z ]+):\s*(\S.*)$")


@dataclass(frozen=True)
class Statement:
    """A line of a plan: the problem it stands under, its label ("Medical Treatment") and what it says."""

    problem: str
    label: str
    text: str


def notes() -> tuple[Note, ...]:
    """The notes in the order of the files, but those that share more than boilerplate with a test set."""
    return tuple(note for split in SPLITS for note in aci_notes(split) if note.id not in IN_TEST_SETS["aci-bench"])


def history(note: Note) -> str:
    """The history of a note on one line, "" where it has none.

    Its first sentence is left out: a formula that stands in the test splits as well ("... is a 40-year-old male with a
    past medical history significant for ..., who presents for ..."), and that often tells the problems.
    """
    return " ".join(_SENTENCE.split(" ".join(note.section(*HISTORY).split()))[1:])


def plan(note: Note) -> str:
    """What `statements` gives of a note, as a letter would have it."""
    heads = groupby(statements(note), key=lambda one: one.problem)
    return "\n".join(f"{problem}.\n" + "\n".join(f"- {s.label}: {s.text}" for s in under) for problem, under in heads)


def statements(note: Note) -> Iterator[Statement]:
    """The labelled lines of a note's assessment and plan; none where that is prose."""
    problem = ""
    for line in note.section(PLAN).splitlines():
        if labelled := _LABELLED.match(line):
            if problem:
                yield Statement(problem, labelled[1], labelled[2].strip())
        elif heading := _PROBLEM.match(line.strip()):
            problem = heading[1]
