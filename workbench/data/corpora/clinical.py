"""What the Clinical expert reads: visits with their notes, case reports, corrected case texts, and captions.

Training splits only where a set has splits that a task uses; what else is left out stands at each reader.
Words are never joined or split when a text is tidied ("did n't" stays), so that runs shared with a task are still
found. Raises DataMissing for a file that is not at hand, UserError for one that is not as these readers expect it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from workbench.data.corpora.cases import CASES, case_text, diagnoses, training_cases
from workbench.data.corpora.codes import running
from workbench.data.corpora.parts import parts
from workbench.data.corpora.wording import question
from workbench.data.encounters import Note, aci_notes, primock_dialogue, problems_of
from workbench.data.example import Example, Format, TaskText
from workbench.data.items import Item, csv_items, json_items, require
from workbench.data.sources import path_of
from workbench.data.topics.clashes import IN_TEST_SETS

FEWEST_WORDS = 20
"""Shorter documents are left out: of MTS-Dialog's visits, CodiEsp's cases and the articles' captions."""

MTS, MEDEC = "MTS-Dialog-TrainingSet.csv", "MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv"
BACKGROUND, CAPTIONS = "codiesp_en_background_unlabelled.jsonl", "roco_radiology_captions_ccby.jsonl"

SECTIONS = {
    "FAM/SOCHX": "Family and social history", "GENHX": "History of present illness", "CC": "Chief complaint",
    "PASTMEDICALHX": "Past medical history", "PASTSURGICAL": "Past surgical history", "ALLERGY": "Allergies",
    "ROS": "Review of systems", "MEDICATIONS": "Medications", "ASSESSMENT": "Assessment", "EXAM": "Physical exam",
    "DIAGNOSIS": "Diagnosis", "DISPOSITION": "Disposition", "PLAN": "Plan", "EDCOURSE": "Emergency department course",
    "IMMUNIZATIONS": "Immunizations", "IMAGING": "Imaging", "GYNHX": "Gynecologic history",
    "PROCEDURES": "Procedures", "OTHER_HISTORY": "Other history", "LABS": "Laboratory results",
}  # fmt: skip
"""MTS-Dialog's section headers, written out."""

LISTED = frozenset({"MEDICATIONS", "DIAGNOSIS"})
"""Those whose text is a list of names."""

CONSULTATIONS = "1.02 1.04 1.12 2.05 2.06 2.09 2.10 3.02 3.10 4.02 4.09 4.10 5.08 5.10"
"""The consultations of primock57 (day.number) that MEDIQA-OE's dev and test splits, the items of open_long_documents,
do not use: 14 of 57."""

QUESTIONS = {
    "SOCIAL HISTORY": "What is the patient's social history?",
    "MEDICAL HISTORY": "What is the patient's medical history?",
    "PAST HISTORY": "What is the patient's past history?",
    "SURGICAL HISTORY": "What is the patient's surgical history?",
    "FAMILY HISTORY": "What is the patient's family history?",
    "MEDICATIONS": "Which medications does the patient take?",
    "CURRENT MEDICATIONS": "Which medications does the patient take?",
    "ALLERGIES": "Which allergies does the patient have?",
    "REVIEW OF SYSTEMS": "What does the review of systems say?",
    "VITALS": "What are the vital signs?",
    "PHYSICAL EXAM": "What does the physical exam show?",
    "PHYSICAL EXAMINATION": "What does the physical exam show?",
    "RESULTS": "What are the results?",
    "ASSESSMENT": "What is the assessment?",
    "IMPRESSION": "What is the impression?",
    "PLAN": "What is the plan?",
    "INSTRUCTIONS": "Which instructions does the patient get?",
}
"""What is asked about a section of a note of ACI-Bench."""

MISREAD = "\u201c\u201d\u2018\u2019\u2013\u2014\u03bc\u03b1\u03b2\u2265\u2212\u02da\u00b0\u00df"
MENDED = {sign.encode().decode("cp1252", "ignore"): sign for sign in MISREAD}
"""Signs that MEDEC wrote as UTF-8 and read as Windows-1252, as they stand there."""

_SENTENCE = re.compile(r"(?<=[.?!])(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)(?<!\bDr\.)(?<!\bSt\.)\s+(?=[A-Z0-9])")
_SPEAKER = re.compile(r"^\[(\w+)\] ?", re.M)
_SPACED = re.compile(r"(?<=[^\s:]) +([.,?!;:])(?=\s|$)")
_IMPRESSION = re.compile(r"^\s*(?:Imp|Impression|Dx|Diagnosis)\b[ \t]*[:.-]*[ \t]*\n?(\S.*)$", re.M | re.I)
_PERSON = re.compile(r"\b(?:year|month|week|day)s?[- ]old\b")


def _aci_encounters(seed: int) -> list[Example]:
    """ACI-Bench's training visits, the dialogue and then the note, in parts; 67 visits."""
    return [part for note in aci_notes("train") for part in _aci(note)]


def _aci(note: Note) -> Iterator[Example]:
    complaint = " ".join(note.section("CHIEF COMPLAINT", "CC").split()).rstrip(".")
    told = first_sentence(note.section("HISTORY OF PRESENT ILLNESS", "HPI"))
    who = told or (f"A patient came because of this: {complaint}." if complaint else "")
    tasks: list[TaskText] = []
    for heading in ("ASSESSMENT AND PLAN", "ASSESSMENT", "IMPRESSION"):
        if who and (text := _tidy(note.section(heading))):
            text = text.removeprefix(who).strip()  # many assessments begin as the history does
            tasks.append(TaskText("summary", "", f"{who}\n{heading.capitalize()}: {text}"))
            break
    for section in note.sections:
        if who and section.heading in QUESTIONS:
            tasks.append(question(f"{who} {QUESTIONS[section.heading]}", _tidy(section.text)))
    if problems := problems_of(note):
        tasks.append(TaskText("entities", "", f"Problems: {'; '.join(problems)}."))
    title = f"Visit to the doctor: {complaint}" if complaint else "Visit to the doctor"
    written = "\n\n".join(f"{section.heading}\n{_tidy(section.text)}" for section in note.sections)
    yield from _documents(title, f"{_dialogue(note.dialogue)}\n\nClinical note\n\n{written}", tasks, note.id)


def _mts_encounters(seed: int) -> list[Example]:
    """MTS-Dialog's training visits: a short dialogue and the section of the note that was written of it."""
    path = path_of("mts-dialog", MTS)
    rows = csv_items(path)
    require(path, rows, ("ID", "section_header", "section_text", "dialogue"), filled=("ID", "section_text", "dialogue"))
    return [part for row in rows for part in _mts(row)]


def _mts(row: Item) -> Iterator[Example]:
    header, text = row["section_header"], " ".join(row["section_text"].split())
    name = SECTIONS.get(header, header.capitalize())
    tasks: list[TaskText] = []
    if len(text.split()) >= 5:  # "None." and "Noncontributory." tell nothing
        tasks.append(TaskText("summary", "", f"{name}: {text}"))
        if header in LISTED:
            tasks.append(TaskText("entities", "", f"{name}: {text}"))
    who = first_sentence(text)
    if _PERSON.search(who) and (rest := text.removeprefix(who).strip()):
        tasks.append(question(f"{who} What else does the {name.lower()} say?", rest))
    yield from _documents("Visit to the doctor", f"{_dialogue(row['dialogue'])}\n\n{name}: {text}", tasks, row["ID"])


def _consultations(seed: int) -> list[Example]:
    """primock57's consultations that no task uses, the transcript and then the note, in parts."""
    folder, transcripts = path_of("primock57", "notes"), path_of("primock57", "transcripts")
    found: list[Example] = []
    for day, number in (name.split(".") for name in CONSULTATIONS.split()):
        key = f"day{day}_consultation{number}"
        path = folder / f"{key}.json"
        [row] = json_items(path)
        require(path, [row], ("presenting_complaint", "note", "highlights"), filled=("presenting_complaint", "note"))
        complaint, note = " ".join(row["presenting_complaint"].split()), _lines(row["note"])
        who = f'A patient says: "{complaint}".'
        tasks = [TaskText("summary", "", f"{who}\n{note}")]
        if impression := _IMPRESSION.search(note):
            tasks.append(question(f"{who} What is the doctor's impression?", impression[1].strip()))
        if marked := [" ".join(one.split()) for one in row["highlights"] if one.strip()]:
            tasks.append(TaskText("entities", "", f"Findings: {'; '.join(marked)}."))
        said = _dialogue(primock_dialogue(transcripts, int(day), int(number)))
        found += _documents(f"Consultation: {complaint}", f"{said}\n\nClinical note\n\n{note}", tasks, key)
    return found


def _cases(seed: int) -> list[Example]:
    """CodiEsp's training cases in English (machine translated) with the diagnoses that they are coded with."""
    return [part for case in training_cases() for part in _case(case)]


def _case(case: Item) -> Iterator[Example]:
    tasks: list[TaskText] = []
    if found := diagnoses(case):
        who = first_sentence(case["text"])
        names = "; ".join(running(name) for _, name in found)
        tasks.append(TaskText("summary", "", f"Case report: {who} Diagnoses: {names}."))
        tasks.append(question(f"{who} Which diagnoses does this case report have?", f"{names}."))
        coded = "; ".join(f"{running(name)} ({code})" for code, name in found)
        tasks.append(TaskText("entities", "", f"Diagnoses: {coded}."))
    yield from _documents("Case report", case["text"], tasks, case["id"])


def _background(seed: int) -> list[Example]:
    """CodiEsp's cases without codes; its own test cases are among them, which no task here uses, without labels."""
    path = path_of("codiesp-en", BACKGROUND)
    rows = json_items(path)
    require(path, rows, ("id", "text"), filled=("id", "text"))
    return [part for row in rows for part in _documents("Case report", case_text(row["text"]), [], row["id"])]


def _corrected_texts(seed: int) -> list[Example]:
    """MEDEC-MS's validation texts as corrected, but the 136 that share 13 words in a row with a test set.

    They are the validation items of the medec tasks and of topic_clinical_case: an expert that reads them may not be
    chosen by those.
    """
    path = path_of("medec-ms", MEDEC)
    rows = csv_items(path)
    columns = ("Text ID", "Text", "Error Flag", "Error Sentence", "Corrected Sentence", "Corrected Text")
    require(path, rows, columns, filled=("Text ID", "Text"))
    return [part for row in rows if row["Text ID"] not in IN_TEST_SETS["medec-ms"] for part in _corrected(row)]


def _corrected(row: Item) -> Iterator[Example]:
    tasks: list[TaskText] = []
    text = _lines(row["Text"])
    if row["Error Flag"] == "1":
        text = _lines(row["Corrected Text"])
        wrong, right = (" ".join(_lines(row[column]).split()) for column in ("Error Sentence", "Corrected Sentence"))
        who = first_sentence(text)
        tasks.append(TaskText("summary", "", who if who == right else f"{who} {right}"))
        tasks.append(question(f'{who} The note says: "{wrong}" What is right?', right))
    yield from _documents("Case", text, tasks, row["Text ID"])


def _captions(seed: int) -> list[Example]:
    """ROCO's captions of its own test split, an article a document; of validation the radiology topic is made.

    A caption of several sentences begins with what the figure shows: that is its summary.
    """
    path = path_of("roco-ccby-captions", CAPTIONS)
    rows = json_items(path)
    require(path, rows, ("id", "split", "image", "caption"), filled=("id", "split", "image"))
    articles: dict[str, list[str]] = {}
    for row in rows:
        caption = " ".join(row["caption"].split()).lstrip(": ")
        if row["split"] == "test" and caption:
            articles.setdefault(row["image"].partition("_")[0], []).append(caption)
    return [part for key, captions in articles.items() for part in _article(key, list(dict.fromkeys(captions)))]


def _article(key: str, captions: list[str]) -> Iterator[Example]:
    tasks = [
        TaskText("summary", "", shown)
        for caption in captions
        if (shown := first_sentence(caption)) != caption and len(shown.split()) >= 8
    ]
    yield from _documents("", "\n".join(captions), tasks, key)


def _documents(title: str, text: str, tasks: list[TaskText], key: str) -> Iterator[Example]:
    """The text in parts that fit, under its title; the task data stands with the first of them."""
    if len(text.split()) < FEWEST_WORDS:
        return
    for number, part in enumerate(parts(title, text)):
        yield Example("", part, () if number else tuple(tasks), str(key))


def first_sentence(text: str) -> str:
    """The first sentence of a text, on one line; names with a title ("Mr. Smith") do not end it."""
    return _SENTENCE.split(" ".join(text.split()))[0]


def _dialogue(text: str) -> str:
    """A turn a line, "Doctor: ...", in whichever way the set marks its speakers."""
    return _tidy(_SPEAKER.sub(lambda found: f"{found[1].capitalize()}: ", _lines(text)))


def _tidy(text: str) -> str:
    """Without the spaces that ACI-Bench sets before its punctuation."""
    return _SPACED.sub(r"\1", _lines(text))


def _lines(text: str) -> str:
    """Text with single spaces, a line break where there were any, and without the traces of a wrong encoding."""
    for wrong in sorted(MENDED, key=len, reverse=True):
        text = text.replace(wrong, MENDED[wrong])
    text = text.replace("\x9d", "")  # what Windows-1252 has no sign for, the last byte of a closing quotation mark
    return "\n".join(line for raw in text.split("\n") if (line := " ".join(raw.split())))


FORMATS: dict[tuple[str, str], Format] = {
    ("aci-bench", "encounters"): Format(_aci_encounters, ("train.csv",)),
    ("mts-dialog", "encounters"): Format(_mts_encounters, (MTS,)),
    ("primock57", "consultations"): Format(_consultations, ("notes", "transcripts")),
    ("codiesp-en", "cases"): Format(_cases, (CASES,)),
    ("codiesp-en", "background"): Format(_background, (BACKGROUND,)),
    ("medec-ms", "texts"): Format(_corrected_texts, (MEDEC,)),
    ("roco-ccby-captions", "captions"): Format(_captions, (CAPTIONS,)),
}
