"""Held-out text of the five domains: what training never gets, cut and mixed."""

from __future__ import annotations

import pytest
import tiny

from workbench.data.example import Example, Format
from workbench.data.formats import FORMATS, examples, held_out_examples

LONG = " ".join(f"word{n}" for n in range(900))


def documents(source: str, count: int) -> Format:
    """Documents of two parts each."""
    return Format(
        lambda seed: [
            Example("", f"{source} {n} part {part} {LONG}", key=str(n)) for n in range(count) for part in (1, 2)
        ]
    )


def test_a_domain_is_its_held_out_documents_each_once_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    utils = tiny.task_module("domain_text")
    for (source, format), count in zip(utils.CORPORA["medwiki"], (4000, 400, 10), strict=True):
        monkeypatch.setitem(FORMATS, (source, format), documents(source, count))
    rows = utils.medwiki()["validation"]
    assert len(rows) == utils.DOCUMENTS == len({row["id"] for row in rows})
    assert all(len(row["text"].split()) == utils.WORDS for row in rows)
    assert all(" part 1 " in row["text"] for row in rows)
    kept = {
        (source, one.key) for source, format in utils.CORPORA["medwiki"] for one in held_out_examples(source, format)
    }
    read = {(source, one.key) for source, format in utils.CORPORA["medwiki"] for one in examples(source, format, 1)}
    asked = {(row["id"].split()[0], row["id"].split()[-1]) for row in rows}
    assert asked <= kept
    assert not asked & read
    small = sum(source == "openstax-health" for source, _ in kept)
    assert sum(row["id"].startswith("openstax-health") for row in rows) == small > 0  # all of a small corpus


def test_every_domain_reads_formats_that_are_there() -> None:
    utils = tiny.task_module("domain_text")
    assert {pair for corpora in utils.CORPORA.values() for pair in corpora} <= FORMATS.keys()
