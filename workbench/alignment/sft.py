"""Supervised fine-tuning of the chosen checkpoint: `accelerate launch -m workbench.alignment.sft sft.yaml`."""

from __future__ import annotations

from pathlib import Path

from workbench.alignment.stage import answer, arguments, load, prompt, run, save
from workbench.errors import DataMissing


def sft(path: Path) -> None:
    """Train on prompt-completion chats, loss on the completion only (MediPhi, Table 7: cosine, NEFTune)."""
    loaded = load(path)
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [{"prompt": prompt(row), "completion": answer(row["output"])} for row in loaded.rows]
    trainer = SFTTrainer(
        model=loaded.model,
        args=SFTConfig(
            **arguments(loaded), completion_only_loss=True, neftune_noise_alpha=loaded.stage.neftune_alpha or None
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=loaded.tokenizer,
    )
    if not len(trainer.train_dataset):  # TRL drops a row whose completion does not fit
        raise DataMissing(f"{loaded.stage.data}: no row fits max_length {loaded.stage.max_length}. Raise it.")
    trainer.train()
    save(loaded, trainer)


if __name__ == "__main__":
    run(sft)
