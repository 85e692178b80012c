"""Open stand-in for LongHealth: the dialogues of several visits, and which order the doctor of one of them gave.

MEDIQA-OE's orders are the gold; its test split makes the test items, its dev split the validation items, each out of
the visits of ACI-Bench and primock57 that it joins. Visits of ACI-Bench's train split, a training corpus, are left
out of both, those of its valid split of test too. So no visit of a test item stands in a validation item.

A context is the visit that is asked about and others drawn from the split, in drawn order, each under a drawn number
of its patient: 4 or 5 visits in at most 5,300 words (whitespace; ACI-Bench sets off its punctuation), which makes
about 7,000 tokens and at most 8,300 (SmolLM2's vocabulary); in the short form 2 visits cut to their last turns, at
most 560 words each, for models with 2,048 positions.

Six options, LongHealth's: the order; four wrong ones, which are orders of the same kind out of other visits, those of
the context first; and that it cannot be answered. Every order is asked in contexts of its own draws (test: two,
validation: one), and every second one (validation: fourth) once more without its visit, LongHealth's task 3, where
the last option is right. At most 250 test and 100 validation items are drawn of these. There are 250 and 100 of 111
and 92 orders, of which 55 and 18 cannot be answered; in the short form 218 and 100 of 87 and 83, of which 44 and 23.

Orders are worded by annotators out of the turns ("meloxicam fifteen milligrams once a day"). One is asked if it names
something (`names`) and all that it names stands in the text shown. A wrong option must name something that is nowhere
in the visit asked about, so that it cannot be right as well. Follow-ups name nothing and are not asked.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from datasets import Dataset

from workbench.data.orders import Order, Visit, names, visits

QUESTIONS = {"medication": "Which medication", "lab": "Which laboratory test", "imaging": "Which imaging study"}
UNANSWERABLE = "Question cannot be answered with provided documents"
HELD_OUT = {
    "test": ("test", ("test1", "test2", "test3", "primock57")),
    "validation": ("dev", ("valid", "test1", "test2", "test3", "primock57")),
}
"""MEDIQA-OE's split and the origins of the visits taken from it, by split."""

SEED, WRONG = 11, 4


class Form(NamedTuple):  # no dataclass: lm-eval loads this file without entering it in sys.modules, which they need
    """A context has at least `fewest` visits and at most `most`, in at most `words` words, of each the last `last`."""

    fewest: int
    most: int
    words: int
    last: int | None = None


FORMS = {"full": Form(4, 5, 5300), "short": Form(2, 2, 1120, 560)}
SHORTEST = 750
"""Words kept free for each visit that a full context still needs; every split has several visits that are shorter."""


class Draws(NamedTuple):
    """Contexts with the visit for every order, one without it for every so many orders, and the items kept of all."""

    present: int
    absent_every: int
    kept: int


DRAWS = {"test": Draws(2, 2, 250), "validation": Draws(1, 4, 100)}


class Document(NamedTuple):
    """A visit, as much of its dialogue as a context shows, and the words of that."""

    visit: Visit
    text: str
    length: int


def splits(form: str, **_: object) -> dict[str, Dataset]:
    """Both splits of a form, full or short."""
    return {split: Dataset.from_list(items(split, FORMS[form])) for split in HELD_OUT}


def items(split: str, form: Form) -> list[dict[str, object]]:
    name, origins = HELD_OUT[split]
    pool = [shown(visit, form.last) for visit in visits(name) if visit.origin in origins]
    draws, rows = DRAWS[split], list[dict[str, object]]()
    for number, (document, order) in enumerate(askable(pool)):
        absent = [draws.present] if number % draws.absent_every == 0 else []
        rows += [_row(document, order, pool, form, draw, True) for draw in range(draws.present)]
        rows += [_row(document, order, pool, form, draw, False) for draw in absent]
    return random.Random(SEED).sample(rows, min(draws.kept, len(rows)))


def shown(visit: Visit, words: int | None) -> Document:
    """A visit with as many of its last turns as have at most so many words; None: all."""
    turns = visit.dialogue.splitlines()
    lengths = [len(turn.split()) for turn in turns]
    cut = next((i for i in range(len(turns)) if words is None or sum(lengths[i:]) <= words), len(turns))
    return Document(visit, "\n".join(turns[cut:]), sum(lengths[cut:]))


def askable(pool: Sequence[Document]) -> list[tuple[Document, Order]]:
    """The orders of a split that can be asked, with their documents: see the rules above."""
    return [
        (document, order)
        for document in pool
        for order in document.visit.orders
        if order.kind in QUESTIONS
        and names(order.description)
        and names(order.description) <= names(document.text)
        and len(_wrong(document, order, pool)) == WRONG
    ]


def _wrong(document: Document, order: Order, others: Iterable[Document]) -> list[str]:
    """The first orders of the others that fit as wrong options; none names what another option names and no more."""
    found: list[str] = []
    for other in (one for each in others for one in each.visit.orders if one.kind == order.kind):
        new = names(other.description)
        taken = [names(option) for option in (order.description, *found)]
        if new - names(document.visit.dialogue) and not any(new <= old or old <= new for old in taken):
            found.append(other.description)
    return found[:WRONG]


def _row(
    asked: Document, order: Order, pool: Sequence[Document], form: Form, draw: int, present: bool
) -> dict[str, object]:
    id = f"{asked.visit.id}-{asked.visit.orders.index(order)}-{draw}"
    drawn = random.Random(f"{SEED} {id}")
    others = drawn.sample([one for one in pool if one is not asked], len(pool) - 1)
    context = _context([asked] if present else [], others, form)
    number = dict(zip((one.visit.id for one in pool), drawn.sample(range(1000, 10000), len(pool)), strict=True))
    near = [one for one in context if one is not asked]
    options = [order.description, *_wrong(asked, order, [*near, *others])]
    drawn.shuffle(options)
    drawn.shuffle(context)
    return {
        "id": id,
        "documents": "\n\n".join(f"Visit of patient {number[one.visit.id]}\n\n{one.text}" for one in context),
        "question": f"{QUESTIONS[order.kind]} did the doctor order in the visit of patient {number[asked.visit.id]}?",
        "options": [*options, UNANSWERABLE],
        "answer": options.index(order.description) if present else len(options),
        "visits": [one.visit.id for one in context],
    }


def _context(chosen: list[Document], others: Iterable[Document], form: Form) -> list[Document]:
    """`chosen` and those of the others that fit, in their order."""
    for other in others:
        reserved = max(0, form.fewest - len(chosen) - 1) * (form.last or SHORTEST)
        if len(chosen) < form.most and sum(one.length for one in (*chosen, other)) + reserved <= form.words:
            chosen = [*chosen, other]
    return chosen
