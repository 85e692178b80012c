"""Task data that a language model writes for documents whose source has none of a kind, where that is declared."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.data.catalogue import SOURCES
from workbench.data.generated.cache import opened
from workbench.data.generated.generate import generate, generator_of, refuse_confidential
from workbench.progress import Progress
from workbench.specs.models import Corpus, ExpertSpec
from workbench.training import workers
from workbench.training.corpus import Reading


def with_task_data(
    spec: ExpertSpec, reading: Reading, home: Path, base: Path, cache: Path, progress: Progress
) -> tuple[Reading, dict[str, Any] | None]:
    """The examples with what the declared generator wrote, and how it was written; None without a generator.

    Answers are kept in the file `cache`: each is asked for once. Raises UserError where a source's text must not
    be sent to the endpoint, or its key is not set; StepFailed when the endpoint is gone.
    """
    if spec.generator is None:
        return reading, None
    refuse_confidential(spec.generator, [SOURCES[c.source] for c in spec.corpora if isinstance(c, Corpus)])
    generator = generator_of(spec.generator, home / "any.yaml", base, random.Random(spec.seed))
    with workers.first(), opened(cache) as kept:
        done = generate(reading.examples, spec.generator, generator, kept, progress)
    return replace(reading, examples=done.examples), done.record.provenance(generator.identity)
