"""The 43 summaries of the National Guideline Clearinghouse (AHRQ) without copyright, a guideline a document."""

from __future__ import annotations

import re

from workbench.data.corpora.wording import asked, documents, fitting, opening, plain, sentence
from workbench.data.example import Example, TaskText
from workbench.data.items import Item, json_items, require
from workbench.data.sources import path_of

FILE = "ngc_no_copyright_restrictions.jsonl"
SECTIONS = (
    "Disease/Condition(s)", "Guideline Objective(s)", "Target Population", "Interventions and Practices Considered",
    "Major Outcomes Considered", "Major Recommendations", "Potential Benefits", "Potential Harms",
    "Contraindications",
)  # fmt: skip
"""In the order of the document. How evidence was rated and legal notes are no guidance and are left out."""

QUESTIONS = {
    "Guideline Objective(s)": "What are the objectives of the guideline {}?",
    "Target Population": "Which population is the guideline {} for?",
    "Interventions and Practices Considered": "Which interventions and practices does the guideline {} consider?",
    "Major Outcomes Considered": "Which outcomes does the guideline {} consider?",
    "Major Recommendations": "What does the guideline {} recommend first?",
    "Potential Benefits": "What are the potential benefits of following the guideline {}?",
    "Potential Harms": "What are the potential harms of following the guideline {}?",
    "Contraindications": "Which contraindications does the guideline {} name?",
}
_SAYS_NOTHING = re.compile(r"(?:not (?:stated|applicable|specifically)|none\b|see the|refer to)", re.IGNORECASE)
_NOTE = re.compile(
    r"(?:Note from|The strength of recommendation grading|Definitions?\b|Categorization Scheme|Recommendations are id)"
)


def guidelines() -> list[Example]:
    """A document a guideline, the sections that guide under their headings; key: NGC's number."""
    path = path_of("ngc-uspd", FILE)
    rows = json_items(path)
    require(path, rows, ("id", "title", *SECTIONS[:-1]), filled=("id", "title"))
    return [one for row in rows for one in _document(row)]


def _document(row: Item) -> list[Example]:
    title = " ".join(row["title"].split()).rstrip(".")
    said = {name: text for name in SECTIONS if (text := _clean(row.get(name) or ""))}
    text = "\n\n".join(f"{name.removesuffix('(s)')}\n{text}" for name, text in said.items())
    return documents(row["id"], title, text, _tasks(title, said))


def _clean(text: str) -> str:
    """Lines without tables (cells end in "|") and editors' notes; "" for one that says that there is nothing."""
    lines = (" ".join(line.split()) for line in text.replace("\r", "\n").split("\n"))
    kept = [_tight(line) for line in lines if line.strip("-• ") and "|" not in line and not _NOTE.match(line)]
    return "" if not kept or _SAYS_NOTHING.match(kept[0]) else "\n".join(kept)


def _tight(line: str) -> str:
    """A line without the blanks before punctuation and inside brackets: "( Strong for ) :" becomes "(Strong for):"."""
    return re.sub(r"\(\s+|\s+(?=\))|\s+(?=[:;,.](?:\s|$))", lambda found: found[0].strip(), line)


def _tasks(title: str, said: dict[str, str]) -> list[TaskText]:
    tasks = plain("summary", _summary(title, said))
    for name, question in QUESTIONS.items():
        tasks += asked(question.format(f'"{title}"'), _answer(said.get(name, "")))
    named = {"Diseases": "Disease/Condition(s)", "Interventions": "Interventions and Practices Considered"}
    told = [f"{kind}: {names}." for kind, name in named.items() if (names := fitting(_items(said.get(name, "")), ", "))]
    return tasks + plain("entities", " ".join(told))


def _items(text: str) -> list[str]:
    """A list's items, without those that announce items below them."""
    lines = (line.removeprefix("- ") for line in text.split("\n"))
    return [line.rstrip(".;") for line in lines if line and not line.endswith(":") and len(line.split()) <= 12]


def _answer(text: str) -> str:
    """The first lines that fit, without headings before the first sentence or item."""
    lines = text.split("\n")
    while len(lines) > 1 and not lines[0].startswith("- ") and not lines[0].endswith((".", ":", ")")):
        lines = lines[1:]
    return opening("\n".join(lines))


def _summary(title: str, said: dict[str, str]) -> str:
    """Title, objective and population. None without an objective that is short enough."""
    objective = "; ".join(
        line.removeprefix("- ") for line in opening(said.get("Guideline Objective(s)", "")).split("\n")
    )
    population = opening(said.get("Target Population", ""), 50)
    if not objective:
        return ""
    people = "; ".join(line.removeprefix("- ") for line in population.split("\n"))
    told = [f"{title}. Objective: {sentence(objective)}", f"Population: {sentence(people)}" if people else ""]
    return " ".join(filter(None, told))
