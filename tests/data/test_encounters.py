"""Visits: notes in sections and their problems, transcripts of two channels, orders joined to dialogues."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from workbench.data.catalogue import SOURCES
from workbench.data.encounters import ACI, HEADINGS, Note, aci_notes, primock_dialogue, problems_of, sections_of
from workbench.data.orders import Order, Visit, names, visits
from workbench.data.source import Conversion, RemoteFile, Source
from workbench.data.sources import missing, path_of
from workbench.errors import DataMissing, UserError

HEADED = """\
CC:

Heartburn.

MEDICAL HISTORY

GERD.
BP: 130/68.

ASSESSMENT AND PLAN

Ann Doe is a woman of 40 with burning pain.

1. Reflux disease:
- Medical Reasoning: It is worse at night.
- Medical Treatment: Omeprazole.

2. Night-time cough.

- Additional Testing: None.

Asthma.
• Medical Reasoning: Stable.
Lungs clear.
• Medical Treatment: None.

Patient Agreements: She agrees.

INSTRUCTIONS

Call if worse.
"""
PLAN = "PLAN\n\nGout.\n- Medical Treatment: Colchicine.\n\nAll was explained."
PROSE = "ASSESSMENT\n\nThis is a man who came for a check of all the many things that he has had for years."
ASSESSMENTS = {
    HEADED: ("Reflux disease", "Asthma"),  # the cough's bullets are another paragraph
    "ASSESSMENT\n\n• Gout.\n• Anemia of 2-year course.\n\nHe is 50.\n\n" + PLAN: ("Gout", "Anemia of 2-year course"),
    "ASSESSMENT:\n\n1. Gout.\n2) Anemia.\nHe is well.\n\n" + PLAN: ("Gout", "Anemia"),
    "ASSESSMENT\n\nSprain of the wrist.\nType 2 diabetes.\n\nHe fell.": ("Sprain of the wrist", "Type 2 diabetes"),
    "IMPRESSION\n\nNon-healing ulcer.\n\n" + PLAN: ("Non-healing ulcer",),
    f"{PROSE}\n\n{PLAN}": ("Gout",),
    PROSE: (),
    "CC\n\nCough.": (),
}
ROW = {"dataset": "aci", "encounter_id": "D1", "dialogue": "[doctor] hi\n[patient] hello", "note": "CC\n\nCough."}

INTERVALS = {
    "doctor": [(0, ""), (2.5, "Hello? <UNSURE>Do come</UNSURE> in."), (9, "<UNIN/>"), (20.25, 'Say "ah".')],
    "patient": [(2.5, "Hi."), (12, "My  throat <INAUDIBLE_SPEECH/> hurts.")],
}
UNUSED = Conversion((), lambda upstream, target: None, 0)
ORDERS = [{"order_type": "lab", "description": " throat swab", "reason": None, "provenance": [3]}]


def text_grid(speaker: str) -> str:
    """A transcript in Praat's long text format; quotes inside a text are doubled."""
    said = INTERVALS[speaker]
    parts = (
        f"        intervals [{n}]:\n            xmin = {start} \n            xmax = {start + 1} \n"
        f'            text = "{words.replace(chr(34), 2 * chr(34))}" \n'
        for n, (start, words) in enumerate(said, 1)
    )
    head = 'File type = "ooTextFile"\nxmin = 0 \nxmax = 30 \n    item [1]:\n        xmin = 0 \n        xmax = 30 \n'
    return f"{head}        intervals: size = {len(said)} \n{''.join(parts)}"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror of the three sources: one visit in each file of ACI-Bench, one consultation, one visit a split."""
    files = {("aci-bench", name): "" for name in ACI.values()}
    files |= {("primock57", f"transcripts/day2_consultation03_{who}.TextGrid"): text_grid(who) for who in INTERVALS}
    both = {
        "train": [{"id": "acibench_D1_virtscribe_valid", "expected_orders": []}],
        "dev": [{"id": "acibench_D1_aci_clef_taskC_test3", "expected_orders": ORDERS}],
    }
    files["mediqa-oe", "orders_data.json"] = json.dumps(both)
    test = {"test": [{"id": "primock57_2_3", "expected_orders": ORDERS}]}
    files["mediqa-oe", "test_orders_data.json"] = json.dumps(test)
    root = tmp_path / "mirror"
    for (source, name), text in files.items():
        (root / source / name).parent.mkdir(parents=True, exist_ok=True)
        (root / source / name).write_text(text)
    for split, name in ACI.items():
        write_rows(root / "aci-bench" / name, [ROW | {"dialogue": f"[doctor] of {split}"}])
    for source in ("aci-bench", "mediqa-oe", "primock57"):
        declared = tuple(RemoteFile(path.name, conversion=UNUSED) for path in (root / source).iterdir())
        monkeypatch.setitem(SOURCES, source, Source(source, "CC BY 4.0", source, declared))
    monkeypatch.setenv("WORKBENCH_MIRROR", str(root))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return root


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def note_of(text: str) -> Note:
    return Note("D1", "valid", "", sections_of({"encounter_id": "D1", "note": text}, Path("valid.csv")))


def test_a_note_is_cut_at_its_headings_and_nowhere_else() -> None:
    note = note_of(HEADED)
    assert [section.heading for section in note.sections] == [
        "CC", "MEDICAL HISTORY", "ASSESSMENT AND PLAN", "INSTRUCTIONS",
    ]  # fmt: skip
    assert note.section("MEDICAL HISTORY") == "GERD.\nBP: 130/68."
    assert note.section("HPI", "CC") == "Heartburn."
    assert note.section("HPI") == ""
    assert note.without({"ASSESSMENT AND PLAN", "MEDICAL HISTORY"}) == (
        "CC\n\nHeartburn.\n\nINSTRUCTIONS\n\nCall if worse."
    )


@pytest.mark.parametrize("text", ASSESSMENTS)
def test_problems_are_the_headings_or_the_list_of_an_assessment(text: str) -> None:
    assert problems_of(note_of(text)) == ASSESSMENTS[text]


@pytest.mark.parametrize(
    ("note", "what"),
    [
        ("Cough.\n\nPLAN\n\nTea.", "note D1 does not begin with a known heading"),
        ("CC\n\nCough.\n\nPLAN\n\nPLAN\n\nTea.", "note D1 has an empty section 'PLAN'"),
        (" ", "'note' is empty"),
    ],
)
def test_a_note_of_another_make_is_refused(note: str, what: str, mirror: Path) -> None:
    path = mirror / "aci-bench" / "valid.csv"
    write_rows(path, [ROW | {"note": note}])
    with pytest.raises(UserError) as caught:
        aci_notes("valid")
    assert str(caught.value).startswith(str(path))
    assert what in str(caught.value)


def test_a_file_with_other_columns_is_refused(mirror: Path) -> None:
    write_rows(mirror / "aci-bench" / "valid.csv", [{"encounter_id": "D1", "src": "hi", "note": "CC\n\nCough."}])
    with pytest.raises(UserError, match=r"valid\.csv.*has no 'dialogue', only 'encounter_id', 'src', 'note'"):
        aci_notes("valid")


def test_two_channels_become_one_dialogue_by_time(mirror: Path) -> None:
    assert primock_dialogue(path_of("primock57", "transcripts"), 2, 3).splitlines() == [
        "[doctor] Hello? Do come in.",  # of two turns that begin at once the doctor's comes first
        "[patient] Hi.",
        "[patient] My throat hurts.",
        '[doctor] Say "ah".',
    ]


def test_a_transcript_cut_short_or_missing_is_refused(mirror: Path) -> None:
    transcripts = mirror / "primock57" / "transcripts"
    path = transcripts / "day2_consultation03_patient.TextGrid"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(UserError, match="1 intervals can be read, not as many as it declares"):
        primock_dialogue(transcripts, 2, 3)
    path.unlink()
    with pytest.raises(DataMissing, match=r"day2_consultation03_patient\.TextGrid is missing\..*fetch primock57"):
        primock_dialogue(transcripts, 2, 3)


def test_orders_are_joined_to_their_dialogues(mirror: Path) -> None:
    order = (Order("lab", "throat swab"),)
    assert visits("train") == (Visit("acibench_D1_virtscribe_valid", "valid", "[doctor] of valid", ()),)
    assert visits("dev") == (Visit("acibench_D1_aci_clef_taskC_test3", "test3", "[doctor] of test3", order),)
    [visit] = visits("test")
    assert (visit.id, visit.origin, visit.orders) == ("primock57_2_3", "primock57", order)
    assert visit.dialogue.startswith("[doctor] Hello? Do come in.\n[patient] Hi.")


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"id": "acibench_D9_aci_valid", "expected_orders": []}, "visit 'acibench_D9_aci_valid' has no dialogue"),
        ({"id": "acibench_D1_aci_test4", "expected_orders": []}, "visit 'acibench_D1_aci_test4' has no dialogue"),
        ({"id": "D1", "expected_orders": []}, "visit 'D1' has no dialogue"),
        (
            {"id": "primock57_2_3", "expected_orders": [ORDERS[0] | {"order_type": "surgery"}]},
            "visit 'primock57_2_3' has an order 'throat swab' of type 'surgery'",
        ),
        (
            {"id": "primock57_2_3", "expected_orders": [ORDERS[0] | {"description": " "}]},
            "visit 'primock57_2_3' has an order '' of type 'lab'",
        ),
    ],
)
def test_orders_of_another_make_are_refused(row: dict[str, object], what: str, mirror: Path) -> None:
    path = mirror / "mediqa-oe" / "test_orders_data.json"
    path.write_text(json.dumps({"test": [row]}))
    with pytest.raises(UserError) as caught:
        visits("test")
    assert str(caught.value).startswith(f"{path}: {what}")


def test_a_split_that_is_not_there_is_refused(mirror: Path) -> None:
    (mirror / "mediqa-oe" / "test_orders_data.json").write_text("{}")
    with pytest.raises(UserError, match=r"test_orders_data\.json: it has no visits of the split 'test'"):
        visits("test")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("meloxicam fifteen milligrams once a day", {"meloxicam"}),
        ("up your Norvasc to 5 mg daily", {"norvasc"}),
        ("blood today, Full blood count", {"cbc"}),
        ("cbc blood fasting", {"cbc", "fasting"}),
        ("Hemoglobin A1c level", {"a1c"}),
        ("motrin every six hours", {"ibuprofen"}),
        ("UA", {"urinalysis"}),
        ("equal duality", {"equal", "duality"}),  # a name inside a word is none
        ("anti-inflammatory tablets", set()),
        ("milligrams", set()),
    ],
)
def test_names_of_an_order(text: str, found: set[str]) -> None:
    assert names(text) == found


def needs(*sources: str) -> pytest.MarkDecorator:
    reasons = [reason for source in sources if (reason := missing(source)) is not None]
    return pytest.mark.skipif(bool(reasons), reason=" ".join(reasons))


@needs("aci-bench")
def test_no_word_of_the_real_notes_is_lost_between_sections() -> None:
    for split, file in ACI.items():
        with path_of("aci-bench", file).open(newline="", encoding="utf-8-sig") as rows:
            texts = {row["encounter_id"]: row["note"] for row in csv.DictReader(rows)}
        for note in aci_notes(split):
            assert note.without(()).replace(":", "").split() == texts[note.id].replace(":", "").split(), note.id
            assert {section.heading for section in note.sections} <= HEADINGS
            assert len({section.heading for section in note.sections}) == len(note.sections), note.id


@needs("aci-bench")
def test_counts_of_the_real_notes() -> None:
    """As counted by hand from a listing of every note's assessment when this was written."""
    found = {split: [problems_of(note) for note in aci_notes(split)] for split in ACI}
    assert {split: len(notes) for split, notes in found.items()} == {
        "train": 67, "valid": 20, "test1": 40, "test2": 40, "test3": 40,
    }  # fmt: skip
    named = {split: (sum(map(bool, notes)), sum(map(len, notes))) for split, notes in found.items()}
    assert named == {"train": (64, 122), "valid": (19, 37), "test1": (39, 79), "test2": (40, 87), "test3": (39, 79)}


@needs("aci-bench", "mediqa-oe", "primock57")
def test_counts_of_the_real_orders() -> None:
    found = {split: visits(split) for split in ("train", "dev", "test")}
    counts = {split: (len(each), sum(len(visit.orders) for visit in each)) for split, each in found.items()}
    assert counts == {"train": (63, 143), "dev": (100, 255), "test": (100, 252)}  # as its README says
    assert len({visit.id for each in found.values() for visit in each}) == 263
    assert Counter(visit.origin for visit in found["test"]) == {
        "train": 25, "valid": 9, "test1": 11, "test2": 16, "test3": 19, "primock57": 20,
    }  # fmt: skip
    for visit in (visit for each in found.values() for visit in each):
        assert {turn.split()[0] for turn in visit.dialogue.splitlines() if turn.startswith("[")} >= {"[doctor]"}
