"""Documents to task data and back again from the cache, with every count, over a real server and a real tiny model."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from generated_server import KEY, Asked, Reply, completion, error, serving

from workbench.data.catalogue import SOURCES
from workbench.data.example import Example, TaskKind, TaskText
from workbench.data.generated import prompts
from workbench.data.generated.cache import opened
from workbench.data.generated.generate import Generated, generate, generator_of, refuse_confidential
from workbench.data.generated.generator import Answer
from workbench.data.source import RemoteFile, Source
from workbench.errors import SpecError, StepFailed, UserError
from workbench.specs.generator import EndpointSpec, GeneratorSpec, LocalModelSpec
from workbench.specs.load import raise_problems, read_yaml, validate

KINDS: list[TaskKind] = ["summary", "qa", "entities", "relations"]


def document(n: int) -> Example:
    text = (
        f"Drug{n:02d} for cough\n\nDrug{n:02d} is a made-up syrup against cough in adults, taken as 10 ml every "
        f"evening for a week. Drug{n:02d} may cause drowsiness, so driving is not advised after a dose of it."
    )
    return Example("", text, key=f"d{n}")


def written(asked: Asked) -> str:
    """A good answer of each kind, with one bad piece in the lists."""
    name = asked.prompt[asked.prompt.index("Drug") :][:6]
    good: dict[TaskKind, Any] = {
        "summary": f"{name} is a syrup for adults with cough, 10 ml of it each evening; it may cause drowsiness.",
        "qa": [
            {"question": f"How much of {name} do adults take?", "answer": "10 ml every evening."},
            {"question": f"What may {name} cause?", "answer": "Drowsiness."},
            {"question": f"What may {name} cause in adults?", "answer": "500 seizures."},
        ],
        "entities": {"Chemicals": [name], "Symptoms": ["cough", "fever"]},
        "relations": [{"subject": name, "relation": "may cause", "object": "drowsiness"}],
    }
    return json.dumps({prompts.KEYS[kind_of(asked)]: good[kind_of(asked)]})


def kind_of(asked: Asked) -> TaskKind:
    return next(kind for kind in KINDS if asked.prompt.endswith(prompts.instruction(kind)))


def name_of(asked: Asked) -> str:
    return asked.prompt[asked.prompt.index("Drug") :][:6]


def spec_for(url: str, **fields: Any) -> GeneratorSpec:
    about = {"tries": 2, "backoff_s": 0.01, "timeout_s": 20.0, "concurrency": 3, "api_key_env": "TEST_KEY"}
    prices = {"price_in": 2.0, "price_out": 10.0, "currency": "EUR"}
    kinds = fields.pop("kinds", KINDS)
    by = EndpointSpec(base_url=url, model=fields.pop("model", "toy"), **(about | prices | fields))
    return GeneratorSpec(by=by, kinds=kinds)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TEST_KEY", KEY)


def made(documents: list[Example], spec: GeneratorSpec, cache: Path, progress: Any = None) -> Generated:
    generator = generator_of(spec, Path("experts/x.yaml"), Path("base"), random.Random(1))
    with opened(cache) as answers:
        return generate(documents, spec, generator, answers, *([progress] if progress else []))


def test_documents_get_their_task_data_and_a_second_run_asks_nothing(tmp_path: Path) -> None:
    documents = [document(n) for n in range(5)]
    seen: list[tuple[float, float, str]] = []
    with serving(lambda a, n: completion(written(a))) as server:
        spec = spec_for(server.url)
        first = made(documents, spec, tmp_path / "a" / "cache.sqlite", lambda *report: seen.append(report))
        asked = len(server.asked)
        second = made(documents, spec, tmp_path / "a" / "cache.sqlite")
        assert len(server.asked) == asked == 20
    assert [(e.prompt, e.completion, e.key) for e in first.examples] == [
        (d.prompt, d.completion, d.key) for d in documents
    ]
    for n, example in enumerate(first.examples):
        name = f"Drug{n:02d}"
        summary = f"{name} is a syrup for adults with cough, 10 ml of it each evening; it may cause drowsiness."
        assert example.tasks == (
            TaskText("summary", "", summary),
            TaskText("qa", f"Question: How much of {name} do adults take?\nAnswer:", " 10 ml every evening."),
            TaskText("qa", f"Question: What may {name} cause?\nAnswer:", " Drowsiness."),
            TaskText("entities", "", f"Symptoms: cough. Chemicals: {name}."),
            TaskText("relations", "", f"{name} may cause drowsiness."),
        )  # fmt: skip
    record = first.record
    assert (record.documents, record.asked, record.cached) == (5, 20, 0)
    assert record.filled == dict.fromkeys(KINDS, 5)
    assert record.task_texts == {"summary": 5, "qa": 10, "entities": 5, "relations": 5}
    assert record.filtered == {
        "summary": {}, "qa": {"number not in the document": 5},
        "entities": {"words not in the document": 5}, "relations": {},
    }  # fmt: skip
    assert (record.skipped, record.failed, record.unread, record.emptied) == ({}, {}, {}, 0)
    assert (record.spent.answers, record.spent.prompt_tokens, record.spent.completion_tokens) == (20, 2000, 200)
    assert record.spent_cost == record.used_cost == pytest.approx((2000 * 2 + 200 * 10) / 1e6)
    assert record.currency == "EUR"
    assert record.seconds > 0
    assert seen[-1] == (20, 20, "0 cached, 20 new, 0 without an answer")
    assert [done for done, _, _ in seen] == list(range(21))
    assert second.examples == first.examples
    assert (second.record.asked, second.record.cached, second.record.spent_cost) == (0, 20, 0.0)
    assert second.record.used == record.used
    identity = {"model": "toy"}
    assert second.record.provenance(identity) == record.provenance(identity)
    assert json.loads(json.dumps(record.provenance(identity)))["cost"] == pytest.approx(0.006)
    assert KEY not in repr(first) + json.dumps(asdict(record)) + json.dumps(record.provenance(identity))
    assert KEY.encode() not in (tmp_path / "a" / "cache.sqlite").read_bytes()


def test_every_pair_has_one_end(tmp_path: Path) -> None:
    """Each document fails in its own way; none of them takes another with it."""
    ways: dict[str, Callable[[Asked, int], Reply]] = {
        "Drug00": lambda a, n: completion(written(a)),
        "Drug01": lambda a, n: error(503),
        "Drug02": lambda a, n: completion("I had rather not."),
        "Drug03": lambda a, n: completion('{"summary": "cut', finish="length"),
        "Drug04": lambda a, n: error(400, "too long"),
        "Drug05": lambda a, n: completion(written(a) if n else "no JSON"),
        "Drug06": lambda a, n: completion('{"summary": "As an AI, I know nothing of drugs against cough."}'),
        "Drug07": lambda a, n: Reply(body=b"<html>"),
    }
    own = Example("", document(8).completion, (TaskText("summary", "", "Own."),), "d8")
    short, long = Example("", "Drug09 too short."), Example("", "Drug10 " + "long " * 3000)
    documents = [*(document(n) for n in range(8)), own, short, long, document(0)]
    with serving(lambda a, n: ways[name_of(a)](a, n)) as server:
        spec = spec_for(server.url, kinds=["summary"])
        found = made(documents, spec, tmp_path / "cache.sqlite")
        assert len(server.asked) == 1 + 2 + 2 + 2 + 1 + 2 + 1 + 2  # tries of errors, asks of what cannot be read
        again = made(documents, spec, tmp_path / "cache.sqlite")
        assert len(server.asked) == 13 + 2 + 1 + 2  # only what had no answer
    record = found.record
    assert record.filled == {"summary": 3}  # documents 0, 5 and 0 again
    assert record.failed == {"server error": 1, "refused with status 400": 1, "unreadable reply": 1}
    assert record.unread == {"not in the form asked for": 1, "cut at max_tokens": 1}
    assert record.emptied == 1
    assert record.filtered == {"summary": {"refusal or chat": 1}}
    assert record.skipped == {"task data of its own": 1, "document too short": 1, "document too long": 1}
    ends = [*record.skipped.values(), *record.failed.values(), *record.unread.values(), record.emptied, 3]
    assert sum(ends) == record.documents * len(record.kinds) == 12
    assert [len(e.tasks) for e in found.examples] == [1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1]
    assert found.examples[8] == own
    assert found.examples[11] == found.examples[0]
    assert record.asked == 8 + 3
    assert again.examples == found.examples
    assert again.record.provenance(0) == record.provenance(0)


def test_the_answer_depends_on_what_the_key_says_and_on_nothing_else(tmp_path: Path) -> None:
    cache = tmp_path / "cache.sqlite"
    with serving(lambda a, n: completion(written(a))) as server:
        for changes, asked in [
            ({}, 1),
            ({"timeout_s": 9.0, "concurrency": 1, "price_in": 9.0, "tries": 1, "asks": 3}, 1),
            ({"model": "other"}, 2),
            ({"temperature": 0.7}, 3),
            ({"max_tokens": 99}, 4),
            ({"seed": 3}, 5),
            ({}, 5),
        ]:
            made([document(0)], spec_for(server.url, kinds=["summary"], **changes), cache)
            assert len(server.asked) == asked


def test_without_prices_or_counts_there_is_no_cost(tmp_path: Path) -> None:
    with serving(lambda a, n: Reply(body={"choices": [{"message": {"content": written(a)}}]})) as server:
        record = made([document(0)], spec_for(server.url), tmp_path / "a.sqlite").record
        assert (record.spent.answers, record.spent.unmetered, record.spent_cost) == (4, 4, None)
        free = spec_for(server.url, price_in=None, price_out=None)
        assert made([document(0)], free, tmp_path / "b.sqlite").record.currency is None


def test_a_key_that_is_refused_stops_the_run_and_keeps_what_was_answered(tmp_path: Path) -> None:
    def reply(asked: Asked, before: int) -> Reply:
        return completion(written(asked)) if name_of(asked) < "Drug03" else error(401, f"bad key {KEY}")

    documents = [document(n) for n in range(20)]
    with serving(reply) as server:
        spec = spec_for(server.url, kinds=["summary"], concurrency=1)
        with pytest.raises(UserError, match="status 401, the endpoint does not accept the key") as caught:
            made(documents, spec, tmp_path / "cache.sqlite")
        assert KEY not in str(caught.value)
        assert len(server.asked) == 4
        found = made(documents[:3], spec, tmp_path / "cache.sqlite")
        assert (len(server.asked), found.record.cached) == (4, 3)


RUN = """
    import random, signal, sys
    from pathlib import Path
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to Ctrl-C
    sys.path.insert(0, {tests!r})
    from test_generated_task_data import document, made, spec_for
    made([document(n) for n in range(40)], spec_for({url!r}, kinds=["summary"]), Path({cache!r}))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_a_good_cache(tmp_path: Path, how: signal.Signals) -> None:
    cache = tmp_path / "cache.sqlite"

    def reply(asked: Asked, before: int) -> Reply:
        slow = completion(written(asked))
        slow.delay_s = 0.0 if name_of(asked) < "Drug06" else 60.0
        return slow

    with serving(reply) as server:
        code = textwrap.dedent(RUN.format(tests=str(Path(__file__).parent), url=server.url, cache=str(cache)))
        process = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ), stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while len(server.asked) < 9 or kept(cache) < 6:  # six were answered, three hang
            time.sleep(0.05)
            assert process.poll() is None
            assert time.monotonic() < deadline
        stopped = time.monotonic()
        process.send_signal(how)
        assert process.wait(20) != 0
        assert time.monotonic() - stopped < 15  # not the minute that the server would take
        server.reply = lambda a, n: completion(written(a))
        before = len(server.asked)
        found = made([document(n) for n in range(40)], spec_for(server.url, kinds=["summary"]), cache)
        assert (found.record.cached, len(server.asked) - before) == (6, 34)
        assert found.record.filled == {"summary": 40}


def kept(cache: Path) -> int:
    connection = sqlite3.connect(cache, timeout=10)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT count(*) FROM answers").fetchone()[0])
    except sqlite3.OperationalError:  # no table yet
        return 0
    finally:
        connection.close()


def test_two_that_use_a_cache_at_once_end_with_the_same_answers(tmp_path: Path) -> None:
    with opened(tmp_path / "c.sqlite") as one, opened(tmp_path / "c.sqlite") as other:
        first, late = Answer("first", 1, 2, cut=True), Answer("late", None, None)
        assert one.put("k", first) == first
        assert other.put("k", late) == first
        assert other.get("k") == first
        assert other.get("j") is None
    with opened(tmp_path / "c.sqlite") as again:
        assert again.get("k") == first


def test_a_file_that_is_no_cache_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("Not a database. " * 100)
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (text, other, folder, text / "below"):
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(UserError, match=r"\.(txt|sqlite)|folder"), opened(path):
            pytest.fail("opened")
        assert before is None or path.read_bytes() == before


def test_text_under_an_agreement_stays_here() -> None:
    own = Source("notes", "agreement", "x", (RemoteFile("notes.zip"),))
    away = spec_for("https://example.org/v1")
    with pytest.raises(UserError, match=r"notes: its text is under an agreement.*https://example\.org/v1"):
        refuse_confidential(away, [SOURCES["medquad"], own])
    refuse_confidential(away, [SOURCES["medquad"]])
    for url in ("http://127.0.0.1:8000/v1", "http://localhost:8000/v1", "http://[::1]:8000/v1"):
        refuse_confidential(spec_for(url), [own])
    refuse_confidential(GeneratorSpec(by=LocalModelSpec(folder="base"), kinds=["qa"]), [own])


DECLARED = """\
by: {base_url: "https://host/v1/", model: m, api_key_env: HOST_KEY, price_in: 0.15, price_out: 0.6}
kinds: [summary, qa]
"""


def declared(tmp_path: Path, text: str) -> GeneratorSpec:
    path = tmp_path / "generator.yaml"
    path.write_text(text)
    document = read_yaml(path, "generator.yaml")
    spec = validate(document, GeneratorSpec)
    raise_problems([document])
    assert spec is not None
    return spec


def test_a_declaration_is_read(tmp_path: Path) -> None:
    spec = declared(tmp_path, DECLARED)
    assert isinstance(spec.by, EndpointSpec)
    assert (spec.by.base_url, spec.by.price_out, spec.by.on_this_machine) == ("https://host/v1", 0.6, False)
    assert declared(tmp_path, "by: {folder: base}\nkinds: [qa]\n").by == LocalModelSpec(folder="base")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("HOST_KEY", "sk-abcdef0123", "generator.yaml:1: 'api_key_env': is no name of an environment variable"),
        ("https://host/v1/", "host/v1", "'base_url': is no plain address"),
        ("https://host/v1/", "https://me:secret@host/v1", "'base_url': is no plain address"),
        ("https://host/v1/", "https://a..b/v1", "'base_url': is no plain address"),
        ("https://host/v1/", "ftp://host/v1", "'base_url': is no plain address"),
        (", price_out: 0.6", "", "declare both 'price_in' and 'price_out' or neither"),
        ("[summary, qa]", "[qa, qa]", "a kind is listed twice"),
        ("[summary, qa]", "[poems]", "generator.yaml:2: 'kinds[0]'"),
        ("[summary, qa]", "[]", "generator.yaml:2: 'kinds'"),
        ("model: m", "model: m, tires: 3", "generator.yaml:1: unknown key 'tires'. Did you mean 'tries'?"),
    ],
)
def test_a_mistake_in_a_declaration_is_told_and_no_key_is_shown(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        declared(tmp_path, DECLARED.replace(old, new))
    assert said in str(caught.value)
    assert "sk-abc" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_endpoint_that_dies_on_the_way_ends_the_run_and_keeps_the_answers(tmp_path: Path) -> None:
    with serving(lambda a, n: completion(written(a)) if name_of(a) < "Drug02" else error(503)) as server:
        spec = spec_for(server.url, kinds=["summary"], give_up_after=5, tries=1, concurrency=1)
        with pytest.raises(StepFailed, match="5 requests in a row had no answer"):
            made([document(n) for n in range(30)], spec, tmp_path / "c.sqlite")
        assert len(server.asked) <= 9
    assert kept(tmp_path / "c.sqlite") == 2
