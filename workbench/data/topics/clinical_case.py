"""Clinical case: which diagnosis, organism, treatment or test fits (MEDEC-MS, validation; Ben Abacha et al. 2025)?

The words that MEDEC's authors put wrong are a gap; their wrong words are always among the options.
"""

from __future__ import annotations

from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.medec import Case, cases

GAP = "____"
QUESTIONS = {
    "diagnosis": "Which diagnosis belongs in the gap?",
    "causalOrganism": "Which organism belongs in the gap?",
    "management": "Which step of management belongs in the gap?",
    "treatment": "Which treatment belongs in the gap?",
    "pharmacotherapy": "Which drug treatment belongs in the gap?",
}
MAX_WORDS = 15


def drafts(material: Material) -> list[Draft]:
    """A question a case that had an error."""
    spans = {case: _spans(case) for case in cases() if case.kind}
    pools = {kind: [s for case, (_, *both) in spans.items() if case.kind == kind for s in both] for kind in QUESTIONS}
    return [d for case, (gapped, right, wrong) in spans.items() if (d := _draft(case, gapped, right, wrong, pools))]


def _draft(case: Case, gapped: str, right: str, wrong: str, pools: dict[str, list[str]]) -> Draft | None:
    if not right or not wrong or len(right.split()) > MAX_WORDS or case.text.count(case.right) != 1:
        return None
    context = case.text.replace(case.right, gapped)
    others = tuple(text for text in pools[case.kind] if _fits(text, right) and text.lower() not in context.lower())
    return Draft(case.id, "medec-ms", QUESTIONS[case.kind], right, others, context, firm=(wrong,))


def _fits(text: str, right: str) -> bool:
    """Whether words could stand in the same gap: at the beginning of a sentence, or within."""
    return bool(text) and text[0].isupper() == right[0].isupper()


def _spans(case: Case) -> tuple[str, str, str]:
    """The corrected sentence with a gap, the right words of the gap, and the wrong ones."""
    right, wrong = case.right.rstrip(".").split(), case.wrong.rstrip(".").split()
    start = 0
    while start < min(len(right), len(wrong)) and right[start] == wrong[start]:
        start += 1
    end = 0
    while end < min(len(right), len(wrong)) - start and right[-1 - end] == wrong[-1 - end]:
        end += 1
    stop = len(right) - end
    gapped = " ".join([*right[:start], GAP, *right[stop:]]) + "."
    return gapped, _bare(right[start:stop]), _bare(wrong[start : len(wrong) - end])


def _bare(span: list[str]) -> str:
    return " ".join(span).strip(",;:.")
