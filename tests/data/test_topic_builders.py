"""The topics' builders on tiny files written here, and the choice of options against guessers counted by hand."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import simple_icd_10_cm as icd

from workbench.data.catalogue import SOURCES
from workbench.data.topics import (
    clinical_case,
    clinical_knowledge,
    clinical_nli,
    consultation_qa,
    discharge_codes,
    discharge_qa,
    ehr_documents_qa,
    icd10cm_definitions,
    inquiry_summary,
    medication,
    problem_list,
    radiology_report,
)
from workbench.data.topics.assemble import assemble
from workbench.data.topics.guessers import FEATURES, accuracy, credit
from workbench.data.topics.item import Draft, Item
from workbench.data.topics.material import Material
from workbench.data.topics.table import TOPICS, items
from workbench.errors import DataMissing, UserError

Put = Callable[[str, str, Any], None]


@pytest.fixture
def material(tmp_path: Path) -> Material:
    """Mini tasks of one validation item each."""
    rows = {
        "coding": {"id": "c1", "document": "Sugar too high for years, kidneys fine.", "codes": ["E11.9", "I10"]},
        "discharge_qa": {"id": "d1", "document": "You had a stone.", "question": "What now?", "answer": "Drink more."},
        "long_documents": {
            "id": "l1",
            "documents": [
                {"title": "Letter", "text": "Stopped the water pill."},
                {"title": "Report", "text": "Clear."},
            ],
            "question": "Which drug was stopped?",
            "choices": ["Aspirin", "Statin", "Furosemide", "Insulin", "Iron"],
            "answer": 2,
        },
        "problem_list": {"id": "p1", "note": "Wheezing since May.", "problems": ["Asthma", "Wheezing"]},
        "question_summary": {"id": "q1", "question": "My knee hurts on stairs.", "summary": "Why does a knee hurt?"},
        "radiology_qa": {
            "id": "r1",
            "findings": "A line in the radius.",
            "question": "What is it?",
            "answer": "A break.",
        },
        "visit_note": {
            "id": "v1",
            "dialogue": "Doctor: Does it hurt at night?\nPatient: Only when I lie on my left side.\nDoctor: I see.",
            "note": "HPI: pain.",
        },
    }
    for task, row in rows.items():
        folder = tmp_path / "tasks" / f"mini_{task}"
        folder.mkdir(parents=True)
        (folder / "validation.jsonl").write_text(json.dumps(row) + "\n")
    return Material(tmp_path / "tasks", lambda: frozenset({"A75.1"}))


def by_id(drafts: list[Draft]) -> dict[str, Draft]:
    assert len({(draft.source, draft.id) for draft in drafts}) == len(drafts)
    return {draft.id: draft for draft in drafts}


def test_credit_is_split_between_options_of_one_value() -> None:
    assert credit(3, [1, 2, 2], 1) == 1
    assert credit(3, [3, 2, 3], 1) == 1 / 3
    assert credit(3, [4, 2, 3], 1) == 0
    assert credit(3, [4, 5, 6], -1) == 1
    assert credit(0, [0, 0, 0], -1) == 1 / 4


def test_guessers_by_hand() -> None:
    longest = Item("1", "", "the left lung is clear", "?", ("lung clear now", "no", "lung", "heart"), 0)
    shortest = Item("2", "", "the left lung is clear", "?", ("a big heart", "lung", "the left", "left is"), 1)
    both = [longest, shortest]
    assert accuracy(both, "length") == 1 / 2  # right in the first
    assert accuracy(both, "length", -1) == 1 / 2  # right in the second; "no" is shorter in the first
    assert accuracy(both, "shared words") == 1 / 2  # 2 of 3 in the first; in the second 1 word, others have 2
    assert accuracy(both, "share of words shared") == (0 + 1 / 3) / 2  # "lung": 1.0 beats 2/3; three options have 1.0


def drafts_of(n: int, **changes: Any) -> list[Draft]:
    """Questions whose right answer is longer, and shares more words, than most of the others' pool."""
    rng = random.Random(5)
    letters = "abcdefghijklmnopqrstuvwxyz"
    found = []
    for number in range(n):
        told = ["".join(rng.choices(letters, k=6)) for _ in range(12)]
        pool = tuple(
            " ".join(rng.choices(told, k=rng.choice((0, 0, 1, 3))) + rng.choices(letters, k=rng.randint(2, 9)))
            for _ in range(40)
        )
        right = " ".join([*rng.sample(told, 2), *rng.choices(letters, k=6)])
        found.append(Draft(f"d{number}", "made", " ".join(told), right, pool, **changes))
    return found


def test_no_guesser_gains_on_chance() -> None:
    drafts = drafts_of(120)
    naive = [Item(d.id, d.source, d.context, d.question, (d.right, *d.wrong[:3]), 0) for d in drafts]
    assert accuracy(naive, "shared words") > 0.4  # else there were nothing to balance
    balanced = assemble(drafts, "seed")
    assert len(balanced) == 120
    for feature in FEATURES:
        for sign in (1, -1):
            assert abs(accuracy(balanced, feature, sign) - 0.25) < 0.03, (feature, sign)


def test_items_are_their_drafts_in_another_order_with_every_position_right_as_often() -> None:
    drafts = by_id(drafts_of(42))
    found = assemble(list(drafts.values()), "seed")
    assert [item.id for item in found] != list(drafts)
    assert sorted(Counter(item.answer for item in found).values()) == [10, 10, 11, 11]
    for item in found:
        draft = drafts[item.id]
        assert item.right == draft.right
        assert set(item.options) - {draft.right} <= set(draft.wrong)
        assert len(set(item.options)) == 4
        assert (item.context, item.question, item.source) == (draft.context, draft.question, draft.source)


def test_the_same_drafts_and_seed_give_the_same_items() -> None:
    assert assemble(drafts_of(30), "one") == assemble(drafts_of(30), "one")
    assert assemble(drafts_of(30), "one") != assemble(drafts_of(30), "two")


def test_near_identical_drafts_and_those_without_enough_options_are_left_out() -> None:
    words = "pain in the left knee since a fall on the ice in town"  # 12 different words
    first = Draft("1", "s", "What is it?", "A sprain", ("A break", "Gout", "Arthritis"), words)
    again = Draft("2", "s", "What is it?", "A sprain", ("A break", "Gout", "Arthritis"), words + " today")  # 12 of 13
    other = Draft(
        "3", "s", "What is it?", "A sprain", ("A break", "Gout", "Arthritis"), "no pain, but it clicks at night"
    )
    asked = Draft("4", "s", "What helps against this?", "Rest and ice", ("Salt", "Sand", "Sugar"), words)
    poor = Draft("5", "s", "Which one of all?", "This one", ("That one", "A sprain", "a Sprain!"), "no context")
    assert {item.id for item in assemble([first, again], "s")} < {"1", "2"}
    assert {item.id for item in assemble([first, other, asked], "s")} == {"1", "3", "4"}
    assert assemble([poor], "s") == []  # two of its three wrong options are one
    assert assemble([Draft("6", "s", "?", "a", ("b", "c"))], "s") == []
    assert len(assemble([first, other, asked], "s", limit=2)) == 2


def test_firm_options_are_always_there() -> None:
    for item in assemble(drafts_of(20, firm=("the tempting one",)), "seed"):
        assert item.options.count("the tempting one") == 1
        assert len(item.options) == 4


CASES = [
    (
        "1",
        "1",
        "diagnosis",
        "It is gout.",
        "It is a septic joint.",
        "Hot knee and fever. It is a septic joint. He was seen today.",
    ),
    (
        "2",
        "1",
        "diagnosis",
        "This is asthma, surely.",
        "This is croup, surely.",
        "A barking cough. This is croup, surely.",
    ),
    ("3", "0", "NA", "NA", "NA", "NA"),
    ("4", "1", "diagnosis", "Lupus was found.", "Measles was found.", "Spots in the mouth. Measles was found."),
]


def test_clinical_case_asks_for_the_words_that_were_put_wrong(put: Put, material: Material) -> None:
    keys = ("Text ID", "Error Flag", "Error Type", "Error Sentence", "Corrected Sentence", "Corrected Text")
    rows = [{"Text": "Some text.", **dict(zip(keys, case, strict=True))} for case in CASES]
    put("medec-ms", "MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv", rows)
    found = by_id(clinical_case.drafts(material))
    assert found.keys() == {"1", "2", "4"}
    assert found["1"].context == "Hot knee and fever. It is ____. He was seen today."
    assert (found["1"].right, found["1"].firm) == ("a septic joint", ("gout",))
    assert set(found["1"].wrong) == {"a septic joint", "gout", "asthma", "croup"}  # no capital: not at a beginning
    assert (found["4"].context, found["4"].right) == ("Spots in the mouth. ____ was found.", "Measles")
    assert set(found["4"].wrong) == {"Measles", "Lupus"}


PUBTATOR = """\
11|t|An itchy red rash after quinolex in a child.
11|a|We saw it once.
11\t13\t17\trash\tDisease\tD1
11\t24\t32\tquinolex\tChemical\tC1
11\tCID\tC1\tD1

12|t|Severe rash from bromatin.
12|a|Rare.
12\t7\t11\trash\tDisease\tD1
12\t17\t25\tbromatin\tChemical\tC2
12\tCID\tC2\tD1

13|t|Cough and cassidine.
13|a|A letter.
13\t0\t5\tCough\tDisease\tD2
13\t10\t19\tcassidine\tChemical\tC3
13\tCID\tC3\tD2

14|t|Cassidine and bromatin in cough.
14|a|Two drugs: left out.
14\t0\t9\tCassidine\tChemical\tC3
14\t14\t22\tbromatin\tChemical\tC2
14\t26\t31\tcough\tDisease\tD2
14\tCID\tC3\tD2
"""


def test_medication_offers_no_drug_that_does_the_same(put: Put, material: Material) -> None:
    put("bc5cdr", "CDR_TrainingSet.PubTator.txt", PUBTATOR)
    put("bc5cdr", "CDR_DevelopmentSet.PubTator.txt", "")
    found = by_id(medication.drafts(material))
    assert found.keys() == {"11", "12", "13"}
    assert found["12"].context == "Severe rash from ____."
    assert found["12"].right == "bromatin"
    assert found["12"].wrong == ("cassidine",)  # quinolex gives a rash, too
    assert found["13"].wrong == ("quinolex", "bromatin")
    assert found["11"].context == "An itchy red rash after ____ in a child."


def test_nli_takes_what_was_not_entailed_by_the_same_premise_and_as_many_trials_of_each_answer(
    put: Put, material: Material
) -> None:
    said = {"premise": "Quit  smoking\nin May.", "label": "False"}
    rows = [
        {**said, "hypothesis": "The person smoked in the past.", "label": "True"},
        {**said, "hypothesis": "The person smokes."},
        {"premise": "A baker.", "hypothesis": "The person is a student.", "label": "False"},
        {**said, "hypothesis": "The person is a student."},
    ]
    put("sdoh-nli", "sdoh_nli_validation.csv", rows)
    trial = {
        "outcome": "pain",
        "intervention": "heat",
        "comparator": "cold",
        "evidence": "Heat was worse.",
        "split": "train",
    }
    labels = ["significantly increased"] * 70 + ["significantly decreased"] * 3
    put(
        "evidence-inference",
        "evidence_inference_v2.jsonl",
        [
            *({**trial, "prompt_id": str(i), "label": label} for i, label in enumerate(labels)),
            {**trial, "prompt_id": "v", "label": "no significant difference", "split": "validation"},
            {**trial, "prompt_id": "t", "label": "no significant difference", "split": "test"},
        ],
    )
    drafts = clinical_nli.drafts(material)
    found = by_id(drafts)
    assert drafts[0] == Draft(
        "validation-1",
        "sdoh-nli",
        "Which statement follows from this?",
        "The person smoked in the past.",
        ("The person smokes.", "The person is a student."),
        "Quit smoking in May.",
    )
    assert drafts[1].id == "v"  # before the training trials
    assert "t" not in found
    assert found["0"].question == "Compared with cold, what did heat do to the outcome 'pain'?"
    assert found["0"].right == "It raised it."
    assert set(found["0"].firm) == {"It lowered it.", "It did not change it."}
    assert Counter(draft.right for draft in drafts[1:]) == {
        "It raised it.": 60,
        "It lowered it.": 3,
        "It did not change it.": 1,
    }


NOTE = """\
CHIEF COMPLAINT

{complaint}

HISTORY OF PRESENT ILLNESS

{name} is a new patient.
{name} has had this
for a week.

ASSESSMENT AND PLAN

{problem}.
• Medical Reasoning: {name} slept badly.
• Medical Treatment: Start {drug} today.

2. Second thing.
- Medical Treatment: Wait and see what {name} says.
- Something else: Not asked.

Patient Agreements: All agreed.
"""
PEOPLE = [
    ("Ann", "Itch.", "Scabies", "permethrin"),
    ("Bo", "Blisters.", "Herpes zoster", "aciclovir"),
    ("Cy", "Snoring.", "Sleep apnea", "nothing"),
    ("Di", "Fits.", "Epilepsy", "valproate"),
    ("Ed", "Swelling.", "Gout attack", "colchicine"),
    ("Flo", "Bleeding.", "Hemophilia", "factor"),
    ("Gil", "Cramps.", "Endometriosis", "dienogest"),
    ("Hal", "Cough.", "Pneumonia", "amoxicillin"),
]


@pytest.fixture
def aci(put: Put) -> None:
    rows = [
        {
            "encounter_id": name,
            "dialogue": "[doctor] hello",
            "note": NOTE.format(name=name, complaint=complaint, problem=problem, drug=drug),
        }
        for name, complaint, problem, drug in PEOPLE
    ]
    put("aci-bench", "train.csv", rows[:6])
    put("aci-bench", "valid.csv", rows[6:])


def test_discharge_qa_offers_what_the_same_plan_says_on_other_problems(aci: None, material: Material) -> None:
    found = by_id(discharge_qa.drafts(material))
    assert len(found) == 3 * 8 + 1
    assert found["Flo:2"].question == "How will this problem be treated: Hemophilia?"
    assert found["Flo:2"].right == "Start factor today."
    assert found["Flo:2"].firm == ("Wait and see what Flo says.",)
    assert found["Flo:2"].wrong == ("Flo slept badly.", "Wait and see what Flo says.", "Not asked.")
    assert found["Flo:2"].context == (
        "Hemophilia.\n- Medical Reasoning: Flo slept badly.\n- Medical Treatment: Start factor today.\n"
        "Second thing.\n- Medical Treatment: Wait and see what Flo says.\n- Something else: Not asked."
    )  # what all agreed to is no part of it
    assert found["d1"].right == "Drink more."


def test_problem_list_asks_only_for_problems_that_are_no_copy(aci: None, put: Put, material: Material) -> None:
    cases = [
        {"id": "S1", "split": "train", "text": "Thirst and sugar in the urine.", "icd10_dx": ["e11.9", "r35.0", "i10"]},
        {"id": "S2", "split": "train", "text": "A lump in the neck.", "icd10_dx": ["e04.1"]},
        {"id": "S3", "split": "dev", "text": "Never read.", "icd10_dx": ["i21.4"]},
    ]
    put("codiesp-en", "codiesp_en_train_dev.jsonl", cases)
    found = by_id(problem_list.drafts(material))
    assert found["p1:1"].right == "Asthma"
    assert "p1:2" not in found  # "Wheezing" stands in the note
    assert found["Ann:1"].right == "Scabies"
    assert set(found["Ann:1"].wrong) == {problem for _, _, problem, _ in PEOPLE} - {"Scabies"}  # not "Second thing"
    assert found["Ann:1"].context == "Ann has had this for a week."  # without the first sentence
    assert found["S1:1"].right == "Type 2 diabetes mellitus without complications"
    assert found["S1:2"].right == "Essential (primary) hypertension"  # R35.0 is a symptom
    assert found["S1:1"].wrong == ("Nontoxic single thyroid nodule",)
    assert not [id for id in found if id.startswith("S3")]


def test_ehr_documents_options_are_facts_of_the_documents_shown(aci: None, material: Material) -> None:
    found = by_id(ehr_documents_qa.drafts(material))
    names = {complaint: name for name, complaint, _, _ in PEOPLE} | {problem: name for name, _, problem, _ in PEOPLE}
    asked = [draft for draft in found.values() if draft.source == "aci-bench"]
    assert len(asked) == (1 + 2) * 8  # a complaint and two problems; there are no results
    assert len({draft.context for draft in asked}) > 20
    for draft in asked:
        documents = draft.context.split("\n\n")
        assert [text.split(":")[0] for text in documents] == [f"Document {i}" for i in range(1, 9)]
        number = int(draft.question.split("document ")[1].rstrip("?").split()[0])
        assert f": {draft.id.split(':')[0]} has had" in documents[number - 1]
        assert draft.right == "Second thing" or names[draft.right] == draft.id.split(":")[0]
        assert len(set(draft.wrong)) == 7
        assert all(f" {names[wrong]} has had" in draft.context for wrong in draft.wrong)
    assert found["l1"].right == "Furosemide"
    assert found["l1"].wrong == ("Aspirin", "Statin", "Insulin", "Iron")
    assert found["l1"].context == "Letter\nStopped the water pill.\n\nReport\nClear."


def test_inquiries_are_long_and_their_summaries_no_copies(put: Put, material: Material) -> None:
    long = "An old man fell off his ladder last week and cannot lift his right arm at all. What now?"
    pairs = [
        ("1", "true", long, "How is a torn rotator cuff examined?"),
        ("2", "true", long, "How is an old man examined who fell off his ladder?"),  # "an old man fell off his ladder"
        ("3", "false", long, "Is tea healthy for sailors?"),
        ("4", "true", "Short one?", "Is this one too short to be asked about?"),
    ]
    body = "".join(
        f'<pair pid="{id}" value="{value}"><chq>\n {chq}\n</chq><faq> {faq} </faq></pair>'
        for id, value, chq, faq in pairs
    )
    put("rqe-amia2016", "RQE_Train_8588_AMIA2016.xml", f"<RQE>{body}</RQE>")
    found = by_id(inquiry_summary.drafts(material))
    assert found.keys() == {"1", "q1"}
    assert found["1"].right == "How is a torn rotator cuff examined?"
    assert found["1"].context == long
    assert found["q1"].question == found["1"].question


def test_consultations_stop_at_a_question_and_the_wrong_replies_come_later(put: Put, material: Material) -> None:
    dialogue = (
        "Doctor: Any pain today?\r\nPatient: Yes, in my left ear since Sunday morning.\r\n"
        "Doctor: Let me look.\r\nPatient: Please be careful, it is very sore.\r\n"
        "Doctor: Is it this spot?\r\nGuest_family: He always screams when I touch it there.\r\nPatient: No."
    )
    other = "Doctor: Do you smoke?\nPatient: I gave it up when my son was born."
    rows = [{"ID": "7", "dialogue": dialogue}, {"ID": "8", "dialogue": other}]
    put("mts-dialog", "MTS-Dialog-ValidationSet.csv", rows)
    found = by_id(consultation_qa.drafts(material))
    assert found.keys() == {"validation-7:2", "validation-7:6", "validation-8:2", "v1:2"}
    assert found["validation-7:2"].context == "Doctor: Any pain today?"
    assert found["validation-7:2"].wrong == (
        "Please be careful, it is very sore.",
        "He always screams when I touch it there.",
        "I gave it up when my son was born.",
    )
    assert found["validation-7:6"].wrong == ("I gave it up when my son was born.",)
    assert found["v1:2"].right == "Only when I lie on my left side."


def test_radiology_offers_findings_of_the_same_modality_and_another_part(put: Put, material: Material) -> None:
    texts = {
        "a": "CT scan of the chest showing a round mass in the left lung.",
        "b": "CT of the brain shows a small bleed beside the right ventricle.",
        "c": "Chest CT scan revealed many small nodules on both sides.",
        "d": "MRI of the brain showing a large cyst behind the left eye.",
        "e": "CT scan of the pelvis showing a thick bladder wall. Another sentence.",
        "f": "CT scan showing a mass whose place is not told here at all.",
    }
    rows = [{"id": id, "split": "validation", "caption": text} for id, text in texts.items()]
    put("roco-ccby-captions", "roco_radiology_captions_ccby.jsonl", [*rows, {**rows[0], "id": "g", "split": "test"}])
    found = by_id(radiology_report.drafts(material))
    assert found.keys() == {"a", "b", "c", "d", "r1"}
    assert (found["a"].context, found["a"].right) == ("CT scan of the chest showing", "a round mass in the left lung")
    assert found["a"].wrong == ("a small bleed beside the right ventricle",)
    assert found["d"].wrong == ()


def test_a_row_without_text_is_refused_with_its_place(put: Put, material: Material) -> None:
    put("mts-dialog", "MTS-Dialog-ValidationSet.csv", [{"ID": "7", "dialogue": " "}])
    with pytest.raises(UserError, match=r"MTS-Dialog-ValidationSet\.csv, item 1: 'dialogue' is empty\."):
        consultation_qa.drafts(material)


def test_a_topic_whose_source_is_not_at_hand_says_so(put: Put, material: Material, tmp_path: Path) -> None:
    put("mts-dialog", "MTS-Dialog-ValidationSet.csv", [{"ID": "7", "dialogue": "Doctor: Hello."}])
    (tmp_path / "mirror" / "mts-dialog" / "MTS-Dialog-ValidationSet.csv").unlink()
    with pytest.raises(DataMissing, match=r"^mts-dialog/MTS-Dialog-ValidationSet\.csv is not on this machine\."):
        items("consultation_qa", material)


def in_block(code: str, block: str) -> bool:
    """Whether a code lies in a block, by the block's name ("I70-I79") and not by the tree."""
    first, _, last = block.partition("-")
    return first <= code[:3] <= (last or first)


def test_clinical_knowledge_puts_conditions_in_their_group_and_the_others_elsewhere(material: Material) -> None:
    blocks = {
        " ".join(icd.get_description(code).split()): code for code in icd.get_all_codes(True) if icd.is_block(code)
    }
    drafts = clinical_knowledge.drafts(material)
    checked = 0
    for draft in drafts[::25]:
        code = draft.id.partition(":")[0]
        group = draft.question.split("'", 1)[1].removesuffix("'?")
        block = next((name for text, name in blocks.items() if text.startswith(f"{group} (")), None)
        if block is not None and draft.right == icd.get_description(code):
            assert in_block(code, block)
            described = {icd.get_description(c): c for c in icd.get_all_codes(True) if icd.is_category(c)}
            assert not [text for text in draft.wrong if in_block(described[text], block)], draft.id
            checked += 1
        elif block is None:
            assert draft.right in [" ".join(term.split()) for term in icd.get_inclusion_term(code)]
            assert group == " ".join(icd.get_description(code[:3]).split())
            checked += 1
    assert checked > 20


def test_definitions_ask_in_both_directions_and_for_no_tested_code(material: Material) -> None:
    found = by_id(icd10cm_definitions.drafts(material))
    assert "definition-A75.0" in found
    assert "definition-A75.1" not in found  # tested, see the fixture
    asked = found["definition-A75.0"]
    assert asked.question == "Which of these conditions has the medical code A75.0 in ICD10CM?"
    assert asked.right == "Classical typhus (fever)"
    assert "Brill-Zinsser disease" in asked.wrong  # of A75.1, its sibling
    code = found["code-A75.0"]
    assert code.question == "What is the medical code of 'Classical typhus (fever)' in ICD10CM?"
    assert code.right == "A75.0"
    assert "A75.1" in code.wrong
    assert all(len(wrong) == 5 for wrong in code.wrong)


def test_discharge_codes_offers_no_code_that_the_letter_has(material: Material) -> None:
    found = by_id(discharge_codes.drafts(material))
    first = found["c1:E11.9"]
    assert first.right == "E11.9 Type 2 diabetes mellitus without complications"
    assert first.context == "Sugar too high for years, kidneys fine."
    lists = [draft for draft in found.values() if draft.id.startswith("list-")]
    assert len(lists) == discharge_codes.LISTS
    for draft in lists[::10]:
        code = draft.id.partition(":")[2]
        assert draft.right == f"{code} {icd.get_description(code)}"
        assert icd.is_leaf(code)
        named = draft.context.removeprefix("Discharge diagnoses: ").removesuffix(".").split("; ")
        assert any(" ".join(term.split()) in named for term in icd.get_inclusion_term(code))
        for wrong in draft.wrong:
            terms = [" ".join(term.split()) for term in icd.get_inclusion_term(wrong.split(" ")[0])]
            assert not set(terms) & set(named), draft.id


def test_the_table_names_sources_of_the_catalogue() -> None:
    assert len(TOPICS) == 12
    assert [name for name, topic in TOPICS.items() if not topic.sources] == [
        "clinical_knowledge",
        "icd10cm_definitions",
        "discharge_codes",
    ]
    assert {source for topic in TOPICS.values() for source in topic.sources} <= SOURCES.keys()
