"""What the MedCode expert reads of ICD-10-CM: a page a category, with its codes, notes and what they say of each other.

No code of a held-out category (`icd10cm.held_out`) is read, neither on a page of its own nor in another one's notes,
so that the held-out variant of the ICD10CM task asks for what was not read. In no text is a code the first token:
small models use that position as an attention sink and forget what stood there.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from workbench.data import icd10cm
from workbench.data.corpora.wording import question
from workbench.data.example import Example, Format, TaskText

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

_MENTIONED = re.compile(r"(?<![.\w])[A-Z][0-9][0-9A-Z](?=\b|\.)")
_RANGE = re.compile(r" \([A-Z0-9]+(?:-[A-Z0-9]+)?\)$")


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
        tasks += [question(asked, answer) for asked, answer in _questions(part, rng)]
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
        yield f"Seventh character: {'; '.join(f'{end}, {one_line(meaning)}' for end, meaning in ends.items())}."


def _readable(terms: Iterable[str]) -> list[str]:
    lines = (one_line(term).replace(" )", ")") for term in terms)
    return [line for line in lines if line and not any(map(icd10cm.held_out, _MENTIONED.findall(line)))]


def one_line(text: str) -> str:
    """White space as single spaces."""
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


@functools.cache
def titles() -> dict[str, str]:
    """The titles of all codes that may be read."""
    return {one.code: one.name for codes in _categories().values() for one in codes}


FORMATS: dict[tuple[str, str], Format] = {("icd10cm", "pages"): Format(_pages)}
