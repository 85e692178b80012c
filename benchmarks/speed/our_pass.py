"""Continued training on documents with a pass of ours, as `workbench train` runs it; the settings of plain_trl.py.

python our_pass.py BASE DOCUMENTS OUT STEPS
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from workbench.specs.models import ExpertSpec

LENGTH, ACCUMULATED = 512, 4


def expert(steps: int) -> ExpertSpec:
    """The declaration: enough pages of the ICD-10-CM tables for so many steps, each read once."""
    budget = LENGTH * ACCUMULATED * steps * 5 // 4  # a token budget ends before the document that would exceed it
    return ExpertSpec.model_validate(
        {
            "kind": "expert",
            "base": "base",
            "domain": "medical codes",
            "corpora": [{"source": "icd10cm", "format": "pages", "max_tokens": budget}],
            "lora": {"r": 12, "alpha": 24.0},
            "train": {
                "lr": 1e-3,
                "warmup_steps": 2,
                "batch_size": 1,
                "gradient_accumulation": ACCUMULATED,
                "max_length": LENGTH,
                "packing": "split",
                "max_steps": steps,
            },
            "seed": 13,
        }
    )


def main() -> None:
    """Train, without the looks at held-out documents before and after a pass, for which TRL has no counterpart."""
    import torch
    from transformers import AutoTokenizer

    from workbench.data.example import Example
    from workbench.progress import silent
    from workbench.training.load import trainable
    from workbench.training.passes import Material, run_pass
    from workbench.training.sequences import sequences, tokens

    base, documents, out = map(Path, sys.argv[1:4])
    spec = expert(int(sys.argv[4]))
    tokenizer = AutoTokenizer.from_pretrained(base)
    examples = [Example("", json.loads(line)["text"]) for line in documents.read_text(encoding="utf-8").splitlines()]
    found = [tokens(pieces, tokenizer) for one in examples for pieces in sequences(one, spec.train)]
    torch.manual_seed(spec.seed)
    model = trainable(spec, base, None)
    run_pass(model, tokenizer, spec.train, Material(found, []), spec.seed, out, silent, "")


if __name__ == "__main__":
    main()
