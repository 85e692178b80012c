"""Text of the five domains that no expert of ours is trained on: one document in fifty of every corpus with keys."""

from __future__ import annotations

from functools import partial

from datasets import Dataset

from workbench.data.formats import held_out_examples

DOCUMENTS, WORDS = 60, 400
CORPORA = {
    "pubmed": (
        ("pubmed-abstracts", "abstracts"),
        ("pmc-oa-rct-ccby", "abstracts"),
        ("pmc-oa-rct-ccby", "fulltexts"),
        ("bc5cdr", "abstracts"),
        ("ncbi-disease", "abstracts"),
    ),
    "clinical": (
        ("aci-bench", "encounters"),
        ("mts-dialog", "encounters"),
        ("primock57", "consultations"),
        ("codiesp-en", "background"),
    ),
    "medwiki": (
        ("medquad", "wiki_pages"),
        ("openstax-health", "wiki_sections"),
        ("disease-ontology", "terms"),
    ),
    "guidelines": (
        ("nstg2022", "conditions"),
        ("ngc-uspd", "guidelines"),
        ("medquad", "guideline_pages"),
        ("cdc-mmwr-supplements", "reports"),
        ("openstax-health", "guideline_sections"),
    ),
    "medcode": (("icd10cm", "pages"), ("icd10pcs", "pages")),
}


def splits(domain: str, **_: object) -> dict[str, Dataset]:
    """At most 60 documents of a domain, as many of each corpus as there are, each cut to its first 400 words."""
    shares = [_documents(source, format) for source, format in CORPORA[domain]]
    rows = [row for at in range(DOCUMENTS) for share in shares for row in share[at : at + 1]]
    return {"validation": Dataset.from_list(rows[:DOCUMENTS])}


def _documents(source: str, format: str) -> list[dict[str, str]]:
    found = {}
    for example in held_out_examples(source, format):  # of a document in parts, the first
        words = example.text.split(" ")
        found.setdefault(example.key, " ".join(words[:WORDS]))
    return [{"id": f"{source} {format} {key}", "text": found[key]} for key in sorted(found)]


pubmed, clinical, medwiki, guidelines, medcode = (partial(splits, domain) for domain in CORPORA)
