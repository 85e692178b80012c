"""How files of some sources are made of upstream's: one JSON object a line, so that one read serves tasks and corpora.

Each result must have the bytes that the catalogue pins, so that whoever converts reads what was read here.
How far each was held against upstream's text when it was written (in part, by eye: no whole file could be had):
- `evidence_inference`: about 140 prompts in four stretches of v2_annotations.csv (5 % of it), 125 prompts of
  prompts_merged.csv, and the id lists of validation and test, whole. No row differed.
- `medqa`: the first 10 of 1,273 lines. None differed.
- `medquad`: eight of the XML files, among them the one without an id, one without answers and three that write
  `pair`. No pair differed.
- `notes`, `transcripts` (PriMock57): the names of the notes, and the bytes of one. Nothing is converted there.
- `roco`: the ids that are kept of the first 40 rows of validation. None differed.
- `codiesp_labelled`, `codiesp_background`: nothing but the corpus's own description of its format.
"""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

Row = Mapping[str, object]

_LABELS = {
    "significantly increase": "significantly increased",  # what upstream's second annotators wrote
    "significantly increased": "significantly increased",
    "significantly decreased": "significantly decreased",
    "no significant difference": "no significant difference",
}
_BACKGROUND = 1_800  # of CodiEsp's 3,001 texts without codes


def evidence_inference(upstream: Path, target: Path) -> None:
    """Evidence Inference 2.0: a row for each prompt whose validated annotators gave one and the same label.

    Both the label and the reasoning must have been found valid. "Increase" beside "increased" counts as two labels.
    The evidence is the longest of the annotators' (the first of equals), the order that of the prompts' numbers.
    Articles that are in none of the three splits of version 2 are left out.
    """
    _write(_evidence_rows(upstream), target)


def _evidence_rows(upstream: Path) -> Iterator[Row]:
    prompts = {row["PromptID"]: row for row in _csv(upstream / "prompts_merged.csv")}
    split = {
        pmcid: name
        for name in ("train", "validation", "test")
        for pmcid in (upstream / f"ev2_{name}_article_ids.txt").read_text(encoding="utf-8").split()
    }
    valid: dict[str, list[dict[str, str]]] = {}
    for row in _csv(upstream / "v2_annotations.csv"):
        if row["Valid Label"] == row["Valid Reasoning"] == "True":
            valid.setdefault(row["PromptID"], []).append(row)
    for number, rows in sorted(valid.items(), key=lambda item: int(item[0])):
        labels, prompt = {row["Label"] for row in rows}, prompts[number]
        if len(labels) == 1 and labels <= _LABELS.keys() and prompt["PMCID"] in split:
            yield {
                "prompt_id": number,
                "pmcid": prompt["PMCID"],
                "split": split[prompt["PMCID"]],
                **{key.lower(): prompt[key].strip() for key in ("Outcome", "Intervention", "Comparator")},
                "label": _LABELS[labels.pop()],
                "evidence": max((row["Annotations"].strip() for row in rows), key=len),
            }


def medqa(upstream: Path, target: Path) -> None:
    """MedQA's US test questions without the phrases that MetaMap found in them."""
    keys = ("question", "options", "answer_idx", "answer", "meta_info")
    with (upstream / "phrases_no_exclude_test.jsonl").open(encoding="utf-8") as file:
        _write(({key: item[key] for key in keys} for item in map(json.loads, file)), target)


def medquad(upstream: Path, target: Path) -> None:
    """MedQuAD's pairs that have an answer, in the order of its files, exact duplicates dropped.

    Upstream took the answers of three of its twelve collections out, so that nothing of those is left. Some documents
    (4 of NINDS's 277, for one) write `pair` instead of `QAPair`: they are not among the pinned rows either.
    """
    unique: dict[tuple[object, object], Row] = {}
    with zipfile.ZipFile(upstream / "medquad.zip") as archive:
        for row in _pairs(archive):
            unique.setdefault((row["question"], row["answer"]), row)
    _write(unique.values(), target)


def _pairs(archive: zipfile.ZipFile) -> Iterator[Row]:
    files = (PurePosixPath(name) for name in sorted(archive.namelist()))
    for path in (path for path in files if path.suffix == ".xml" and len(path.parts) == 3):
        document = ElementTree.fromstring(archive.read(str(path)))
        for pair in document.iter("QAPair"):
            question = pair.find("Question")
            answer = _paragraphs(pair.findtext("Answer") or "")
            if question is not None and answer:
                yield {
                    "source": path.parent.name,
                    "doc": document.get("id"),  # None for a document that calls it fid
                    "url": document.get("url"),
                    "focus": (document.findtext("Focus") or "").strip(),
                    "qtype": question.get("qtype"),
                    "question": (question.text or "").strip(),
                    "answer": answer,
                }


def _paragraphs(text: str) -> str:
    """Text with single spaces, and with one empty line where there were any."""
    return re.sub(r"\n\s*\n", "\n\n", re.sub(r"[^\S\n]+", " ", text)).strip()


def codiesp_labelled(upstream: Path, target: Path) -> None:
    """CodiEsp's train and dev cases in English, with their diagnosis and procedure codes in upstream's order."""
    with zipfile.ZipFile(upstream / "codiesp.zip") as archive:
        _write((row for split in ("train", "dev") for row in _cases(archive, split)), target)


def _cases(archive: zipfile.ZipFile, split: str) -> Iterator[Row]:
    codes: dict[tuple[str, str], list[str]] = {}
    for kind in "DP":
        for line in archive.read(_in_codiesp(archive, f"{split}/{split}{kind}.tsv")).decode("utf-8").splitlines():
            case, code = line.split("\t")[:2]
            codes.setdefault((kind, case), []).append(code)
    for case, text in _texts(archive, split):
        dx, px = (codes.get((kind, case), []) for kind in "DP")
        yield {"id": case, "split": split, "text": text, "icd10_dx": dx, "icd10_px": px}


def codiesp_background(upstream: Path, target: Path) -> None:
    """The first 1,800 of CodiEsp's test and background cases in English; upstream gives no codes with them."""
    with zipfile.ZipFile(upstream / "codiesp.zip") as archive:
        _write(({"id": case, "text": text} for case, text in _texts(archive, "test")[:_BACKGROUND]), target)


def _texts(archive: zipfile.ZipFile, split: str) -> list[tuple[str, str]]:
    """(case, its English text) of a split, ordered by case."""
    folder = _in_codiesp(archive, f"{split}/text_files_en/")
    names = sorted(n for n in archive.namelist() if n.startswith(folder) and n.endswith(".txt"))
    return [(PurePosixPath(name).stem, archive.read(name).decode("utf-8").strip()) for name in names]


def _in_codiesp(archive: zipfile.ZipFile, path: str) -> str:
    root = archive.namelist()[0].split("/")[0]
    return f"{root}/datasets/final_dataset_v3_to_publish/{path}"


def notes(upstream: Path, target: Path) -> None:
    """PriMock57's folder of notes, as upstream has them."""
    _unpack(upstream / "primock57.zip", "notes", ".json", target)


def transcripts(upstream: Path, target: Path) -> None:
    """PriMock57's folder of transcripts, one a speaker, as upstream has them."""
    _unpack(upstream / "primock57.zip", "transcripts", ".TextGrid", target)


def _unpack(file: Path, folder: str, suffix: str, target: Path) -> None:
    """The files of one kind right below one top-level folder of a repository."""
    target.mkdir()
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            path = PurePosixPath(name)
            if len(path.parts) == 3 and path.parts[1] == folder and path.suffix == suffix:
                (target / path.name).write_bytes(archive.read(name))


def roco(upstream: Path, target: Path) -> None:
    """ROCO's radiology captions of test and validation whose image is under CC BY or CC0."""
    _write((row for split in ("test", "validation") for row in _captions(upstream, split)), target)


def _captions(upstream: Path, split: str) -> Iterator[Row]:
    lines = (upstream / f"{split}_captions.txt").read_text(encoding="utf-8").split("\n")
    captions = dict(line.split("\t", 1) for line in lines if "\t" in line)
    for row in _csv(upstream / f"{split}_licences.txt"):
        name, licence = row["ROCO_ID"], row["CC"]
        if licence in ("CC BY", "CC0") and name in captions:
            caption = captions[name].strip()
            yield {"id": name, "split": split, "image": row["PMC_ID"], "license": licence, "caption": caption}


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def _write(rows: Iterable[Row], target: Path) -> None:
    with target.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
