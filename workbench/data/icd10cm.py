"""ICD-10-CM from the Python package simple-icd-10-cm: code lines to read, and MedConceptsQA-style questions.

Questions follow MedConceptsQA (Shoham & Rappoport 2024): four descriptions, one right. Easy: three random codes of
the same kind. Medium: three codes at tree distance 3 to 5. Hard: three codes at tree distance 2 (siblings).
Upstream's answer map drops option 3; here every position is equally likely.
"""

from __future__ import annotations

import functools
import random
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


def code_lines(seed: int) -> list[str]:
    """One line a code, "E11.9: Type 2 diabetes mellitus without complications", in seeded random order."""
    lines = [f"{code}: {description(code)}" for code in codes()]
    random.Random(seed).shuffle(lines)
    return lines


@functools.cache
def _tree() -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    import simple_icd_10_cm as icd

    keep = set(codes())
    parent = {code: icd.get_parent(code) for code in codes()}
    children: dict[str, list[str]] = {}
    for code in codes():
        children.setdefault(parent[code], []).append(code)
    return parent, {above: tuple(c for c in below if c in keep) for above, below in children.items()}


def _ancestor(code: str, steps: int) -> str | None:
    parent, _ = _tree()
    at: str | None = code
    for _ in range(steps):
        at = parent.get(at) if at is not None else None
    return at


def _below(ancestor: str, steps: int) -> list[str]:
    _, children = _tree()
    level = [ancestor]
    for _ in range(steps):
        level = [child for code in level for child in children.get(code, ())]
    return level


def at_distance(code: str, distance: int) -> set[str]:
    """Codes whose path to `code` in the tree has exactly `distance` edges (up some, down the rest)."""
    near: set[str] = set()
    for up in range(distance + 1):
        top = _ancestor(code, up)
        if top is None:
            break
        branch = _ancestor(code, up - 1) if up else None
        down = _below(top, distance - up)
        if branch is None:
            near.update(down)
        else:  # leave out the branch we came from: the path would turn back on itself
            near.update(set(down) - set(_below(branch, distance - up - 1)))
    return near & set(codes()) - {code}


def _wrong(code: str, level: Level, rng: random.Random) -> list[str]:
    """Three distinct wrong descriptions, or fewer when the tree does not hold them."""
    if level == "easy":
        pool = rng.sample(codes(), 12)  # more than three: descriptions repeat across codes
    else:
        distances = (2,) if level == "hard" else (3, 4, 5)
        pool = sorted(set().union(*(at_distance(code, d) for d in distances)))
        rng.shuffle(pool)
    return list(dict.fromkeys(d for c in pool if (d := description(c)) != description(code)))[:3]


def question(code: str, level: Level, rng: random.Random) -> Question | None:
    """A question on one code, or None when the tree holds fewer than three distinct wrong descriptions."""
    options = [description(code), *_wrong(code, level, rng)]
    if len(options) < 4:
        return None
    right = options[0]
    rng.shuffle(options)
    return Question(code, (options[0], options[1], options[2], options[3]), options.index(right), level)


def questions(level: Level, n: int, seed: int, exclude: frozenset[str] = frozenset()) -> list[Question]:
    """`n` questions of one level on codes drawn without repeats; the same seed gives the same questions."""
    rng = random.Random(f"{seed}-{level}")
    order = [code for code in codes() if code not in exclude]
    rng.shuffle(order)
    found: list[Question] = []
    for code in order:
        if len(found) == n:
            break
        if (item := question(code, level, rng)) is not None:
            found.append(item)
    return found
