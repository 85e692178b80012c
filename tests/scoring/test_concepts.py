"""F1 of concepts by hand, the choice of who finds them, and stand-ins of the two libraries that a user may have."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from workbench.errors import UserError
from workbench.scoring import concepts
from workbench.scoring.concepts import concept_f1, concept_finder


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("WORKBENCH_CONCEPTS", raising=False)
    concepts._loaded.cache_clear()
    yield
    concepts._loaded.cache_clear()


def test_a_worked_example() -> None:
    reference = "Hypertension. Asthma. Urinary tract infection."  # three
    prediction = "hypertension, high blood pressure, asthma, fever, cough"  # four: the first two are one concept
    assert concept_f1(reference, prediction) == pytest.approx(2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3))


def test_the_same_concepts_score_one_and_none_score_zero() -> None:
    assert concept_f1("Asthma and fever", "FEVERS; asthma, asthma") == 1.0
    assert concept_f1("Asthma", "") == concept_f1("", "Asthma") == concept_f1("Asthma", "gout") == 0.0
    assert concept_f1("What now?", "What now?") == 0.0  # neither names one, as in CLUE


def test_the_default_is_called_a_fallback() -> None:
    assert concept_finder() == "ICD-10-CM names (open fallback, not UMLS)"


@pytest.mark.parametrize("chosen", ["umls", "quickumls", "quickumls:", "open:/tmp", "scispacy:x", ":"])
def test_an_unknown_finder_is_an_error(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CONCEPTS", chosen)
    for ask in (concept_finder, lambda: concept_f1("a", "b")):
        with pytest.raises(UserError, match=r"WORKBENCH_CONCEPTS='.*': give one of open, open\+doid, scispacy"):
            ask()


class QuickUMLS:
    """Of its real namesake: a folder, and the candidates of every mention, best first."""

    def __init__(self, folder: str) -> None:
        self.known = dict(line.split(" ", 1) for line in (Path(folder) / "names").read_text().splitlines())

    def match(self, text: str, best_match: bool = True) -> list[list[dict[str, object]]]:
        assert best_match
        mentions = [[cui for cui, name in self.known.items() if name in word] for word in text.split()]
        return [[{"cui": cui, "similarity": 1.0} for cui in found] for found in mentions if found]


def test_quickumls_gives_the_best_candidate_of_every_mention(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "names").write_text("C1 asthma\nC2 fever\nC3 fevers\n")
    monkeypatch.setitem(sys.modules, "quickumls", SimpleNamespace(QuickUMLS=QuickUMLS))
    monkeypatch.setenv("WORKBENCH_CONCEPTS", f"quickumls:{tmp_path}")
    assert concept_finder() == "UMLS by QuickUMLS"
    assert concept_f1("asthma fever", "fevers cough") == pytest.approx(2 * 1 * 0.5 / 1.5)  # {C1, C2} and {C2}


def test_quickumls_that_is_not_there_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_CONCEPTS", f"quickumls:{tmp_path / 'nowhere'}")
    with pytest.raises(UserError, match=r"no QuickUMLS installation at .*nowhere"):
        concept_f1("asthma", "fever")
    monkeypatch.setitem(sys.modules, "quickumls", None)
    monkeypatch.setenv("WORKBENCH_CONCEPTS", f"quickumls:{tmp_path}")
    with pytest.raises(UserError, match=r"needs QuickUMLS .* pip install quickumls"):
        concept_f1("asthma", "fever")


LINKS: dict[str, list[tuple[str, float]]] = {
    "asthma": [("C1", 0.9), ("C2", 0.8)],
    "wheeze": [("C3", 0.9)],
    "thing": [],
}
NAMES = {"C1": "Asthma", "C2": "Bronchitis", "C3": "Asthma"}


class Pipeline:
    """Of a spaCy pipeline with scispaCy's linker: mentions with candidates (CUI, score), and the knowledge base."""

    def __init__(self) -> None:
        self.pipes: list[str] = []

    def add_pipe(self, name: str, config: dict[str, object]) -> None:
        assert config == {"resolve_abbreviations": True, "linker_name": "umls"}
        self.pipes.append(name)

    def get_pipe(self, name: str) -> SimpleNamespace:
        assert name in self.pipes
        entities = {cui: SimpleNamespace(canonical_name=known) for cui, known in NAMES.items()}
        return SimpleNamespace(kb=SimpleNamespace(cui_to_entity=entities))

    def __call__(self, text: str) -> SimpleNamespace:
        found = [LINKS[word] for word in text.split() if word in LINKS]
        return SimpleNamespace(ents=[SimpleNamespace(_=SimpleNamespace(kb_ents=links)) for links in found])


def stand_in(monkeypatch: pytest.MonkeyPatch, load: object) -> None:
    for name in ("spacy", "scispacy", "scispacy.linking"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["spacy"], "load", load, raising=False)
    monkeypatch.setattr(sys.modules["scispacy"], "linking", sys.modules["scispacy.linking"], raising=False)
    monkeypatch.setenv("WORKBENCH_CONCEPTS", "scispacy")


def test_scispacy_is_used_as_in_clue(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    stand_in(monkeypatch, lambda name: loaded.append(name) or Pipeline())
    assert concept_f1("asthma thing", "wheeze") == 1.0  # one canonical name; a mention without candidates is none
    assert concept_f1("asthma", "thing") == 0.0
    assert loaded == ["en_core_sci_sm"]
    assert "scispaCy" in concept_finder()


def test_scispacy_that_is_not_there_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise OSError(f"[E050] Can't find model '{name}'.")

    stand_in(monkeypatch, load)
    with pytest.raises(UserError, match=r"needs spaCy, scispaCy, its model en_core_sci_sm .*E050"):
        concept_f1("asthma", "fever")
    monkeypatch.setitem(sys.modules, "scispacy.linking", None)
    with pytest.raises(UserError, match="needs spaCy"):
        concept_f1("asthma", "fever")
