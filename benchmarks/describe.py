"""The table of tasks in benchmarks/README.md, made of the tasks' own declarations.

    python benchmarks/describe.py            # print it
    python benchmarks/describe.py --write    # put it into README.md, between its marks

Shots, metrics and versions are read from the tasks' YAML, chance levels and sources from the suites, licences from the
catalogue of sources. Numbers of items stand in ITEMS, because data that are not on a machine cannot be counted there;
a test counts what is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workbench.data.catalogue import SOURCES

HERE = Path(__file__).parent
START, END = "<!-- tasks: made by benchmarks/describe.py -->", "<!-- /tasks -->"


@dataclass(frozen=True)
class Items:
    """What a task asks, and how many items its validation and test forms have (None: it has no such form)."""

    task: str
    asks: str
    validation: int | None
    test: int | None
    sources: tuple[str, ...] = ()
    chance: float | None = None
    """Of a task in no suite; the others have theirs there."""


GROUPS: Mapping[str, tuple[Items, ...]] = {
    "CLUE+, as the paper asks it": (
        Items("mednli", "does one sentence of a history follow from another", None, 1419, ("mednli",)),
        Items("pls", "the problems behind a hospital stay, from its notes", None, 234, ("pls",)),
        Items("meqsum", "a consumer's health question in one short question", None, 997, ("meqsum",)),
        Items("longhealth", "questions on a patient's letters, in three tasks", None, 6000, ("longhealth",)),
        Items("medisumqa", "a patient's questions on a discharge letter", None, 452, ("medisumqa",)),
        Items("medisumcode", "the ICD-10 codes of a discharge letter", None, 499, ("medisumcode",)),
        Items("rrs_qa", "questions on the findings of a radiology report", None, 600, ("rrs-qa",)),
        Items("medicationqa", "a consumer's question on a drug (raw pairs)", None, 660, ("medicationqa",)),
        Items("medec", "which sentence holds a medical error, -1 for none", 572, 597, ("medec-ms",)),
        Items(
            "medec_correction",
            "error or not, which sentence, corrected (MEDIQA-CORR's form, not CLUE+'s)",
            572,
            597,
            ("medec-ms",),
        ),
        Items("aci_bench", "the note of a visit from its dialogue", 20, 120, ("aci-bench",)),
        Items("sdoh", "social determinants as JSON", None, 369, ("shac",)),
        Items("icd10cm_clue", "the description of an ICD-10-CM code, a letter asked for", None, 3000, ("icd10cm",)),
    ),
    "Stand-ins from open data": (
        Items("open_nli", "MedNLI's stand-in: a trial's result, from its evidence", 174, 204, ("evidence-inference",)),
        Items(
            "open_problem_list", "PLS's: the problems of a visit, from the rest of its note", 19, 115, ("aci-bench",)
        ),
        Items(
            "open_long_documents",
            "LongHealth's: orders given in one of 4 or 5 visits",
            100,
            250,
            ("aci-bench", "primock57", "mediqa-oe"),
        ),
        Items(
            "open_long_documents_short",
            "the same, two visits of at most 700 words",
            100,
            218,
            ("aci-bench", "primock57", "mediqa-oe"),
        ),
        Items(
            "open_patient_instructions", "MeDiSumQA's: instructions, from the rest of a note", 11, 63, ("aci-bench",)
        ),
        Items("open_coding", "MeDiSumCode's: the ICD-10 codes of a case report", 100, 250, ("codiesp-en",)),
        Items("open_results_qa", "RRS QA's: which results belong to a visit", 21, 103, ("aci-bench", "mts-dialog")),
        Items("open_social_history", "SDoH's: does a statement follow from a history", 344, 364, ("sdoh-nli",)),
    ),
    "Examinations, MedSwin's benchmark, perplexity": (
        Items("medqa", "USMLE questions", None, 1273, ("mirage",)),
        Items("medqa_cloze", "the same, options scored as text", None, 1273, ("mirage",), 0.25),
        Items("medmcqa", "Indian entrance examinations", None, 4183, ("mirage",)),
        Items("mmlu_medical", "six medical subjects of MMLU", None, 1089, ("mirage",)),
        Items("pubmedqa", "yes, no or maybe from an abstract", 100, 500, ("pubmedqa",)),
        Items("medquad", "consumer health questions, MedSwin's benchmark", None, 5000, ("medquad",)),
        Items("clinical_notes_perplexity", "how well visit notes are predicted", 20, 40, ("aci-bench",)),
        Items(
            "text_pubmed",
            "held-out text of a domain: abstracts and articles",
            60,
            None,
            ("pubmed-abstracts", "pmc-oa-rct-ccby", "bc5cdr", "ncbi-disease"),
        ),
        Items(
            "text_clinical", "visits and case reports", 60, None, ("aci-bench", "mts-dialog", "primock57", "codiesp-en")
        ),
        Items("text_medwiki", "encyclopaedic pages", 60, None, ("medquad", "openstax-health", "disease-ontology")),
        Items(
            "text_guidelines",
            "guidelines",
            32,
            None,
            ("nstg2022", "ngc-uspd", "medquad", "cdc-mmwr-supplements", "openstax-health"),
        ),
        Items("text_medcode", "pages of the code tables", 38, None, ("icd10pcs",)),
    ),
    "Mini": (
        Items("mini_nli", "does a hypothesis follow from a clinical premise (MedNLI's form)", 30, 40),
        Items("mini_problem_list", "the problems that led to a hospital stay, from a note (PLS's form)", 24, 44),
        Items("mini_question_summary", "a patient's message as one short question (MeQSum's form)", 30, 40),
        Items("mini_long_documents", "one patient, five or six documents, five options (LongHealth's form)", 30, 50),
        Items(
            "mini_discharge_qa", "a patient's question on a discharge letter, in lay words (MeDiSumQA's form)", 24, 43
        ),
        Items("mini_coding", "the ICD-10-CM codes of a discharge text (MeDiSumCode's form)", 24, 46),
        Items("mini_radiology_qa", "a question on a report's findings (RRS QA's form)", 30, 40),
        Items("mini_medication_qa", "a consumer's question on a drug (MedicationQA's form)", 30, 40),
        Items("mini_error_detection", "which sentence holds a medical error, -1 for none (MEDEC's form)", 30, 40),
        Items("mini_visit_note", "a visit's dialogue as a note (ACI-Bench's form)", 26, 40),
        Items("mini_social_history", "spans of social determinants as JSON (SDoH's form)", 30, 40),
        Items("mini_notes_perplexity", "how well clinical notes are predicted", 16, 24),
        Items("icd10cm", "the description of an ICD-10-CM code, options scored as text", 180, 180, ("icd10cm",)),
        Items("icd10cm_heldout_easy", "the same, on codes for corpora to leave out", None, 200, ("icd10cm",), 0.25),
        Items("icd10cm_heldout_medium", "the same, medium", None, 200, ("icd10cm",), 0.25),
        Items("icd10cm_heldout_hard", "the same, hard", None, 200, ("icd10cm",), 0.25),
        Items(
            "icd10cm_letters_easy", "the same questions as icd10cm's, a letter asked for", 60, 60, ("icd10cm",), 0.25
        ),
        Items("icd10cm_letters_medium", "the same, medium", 60, 60, ("icd10cm",), 0.25),
        Items("icd10cm_letters_hard", "the same, hard", 60, 60, ("icd10cm",), 0.25),
    ),
    "Topics to choose by (validation only)": (
        Items("topic_clinical_case", "clinical cases", 180, None, ("medec-ms",)),
        Items(
            "topic_clinical_knowledge", "clinical knowledge, from ICD-10-CM's tree and notes", 400, None, ("icd10cm",)
        ),
        Items("topic_medication", "drugs and diseases", 320, None, ("bc5cdr",)),
        Items("topic_icd10cm_definitions", "ICD-10-CM code definitions", 400, None, ("icd10cm",)),
        Items("topic_radiology_report", "radiology captions", 366, None, ("roco-ccby-captions",)),
        Items("topic_clinical_nli", "clinical inference", 333, None, ("sdoh-nli", "evidence-inference")),
        Items("topic_discharge_qa", "questions on letters", 216, None, ("aci-bench",)),
        Items("topic_discharge_codes", "codes of a letter", 400, None, ("icd10cm",)),
        Items("topic_problem_list", "problem lists", 400, None, ("aci-bench", "codiesp-en")),
        Items("topic_inquiry_summary", "summaries of patients' inquiries", 306, None, ("rqe-amia2016",)),
        Items("topic_consultation_qa", "consultations", 262, None, ("mts-dialog",)),
        Items("topic_ehr_documents_qa", "several documents of a record", 205, None, ("aci-bench",)),
    ),
}
ITEMS = tuple(items for group in GROUPS.values() for items in group)


def declared(name: str) -> Mapping[str, Any]:
    """A task's or group's YAML with what it includes."""
    for path in sorted((HERE / "tasks").glob("*/*.yaml")):
        if path.stem == name:
            return _included(path)
    raise FileNotFoundError(f"benchmarks/tasks/*/{name}.yaml")


class _Loader(yaml.SafeLoader):
    """Reads `!function x.y` as the text x.y."""


_Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


def _included(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    include = found.pop("include", None)
    return {**_included(path.parent / include), **found} if include else found


def table() -> str:
    """The tables as Markdown: the tasks of every group, and the sources of their data."""
    titles = ("task", "asks", "data", "n validation / test", "shots", "score (others)", "chance", "version")
    parts = [f"### {head}\n\n{_markdown(titles, map(_cells, group))}" for head, group in GROUPS.items()]
    used = sorted({source for items in ITEMS for source in items.sources})
    sources = _markdown(("source", "licence", "attribution", "how to get it"), map(_source, used))
    return "\n\n".join([*parts, f"### Sources\n\n{sources}"])


def _markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(
        [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}", *(f"| {' | '.join(row)} |" for row in rows)]
    )


def _cells(items: Items) -> tuple[str, ...]:
    name = items.task if items.test is not None else f"{items.task}_validation"
    task = declared(name)
    suites = _suites().get(name, {})
    metrics = [one["metric"] for one in task.get("metric_list") or task["aggregate_metric_list"]]
    first = suites.get("metric", metrics[0])
    others = [metric for metric in metrics if metric not in (first, "empty", "unparsable")]
    chance = suites.get("chance", items.chance)
    return (
        f"`{items.task}`",
        items.asks,
        ", ".join(items.sources) or "original, CC0",
        " / ".join("-" if n is None else f"{n:,}" for n in (items.validation, items.test)),
        str((declared(task["task"][0]) if "group" in task else task).get("num_fewshot", 0)),
        f"{first} ({', '.join(others)})" if others else first,
        "-" if chance is None else f"{chance:.3f}".rstrip("0"),
        str(task["metadata"]["version"]),
    )


def _source(name: str) -> tuple[str, ...]:
    source = SOURCES[name]
    if source.package:
        how = f"carried by {source.package}"
    elif all(file.addresses for file in source.files):
        how = f"`workbench fetch {name}`"
    else:
        how = str(source.obtain)
    return name, source.licence, source.attribution, how


def _suites() -> dict[str, dict[str, Any]]:
    """The entry of every task in a suite, by task."""
    return {entry["task"]: entry for entry in _entries()}


def _entries() -> Iterator[dict[str, Any]]:
    for path in sorted((HERE / "suites").glob("*.yaml")):
        yield from yaml.safe_load(path.read_text(encoding="utf-8"))["tasks"]


def page() -> str:
    """benchmarks/README.md with the table of today."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    before, rest = text.split(START)
    return f"{before}{START}\n{table()}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md")
    if parser.parse_args().write:
        (HERE / "README.md").write_text(page(), encoding="utf-8")
    else:
        print(table())


if __name__ == "__main__":
    main()
