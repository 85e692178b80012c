"""The Guidelines expert's corpora: recommendations, patient pages of institutes, and handbooks of care, all open.

MediPhi's Guidelines expert reads Meditron's corpus of clinical guidelines (arXiv 2505.10717, section 3.1.1); these
stand in for those of its sources that may not be given on.
"""

from __future__ import annotations

from workbench.data.corpora import medquad, mmwr, ngc, nstg, openstax
from workbench.data.example import Example, Format

COLLECTIONS = ("1_CancerGov_QA", "5_NIDDK_QA", "6_NINDS_QA", "7_SeniorHealth_QA", "8_NHLBI_QA_XML", "9_CDC_QA")
"""Of MedQuAD: what the National Institutes of Health and CDC tell patients to do."""

BOOKS = "nursing-pharm-nutrition-pophealth.jsonl"


def _pages(seed: int) -> list[Example]:
    return medquad.pages(COLLECTIONS)


def _guidelines(seed: int) -> list[Example]:
    return ngc.guidelines()


def _reports(seed: int) -> list[Example]:
    return mmwr.reports()


def _conditions(seed: int) -> list[Example]:
    return nstg.conditions()


def _sections(seed: int) -> list[Example]:
    return openstax.sections(BOOKS)


FORMATS: dict[tuple[str, str], Format] = {
    ("medquad", "guideline_pages"): Format(_pages, (medquad.FILE,)),
    ("ngc-uspd", "guidelines"): Format(_guidelines, (ngc.FILE,)),
    ("cdc-mmwr-supplements", "reports"): Format(_reports, (mmwr.FILE,)),
    ("nstg2022", "conditions"): Format(_conditions, nstg.FILES),
    ("openstax-health", "guideline_sections"): Format(_sections, (BOOKS,)),
}
