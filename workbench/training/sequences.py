"""What one training sequence holds: pieces of text, learned or only read, in the form that a pass asks for.

The end-of-text token ends a document and every piece of task data, as in MediPhi's pre-instruction tuning
(arXiv 2505.10717, section 3.1.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.data.example import Example, TaskText
from workbench.specs.training import Reads, Template, Training

IGNORED = -100
"""The label of a token that takes no part in the loss."""


@dataclass(frozen=True)
class Piece:
    """A text; whether it is learned; whether an end-of-text token follows."""

    text: str
    learned: bool = True
    ends: bool = False


Pieces = tuple[Piece, ...]

TEMPLATES: Mapping[Template, Callable[[str], str]] = {
    "plain": lambda prompt: prompt,
    "instruction": lambda prompt: (
        f"### Instruction:\nAnswer the medical question.\n\n### Input:\n{prompt.strip()}\n\n### Response:\n"
    ),
    "query": lambda prompt: (
        "### Instruction:\nGiven the user query below, say what evidence a correct passage should contain.\n\n"
        f"### Query:\n{prompt.strip()}\n\n### Response:\n"
    ),
}
"""What stands around a prompt. `chat` is the tokenizer's own. `instruction` is the Alpaca form that MedSwin trains on,
`query` that of the rationale generator of METEORA's re-ranker, in words of our own."""


def sequences(example: Example, how: Training) -> list[Pieces]:
    """The sequences that an example gives in a pass; none where the pass reads task data and the example has none."""
    tasks = tuple(task for task in example.tasks if task.kind in how.kinds)
    return _READERS[how.reads](_document(example, how), [_task(task, how) for task in tasks])


def _document(example: Example, how: Training) -> Pieces:
    prompt = TEMPLATES[how.template](example.prompt) if example.prompt and how.template != "chat" else example.prompt
    asked = (Piece(prompt, learned=not how.completion_only),) if prompt else ()
    return (*asked, Piece(example.completion, ends=True))


def _task(task: TaskText, how: Training) -> Pieces:
    asked = (Piece(task.prompt, learned=not how.completion_only),) if task.prompt else ()
    return (*asked, Piece(task.completion, ends=True))


def _joined(parts: Iterable[Pieces]) -> Pieces:
    return tuple(piece for part in parts for piece in part)


_READERS: Mapping[Reads, Callable[[Pieces, Sequence[Pieces]], list[Pieces]]] = {
    "document": lambda document, tasks: [document],
    "tasks": lambda document, tasks: [_joined(tasks)] if tasks else [],
    "tasks_then_document": lambda document, tasks: [_joined([*tasks, document])],
    "document_then_tasks": lambda document, tasks: [_joined([document, *tasks])],
    "tasks_and_documents": lambda document, tasks: [*tasks, document],
}


@dataclass(frozen=True)
class Tokens:
    """One sequence in tokens; labels are the tokens themselves, or IGNORED."""

    input_ids: list[int]
    labels: list[int]


def tokens(pieces: Pieces, tokenizer: Any) -> Tokens:
    """The tokens of a sequence. Pieces between two end-of-text tokens are read as one text, as a reader would.

    A token that stands on the border of a learned piece and one that is not belongs to the first of the two.
    """
    ids: list[int] = []
    labels: list[int] = []
    for text, borders in _texts(pieces):
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        learned = [next(learned for end, learned in borders if start < end) for start, _ in encoded["offset_mapping"]]
        ids += [*encoded["input_ids"], tokenizer.eos_token_id]
        labels += [t if said else IGNORED for t, said in zip(encoded["input_ids"], learned, strict=True)]
        labels.append(tokenizer.eos_token_id)
    return Tokens(ids, labels)


def _texts(pieces: Pieces) -> Iterator[tuple[str, list[tuple[int, bool]]]]:
    """Texts up to each end, with (end of piece in characters, whether it is learned)."""
    text, borders = "", []
    for piece in pieces:
        text += piece.text
        borders.append((len(text), piece.learned))
        if piece.ends:
            yield text, borders
            text, borders = "", []


def chat_tokens(example: Example, how: Training, tokenizer: Any) -> Tokens:
    """A prompt and its answer as turns of the tokenizer's own chat template; `completion_only` learns the answer."""
    turns = [{"role": "user", "content": example.prompt.strip()}]
    asked: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    said = [*turns, {"role": "assistant", "content": example.completion.strip()}]
    whole: str = tokenizer.apply_chat_template(said, tokenize=False)
    if not whole.startswith(asked):
        asked = tokenizer.apply_chat_template(turns, tokenize=False)
    encoded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    first = len(asked) if how.completion_only else 0
    ids = list(encoded["input_ids"])
    labels = [t if start >= first else IGNORED for t, (start, _) in zip(ids, encoded["offset_mapping"], strict=True)]
    return Tokens(ids, labels)


def in_tokens(example: Example, how: Training, tokenizer: Any) -> list[Tokens]:
    """The sequences of an example in tokens, in the template of the pass."""
    if how.template == "chat":
        return [chat_tokens(example, how, tokenizer)]
    return [tokens(pieces, tokenizer) for pieces in sequences(example, how)]
