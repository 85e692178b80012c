"""Problem list from clinical notes: which problem belongs on a patient's list?

Notes are mini_problem_list's validation items, the histories of ACI-Bench with the problems of its assessments, and the
shorter training cases of CodiEsp (machine translated) with the descriptions of their diagnosis codes. Problems whose
every word stands in the note are not asked for. Wrong options are problems of other patients of the same set that share
no stem with any of this one's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.data import icd10cm
from workbench.data.encounters import problems_of
from workbench.data.topics.aci import history, notes
from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.read import objects
from workbench.data.topics.tables import diseases, plain
from workbench.data.topics.words import stems, word_set, words

QUESTION = "Which problem belongs on this patient's problem list?"
MAX_WORDS = 250


@dataclass(frozen=True)
class Patient:
    """A note without its list, and the list."""

    id: str
    source: str
    note: str
    problems: tuple[str, ...]


def drafts(material: Material) -> list[Draft]:
    """A question a problem; each set is its own pool, for they word their problems differently."""
    rows = material.mini("problem_list", "note", "problems")
    mini = [Patient(row["id"], "mini_problem_list", row["note"], tuple(row["problems"])) for row in rows]
    aci = [Patient(note.id, "aci-bench", history(note), problems_of(note)) for note in notes() if history(note)]
    sets = (mini, aci, list(_cases()))
    return [draft for group in sets for patient in group for draft in _of_patient(patient, group)]


def _cases() -> Iterator[Patient]:
    """CodiEsp's training cases of at most MAX_WORDS words; problems are diseases that ICD-10-CM names outright."""
    known = {code: icd10cm.description(code) for code in diseases() if plain(icd10cm.description(code))}
    for row in objects("codiesp-en", "codiesp_en_train_dev.jsonl", "id", "split", "text"):
        if row["split"] == "train" and len(words(row["text"])) <= MAX_WORDS:
            problems = (known[code] for one in row["icd10_dx"] if (code := one.upper()) in known)
            yield Patient(row["id"], "codiesp-en", " ".join(row["text"].split()), tuple(dict.fromkeys(problems)))


def _of_patient(patient: Patient, group: list[Patient]) -> Iterator[Draft]:
    own = frozenset().union(*(stems(problem) for problem in patient.problems))
    foreign = [problem for other in group if other.id != patient.id for problem in other.problems]
    wrong = tuple(problem for problem in foreign if not stems(problem) & own)
    for number, problem in enumerate(patient.problems, start=1):
        if not word_set(problem) <= word_set(patient.note):
            yield Draft(f"{patient.id}:{number}", patient.source, QUESTION, problem, wrong, patient.note)
