"""Attention over a shared beginning against plain attention over the whole."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from workbench.scoring import shared_attention as module

LAYER = SimpleNamespace(layer_idx=1, num_key_value_groups=3, is_causal=True, training=False)


@pytest.mark.parametrize("kernel", [module.FLASH, None], ids=["in two parts", "joined"])
@pytest.mark.parametrize("tokens", [1, 4])
def test_it_is_plain_attention_over_beginning_and_own(
    kernel: object, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLASH", kernel)
    torch.manual_seed(0)
    texts, heads, groups, size, shared, columns = 5, 2, 3, 16, 37, 9
    query = torch.randn(texts, tokens, heads * groups, size).transpose(1, 2)
    keys, values = torch.randn(2, texts, heads, 20, size)[:, :, :, :columns]
    first_keys, first_values = torch.randn(2, 1, heads, shared, size)
    positions = torch.tensor([5, 0, 3, 4, 2])[:, None] + torch.arange(tokens)
    seen = (torch.arange(columns) <= positions[:, :, None])[:, None]
    nothing = (torch.full((1, heads, shared, size), torch.nan),) * 2  # of another layer
    found, _ = module.attention(
        LAYER, query, keys, values, seen, scaling=0.2, beginning=[nothing, (first_keys, first_values)]
    )
    whole_keys = torch.cat([first_keys.expand(texts, -1, -1, -1), keys], 2).repeat_interleave(groups, 1).double()
    whole_values = torch.cat([first_values.expand(texts, -1, -1, -1), values], 2).repeat_interleave(groups, 1).double()
    scores = query.double() @ whole_keys.transpose(-1, -2) * 0.2
    mask = torch.cat([torch.ones(texts, 1, tokens, shared, dtype=torch.bool), seen], -1)
    wanted = scores.masked_fill(~mask, -torch.inf).softmax(-1) @ whole_values
    assert found.shape == (texts, tokens, heads * groups, size)
    assert torch.allclose(found.double(), wanted.transpose(1, 2), atol=1e-5)


def test_a_model_has_its_own_attention_back_whatever_happens() -> None:
    model = SimpleNamespace(config=SimpleNamespace(_attn_implementation="sdpa"))

    def broken() -> None:
        with module.sharing(model):
            assert model.config._attn_implementation == module.NAME
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert model.config._attn_implementation == "sdpa"
