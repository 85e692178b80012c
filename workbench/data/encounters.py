"""Simulated visits to a doctor: ACI-Bench's dialogues and its notes in sections, and primock57's transcripts.

ACI-Bench's train split is a training corpus here (`workbench.data.formats`), so benchmarks take their items from the
others. Raises DataMissing for a file that is not at hand, UserError for one that is not as these readers expect it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from workbench.data.items import csv_items, require
from workbench.data.sources import path_of
from workbench.errors import DataMissing, UserError

ACI = {
    "train": "train.csv",
    "valid": "valid.csv",
    "test1": "clinicalnlp_taskB_test1.csv",
    "test2": "clinicalnlp_taskC_test2.csv",
    "test3": "clef_taskC_test3.csv",
}
"""ACI-Bench's files by split."""

COLUMNS = ("encounter_id", "dialogue", "note")
HELD_OUT = {"validation": ("valid",), "test": ("test1", "test2", "test3")}
"""ACI-Bench's splits that a benchmark's split takes its notes from."""

HEADINGS = frozenset({
    "CHIEF COMPLAINT", "CC", "HISTORY OF PRESENT ILLNESS", "HPI", "SUBJECTIVE", "SOCIAL HISTORY", "FAMILY HISTORY",
    "MEDICAL HISTORY", "PAST HISTORY", "PAST MEDICAL HISTORY", "SURGICAL HISTORY", "PAST SURGICAL HISTORY",
    "BIRTH HISTORY", "MEDICATIONS", "CURRENT MEDICATIONS", "ALLERGIES", "REVIEW OF SYSTEMS", "REVIEW OF SYMPTOMS",
    "VITALS", "VITALS REVIEWED", "EXAM", "PHYSICAL EXAM", "PHYSICAL EXAMINATION", "PROCEDURE", "RESULTS",
    "ASSESSMENT AND PLAN", "ASSESSMENT", "IMPRESSION", "PLAN", "ORDERS", "INSTRUCTIONS",
})  # fmt: skip
"""All headings of ACI-Bench's notes. Other lines in capitals are content: GERD, BP: 130/68."""

LISTED_WORDS = 15
"""Most words of an unmarked line that is read as a problem; the longer lines of the assessments are prose."""

BULLET = re.compile(r"[•-]\s*")
MARK = re.compile(r"^(?:[•-]\s*|\d+[.)]\s+)")
INTERVAL = re.compile(r'xmin = ([\d.]+)\s+xmax = [\d.]+\s+text = "((?:[^"]|"")*)"')
TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Section:
    """A section of a note; the heading without its colon."""

    heading: str
    text: str


@dataclass(frozen=True)
class Note:
    """One visit of ACI-Bench: its dialogue, a turn a line, and its note."""

    id: str
    split: str
    dialogue: str
    sections: tuple[Section, ...]

    def section(self, *headings: str) -> str:
        """Text of the first section under one of these headings; empty when the note has none."""
        return next((section.text for section in self.sections if section.heading in headings), "")

    def without(self, headings: Collection[str]) -> str:
        """The note's other sections as text, in order."""
        return "\n\n".join(f"{s.heading}\n\n{s.text}" for s in self.sections if s.heading not in headings)


def aci_notes(split: str) -> tuple[Note, ...]:
    """The visits of a split of ACI-Bench, in the file's order."""
    path = path_of("aci-bench", ACI[split])
    rows = csv_items(path)
    require(path, rows, COLUMNS, COLUMNS)
    return tuple(Note(r["encounter_id"], split, r["dialogue"].strip(), sections_of(r, path)) for r in rows)


def sections_of(row: dict[str, str], path: Path) -> tuple[Section, ...]:
    """The sections of a row's note. Raises UserError for text before the first heading and for an empty section."""
    found: list[tuple[str, list[str]]] = []
    for line in row["note"].strip().splitlines():
        if (heading := line.strip().removesuffix(":")) in HEADINGS:
            found.append((heading, []))
        elif found:
            found[-1][1].append(line.rstrip())
        else:
            raise UserError(f"{path}: note {row['encounter_id']} does not begin with a known heading. Fetch it again.")
    sections = tuple(Section(heading, "\n".join(lines).strip()) for heading, lines in found)
    if empty := next((section.heading for section in sections if not section.text), None):
        raise UserError(f"{path}: note {row['encounter_id']} has an empty section '{empty}'. Fetch it again.")
    return sections


def problems_of(note: Note) -> tuple[str, ...]:
    """The problems that a note's assessment names, in order; none where it is prose.

    Under ASSESSMENT AND PLAN they are the headings: first lines of a paragraph with bullets below. Under ASSESSMENT or
    IMPRESSION they are the list that comes first, marked or not; if there is none, the headings under PLAN.
    """
    both = note.section("ASSESSMENT AND PLAN")
    if both:
        found = _headed(both)
    else:
        found = _listed(note.section("ASSESSMENT", "IMPRESSION")) or _headed(note.section("PLAN"))
    return tuple(MARK.sub("", line).rstrip(" .:") for line in found)


def _paragraphs(text: str) -> list[list[str]]:
    return [[line.strip() for line in part.splitlines()] for part in re.split(r"\n\s*\n", text)]


def _headed(text: str) -> list[str]:
    parts = [lines for lines in _paragraphs(text) if len(lines) > 1]
    return [first for first, second, *_ in parts if BULLET.match(second) and not BULLET.match(first)]


def _listed(text: str) -> list[str]:
    lines = _paragraphs(text)[0]
    if marked := [line for line in lines if MARK.match(line)]:
        return marked
    return lines if all(0 < len(line.split()) <= LISTED_WORDS for line in lines) else []


def primock_dialogue(transcripts: Path, day: int, consultation: int) -> str:
    """A consultation's two channels as one dialogue, a turn a line, in the order in which the turns begin.

    Marks of the transcriber (<UNSURE>, <UNIN/>) are left out, and so are turns that hold nothing else.
    """
    turns: list[tuple[float, str]] = []
    for speaker in ("doctor", "patient"):
        path = transcripts / f"day{day}_consultation{consultation:02}_{speaker}.TextGrid"
        if not path.is_file():
            raise DataMissing(f"{path} is missing. Delete its folder, then run: workbench fetch primock57")
        text = path.read_text(encoding="utf-8")
        found, declared = INTERVAL.findall(text), re.search(r"intervals: size = (\d+)", text)
        if declared is None or len(found) != int(declared[1]):
            raise UserError(f"{path}: {len(found)} intervals can be read, not as many as it declares. Fetch it again.")
        said = [(float(start), " ".join(TAG.sub(" ", words.replace('""', '"')).split())) for start, words in found]
        turns += [(start, f"[{speaker}] {words}") for start, words in said if words]
    return "\n".join(turn for _, turn in sorted(turns, key=lambda turn: turn[0]))
