"""A declared corpus as examples, whether its source is in the catalogue or a file of the user's own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

from workbench.data.catalogue import SOURCES
from workbench.data.example import Example, held_out
from workbench.data.files import file_examples
from workbench.data.formats import examples, held_out_examples
from workbench.specs.models import Corpus, FileCorpus

AnyCorpus = Corpus | FileCorpus


class About(NamedTuple):
    """What a record says of a corpus."""

    source: str
    format: str
    licence: str
    attribution: str


def about(corpus: AnyCorpus) -> About:
    """Name, format, licence and attribution of a corpus."""
    if isinstance(corpus, FileCorpus):
        return About(corpus.file, "file", corpus.licence, "a file of the declaration's own")
    source = SOURCES[corpus.source]
    return About(source.name, corpus.format, source.licence, source.attribution)


def licence_of(corpus: AnyCorpus) -> str:
    """The line on which a manifest names the licence of a corpus."""
    return f"{about(corpus).source}: {about(corpus).licence}"


def in_order(corpus: AnyCorpus, home: Path, seed: int) -> list[Example]:
    """What may be trained on of a corpus, in the order of a seed; files are looked up from the folder `home`."""
    if isinstance(corpus, Corpus):
        return examples(corpus.source, corpus.format, seed)
    found = [one for one in _of_file(corpus, home) if not held_out(corpus.file, one.key)]
    return random.Random(seed).sample(found, len(found))


def held_out_of(corpus: AnyCorpus, home: Path) -> list[Example]:
    """What is kept from training of a corpus."""
    if isinstance(corpus, Corpus):
        return held_out_examples(corpus.source, corpus.format)
    return [one for one in _of_file(corpus, home) if held_out(corpus.file, one.key)]


def _of_file(corpus: FileCorpus, home: Path) -> list[Example]:
    return file_examples(home / corpus.file, corpus.prompt, corpus.completion)
