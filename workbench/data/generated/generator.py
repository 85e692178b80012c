"""What asks and what is asked: one interface before an endpoint and a model on this machine."""

from __future__ import annotations

from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from workbench.ids import Plain


@dataclass(frozen=True)
class Request:
    """One message of a user. `attempt` counts from 0: how often it was asked before without a readable answer."""

    prompt: str
    attempt: int = 0


@dataclass(frozen=True)
class Answer:
    """What a model wrote, as it wrote it.

    Token counts are None where the endpoint tells none; `cut` says that the answer ended at its greatest length.
    """

    text: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cut: bool = False


@dataclass(frozen=True)
class NoAnswer:
    """Why a request was given up: `reason` to count by, `message` of the last try."""

    reason: str
    message: str


class Generator(Protocol):
    """A model that can be asked."""

    @property
    def identity(self) -> Plain:
        """All that the answers depend on besides the request: the model and its settings."""

    @property
    def asks(self) -> int:
        """How often in all it is worth asking when the answer cannot be read."""

    def answers(self, requests: Sequence[Request]) -> abc.Generator[tuple[int, Answer | NoAnswer]]:
        """(index of the request, what came of it), each once, as they end. To be closed by whoever stops early.

        Raises UserError when no request can succeed, StepFailed when the model is lost on the way.
        """
