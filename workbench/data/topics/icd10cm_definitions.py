"""ICD-10-CM code definitions: which condition does a code cover, and which code covers a condition?

The icd10cm tasks ask for a code's description; here conditions are inclusion terms, of codes that those tasks do not
ask about. Wrong options come from neighbours in the tree, so that knowing the chapter is not enough.
"""

from __future__ import annotations

from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.tables import diseases, neighbours, terms


def drafts(material: Material) -> list[Draft]:
    """Two questions a code that has an inclusion term."""
    asked = [code for code in diseases() if terms(code) and code not in material.tested_codes()]
    return [draft for code in asked for draft in (_definition(code), _code(code))]


def _definition(code: str) -> Draft:
    wrong = tuple(term for other in neighbours(code) for term in terms(other)[:1])
    question = f"Which of these conditions has the medical code {code} in ICD10CM?"
    return Draft(f"definition-{code}", "icd10cm", question, terms(code)[0], wrong)


def _code(code: str) -> Draft:
    term = terms(code)[0]
    wrong = tuple(other for other in neighbours(code) if len(other) == len(code) and term not in terms(other))
    question = f"What is the medical code of '{term}' in ICD10CM?"
    return Draft(f"code-{code}", "icd10cm", question, code, wrong)
