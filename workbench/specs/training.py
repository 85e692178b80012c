"""How an expert is trained: what each pass reads, in which form, and with which settings."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workbench.data.example import TaskKind
from workbench.specs.common import Spec

Reads = Literal["document", "tasks", "tasks_then_document", "document_then_tasks", "tasks_and_documents"]
"""What a sequence holds. `document`: the document, or prompt and completion. `tasks`: the task data of a document, each
ended by the end-of-text token (MediPhi's first phase of pre-instruction tuning). `tasks_then_document`: both in one
sequence (its second phase). `tasks_and_documents`: each a sequence of its own, mixed (Jiang et al. 2024)."""

Template = Literal["plain", "instruction", "query", "chat"]
Packing = Literal["split", "wrapped"]
Positive = Annotated[int, Field(gt=0)]


class LoraSpec(Spec):
    """Low-rank adapter (Hu et al. 2021): delta W = alpha / r * B A, on all linear layers or on those named.

    `quantized: nf4` holds the frozen weights in four bits with double quantisation (QLoRA, Dettmers et al. 2023).
    """

    r: Positive
    alpha: Annotated[float, Field(gt=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: Annotated[list[str], Field(min_length=1)] | None = None
    quantized: Literal["nf4"] | None = None


class Stopping(Spec):
    """End a pass when the held-out loss has not fallen for `patience` looks, one every `every` steps; keep the best."""

    every: Positive
    patience: Positive


class Training(Spec):
    """One pass of continued training. `max_length` in tokens, `lr` the peak of the schedule after the warm-up.

    `corpora` names those of the expert's corpora that the pass reads, each by its source or as source/format; it reads
    all of them where none is named.

    `packing: true` fills sequences with whole documents (best fit, no attention across them) and cuts those that are
    too long; `split` cuts them into several instead (best-fit packing, Ding et al. 2024); `wrapped` fills to the last
    token; `false` gives every document a sequence of its own. `completion_only` takes the loss on completions alone.
    """

    reads: Reads = "document"
    corpora: Annotated[list[str], Field(min_length=1)] | None = None
    kinds: Annotated[list[TaskKind], Field(min_length=1)] = ["summary"]
    template: Template = "plain"
    epochs: Annotated[float, Field(gt=0)] = 1.0
    max_steps: Positive | None = None
    lr: Annotated[float, Field(gt=0)]
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 20
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    batch_size: Positive = 8
    gradient_accumulation: Positive = 1
    gradient_checkpointing: bool = False
    max_length: Positive = 512
    packing: bool | Packing = True
    completion_only: bool = False
    neftune_alpha: Annotated[float, Field(ge=0)] = 0.0
    stop: Stopping | None = None
    save_steps: Positive = 100

    @model_validator(mode="after")
    def _task_data_have_no_template(self) -> Self:
        if self.reads != "document" and self.template != "plain":
            raise ValueError(f"'reads: {self.reads}' is plain text: pre-instruction tuning has no template")
        return self
