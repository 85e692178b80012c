"""Log-probabilities with each context computed once: choices are packed behind it under a tree-shaped mask.

A row holds a context and the continuations that were asked of it, one after another. Every continuation sees the
context and itself, at the positions it would have alone, so the numbers are those of separate passes; logits are
formed in float32, and only where a continuation is read. What the rows of a batch begin with in common is computed
once, and its keys and values serve all batches that share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from transformers import DynamicCache

from workbench.scoring.batches import Batch, Row, read_at
from workbench.scoring.body import logits, mask_for

LOGITS_PER_CHUNK, ON_CPU = 512, 128
"""Positions whose logits are held at once; on a CPU few enough that their memory is used again, not given back."""


class Tree:
    """Reads batches with one model; remembers the keys and values of the last common beginning."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._prefix: tuple[int, ...] = ()
        self._kept: list[tuple[torch.Tensor, torch.Tensor]] = []

    @torch.inference_mode()
    def read(self, batch: Batch) -> list[tuple[int, tuple[float, bool]]]:
        """(index of the request, (log-probability in nats, whether greedy decoding gives it)) of all continuations."""
        device = self._model.device
        count, width = len(batch.rows), batch.width
        ids = torch.zeros(count, width, dtype=torch.long)
        positions = torch.zeros(count, width, dtype=torch.long)
        seen = torch.eye(width, dtype=torch.bool).repeat(count, 1, 1)  # padding sees itself: no empty softmax
        at: list[tuple[int, int]] = []
        targets: list[int] = []
        for index, row in enumerate(batch.rows):
            _fill(row, batch.shared, ids[index], positions[index], seen[index])
            for where, target in read_at(row):
                at.append((index, where - batch.shared))
                targets.append(target)
        mask = _mask(batch, seen, device)
        hidden = self._model.base_model(
            input_ids=ids.to(device),
            position_ids=positions.to(device),
            attention_mask=None if mask is None else mask_for(self._model, mask),
            past_key_values=self._past(batch),
            use_cache=batch.shared > 0,
        ).last_hidden_state
        chosen, greedy = self._look_up(hidden, torch.tensor(at, device=device), torch.tensor(targets, device=device))
        return list(_answers(batch, chosen, greedy))

    def _look_up(self, hidden: Any, at: torch.Tensor, targets: torch.Tensor) -> tuple[list[float], list[bool]]:
        """Log-probability of every target [n] at its (row, position) [n, 2], and whether it is the best token."""
        chosen: list[float] = []
        greedy: list[bool] = []
        size = ON_CPU if hidden.device.type == "cpu" else LOGITS_PER_CHUNK
        for part, goal in zip(torch.split(at, size), torch.split(targets, size), strict=True):
            places, of = torch.unique(part, dim=0, return_inverse=True)  # all choices begin behind one token
            found = logits(self._model, hidden[places[:, 0], places[:, 1]])
            chosen += (found[of, goal] - log_sum(found)[of]).tolist()
            greedy += is_greedy(found, of, goal).tolist()
        return chosen, greedy

    def _past(self, batch: Batch) -> DynamicCache | None:
        """Keys and values of the common beginning, once for every row."""
        if not batch.shared:
            return None
        if batch.prefix != self._prefix:
            ids = torch.tensor([batch.prefix], device=self._model.device)
            made = self._model.base_model(input_ids=ids, use_cache=True).past_key_values
            self._prefix = batch.prefix
            self._kept = [(layer.keys, layer.values) for layer in made.layers]
        rows = len(batch.rows)
        return DynamicCache([(k.expand(rows, -1, -1, -1), v.expand(rows, -1, -1, -1)) for k, v in self._kept])


def log_sum(found: torch.Tensor) -> torch.Tensor:
    """log(sum(exp)) of every row of logits [n, vocabulary], by the one pass that a fused loss takes."""
    first = torch.zeros(len(found), dtype=torch.long, device=found.device)
    return found[:, 0] + torch.nn.functional.cross_entropy(found, first, reduction="none")


def is_greedy(found: torch.Tensor, of: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    """Whether each target [n] is the first of the largest logits of its row `of` [n] in `found` [rows, vocabulary].

    The largest value is found ten times faster than its place on a CPU: only targets that reach it are looked up.
    """
    best = found[of, goal] == found.amax(-1)[of]
    best[best.clone()] = found[of[best]].argmax(-1) == goal[best]
    return best


def _answers(batch: Batch, chosen: list[float], greedy: list[bool]) -> Iterator[tuple[int, tuple[float, bool]]]:
    start = 0
    for row in batch.rows:
        for request, continuation in zip(row.requests, row.continuations, strict=True):
            end = start + len(continuation)
            yield request, (sum(chosen[start:end]), all(greedy[start:end]))
            start = end


def _mask(batch: Batch, seen: torch.Tensor, device: torch.device) -> torch.Tensor | None:
    """The tree mask [rows, 1, width, shared + width], or None where plain causal order says the same and is faster.

    With one continuation a row nothing branches, and padding stands to the right, out of sight.
    """
    if not batch.shared and all(len(row.continuations) == 1 for row in batch.rows):
        return None
    count, width, _ = seen.shape
    before = torch.ones(count, width, batch.shared, dtype=torch.bool)
    return torch.cat([before, seen], dim=-1)[:, None].to(device)


def _fill(row: Row, shared: int, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor) -> None:
    """Write ids [width], positions [width] and who sees whom [width, width] of one row, in place.

    The row stands without the `shared` tokens at its beginning.
    """
    m = len(row.context) - shared
    ids[:m] = torch.tensor(row.context[shared:])
    positions[:m] = torch.arange(shared, shared + m)
    seen[:m, :m] = torch.ones(m, m, dtype=torch.bool).tril()
    start = m
    for continuation in row.continuations:
        fed = len(continuation) - 1
        if not fed:
            continue
        end = start + fed
        ids[start:end] = torch.tensor(continuation[:-1])
        positions[start:end] = torch.arange(shared + m, shared + m + fed)
        seen[start:end, :m] = True
        seen[start:end, start:end] = torch.ones(fed, fed, dtype=torch.bool).tril()
        start = end
