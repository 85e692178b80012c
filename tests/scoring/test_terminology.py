"""Names and their spellings by hand, longest match against a plain search, and texts against ICD-10-CM's own tables."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import simple_icd_10_cm as icd

from workbench.data.icd10cm import codes, description
from workbench.scoring import terminology
from workbench.scoring.terminology import Terminology, normal, open_terminology, spellings


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("Allergies", "allergy"),
        ("headaches", "headache"),
        ("abscesses", "abscess"),
        ("sinus", "sinus"),
        ("Sepsis", "sepsis"),
        ("gas", "gas"),
        ("fevers", "FEVER"),
    ],
)
def test_a_plural_is_its_singular(words: str, same: str) -> None:
    assert normal(words) == normal(same)


def test_different_words_stay_different() -> None:
    assert len({normal(word) for word in ("sinus", "sinew", "sepsis", "septic", "gas", "gland")}) == 6


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("Essential (primary) hypertension", ["essential hypertension", "essential primary hypertension"]),
        ("Crohn's disease [regional enteritis]", ["crohn disease"]),
        ("Sepsis, unspecified organism", ["sepsis"]),
        ("Unspecified atrial fibrillation", ["atrial fibrillation"]),
        ("Urinary tract infection, site not specified", ["urinary tract infection"]),
        ("Tremors, not elsewhere classified", ["tremor"]),
        ("Anemia NOS", ["anemia"]),
        ("Tuberculosis of larynx, trachea and bronchus", ["tuberculosis of larynx trachea and bronchus"]),
        ("DVT NOS", ["DVT"]),
        ("Other respiratory tuberculosis", []),
        ("Unspecified disease", []),
        ("Syndrome", []),
        ("HR", []),
        ("[whole name]", []),
    ],
)
def test_spellings_of_a_name(name: str, spelled: list[str]) -> None:
    assert [" ".join(words) for words in spellings(name)] == spelled


def test_the_longest_name_at_a_word_wins_and_uses_up_its_words() -> None:
    names = {"heart": "1", "heart failure": "2", "acute heart failure": "3", "failure to thrive": "4"}
    assert small(names).concepts("Acute heart failure to thrive") == {"3"}
    assert small(names).concepts("heart failure, heart; failure to thrive") == {"2", "1", "4"}
    assert small(names).concepts("acute heart\nfailure") == {"1"}
    assert small(names).concepts("") == frozenset()


def small(names: dict[str, str]) -> Terminology:
    split = {tuple(name.split()): concept for name, concept in names.items()}
    firsts = {words[0] for words in split}
    longest_first = {f: sorted({len(words) for words in split if words[0] == f}, reverse=True) for f in firsts}
    return Terminology(split, longest_first)


def by_search(names: dict[str, str], text: str) -> set[str]:
    """At every place the longest of all names that the text goes on with."""
    found, rest = set(), text + " "
    while rest:
        fitting = max((name for name in names if rest.startswith(name + " ")), key=len, default=None)
        if fitting:
            found.add(names[fitting])
        rest = rest[len(fitting) + 1 :] if fitting else rest.partition(" ")[2]
    return found


@pytest.mark.parametrize("seed", range(40))
def test_against_a_plain_search(seed: int) -> None:
    draw = random.Random(seed)
    names = {" ".join(draw.choices("abc", k=draw.randint(1, 4))): str(i) for i in range(draw.randint(0, 12))}
    text = " ".join(draw.choices("abcd", k=30))
    assert small(names).concepts(text) == by_search(names, text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("HYPERTENSION, type 2 diabetes mellitus", {"I10", "E11"}),
        ("Patient denies fevers; has a cough.", {"R50.9", "R05"}),
        ("1. Sepsis 2. Urinary tract infections", {"A41.9", "N39.0"}),
        ("congestive heart failure and atrial fibrillation", {"I50.9", "I48.91"}),
        ("DVT of the left leg", {"I82.40"}),
        ("dvt", set()),
        ("He fell from a tractor in a storm.", set()),
        ("a disease, an illness, a syndrome", set()),
    ],
)
def test_concepts_of_a_text(text: str, found: set[str]) -> None:
    assert open_terminology().concepts(text) == found


def test_a_description_names_its_code_or_the_heading_that_reads_the_same() -> None:
    # Whole descriptions of several words, all of them letters, none of which is dropped.
    dropped = {"unspecified", "nos", "nec"}
    plain = {
        text: code
        for code in codes()
        if not (text := description(code)).startswith("Other") and code[0] not in "VWXY"
        if " " in text and text.replace(" ", "").isalpha() and not dropped & set(text.lower().split())
    }
    assert len(plain) > 10_000
    found = {text: open_terminology().concepts(f"Noted: {text.lower()}.") for text in plain}
    assert {text for text, concepts in found.items() if len(concepts) != 1} == set()
    others = [text for text, code in plain.items() if not code.startswith(tuple(found[text]))]
    assert others == ["Laceration of uterus"]  # O71.81's, "not elsewhere classified", is listed before S37.63's
    assert sum(found[text] != {code} for text, code in plain.items()) < 0.05 * len(plain)


def test_all_codes_that_name_concepts_exist() -> None:
    assert all(icd.is_valid_item(code) for code in set(open_terminology().names.values()))


@pytest.fixture
def diseases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminology:
    terms = [
        {"id": "DOID:1", "name": "made-up fever", "synonyms": ["MUF", "invented fever", "HD"]},
        {"id": "DOID:2", "name": "hypertensive illness", "synonyms": ["hypertension"]},
        {"id": "DOID:3", "name": "disease", "synonyms": []},
    ]
    path = tmp_path / "doid_definitions.jsonl"
    path.write_text("\n".join(map(json.dumps, terms)))
    monkeypatch.setattr(terminology, "path_of", lambda source, file: tmp_path / file)
    return open_terminology.__wrapped__(True)


def test_a_disease_of_the_ontology_is_its_code_or_its_own_id(diseases: Terminology) -> None:
    assert diseases.concepts("Invented fevers") == diseases.concepts("MUF") == diseases.concepts("made up fever")
    assert diseases.concepts("MUF") == {"DOID:1"}
    assert diseases.concepts("hypertensive illness") == diseases.concepts("hypertension") == {"I10"}
    assert diseases.concepts("muf, HD, disease") == frozenset()
    assert open_terminology().concepts("MUF, hypertensive illness") == frozenset()
