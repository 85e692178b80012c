"""The twelve topics: an explicit table of how the questions of each are made and what they are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workbench.data.topics import (
    clinical_case,
    clinical_knowledge,
    clinical_nli,
    consultation_qa,
    discharge_codes,
    discharge_qa,
    ehr_documents_qa,
    icd10cm_definitions,
    inquiry_summary,
    medication,
    problem_list,
    radiology_report,
)
from workbench.data.topics.assemble import assemble
from workbench.data.topics.item import Draft, Item
from workbench.data.topics.material import Material


@dataclass(frozen=True)
class Topic:
    """How a topic's questions are made. `sources` are those of the catalogue that have to be fetched."""

    name: str
    drafts: Callable[[Material], list[Draft]]
    sources: tuple[str, ...] = ()
    options: int = 4


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic("clinical_case", clinical_case.drafts, ("medec-ms",)),
        Topic("clinical_knowledge", clinical_knowledge.drafts),
        Topic("medication", medication.drafts, ("bc5cdr",)),
        Topic("icd10cm_definitions", icd10cm_definitions.drafts),
        Topic("radiology_report", radiology_report.drafts, ("roco-ccby-captions",)),
        Topic("clinical_nli", clinical_nli.drafts, ("sdoh-nli", "evidence-inference"), options=3),
        Topic("discharge_qa", discharge_qa.drafts, ("aci-bench",)),
        Topic("discharge_codes", discharge_codes.drafts),
        Topic("problem_list", problem_list.drafts, ("aci-bench", "codiesp-en")),
        Topic("inquiry_summary", inquiry_summary.drafts, ("rqe-amia2016",)),
        Topic("consultation_qa", consultation_qa.drafts, ("mts-dialog",)),
        Topic("ehr_documents_qa", ehr_documents_qa.drafts, ("aci-bench",)),
    )
}


def items(topic: str, material: Material) -> list[Item]:
    """The questions of a topic, always the same.

    Raises DataMissing where the topic's source is not on this machine.
    """
    declared = TOPICS[topic]
    return assemble(declared.drafts(material), f"topic-{topic}", declared.options)
