"""Continued training on documents with TRL alone, as a user of TRL writes it; the settings are those of our_pass.py.

python plain_trl.py BASE DOCUMENTS OUT STEPS
"""

import sys

import torch
from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

base, documents, out, steps = sys.argv[1:]
trainer = SFTTrainer(
    model=base,
    args=SFTConfig(
        output_dir=out,
        num_train_epochs=1,
        max_steps=int(steps),
        learning_rate=1e-3,
        lr_scheduler_type="cosine",
        warmup_steps=2,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=4,
        activation_checkpointing=False,  # TRL would have it on
        max_length=512,
        packing=True,
        packing_strategy="bfd_split",
        model_init_kwargs={"dtype": "bfloat16"},  # TRL would load float32
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        save_steps=100,
        save_total_limit=2,
        logging_steps=5,
        report_to="none",
        disable_tqdm=True,
        seed=13,
        data_seed=13,
    ),
    train_dataset=load_dataset("json", data_files=documents, split="train"),
    peft_config=LoraConfig(r=12, lora_alpha=24, target_modules="all-linear", task_type="CAUSAL_LM"),
)
trainer.train()
trainer.save_model()
