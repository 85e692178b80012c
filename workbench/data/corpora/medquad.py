"""MedQuAD (Ben Abacha & Demner-Fushman 2019): the pages that its pairs were cut from, without what MedSwin's task asks.

A page is all pairs of one document of a collection. Left out are the pairs that benchmarks/tasks/medquad asks (`drawn`,
which the task itself uses), pairs elsewhere that ask the same question, answers that are no more than links, and every
sentence that shares 13 words in a row with an asked pair. Pages say much in stock phrases, and an asked pair's page
says its facts again: whole pages without such a run hold 164,739 of the 1,289,470 words of MedWiki's collections that
are not asked, and 89,251 of the 775,363 of Guidelines'.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.data.corpora.medquad_answers import Answer, read_answer
from workbench.data.corpora.wording import about, asked, capital, documents, fitting, opening, plain, sentences
from workbench.data.example import Example, TaskText
from workbench.data.grams import Index
from workbench.data.items import Item, json_items, require
from workbench.data.sources import path_of

FILE = "medquad.jsonl"
SEED, MAX_ITEMS = 13, 5_000
MOST_RELATIONS_WORDS = 150


def drawn(path: Path) -> list[dict[str, Any]]:
    """What MedSwin's task asks: rows {id, question, answer}, white space as one space; ids count the file's lines.

    Raises UserError, naming the file and the item, for a pair without a question or an answer.
    """
    items = json_items(path)
    require(path, items, ("question", "answer"), filled=("question", "answer"))
    rows = [
        {"id": f"medquad-{at}", **{key: " ".join(item[key].split()) for key in ("question", "answer")}}
        for at, item in enumerate(items, 1)
    ]
    random.Random(SEED).shuffle(rows)
    return rows[:MAX_ITEMS]


def not_asked(path: Path) -> list[Item]:
    """The pairs, in the file's order, that the task does not ask, nor any other of the same question."""
    test = drawn(path)
    ids = {row["id"] for row in test}
    questions = {_folded(row["question"]) for row in test}
    return [
        item
        for at, item in enumerate(json_items(path), 1)
        if f"medquad-{at}" not in ids and _folded(item["question"]) not in questions
    ]


def _folded(question: str) -> str:
    return " ".join(question.split()).casefold()


def pages(collections: Sequence[str]) -> list[Example]:
    """The pages of collections ("3_GHR_QA"), a section a pair, in the file's order, with their task data.

    Key: collection and document, or address where upstream gives no document.
    """
    path = path_of("medquad", FILE)
    test = Index.of(f"{row['question']}\n{row['answer']}" for row in drawn(path))
    found: dict[str, list[Item]] = {}
    for item in not_asked(path):
        if item["source"] in collections:
            found.setdefault(f"{item['source']} {item['doc'] or item['url']}", []).append(item)
    return [example for key, items in found.items() for example in _page(key, items, test)]


def _page(key: str, items: Sequence[Item], test: Index) -> list[Example]:
    title = " ".join(items[0]["focus"].split()) or question(items[0]["question"])
    every = ((item, read_answer(item["answer"], title)) for item in items)
    read = [(item, kept) for item, answer in every if answer is not None and (kept := _untold(answer, test)).text]
    text = "\n\n".join(f"{question(item['question'])}\n{answer.text}" for item, answer in read)
    tasks = _summary(title, read)
    first = {question(item["question"]): answer for item, answer in reversed(read)}  # some ask one thing many times
    for told, answer in reversed(first.items()):
        tasks += asked(told, opening(answer.text))
    tasks += _entities(title, [answer for _, answer in read])
    relations = dict.fromkeys(relation for _, answer in read for relation in answer.relations)
    tasks += plain("relations", fitting(relations, "\n", MOST_RELATIONS_WORDS))
    return documents(key, title, text, tasks)


def _untold(answer: Answer, test: Index) -> Answer:
    """The answer without what shares a run of words with the test."""
    points = tuple(point for point in answer.key_points if not test.overlaps(point))
    lines = (without_runs(line, test) for line in answer.text.split("\n"))
    return replace(answer, text=re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), key_points=points)


def without_runs(line: str, test: Index) -> str:
    """The line without the sentences that share a run of words with an index; "" where less than half would be left."""
    if not test.overlaps(line):
        return line
    kept = " ".join(one for one in sentences(line) if not test.overlaps(one))
    return "" if 2 * len(kept.split()) < len(line.split()) or test.overlaps(kept) else kept


def question(text: str) -> str:
    """A question as one would write it: "What is (are) Hemorrhagic Fevers ?" is "What is Hemorrhagic Fevers?"."""
    told = re.sub(r"^What is \(are\) ", "What is ", " ".join(text.split()))
    return f"{capital(told.rstrip(' ?'))}?"


def _summary(title: str, read: Sequence[tuple[Item, Answer]]) -> list[TaskText]:
    """The key points of the page, or the beginning of what it says the topic is."""
    for item, answer in read:
        if item["qtype"] == "information":
            said = fitting(answer.key_points, " ", 120) or opening(answer.text)
            return plain("summary", about(title, said))
    return []


def _entities(title: str, answers: Sequence[Answer]) -> list[TaskText]:
    genes = list(dict.fromkeys(gene for answer in answers for gene in answer.genes))
    symptoms = list(dict.fromkeys(symptom for answer in answers for symptom in answer.symptoms))
    kinds = (("Genes", genes), ("Signs and symptoms", symptoms))
    told = [f"{kind}: {fitting(names, ', ')}." for kind, names in kinds if fitting(names, ", ")]
    return plain("entities", " ".join([f"Disease: {title}.", *told]) if told else "")
