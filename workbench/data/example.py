"""What an expert reads: a text, the part of it that is to be learned, and what its source itself says about it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

TaskKind = Literal["summary", "qa", "entities", "relations"]
"""The four kinds of task data of MediPhi's pre-instruction tuning (arXiv 2505.10717, section 3.1.2)."""


@dataclass(frozen=True)
class TaskText:
    """One piece of task data about a document, without chat markup.

    A summary has no prompt; of a question it is "Question: ... Answer:", and the completion begins with a space.
    """

    kind: TaskKind
    prompt: str
    completion: str

    @property
    def text(self) -> str:
        """The whole of it."""
        return self.prompt + self.completion


@dataclass(frozen=True)
class Example:
    """Text to learn from: a plain document has an empty prompt; the loss may be limited to `completion`.

    `key` names the document within its source for as long as its source does (a PMID, a row's id), `tasks` is what the
    source's own structure says about it. Without a key a document is never held out.
    """

    prompt: str
    completion: str
    tasks: tuple[TaskText, ...] = ()
    key: str = ""

    @property
    def text(self) -> str:
        """The whole of it."""
        return self.prompt + self.completion

    @property
    def texts(self) -> tuple[str, ...]:
        """All that may be read of it: itself, and what is said about it."""
        return (self.text, *(task.text for task in self.tasks))


@dataclass(frozen=True)
class Format:
    """A way to read a source: `read(seed)` gives all examples, the seed ordering what has no order of its own.

    `files` are those that it reads of the source: an expert is known by them, whatever else its source has.
    """

    read: Callable[[int], list[Example]]
    files: tuple[str, ...] = ()


HELD_OUT_ONE_IN = 50


def held_out(source: str, key: str) -> bool:
    """Whether a document is kept from training to measure perplexity on: one in fifty, by the sha256 of its key.

    Neither a seed nor a new edition of the source moves a document.
    """
    return bool(key) and int(hashlib.sha256(f"{source} {key}".encode()).hexdigest(), 16) % HELD_OUT_ONE_IN == 0
