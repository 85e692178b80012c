"""How each source becomes training examples: an explicit table of (source, format) -> function.

Only training and validation splits are read here; test splits belong to the benchmarks.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from workbench.data import icd10cm
from workbench.data.corpora import abstracts, annotated, cases, clinical, codes, encyclopedia, guidelines, procedures
from workbench.data.example import Example, Format, held_out
from workbench.data.items import csv_items
from workbench.data.sources import path_of

MAX_DIALOGUE_WORDS = 600


def _code_lines(depth: icd10cm.Depth, seed: int) -> list[Example]:
    """A code as prompt and its description as completion: which code comes next is nothing to learn.

    The code does not come first: small models use the first position as an attention sink and all but forget which
    token stood there, and behind a space its letter is the token that running text has.
    """
    lines = (line.partition(":") for line in icd10cm.code_lines(depth, seed))
    return [Example(f"Code {code}:", description) for code, _, description in lines]


def dialogue_to_note(dialogue: str, note: str, header: str) -> Example:
    """A visit's dialogue as prompt, its note as completion. Long dialogues keep their first words."""
    words = dialogue.split(" ")
    cut = " ".join(words[:MAX_DIALOGUE_WORDS])
    return Example(f"Dialogue:\n{cut.strip()}\n\nClinical note, {header}:\n", note.strip())


def _mts_dialogue_to_note(seed: int) -> list[Example]:
    rows = csv_items(path_of("mts-dialog", "MTS-Dialog-TrainingSet.csv"))
    return [dialogue_to_note(r["dialogue"], r["section_text"], r["section_header"]) for r in rows]


def _aci_dialogue_to_note(seed: int) -> list[Example]:
    rows = csv_items(path_of("aci-bench", "train.csv"))
    return [dialogue_to_note(r["dialogue"], r["note"], "full") for r in rows]


def _aci_notes(seed: int) -> list[Example]:
    return [Example("", r["note"].strip()) for r in csv_items(path_of("aci-bench", "train.csv"))]


FORMATS: dict[tuple[str, str], Format] = {
    ("icd10cm", "heading_lines"): Format(partial(_code_lines, "headings")),
    ("icd10cm", "four_character_lines"): Format(partial(_code_lines, "four_characters")),
    ("icd10cm", "code_lines"): Format(partial(_code_lines, "all")),
    ("mts-dialog", "dialogue_to_note"): Format(_mts_dialogue_to_note, ("MTS-Dialog-TrainingSet.csv",)),
    ("aci-bench", "dialogue_to_note"): Format(_aci_dialogue_to_note, ("train.csv",)),
    ("aci-bench", "notes"): Format(_aci_notes, ("train.csv",)),
    **abstracts.FORMATS,
    **annotated.FORMATS,
    **clinical.FORMATS,
    **cases.FORMATS,
    **codes.FORMATS,
    **encyclopedia.FORMATS,
    **guidelines.FORMATS,
    **procedures.FORMATS,
}


def examples(source: str, format: str, seed: int) -> list[Example]:
    """What may be trained on of a source in a format. The seed orders what has no order of its own."""
    return [one for one in FORMATS[source, format].read(seed) if not held_out(source, one.key)]


def held_out_examples(source: str, format: str) -> list[Example]:
    """What is kept from training of a source in a format, to measure perplexity on."""
    return [one for one in FORMATS[source, format].read(0) if held_out(source, one.key)]


def formats_of(source: str) -> Iterable[str]:
    """Formats that a source can be read in."""
    return [name for owner, name in FORMATS if owner == source]
