"""A causal language model on this machine as the generator: a tiny random one, which writes nonsense."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from test_generated_task_data import document

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny

from workbench.data.example import Example
from workbench.data.generated.cache import opened
from workbench.data.generated.generate import Generated, generate, generator_of
from workbench.data.generated.generator import Answer, Request
from workbench.data.generated.local import LocalModel
from workbench.errors import DataMissing, Incompatible, UserError
from workbench.specs.generator import GeneratorSpec, LocalModelSpec


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_model(tmp_path_factory.mktemp("local") / "model", max_position_embeddings=1600)


def test_a_model_here_that_writes_nonsense_gives_nothing_and_all_of_it_is_counted(tmp_path: Path, model: Path) -> None:
    spec = GeneratorSpec(by=LocalModelSpec(folder="base", max_tokens=12, batch_size=2), kinds=["summary", "qa"])
    documents = [document(0), document(1), Example("", "word " * 400)]
    cache = tmp_path / "cache.sqlite"

    def run() -> Generated:
        with opened(cache) as answers:
            return generate(documents, spec, generator_of(spec, tmp_path / "x.yaml", model, random.Random(0)), answers)

    first, second = run(), run()
    assert first.examples == tuple(documents)
    assert sum(first.record.unread.values()) == 4
    assert first.record.failed == {"too long for the model": 2}
    assert first.record.used.completion_tokens <= 4 * 12
    assert first.record.used.prompt_tokens > 4 * 800  # a byte is a token
    assert (first.record.spent_cost, first.record.currency) == (None, None)
    assert (first.record.cached, second.record.cached, second.record.spent.answers) == (0, 4, 0)


def test_a_batch_writes_what_each_prompt_alone_gives(model: Path) -> None:
    requests = [Request("Cough"), Request("A longer prompt about cough and fever"), Request("x")]
    spec = LocalModelSpec(folder="base", max_tokens=8, dtype="float32", batch_size=3)
    together = dict(LocalModel(spec, model).answers(requests))
    alone = LocalModel(spec, model)
    assert together == {i: dict(alone.answers([one]))[0] for i, one in enumerate(requests)}
    assert all(isinstance(answer, Answer) and answer.text for answer in together.values())


def test_a_folder_without_a_usable_model(tmp_path: Path, model: Path) -> None:
    spec = LocalModelSpec(folder="base", max_tokens=12)
    with pytest.raises(DataMissing, match=r"nowhere: holds no config\.json"):
        LocalModel(spec, tmp_path / "nowhere")
    plain = tiny.copy(model, tmp_path / "plain")
    (plain / "chat_template.jinja").unlink()
    with pytest.raises(Incompatible, match="has no chat template"):
        list(LocalModel(spec, plain).answers([Request("a")]))
    with pytest.raises(UserError, match="max_tokens 1600 fills its context"):
        list(LocalModel(spec.model_copy(update={"max_tokens": 1600}), model).answers([Request("a")]))
