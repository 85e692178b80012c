"""What is read of an answer and what is kept of it: golden cases, worked out by hand."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from workbench.data.example import TaskKind, TaskText
from workbench.data.generated import prompts
from workbench.data.generated.filters import DUPLICATE, FILTERS, sift
from workbench.data.generated.grounds import Grounds, content_words
from workbench.data.generated.numbers import invented, quantities
from workbench.data.generated.pieces import Piece, Unreadable, pieces, task_texts
from workbench.specs.generator import FilterBounds

DOCUMENT = (
    "Naloxone for opioid overdose\n\n"
    "Naloxone is an opioid antagonist that reverses respiratory depression after an overdose of heroin or methadone. "
    "The usual first dose in adults is 0.4 to 2 mg given into a vein, and it is repeated every 2-3 minutes until "
    "breathing recovers. When no vein is found the drug may be given into a muscle or as a spray into the nose. Its "
    "effect lasts 30 to 90 minutes, which is shorter than that of methadone, so patients are watched for at least six "
    "hours. Naloxone can induce hypertension and pulmonary oedema in patients who depend on opioids. Of 1,200 patients "
    "treated by ambulance crews, 4% were treated again within a day. Dr. Ruiz of the unit notes that a 65-year-old man "
    "said: 'I cannot breathe'."
)
GROUNDS = Grounds(DOCUMENT)
SUMMARY = "Naloxone reverses depressed breathing caused by an opioid overdose, at 0.4 to 2 mg into a vein in adults."


def answer(kind: TaskKind, content: Any) -> str:
    return json.dumps({prompts.KEYS[kind]: content})


SHAPES: dict[TaskKind, tuple[Any, tuple[Piece, ...]]] = {
    "summary": ("  A\n b ", (Piece("", "A b"),)),
    "qa": ([{"question": "Q?", "answer": "A"}], (Piece("Q?", "A"),)),
    "entities": (
        {"chemicals": ["naloxone"], "Plants": ["x"]},
        (Piece("Chemicals", "naloxone", ("naloxone",)), Piece("Plants", "x", ("x",))),
    ),
    "relations": (
        [{"subject": "opioid abuse", "relation": "induces", "object": "apnoea."}],
        (Piece("", "Opioid abuse induces apnoea.", ("opioid abuse", "apnoea")),),
    ),
}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(
    "around",
    [
        "{}", "\n {} \n", "```json\n{}\n```", "```\n{}```", "Here is the JSON you asked for:\n\n```json\n{}\n```\n",
        "I use {{braces}} {{}} first: {}", "<think>Perhaps {{\"summary\": \"no\"}}?</think>\n{}",
    ],
)  # fmt: skip
def test_an_answer_is_read(kind: TaskKind, around: str) -> None:
    content, found = SHAPES[kind]
    assert pieces(kind, around.format(answer(kind, content))) == found


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("summary", ""),
        ("summary", "Naloxone reverses overdose."),
        ("summary", '{"summary": "cut'),
        ("summary", '{"Summary": "x"}'),
        ("summary", '{"summary": "x", "note": "y"}'),
        ("summary", '{"summary": ["x"]}'),
        ("summary", '{"summary": null}'),
        ("summary", '{"summary": "x"} I hope this helps!'),
        ("summary", '{"summary": "x"} {"note": "y"}'),
        ("summary", '{"answer": {"summary": "x"}}'),
        ("summary", '{"a":' * 5000),
        ("qa", '{"questions": {"question": "Q?", "answer": "A"}}'),
        ("qa", '{"questions": [{"question": "Q?"}]}'),
        ("qa", '{"questions": [{"question": "Q?", "answer": 5}]}'),
        ("qa", '{"questions": ["Q? A"]}'),
        ("entities", '{"entities": ["naloxone"]}'),
        ("entities", '{"entities": {"Chemicals": "naloxone"}}'),
        ("entities", '{"entities": {"Chemicals": [["naloxone"]]}}'),
        ("relations", '{"relations": ["Naloxone induces hypertension."]}'),
        ("relations", '{"relations": [{"subject": "a", "relation": "b", "object": "c", "note": "d"}]}'),
    ],
)
def test_an_answer_of_another_form_is_not_read(kind: TaskKind, text: str) -> None:
    with pytest.raises(Unreadable):
        pieces(kind, text)


def test_text_is_one_clean_line() -> None:
    [piece] = pieces("summary", '{"summary": "a\\u0000b\\tc \\ud800 d\\u00a0e"}')
    assert piece.text == "a b c d e"
    piece.text.encode()


@pytest.mark.parametrize(
    ("subject", "sentence"),
    [("naloxone", "Naloxone helps x."), ("mRNA vaccines", "mRNA vaccines helps x."), ("HbA1c", "HbA1c helps x.")],
)
def test_a_relation_is_a_sentence(subject: str, sentence: str) -> None:
    content = [{"subject": subject, "relation": "helps", "object": "x"}]
    assert pieces("relations", answer("relations", content))[0].text == sentence


def test_task_data_in_its_plain_forms() -> None:
    assert task_texts("summary", [Piece("", "A b.")]) == (TaskText("summary", "", "A b."),)
    assert task_texts("qa", [Piece("Q?", "A."), Piece("R?", "B.")]) == (
        TaskText("qa", "Question: Q?\nAnswer:", " A."),
        TaskText("qa", "Question: R?\nAnswer:", " B."),
    )
    terms = [Piece("Chemicals", "naloxone"), Piece("Diseases", "hypertension"), Piece("Chemicals", "clonidine")]
    text = "Diseases: hypertension. Chemicals: naloxone, clonidine."
    assert task_texts("entities", terms) == (TaskText("entities", "", text),)
    assert task_texts("relations", [Piece("", "A b c."), Piece("", "D e f.")]) == (
        TaskText("relations", "", "A b c. D e f."),
    )
    for kind in prompts.KEYS:
        assert task_texts(kind, []) == ()


GOOD: list[tuple[TaskKind, Piece]] = [
    ("summary", Piece("", SUMMARY)),
    (
        "summary",
        Piece("", "Naloxone, an opioid antagonist, acts for 30 to 90 minutes, so patients are watched six hours."),
    ),
    (
        "summary",
        Piece("", "Naloxone 0.40 mg treats opioid overdose in adults; effects wear off before methadone does."),
    ),
    ("summary", Piece("", "Of 1200 patients treated with naloxone by ambulance crews, 4 percent were treated again.")),
    ("summary", Piece("", "Naloxone was given to a man aged 65 years, and breathing recovered after the dose.")),
    ("qa", Piece("What is the usual first dose of naloxone in adults?", "0.4 to 2 mg into a vein.")),
    ("qa", Piece("Does naloxone act for a shorter time than methadone?", "Yes.")),
    ("qa", Piece("How long are patients watched after naloxone?", "At least 6 hours.")),
    ("qa", Piece("What did the man say?", "I cannot breathe.")),
    ("qa", Piece("How is naloxone given when no vein is found?", "It is given into a muscle or as a nose spray.")),
    ("entities", Piece("Chemicals", "Naloxone", ("Naloxone",))),
    ("entities", Piece("Symptoms", "respiratory depression", ("respiratory depression",))),
    ("relations", Piece("", "Naloxone causes hypertension.", ("Naloxone", "hypertension"))),
]


@pytest.mark.parametrize(("kind", "piece"), GOOD, ids=lambda value: str(getattr(value, "text", value))[:30])
def test_good_task_data_are_kept(kind: TaskKind, piece: Piece) -> None:
    found = sift(kind, [piece], GROUNDS, FilterBounds())
    assert found.rejected == {}
    assert found.kept == (piece,)


LONG = " ".join(["Naloxone reverses opioid overdose in adults and patients recover breathing."] * 9)
COPIED = DOCUMENT[DOCUMENT.index("Naloxone is an") : DOCUMENT.index(" The usual")]
BAD: list[tuple[str, TaskKind, Piece]] = [
    ("no text", "summary", Piece("", "...")),
    ("no text", "qa", Piece("What is the usual dose of naloxone?", "")),
    ("no text", "entities", Piece("Chemicals", "-", ("-",))),
    ("no text", "relations", Piece("", "Naloxone induces .", ("Naloxone", ""))),
    ("no question", "qa", Piece("The usual first dose of naloxone", "0.4 to 2 mg")),
    ("no question", "qa", Piece("Dose?", "0.4 to 2 mg")),
    ("no question", "qa", Piece("", "0.4 to 2 mg")),
    ("unknown type", "entities", Piece("Plants", "heroin", ("heroin",))),
    ("refusal or chat", "summary", Piece("", "As an AI language model I know that naloxone reverses opioid overdose.")),
    ("refusal or chat", "summary", Piece("", "I\u2019m sorry, but naloxone after an overdose is a matter I avoid.")),
    ("refusal or chat", "qa", Piece("What is the usual first dose of naloxone?", "I cannot give the dose.")),
    ("refusal or chat", "summary", Piece("", "Here is a summary: naloxone reverses opioid overdose in adults.")),
    ("refusal or chat", "summary", Piece("", "Sure! Naloxone reverses respiratory depression after opioid overdose.")),
    ("echo of the prompt", "summary", Piece("", f"Naloxone. {prompts.RULES}")),
    ("not self-contained", "summary", Piece("", "It reverses depressed breathing after an overdose of opioid drugs.")),
    ("not self-contained", "summary", Piece("", "The document says naloxone reverses depression after overdose.")),
    ("not self-contained", "qa", Piece("According to the given text, what is naloxone?", "An opioid antagonist.")),
    ("not self-contained", "relations", Piece("", "It can induce hypertension.", ("It", "hypertension"))),
    ("other language", "summary", Piece("", "Налоксон устраняет угнетение дыхания после передозировки опиоидов.")),
    ("other language", "summary", Piece("", "naloxone ---- **** //// 0.4 0.4 ==== ++++ ;;;; opioid a b c d")),
    ("too short", "summary", Piece("", "Naloxone reverses opioid overdose.")),
    ("too long", "summary", Piece("", LONG)),
    ("too long", "qa", Piece("What does naloxone reverse in adults?", LONG)),
    ("number not in the document", "summary", Piece("", SUMMARY.replace("2 mg", "20 mg"))),
    ("number not in the document", "summary", Piece("", SUMMARY.replace("2 mg", "2 g"))),
    ("number not in the document", "summary", Piece("", SUMMARY.replace("0.4", "0.04"))),
    ("number not in the document", "qa", Piece("How long are patients watched after naloxone?", "Eight hours.")),
    ("number not in the document", "qa", Piece("How long do the 500 patients stay?", "At least six hours.")),
    ("number not in the document", "relations", Piece("", "Naloxone 7 mg induces hypertension.", ("hypertension",))),
    ("words not in the document", "entities", Piece("Chemicals", "buprenorphine", ("buprenorphine",))),
    ("words not in the document", "entities", Piece("Symptoms", "depression respiratory", ("depression respiratory",))),
    ("words not in the document", "relations", Piece("", "Naloxone induces asthma.", ("Naloxone", "asthma"))),
    ("unsupported", "summary", Piece("", "Aspirin thins blood and prevents strokes among smokers with diabetes.")),
    ("unsupported", "qa", Piece("What does naloxone reverse?", "Atrial fibrillation and gout.")),
    ("unsupported", "qa", Piece("Which statin lowers cholesterol fastest?", "Naloxone.")),
    ("copied", "summary", Piece("", COPIED)),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "kind", "piece"), BAD)
def test_bad_task_data_are_left_out_for_their_reason(reason: str, kind: TaskKind, piece: Piece) -> None:
    found = sift(kind, [piece], GROUNDS, FilterBounds())
    assert found.rejected == {reason: 1}
    assert found.kept == ()


def test_every_filter_has_a_case() -> None:
    assert {reason for reason, _, _ in BAD} == {one.reason for one in FILTERS}
    assert len({one.reason for one in FILTERS} | {DUPLICATE}) == len(FILTERS) + 1


def test_what_stands_twice_is_kept_once() -> None:
    first = Piece("What is the usual first dose of naloxone in adults?", "0.4 to 2 mg.")
    again = Piece("What is the usual first dose of naloxone, in adults ?", "0.4 to 2 mg into a vein.")
    other = Piece("What is the effect of naloxone in patients who depend on opioids?", "Hypertension.")
    found = sift("qa", [first, again, other], GROUNDS, FilterBounds())
    assert found.kept == (first, other)
    assert found.rejected == {DUPLICATE: 1}
    terms = [Piece(kind, name, (name,)) for kind, name in [("Chemicals", "heroin"), ("Diseases", "Heroin")]]
    assert sift("entities", terms, GROUNDS, FilterBounds()).kept == (terms[0],)


def test_bounds_are_the_declared_ones() -> None:
    short, copied = Piece("", "Naloxone reverses opioid overdose."), Piece("", COPIED)
    assert sift("summary", [short], GROUNDS, FilterBounds(summary_min_words=4)).kept == (short,)
    assert sift("summary", [copied], GROUNDS, FilterBounds(copied=1.0)).kept == (copied,)
    assert sift("summary", [Piece("", SUMMARY)], GROUNDS, FilterBounds(supported=1.0)).rejected == {"unsupported": 1}
    bounds = FilterBounds(length_share=0.0, length_always=5)
    assert sift("summary", [Piece("", SUMMARY)], GROUNDS, bounds).rejected == {"too long": 1}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("5 mg, 5mg, 5-mg, 5 milligrams", {("5", "mg")}),
        ("0.50 and 007 and 1,250.0", {("0.5", ""), ("7", ""), ("1250", "")}),
        ("5 \u00b5g or 5 \u03bcg or 5 ug", {("5", "mcg")}),
        ("5\u201310 mg", {("5", "mg"), ("10", "mg")}),
        ("from 5 to 10 mg", {("5", "mg"), ("10", "mg")}),
        ("twelve hours, Thirty percent", {("12", "h"), ("30", "%")}),
        ("one of the 2", {("1", ""), ("2", "")}),
        ("1\u00b75 g", {("1.5", "g")}),
        ("5 grapes", {("5", "")}),
        ("b12 q6h", {("12", ""), ("6", "h")}),
        ("alone, often, tenth", set()),
    ],
)
def test_numbers_and_their_units(text: str, found: set[tuple[str, str]]) -> None:
    assert quantities(text) == found


@pytest.mark.parametrize(
    ("text", "document", "found"),
    [
        ("5 mg", "5 g", {("5", "mg")}),
        ("5 mg", "5", {("5", "mg")}),
        ("5", "5 mg", set()),
        ("65 years", "a 65 M", set()),
        ("65 years", "65 days", {("65", "y")}),
        ("one drug", "drugs", set()),
        ("3 drugs", "three drugs", set()),
    ],
)
def test_invented_numbers(text: str, document: str, found: set[tuple[str, str]]) -> None:
    assert invented(text, quantities(document)) == found


def test_forms_of_a_word_are_one() -> None:
    assert content_words("induces induced inducing induce") == ["induc"] * 4
    assert content_words("therapy therapies") == ["therap"] * 2
    assert content_words("The gas was in it, 500") == ["gas"]


def test_a_change_of_wording_is_a_new_version() -> None:
    """Where this fails, raise prompts.VERSION and put the new digest here."""
    text = "".join(prompts.prompt(kind, "DOCUMENT") for kind in prompts.TASKS)
    assert (prompts.VERSION, hashlib.sha256(text.encode()).hexdigest()[:12]) == (1, "7ebfa192bcaf")
    assert set(prompts.TASKS) == set(prompts.KEYS)
    assert all(prompts.KEYS[kind] in prompts.TASKS[kind][1] for kind in prompts.TASKS)
