"""BERTScore against a numpy computation from the same hidden states, against the bert_score package, and its laws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from workbench.errors import MissingExtra, UserError
from workbench.scoring import bertscore
from workbench.scoring.bertscore import bertscore_f1, bertscore_model

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
PAIRS = [
    ("the patient has asthma", "the patient was given an inhaler"),
    ("no fever and no cough", "cough"),
    ("chest pain today", "today chest pain"),
    ("asthma", "the patient has chest pain and was given an inhaler for asthma today"),
    ("unheard of words", "other words"),
]
WORDS = sorted({word for pair in PAIRS[:-1] for text in pair for word in text.split()})


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of three layers that knows a few words, and reads at most 24 tokens."""
    folder = tmp_path_factory.mktemp("encoders") / "tiny-bert"
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*SPECIAL, *WORDS])}, unk_token="[UNK]"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=24, **names).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=24,
        initializer_range=0.2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("WORKBENCH_BERTSCORE", raising=False)
    yield
    bertscore._encoder.cache_clear()


def by_hand(folder: Path | str, layer: int, reference: str, prediction: str) -> float:
    """Zhang et al.'s formulas, token by token. [CLS] and [SEP] can be matched but have no weight."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    states = []
    for text in (reference, prediction):
        with torch.no_grad():
            out = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        states.append(out.hidden_states[layer][0].double().numpy())
    wanted, given = (rows / np.sqrt((rows**2).sum(1, keepdims=True)) for rows in states)
    recall = np.mean([max(float(x @ y) for y in given) for x in wanted[1:-1]])
    precision = np.mean([max(float(x @ y) for x in wanted) for y in given[1:-1]])
    return float(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize("layer", [0, 1, 2, 3, None])
def test_against_a_computation_by_hand(layer: int | None, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_BERTSCORE", str(encoder) if layer is None else f"{encoder}@{layer}")
    found = [bertscore_f1(*pair) for pair in PAIRS]
    assert found == pytest.approx([by_hand(encoder, 3 if layer is None else layer, *pair) for pair in PAIRS], abs=1e-6)
    assert len({round(score, 4) for score in found}) == len(PAIRS)


def test_layers_differ(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = set()
    for layer in (1, 2, 3):
        monkeypatch.setenv("WORKBENCH_BERTSCORE", f"{encoder}@{layer}")
        scores.add(round(bertscore_f1(*PAIRS[0]), 4))
    assert len(scores) == 3


@pytest.mark.parametrize("pair", PAIRS)
def test_laws(pair: tuple[str, str], encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_BERTSCORE", str(encoder))
    one, other = pair
    assert bertscore_f1(one, one) == pytest.approx(1.0, abs=1e-6)
    assert bertscore_f1(one, other) == pytest.approx(bertscore_f1(other, one), abs=1e-6)  # P and R change places
    assert 0.0 <= bertscore_f1(one, other) < 1.0
    assert bertscore_f1(f" {one}\n", other.upper()) == pytest.approx(bertscore_f1(one, other), abs=1e-6)
    for silent in ("", " \n"):
        assert bertscore_f1(one, silent) == bertscore_f1(silent, one) == bertscore_f1(silent, silent) == 0.0


def test_a_text_ends_where_the_model_does(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_BERTSCORE", str(encoder))
    long = " ".join((WORDS * 3)[:22])  # with [CLS] and [SEP] 24 tokens
    assert bertscore_f1("chest pain", f"{long} asthma asthma") == bertscore_f1("chest pain", long)
    assert bertscore_f1("chest pain", long.rsplit(" ", 1)[0]) != bertscore_f1("chest pain", long)


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (None, "all-MiniLM-L6-v2, last layer"),
        ("", "all-MiniLM-L6-v2, last layer"),
        ("/models/some-bert", "some-bert, last layer"),
        ("/models/some-bert@4", "some-bert, layer 4"),
        ("allenai/scibert_scivocab_uncased", "scibert_scivocab_uncased, layer 8"),
        ("allenai/scibert_scivocab_uncased@9", "scibert_scivocab_uncased, layer 9"),
        ("roberta-large", "roberta-large, layer 17"),
    ],
)
def test_the_label_of_a_model(value: str | None, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is not None:
        monkeypatch.setenv("WORKBENCH_BERTSCORE", value)
    assert bertscore_model() == label


def test_a_wrong_choice_is_told_in_a_sentence(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for value, sentence in {
        f"{encoder}@last": "behind '@' stands the layer",
        "@3": "behind '@' stands the layer",
        f"{encoder}@4": "has 3 layers, so there is no layer 4",
        str(tmp_path / "nowhere"): "nowhere' cannot be loaded",
    }.items():
        monkeypatch.setenv("WORKBENCH_BERTSCORE", value)
        with pytest.raises(UserError, match=sentence):
            bertscore_f1("asthma", "fever")


def test_without_the_default_models_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bertscore, "CARRIER", "no_such_package")
    with pytest.raises(MissingExtra, match="BERTScore needs packages"):
        bertscore_f1("asthma", "fever")


def test_the_default_model_knows_what_is_close() -> None:
    reference = "The patient has high blood pressure."
    assert bertscore_f1(reference, reference) == pytest.approx(1.0, abs=1e-6)
    near, far = (
        bertscore_f1(reference, "She suffers from hypertension."),
        bertscore_f1(reference, "Buy two red apples."),
    )
    assert near == pytest.approx(
        by_hand(bertscore._carried(), -1, reference, "She suffers from hypertension."), abs=1e-6
    )
    assert near > far + 0.1


def test_against_the_bert_score_package(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("bert_score", reason="bert_score is no dependency: pip install --no-deps bert-score")
    monkeypatch.setenv("WORKBENCH_BERTSCORE", f"{encoder}@2")
    references, predictions = zip(*PAIRS, strict=True)
    _, _, scores = package.score(
        list(predictions),
        list(references),
        model_type=str(encoder),
        num_layers=2,
        device="cpu",
        use_fast_tokenizer=True,
    )
    assert [bertscore_f1(*pair) for pair in PAIRS] == pytest.approx(scores.tolist(), abs=1e-5)
