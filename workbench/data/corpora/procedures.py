"""What the MedCode expert reads of ICD-10-PCS: guidelines, what its terms mean, and the alphabetic index.

Raises DataMissing for a file that is not at hand, UserError for one that is not as these readers expect it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.data.corpora.codes import NAMED, PAGE_WORDS, one_line, running
from workbench.data.corpora.wording import capital, question
from workbench.data.example import Example, Format, TaskText
from workbench.data.items import Item, json_items, require
from workbench.data.sources import path_of

SECTIONS = {"0": "Medical and Surgical", "1": "Obstetrics"}
VALUES = {"root_operation": "root operation", "approach": "approach"}
BODY_SYSTEM = ("section", "code", "definition")

_BOLD = re.compile(r"\*\*([^*]*)\*\*")


def _pages(seed: int) -> list[Example]:
    """ICD-10-PCS: a document a guideline, root operation and approach, one of the body systems, pages of the index.

    Some hold fewer than 20 words and are read all the same: a definition is short.
    """
    values = (page for table, kind in VALUES.items() for page in _values(table, kind))
    return [*_guidelines(), *values, _body_systems(), *_index()]


def _rows(table: str, *columns: str) -> list[Item]:
    path = path_of("icd10pcs", f"pcs_{table}.jsonl")
    rows = json_items(path)
    require(path, rows, columns, filled=columns[:2])
    return rows


def _guidelines() -> Iterator[Example]:
    for row in _rows("guidelines", "idx", "content", "section", "type"):
        text = "\n".join(one_line(_BOLD.sub(r"\1", line)) for line in row["content"].split("\n"))
        about = row["section"] if row["type"] in (row["section"], "General Guidelines") else row["type"]
        title = f"ICD-10-PCS guideline {row['idx']}, {one_line(about).replace('Mutliple', 'Multiple').lower()}"
        rule = one_line(re.split(r"\bExamples?:", text)[0])
        tasks = [TaskText("summary", "", f"{title}: {rule}"), question(f"What is {title}?", rule)] if rule else []
        yield Example("", f"{title}\n{text}", tuple(tasks), f"guideline-{row['idx']}")


def _values(table: str, kind: str) -> Iterator[Example]:
    """Root operations or approaches, with what they mean and, for some of the former, examples."""
    for row in _rows(table, "value", "definition", "section", "code"):
        section, name, means = SECTIONS[row["section"]], row["value"], one_line(row["definition"])
        examples = [one for one in re.split(r",\s+", row.get("examples") or "") if one]
        lines = [f"ICD-10-PCS {kind} {name}, character {row['code']}, section {section}", f"Definition: {means}."]
        lines += [f"Explanation: {one_line(row['explanation'])}."] if row.get("explanation") else []
        lines += [f"Examples: {', '.join(examples)}."] if examples else []
        where = f"in the section {section} of ICD-10-PCS"
        tasks = [
            TaskText("summary", "", f"The {kind} {name} {where} means: {running(means)}."),
            question(f"Which {kind} {where} is defined as follows? {means}.", name),
            question(f"What does the {kind} {name} mean {where}?", means),
            question(f"Which character stands for the {kind} {name} {where}?", row["code"]),
        ]
        tasks += [TaskText("entities", "", f"Procedures: {'; '.join(examples)}.")] if examples else []
        tasks += [TaskText("relations", "", f"{capital(one)} is an example of the {kind} {name}.") for one in examples]
        yield Example("", "\n".join(lines), tuple(tasks), f"{table}-{row['section']}{row['code']}")


def _body_systems() -> Example:
    """One document of all body systems, for a line is none."""
    rows = [(SECTIONS[row["section"]], row["code"], row["definition"]) for row in _rows("body_system", *BODY_SYSTEM)]
    lines = ["ICD-10-PCS body systems, the second character of a code"]
    lines += [f"Section {section}, character {code}: {name}." for section, code, name in rows]
    asked = "Which character stands for the body system {name} in the section {section} of ICD-10-PCS?"
    tasks = [question(asked.format(name=name, section=section), code) for section, code, name in rows]
    tasks.append(TaskText("entities", "", f"Body systems: {'; '.join(name for _, _, name in rows)}."))
    return Example("", "\n".join(lines), tuple(tasks), "body-systems")


@dataclass(frozen=True)
class Term:
    """An entry of the index: "use" another name, "see" another entry, or "code" with the beginning of its codes."""

    name: str
    how: str
    target: str

    @property
    def line(self) -> str:
        """As it stands on a page."""
        return f"{self.name}: {self.target}." if self.how == "code" else f"{self.name}: {self.how} {self.target}."

    @property
    def question(self) -> tuple[str, str]:
        """What the index says of it."""
        asked = {
            "use": f"Which term does ICD-10-PCS use for {self.name}?",
            "see": f"Where does the ICD-10-PCS index send the coder for {self.name}?",
            "code": f"How do the ICD-10-PCS codes of {self.name} begin?",
        }
        return asked[self.how], self.target

    @property
    def relation(self) -> str:
        """The same as a sentence."""
        said = {
            "use": "is coded in ICD-10-PCS as",
            "see": "is indexed in ICD-10-PCS under",
            "code": "has ICD-10-PCS codes that begin with",
        }
        return f"{self.name} {said[self.how]} {self.target}."


def terms_of(name: str, content: str) -> Iterator[Term]:
    """The lines of an entry; what stands further in by a tab belongs to the line above ("Vein, Pulmonary, Right")."""
    path: list[str] = [one_line(name)]
    for line in content.split("\n"):
        text = one_line(_BOLD.sub(r"(\1)", line).replace("(continued)", ""))
        depth = len(line) - len(line.lstrip("\t"))
        if not text:
            continue
        del path[depth + 1 :]
        if pointed := re.fullmatch(r"(use|see) (?:also )?(.+)", text):
            yield Term(", ".join(path), pointed[1], pointed[2])
        elif coded := re.fullmatch(r"(.*?) ?\(([0-9A-Z]+)\)", text):
            yield Term(", ".join([*path, coded[1]] if coded[1] else path), "code", coded[2])
        path.append(text.partition(" (")[0])


def _index() -> Iterator[Example]:
    """The alphabetic index, as many entries a page as hold PAGE_WORDS words."""
    pages: list[list[Term]] = [[]]
    for row in _rows("index", "term", "content"):
        for term in terms_of(row["term"], row["content"]):
            if sum(len(one.line.split()) for one in pages[-1]) >= PAGE_WORDS:
                pages.append([])
            pages[-1].append(term)
    for number, page in enumerate(pages):
        title = f"ICD-10-PCS index, from {page[0].name} to {page[-1].name}"
        some = "; ".join(one.line.rstrip(".") for one in page[:NAMED])
        tasks = [TaskText("summary", "", f"{title}, has {len(page)} entries, among them these. {some}.")]
        tasks += [question(*one.question) for one in page]
        tasks += [TaskText("relations", "", one.relation) for one in page]
        yield Example("", "\n".join((title, *(one.line for one in page))), tuple(tasks), f"index-{number}")


FILES = tuple(f"pcs_{table}.jsonl" for table in ("guidelines", *VALUES, "body_system", "index"))

FORMATS: dict[tuple[str, str], Format] = {("icd10pcs", "pages"): Format(_pages, FILES)}
