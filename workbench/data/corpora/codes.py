"""What the MedCode expert reads: ICD-10-CM by category, ICD-10-PCS's guidelines and terms, CodiEsp's coded cases.

No code of a held-out category (`icd10cm.held_out`) is read, neither on a page of its own nor in another one's notes,
nor with a case, so that the held-out variant of the ICD10CM task asks for what was not read. In no text is a code the
first token: small models use that position as an attention sink and forget what stood there.
Raises DataMissing for a file that is not at hand, UserError for one that is not as these readers expect it.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from workbench.data import icd10cm
from workbench.data.example import Example, Format, TaskText
from workbench.data.items import Item, json_items, require
from workbench.data.sources import path_of

PAGE_WORDS = 400
"""Most words of a page's lines, about 1,000 of SmolLM2's tokens with the heading: codes make many tokens."""

MEANINGS = (
    "What does the ICD-10-CM code {code} stand for?",
    "What is coded as {code} in ICD-10-CM?",
    "Give the meaning of the ICD-10-CM code {code}.",
    "In ICD-10-CM, what is the title of {code}?",
)
CODINGS = (
    "Which ICD-10-CM code stands for {name}?",
    "What is the ICD-10-CM code for {name}?",
    "Give the ICD-10-CM code of {name}.",
)
"""None is the wording of the ICD10CM task, and none has options."""

SHORT = 5
"""Codes of at most so many characters (E11.9) are asked for in both directions, longer ones by their code only."""

NAMED = 12
"""Most subdivisions or terms that a summary names."""

CASES, CASE_COLUMNS = "codiesp_en_train_dev.jsonl", ("id", "split", "text", "icd10_dx", "icd10_px")

SECTIONS = {"0": "Medical and Surgical", "1": "Obstetrics"}
VALUES = {"root_operation": "root operation", "approach": "approach"}
BODY_SYSTEM = ("section", "code", "definition")

_MENTIONED = re.compile(r"(?<![.\w])[A-Z][0-9][0-9A-Z](?=\b|\.)")
_RANGE = re.compile(r" \([A-Z0-9]+(?:-[A-Z0-9]+)?\)$")
_BOLD = re.compile(r"\*\*([^*]*)\*\*")


@dataclass(frozen=True)
class Code:
    """A code, its title, and what the tabular list says below it, a line each ("Excludes1: gestational diabetes")."""

    code: str
    name: str
    notes: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """The code as it stands on a page."""
        return [f"Code {self.code}: {self.name}.", *self.notes]


def _pages(seed: int) -> list[Example]:
    """ICD-10-CM, a category a document, long ones in parts; the seed draws the wordings of the questions."""
    return [page for category, codes in _categories().items() for page in _category(category, codes, seed)]


@functools.cache
def _categories() -> dict[str, tuple[Code, ...]]:
    found: dict[str, list[Code]] = {}
    for code in dict.fromkeys(icd10cm.codes()):  # the package names some twice
        if not icd10cm.held_out(code):
            found.setdefault(code[:3], []).append(Code(code, icd10cm.description(code), tuple(_notes(code))))
    return {category: tuple(codes) for category, codes in found.items()}


def _category(category: str, codes: Sequence[Code], seed: int) -> Iterator[Example]:
    """A page a part of the category's codes, each under the same heading."""
    rng = random.Random(f"{seed} {category}")
    *blocks, chapter = icd10cm.ancestors(category)
    within = [f"block {block} ({_heading(block)})" for block in blocks]
    within.append(f"chapter {chapter} ({_heading(chapter)})")
    title = f"ICD-10-CM category {category}: {codes[0].name}"
    place = ", ".join(within)
    for number, part in enumerate(_parts(codes)):
        lines = [line for code in part for line in code.lines]
        told = _subcodes(category, codes[0], part) if number else _definition(codes, place)
        tasks = [TaskText("summary", "", told)]
        tasks += [_question(asked, answer) for asked, answer in _questions(part, rng)]
        tasks.append(TaskText("entities", "", f"Codes: {'; '.join(f'{one.code}, {one.name}' for one in part)}."))
        tasks += [TaskText("relations", "", sentence) for sentence in _relations(part)]
        yield Example("", "\n".join((title, f"{place[:1].upper()}{place[1:]}.", *lines)), tuple(tasks), category)


def _parts(codes: Sequence[Code]) -> list[list[Code]]:
    """The codes in order, as many together as hold PAGE_WORDS words."""
    found: list[list[Code]] = []
    free = 0
    for code in codes:
        words = sum(len(line.split()) for line in code.lines)
        if words > free or not found:
            found.append([])
            free = PAGE_WORDS
        found[-1].append(code)
        free -= words
    return found


def _notes(code: str) -> Iterator[str]:
    """The instructions at a code, a line each, without the terms that mention a held-out code."""
    import simple_icd_10_cm as icd

    included = [*icd.get_includes(code), *icd.get_inclusion_term(code)]
    lists = {"Includes": included, "Excludes1": icd.get_excludes1(code), "Excludes2": icd.get_excludes2(code)}
    for label, found in lists.items():
        if terms := _readable(found):
            yield f"{label}: {'; '.join(terms)}."
    texts = {"Code first": icd.get_code_first, "Use additional": icd.get_use_additional_code}
    for label, reader in {**texts, "Code also": icd.get_code_also, "Note:": icd.get_notes}.items():
        terms = _readable(reader(code).split("\n"))
        if terms and not terms[-1].endswith(":"):
            yield f"{label} {'; '.join(terms).rstrip('.')}.".replace(" ,", ",").replace(":;", ":")
    if ends := icd.get_seven_chr_def(code):
        yield f"Seventh character: {'; '.join(f'{end}, {_line(meaning)}' for end, meaning in ends.items())}."


def _readable(terms: Iterable[str]) -> list[str]:
    lines = (_line(term).replace(" )", ")") for term in terms)
    return [line for line in lines if line and not any(map(icd10cm.held_out, _MENTIONED.findall(line)))]


def _line(text: str) -> str:
    return " ".join(text.split())


def _heading(code: str) -> str:
    """The name of a chapter or block without its range of codes, as it stands within a sentence."""
    return running(_RANGE.sub("", icd10cm.description(code)))


def running(name: str) -> str:
    """A title as it stands within a sentence: its first letter is small where the tables write the word small."""
    first, _, rest = name.partition(" ")
    small = first[:1].lower() + first[1:]
    return f"{small} {rest}".strip() if small.rstrip(",;") in _small_words() else name


@functools.cache
def _small_words() -> frozenset[str]:
    import simple_icd_10_cm as icd

    texts = [icd10cm.description(code).partition(" ")[2] for code in icd10cm.codes()]
    for reader in (icd.get_excludes1, icd.get_excludes2, icd.get_includes):
        texts += [term for code in icd10cm.codes() for term in reader(code)]
    return frozenset(word.strip("(),;[]") for text in texts for word in text.split() if word[:1].islower())


def _definition(codes: Sequence[Code], place: str) -> str:
    """What a category is, where it stands, and into what it is divided."""
    category, *below = codes
    told = f"In ICD-10-CM, {category.code} is the category of {running(category.name)}, in {place}."
    children = [code for code in below if len(code.code) == SHORT]
    if not children:
        return f"{told} It is not divided further."
    return f"{told} Its subcategories: {_named(children, category.name)}."


def _subcodes(category: str, head: Code, part: Sequence[Code]) -> str:
    shortest = min(len(code.code) for code in part)
    names = _named([code for code in part if len(code.code) == shortest], "")
    return (
        f"In ICD-10-CM, the category {category} ({running(head.name)}) has the codes {part[0].code} to "
        f"{part[-1].code}, among them: {names}."
    )


def _named(codes: Sequence[Code], above: str) -> str:
    """Names with their codes; what they share with the name above is said once, there."""
    shorter = [code.name.removeprefix(above).lstrip(", ") or code.name for code in codes]
    found = [f"{running(name)} ({code.code})" for name, code in zip(shorter, codes, strict=True)]
    more = [f"{len(found) - NAMED} more"] if len(found) > NAMED else []
    *first, last = [*found[:NAMED], *more]
    return f"{', '.join(first)} and {last}" if first else last


def _questions(part: Sequence[Code], rng: random.Random) -> Iterator[tuple[str, str]]:
    for one in part:
        yield rng.choice(MEANINGS).format(code=one.code), one.name
        if len(one.code) <= SHORT:
            yield rng.choice(CODINGS).format(name=running(one.name)), one.code
        for note in one.notes:
            label, _, terms = note.partition(": ")
            if label == "Excludes1":
                yield f"Which conditions must not be coded together with {one.code} in ICD-10-CM?", terms.rstrip(".")


def _relations(part: Sequence[Code]) -> Iterator[str]:
    for one in part:
        for note in one.notes:
            label, _, terms = note.partition(": ")
            for term in terms.rstrip(".").split("; "):
                if verb := {"Includes": "includes", "Excludes1": "excludes", "Excludes2": "does not cover"}.get(label):
                    yield f"Code {one.code} {verb} {running(term)}."
        if len(one.code) > 3:
            yield f"Code {one.code} is a subcategory of {icd10cm.ancestors(one.code)[0]}."


def _question(asked: str, answer: str) -> TaskText:
    return TaskText("qa", f"Question: {asked}\nAnswer:", f" {answer}")


def training_cases() -> list[Item]:
    """CodiEsp's training cases, without the lines that only number a figure. Those of dev are a test set."""
    path = path_of("codiesp-en", CASES)
    rows = json_items(path)
    require(path, rows, CASE_COLUMNS, filled=("id", "split", "text"))
    return [{**row, "text": case_text(row["text"])} for row in rows if row["split"] == "train"]


def case_text(text: str) -> str:
    """A case, a sentence a line as in the corpus, without lines that hold no word ("1.", a figure's number)."""
    lines = (_line(line) for line in text.split("\n"))
    return "\n".join(line for line in lines if any(character.isalpha() for character in line))


def diagnoses(case: Item) -> list[tuple[str, str]]:
    """(code, title) of a case's diagnoses in its order; none of a held-out category, none that the tables lack."""
    known = dict.fromkeys(str(code).upper() for code in case["icd10_dx"])
    return [(code, titles()[code]) for code in known if code in titles()]


@functools.cache
def titles() -> dict[str, str]:
    """The titles of all codes that may be read."""
    return {one.code: one.name for codes in _categories().values() for one in codes}


def _coded_cases(seed: int) -> list[Example]:
    """Case reports with the codes of their diagnoses and procedures; the seed draws the wordings of the questions."""
    return [_coded_case(case, random.Random(f"{seed} {case['id']}")) for case in training_cases() if diagnoses(case)]


def _coded_case(case: Item, rng: random.Random) -> Example:
    found = diagnoses(case)
    lines = [f"Code {code}: {name}." for code, name in found]
    text = "\n".join(("Case report", case["text"], "", "Diagnoses in ICD-10-CM", *lines))
    named = "; ".join(f"{running(name)} ({code})" for code, name in found)
    if procedures := ", ".join(dict.fromkeys(code.upper() for code in case["icd10_px"])):
        text += f"\nProcedures in ICD-10-PCS: {procedures}."
    tasks = [
        TaskText("summary", "", f"A case report that is coded in ICD-10-CM with {named}."),
        *(_question(rng.choice(CODINGS).format(name=running(name)), code) for code, name in found),
        TaskText("entities", "", f"Diagnoses: {named}."),
        *(TaskText("relations", "", f"The diagnosis of {running(name)} has the code {code}.") for code, name in found),
    ]
    return Example("", text, tuple(tasks), case["id"])


def _procedure_pages(seed: int) -> list[Example]:
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
        text = "\n".join(_line(_BOLD.sub(r"\1", line)) for line in row["content"].split("\n"))
        about = row["section"] if row["type"] in (row["section"], "General Guidelines") else row["type"]
        title = f"ICD-10-PCS guideline {row['idx']}, {_line(about).replace('Mutliple', 'Multiple').lower()}"
        rule = _line(re.split(r"\bExamples?:", text)[0])
        tasks = [TaskText("summary", "", f"{title}: {rule}"), _question(f"What is {title}?", rule)] if rule else []
        yield Example("", f"{title}\n{text}", tuple(tasks), f"guideline-{row['idx']}")


def _values(table: str, kind: str) -> Iterator[Example]:
    """Root operations or approaches, with what they mean and, for some of the former, examples."""
    for row in _rows(table, "value", "definition", "section", "code"):
        section, name, means = SECTIONS[row["section"]], row["value"], _line(row["definition"])
        examples = [one for one in re.split(r",\s+", row.get("examples") or "") if one]
        lines = [f"ICD-10-PCS {kind} {name}, character {row['code']}, section {section}", f"Definition: {means}."]
        lines += [f"Explanation: {_line(row['explanation'])}."] if row.get("explanation") else []
        lines += [f"Examples: {', '.join(examples)}."] if examples else []
        where = f"in the section {section} of ICD-10-PCS"
        tasks = [
            TaskText("summary", "", f"The {kind} {name} {where} means: {running(means)}."),
            _question(f"Which {kind} {where} is defined as follows? {means}.", name),
            _question(f"What does the {kind} {name} mean {where}?", means),
            _question(f"Which character stands for the {kind} {name} {where}?", row["code"]),
        ]
        tasks += [TaskText("entities", "", f"Procedures: {'; '.join(examples)}.")] if examples else []
        tasks += [TaskText("relations", "", f"{_capital(one)} is an example of the {kind} {name}.") for one in examples]
        yield Example("", "\n".join(lines), tuple(tasks), f"{table}-{row['section']}{row['code']}")


def _body_systems() -> Example:
    """One document of all body systems, for a line is none."""
    rows = [(SECTIONS[row["section"]], row["code"], row["definition"]) for row in _rows("body_system", *BODY_SYSTEM)]
    lines = ["ICD-10-PCS body systems, the second character of a code"]
    lines += [f"Section {section}, character {code}: {name}." for section, code, name in rows]
    asked = "Which character stands for the body system {name} in the section {section} of ICD-10-PCS?"
    tasks = [_question(asked.format(name=name, section=section), code) for section, code, name in rows]
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
    path: list[str] = [_line(name)]
    for line in content.split("\n"):
        text = _line(_BOLD.sub(r"(\1)", line).replace("(continued)", ""))
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
        tasks += [_question(*one.question) for one in page]
        tasks += [TaskText("relations", "", one.relation) for one in page]
        yield Example("", "\n".join((title, *(one.line for one in page))), tuple(tasks), f"index-{number}")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


PROCEDURE_FILES = tuple(f"pcs_{table}.jsonl" for table in ("guidelines", *VALUES, "body_system", "index"))

FORMATS: dict[tuple[str, str], Format] = {
    ("icd10cm", "pages"): Format(_pages),
    ("icd10pcs", "pages"): Format(_procedure_pages, PROCEDURE_FILES),
    ("codiesp-en", "coded_cases"): Format(_coded_cases, (CASES,)),
}
