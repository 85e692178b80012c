"""What identifies a patient by its form, against golden cases, and what clinical text has that looks like it."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from workbench.data import deidentify_names
from workbench.data.deidentify import Finding, Policy, Screened, screen, without, without_identifiers
from workbench.data.deidentify_names import names_by_presidio, names_if_asked
from workbench.data.deidentify_rules import KINDS, RULES
from workbench.data.example import Example, TaskText
from workbench.errors import MissingExtra, UserError

FOUND = {
    "email": """
        Write to «jane.doe@example.org».
        e-mail: «j_doe+ward7@mail.hospital-x.co.uk», thanks
        («DOE@EXAMPLE.COM»)
        mailto:«a@b.io»
        «first.last@uni-klinik.de»; «second@uni-klinik.de»
        her address «x.y@sub.domain.info».
        <«nurse%ward@clinic.net»>
        «o1@h2.nhs.uk»
        from «dr-who@tardis.gov» today
        Contact:«me@here.edu»
        «info@who.int»/fax
        reply to «a.b-c@d-e.fr»?
    """,
    "url": """
        See «https://www.cdc.gov/mmwr/preview/mmwrhtml/00041753.htm».
        («http://example.org/a_b?c=1&d=2»)
        «www.nice.org.uk»
        at «www.guideline.gov/content.aspx?id=1», accessed
        «ClinicalTrials.gov»
        «ftp://ftp.example.com/file.txt»
        «HTTPS://EXAMPLE.ORG/X»
        visit «mayoclinic.org/diseases».
        portal «my.hospital.com/login/»
        «https://doi.org/10.1000/182»
        <«http://x.io/y»>
        Source: «medlineplus.gov»
    """,
    "phone": """
        Call «(404) 639-3311» today
        «404-639-3311»
        Tel. «404.639.3311, ext 5»
        «1-800-232-4636»
        «+1 404 639 3311»
        «+44 20 7946 0958»
        Her phone number is «555-0142».
        «1-800-CDC-INFO»
        phone: «0803 123 4567»
        «(212)555-0187 ext. 12»
        reach her at «617-555-0123».
        Telephone «020 7946 0018»
        cell phone «555 0199»
        «+49 (30) 1234567»
    """,
    "fax": """
        Fax: «404-639-3312»
        FAX «(404) 639-3313»
        fax number «555-0143»
        Facsimile: «+1 404 639 3314»
        fax no. «020 7946 0959»
        phone 404, fax «404.639.3315».
        Fax # «212-555-0100»
        by fax at «617-555-0124»
        Fax:«8005550100»
        fax is «1-800-555-0199»
        Fax «555-0177 x12»
        FAX: «+49 30 1234567»
    """,
    "ssn": """
        SSN «123-45-6789»
        SSN: «123456789»
        social security number «123 45 6789»
        Social Security no. «001-01-0001»
        («219-09-9999»)
        ssn is «457-55-5462».
        patient, «899-99-9999», male
        SSN#«078-05-1120»
        SOCIAL SECURITY: «321-54-9876»
        His SSN was «321549876».
        «665-12-3456»
        id «772-01-0002»
    """,
    "mrn": """
        MRN «00123456»
        MRN: «A-1234567»
        mrn#«7654321»
        Medical record number «12-34-56»
        medical record: «123456»
        Patient ID: «PT 100234»
        account number «9876543210»
        Acct # «5550001»
        hospital number is «H123456».
        Policy number: «ABC1234567»
        NHS number «943 476 5919»
        serial no. «SN-204857»
        Member ID «W12345678»
        encounter number «20001234»
        driver's license number «D1234567»
    """,
    "ip": """
        from «192.168.10.7».
        server «10.0.0.42» is up
        host («8.8.8.88»)
        IP address: «1.2.3.4»
        IPv4 «10.0.0.1»
        «172.16.254.1», then
        «255.255.255.0»
        logged in at «203.0.113.9»
        IP: «5.6.7.8»
        «2001:db8:85a3:8d3:1319:8a2e:370:7348»
        gateway «fe80::1»
        «2001:db8::8a2e:370:7334»
        ip is «100.64.0.1»
    """,
    "date": """
        Seen on «03/14/2015».
        admitted «2015-03-14»
        «14.03.2015»
        DOB: «3/4/52»
        «March 14, 2015»
        on «14 March 2015»
        the «14th of March», she
        «Sept. 5, 2003»
        «5-Mar-2019»
        discharged «DECEMBER 1, 1999»
        On «July 4th» he fell
        «1999 Dec 20»
        «May 3-5, 2010»
        «12-31-1999»
        operated on «2 June»
        «2015/03/14»T
    """,
    "age": """
        a «92»-year-old man
        «90» years old
        She is «101» years of age.
        aged «93» years
        age of «95»
        Age: «94»
        a «97» y/o female
        «98»yo
        This «99» year old
        a «90» yr old
        «ninety-two»-year-old
        aged «91»,
        a «one hundred» year old
    """,
    "address": """
        lives at «12 Main Street»
        «1600 Clifton Road NE»
        «221 North Oak Avenue», Apt
        «77 Massachusetts Avenue, Suite 12»
        «12 Elm St.», Springfield
        «P.O. Box 123»
        PO 5, «PO Box 77»
        «Atlanta, GA 30333»
        «New York, NY 10001-1234»
        «45 East 42nd Street»
        «9 Old Mill Lane»
        «500 Lake Shore Drive»
        at «3 Park Square»
    """,
}
"""By kind, a case a line; what is to be found stands in guillemets."""

CLEAN = {
    "measured values": """
        BP 120/80, HR 72, T 37.2, SpO2 98%
        BP 142/88/60 and 2.5 mg daily
        doses of 10-12-14 units
        5/10/20 mg of amlodipine
        Na 135-145 mmol/L, K 3.5-5.1, WBC 4,500-11,000
        1.25 x 10^9/L, p = 0.001234567
        visual acuity 20/20, 6/12/18 cm
        1234567 copies, 12 345 678 cells
        0.9% NaCl 500 ml at 125 ml/h, 1/2 tablet
        insulin 70/30, 100 units/mL
        GFR 60-89, 15-29, <15
        grade 4/5, reflexes 2+/4
        C3-C4, L4-5, T12-L1
        range 212-555 1234
        pH 7.35-7.45 pCO2 35-45
        ratio 2010/2011, 3:2:1, 12:30:45
    """,
    "codes": """
        ICD-10 S52.501A, I10, E11.9, Z79.4; ICD-9 250.00, 401.9
        CPT 99213-25, HCPCS J1885, DRG 470
        PMID: 12345678, PMCID PMC1234567
        doi:10.1000/jama(2015-03-14)7:2 and 10.1001/jama.2015.03.14.2010 and 10.1016/S0140-6736(03)12345-6
        NCT01234567, ISRCTN12345678, ACTRN12605000123456
        EudraCT number 2004-000446-20; UMIN000001234; CTRI/2010/09/000123
        N Engl J Med. 2001;345:12-19.
        MMWR 2013 Dec 20;62(RR-10):1-19, JAMA 1999;281(4):345-350
        EC 3.4.21.105 and EC 1.14.13.39
        section 2.1.3.4, table 10.2.30.4
        HLA-A*01:01:01:02, c.1521_1523delCTT, rs12345678
        CAS 7732-18-5, 50-78-2; accession number NM_000059.3
        ISBN 978-0-12-345678-9; ISSN 0028-4793; LOINC 2345-7
        case number 3, patient no. 12, account for 12345 visits
        NDC 0002-8215-01; SNOMED 73211009
        grant R01-HL-123456 and U01 DP000123
        ORCID 0000-0002-1825-0097
    """,
    "times and ages": """
        in 2015, from 1990 to 2000, 2010-2015
        in March 2015, May 2010, spring of 1999
        she may 10 days later march 5 miles
        89 years old, a 45-year-old, aged 65
        aged 90 or older, over 90 years of age, at least 90 years old
        aged 65 to 95 years, 18-92 years old, age range 90-95
        > 90 years old, older than 90 years old
        every 12 hours, 3 times a day, 24/7
        day 1, week 52, q4-6h
        for 90 days, 95 patients, 99mTc
        Augustine 5, Mayer 10, June was well
        1995 years old rocks
        95% of 92 adults; age 90%
        phase 2/3 trial, 2/3 of 10
    """,
    "places and names": """
        at 3 PM Dr. Smith saw her
        12 Patients were seen in the Street
        St. Mary's, Parkinson disease, Foley catheter
        Atlanta, GA and Boston, MA
        5 Main findings drive the plan
        2 Way ANOVA, 4 Square stepping
        in room 12345, bed 3
        lead II, V1, V2
        The drive was long
        1 Lane et al. 2003
        Call 911 or dial 999
        box 5, P.O. 20 mg, given PO
    """,
    "contacts": """
        5@10 mg, @home
        e.g. this i.e. that etc.and so on
        H2O.Net charge of the ion
        fax and phone were given
        T cell 1 000 000, cell 12345678
        website of the clinic
        end of sentence.In the next
        mobile patients, telephone interviews of 1234 people
        net.work and com.bination
        S.aureus, E.coli, C.difficile
        user at example dot org
        phone 12345
    """,
}
"""Nothing is found in any of these lines."""

TAGS = " ".join(sorted({rule.tag for rule in RULES if rule.tag}))


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def bare(marked: str) -> tuple[str, list[str]]:
    """A case without its marks, and what was marked."""
    parts = marked.replace("»", "«").split("«")
    return "".join(parts), parts[1::2]


@pytest.mark.parametrize(("kind", "case"), [(kind, case) for kind, cases in FOUND.items() for case in lines(cases)])
def test_found(kind: str, case: str) -> None:
    text, expected = bare(case)
    assert [text[one.start : one.end] for one in screen(text) if one.kind == kind] == expected
    assert expected


@pytest.mark.parametrize("case", [case for cases in CLEAN.values() for case in lines(cases)])
def test_clean_text_is_returned_unchanged(case: str) -> None:
    assert screen(case) == ()
    assert without(case, Policy()) == (case, {})


def test_every_kind_has_at_least_twelve_cases_and_a_rule() -> None:
    assert set(FOUND) | {"name"} == set(KINDS) == {rule.kind for rule in RULES if rule.kind} | {"name"}
    assert min(len(lines(cases)) for cases in [*FOUND.values(), *CLEAN.values()]) >= 12


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.why))
def test_every_rule_is_needed_by_a_case(rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [bare(case)[0] for text in [*FOUND.values(), *CLEAN.values()] for case in lines(text)]
    before = [screen(case) for case in cases]
    monkeypatch.setattr("workbench.data.deidentify.RULES", tuple(other for other in RULES if other is not rule))
    assert [screen(case) for case in cases] != before


def test_tags_are_no_identifiers() -> None:
    assert screen(TAGS) == ()
    assert screen(f"phone {TAGS}, fax: [FAX], MRN: [MRN], on [DATE]; a [AGE]-year-old at [ADDRESS]") == ()


@pytest.mark.parametrize("seed", range(40))
def test_screening_twice_finds_nothing_more_and_leaves_the_rest(seed: int) -> None:
    rng = random.Random(seed)
    pieces = [bare(case)[0] for text in [*FOUND.values(), *CLEAN.values()] for case in lines(text)]
    text = "".join(rng.choice(pieces) + rng.choice([" ", "\n", ". ", "-", "/", ", ", ""]) for _ in range(12))
    clean, counts = without(text, Policy())
    assert without(clean, Policy()) == (clean, {})
    assert sum(counts.values()) == sum(clean.count(tag) for tag in set(TAGS.split()))
    found = screen(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    assert all(0 <= one.start < one.end <= len(text) for one in found)


def test_replacing_and_counting() -> None:
    note = Example(
        "Dialogue: call 404-639-3311\n",
        "A 92-year-old, MRN 123456, seen 03/14/2015 and 03/15/2015. BP 120/80.",
        (TaskText("qa", "Question: When was he seen?\nAnswer:", " On 03/14/2015."),),
        "row 7",
    )
    clean = Example("", "BP 120/80, 2.5 mg.")
    found = without_identifiers([note, clean])
    replaced = Example(
        "Dialogue: call [PHONE]\n",
        "A [AGE]-year-old, MRN [MRN], seen [DATE] and [DATE]. BP 120/80.",
        (TaskText("qa", "Question: When was he seen?\nAnswer:", " On [DATE]."),),
        "row 7",
    )
    counts = (("phone", 1), ("mrn", 1), ("date", 3), ("age", 1))
    assert found == Screened((replaced, clean), counts, touched=1, dropped=0, names=False)
    assert without_identifiers(found.examples).counts == ()


def test_dropping() -> None:
    kept = Example("", "BP 120/80, 2.5 mg.")
    found = without_identifiers([Example("", "Write to a@b.org."), kept], Policy("drop"))
    assert found == Screened((kept,), (("email", 1),), touched=1, dropped=1, names=False)


def test_only_the_kinds_that_the_policy_names() -> None:
    text = "https://a.org/2015-03-14/x and 2016-03-14"
    assert without(text, Policy(kinds=("date",)))[0] == "https://a.org/2015-03-14/x and [DATE]"
    assert without(text, Policy(kinds=("url",)))[0] == "[URL] and 2016-03-14"


def test_the_report_says_counts_and_that_names_were_not_looked_for_and_no_text() -> None:
    found = without_identifiers([Example("", "Call 404-639-3311 or 404-639-3312."), Example("", "Fine.")])
    assert str(found) == (
        "identifiers in 1 of 2 examples (2 phone), 0 dropped; names were not looked for, which rules cannot find "
        "(set WORKBENCH_PRESIDIO)"
    )
    looked = without_identifiers([Example("", "Fine.")], Policy(names=lambda text: ()))
    assert str(looked) == "identifiers in 0 of 1 examples (none), 0 dropped"


@dataclass
class Result:
    """presidio's RecognizerResult, as far as it is read."""

    entity_type: str
    start: int
    end: int
    score: float


@pytest.fixture
def presidio(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A stand-in for presidio 2.2 and spaCy with the signatures that are called; gives what they were called with.

    It finds "Smith" and "Mary Smith" as presidio's recognisers do, each by itself.
    """
    calls: list[Any] = []

    class Provider:
        def __init__(self, nlp_engines: Any = None, conf_file: Any = None, nlp_configuration: Any = None) -> None:
            calls.append(nlp_configuration)

        def create_engine(self) -> str:
            return "spaCy"

    class Engine:
        def __init__(self, registry: Any = None, nlp_engine: Any = None, *, supported_languages: Any = None) -> None:
            calls.append((nlp_engine, supported_languages))

        def analyze(self, text: str, language: str, entities: list[str] | None = None) -> list[Result]:
            calls.append((language, entities))
            spans = [(text.find(name), len(name)) for name in ("Smith", "Mary Smith", "NAME", "Doe, [DATE]")]
            return [Result("PERSON", start, start + length, 0.85) for start, length in spans if start >= 0]

    top, engines, spacy = (ModuleType(name) for name in ("presidio_analyzer", "presidio_analyzer.nlp_engine", "spacy"))
    vars(top).update(AnalyzerEngine=Engine, nlp_engine=engines)
    vars(engines).update(NlpEngineProvider=Provider)
    vars(spacy).update(util=SimpleNamespace(is_package=lambda name: name == "en_core_web_sm"))
    for module in (top, engines, spacy):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    deidentify_names._engine.cache_clear()
    yield calls
    deidentify_names._engine.cache_clear()


def test_names_are_found_by_presidio(presidio: list[Any]) -> None:
    text = "Dr. Mary Smith, 404-639-3311"
    assert names_by_presidio(text, "en_core_web_sm") == (Finding("name", 4, 14, "[NAME]"),)
    assert names_by_presidio("[NAME] and Doe, [DATE]", "en_core_web_sm") == ()
    configuration = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": "en_core_web_sm"}]}
    assert presidio == [configuration, ("spaCy", ["en"]), ("en", ["PERSON"]), ("en", ["PERSON"])]


def test_names_and_rules_together(presidio: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_PRESIDIO", "en_core_web_sm")
    found = without_identifiers([Example("", "Dr. Mary Smith, 404-639-3311")], Policy(names=names_if_asked()))
    assert found.examples == (Example("", "Dr. [NAME], [PHONE]"),)
    assert found.counts == (("phone", 1), ("name", 1))
    assert found.names
    assert without_identifiers(found.examples, Policy(names=names_if_asked())).counts == ()


def test_names_are_not_looked_for_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "  "):
        monkeypatch.setenv("WORKBENCH_PRESIDIO", value)
        assert names_if_asked() is None
    monkeypatch.delenv("WORKBENCH_PRESIDIO")
    assert names_if_asked() is None


def test_a_model_that_is_not_there_is_not_downloaded(presidio: list[Any]) -> None:
    with pytest.raises(
        UserError, match=r"'en_core_web_xx' \(WORKBENCH_PRESIDIO\) is not installed. Run: python -m spa"
    ):
        names_if_asked("en_core_web_xx")
    assert presidio == []


def test_without_presidio_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    deidentify_names._engine.cache_clear()
    with pytest.raises(MissingExtra, match=r"WORKBENCH_PRESIDIO.*pip install 'workbench\[deidentify\]'"):
        names_if_asked("en_core_web_sm")
