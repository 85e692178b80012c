"""The Clinical expert's corpora: small original files in the layout of the real ones, and the real ones by count."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.data.catalogue import SOURCES
from workbench.data.corpora import clinical
from workbench.data.corpora.clinical import FORMATS, first_sentence
from workbench.data.example import Example, TaskText
from workbench.data.source import RemoteFile, Source
from workbench.data.sources import missing
from workbench.errors import UserError

Mirror = Callable[[str, str, list[dict[str, Any]]], None]

ACI_NOTE = (
    "CHIEF COMPLAINT\n\nCough.\n\nHISTORY OF PRESENT ILLNESS\n\nMr. Roe is a 40-year-old man with a cough. It is dry."
    "\n\n"
    "MEDICATIONS\n\nSenna .\n\nASSESSMENT AND PLAN\n\nBronchitis.\n• Medical Treatment: Rest."
)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """Writes a source's only file, as CSV or JSON lines, and declares its checksum."""
    monkeypatch.setenv("WORKBENCH_MIRROR", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))

    def write(source: str, name: str, rows: list[dict[str, Any]]) -> None:
        path = tmp_path / source / name
        path.parent.mkdir(parents=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            if name.endswith(".csv"):
                writer = csv.DictWriter(file, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows)
            else:
                file.writelines(json.dumps(row) + "\n" for row in rows)
        declared = RemoteFile(name, "https://example.org", hashlib.sha256(path.read_bytes()).hexdigest())
        monkeypatch.setitem(SOURCES, source, Source(source, "CC BY 4.0", source, (declared,)))

    return write


def read(source: str, format: str) -> list[Example]:
    return FORMATS[source, format].read(1)


def of_kind(example: Example, kind: str) -> list[TaskText]:
    return [task for task in example.tasks if task.kind == kind]


def test_a_visit_is_its_dialogue_and_its_note(mirror: Mirror) -> None:
    row = {"encounter_id": "D1", "dialogue": "[doctor] how are you , mr. roe ?\n[patient] fine .", "note": ACI_NOTE}
    mirror("aci-bench", "train.csv", [row])
    [visit] = read("aci-bench", "encounters")
    assert visit.key == "D1"
    assert visit.prompt == ""
    assert visit.text.startswith("Visit to the doctor: Cough\n\nDoctor: how are you, mr. roe?\nPatient: fine.")
    assert visit.text.index("Clinical note") < visit.text.index("MEDICATIONS\nSenna.")
    who = "Mr. Roe is a 40-year-old man with a cough."
    assert of_kind(visit, "summary") == [
        TaskText("summary", "", f"{who}\nAssessment and plan: Bronchitis.\n• Medical Treatment: Rest.")
    ]
    assert of_kind(visit, "qa") == [
        TaskText("qa", f"Question: {who} Which medications does the patient take?\nAnswer:", " Senna.")
    ]
    assert of_kind(visit, "entities") == [TaskText("entities", "", "Problems: Bronchitis.")]


def test_a_long_visit_is_cut_and_asked_about_once(mirror: Mirror) -> None:
    turns = "\n".join(f"[doctor] {' '.join([f'word{number}'] * 50)} ." for number in range(50))
    mirror("aci-bench", "train.csv", [{"encounter_id": "D1", "dialogue": turns, "note": ACI_NOTE}])
    found = read("aci-bench", "encounters")
    assert len(found) == 3
    assert {part.key for part in found} == {"D1"}
    assert all(part.text.startswith("Visit to the doctor: Cough\n\n") for part in found)
    assert all(len(part.text.split()) <= 1200 for part in found)
    text = " ".join(part.text for part in found)
    assert all(text.count(f"word{number} ") + text.count(f"word{number}.") == 50 for number in range(50))
    assert [bool(part.tasks) for part in found] == [True, False, False]


def test_short_visits(mirror: Mirror) -> None:
    said = (
        "Doctor: Do you take anything for your heart, or for anything else that troubles you?\r\nPatient: I do, doctor."
    )
    rows = [
        {"ID": "0", "section_header": "MEDICATIONS", "section_text": "Aspirin 81 mg every\nmorning.", "dialogue": said},
        {"ID": "1", "section_header": "GENHX", "section_text": "A 3-year-old boy fell. He cried.", "dialogue": said},
        {"ID": "2", "section_header": "ROS", "section_text": "None.", "dialogue": said},
        {"ID": "3", "section_header": "ROS", "section_text": "None.", "dialogue": "Doctor: Well?"},
    ]
    mirror("mts-dialog", "MTS-Dialog-TrainingSet.csv", rows)
    drug, boy, nothing = read("mts-dialog", "encounters")  # the last one has hardly a word
    assert drug.text.endswith("Patient: I do, doctor.\n\nMedications: Aspirin 81 mg every morning.")
    assert {task.kind for task in drug.tasks} == {"summary", "entities"}
    [asked] = of_kind(boy, "qa")
    assert asked.prompt == (
        "Question: A 3-year-old boy fell. What else does the history of present illness say?\nAnswer:"
    )
    assert asked.completion == " He cried."
    assert nothing.key == "2"
    assert nothing.tasks == ()


def test_the_corrected_text_is_read_and_the_correction_asked_for(mirror: Mirror) -> None:
    start = "A 30-year-old man comes to the clinic because of a wrist that hurts."
    start += " He fell on the ice \u00e2\u20ac\u201c twice."
    wrong, right = "It is a sprain.", "It is a fracture of the scaphoid."
    row = {"Text ID": "ms-val-1", "Text": f"{start} {wrong}", "Error Flag": "1", "Error Sentence": wrong + "\n"}
    row |= {"Corrected Sentence": right, "Corrected Text": f"{start} {right}"}
    sound = {"Text ID": "ms-val-3", "Text": f"{start} {right}", "Error Flag": "0", "Corrected Text": "NA"}
    tested = row | {"Text ID": "ms-val-2"}  # shares words with a test set
    mirror("medec-ms", clinical.MEDEC, [row, tested, row | sound])
    found, other = read("medec-ms", "texts")
    assert wrong not in found.text
    assert right in found.text
    assert "ice \u2013 twice" in found.text
    [asked] = of_kind(found, "qa")
    assert wrong in asked.prompt
    assert asked.completion == f" {right}"
    assert of_kind(found, "summary")[0].text == (
        f"A 30-year-old man comes to the clinic because of a wrist that hurts. {right}"
    )
    assert other.key == "ms-val-3"
    assert other.tasks == ()


def test_captions_of_an_article_are_one_document_and_those_of_validation_are_not_read(mirror: Mirror) -> None:
    shown = "Axial CT of the chest shows a nodule of the lung."
    rows = [
        {"id": "1", "split": "test", "image": "PMC7_a.jpg", "caption": f"{shown} It was removed."},
        {"id": "2", "split": "test", "image": "PMC7_b.jpg", "caption": ": Radiograph after removal of the nodule"},
        {"id": "3", "split": "validation", "image": "PMC8_a.jpg", "caption": f"{shown} " * 3},
        {"id": "4", "split": "test", "image": "PMC9_a.jpg", "caption": "Right femur"},
    ]
    mirror("roco-ccby-captions", clinical.CAPTIONS, rows)
    [article] = read("roco-ccby-captions", "captions")
    assert article == Example(
        "",
        f"{shown} It was removed.\nRadiograph after removal of the nodule",
        (TaskText("summary", "", shown),),
        "PMC7",
    )


def test_background_cases_have_no_task_data(mirror: Mirror) -> None:
    mirror("codiesp-en", clinical.BACKGROUND, [{"id": "S1", "text": "A man of 50 fell.\n1.\n" + "He was well. " * 8}])
    [case] = read("codiesp-en", "background")
    assert case.text.startswith("Case report\n\nA man of 50 fell.\nHe was well.")
    assert case.tasks == ()


def test_a_row_without_a_dialogue_is_told_of(mirror: Mirror) -> None:
    row = {"ID": "0", "section_header": "CC", "section_text": "Pain.", "dialogue": " "}
    mirror("mts-dialog", "MTS-Dialog-TrainingSet.csv", [row])
    with pytest.raises(UserError, match=r"MTS-Dialog-TrainingSet\.csv, item 1: 'dialogue' is empty"):
        read("mts-dialog", "encounters")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Mr. Roe is well. He left.", "Mr. Roe is well."),
        ("It was 3.5 cm. Then it grew.", "It was 3.5 cm."),
        ("No end", "No end"),
    ],
)
def test_first_sentence(text: str, first: str) -> None:
    assert first_sentence(text) == first


REAL = {
    ("aci-bench", "encounters"): 67,
    ("primock57", "consultations"): 14,
    ("codiesp-en", "background"): 1_800,
    ("medec-ms", "texts"): 438,
    ("roco-ccby-captions", "captions"): 1_350,
}


@pytest.mark.parametrize("corpus", REAL, ids=" ".join)
def test_the_real_files(corpus: tuple[str, str]) -> None:
    if not os.environ.get("WORKBENCH_MIRROR") or (why := missing(corpus[0])):
        pytest.skip(why if os.environ.get("WORKBENCH_MIRROR") else "no mirror")
    found = FORMATS[corpus].read(1)
    assert len({one.key for one in found}) == REAL[corpus]
    assert all(one.key and 20 <= len(one.text.split()) <= 1_200 for one in found)
    assert all(task.completion.strip() for one in found for task in one.tasks)


def test_no_consultation_of_a_benchmark_is_read() -> None:
    if not os.environ.get("WORKBENCH_MIRROR") or missing("mediqa-oe") or missing("primock57"):
        pytest.skip("no mirror with mediqa-oe and primock57")
    from workbench.data.orders import visits

    tested = {one.id for split in ("dev", "test") for one in visits(split) if one.origin == "primock57"}
    read_ones = {"primock57_{}_{}".format(*map(int, name.split("."))) for name in clinical.CONSULTATIONS.split()}
    assert len(tested) == 43
    assert not tested & read_ones
