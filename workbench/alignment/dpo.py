"""Direct preference optimisation after SFT: `accelerate launch -m workbench.alignment.dpo dpo.yaml`."""

from __future__ import annotations

from pathlib import Path

from workbench.alignment.stage import answer, arguments, load, prompt, run, save
from workbench.errors import DataMissing


def dpo(path: Path) -> None:
    """Train on (prompt, chosen, rejected), the SFT model as reference (Rafailov et al. 2023; MediPhi, Table 8)."""
    loaded = load(path)
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    if lacking := [row["id"] for row in loaded.rows if not row.get("rejected_output")]:
        raise DataMissing(f"{loaded.stage.data}: row {lacking[0]} has no rejected_output. DPO needs pairs.")
    rows = [
        {"prompt": prompt(row), "chosen": answer(row["output"]), "rejected": answer(row["rejected_output"])}
        for row in loaded.rows
    ]
    trainer = DPOTrainer(
        model=loaded.model,
        args=DPOConfig(**arguments(loaded), beta=loaded.stage.beta),
        train_dataset=Dataset.from_list(rows),
        processing_class=loaded.tokenizer,
    )
    trainer.train()
    save(loaded, trainer)


if __name__ == "__main__":
    run(dpo)
