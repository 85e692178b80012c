"""What a search has tried: seeded, resumable, shared by processes, and never mixed up with another search."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import UserError
from workbench.merging.search.space import Space
from workbench.merging.search.study import Asked, Study, Tried
from workbench.specs.merge import Input
from workbench.specs.search import SearchSpec

IDENTITY = "0123456789abcdef"


def space(**given: Any) -> Space:
    plain = {
        "merge_method": "ties",
        "models": [{"model": "a"}, {"model": "b"}],
        "space": {"weight": {"low": 0.0, "high": 1.0, "each": True}, "density": {"values": [0.2, 0.5, 0.9]}},
        "budget": 12,
        "seed": 3,
    }
    return Space(SearchSpec.model_validate({**plain, **given}), (Input(model="a"), Input(model="b")), "base")


def scored(asked: Asked) -> Tried:
    value = -sum((float(x) - 0.4) ** 2 for x in asked.point.values())
    return Tried(asked.number, asked.point, "scored", (value,), 10, 0.1)


def walk(study: Study) -> int:
    n = 0
    while (asked := study.ask()) is not None:
        study.tell(scored(asked))
        n += 1
    return n


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "random"])
def test_what_is_tried_does_not_depend_on_how_often_the_search_was_stopped(tmp_path: Path, sampler: str) -> None:
    whole = Study(tmp_path / "whole", IDENTITY, space(sampler=sampler))
    assert walk(whole) == 12
    for _ in range(12):
        study = Study(tmp_path / "parts", IDENTITY, space(sampler=sampler))
        asked = study.ask()
        assert asked is not None
        study.tell(scored(asked))
    assert Study(tmp_path / "parts", IDENTITY, space(sampler=sampler)).ask() is None
    assert study.tried() == whole.tried()
    assert len({tuple(one.point.values()) for one in whole.tried()}) == 12


def test_another_seed_tries_other_candidates_after_the_same_start(tmp_path: Path) -> None:
    first, second = (Study(tmp_path / str(seed), IDENTITY, space(seed=seed)) for seed in (1, 2))
    walk(first)
    walk(second)
    assert first.tried()[0].point == second.tried()[0].point
    assert first.tried()[-1].point != second.tried()[-1].point


def test_a_grid_is_visited_once(tmp_path: Path) -> None:
    grid = {"weight": {"low": 0.0, "high": 1.0, "steps": 3}, "density": {"values": [0.2, 0.9]}}
    study = Study(tmp_path, IDENTITY, space(sampler="grid", budget=100, space=grid))
    assert walk(study) == 6
    points = {(one.point["weight"], one.point["density"]) for one in study.tried()}
    assert points == {(w, d) for w in (0.0, 0.5, 1.0) for d in (0.2, 0.9)}


def test_a_failed_candidate_counts_and_the_search_goes_on(tmp_path: Path) -> None:
    study = Study(tmp_path, IDENTITY, space(budget=3))
    asked = study.ask()
    assert asked is not None
    study.tell(Tried(asked.number, asked.point, "failed", (), 0, 0.1, "a weight is NaN"))
    assert walk(study) == 2
    assert [one.state for one in study.tried()] == ["failed", "scored", "scored"]
    assert study.tried()[0].reason == "a weight is NaN"


def test_several_objectives(tmp_path: Path) -> None:
    study = Study(tmp_path, IDENTITY, space(sampler="nsga2", objectives=["mean", "icd10cm"], budget=4))
    while (asked := study.ask()) is not None:
        study.tell(Tried(asked.number, asked.point, "scored", (0.5, 0.1 * asked.number), 10, 0.1))
    assert [one.values for one in study.tried()] == [(0.5, 0.1 * n) for n in range(4)]


def test_a_folder_of_another_search_is_refused(tmp_path: Path) -> None:
    Study(tmp_path, IDENTITY, space())
    with pytest.raises(UserError, match=r"holds another search \(id 0123456789ab, not fedcba987654\)\. Move it away"):
        Study(tmp_path, "fedcba9876543210", space())


def _killed_while_trying(folder: Path) -> None:
    assert Study(folder, IDENTITY, space()).ask() is not None
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_was_trying_is_tried_again(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_killed_while_trying, args=(tmp_path,))
    process.start()
    process.join()
    study = Study(tmp_path, IDENTITY, space())
    assert walk(study) == 12
    untouched = Study(tmp_path / "untouched", IDENTITY, space())
    walk(untouched)
    first = [tuple(one.point.values()) for one in untouched.tried()[:3]]
    assert set(first) <= {tuple(one.point.values()) for one in study.tried()}


def _killed_before_its_last_word(folder: Path) -> None:
    study = Study(folder, IDENTITY, space())
    asked = study.ask()
    assert asked is not None
    study._end = lambda tried: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    study.tell(scored(asked))


def test_what_a_killed_process_had_found_out_is_kept(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_killed_before_its_last_word, args=(tmp_path,))
    process.start()
    process.join()
    study = Study(tmp_path, IDENTITY, space())
    assert walk(study) == 11
    assert [one.number for one in study.tried()] == list(range(12))


def test_a_search_that_ended_with_an_error_goes_on_in_the_same_process(tmp_path: Path) -> None:
    study = Study(tmp_path, IDENTITY, space())
    assert study.ask() is not None
    assert Study(tmp_path, IDENTITY, space()).under_way()
    del study
    gc.collect()
    assert walk(Study(tmp_path, IDENTITY, space())) == 12
    gc.collect()
    assert not list(tmp_path.glob("process-*"))


def _walks(folder: Path, queue: Any) -> None:
    queue.put(walk(Study(folder, IDENTITY, space(budget=30))))


def test_two_processes_share_a_search_and_keep_to_its_budget(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=_walks, args=(tmp_path, queue)) for _ in range(2)]
    for process in processes:
        process.start()
    found = [queue.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert sum(found) == 30
    assert min(found) > 0
    assert sorted(one.number for one in Study(tmp_path, IDENTITY, space(budget=30)).tried()) == list(range(30))
