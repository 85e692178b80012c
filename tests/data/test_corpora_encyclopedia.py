"""Parts of long texts, MedQuAD's pages without what is asked of them, book sections and terms, from tiny files."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from workbench.data import icd10cm
from workbench.data.catalogue import SOURCES
from workbench.data.corpora import medquad, openstax
from workbench.data.corpora.encyclopedia import FORMATS
from workbench.data.corpora.medquad_answers import read_answer
from workbench.data.corpora.parts import parts
from workbench.data.corpora.wording import opening
from workbench.data.example import Example, TaskText
from workbench.data.grams import Index
from workbench.data.source import RemoteFile, Source
from workbench.data.sources import missing, path_of
from workbench.errors import UserError

REPOSITORY = Path(__file__).parents[2]


class Mirror:
    """A mirror whose sources are declared with the checksums of what was put there."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.patch = root, monkeypatch
        monkeypatch.setenv("WORKBENCH_MIRROR", str(root))

    def put(self, source: str, **files: list[dict[str, Any]]) -> None:
        declared = []
        for name, rows in files.items():
            path = self.root / source / f"{name.replace('__', '-')}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            declared.append(RemoteFile(path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
        self.patch.setitem(SOURCES, source, Source(source, "CC BY 4.0", source, tuple(declared), obtain="Ask."))


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    return Mirror(tmp_path, monkeypatch)


def words(text: str) -> list[str]:
    return text.split()


def test_a_short_text_is_one_part_under_its_title() -> None:
    assert parts("Gout", "Gout hurts.\n\n\nIt  is treated. ") == ["Gout\n\nGout hurts.\n\nIt  is treated."]
    assert parts("Gout", "Gout\nGout hurts.") == ["Gout\n\nGout hurts."]
    assert parts("", "Gout hurts.") == ["Gout hurts."]
    assert parts("Gout", " \n ") == []


@pytest.mark.parametrize("most", [12, 30, 75, 400])
def test_parts_are_the_whole_text_in_order_and_none_is_too_long(most: int) -> None:
    lines = [f"{'Section' if n % 7 == 0 else 'Line'} {n} " + "word " * (n * 5 % 23) + "end." for n in range(40)]
    lines += ["one " * 90 + "end.", "Now. " * 50]
    found = parts("A title", "\n".join(lines), most)
    assert all(part.startswith("A title\n\n") and len(words(part)) <= most for part in found)
    assert [w for part in found for w in words(part.removeprefix("A title"))] == words("\n".join(lines))
    assert len(found) <= 2 * len(words("\n".join(lines))) / most + 1


def test_a_heading_stays_with_what_it_announces() -> None:
    text = "\n".join(["one two three four five six seven.", "Treatment of gout", "eight nine ten eleven twelve 13."])
    assert parts("T", text, 11) == [
        "T\n\none two three four five six seven.",
        "T\n\nTreatment of gout\neight nine ten eleven twelve 13.",
    ]


def test_a_long_line_is_cut_between_sentences() -> None:
    assert parts("T", "One two three. Four five six! Seven eight.", 5) == [
        "T\n\nOne two three.",
        "T\n\nFour five six!",
        "T\n\nSeven eight.",
    ]


def test_a_title_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^A title of 3 words leaves no room in parts of 3: 'a b c'\.$"):
        parts("a b c", "text", 3)


@pytest.mark.parametrize(
    ("text", "most", "found"),
    [
        ("One two. Three four. Five.", 4, "One two. Three four."),
        ("One two three.", 2, ""),
        ("E. coli grows fast. It stays.", 4, "E. coli grows fast."),
        ("Eat:\n- figs\n- nuts\n\nMore.", 80, "Eat:\n- figs\n- nuts"),
        ("Eat well. These help:\n\n- " + "figs " * 9, 8, "Eat well."),
    ],
)
def test_an_opening_is_whole_sentences_that_fit(text: str, most: int, found: str) -> None:
    assert opening(text, most) == found


LONG = "The spleen of a patient with this rare disorder may grow very large within only a few months of birth."


def pair(number: int, question: str, answer: str, source: str = "3_GHR_QA", doc: str = "7") -> dict[str, Any]:
    about = {"source": source, "doc": doc, "url": f"https://example.org/{number}", "focus": "Ark disease"}
    return {**about, "qtype": "information", "question": question, "answer": answer}


def pairs() -> list[dict[str, Any]]:
    """Six pairs of one page that end alike; which of them are asked depends on the task's seed alone."""
    own = "Topic {0} is told in {0} words of these, and {0} more, {0} times, so that {0} is more than half of all {0}."
    return [pair(n, f"What is (are) topic {n} ?", f"{own.format(n)} {LONG}") for n in range(6)]


def test_what_the_task_asks_is_no_part_of_a_page(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.put("medquad", medquad=pairs())
    monkeypatch.setattr(medquad, "MAX_ITEMS", 2)
    path = path_of("medquad", "medquad.jsonl")
    test = [row["question"] for row in medquad.drawn(path)]
    left = [" ".join(row["question"].split()) for row in medquad.not_asked(path)]
    assert sorted([*test, *left]) == [f"What is (are) topic {n} ?" for n in range(6)]
    assert len(test) == 2
    read = FORMATS["medquad", "wiki_pages"].read(0)
    assert {example.key for example in read} == {"3_GHR_QA 7"}
    [page] = read
    for question in left:
        assert f"\n\n{question.replace(' (are)', '').replace(' ?', '?')}\n" in page.text
    for question in test:
        assert medquad.question(question) not in page.text
    assert LONG not in page.text  # asked answers end with it, too
    assert "spleen" not in "".join(task.text for task in page.tasks)


def test_nor_is_another_answer_to_a_question_that_it_asks(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.put("medquad", medquad=[pair(0, "What is gout ?", "Pain."), pair(1, "What is  GOUT ?", "A disease.")])
    monkeypatch.setattr(medquad, "MAX_ITEMS", 1)
    assert medquad.not_asked(path_of("medquad", "medquad.jsonl")) == []


def test_the_task_and_the_corpus_draw_the_same(mirror: Mirror) -> None:
    mirror.put("medquad", medquad=[pair(n, f"Question {n}?", f"Answer\n {n}") for n in range(20)])
    spec = importlib.util.spec_from_file_location("utils", REPOSITORY / "benchmarks" / "tasks" / "medquad" / "utils.py")
    assert spec is not None
    assert spec.loader is not None
    task = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(task)
    path = path_of("medquad", "medquad.jsonl")
    assert task.drawn(path) == medquad.drawn(path)
    assert task.splits()["test"].to_list() == medquad.drawn(path)


def test_a_line_loses_the_sentences_that_the_test_holds() -> None:
    index = Index.of([LONG])
    kept = "A sentence that stays because it is nowhere else, and long enough to be more than half of all these words."
    assert medquad.without_runs(kept, index) == kept
    assert medquad.without_runs(f"{LONG} {kept}", index) == kept
    assert medquad.without_runs(f"{LONG} Short.", index) == ""


def test_questions_read_as_one_writes_them() -> None:
    assert medquad.question("What is (are) Gout ?") == "What is Gout?"
    assert medquad.question("what causes  gout ? ?") == "What causes gout?"


def test_tables_of_signs_become_sentences_and_relations() -> None:
    answer = (
        "What are the signs and symptoms of Ark disease? The Human Phenotype Ontology provides the following list of "
        "signs and symptoms for Ark disease. If known. Signs and Symptoms Approximate number of patients (when "
        "available) Short stature 90% Wide-set eyes 7.5% Autosomal recessive inheritance - Cough - The Human Phenotype "
        "Ontology (HPO) has collected information. These signs may be rare or common."
    )
    found = read_answer(answer, "Ark disease")
    assert found is not None
    assert found.text == (
        "Signs and symptoms of Ark disease, with the share of patients where it is known: Short stature (90%), "
        "Wide-set eyes (7.5%), Autosomal recessive inheritance, Cough."
    )
    assert found.symptoms == ("Short stature", "Wide-set eyes", "Cough")
    assert found.relations == (
        "Short stature occurs in 90% of patients with Ark disease.",
        "Wide-set eyes occurs in 7.5% of patients with Ark disease.",
        "Ark disease shows autosomal recessive inheritance.",
        "Cough occurs in Ark disease.",
    )


def test_genes_and_inheritance_are_read_and_link_lists_are_none() -> None:
    answer = "Mutations in the ABC1 gene cause it. It is inherited in an autosomal dominant pattern."
    found = read_answer(answer, "Ark disease")
    assert found is not None
    assert found.genes == ("ABC1",)
    assert found.relations == (
        "Ark disease is inherited in an autosomal dominant pattern.",
        "Mutations in the ABC1 gene cause Ark disease.",
    )
    assert read_answer("These resources address the diagnosis of Ark disease: - A - B", "Ark disease") is None


SECTION = {
    "book": "Biology",
    "chapter": "Unit > Blood",
    "module": "m1",
    "title": "Red Cells ",
    "text": "## Learning Objectives\nBy the end of this section, you will be able to:\n- Say what cells do\n"
    "Red cells carry oxygen ( a) through the whole of the body, as shown in .\n## Part 1\nAnn is pale (see ).\n"
    "Jump to the next Clinical Focus box.\n## Chapter Review\nRed cells carry oxygen.\n## Review Questions\n"
    "hematocrit: share of red cells in the blood\nanemia: lack of red cells",
}


def test_a_section_of_a_book_loses_what_is_no_text_and_gives_its_summary_and_terms(mirror: Mirror) -> None:
    preface = {**SECTION, "chapter": "", "module": "m0"}
    mirror.put("openstax-health", anatomy__physiology__2e=[preface, SECTION], microbiology=[])
    assert openstax.sections("microbiology.jsonl") == []
    [found] = openstax.sections("anatomy-physiology-2e.jsonl")
    assert found == Example(
        "",
        "Blood: Red Cells\n\nRed cells carry oxygen through the whole of the body.\n\n"
        "Clinical case, part 1\nAnn is pale.\n\nSummary\nRed cells carry oxygen.\n\n"
        "Key terms\nhematocrit: share of red cells in the blood\nanemia: lack of red cells",
        (
            TaskText("summary", "", "Blood: Red Cells: Red cells carry oxygen."),
            TaskText("qa", 'Question: What does "hematocrit" mean?\nAnswer:', " Share of red cells in the blood."),
            TaskText("qa", 'Question: What does "anemia" mean?\nAnswer:', " Lack of red cells."),
            TaskText("entities", "", "Key terms of Blood: Red Cells: hematocrit, anemia."),
        ),
        "Biology m1",
    )


def term(**changes: Any) -> dict[str, Any]:
    definition = (
        "An arthritis that is characterized_by crystals of uric acid in a joint, most often that of the big toe."
    )
    row = {"id": "DOID:1", "name": "gout", "definition": definition, "synonyms": ["podagra"], "xref_icd10cm": []}
    return {**row, "is_a": ["arthritis"], **changes}


def test_a_term_gives_its_definition_synonyms_and_place(mirror: Mirror) -> None:
    codes = icd10cm.codes()
    shown = next(code for code in codes if not icd10cm.held_out(code))
    kept_back = next(code for code in codes if icd10cm.held_out(code))
    trivial = term(id="DOID:2", definition="A gout.", synonyms=[])
    mirror.put("disease-ontology", doid_definitions=[term(xref_icd10cm=[shown, kept_back]), trivial])
    [found] = FORMATS["disease-ontology", "terms"].read(0)
    definition = (
        "An arthritis that is characterized by crystals of uric acid in a joint, most often that of the big toe."
    )
    assert found.text == (
        f"Gout\n\n{definition} Also called: podagra. Gout is a kind of arthritis. Gout has the ICD-10-CM code {shown}."
    )
    assert found.tasks == (
        TaskText("qa", "Question: What is gout?\nAnswer:", f" {definition}"),
        TaskText("entities", "", "Disease: gout. Synonyms: podagra."),
        TaskText("relations", "", f"Gout is a kind of arthritis.\nGout has the ICD-10-CM code {shown}."),
    )
    assert found.key == "DOID:1"


def test_a_row_without_a_column_is_named(mirror: Mirror) -> None:
    row = term()
    del row["is_a"]
    mirror.put("disease-ontology", doid_definitions=[term(), row])
    with pytest.raises(UserError, match=r"doid_definitions\.jsonl, item 2: has no 'is_a', only 'id', "):
        FORMATS["disease-ontology", "terms"].read(0)


@pytest.mark.skipif(missing("disease-ontology") is not None, reason=missing("disease-ontology") or "at hand")
def test_the_real_terms_are_whole() -> None:
    read = FORMATS["disease-ontology", "terms"].read(0)
    assert len(read) == len({one.key for one in read}) == 5_718
    assert not any("has_material" in one.text for one in read)
