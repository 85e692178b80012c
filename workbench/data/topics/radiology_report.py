"""Radiology report: which finding completes a caption or answers a question on the findings?

Captions are ROCO's validation split (Pelka et al. 2018), those under CC BY and CC0: stand-ins for reports. A wrong
finding is one of the same modality and of another part of the body, so that the caption rules it out. The questions on
findings are mini_radiology_qa's validation items.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.pooled import pooled
from workbench.data.topics.read import objects
from workbench.data.topics.words import words

SHOWING = re.compile(
    r"^(.{10,}?\b(?:shows?|showing|showed|demonstrat(?:es?|ing|ed)|reveal(?:s|ing|ed)?|depict(?:s|ing|ed)))\s+(.+?)\.?$"
)
MODALITIES = {
    "CT": r"\bCT\b|\bcomputed tomograph|\bcomputerized tomograph|\btomography\b",
    "MR": r"\bMRI?\b|\bmagnetic resonance|\bT[12]\b",
    "ultrasound": r"\bultraso|\bsonogra|\bechocardiogra",
    "X-ray": r"\bx-?rays?\b|\bradiograph|\borthopantomogra|\bpanoramic",
    "angiography": r"\bangiogra|\bvenogra|\barteriogra",
}
PARTS = {
    "head": r"\bbrain|\bhead\b|\bcrani|\bcereb|\bskull|\bintracranial|\borbit",
    "face": r"\bjaw|\bmandib|\bmaxill|\bteeth|\btooth|\bdental|\bpanoramic|\bsinus",
    "heart": r"\bheart|\bcardiac|\bechocardiogra|\bcoronar|\bventricul|\baort",
    "chest": r"\bchest|\bthora|\blungs?\b|\bpulmon",
    "abdomen": r"\babdom|\bliver|\bhepat|\bkidney|\brenal|\bpancrea|\bgastr|\bbowel|\bspleen|\bbiliary",
    "pelvis": r"\bpelvi|\bbladder|\buter|\bovar|\bprostat|\bvagin",
    "spine": r"\bspin|\bvertebra|\blumbar|\bcervical|\bsacr",
    "limb": r"\bknee|\bhip\b|\bfem|\bshoulder|\bhumer|\bhand|\bwrist|\bfoot|\bankle|\btibia|\belbow|\bleg\b",
    "breast": r"\bbreast|\bmammogra",
}
QUESTION = "Which words complete this radiology caption?"


@dataclass(frozen=True)
class Caption:
    """A caption cut behind its verb; one modality before the cut, and the parts of the body named in all of it."""

    id: str
    start: str
    finding: str
    modality: str
    parts: frozenset[str]


def drafts(material: Material) -> list[Draft]:
    """A question a caption, and one a mini item."""
    rows = material.mini("radiology_qa", "findings", "question", "answer")
    return [*_of_captions(), *pooled(rows, "mini_radiology_qa", "findings", "answer", lambda row: str(row["question"]))]


def _of_captions() -> list[Draft]:
    rows = objects("roco-ccby-captions", "roco_radiology_captions_ccby.jsonl", "id", "split", "caption")
    cut = [_cut(row["id"], " ".join(row["caption"].split())) for row in rows if row["split"] == "validation"]
    captions = [caption for caption in cut if caption is not None]
    return [
        Draft(one.id, "roco-ccby-captions", QUESTION, one.finding, _wrong(one, captions), one.start) for one in captions
    ]


def _cut(id: str, text: str) -> Caption | None:
    """None for captions of several sentences, of no or several modalities, or with no part of the body to rule out."""
    match = SHOWING.match(text)
    if match is None or ". " in text or not 5 <= len(words(match[2])) <= 20:
        return None
    modalities = _named(MODALITIES, match[1])
    if len(modalities) != 1 or not _named(PARTS, match[1]):
        return None
    (modality,) = modalities
    return Caption(id, match[1], match[2], modality, _named(PARTS, text))


def _named(table: dict[str, str], text: str) -> frozenset[str]:
    return frozenset(name for name, pattern in table.items() if re.search(pattern, text, re.I))


def _wrong(one: Caption, captions: list[Caption]) -> tuple[str, ...]:
    return tuple(c.finding for c in captions if c.modality == one.modality and not c.parts & one.parts)
