"""The door to Microsoft's presidio, which finds names of persons by a spaCy model (github.com/microsoft/presidio).

Optional and off unless asked for: it misses names, and takes some eponyms and drugs
for names.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from workbench.data.deidentify import Finding, Names
from workbench.errors import MissingExtra, UserError

VARIABLE = "WORKBENCH_PRESIDIO"
"""Environment variable that asks for names; its value is the spaCy model, such as en_core_web_lg."""

TAG = "[NAME]"


def names_if_asked(model: str | None = None) -> Names | None:
    """How to find names with the spaCy model that is declared, else the environment's; none where neither names one.

    Raises MissingExtra and UserError as `names_by_presidio` does, before any text is read.
    """
    chosen = model or os.environ.get(VARIABLE, "").strip()
    if not chosen:
        return None
    _engine(chosen)
    return functools.partial(names_by_presidio, model=chosen)


def names_by_presidio(text: str, model: str) -> tuple[Finding, ...]:
    """Names of persons in a text by presidio with an installed spaCy model of English; apart from each other.

    A name inside a tag, or one that holds a tag, is none. Raises MissingExtra without presidio, and UserError without
    the model, which presidio itself would download.
    """
    results = _engine(model).analyze(text=text, language="en", entities=["PERSON"])
    found: list[Finding] = []
    for start, end in sorted((one.start, one.end) for one in results):
        if (not found or start >= found[-1].end) and not set("[]") & set(text[max(start - 1, 0) : end + 1]):
            found.append(Finding("name", start, end, TAG))
    return tuple(found)


@functools.cache
def _engine(model: str) -> Any:
    try:
        import spacy
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NlpEngineProvider
    except ImportError as error:
        raise MissingExtra(f"Looking for names ({VARIABLE})", "deidentify") from error
    if not (spacy.util.is_package(model) or os.path.isdir(model)):
        raise UserError(
            f"The spaCy model '{model}' ({VARIABLE}) is not installed. Run: python -m spacy download {model}; or give "
            "the folder of a model."
        )
    models = [{"lang_code": "en", "model_name": model}]
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
    return AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])
