"""Declaration of task data that a language model writes: which model, how it is asked, what is kept of its answers."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from workbench.data.example import TaskKind
from workbench.specs.common import Dtype, Share, Spec

PositiveInt = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Price = Annotated[float, Field(ge=0)]
"""Of a million tokens, in the declared currency."""


class EndpointSpec(Spec):
    """An OpenAI-compatible endpoint, asked at `base_url`/chat/completions.

    Answers are known by `model`, `temperature`, `max_tokens` and `seed`, not by where or how fast the model is served.
    The key lies in the environment variable `api_key_env`; without one no key is sent. `tries` bounds how often one
    request is sent, waiting `backoff_s` seconds, then twice as long each time, never above `max_wait_s`, where the
    server names no time. `timeout_s` bounds each try. A document whose answer cannot be read is asked about `asks`
    times in all, each with its own seed. After `give_up_after` requests in a row without an answer the run stops.
    """

    base_url: str
    model: Annotated[str, Field(min_length=1)]
    api_key_env: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    max_tokens: PositiveInt = 512
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed: int | None = None
    timeout_s: Seconds = 120.0
    tries: PositiveInt = 5
    backoff_s: Seconds = 1.0
    max_wait_s: Seconds = 120.0
    asks: PositiveInt = 2
    give_up_after: PositiveInt = 50
    concurrency: Annotated[int, Field(gt=0, le=256)] = 8
    price_in: Price | None = None
    price_out: Price | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"

    @field_validator("api_key_env")
    @classmethod
    def _a_variable(cls, value: str | None) -> str | None:
        # No pattern of pydantic's: its complaint would show the value, and what stands here by mistake is the key.
        if value is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", value):
            raise ValueError("is no name of an environment variable (A-Z, 0-9, _). Name the variable, not the key")
        return value

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            (parts.hostname or "").encode("idna")  # what the socket will do with it
            known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            known = False
        if not known or "@" in value or "?" in value or "#" in value or re.search(r"[^!-~]", value):
            raise ValueError("is no plain address such as https://host/v1, without user, password and query")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _both_prices(self) -> Self:
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("declare both 'price_in' and 'price_out' or neither: half a cost is none")
        return self

    @property
    def on_this_machine(self) -> bool:
        """Whether the address is a loopback one: what is sent there stays here."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class LocalModelSpec(Spec):
    """A causal language model with a chat template, run here, greedily: `folder` is relative to the declaring file.

    "base" is the base model of the expert. `max_tokens` bounds an answer, `batch_size` the documents side by side.
    """

    folder: Annotated[str, Field(min_length=1)]
    dtype: Dtype = "bfloat16"
    max_tokens: PositiveInt = 512
    batch_size: PositiveInt = 8


class FilterBounds(Spec):
    """What task data must keep to. Lengths in words.

    A summary has at least `summary_min_words`; a summary or an answer at most `length_share` of the document's words,
    though `length_always` words always. `copied` is the largest share of a summary's words that stand in runs of
    eight words of the document, `supported` the smallest share of content words that the document has.
    """

    summary_min_words: PositiveInt = 8
    length_share: Share = 0.6
    length_always: PositiveInt = 30
    copied: Share = 0.8
    supported: Share = 0.6


class GeneratorSpec(Spec):
    """Task data by a language model: `by` which, of what `kinds`, for documents of so many words."""

    by: EndpointSpec | LocalModelSpec
    kinds: Annotated[list[TaskKind], Field(min_length=1)]
    min_document_words: PositiveInt = 20
    max_document_words: PositiveInt = 3000
    filters: FilterBounds = FilterBounds()

    @model_validator(mode="after")
    def _each_kind_once(self) -> Self:
        if len(set(self.kinds)) != len(self.kinds):
            raise ValueError("a kind is listed twice in 'kinds'. Remove one")
        return self
