"""The PubMed expert's corpora on tiny files written here; the mirror's own are checked for test items."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from workbench.data.catalogue import SOURCES
from workbench.data.corpora import abstracts, annotated
from workbench.data.corpora.cleaning import clean, is_notice, sentence
from workbench.data.corpora.conclusions import aim, conclusion
from workbench.data.corpora.pubmed_sources import SOURCES_PUBMED
from workbench.data.corpora.studies import task_texts
from workbench.data.example import Example
from workbench.data.source import Source
from workbench.errors import UserError

Put = Callable[[str, str, Any], None]
MIRROR = Path(os.environ.get("WORKBENCH_MIRROR", "/nowhere"))
FORMATS = {**abstracts.FORMATS, **annotated.FORMATS}
TALK = "Thirty bakers with a sore thumb wore either a soft glove or none at all during six weeks of kneading dough."
FOUND = "A soft glove makes the thumbs of bakers less sore within six weeks."


def read(source: str, format: str = "abstracts") -> list[Example]:
    return FORMATS[source, format].read(0)


def told(one: Example, kind: str) -> list[str]:
    return [task.text for task in one.tasks if task.kind == kind]


def article(pmid: str, abstract: str, title: str = "Gloves for bakers.", mesh: Iterable[str] = ()) -> dict[str, Any]:
    return {"pmid": pmid, "title": title, "abstract": abstract, "mesh": list(mesh)}


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("As shown [ , ] before (Table , Fig. ), it &lt; 5 %.", "As shown before, it < 5 %."),
        ("It fell (P = 0.01; Table ) twice (, n = 3) [].", "It fell (P = 0.01) twice (n = 3)."),
        ("<p>Two\u00adfold\u200b rise .</p>", "Twofold rise."),
        ("It rose. Copyright © 2020 A Press. All rights reserved.", "It rose."),
        ("It rose.(ABSTRACT TRUNCATED AT 250 WORDS)", "It rose."),
        ("It rose.. ", "It rose."),
        ("Group (c) of f(x) and [3H]-naloxone", "Group (c) of f(x) and [3H]-naloxone"),
    ],
)
def test_what_is_no_text_goes(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@pytest.mark.parametrize(
    ("line", "notice"),
    [
        ("Trial registration: NCT00000000.", True),
        ("ISRCTN12345678, registered on May 1, 2001.", True),
        ("The online version of this article (doi:10.1/x) contains supplementary material.", True),
        ("KEY WORDS: thumb; dough", True),
        ("Registered nurses felt as safe with the glove as without it.", False),
        (
            "The number of trials registered at ClinicalTrials.gov grew by half in ten years, and " + "it grew " * 9,
            False,
        ),
        (FOUND, False),
    ],
)
def test_notices(line: str, notice: bool) -> None:
    assert is_notice(line) is notice


def test_a_title_ends_like_a_sentence() -> None:
    assert sentence("Gloves for\nbakers") == "Gloves for bakers."
    assert sentence("[Gloves for bakers].") == "Gloves for bakers."
    assert sentence("[18F] glows?") == "[18F] glows?"


@pytest.mark.parametrize(
    "abstract",
    [
        ["BACKGROUND: Thumbs hurt.", f"CONCLUSIONS: {FOUND}", "FUNDING: None at all, as we had no money for it."],
        [f"AIM: To see. RESULTS: Less. Conclusions and Relevance: {FOUND} Trial Registration: NCT1"],
        [f"Thumbs hurt. Conclusion {FOUND}"],
        [f"Thumbs hurt. CONCLUSIONS. {FOUND}"],
        [f"Thumbs hurt. CONCLUSIONS {FOUND} CLINICAL RELEVANCE Bakers need thumbs."],
        ["Thumbs hurt.", f"INTERPRETATION: {FOUND}"],
        ["Thumbs hurt.", f"Results: Less. Discussion: {FOUND}"],
    ],
)
def test_labelled_conclusions(abstract: list[str]) -> None:
    assert conclusion(abstract) == FOUND


@pytest.mark.parametrize(
    "concluding",
    [
        "In conclusion, gloves make the thumbs of bakers less sore.",
        "We conclude that gloves make the thumbs of bakers less sore.",
        "It was therefore concluded that gloves help bakers.",
        "These results suggest that a glove helps. It is cheap as well.",
        "Thus, gloves make the thumbs of bakers less sore.",
        "This indicates that gloves make thumbs less sore.",
    ],
)
def test_concluding_sentences(concluding: str) -> None:
    assert conclusion([f"{TALK} Thumbs of E. coli vs. P. acnes differed. {concluding}"]) == concluding


@pytest.mark.parametrize(
    "last",
    [
        "This was confirmed by an examination of all thumbs in May.",  # a result
        "Thus, it makes the thumbs of bakers less sore.",  # what does?
        "Conclusion: It helps.",  # too short to be of use
        "CONCLUSION: This paper aims to say what a glove can do for a baker.",
        "Bakers with gloves had thumbs that were less sore.",
    ],
)
def test_no_conclusion(last: str) -> None:
    assert conclusion([f"{TALK} {last}"]) == ""


def test_the_last_of_three_paragraphs_concludes_where_labels_were_dropped() -> None:
    assert conclusion([TALK, "Thumbs hurt less.", FOUND], last_concludes=True) == FOUND
    assert conclusion([TALK, "Thumbs hurt less.", FOUND]) == ""
    assert conclusion([TALK, FOUND], last_concludes=True) == ""


@pytest.mark.parametrize(
    ("said", "aimed"),
    [
        ("OBJECTIVE: To compare a soft glove with a hard one. METHODS: Two.", "compare a soft glove with a hard one"),
        ("The aim of this study was to test whether soft gloves help bakers.", "test whether soft gloves help bakers"),
        ("Thumbs hurt. We sought to find out whether gloves help bakers.", "find out whether gloves help bakers"),
        ("This randomised trial aims to find out whether gloves help bakers.", "find out whether gloves help bakers"),
        ("The aim of this study was to test whether it helps the bakers.", ""),  # what?
        ("To knead is hard.", ""),
    ],
)
def test_aims(said: str, aimed: str) -> None:
    assert aim([said]) == aimed


def test_tasks_of_a_study() -> None:
    abstract = ["AIM: To compare a soft glove with none in bakers.", f"CONCLUSION: {FOUND}"]
    summary, asked, set_out = task_texts("Do gloves help tired bakers? A trial.", abstract)
    assert summary.text == f"Do gloves help tired bakers? A trial. {FOUND}"
    assert asked.text == f"Question: Do gloves help tired bakers?\nAnswer: {FOUND}"
    assert set_out.prompt == (
        "Question: A study set out to compare a soft glove with none in bakers. What did it conclude?\nAnswer:"
    )
    assert set_out.completion == f" {FOUND}"
    assert [one.kind for one in task_texts("Do gloves help bakers? A study protocol.", abstract)] == ["summary"]
    planned = [abstract[0], "CONCLUSION: The study will tell bakers whether gloves help."]
    assert [one.kind for one in task_texts("Gloves.", planned)] == ["summary"]
    assert task_texts("Do gloves help tired bakers?", [TALK]) == ()


def test_pubmed_abstracts(put: Put) -> None:
    mesh = ["Humans", "Male", "Thumb", "Gloves, Protective", "Bread"]
    rows = [
        article("7", f"BACKGROUND: {TALK}\nCONCLUSION: {FOUND}\nTRIAL REGISTRATION: NCT1.", mesh=mesh),
        article("8", TALK, mesh=["Humans", "Thumb", "Bread"]),
        article("9", "Too short."),
        article("7", TALK),  # the same id again
        article("10", TALK),  # the same text again
    ]
    put("pubmed-abstracts", "pubmed_abstracts.jsonl", rows)
    found = read("pubmed-abstracts")
    assert [one.key for one in found] == ["7", "8"]
    assert found[0].text == f"Gloves for bakers.\n\nBACKGROUND: {TALK}\nCONCLUSION: {FOUND}"
    assert found[0].prompt == ""
    assert told(found[0], "entities") == ["MeSH headings: Thumb; Gloves, Protective; Bread."]
    assert told(found[0], "summary") == [f"Gloves for bakers. {FOUND}"]
    assert found[1].tasks == ()


def test_a_row_without_its_column_is_named(put: Put) -> None:
    put("pubmed-abstracts", "pubmed_abstracts.jsonl", [{"pmid": "7", "title": "Gloves", "mesh": []}])
    with pytest.raises(UserError, match=r"pubmed_abstracts\.jsonl, item 1: has no 'abstract'"):
        read("pubmed-abstracts")


def test_full_texts_in_parts(put: Put) -> None:
    sections = {
        "1. Introduction": TALK,
        "2.1. The glove": "\n".join([TALK] * 60),
        "Competing interests": "We sell gloves.",
        "Authors\u2019 contributions": "All of us kneaded.",
        "Conclusion": TALK,
    }
    body = "\n".join(f"## {heading}\n{text}" for heading, text in sections.items())
    row = {"pmcid": "PMC1", "title": "Gloves", "abstract": f"Thumbs hurt.\n{TALK}\n{FOUND}", "body": body}
    put("pmc-oa-rct-ccby", "fulltext.jsonl", [row])
    first, last = read("pmc-oa-rct-ccby", "fulltexts")
    assert {first.key, last.key} == {"PMC1"}
    assert first.text.startswith(f"Gloves.\n\nIntroduction\n{TALK}\n\nThe glove\n")
    assert last.text.endswith(f"\n\nConclusion\n{TALK}")
    assert last.text.startswith("Gloves.\n\n")
    whole = first.text + last.text
    assert whole.count(TALK) == 62
    assert "sell" not in whole
    assert "kneaded" not in whole
    assert told(first, "summary") == [f"Gloves. Thumbs hurt.\n{TALK}\n{FOUND}"]
    assert told(last, "summary") == [f"Gloves. {FOUND}"]


def test_pmc_abstracts(put: Put) -> None:
    text = f"{TALK}\nThumbs hurt less.\n{FOUND}\nISRCTN12345678"
    put("pmc-oa-rct-ccby", "abstracts.jsonl", [{"pmcid": "PMC1", "title": "Gloves", "abstract": text}])
    [one] = read("pmc-oa-rct-ccby")
    assert one.text == f"Gloves.\n\n{TALK}\nThumbs hurt less.\n{FOUND}"
    assert told(one, "summary") == [f"Gloves. {FOUND}"]


def test_medical_abstracts_with_their_kinds_of_condition(put: Put) -> None:
    named = ["neoplasms", "digestive system diseases"]
    labels = [{"condition_label": str(at), "condition_name": name} for at, name in enumerate(named, 1)]
    put("medical-abstracts-tc", "medical_tc_labels.csv", labels)
    texts = [
        ("1", f"Gloves vs. rings in bakers. {TALK} We conclude that gloves help bakers more than rings. "),
        (
            "2",
            f"Gloves in cooks This study was done in May. {TALK} In conclusion, cooks like their (ABSTRACT TRUNCATED)",
        ),
        ("2", f"Gloves vs. rings in bakers. {TALK} We conclude that gloves help bakers more than rings. "),
        ("1", f"{'no end ' * 20} and none here. {TALK}"),
    ]
    rows = [{"condition_label": label, "medical_abstract": text} for label, text in texts]
    put("medical-abstracts-tc", "medical_tc_test.csv", rows)
    bakers, cooks, endless = read("medical-abstracts-tc")
    assert [one.key for one in (bakers, cooks, endless)] == ["row-1", "row-2", "row-4"]
    assert bakers.text.startswith(f"Gloves vs. rings in bakers.\n\n{TALK}")
    assert told(bakers, "qa") == [
        "Question: Which kind of condition is the article 'Gloves vs. rings in bakers' about?\n"
        "Answer: neoplasms and digestive system diseases."
    ]
    assert told(bakers, "summary") == [
        "Gloves vs. rings in bakers. We conclude that gloves help bakers more than rings."
    ]
    assert cooks.text.startswith("Gloves in cooks.\n\nThis study was done in May.")
    assert told(cooks, "summary") == []  # its conclusion is cut
    assert endless.tasks == ()


LONG = "It was seen in a child who had taken it for a week, and in her brother, who had taken it for two."
PUBTATOR = f"""\
21|t|Severe rash from bromatin.
21|a|{LONG}
21\t7\t11\trash\tDisease\tD1
21\t17\t25\tbromatin\tChemical\tC1
21\tCID\tC1\tD1

22|t|A case report from the north.
22|a|Cassidine (CD), or cassidine, made two sleepers Hypertensive. Hypertension went. Bromatin did not. {LONG}
22\t30\t39\tCassidine\tChemical\tC2
22\t41\t43\tCD\tChemical\tC2
22\t49\t58\tcassidine\tChemical\tC2
22\t78\t90\tHypertensive\tDisease\tD2
22\t92\t104\thypertension\tDisease\tD2
22\t111\t119\tBromatin\tChemical\tC1
22\t111\t119\tdust\tChemical\t-1
22\tCID\tC2\tD2
22\tCID\tC2\tD1

23|t|The north once more.
23|a|
"""


def test_bc5cdr_without_what_a_topic_asks_about(put: Put) -> None:
    put("bc5cdr", "CDR_TrainingSet.PubTator.txt", PUBTATOR)
    put(
        "bc5cdr",
        "CDR_DevelopmentSet.PubTator.txt",
        "24|t|Hypertension.\n24|a|" + LONG + "\n24\t0\t12\thypertension\tDisease\tD2\n",
    )
    case, plain = read("bc5cdr")  # 21's title is a question of the medication topic; 23 has no abstract
    assert (case.key, plain.key) == ("22", "24")
    assert case.text.startswith("A case report from the north.\n\nCassidine (CD), or")
    assert told(case, "entities") == ["Chemicals: cassidine, bromatin, dust. Diseases: Hypertensive."]
    assert told(case, "relations") == ["Cassidine induces hypertension. Cassidine induces rash."]
    assert told(case, "qa") == ["Question: Which adverse effects can cassidine have?\nAnswer: Hypertension, rash."]
    assert told(plain, "entities") == ["Diseases: hypertension."]
    assert told(plain, "relations") == []


def test_ncbi_disease(put: Put) -> None:
    text = f"31|t|Thumb rot.\n31|a|It was 7. 8% of all. Then 9. 10 were well.. {LONG}\n"
    text += "31\t0\t9\tThumb rot\tSpecificDisease\tD3\n"
    put("ncbi-disease", "NCBItrainset_corpus.txt", f"\n{text}\n{text}")  # upstream has one article twice
    put("ncbi-disease", "NCBIdevelopset_corpus.txt", "")
    [one] = read("ncbi-disease")
    assert one.text == f"Thumb rot.\n\nIt was 7.8% of all. Then 9. 10 were well. {LONG}"
    assert told(one, "entities") == ["Diseases: Thumb rot."]


def test_the_formats_read_files_that_their_sources_have() -> None:
    files = {source.name: {file.name for file in source.files} for source in SOURCES_PUBMED}
    files["bc5cdr"] = {file.name for file in SOURCES["bc5cdr"].files}
    for (source, _), format in FORMATS.items():
        assert format.files
        assert set(format.files) <= files[source]
        assert not any("test" in name.lower() for name in format.files if source != "medical-abstracts-tc")


@pytest.mark.parametrize("source", SOURCES_PUBMED, ids=lambda source: source.name)
def test_the_checksums_are_those_of_the_mirror(source: Source) -> None:
    for file in source.files:
        path = MIRROR / source.name / file.name
        if not path.is_file():
            pytest.skip(f"{path} is not on this machine")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


def test_no_document_of_the_mirror_is_a_test_item() -> None:
    needed = {
        name: MIRROR / name
        for name in (
            "pubmedqa/ori_pqal.json",
            "evidence-inference/evidence_inference_v2.jsonl",
            "pubmed-abstracts/pubmed_abstracts.jsonl",
            "pmc-oa-rct-ccby/abstracts.jsonl",
            "pmc-oa-rct-ccby/fulltext.jsonl",
        )
    }
    for path in needed.values():
        if not path.is_file():
            pytest.skip(f"{path} is not on this machine")
    asked, trials, *corpora = needed.values()
    rows = [
        json.loads(line) for path in (trials, *corpora) for line in path.read_text(encoding="utf-8").split("\n") if line
    ]
    tested = {f"PMC{row['pmcid']}" for row in rows if row.get("split") in ("validation", "test")}
    ids = {str(row.get("pmid") or row["pmcid"]) for row in rows if "abstract" in row}
    assert len(tested) == 167
    assert len(ids) > 10_000
    assert not ids & tested
    assert not ids & json.loads(asked.read_text(encoding="utf-8")).keys()
