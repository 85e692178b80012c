"""Medication: which drug belongs in the title of an article about its adverse effect?

Titles are those of BC5CDR's training and development set (Li et al. 2016). A wrong option is a drug of another title
that no article of the two sets links with a disease of this one's.
"""

from __future__ import annotations

from collections import defaultdict

from workbench.data.sources import path_of
from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.pubtator import Article, Mention, articles

FILES = ("CDR_TrainingSet.PubTator.txt", "CDR_DevelopmentSet.PubTator.txt")
QUESTION = "Which drug stands in the gap of this title?"


def drafts(material: Material) -> list[Draft]:
    """A question an article whose title names one drug and what it induced."""
    read = [article for file in FILES for article in articles(path_of("bc5cdr", file))]
    asked = {article.pmid: drug for article in read if (drug := _drug(article)) is not None}
    causes: dict[str, set[str]] = defaultdict(set)
    for article in read:
        for chemical, disease in article.induced:
            causes[disease].add(chemical)
    titles = [article for article in read if article.pmid in asked]
    return [_draft(article, asked, causes) for article in titles]


def _drug(article: Article) -> Mention | None:
    """The one drug of a title, if the title names a disease that it induced and the drug only once."""
    inside = [mention for mention in article.mentions if mention.end <= len(article.title)]
    drugs = [mention for mention in inside if mention.kind == "Chemical"]
    diseases = {mention.concept for mention in inside if mention.kind == "Disease"}
    if len(drugs) != 1 or article.title.lower().count(drugs[0].text.lower()) != 1:
        return None
    induced = {disease for chemical, disease in article.induced if chemical == drugs[0].concept}
    return drugs[0] if diseases & induced else None


def _draft(article: Article, asked: dict[str, Mention], causes: dict[str, set[str]]) -> Draft:
    drug = asked[article.pmid]
    culprits = set().union(*(causes[disease] for chemical, disease in article.induced if chemical == drug.concept))
    wrong = tuple(other.text.lower() for other in asked.values() if other.concept not in culprits | {drug.concept})
    title = f"{article.title[: drug.start]}____{article.title[drug.end :]}"
    return Draft(article.pmid, "bc5cdr", QUESTION, drug.text.lower(), wrong, title)
