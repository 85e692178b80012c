"""Sections of OpenStax textbooks: running text, the summary and the key terms that a section ends with.

Figures and exercises are gone from the source; their empty references and headings go here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from workbench.data.corpora.wording import about, asked, documents, fitting, opening, plain, sentence
from workbench.data.example import Example, TaskText
from workbench.data.items import Item, json_items, require
from workbench.data.sources import path_of

COLUMNS = ("book", "chapter", "module", "title", "text")
MOST_SUMMARY_WORDS = 120
MOST_TERMS_WORDS = 60

SUMMARIES = frozenset({"chapter review", "review chapter", "chapter summary", "key concepts and summary"})
LEFT_OUT = frozenset(
    {
        "references", "review questions", "critical thinking questions", "critical thinking question",
        "interactive link questions", "interactive link question", "interactive link feature", "interactive link",
        "multiple choice", "fill in the blank", "short answer", "true/false", "matching", "critical thinking",
        "clinical thinking questions", "further reading",
    }
)  # fmt: skip
OBJECTIVES = frozenset({"learning objectives", "learning objective", "learning outcomes", "chapter objectives"})

_TERM = re.compile(r"(?!- )(?P<term>[^:.?!]{2,70}): (?P<meaning>[a-z(].+)")
_OBJECTIVES_LEAD = re.compile(r"(?:By the end of this (?:section|chapter)|After (?:studying|reading|completing) th)")
_CLINICAL_FOCUS = re.compile(r"(?:Jump|Go back|Return) to the (?:next|previous|first|last) Clinical Focus box\.?")
_EMPTY_REFERENCE = re.compile(r"\s*\((?:[Ss]ee\b)?(?:\s|,|;|and\b|or\b|[a-f]\b)*\)")
_IN_NOTHING = re.compile(
    r",? (?:as )?(?:(?:shown|illustrated|described|listed|summarized|seen|outlined|presented|depicted) )?"
    r"(?:in|[Ss]ee)(?: [a-f]\b)? (?=[.,;)])"
)
_SPACE_BEFORE_STOP = re.compile(r" +(?=[.,;)])")

Heading = str
Section = tuple[Heading, list[str]]


def sections(file: str) -> list[Example]:
    """Documents of one of the source's files, a section of a book each. Key: the book's module.

    Prefaces and appendices, which have no chapter, are no documents.

    Raises UserError for a row that lacks a column.
    """
    path = path_of("openstax-health", file)
    return [one for row in _rows(path) if row["chapter"] for one in _document(row)]


def _rows(path: Path) -> list[Item]:
    rows = json_items(path)
    require(path, rows, COLUMNS, filled=("book", "module", "title"))
    return rows


def _document(row: Item) -> list[Example]:
    title = f"{_clean(row['chapter'].rpartition('>')[2])}: {_clean(row['title'])}"
    lines, terms = _glossary([line for raw in row["text"].split("\n") if (line := _clean(raw))])
    found = [(_heading(name), said) for name, said in _split(lines) if said and name.casefold() not in LEFT_OUT]
    blocks = ["\n".join(filter(None, (name, *said))) for name, said in found]
    if terms:
        blocks.append("\n".join(["Key terms", *(f"{term}: {meaning}" for term, meaning in terms)]))
    return documents(f"{row['book']} {row['module']}", title, "\n\n".join(blocks), _tasks(title, found, terms))


def _clean(line: str) -> str:
    """A line without references to figures that are not there, white space single."""
    text = _IN_NOTHING.sub("", _CLINICAL_FOCUS.sub("", _EMPTY_REFERENCE.sub("", f"{line} ")))
    return _SPACE_BEFORE_STOP.sub("", " ".join(text.split()))


def _glossary(lines: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The lines before the key terms that a section ends with, and those as (term, meaning)."""
    terms: list[tuple[str, str]] = []
    while lines and (found := _TERM.fullmatch(lines[-1])):
        terms.append((found["term"].strip(), found["meaning"].strip()))
        lines = lines[:-1]
    return lines, terms[::-1]


def _split(lines: Iterable[str]) -> Iterator[Section]:
    """Headings with their lines, the objectives left out: what comes before the first heading has the heading ""."""
    name, said, objectives = "", list[str](), False
    for line in lines:
        if line.startswith("##"):
            yield name, said
            name, said = line.lstrip("# ").strip(), []
            if objectives := name.casefold() in OBJECTIVES:
                name = ""
        elif objectives and (line.startswith("- ") or _OBJECTIVES_LEAD.match(line)):
            continue
        else:
            objectives = False
            said.append(line)
    yield name, said


def _heading(name: str) -> str:
    """Microbiology's cases run through a chapter as "Part 1", "Part 2" ... "Resolution"."""
    if re.fullmatch(r"Part \w|Resolution", name):
        return f"Clinical case, {name[0].lower()}{name[1:]}"
    return "Summary" if name.casefold() in SUMMARIES else name


def _tasks(title: str, found: Sequence[Section], terms: Sequence[tuple[str, str]]) -> list[TaskText]:
    tasks = plain("summary", about(title, _summary(title, found)))
    for term, meaning in terms:
        tasks += asked(f'What does "{term}" mean?', sentence(meaning))
    names = fitting((term for term, _ in terms), ", ", MOST_TERMS_WORDS)
    return tasks + plain("entities", f"Key terms of {title}: {names}." if names else "")


def _summary(title: str, found: Sequence[Section]) -> str:
    """The section's own summary, else its first paragraph where that has a long word of the title's last half."""
    for name, said in found:
        if name == "Summary":
            return opening("\n".join(line.removeprefix("- ") for line in said), MOST_SUMMARY_WORDS)
    first = next((said[0] for name, said in found if not name.startswith("Clinical case")), "")
    topic = {word.casefold()[:6] for word in title.rpartition(":")[2].split() if len(word) > 4}
    begun = opening(first)
    return begun if any(stem in begun.casefold() for stem in topic) else ""
