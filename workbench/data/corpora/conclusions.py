"""What an abstract concludes and what its study set out to do, in the abstract's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LABEL = re.compile(r"(?:^|(?<=[.?!)\]] ))(?:\(\d\) ?)?([A-Z][A-Za-z][A-Za-z,/&' -]{1,55}):\s+(?=\S)")
_WITHOUT_COLON = re.compile(r"(?:^|(?<=[.?!)\]] ))(CONCLUSIONS?|Conclusions?)(?:[.] |\s+|(?=[A-Z][a-z]))(?=[A-Z])")
_PLAIN_LABEL = re.compile(
    r"(?<=[.?!)\]] )((?:CLINICAL )?(?:RELEVANCE|SIGNIFICANCE|IMPLICATIONS)|RESULTS|FINDINGS|METHODS|DESIGN|SETTING)"
    r" (?=[A-Z][a-z])"
)
_LABELS = (_LABEL, _WITHOUT_COLON, _PLAIN_LABEL)
_CLOSING = frozenset(
    (
        "interpretation",
        "implications",
        "significance",
        "clinical significance",
        "summary",
        "discussion",
        "clinical relevance",
        "key message",
        "key messages",
        "expert opinion",
        "what this study adds",
    )
)

_SENTENCE = re.compile(
    r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!vs\.)(?<!e\.g\.)(?<!i\.e\.)(?<!spp\.)(?<!cf\.)\s+(?=[\"(\[]?[A-Z0-9])"
)
_CONCLUDES = re.compile(
    r"(?:In conclusion|To conclude|In summary|To summari[sz]e|Conclusively|As a conclusion)\b"
    r"|(?:\S+ ){1,9}?conclu(?:de|des|ded|sions? (?:is|was|can|from|that|drawn))\b"
)
_SUGGESTS = re.compile(
    r"(?:(?:Overall|Thus|Therefore|Collectively|Together|Hence|Accordingly), )?"
    r"(?i:(?:(?:these|this|the|our|such|all|present) (?:\w+ ){0,3}?)?(?:results?|findings?|data|observations?|study|"
    r"studies|evidence|analys[ie]s|experiments?|trial|work)|this) "
    r"(?:\w+ly |also |therefore |thus )*(?:suggest|indicate|impl(?:y|ies)|support|demonstrate|confirm|highlight)"
    r"(?:s|ed)?\b"
    r"|It (?:is|was) (?:therefore |thus )?(?:suggested|recommended|proposed|postulated|apparent|evident)\b"
    r"|(?:We|The authors?) (?:therefore |thus )?(?:suggest|recommend|propose|believe)\b"
    r"|(?:Thus|Therefore|Hence|Consequently|Overall|Taken together|Collectively|Accordingly),? "
    r"(?!it |they |this |these |he |she |there |such )"
)
_LAST = 4
"""Only so many sentences at the end can be a conclusion that no label announces."""

FEWEST_WORDS, MOST_WORDS = 8, 160

_AIM = re.compile(
    r"(?:[Aa]ims?|[Pp]urposes?|[Oo]bjectives?|[Gg]oals?|[Oo]bjects?|AIMS?|PURPOSES?|OBJECTIVES?|GOALS?)"
    r"(?: of (?:this|the|our|these)(?: \w+){1,3} (?:was|were|is|are))?:? ?[Tt]o (?=[a-z])"
    r"|\b(?:[Ww]e|[Tt]his(?: \w+){0,3} (?:study|trial|review|paper|work)|[Tt]he(?: \w+){0,2} study)"
    r" (?:aim(?:s|ed)?|sought) to (?=[a-z])"
)
_POINTS_ELSEWHERE = re.compile(
    r"\b(?:this|these|those|such|it|they|them|we|our|us|here|above|aforementioned|the (?:two|three|study|present))\b"
    r"|\((?:1|i|a)\)|;|\bas follows\b",
    re.IGNORECASE,
)
AIM_WORDS = (6, 45)


def sentences(text: str) -> list[str]:
    """The sentences of a line."""
    return _SENTENCE.split(text.strip())


def conclusion(abstract: Sequence[str], last_concludes: bool = False) -> str:
    """What an abstract, a paragraph each, concludes: its labelled conclusion or its concluding sentences.

    "" where it has none that can be told, one of fewer than 8 or more than 160 words, or but an aim. With
    `last_concludes` the last of at least three paragraphs does, as in journals whose labels a conversion dropped.
    """
    found = _labelled(abstract)
    if not found and last_concludes and len(abstract) >= 3:
        found = abstract[-1]
    found = found or (_concluding(abstract[-1]) if abstract else "")
    fits = FEWEST_WORDS <= len(found.split()) <= MOST_WORDS and not _AIM.search(found)
    return f"{found[0].upper()}{found[1:]}{'' if found.endswith(('.', '?', '!')) else '.'}" if fits else ""


def aim(abstract: Sequence[str]) -> str:
    """What the study set out to do, "assess the effect of ..."; "" where it is not said so that it can stand alone."""
    for paragraph in abstract:
        if match := _AIM.search(paragraph):
            found = sentences(paragraph[match.end() :])[0].rstrip(".")
            fits = AIM_WORDS[0] <= len(found.split()) <= AIM_WORDS[1]
            return found if fits and not _POINTS_ELSEWHERE.search(found) else ""
    return ""


def sections(paragraph: str) -> list[tuple[str, str]]:
    """(label in lower case, text) of a paragraph in its order; what stands before the first label has the label ""."""
    marks = sorted((mark for by in _LABELS for mark in by.finditer(paragraph)), key=lambda one: one.start())
    starts = [("", 0, 0), *((mark[1].lower().strip(), mark.start(), mark.end()) for mark in marks)]
    ends = [start for _, start, _ in starts[1:]] + [len(paragraph)]
    found = [(label, paragraph[begin:end].strip()) for (label, _, begin), end in zip(starts, ends, strict=True)]
    return [(label, text) for label, text in found if text]


def _labelled(abstract: Sequence[str]) -> str:
    found = [section for paragraph in abstract for section in sections(paragraph)]
    named = [text for label, text in found if "conclu" in label]
    closing = [text for label, text in found if label in _CLOSING]
    return next(iter(named or closing[-1:]), "")


def _concluding(paragraph: str) -> str:
    last = sentences(sections(paragraph)[-1][1])
    last = last[max(1, len(last) - _LAST) :]
    for cue in (_CONCLUDES, _SUGGESTS):
        for at, one in enumerate(last):
            if cue.match(one):
                return " ".join(last[at:])
    return ""
