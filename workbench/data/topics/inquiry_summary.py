"""Summarization of a patient's inquiry: which short question asks the same?

Inquiries are those of RQE's training pairs (Ben Abacha & Demner-Fushman 2016; asked by doctors, in their own words)
and mini_question_summary's validation items. Only summaries that are no copy are asked for.
"""

from __future__ import annotations

from xml.etree import ElementTree

from workbench.data.sources import path_of
from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.pooled import pooled
from workbench.data.topics.words import word_set, words

QUESTION = "Which short question asks for the same?"
MIN_WORDS, SHORTER = 15, 0.7
COPIED = 0.5
"""At most this share of a summary's words may stand in the inquiry: above it, looking for shared words finds it."""


def drafts(material: Material) -> list[Draft]:
    """A question an inquiry and its summary. Wrong options are summaries of other inquiries."""
    rows = material.mini("question_summary", "question", "summary")
    return [*_of_rqe(), *pooled(rows, "mini_question_summary", "question", "summary", lambda row: QUESTION)]


def _of_rqe() -> list[Draft]:
    pairs = ElementTree.parse(path_of("rqe-amia2016", "RQE_Train_8588_AMIA2016.xml")).getroot().iter("pair")
    same = [(pair.attrib["pid"], _text(pair, "chq"), _text(pair, "faq")) for pair in pairs if _entailed(pair)]
    usable = [(id, long, short) for id, long, short in same if _summary(long, short)]
    shorts = tuple(short for _id, _long, short in usable)
    return [
        Draft(id, "rqe-amia2016", QUESTION, short, tuple(one for one in shorts if one != short), long)
        for id, long, short in usable
    ]


def _entailed(pair: ElementTree.Element) -> bool:
    return pair.attrib["value"] == "true"


def _text(pair: ElementTree.Element, tag: str) -> str:
    return " ".join((pair.findtext(tag) or "").split())


def _summary(long: str, short: str) -> bool:
    if len(words(long)) < MIN_WORDS or not 4 <= len(words(short)) <= SHORTER * len(words(long)):
        return False
    return short.endswith("?") and len(word_set(short) & word_set(long)) <= COPIED * len(word_set(short))
