"""One index of our lm-eval tasks, without lm-eval's own thousands, and one tiny random model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TASKS = BENCHMARKS / "tasks"
sys.path.insert(0, str(BENCHMARKS))  # its scripts are no package


@pytest.fixture(scope="session")
def manager() -> TaskManager:
    return TaskManager(include_path=str(TASKS), include_defaults=False)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """A token a byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(["</s>", *alphabet])}, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="</s>", eos_token="</s>", pad_token="</s>")


@pytest.fixture(scope="session")
def tiny_lm(tokenizer: PreTrainedTokenizerFast) -> HFLM:
    """A random Llama of one layer and width 32 as an lm-eval model."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config).eval()
    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4, device="cpu")
