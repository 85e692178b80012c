"""ICD-10-CM from the Python package simple-icd-10-cm: code lines to read, and MedConceptsQA-style questions.

Questions follow MedConceptsQA (Shoham & Rappoport 2024): four descriptions, one right. Easy: three random codes.
Medium: three codes at tree distance 3 to 5. Hard: three siblings (tree distance 2). Codes above or below the one that
is asked about are never offered.
Upstream's answer map drops option 3; here every position is equally likely.
"""

from __future__ import annotations

import functools
import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["easy", "medium", "hard"]
LEVELS: tuple[Level, ...] = ("easy", "medium", "hard")


@dataclass(frozen=True)
class Question:
    """A four-option question: which description has this code? `answer` is the index of the right option."""

    code: str
    options: tuple[str, str, str, str]
    answer: int
    level: Level


@functools.cache
def codes() -> tuple[str, ...]:
    """Categories and subcategories of the tabular list, in its order, without the 7th-character expansions."""
    import simple_icd_10_cm as icd

    found = icd.get_all_codes(True)
    return tuple(c for c in found if icd.is_category_or_subcategory(c) and not icd.is_extended_subcategory(c))


def description(code: str) -> str:
    """Official description of a code, on one line."""
    import simple_icd_10_cm as icd

    return " ".join(icd.get_description(code).split())


IN_CATEGORY = re.compile(r"[A-Z][0-9][0-9A-Z](?:\..+)?")
HELD_OUT_ONE_IN = 20


@functools.cache
def held_out(code: str) -> bool:
    """Whether a code lies in a held-out category: one three-character category in twenty, with all codes below it.

    Whole categories, because siblings give each other away. The category's sha256 alone decides, so that neither a
    seed nor a new edition of the tables moves a code. Chapters and blocks of several categories are never held out.
    In the tables of April 2026: 86 of 1,918 categories, 2,285 of 46,920 codes.
    """
    if not IN_CATEGORY.fullmatch(code):
        return False
    return int(hashlib.sha256(code[:3].encode()).hexdigest(), 16) % HELD_OUT_ONE_IN == 0


Depth = Literal["headings", "four_characters", "all"]


def code_lines(depth: Depth, seed: int) -> list[str]:
    """One line a code, "E11.9: Type 2 diabetes mellitus without complications", in seeded random order.

    `headings` are chapters, blocks and three-character categories; `four_characters` the codes one level below
    ("E11.9"); `all` every category and subcategory. Random order, because beside its siblings a description can be
    guessed without its code, and it is the code that must be learned.
    """
    lines = [f"{code}: {description(code)}" for code in _at(depth)]
    random.Random(seed).shuffle(lines)
    return lines


def _at(depth: Depth) -> Sequence[str]:
    if depth == "headings":
        import simple_icd_10_cm as icd

        return [code for code in icd.get_all_codes(True) if len(code) <= 3 or icd.is_chapter_or_block(code)]
    return [code for code in codes() if len(code) == 5] if depth == "four_characters" else codes()


@functools.cache
def _code_set() -> frozenset[str]:
    return frozenset(codes())


@functools.cache
def _tree() -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Parent and children of every chapter, block, category and subcategory."""
    import simple_icd_10_cm as icd

    def above(code: str) -> str:
        # The block of a lone category has the category's own name (Z17), so that it seems its own parent.
        return next((ancestor for ancestor in icd.get_ancestors(code) if ancestor != code), "")

    parent: dict[str, str] = {}
    for code in codes():
        while code and code not in parent:
            parent[code] = above(code)
            code = parent[code]
    children: dict[str, list[str]] = {}
    for code, upper in parent.items():
        if upper:
            children.setdefault(upper, []).append(code)
    return parent, {upper: tuple(below) for upper, below in children.items()}


def ancestors(code: str) -> list[str]:
    """The codes above a code, nearest first: subcategories, category, block, chapter."""
    parent, _ = _tree()
    found = []
    while code := parent.get(code, ""):
        found.append(code)
    return found


@functools.cache
def _below(ancestor: str, steps: int) -> frozenset[str]:
    """Codes so many edges below; cached, because a chapter holds thousands and is asked for again and again."""
    if steps <= 0:
        return frozenset((ancestor,))
    _, children = _tree()
    return frozenset().union(*(_below(child, steps - 1) for child in children.get(ancestor, ())))


def beside(code: str, distance: int) -> set[str]:
    """Codes at so many edges in the tree that are neither above nor below `code`.

    Those above it would be half right: what describes a category describes its codes.
    """
    path = [code, *ancestors(code)]
    near: set[str] = set()
    for up in range(1, min(distance, len(path))):
        branch = _below(path[up - 1], distance - up - 1)  # where we came from: the path would turn back on itself
        near.update(_below(path[up], distance - up) - branch)
    return near & _code_set()


@functools.cache
def _pool(only_held_out: bool) -> tuple[str, ...]:
    return tuple(code for code in codes() if held_out(code)) if only_held_out else codes()


def _wrong(code: str, level: Level, rng: random.Random, only_held_out: bool) -> list[str]:
    """Three distinct wrong descriptions, or fewer when the tree does not hold them."""
    if level == "easy":
        pool = rng.sample(_pool(only_held_out), 12)  # more than three: descriptions repeat across codes
    else:
        distances = (2,) if level == "hard" else (3, 4, 5)
        near = set().union(*(beside(code, d) for d in distances))
        pool = sorted(c for c in near if held_out(c) or not only_held_out)
        rng.shuffle(pool)
    return list(dict.fromkeys(d for c in pool if (d := description(c)) != description(code)))[:3]


def question(code: str, level: Level, rng: random.Random, only_held_out: bool = False) -> Question | None:
    """A question on one code, or None when the tree holds fewer than three distinct wrong descriptions."""
    options = [description(code), *_wrong(code, level, rng, only_held_out)]
    if len(options) < 4:
        return None
    right = options[0]
    rng.shuffle(options)
    return Question(code, (options[0], options[1], options[2], options[3]), options.index(right), level)


def questions(
    level: Level, n: int, seed: int, exclude: frozenset[str] = frozenset(), only_held_out: bool = False
) -> list[Question]:
    """`n` questions of one level on codes drawn without repeats; the same seed gives the same questions.

    With `only_held_out` the wrong options are held out too: a model must not know them by their familiar ring.
    """
    rng = random.Random(f"{seed}-{level}")
    order = [code for code in _pool(only_held_out) if code not in exclude]
    rng.shuffle(order)
    found: list[Question] = []
    for code in order:
        if len(found) == n:
            break
        if (item := question(code, level, rng, only_held_out)) is not None:
            found.append(item)
    return found
