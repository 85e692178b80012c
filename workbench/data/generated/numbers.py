"""The numbers that a text states, with their units where these are of doses and measurements."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from workbench.data.grams import words

Quantity: TypeAlias = tuple[str, str]
"""A number in plain digits and its unit, "" where none of the table follows."""

_SPELLED = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_WORDS: Mapping[str, str] = {word: str(value) for value, word in enumerate(_SPELLED)} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
}  # fmt: skip

_UNITS: Mapping[str, str] = {
    "microgram": "mcg", "micrograms": "mcg", "\u03bcg": "mcg", "ug": "mcg", "mcg": "mcg",
    "milligram": "mg", "milligrams": "mg", "mg": "mg",
    "gram": "g", "grams": "g", "g": "g",
    "kilogram": "kg", "kilograms": "kg", "kg": "kg",
    "nanogram": "ng", "nanograms": "ng", "ng": "ng",
    "millilitre": "ml", "millilitres": "ml", "milliliter": "ml", "milliliters": "ml", "ml": "ml",
    "litre": "l", "litres": "l", "liter": "l", "liters": "l", "l": "l",
    "unit": "iu", "units": "iu", "iu": "iu", "mmol": "mmol", "meq": "meq", "mmhg": "mmhg",
    "percent": "%", "per cent": "%", "%": "%",
    "hour": "h", "hours": "h", "h": "h", "minute": "min", "minutes": "min", "min": "min",
    "day": "d", "days": "d", "week": "w", "weeks": "w", "month": "mo", "months": "mo", "year": "y", "years": "y",
}  # fmt: skip

_TIMES = frozenset({"h", "min", "d", "w", "mo", "y"})

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_ENDED = r"(?![^\W\d_])"
_STATED = re.compile(
    rf"({_NUMBER}(?:\s*(?:-|to|and|or)\s*{_NUMBER})*)(?:[\s-]*({_UNIT}){_ENDED})?"
)  # a range gives its unit to both ends
_SPELT = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b")


def quantities(text: str, one: bool = True) -> frozenset[Quantity]:
    """All numbers of a text, also those in words up to ninety; "one" only if asked, for it is seldom a count."""
    return frozenset(_found(text, one))


def _found(text: str, one: bool) -> Iterator[Quantity]:
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u00b7", ".")
    plain = re.sub("[\u2010-\u2015\u2212]", "-", plain)
    plain = _SPELT.sub(lambda m: m.group() if m.group() == "one" and not one else _WORDS[m.group()], plain)
    for match in _STATED.finditer(plain):
        for number in re.findall(_NUMBER, match.group(1)):
            yield _canonical(number), _UNITS.get(match.group(2) or "", "")


def _canonical(number: str) -> str:
    whole, point, rest = number.replace(",", "").partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (point + rest if rest else "")


def invented(text: str, document: frozenset[Quantity]) -> frozenset[Quantity]:
    """The quantities of a text that a document does not state.

    A number without a unit may have any there. One with a unit has the same there; a time may also stand bare, because
    notes write "65 M" for 65 years.
    """
    numbers = {number for number, _ in document}
    return frozenset(
        (number, unit)
        for number, unit in quantities(text, one=False)
        if (number not in numbers if not unit else (number, unit) not in document)
        and not (unit in _TIMES and (number, "") in document)
    )
