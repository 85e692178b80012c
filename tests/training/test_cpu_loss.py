"""The loss for CPUs against transformers' own."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch
from peft import PeftModel
from torch import Tensor
from transformers import LlamaForCausalLM

from workbench.training.cpu_loss import label_loss

LENGTHS = (5, 9, 3)


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    return tiny.llama(seed=4)


def documents() -> list[Tensor]:
    generator = torch.Generator().manual_seed(6)
    return [torch.randint(3, 250, (length,), generator=generator) for length in LENGTHS]


def padded() -> dict[str, Tensor]:
    """Three documents, padded on the right; the first two tokens of each are a prompt that is not learned."""
    ids = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, document in enumerate(documents()):
        n = len(document)
        ids[row, :n], mask[row, :n], labels[row, 2:n] = document, 1, document[2:]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def packed() -> dict[str, Tensor]:
    """Three documents in one row; positions start anew with each, and no first token is predicted."""
    labels = [torch.cat([torch.tensor([-100]), document[1:]]) for document in documents()]
    positions = [torch.arange(length) for length in LENGTHS]
    return {
        "input_ids": torch.cat(documents())[None],
        "labels": torch.cat(labels)[None],
        "position_ids": torch.cat(positions)[None],
    }


def test_a_padded_batch(model: LlamaForCausalLM) -> None:
    batch = padded()
    with torch.no_grad():
        torch.testing.assert_close(label_loss(model, batch), model(**batch).loss, rtol=0, atol=1e-5)


def test_a_packed_row(model: LlamaForCausalLM) -> None:
    batch = packed()
    with torch.no_grad():  # with a cache, transformers does not look for packed documents
        torch.testing.assert_close(label_loss(model, batch), model(**batch, use_cache=False).loss, rtol=0, atol=1e-5)


def test_documents_of_a_packed_row_do_not_see_one_another(model: LlamaForCausalLM) -> None:
    with torch.no_grad():
        alone = [model(input_ids=d[None], labels=d[None]).loss * (len(d) - 1) for d in documents()]
        wanted = sum(alone) / sum(length - 1 for length in LENGTHS)
        torch.testing.assert_close(label_loss(model, packed()), wanted, rtol=0, atol=1e-5)
        without = {key: value for key, value in packed().items() if key != "position_ids"}
        assert abs(label_loss(model, without) - wanted) > 1e-4  # so the positions do decide


def test_a_count_from_outside_divides_the_sum(model: LlamaForCausalLM) -> None:
    # For gradient accumulation: two halves with the count of both add up to the whole.
    batch = padded()
    n = int((batch["labels"][:, 1:] != -100).sum())
    with torch.no_grad():
        halves = [{key: value[rows] for key, value in batch.items()} for rows in (slice(0, 1), slice(1, 3))]
        total = sum(label_loss(model, half, torch.tensor(n)) for half in halves)
        torch.testing.assert_close(total, label_loss(model, batch), rtol=0, atol=1e-5)


def test_a_batch_with_nothing_to_learn_has_loss_zero(model: LlamaForCausalLM) -> None:
    batch = padded()
    batch["labels"][:] = -100
    assert label_loss(model, batch).item() == 0.0


def test_gradients_are_transformers_own(model: LlamaForCausalLM) -> None:
    def gradients(loss: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(loss, list(model.parameters())))

    ours, theirs = gradients(label_loss(model, padded())), gradients(model(**padded()).loss)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-5)


def test_an_adapter_takes_part(tmp_path: Path) -> None:
    base = tiny.save_model(tmp_path / "base")
    adapter = tiny.save_adapter(base, tmp_path / "adapter")
    plain = LlamaForCausalLM.from_pretrained(base)
    adapted = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base), adapter)
    with torch.no_grad():
        ours = label_loss(adapted, padded())
        torch.testing.assert_close(ours, adapted(**padded()).loss, rtol=0, atol=1e-5)
        assert abs(ours - label_loss(plain, padded())) > 1e-4
