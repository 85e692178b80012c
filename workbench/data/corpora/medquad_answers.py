"""An answer of MedQuAD: its text without what is none, and what its stock phrases and tables say as structure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.data.corpora.wording import capital

_LINKS = ("These resources address the", "The resources below", "Genetic Testing Registry")
"""How GHR's and GARD's lists of links begin."""

_HPO = re.compile(
    r"The Human Phenotype Ontology provides the following list of signs and symptoms for .*?"
    r"Approximate number of patients \(when available\)(?P<table>.*?)"
    r"The Human Phenotype Ontology \(HPO\) has collected .*?may be rare or common\.",
    re.DOTALL,
)
_HPO_ROW = re.compile(r"\s*(?P<sign>\S.*?) (?P<share>\d+(?:\.\d+)?%|\d+/\d+|-)(?=\s|$)")
_NO_TEXT = re.compile(
    r"\[\d+\]|Last updated: \d+/\d+/\d+\.?|\((?:Watch|Click|To enlarge)[^)]*\)"
    r"|(?:See|Refer to) the (?:following )?PDQ summar[^.]*\.|\(?See the \w+ section[^.]*\.\)?"
)
_OWN_QUESTION = re.compile(r"^(?:What|How|Is|Who|Can|Why|When|Where|Are|Do|Does)\b[^.?!\n]{3,150}\?\s+")
_ATTRIBUTION = re.compile(r"(?<=[.!?])\s+(?:NIH: )?[A-Z][^.!?\n]{3,90}$")
_BULLET = re.compile(r"(?<=[.:;?!)]) - (?=\S)|(?<= are) - (?=\S)|(?<= include) - (?=\S)")
_NEXT_BULLET = re.compile(r" - (?=\S)")
_KEY_POINTS = re.compile(r"^Key Points\s+(?P<points>.*?)(?:\n\n|$)", re.DOTALL)
_INHERITED = re.compile(
    r"inherited in an? ((?:autosomal|X-linked|Y-linked)(?: recessive| dominant)?|mitochondrial) (?:pattern|manner)"
)
_GENE = re.compile(r"\b([A-Z][A-Z0-9]{1,9}) genes?\b")
_CAUSE = re.compile(r"[Mm]utations in the ([A-Z][A-Z0-9]{1,9}) gene (?:can )?cause\b")


@dataclass(frozen=True)
class Answer:
    """The text, and what it says of its page's topic; relations are sentences."""

    text: str
    key_points: tuple[str, ...]
    genes: tuple[str, ...]
    symptoms: tuple[str, ...]
    relations: tuple[str, ...]


def read_answer(answer: str, topic: str) -> Answer | None:
    """An answer about a topic; None for a list of links, and where nothing is left."""
    if answer.startswith(_LINKS):
        return None
    rows = [(row["sign"], row["share"]) for found in _HPO.finditer(answer) for row in _HPO_ROW.finditer(found["table"])]
    text = _HPO.sub(lambda found: _as_sentence(found["table"], topic), answer)
    text = _OWN_QUESTION.sub("", _NO_TEXT.sub("", text).strip())
    points = _KEY_POINTS.match(text)
    text = _KEY_POINTS.sub("", text).strip()
    text = _BULLET.sub("\n- ", _ATTRIBUTION.sub("", text))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    text = "\n".join(_NEXT_BULLET.sub("\n- ", line) if line.startswith("- ") else line for line in lines).strip()
    if not text:
        return None
    symptoms = tuple(sign for sign, _ in rows if "inheritance" not in sign)
    return Answer(
        text,
        tuple(_points(points["points"])) if points else (),
        tuple(dict.fromkeys(_GENE.findall(text))),
        symptoms,
        (*_inheritance(text, topic), *_causes(text, topic), *(_told(sign, share, topic) for sign, share in rows)),
    )


def _points(text: str) -> Iterator[str]:
    for point in re.split(r"(?:^|\s)- ", text):
        if point.strip():
            yield " ".join(point.split())


def _as_sentence(table: str, topic: str) -> str:
    """The Human Phenotype Ontology's table, 'Hypertension 90% Stroke -', as a sentence."""
    rows = list(_HPO_ROW.finditer(table))
    told = [row["sign"] if row["share"] == "-" else f"{row['sign']} ({row['share']})" for row in rows]
    return f"Signs and symptoms of {topic}, with the share of patients where it is known: {', '.join(told)}."


def _told(sign: str, share: str, topic: str) -> str:
    if "inheritance" in sign:
        return f"{capital(topic)} shows {sign[:1].lower()}{sign[1:]}."
    return f"{sign} occurs in {'' if share == '-' else f'{share} of patients with '}{topic}."


def _inheritance(text: str, topic: str) -> Iterator[str]:
    for pattern in dict.fromkeys(_INHERITED.findall(text)):
        article = "an" if pattern[0] in "aX" else "a"
        yield f"{capital(topic)} is inherited in {article} {pattern} pattern."


def _causes(text: str, topic: str) -> Iterator[str]:
    for gene in dict.fromkeys(_CAUSE.findall(text)):
        yield f"Mutations in the {gene} gene cause {topic}."
