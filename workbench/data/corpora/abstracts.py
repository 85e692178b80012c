"""Abstracts and articles of PubMed, PubMed Central and the Medical Abstracts corpus.

None is a test item: of the ids that PubMedQA tests and validates with, and of Evidence Inference's validation and test
articles, the pinned files have none. The Medical Abstracts are those of that corpus's own test file, the only one to
be had, which no task of the workbench is scored on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from workbench.data.corpora.cleaning import clean, paragraphs, sentence
from workbench.data.corpora.parts import parts
from workbench.data.corpora.studies import named, task_texts
from workbench.data.corpora.wording import question
from workbench.data.example import Example, Format, TaskText
from workbench.data.items import Item, csv_items, json_items, require
from workbench.data.sources import path_of

FEWEST_WORDS = 20
_CHECK_TAGS = frozenset(
    {
        "Humans",
        "Animals",
        "Male",
        "Female",
        "Adult",
        "Middle Aged",
        "Aged",
        "Aged, 80 and over",
        "Young Adult",
        "Adolescent",
        "Child",
        "Child, Preschool",
        "Infant",
        "Infant, Newborn",
        "Time Factors",
        "Age Factors",
        "Sex Factors",
        "Methods",
    }
)
"""Headings of so many articles that they tell nothing of one."""
_HEADINGS = 3

_UNREAD = re.compile(
    r"(?i)(?:\d[\d.]* )?(?:competing|conflicts?|declarations?|disclosures?|"
    r"authors?['\u2019]?s? contribution|"
    r"contributors|abbreviations|pre-publication|supporting info|supplement|electronic supp|additional (?:file|info)|"
    r"acknowledg|"
    r"funding|sources? of (?:funding|support)|consent|availability|data availab|(?:clinical )?trial (?:regist|status)|"
    r"ethic\w* approval and consent|author details|provenance|references|list of abb|financial)"
)
_NUMBER = re.compile(r"^(?:\d+\.)+(?:\d+\.?)?\s+|^\d+\s+(?=[A-Z])")
_TITLE_END = re.compile(
    r"(?<=[a-z0-9)\]'\"])(?<!\bvs)(?<!\bsp)(?<!\bspp)(?<!\bSt)(?<!\bDr)[.?!](?=\s+[A-Z0-9(\"])"
    r"| (?=(?:STUDY )?(?:BACKGROUND|OBJECTIVES?|PURPOSE|AIMS?)\b|(?:This|We|The (?:authors?|purpose|aim|object)) [a-z])"
)
_TITLE_WORDS = 35


def _rows(source: str, file: str, columns: Sequence[str], filled: Sequence[str]) -> list[Item]:
    path = path_of(source, file)
    rows = csv_items(path) if file.endswith(".csv") else json_items(path)
    require(path, rows, columns, filled)
    return rows


def _example(title: str, abstract: Sequence[str], tasks: tuple[TaskText, ...], key: str) -> Example | None:
    """The abstract below its title; None where it is a trifle."""
    text = "\n".join(abstract)
    return Example("", f"{title}\n\n{text}", tasks, key) if len(text.split()) >= FEWEST_WORDS else None


def _present(found: Iterator[Example | None]) -> list[Example]:
    """The documents, each id and each text once."""
    unique: dict[str, Example] = {}
    for one in found:
        if one is not None:
            unique.setdefault(one.key, one)
    return list({one.text: one for one in reversed(unique.values())}.values())[::-1]


def _pubmed(seed: int) -> list[Example]:
    columns = ("pmid", "title", "abstract")
    rows = _rows("pubmed-abstracts", "pubmed_abstracts.jsonl", (*columns, "mesh"), columns)
    return _present(_of_pubmed(row) for row in rows)


def _of_pubmed(row: Item) -> Example | None:
    title, abstract = sentence(row["title"]), paragraphs(row["abstract"])
    return _example(title, abstract, (*task_texts(title, abstract), *_headings(row["mesh"])), str(row["pmid"]))


def _headings(mesh: Sequence[str]) -> tuple[TaskText, ...]:
    """What the library's indexers filed the article under, without what they file most articles under."""
    telling = [heading for heading in mesh if heading not in _CHECK_TAGS]
    return (TaskText("entities", "", f"MeSH headings: {'; '.join(telling)}."),) if len(telling) >= _HEADINGS else ()


def _pmc_abstracts(seed: int) -> list[Example]:
    columns = ("pmcid", "title", "abstract")
    return _present(_of_pmc(row) for row in _rows("pmc-oa-rct-ccby", "abstracts.jsonl", columns, columns))


def _of_pmc(row: Item) -> Example | None:
    title, abstract = sentence(row["title"]), paragraphs(row["abstract"])
    return _example(title, abstract, task_texts(title, abstract, last_concludes=True), row["pmcid"])


def _pmc_fulltexts(seed: int) -> list[Example]:
    columns = ("pmcid", "title", "body")
    rows = _rows("pmc-oa-rct-ccby", "fulltext.jsonl", (*columns, "abstract"), columns)
    return [part for row in rows for part in _article_parts(row)]


def _article_parts(row: Item) -> list[Example]:
    """The parts of an article's body; its abstract sums the first up, its conclusion the last."""
    title, abstract = sentence(row["title"]), paragraphs(row["abstract"])
    texts = [text for text in parts(title, body(row["body"])) if len(text.split()) >= FEWEST_WORDS]
    tasks: list[tuple[TaskText, ...]] = [() for _ in texts]
    if texts:
        tasks[-1] = task_texts(title, abstract, last_concludes=True)
        if abstract:
            tasks[0] = (TaskText("summary", "", named(title, "\n".join(abstract))), *(tasks[0]))
    return [Example("", text, told, row["pmcid"]) for text, told in zip(texts, tasks, strict=True)]


def body(text: str) -> str:
    """The sections of an article that its readers read, each below its heading, the number taken off."""
    lines = []
    read = True
    for line in text.split("\n"):
        if line.startswith("## "):
            heading = _NUMBER.sub("", clean(line[3:])).rstrip(".:")
            read = not _UNREAD.match(heading)
            if read and heading:
                lines.append(f"\n{heading}")
        elif read and (cleaned := clean(line)):
            lines.append(cleaned)
    return "\n".join(lines).strip()


def _medical(seed: int) -> list[Example]:
    label, name, text = "condition_label", "condition_name", "medical_abstract"
    names = {
        row[label]: row[name] for row in _rows("medical-abstracts-tc", "medical_tc_labels.csv", (label, name), (name,))
    }
    kinds: dict[str, list[str]] = {}
    first: dict[str, int] = {}
    for at, row in enumerate(_rows("medical-abstracts-tc", "medical_tc_test.csv", (label, text), (label, text)), 1):
        kinds.setdefault(row[text], []).append(names[row[label]])
        first.setdefault(row[text], at)
    return _present(_of_medical(one, kinds[one], f"row-{first[one]}") for one in kinds)


def _of_medical(text: str, kinds: Sequence[str], key: str) -> Example | None:
    """An abstract that begins with its title; one filed under two labels stands in the file twice.

    Where the end of the title cannot be told there is no task data.
    """
    line = clean(text)
    end = _TITLE_END.search(line)
    if end is None or len(line[: end.end()].split()) > _TITLE_WORDS:
        return Example("", line, (), key) if len(line.split()) >= FEWEST_WORDS else None
    title, abstract = sentence(line[: end.end()]), [line[end.end() :].strip()]
    asked = question(f"Which kind of condition is the article '{title.rstrip('.')}' about?", f"{' and '.join(kinds)}.")
    whole = "ABSTRACT TRUNCATED" not in text
    return _example(title, abstract, (*(task_texts(title, abstract) if whole else ()), asked), key)


FORMATS: dict[tuple[str, str], Format] = {
    ("pubmed-abstracts", "abstracts"): Format(_pubmed, ("pubmed_abstracts.jsonl",)),
    ("pmc-oa-rct-ccby", "abstracts"): Format(_pmc_abstracts, ("abstracts.jsonl",)),
    ("pmc-oa-rct-ccby", "fulltexts"): Format(_pmc_fulltexts, ("fulltext.jsonl",)),
    ("medical-abstracts-tc", "abstracts"): Format(_medical, ("medical_tc_test.csv", "medical_tc_labels.csv")),
}
