"""Guidelines, reports and conditions with their task data, from tiny files in the layout of the real ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.data.catalogue import SOURCES
from workbench.data.corpora import mmwr, ngc, nstg
from workbench.data.corpora.guidelines import FORMATS
from workbench.data.corpora.reference_sources import SOURCES_REFERENCE
from workbench.data.example import Example
from workbench.data.source import RemoteFile, Source
from workbench.errors import UserError

Put = Callable[..., None]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Puts a source's files into a mirror and declares it with their checksums."""
    monkeypatch.setenv("WORKBENCH_MIRROR", str(tmp_path))

    def into(source: str, files: dict[str, list[dict[str, Any]]]) -> None:
        declared = []
        for name, rows in files.items():
            path = tmp_path / source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            declared.append(RemoteFile(name, sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
        monkeypatch.setitem(SOURCES, source, Source(source, "CC0", source, tuple(declared), obtain="Ask."))

    return into


def texts(example: Example, kind: str) -> list[str]:
    return [task.text for task in example.tasks if task.kind == kind]


CONDITION = {
    "condition_name": "Zoo Fever",
    "condition_slug": "zoo-fever",
    "introduction": "A fever of keepers.",
    "clinical_features": [{"type": "Early", "features": ["Fever", "Rash;", "Fever"]}],
    "investigations": ["Blood count"],
    "other_investigations": ["Chest X-ray, and a scan of the head where the keeper is confused"],
    "treatment": {"goals": [], "non_drug": [], "drug": ["Water 2 L daily"], "adverse_reactions_and_cautions": []},
    "definitive_treatment": None,
    "differential_diagnoses": [],
    "complications": ["Boredom"],
    "prevention": [],
}
PAGE = """ZOO FEVER
Introduction
A fever of those who keep many animals in one place and who feed them
every day.

CLINICAL FEATURES OF ZOO FEVER
Clinical Features
• Fever
・ Rash that begins on the hands and goes on from there to the feet and
the face

INVESTIGATIONS OF ZOO FEVER
Blood count
Chest X-ray
"""


def test_a_condition_is_its_page_and_its_structure_the_task_data(put: Put) -> None:
    put("nstg2022", {nstg.TEXT: [{"condition": "ZOO FEVER", "text": PAGE}], nstg.STRUCTURE: [CONDITION]})
    [found] = nstg.conditions()
    assert found.key == "zoo-fever"
    assert found.text == (
        "Zoo Fever\n\nIntroduction\nA fever of those who keep many animals in one place and who feed them every day.\n\n"
        "Clinical features\n- Fever\n- Rash that begins on the hands and goes on from there to the feet and the face\n\n"
        "Investigations\nBlood count\nChest X-ray"
    )
    assert texts(found, "summary") == ["Zoo Fever: A fever of keepers."]
    assert texts(found, "qa") == [
        "Question: What are the clinical features of Zoo Fever?\nAnswer: Fever; Rash.",
        "Question: Which investigations are done for Zoo Fever?\nAnswer: Blood count; Chest X-ray, and a scan of the "
        "head where the keeper is confused.",
        "Question: What are the complications of Zoo Fever?\nAnswer: Boredom.",
        "Question: How is Zoo Fever treated?\nAnswer: Water 2 L daily.",
    ]
    assert texts(found, "entities") == [
        "Condition: Zoo Fever. Clinical features: Fever, Rash. Investigations: Blood count. Complications: Boredom."
    ]
    assert texts(found, "relations") == [
        "Fever is a clinical feature of Zoo Fever.\nRash is a clinical feature of Zoo Fever.\n"
        "Blood count is an investigation for Zoo Fever.\nBoredom is a complication of Zoo Fever."
    ]


def test_texts_without_their_structure_are_refused(put: Put) -> None:
    put("nstg2022", {nstg.TEXT: [{"condition": "ZOO FEVER", "text": PAGE}] * 2, nstg.STRUCTURE: [CONDITION]})
    with pytest.raises(UserError, match=r"nstg2022_text\.jsonl, item 2: is one of 2 texts, but nstg2022_structured\.j"):
        nstg.conditions()


GUIDELINE = {
    **dict.fromkeys(ngc.SECTIONS, ""),
    "id": "ngc-1",
    "title": "Guideline for zoo fever.",
    "Disease/Condition(s)": "Zoo fever",
    "Guideline Objective(s)": "- To cure zoo fever \n - To prevent it",
    "Target Population": "Keepers",
    "Major Recommendations": "Note from the editors : read on.\n Therapy \n - Give water. ( Strong for ) \n A | \n B |\r\n"
    " - Give nothing else to a keeper whose fever is gone after three days.",
    "Potential Harms": "Not stated",
}


def test_a_guideline_has_its_objective_population_and_recommendations(put: Put) -> None:
    put("ngc-uspd", {ngc.FILE: [GUIDELINE]})
    [found] = ngc.guidelines()
    assert found.key == "ngc-1"
    assert found.text == (
        "Guideline for zoo fever\n\nDisease/Condition\nZoo fever\n\nGuideline Objective\n- To cure zoo fever\n"
        "- To prevent it\n\nTarget Population\nKeepers\n\nMajor Recommendations\nTherapy\n- Give water. (Strong for)\n"
        "- Give nothing else to a keeper whose fever is gone after three days."
    )
    assert texts(found, "summary") == [
        "Guideline for zoo fever. Objective: To cure zoo fever; To prevent it. Population: Keepers."
    ]
    assert texts(found, "entities") == ["Diseases: Zoo fever."]
    assert texts(found, "relations") == []
    asked = texts(found, "qa")
    assert len(asked) == 3
    assert asked[1] == 'Question: Which population is the guideline "Guideline for zoo fever" for?\nAnswer: Keepers'
    assert asked[2].startswith(
        'Question: What does the guideline "Guideline for zoo fever" recommend first?\nAnswer: - G'
    )


REPORT = (
    "Skip directly to search For assistance type the title of the report in the subject line of e-mail. Zoo Fever Among "
    "Keepers — United States, 2013 Ann B. Lee, MD1\nJo Roe, PhD2\n1Zoo Division, CDC\nCorresponding author: Ann B. Lee. "
    "Telephone: 404-555-0100; E-mail: abl@cdc.example.\nSummary Zoo fever is rare among keepers in all states.\nDiscussion "
    "It can be\nprevented (1).\nWater helps in most of the cases that were ever seen. References 1. Lee AB. Zoos. 2. Roe J. "
    "Use of trade names and commercial sources is for identification only. Page last reviewed: never"
)


def test_a_report_begins_with_its_title_and_ends_before_its_references(put: Put) -> None:
    put("cdc-mmwr-supplements", {mmwr.FILE: [{"url": "https://cdc.example/1", "words": 9, "text": REPORT}]})
    [found] = mmwr.reports()
    assert found.key == "https://cdc.example/1"
    assert found.text == (
        "Zoo Fever Among Keepers — United States, 2013\n\nSummary Zoo fever is rare among keepers in all states.\n"
        "Discussion It can be prevented (1).\nWater helps in most of the cases that were ever seen."
    )
    title = "Zoo Fever Among Keepers — United States, 2013"
    assert texts(found, "summary") == [f"{title}: Zoo fever is rare among keepers in all states."]


def test_every_format_reads_files_that_its_source_declares() -> None:
    declared = {source.name: {file.name for file in source.files} for source in SOURCES_REFERENCE}
    for (source, _), format in FORMATS.items():
        if source in declared:
            assert set(format.files) <= declared[source]
    assert all(source.obtain and not file.addresses for source in SOURCES_REFERENCE for file in source.files)
    assert not any(source.confidential for source in SOURCES_REFERENCE)
