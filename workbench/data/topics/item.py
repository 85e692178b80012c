"""A question of a topic, before and after its wrong options are chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Draft:
    """A question whose wrong options are still to be chosen.

    `wrong` holds answers of the same kind that are not right here; `firm` those that must be among the options.
    `source` is a name of the catalogue or a task folder whose validation items are read; `id` leads back into it.
    """

    id: str
    source: str
    question: str
    right: str
    wrong: tuple[str, ...]
    context: str = ""
    firm: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """A question with its options in their order; `answer` is the index of the right one."""

    id: str
    source: str
    context: str
    question: str
    options: tuple[str, ...]
    answer: int

    @property
    def right(self) -> str:
        """Text of the right option."""
        return self.options[self.answer]

    @property
    def asked(self) -> str:
        """All that the model reads before the options."""
        return f"{self.context} {self.question}"
