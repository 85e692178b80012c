"""Clinical NLI with three options: which statement follows from a premise?

Premises are SDOH-NLI's social histories (validation; Lelkes et al. 2023), whose wrong options are hypotheses on the
same premise that its annotators did not find entailed; and the evidence of Evidence Inference 2.0 (validation and, for
labels that it is short of, training; DeYoung et al. 2020), where an intervention raised, lowered or did not change an
outcome: as many of each, so that no option is right more often than the others.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.data.items import Item
from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.read import objects, table
from workbench.data.topics.words import likeness, word_set, words

QUESTION = "Which statement follows from this?"
NEAREST = 8
EFFECTS = {
    "significantly increased": "It raised it.",
    "significantly decreased": "It lowered it.",
    "no significant difference": "It did not change it.",
}
PER_EFFECT, MAX_WORDS = 60, 60


def drafts(material: Material) -> list[Draft]:
    """A question an entailed hypothesis, and one a trial's outcome."""
    return [*_of_histories(), *_of_trials()]


def _of_histories() -> Iterator[Draft]:
    """Ids are rows of the file, counted from 1, the header not included."""
    rows = table("sdoh-nli", "sdoh_nli_validation.csv", "premise", "hypothesis", "label")
    untrue: dict[str, list[str]] = {row["premise"]: [] for row in rows}
    for row in rows:
        if row["label"] == "False":
            untrue[row["premise"]].append(row["hypothesis"])
    for number, row in enumerate(rows, start=1):
        if row["label"] == "True":
            right, premise = row["hypothesis"], " ".join(row["premise"].split())
            wrong = _near(right, untrue[row["premise"]])
            yield Draft(f"validation-{number}", "sdoh-nli", QUESTION, right, wrong, premise)


def _near(right: str, untrue: list[str]) -> tuple[str, ...]:
    """The hypotheses that share most words with the right one: on the same habit, where there are any."""
    return tuple(sorted(untrue, key=lambda text: -likeness(word_set(text), word_set(right)))[:NEAREST])


def _of_trials() -> Iterator[Draft]:
    keys = ("prompt_id", "split", "outcome", "intervention", "comparator", "label", "evidence")
    rows = objects("evidence-inference", "evidence_inference_v2.jsonl", *keys)
    order = [row for split in ("validation", "train") for row in rows if row["split"] == split]
    left = dict.fromkeys(EFFECTS, PER_EFFECT)
    for row in order:
        if left[row["label"]] and len(words(row["evidence"])) <= MAX_WORDS:
            left[row["label"]] -= 1
            right = EFFECTS[row["label"]]
            others = tuple(effect for effect in EFFECTS.values() if effect != right)
            evidence, asked = " ".join(row["evidence"].split()), _asked(row)
            yield Draft(row["prompt_id"], "evidence-inference", asked, right, (), evidence, firm=others)


def _asked(row: Item) -> str:
    text = f"Compared with {row['comparator']}, what did {row['intervention']} do to the outcome '{row['outcome']}'?"
    return " ".join(text.split())
