"""PubTator files: abstracts with mentions and relations, as BC5CDR has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Mention:
    """A span of the title and abstract with its kind ("Chemical") and its concept (a MeSH id)."""

    start: int
    end: int
    text: str
    kind: str
    concept: str


@dataclass
class Article:
    """An abstract; `induced` holds its pairs (chemical, disease) of concepts."""

    pmid: str
    title: str = ""
    abstract: str = ""
    mentions: list[Mention] = field(default_factory=list)
    induced: set[tuple[str, str]] = field(default_factory=set)


def articles(path: Path) -> list[Article]:
    """The articles of a PubTator file, in its order. Offsets count from the title's first character."""
    found: dict[str, Article] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.count("|") >= 2 and line.split("|", 2)[1] in ("t", "a"):
            pmid, part, text = line.split("|", 2)
            article = found.setdefault(pmid, Article(pmid))
            article.title, article.abstract = (text, "") if part == "t" else (article.title, text)
        elif line:
            _annotate(found, line.split("\t"))
    return list(found.values())


def _annotate(found: dict[str, Article], cells: list[str]) -> None:
    if cells[1] == "CID":
        found[cells[0]].induced.add((cells[2], cells[3]))
    else:
        start, end, text, kind, concept = cells[1:6]
        found[cells[0]].mentions.append(Mention(int(start), int(end), text, kind, concept))
