"""MEDIQA-OE's orders (Corbeil et al. 2025), joined to the dialogues of ACI-Bench and primock57 that they stand in.

Raises DataMissing for a file that is not at hand, UserError for one that is not as these readers expect it.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.data.encounters import ACI, aci_notes, primock_dialogue
from workbench.data.sources import path_of
from workbench.errors import UserError

KINDS = ("medication", "lab", "imaging", "followup")
ACI_ID = re.compile(r"acibench_([^_]+)_[^_]+_(.+)")
PRIMOCK_ID = re.compile(r"primock57_(\d+)_(\d+)")

SAME = {
    "full blood count": "cbc", "complete blood count": "cbc", "white blood cells": "cbc", "cholesterol": "lipid",
    "comprehensive metabolic": "cmp", "complete metabolic": "cmp", "basic metabolic": "bmp", "chem": "cmp",
    "hemoglobin a1c": "a1c", "urine sample": "urinalysis", "ua": "urinalysis", "hcv": "hepatitis", "hep": "hepatitis",
    "echocardiogram": "echo", "cat scan": "ct", "paracetamol": "tylenol", "paracetemol": "tylenol",
    "acetaminophen": "tylenol", "motrin": "ibuprofen", "advil": "ibuprofen", "ibuprofens": "ibuprofen",
    "mobic": "meloxicam", "ultram": "tramadol", "naprosyn": "naproxen", "norvasta": "norvasc", "anti-inflammatory": "",
}  # fmt: skip
"""Other names of one test or drug, as these dialogues use them."""

_EMPTY = """
a about after again all also an and annual anti antibiotic antibiotics antihistamine antihistamines any are around
as at back basis be because bedtime been before being better bit blood but by can check continue could count couple
course cream creams daily day days do doctor don dose eating eight eighty emollients empty evening every everything
few fifteen fifty fingertip five foaming food for forty found four from full function functions get go going half
have hold hour hours hundred if ight in increase inflammatories inhaler injection into is it just kind lab labs left
let level levels like little low make maybe mcg meet mg microgram micrograms milligram milligrams minutes month
months more morning mouth my need needed next night nights nine not nurse of off okay on once one or oral order
other our out over panel panels per pill pills portion prior profile puff puffs put refill restaurant right sample
scan see seven should side six sixty slowly so some start step steroid stomach stop structure studies study sure
symptoms tablet tablets take taking teaspoon ten test testing tests than that the them then there these they thick
thin thing things think this thousand three time times to today tongue topical twelve twenty twice two underneath
units until up upper urine us use using visit want wash way we week weekly weeks well what when which while will
with within work works worth would you your
"""
EMPTY = frozenset(_EMPTY.split())
"""Words of the orders that name no test, drug or place: amounts, times, classes of drugs, talk."""


@dataclass(frozen=True)
class Order:
    """What a doctor ordered, in the words of the visit: one of KINDS, and its description."""

    kind: str
    description: str


@dataclass(frozen=True)
class Visit:
    """A visit with its orders, in the file's order. `origin` is a split of ACI-Bench, or primock57."""

    id: str
    origin: str
    dialogue: str
    orders: tuple[Order, ...]


@functools.lru_cache(maxsize=1024)
def names(text: str) -> frozenset[str]:
    """The words of a text that can name what is ordered: {"meloxicam"} of "meloxicam fifteen milligrams once a day"."""
    same = re.compile(rf"\b(?:{'|'.join(sorted(SAME, key=len, reverse=True))})\b")
    known = same.sub(lambda found: SAME[found[0]], text.lower())
    return frozenset(re.findall(r"[a-z][a-z0-9]+", known)) - EMPTY


def visits(split: str) -> tuple[Visit, ...]:
    """The visits of MEDIQA-OE's split train, dev or test, in the file's order."""
    path = path_of("mediqa-oe", "test_orders_data.json" if split == "test" else "orders_data.json")
    rows = json.loads(path.read_text(encoding="utf-8")).get(split)
    if not rows:
        raise UserError(
            f"{path}: it has no visits of the split '{split}'. Delete it, then run: workbench fetch mediqa-oe"
        )
    transcripts = path_of("primock57", "transcripts")
    aci = {
        (note.id, file.removesuffix(".csv")): (name, note.dialogue)
        for name, file in ACI.items()
        for note in aci_notes(name)
    }
    found = []
    for row in rows:
        if parts := PRIMOCK_ID.fullmatch(row["id"]):
            said = "primock57", primock_dialogue(transcripts, int(parts[1]), int(parts[2]))
        elif (parts := ACI_ID.fullmatch(row["id"])) and (parts[1], parts[2]) in aci:
            said = aci[parts[1], parts[2]]
        else:
            raise UserError(f"{path}: visit '{row['id']}' has no dialogue. Fetch mediqa-oe and aci-bench again.")
        found.append(Visit(row["id"], *said, _orders(row, path)))
    return tuple(found)


def _orders(row: dict[str, Any], path: Path) -> tuple[Order, ...]:
    orders = tuple(Order(one["order_type"], one["description"].strip()) for one in row["expected_orders"])
    for one in orders:
        if one.kind not in KINDS or not one.description:
            raise UserError(
                f"{path}: visit '{row['id']}' has an order '{one.description}' of type '{one.kind}'. "
                f"Known types: {', '.join(KINDS)}; no description may be empty."
            )
    return orders
