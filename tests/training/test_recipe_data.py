"""The recipes on their data: what a model sees and learns of it, and two steps of each on a tiny model."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import tiny

from workbench.data.example import Example, Format, TaskText
from workbench.data.formats import FORMATS
from workbench.data.grams import Index, N, words
from workbench.data.overlap import item_text
from workbench.data.reading import in_order
from workbench.errors import MissingExtra
from workbench.progress import silent
from workbench.specs.models import Corpus, ExpertSpec, FileCorpus
from workbench.specs.project import load_expert
from workbench.training.sequences import IGNORED, Tokens, chat_tokens, sequences, tokens
from workbench.training.train import TrainingRecord, train

RECIPES = tiny.REPOSITORY / "experts" / "recipes"
END = tiny.tokenizer().eos_token

FIELDS: dict[str, tuple[int, dict[str, type]]] = {
    "rationales.jsonl": (80, {"id": str, "query": str, "rationales": list}),
    "text-cleaning.jsonl": (80, {"id": str, "instruction": str, "messy": str, "clean": str}),
    "medical-instructions.jsonl": (60, {"id": str, "kind": str, "question": str, "input": str, "answer": str}),
    "textbook-explainers.jsonl": (25, {"id": str, "code": str, "title": str, "explainer": str}),
}
"""At least so many items, and their fields, by file."""


def items(file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECIPES / "data" / file).read_text().splitlines()]


def texts(item: dict[str, Any]) -> list[str]:
    """Everything that an item says, but for its name and the wording of its instruction."""
    own = [value for key, value in item.items() if key not in ("id", "instruction")]
    return [text for value in own for text in (value if isinstance(value, list) else [value])]


@pytest.mark.parametrize("file", FIELDS)
def test_items_are_whole_and_named(file: str) -> None:
    least, fields = FIELDS[file]
    found = items(file)
    assert len(found) >= least
    assert {path.name for path in (RECIPES / "data").iterdir()} == FIELDS.keys()
    for item in found:
        assert {key: type(value) for key, value in item.items()} == fields
        assert all(text.strip() == text and text for text in texts(item)), item["id"]
    assert len({item["id"] for item in found}) == len(found)


def shared(found: list[dict[str, Any]]) -> list[set[str]]:
    """Ids of items that share a run of 13 words."""
    owners: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for item in found:
        for text in texts(item):
            said = words(text)
            for start in range(len(said) - N + 1):
                owners[tuple(said[start : start + N])].add(item["id"])
    return [ids for ids in owners.values() if len(ids) > 1]


@pytest.mark.parametrize("file", FIELDS)
def test_no_two_items_share_thirteen_words(file: str) -> None:
    found = items(file)
    assert shared(found) == []
    long = max((text for item in found for text in texts(item)), key=len)
    assert shared([*found, {"id": "a copy", "answer": f"As said: {long}"}])


@pytest.mark.parametrize("file", FIELDS)
def test_no_item_is_one_of_the_mini_suite(file: str) -> None:
    index = Index.of(text for item in items(file) for text in texts(item))
    mini = sorted((tiny.REPOSITORY / "benchmarks" / "tasks").glob("mini_*/*.jsonl"))
    asked = [json.loads(line) for path in mini for line in path.read_text().splitlines()]
    assert len(asked) > 700
    assert [item["id"] for item in asked if index.overlaps(item_text(item))] == []


def test_rationales_are_three_and_differ() -> None:
    assert all(len(set(item["rationales"])) == len(item["rationales"]) == 3 for item in items("rationales.jsonl"))


def test_instructions_are_of_four_kinds() -> None:
    kinds = Counter(item["kind"] for item in items("medical-instructions.jsonl"))
    assert kinds.keys() == {"context", "rationale", "knowledge_graph", "dialogue"}
    assert min(kinds.values()) >= 10


def test_text_to_be_cleaned_has_what_cleaning_is_for() -> None:
    found = items("text-cleaning.jsonl")
    for mark in ("Â", "â€"):
        assert sum(mark in item["messy"] for item in found) >= 4
        assert not any(mark in item["clean"] for item in found)
    capitals = [item for item in found if item["messy"] == item["messy"].upper()]
    assert len(capitals) >= 10
    assert not any(item["clean"] == item["clean"].upper() for item in capitals)
    assert len({item["instruction"] for item in found}) == 4


def test_explainers_are_of_codes_that_exist_under_their_titles() -> None:
    import simple_icd_10_cm

    for item in items("textbook-explainers.jsonl"):
        assert item["title"] == simple_icd_10_cm.get_description(item["code"])
        assert 70 <= len(item["explainer"].split()) <= 200


def recipe(name: str) -> ExpertSpec:
    return load_expert(RECIPES / f"{name}.yaml")[1]


def first(name: str, corpus: int = 0) -> Example:
    return in_order(recipe(name).corpora[corpus], RECIPES, 1)[0]


def read(found: Tokens) -> str:
    return str(tiny.tokenizer().decode(found.input_ids))


def learned(found: Tokens) -> str:
    return str(tiny.tokenizer().decode([label for label in found.labels if label != IGNORED]))


def item_of(one: Example, file: str) -> dict[str, Any]:
    return items(file)[int(one.key) - 1]


@pytest.mark.parametrize(("name", "corpus", "at"), [("medswin", 0, 0), ("medico-mistral", 3, 1)])
def test_instructions_stand_in_their_template_and_answers_are_learned(name: str, corpus: int, at: int) -> None:
    one = first(name, corpus)
    (pieces,) = sequences(one, recipe(name).passes[at])
    found, item = tokens(pieces, tiny.tokenizer()), item_of(one, "medical-instructions.jsonl")
    asked = f"{item['question']}\n\n{item['input']}"
    assert read(found) == (
        f"### Instruction:\nAnswer the medical question.\n\n### Input:\n{asked}\n\n### Response:\n{item['answer']}{END}"
    )
    assert learned(found) == f"{item['answer']}{END}"


def test_rationales_stand_a_line_each_behind_their_query_and_all_is_learned() -> None:
    one = first("medical-rationales")
    (pieces,) = sequences(one, recipe("medical-rationales").train)
    found, item = tokens(pieces, tiny.tokenizer()), item_of(one, "rationales.jsonl")
    lines = "\n".join(item["rationales"])
    assert read(found).startswith("### Instruction:\nGiven the user query below, ")
    assert read(found).endswith(f"\n\n### Query:\n{item['query']}\n\n### Response:\n{lines}{END}")
    assert learned(found) == read(found)


def test_cleaned_text_is_the_answer_of_a_chat_and_alone_is_learned() -> None:
    one = first("clinical-info-corrector")
    found = chat_tokens(one, recipe("clinical-info-corrector").train, tiny.tokenizer())
    item = item_of(one, "text-cleaning.jsonl")
    asked = f"<|im_start|>user\n{item['instruction']}\n\n{item['messy']}<|im_end|>\n<|im_start|>assistant\n"
    assert read(found) == f"{asked}{item['clean']}<|im_end|>\n"
    assert learned(found) == f"{item['clean']}<|im_end|>\n"


def test_an_explainer_is_a_text_under_its_title() -> None:
    one = first("explainer")
    (pieces,) = sequences(one, recipe("explainer").train)
    found, item = tokens(pieces, tiny.tokenizer()), item_of(one, "textbook-explainers.jsonl")
    assert read(found) == learned(found) == f"{item['title']}\n{item['explainer']}{END}"


PAGE = Example(
    "", "Naloxone reverses opioids.", (TaskText("qa", "Question: What does naloxone reverse?\nAnswer:", " Opioids."),)
)


def test_the_original_pre_instruction_tuning_learns_answers_given_questions_and_documents_whole() -> None:
    question, document = (tokens(one, tiny.tokenizer()) for one in sequences(PAGE, recipe("pit-original").train))
    assert read(question) == f"Question: What does naloxone reverse?\nAnswer: Opioids.{END}"
    assert learned(question) == f" Opioids.{END}"
    assert read(document) == learned(document) == f"Naloxone reverses opioids.{END}"


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen short pages with a question each in place of every source that a recipe reads."""
    pages = [
        Example("", f"Page {n}: {PAGE.completion}", (TaskText("qa", f"Question: {n}?\nAnswer:", f" {n}."),), key=str(n))
        for n in range(16)
    ]
    for name in (path.stem for path in RECIPES.glob("*.yaml")):
        for corpus in recipe(name).corpora:
            if isinstance(corpus, Corpus):
                monkeypatch.setitem(FORMATS, (corpus.source, corpus.format), Format(lambda seed: pages))


def shortened(name: str) -> ExpertSpec:
    """The recipe, two steps a pass."""
    raw = recipe(name).model_dump()
    for how in (raw["train"], *raw["then"]):
        how["max_steps"] = 2
    return ExpertSpec.model_validate(raw | {"clean": None})


def trained(spec: ExpertSpec, base: Path, out: Path) -> TrainingRecord:
    return train(spec, RECIPES, base, out, out.with_name("checkpoints"), silent)


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("name", ["medswin", "medico-mistral", "clinical-info-corrector", "pit-original", "explainer"])
def test_two_steps_of_each_recipe_that_needs_no_gpu(name: str, base: Path, tmp_path: Path) -> None:
    spec = shortened(name)
    record = trained(spec, base, tmp_path / "out")
    assert [one.steps for one in record.passes] == [2 for _ in spec.passes]
    assert all(one.held_out is not None and one.held_out.loss > 0 for one in record.passes)
    files = [corpus for corpus in spec.corpora if isinstance(corpus, FileCorpus)]
    read = {count.source: count.documents for count in record.corpora}
    for corpus in files:
        assert 0 < read[corpus.file] < len(items(Path(corpus.file).name)), "some are held out"
    made = "model.safetensors" if spec.full else "adapter_model.safetensors"
    assert (tmp_path / "out" / made).is_file()


def test_four_bits_need_their_extra(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtra, match=r"^'quantized: nf4' needs packages .* pip install 'workbench\[qlora\]'$"):
        trained(recipe("medical-rationales"), base, tmp_path / "out")
