"""Supplements of CDC's Morbidity and Mortality Weekly Report: the text of a web page without what surrounds it."""

from __future__ import annotations

import re

from workbench.data.corpora.wording import about, documents, opening, plain
from workbench.data.example import Example
from workbench.data.items import json_items, require
from workbench.data.sources import path_of

FILE = "mmwr_supplements.jsonl"
HEADER_CHARACTERS, AUTHORS_CHARACTERS, TITLE_CHARACTERS = 3_000, 4_000, 260

_HEADER_END = re.compile(r"subject line of e-mail\.|MMWR ShareCompartir|LinkedIn\s+Syndicate")
_DEGREE = r"(?:MD|M\.D|PhD|MPH|MS|MSPH|DrPH|DO|ScD|DVM|MBBS|JD|VetMB)"
_NOTICE = re.compile(
    r"Please note:.{0,200}?(?:please click here\.|out-of-date information\.)"
    r"|SUGGESTED CITATION.{0,250}?numbers?\}\.|Supplements to the MMWR are published by.{0,1500}?Atlanta, Georgia \d+"
    r"|Supplements\s/.{0,2500}?\[PDF\]|Disclosure of relationship:.{0,400}?conflict of interest\."
    r"|Please select language Français",
    re.DOTALL,
)
"""Of the third kind are volume, authors and counters between the title and the text of the newest pages."""

_FOOTER = re.compile(
    r"Use of trade names and commercial sources|All (?:MMWR )?HTML versions|\*\*Questions or messages|Disclaimer +All"
    r"|MMWR and Morbidity and Mortality Weekly Report are service"
)
_REFERENCES = re.compile(r"\sR(?:eferences|EFERENCES)\s+(?=[A-Z1])")
_TITLE_END = re.compile(
    rf"\s[A-Z][\w.'’-]*\s(?:[A-Z]\.\s)?[A-Z][\w'’-]+,?\s{_DEGREE}\d*\b|\s[A-Z][\w'’-]+\s[A-Z][\w'’-]+,\d"
    r"|\s[Ii](?:ntroduction|NTRODUCTION)\s|\s\.?\s?Centers for Disease Control"
    r"|\s(?:OUTLINE|Summary|Abstract|Prepared by|Reported by|Corresponding|Message to|Commentary|Advisory Committee)\s"
    r"|\sThe(?:se)?\s(?=material|report|term|revised|policy|guidelines|following)|\sEach\s|\sIn (?:public|\d)"
    r"|\sU\.S\. Department|\sACIP (?:Adult|Childhood)|\sPneumocystis carinii pneumonia \(PCP\)"
)
_CONTACT = re.compile(
    r"(?:E-?mail:?\s*)?\S+@\S+|(?:Telephone|Fax|Phone):? [\d()-]+[;,.]?|\b\d{3}-\d{3}-\d{4}\.?", re.IGNORECASE
)
_WRAP = re.compile(r"(?<![.:?!])\s*\n\s*|\s*\n\s*(?=[a-z(])")
_ABSTRACT = re.compile(r"(?:^|[.\s])(?:Summary|SUMMARY|Abstract)\s+(?!Statement)(?=[A-Z])")


def reports() -> list[Example]:
    """A report a document; key: its address.

    Without authors, references and notices; tables stay in the text as they were read off the page. A report without
    a summary of its own has no task data.
    """
    path = path_of("cdc-mmwr-supplements", FILE)
    rows = json_items(path)
    require(path, rows, ("url", "text"), filled=("url", "text"))
    return [one for row in rows for one in _document(row["url"], row["text"])]


def _document(url: str, raw: str) -> list[Example]:
    title, body = _titled(_body(raw))
    found = _ABSTRACT.search(body[:3_000])
    summary = opening(body[found.end() :].split("\n")[0], 120) if found else ""
    return documents(url, title, body, plain("summary", about(title, summary)))


def _body(raw: str) -> str:
    """The report from its title to its references, a paragraph a line."""
    text = raw
    for found in [*_HEADER_END.finditer(raw[:HEADER_CHARACTERS])][-1:]:
        text = raw[found.end() :]
    half = len(text) // 2
    for ending in (_FOOTER, _REFERENCES):
        if found_ends := list(ending.finditer(text, half)):
            text = text[: found_ends[0 if ending is _FOOTER else -1].start()]
    text = _WRAP.sub(" ", _NOTICE.sub(" ", text.strip()))
    return "\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip()).removesuffix(" Top")


def _titled(text: str) -> tuple[str, str]:
    """(title, the rest without the authors): the title ends where an author's name or a first heading begins."""
    head = text[:TITLE_CHARACTERS].split("\n")[0]
    found = _TITLE_END.search(head, 8)
    title = head[: found.start()] if found else " ".join(head.split()[:20])
    rest = text[len(title) :].lstrip()
    contacts = list(_CONTACT.finditer(rest[:AUTHORS_CHARACTERS]))
    if contacts and re.match(r".{0,1500}?Corresponding", rest, re.DOTALL):
        rest = rest[contacts[-1].end() :]
    return title.strip(" *"), _CONTACT.sub("", rest).strip()
