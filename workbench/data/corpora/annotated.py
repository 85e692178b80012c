"""PubMed abstracts with annotated entities and relations: BC5CDR (Li et al. 2016), NCBI Disease (Dogan et al. 2014).

The training and development files; the test files are not read. Of BC5CDR, the articles are left out whose titles the
medication topic (workbench.data.topics.medication) asks about: its questions are titles with a gap.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from workbench.data.corpora.cleaning import clean, sentence
from workbench.data.corpora.studies import task_texts
from workbench.data.corpora.wording import capital, question
from workbench.data.example import Example, Format, TaskText
from workbench.data.sources import path_of
from workbench.data.topics import medication
from workbench.data.topics.material import Material
from workbench.data.topics.pubtator import Article, articles

BC5CDR = medication.FILES
NCBI = ("NCBItrainset_corpus.txt", "NCBIdevelopset_corpus.txt")
FEWEST_WORDS = 20
NO_CONCEPT = "-1"
SYMBOL = 3

_ABBREVIATION = re.compile(r"[A-Z0-9-]{1,6}|[A-Z]+s")
_DECIMAL = re.compile(r"(?<=\d)\. (?=\d+(?:[%),;]|\s?(?:%|kb|cM|Mb|kDa|mg|ml)\b|\s(?:and|to|or)\s\d))")


class Names:
    """The name that a whole corpus gives each concept most often, abbreviations aside."""

    def __init__(self, read: Iterable[Article]) -> None:
        spelled: Counter[str] = Counter()
        forms: dict[str, Counter[str]] = defaultdict(Counter)
        for article in read:
            for mention in article.mentions:
                spelled[mention.text] += 1
                forms[mention.concept][mention.text] += 1
        self._spelled = spelled
        self._of = {concept: self._best(counted) for concept, counted in forms.items()}

    def spelling(self, text: str) -> str:
        """A mention as within a sentence: in small letters, if the corpus has it so; symbols ("K") as they are."""
        return text.lower() if len(text) > SYMBOL and text.lower() in self._spelled else text

    def of(self, concept: str) -> str:
        """The name of a concept; "" where no mention has it."""
        return self._of.get(concept, "")

    def _best(self, counted: Counter[str]) -> str:
        merged: Counter[str] = Counter()
        for text, times in counted.items():
            merged[self.spelling(text)] += times
        return most_telling(merged)


def most_telling(counted: Counter[str]) -> str:
    """The most frequent form that is no abbreviation, the first of equals; of abbreviations the most frequent one."""
    full = Counter({text: times for text, times in counted.items() if not _ABBREVIATION.fullmatch(text)})
    return (full or counted).most_common(1)[0][0]


def _bc5cdr(seed: int) -> list[Example]:
    read = _read("bc5cdr", BC5CDR)
    names = Names(read)
    asked = {draft.id for draft in medication.drafts(Material(Path(), frozenset))}  # it reads BC5CDR alone
    return [_example(article, names, ("Chemical", "Disease")) for article in read if article.pmid not in asked]


def _ncbi(seed: int) -> list[Example]:
    read = _read("ncbi-disease", NCBI)
    names = Names(read)
    return [_example(article, names, ("Disease",)) for article in read]


def _read(source: str, files: Sequence[str]) -> list[Article]:
    """The articles of the files that have an abstract, each once."""
    found = {article.pmid: article for file in files for article in articles(path_of(source, file))}
    return [article for article in found.values() if len(article.abstract.split()) >= FEWEST_WORDS]


def _example(article: Article, names: Names, kinds: Sequence[str]) -> Example:
    title, abstract = sentence(_joined(article.title)), clean(_joined(article.abstract))
    tasks = (*task_texts(title, [abstract]), *_entities(article, names, kinds), *_relations(article, names))
    return Example("", f"{title}\n\n{abstract}", tasks, article.pmid)


def _joined(text: str) -> str:
    """The NCBI corpus was cut after each full stop, decimal ones included: "7. 8%"."""
    return _DECIMAL.sub(".", text)


def _entities(article: Article, names: Names, kinds: Sequence[str]) -> Iterator[TaskText]:
    """What an article mentions, in its own words and order: "Chemicals: naloxone. Diseases: hypertension."."""
    lists = [(kind, _mentioned(article, names, kind)) for kind in kinds]
    told = [f"{kind}s: {', '.join(found)}." for kind, found in lists if found]
    if told:
        yield TaskText("entities", "", " ".join(told))


def _mentioned(article: Article, names: Names, kind: str) -> list[str]:
    """One mention a concept, the most frequent that is no abbreviation; NCBI's kinds are all diseases."""
    forms: dict[str, Counter[str]] = {}
    for mention in article.mentions:
        if kind in (mention.kind, "Disease") and (mention.kind == "Chemical") == (kind == "Chemical"):
            text = names.spelling(mention.text)
            concept = text.lower() if mention.concept == NO_CONCEPT else mention.concept
            forms.setdefault(concept, Counter())[text] += 1
    return list(dict.fromkeys(most_telling(counted) for counted in forms.values()))


def _relations(article: Article, names: Names) -> Iterator[TaskText]:
    """What induces what: a sentence a pair, and a question a chemical."""
    order = {mention.concept: at for at, mention in reversed(list(enumerate(article.mentions)))}
    induced: dict[str, list[str]] = {}
    for pair in sorted(article.induced, key=lambda one: [order.get(concept, len(order)) for concept in one]):
        chemical, disease = (names.of(concept) for concept in pair)
        if chemical and disease:
            induced.setdefault(chemical, []).append(disease)
    if induced:
        pairs = [(chemical, disease) for chemical, diseases in induced.items() for disease in diseases]
        yield TaskText("relations", "", " ".join(f"{capital(one)} induces {other}." for one, other in pairs))
    for chemical, diseases in induced.items():
        yield question(f"Which adverse effects can {chemical} have?", f"{capital(', '.join(diseases))}.")


FORMATS: dict[tuple[str, str], Format] = {
    ("bc5cdr", "abstracts"): Format(_bc5cdr, BC5CDR),
    ("ncbi-disease", "abstracts"): Format(_ncbi, NCBI),
}
