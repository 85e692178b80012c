"""What is no text, taken out of articles: markup, emptied citations, registrations and other notices of publishers."""

from __future__ import annotations

import html
import re

_TAG = re.compile(r"</?[a-z]{1,4}(?::[a-z]{1,4})?\s*/?>")
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u200d\u2060\ufeff]")
_REFERENCE = r"(?:(?:Additional |Supplementary |Supporting )?(?:Table|Fig|Figure|File|file|Appendix|Box)s?\.?)"
_EMPTIED = re.compile(
    rf"\[[\s,;\u2013-]*\]|\(\s*(?:see\s+|e\.g\.,?\s*)?(?:{_REFERENCE}[\s,;\u2013-]*(?:and\s+)?)*[\s,;\u2013-]*\)"
)
"""What is left of "[3, 4]", "(5)" or "(Table 1, Fig. 2)" where a conversion dropped the references."""

_EMPTIED_END = re.compile(rf"[,;]\s*(?:{_REFERENCE}[\s,;\u2013-]*(?:and\s+)?)+(?=\))|(?<=[(\[])[\s,;]+(?=\S)")
"""The same within brackets that say more: "(P = 0.01; Table )", "(, P = 0.01)"."""

_TRUNCATED = re.compile(r"\(ABSTRACT TRUNCATED(?: AT \d+ WORDS)?\)\.?")
_COPYRIGHT = re.compile(r"(?:^|(?<=[.!?] ))(?:Copyright\s*)?(?:©|\(c\)\s(?=\d{4})|Copyright \d{4}).*$")
_NOTICE = re.compile(
    r"(?i)^(?:(?:the )?(?:clinical )?trials? regist|registration"
    r"|registered(?: (?:at|on|with|in|under|as|by)\b|:)|(?:trial|study) (?:number|identifier)"
    r"|identifier|the online version of this|electronic supplementary|how to cite|this article (?:is part|has been)"
    r"|(?:please )?see related|reviewed by|key ?words?\b|funding\b|level of evidence|evidence level)"
)
_REGISTERED = re.compile(
    r"(?i)clinicaltrials?\.gov|\b(?:NCT|ISRCTN|ACTRN|EudraCT|ChiCTR|NTR|DRKS|UMIN|IRCT|CTRI|PACTR)[\s:#-]*\d|"
    r"trials? regist|doi:|prospero|\bRBR-"
)
_NOTICE_WORDS = 45


def clean(line: str) -> str:
    """A line without markup, emptied citations and copyright notice, with single spaces."""
    text = _INVISIBLE.sub("", html.unescape(html.unescape(line)))
    text = _EMPTIED.sub("", _TRUNCATED.sub("", _TAG.sub(" ", text) if "<" in text else text))
    text = _EMPTIED_END.sub("", text)
    text = re.sub(r" +(?=[,;.](?:\s|$))", "", " ".join(text.split()))
    text = re.sub(r"(?<=[^.])\.\.(?=\s|$)", ".", text)
    return _COPYRIGHT.sub("", text).strip() if any(sign in text for sign in ("©", "(c)", "Copyright")) else text


def is_notice(line: str) -> bool:
    """Whether a paragraph tells of registration, funding or the publisher instead of the study."""
    few = len(line.split()) <= _NOTICE_WORDS
    return few and bool(_NOTICE.match(line) or (_REGISTERED.search(line) and len(line.split()) <= _NOTICE_WORDS // 2))


def paragraphs(text: str) -> list[str]:
    """The lines of a text, cleaned, without empty ones and notices."""
    return [line for raw in text.split("\n") if (line := clean(raw)) and not is_notice(line)]


def sentence(title: str) -> str:
    """A title on one line that ends like a sentence; the brackets around a translated one go."""
    text = clean(title.replace("\n", " "))
    if translated := re.fullmatch(r"\[(.*)\]\.?", text):
        text = translated[1]
    return text if text.endswith((".", "?", "!")) else f"{text}."
