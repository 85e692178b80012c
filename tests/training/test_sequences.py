"""What a training sequence holds, token by token."""

from __future__ import annotations

import pytest
import tiny

from workbench.data.example import Example, TaskText
from workbench.specs.training import Reads, Training
from workbench.training.sequences import IGNORED, Tokens, chat_tokens, sequences, tokens

END = tiny.tokenizer().eos_token
DOCUMENT = Example(
    "",
    "Naloxone reverses clonidine.",
    (
        TaskText("summary", "", "About naloxone."),
        TaskText("qa", "Question: What?\nAnswer:", " Naloxone."),
        TaskText("qa", "Question: When?\nAnswer:", " Now."),
    ),
)


def how(reads: Reads = "document", **changes: object) -> Training:
    return Training.model_validate({"lr": 1e-3, "reads": reads, "kinds": ["summary", "qa"], **changes})


def read(found: Tokens) -> str:
    text: str = tiny.tokenizer().decode(found.input_ids)
    return text


def learned(found: Tokens) -> str:
    text: str = tiny.tokenizer().decode([label for label in found.labels if label != IGNORED])
    assert [t for t, label in zip(found.input_ids, found.labels, strict=True) if label not in (t, IGNORED)] == []
    return text


TASKS = f"About naloxone.{END}Question: What?\nAnswer: Naloxone.{END}Question: When?\nAnswer: Now.{END}"
TEXT = f"Naloxone reverses clonidine.{END}"


@pytest.mark.parametrize(
    ("reads", "wanted"),
    [
        ("document", [TEXT]),
        ("tasks", [TASKS]),
        ("tasks_then_document", [TASKS + TEXT]),
        ("document_then_tasks", [TEXT + TASKS]),
        ("tasks_and_documents", [*(f"{part}{END}" for part in TASKS.split(END)[:3]), TEXT]),
    ],
)
def test_each_way_of_reading_gives_its_sequences(reads: Reads, wanted: list[str]) -> None:
    found = [tokens(one, tiny.tokenizer()) for one in sequences(DOCUMENT, how(reads))]
    assert [read(one) for one in found] == wanted
    assert [learned(one) for one in found] == wanted


def test_only_the_kinds_asked_for_are_read_and_a_document_without_any_gives_no_task_sequence() -> None:
    (one,) = sequences(DOCUMENT, how("tasks", kinds=["qa"]))
    assert "About" not in read(tokens(one, tiny.tokenizer()))
    assert sequences(DOCUMENT, how("tasks", kinds=["relations"])) == []
    (alone,) = sequences(DOCUMENT, how("tasks_then_document", kinds=["relations"]))
    assert read(tokens(alone, tiny.tokenizer())) == TEXT


def test_answers_alone_are_learned_if_asked() -> None:
    first, second, third, document = (
        tokens(one, tiny.tokenizer()) for one in sequences(DOCUMENT, how("tasks_and_documents", completion_only=True))
    )
    assert learned(first) == f"About naloxone.{END}"
    assert learned(second) == f" Naloxone.{END}"
    assert learned(third) == f" Now.{END}"
    assert learned(document) == TEXT


PAIR = Example("What reverses clonidine?\n", "Naloxone.")


@pytest.mark.parametrize(
    ("template", "before"),
    [
        ("plain", "What reverses clonidine?\n"),
        (
            "instruction",
            "### Instruction:\nAnswer the medical question.\n\n### Input:\nWhat reverses clonidine?\n\n### Response:\n",
        ),
    ],
)
def test_a_template_stands_around_the_prompt(template: str, before: str) -> None:
    (pieces,) = sequences(PAIR, how(template=template, completion_only=True))
    found = tokens(pieces, tiny.tokenizer())
    assert read(found) == f"{before}Naloxone.{END}"
    assert learned(found) == f"Naloxone.{END}"


def test_the_chat_template_is_the_tokenizer_s_and_the_answer_is_learned_to_its_end() -> None:
    found = chat_tokens(PAIR, how(template="chat", completion_only=True), tiny.tokenizer())
    asked = "<|im_start|>user\nWhat reverses clonidine?<|im_end|>\n<|im_start|>assistant\n"
    assert read(found) == f"{asked}Naloxone.<|im_end|>\n"
    assert learned(found) == "Naloxone.<|im_end|>\n"
    assert learned(chat_tokens(PAIR, how(template="chat"), tiny.tokenizer())) == read(found)


def test_a_token_across_a_border_counts_to_the_prompt() -> None:
    from transformers import PreTrainedTokenizerFast

    class Pairs(PreTrainedTokenizerFast):  # type: ignore[misc, unused-ignore]
        eos_token_id = 9

        def __init__(self) -> None: ...

        def __call__(self, text: str, **options: object) -> dict[str, list[object]]:
            spans = [(start, start + 2) for start in range(0, len(text), 2)]
            return {"input_ids": list(range(len(spans))), "offset_mapping": list(spans)}

    (pieces,) = sequences(Example("abc", "defg"), how(completion_only=True))
    assert tokens(pieces, Pairs()) == Tokens([0, 1, 2, 3, 9], [IGNORED, IGNORED, 2, 3, 9])
