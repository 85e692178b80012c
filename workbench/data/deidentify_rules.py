"""What identifies a patient and can be told by its form: an explicit table of rules, in order of precedence.

The kinds are those of HIPAA's Safe Harbor (45 CFR 164.514(b)(2)) that have a form. Those without one are not found:
names (see `deidentify_names`), places without a street or a ZIP code, rare occupations, device and vehicle numbers
without a label, and dates of a month and year only. Lower-case months are words too ("may", "march"): only capitalised
ones count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["url", "email", "fax", "phone", "ssn", "mrn", "ip", "date", "age", "address", "name"]
"""What may be found; `mrn` stands for all numbers of a record, an account or an insurance."""

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Rule:
    """A form of an identifier, the tag that stands in its place, and what the form must not be mistaken for.

    What is replaced is the group `it` where the pattern has one. A rule without a kind claims its text for none: what
    it covers is no identifier, whatever a later rule thinks.
    """

    kind: Kind | None
    pattern: re.Pattern[str]
    tag: str
    why: str


def _rule(kind: Kind, pattern: str, why: str) -> Rule:
    return Rule(kind, re.compile(pattern), f"[{kind.upper()}]", why)


def _exempt(pattern: str, why: str) -> Rule:
    return Rule(None, re.compile(pattern), "", why)


DAY = r"(?:0?[1-9]|[12]\d|3[01])(?!\d)"
MONTH = r"(?:0?[1-9]|1[0-2])(?!\d)"
YEAR = r"(?:1[89]|20)\d\d(?!\d)"
NAMES = "January|February|March|April|May|June|July|August|September|October|November|December"
SHORT = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec"
FULL_MONTH = rf"(?:{NAMES}|{NAMES.upper()})"
ANY_MONTH = rf"(?:{FULL_MONTH}|(?:{SHORT}|{SHORT.upper()})\b\.?)"
NTH = rf"{DAY}(?:st|nd|rd|th)?"
DAYS = rf"{NTH}(?:\s?[-\u2013]\s?{NTH})?"
FREE = r"(?<![\w./:-])"
"""Before a number: no other number, word or path that it is a part of."""
NOT_CITED = r"(?!\s?;\s?\d)"
"""After a date: no volume, as in 2013 Dec 20;62(RR-10):1-19."""

AMERICAN = r"(?:\([2-9]\d\d\)\s?|[2-9]\d\d[-.\u2010\u2013])[2-9]\d\d[-.\u2010\u2013]\d{4}(?!\d|[-./]\d)"
EXTENSION = r"(?:,?\s?(?:ext\.?|x)\s?\d{1,5}\b)?"
LOOSE = r"\+?\(?\d(?:[ ().\u2010\u2013-]{0,2}\d){6,14}(?!\d)"
"""A telephone number behind a word that says so: 7 to 15 digits."""
IS = r"(?:\s(?:is|was|at))?\s?[:.#=]?\s?"

NUMBER = r"(?:\s(?:number|num|no|nr|id)\b\.?|\s?#)"
LABELS = (
    r"(?:medical\srecord|patient|hospital|chart|account|acct|policy|member|subscriber|beneficiary|insurance|encounter|"
    r"visit|unit|passport|certificate|serial|licen[cs]e|NHS)"
)
RECORD = r"(?=(?:[A-Z]{1,4}[- ]?)?(?:[ -]?\d){5})(?P<it>(?:[A-Z]{1,4}[- ]?)?\d(?:[ -]?\d){4,14})(?![\w/]|[-.]\d)"

OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
STREET = (
    r"(?:Street|Avenue|Road|Boulevard|Lane|Drive|Court|Parkway|Highway|Terrace|Square|Circle|"
    r"(?:St|Ave|Rd|Blvd|Ln|Dr|Ct|Pkwy|Hwy)\b\.?(?=\s?[,;\n]|\s?$|\s(?:NE|NW|SE|SW|Apt|Suite|Unit|#)))"
)
STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|"
    "OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|PR"
)
OLD = r"(?:9\d|1[01]\d|12[0-5])(?![\d.]|\s?[-\u2013]\s?\d)"
"""90 to 125; not the lower end of a range."""
BOUNDS = ("to", "than", "over", "least", "above", "under")
NOT_A_BOUND = r"(?<![\w./<>≥≤=\u2013-])(?<![<>≥≤=\u2013-]\s)" + "".join(rf"(?<!\b{word}\s)" for word in BOUNDS)
"""Before an age: nothing that makes it the end of a range."""

RULES: tuple[Rule, ...] = (
    _rule("url", r"(?i)\b(?:https?|ftp)://[^\s<>\"'\])}]*[^\s<>\"'\])}.,;:!?(\[]", "closing punctuation is the text's"),
    _rule("email", r"(?<![\w.+%-])[\w.+%-]+@\w[\w-]*(?:\.[\w-]+)*\.[A-Za-z]{2,}\b", "no 5@10 mg: a domain follows"),
    _rule(
        "url",
        r"(?<![\w@./-])(?:[wW]{3}\.)?(?:[A-Za-z0-9][\w-]*\.)+(?:com|org|net|gov|edu|mil|int)(?:\.[a-z]{2})?\b"
        r"(?:/[^\s<>\"'\])}]*[^\s<>\"'\])}.,;:!?])?/?",
        "bare addresses end in a common domain: two sentences that lack a space are none",
    ),
    _exempt(r"\b10\.\d{4,9}/\S+", "DOIs hold dates and numbers of any form"),
    _exempt(r"\b(?:EC|E\.C\.|[vV]ersion|[vV]|[sS]ection|[cC]hapter|[tT]able)\s?\d+(?:\.\d+){3}\b", "enzymes, sections"),
    _rule("fax", rf"(?i)\b(?:fax|facsimile)(?:{NUMBER})?{IS}(?P<it>{LOOSE}{EXTENSION})", "a word says so"),
    _rule(
        "ssn", rf"{FREE}(?!000|666|9)\d{{3}}-(?!00)\d\d-(?!0000)\d{{4}}(?![\w/]|[-.]\d)", "CAS numbers end in one digit"
    ),
    _rule(
        "ssn",
        rf"(?i)\b(?:SSN|social\ssecurity)(?:{NUMBER})?{IS}(?P<it>\d{{3}}[- ]?\d\d[- ]?\d{{4}})(?!\d)",
        "without hyphens only behind a word that says so",
    ),
    _rule(
        "mrn",
        rf"\b(?i:MRN(?:{NUMBER})?|medical\srecord(?=\s?[:#])|{LABELS}(?:\sidentification)?{NUMBER}){IS}{RECORD}",
        "five digits or more behind a label: 'patient no. 3' and accession numbers of genes are none",
    ),
    _rule(
        "phone",
        rf"(?<![\w./-])(?<!\w[-\u2013])(?:\+?1[-. ]?)?{AMERICAN}{EXTENSION}",
        "area and exchange begin with 2 to 9",
    ),
    _rule("phone", r"(?<![\w./-])1-8\d\d-(?=[\dA-Z-]*[A-Z])[\dA-Z]{2,7}(?:-[\dA-Z]{2,7}){0,2}\b", "1-800-CDC-INFO"),
    _rule(
        "phone",
        r"(?<![\w.+])\+[1-9](?:[ ().-]{0,2}\d){7,14}(?!\d)(?<!\+\d\.\d{8})",
        "+44 20 7946 0958, eight digits or more",
    ),
    _rule(
        "phone",
        rf"(?i)\b(?:(?:tele|cell\s?|mobile\s)?phone|tel|mobile|hotline|helpline|pager|beeper|call|dial)(?:{NUMBER})?{IS}"
        rf"(?P<it>{LOOSE}{EXTENSION})",
        "numbers of other countries behind a word that says so",
    ),
    _rule(
        "ip",
        rf"(?i)\bIP(?:v4)?(?:\saddress)?{IS}(?P<it>{OCTET}(?:\.{OCTET}){{3}})(?![\w]|\.\d)",
        "any four octets behind a word that says so",
    ),
    _rule(
        "ip",
        rf"{FREE}(?=[\d.]*(?<!\d)(?:[2-9]\d|[12]\d\d)(?!\d))(?:[89]|1\d|[2-9]\d|1\d\d|2[0-4]\d|25[0-5])"
        rf"(?:\.{OCTET}){{3}}(?![\w/-]|\.\d)",
        "headings like 2.1.3.4 have small numbers only, enzyme classes begin with 1 to 7",
    ),
    _rule(
        "ip",
        r"(?i)(?<![\w:])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:2\d{3}|fe80|f[cd]\d\w)(?::[0-9a-f]{1,4}){0,6}::"
        r"(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?)(?![\w:])",
        "version 6: eight groups, or a global or local prefix and a gap; alleles have four fields",
    ),
    _rule("date", rf"{FREE}{YEAR}([-/.])(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d|[-/.]\d)", "2015-03-14"),
    _rule(
        "date",
        "|".join(
            rf"{FREE}(?:{MONTH}{sep}{DAY}|{DAY}{sep}{MONTH}){sep}{YEAR}(?!\d|[-/.]\d)" for sep in ("/", "-", r"\.")
        ),
        "03/14/2015 and 14.03.2015: with hyphens or dots only before a year of four digits, 10-12-14 is a dose",
    ),
    _rule(
        "date",
        rf"{FREE}(?:{MONTH}/{DAY}|{DAY}/{MONTH})/\d\d(?!\d|[-/.]\d|\s?(?:%|(?:mg|mcg|µg|μg|g|ml|mL|mm|cm|mmHg|units?|IU)\b))",
        "03/14/15, but no strengths or sizes: 5/10/20 mg",
    ),
    _rule("date", rf"\b{ANY_MONTH}\s{DAYS},?\s{YEAR}{NOT_CITED}", "March 14, 2015"),
    _rule("date", rf"{FREE}{DAYS}(?:\sof)?[\s-]{ANY_MONTH},?[\s-]{YEAR}{NOT_CITED}", "14 March 2015"),
    _rule("date", rf"{FREE}{YEAR}\s{ANY_MONTH}\s{DAYS}{NOT_CITED}", "2013 Dec 20, but not before a volume"),
    _rule(
        "date", rf"\b{FULL_MONTH}\s{DAYS}(?![%°]|[.,/:]\d|\s?(?:mg|mL|ml|g|%)\b){NOT_CITED}", "a day without its year"
    ),
    _rule(
        "date", rf"{FREE}(?:{DAY}(?:st|nd|rd|th)(?:\sof)?|(?<=on\s){DAY})\s{FULL_MONTH}\b", "14th of March, on 14 March"
    ),
    _rule(
        "age",
        rf"{NOT_A_BOUND}{OLD}(?=(?:\s|-)?(?:years?|yrs?)(?:\s|-)(?:old|of\sage)\b(?!\s(?:or|and)\s(?:old|over|above)))",
        "92-year-old",
    ),
    _rule(
        "age", rf"{NOT_A_BOUND}{OLD}(?=\s?y/?o\b)", "92 y/o; ages up to 89 may stay, and so may bounds like 'over 90'"
    ),
    _rule(
        "age",
        rf"(?i)\b(?:aged?|age\s(?:of|is|was))[:\s]\s?(?P<it>{OLD})\b(?!\s?(?:\+|%|or|and|to|years?\s(?:or|and|to)))",
        "aged 93, but not 'aged 90 or older'",
    ),
    _rule(
        "age", r"(?i)\b(?P<it>(?:ninety|one\shundred)(?:[\s-](?:and\s)?[a-z]{3,6})?)(?=[\s-]years?[\s-]old)", "in words"
    ),
    _rule(
        "address",
        rf"\b\d{{1,5}}\s(?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b\.?\s)?(?:(?:[A-Z][a-z]+|\d+(?:st|nd|rd|th))\s){{1,3}}"
        rf"{STREET}(?:[\s,]{{1,2}}(?:N\.?E|N\.?W|S\.?E|S\.?W)\b\.?)?(?:,?\s(?:Apt|Suite|Unit|#)\.?\s?\w+)?(?!\w)",
        "abbreviated streets end a line or a part of it: 3 PM Dr. Smith is none",
    ),
    _rule("address", r"\b(?:P\.?\s?O\.?\s|Post\sOffice\s)Box\s\d+", "a box and its number"),
    _rule(
        "address",
        rf"\b(?:[A-Z][a-z]+\s){{0,2}}[A-Z][a-z]+,\s(?:{STATES})\s{{1,2}}\d{{5}}(?:-\d{{4}})?(?![\w-])",
        "a town, its state and its ZIP code",
    ),
)
