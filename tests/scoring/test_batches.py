"""Which requests go through the model together."""

from __future__ import annotations

import itertools
import random

import pytest

from workbench.scoring.batches import Batch, Request, Row, batches, families, read_at, rows


def request(context: tuple[int, ...], *continuation: int) -> Request:
    return (("", ""), list(context), list(continuation))


def row(*context: int, choices: int = 1) -> Row:
    return Row(context, ((7, 8),) * choices, (0,) * choices)


SHOTS = tuple(range(1000, 1064))
PAGE = tuple(range(2000, 2100))


def test_a_context_is_one_row_with_all_that_is_asked_of_it() -> None:
    asked = [request((1, 2), 5), request((3,), 6), request((1, 2), 7, 8)]
    assert rows(asked) == [Row((1, 2), ((5,), (7, 8)), (0, 2)), Row((3,), ((6,),), (1,))]


def test_many_continuations_fill_rows_and_a_long_context_is_not_read_again_for_few() -> None:
    many = rows([request((1,), *range(101)) for _ in range(12)])
    assert [len(one.continuations) for one in many] == [5, 5, 2]
    (long,) = rows([request(tuple(range(900)), *range(11)) for _ in range(5)])
    assert long.length == 950


def test_rows_with_a_common_beginning_are_a_family() -> None:
    shots = [row(*SHOTS, n, n) for n in range(4)]
    page = [row(*PAGE, n) for n in range(3)]
    lone = [row(5), row(6, 6)]
    found = families([page[0], shots[1], lone[1], page[2], shots[0], lone[0], shots[3], page[1], shots[2]])
    assert found == [(len(SHOTS), shots), (len(PAGE), page), (0, lone)]


def test_a_page_behind_the_same_shots_belongs_to_them() -> None:
    pages = [row(*SHOTS, *(page,) * 40, n) for page in (1, 2) for n in range(3)]
    ((shared, family),) = families(pages)
    assert shared == len(SHOTS)
    assert len(family) == 6


def test_a_context_that_begins_another_keeps_a_token_of_its_own() -> None:
    short, long = row(*PAGE), row(*PAGE, 1, 2)
    assert families([long, short]) == [(len(PAGE) - 1, [short, long])]


@pytest.mark.parametrize(("tokens", "kept"), [(10**6, 10**6), (100, 10**6), (1, 1), (10**6, 300), (300, 500)])
def test_every_row_is_in_one_batch_within_both_bounds(tokens: int, kept: int) -> None:
    draw = random.Random(0)
    beginnings = ((), SHOTS, PAGE, (*SHOTS, *PAGE))
    asked = [
        row(*draw.choice(beginnings), *draw.choices(range(50), k=draw.randint(1, 30)), choices=draw.randint(1, 4))
        for _ in range(60)
    ]
    found = list(batches(asked, tokens, kept))
    packed = [one for batch in found for one in batch.rows]
    assert sorted(packed, key=lambda one: one.context) == sorted(asked, key=lambda one: one.context)
    for batch in found:
        assert all(one.context[: batch.shared] == batch.prefix for one in batch.rows)
        assert all(len(one.context) > batch.shared for one in batch.rows)
        assert len(batch.rows) == 1 or len(batch.rows) * batch.width <= tokens
        assert len(batch.rows) == 1 or len(batch.rows) * (batch.width + batch.shared) <= kept
    shared = [batch.prefix for batch in found if batch.shared]
    assert len(list(itertools.groupby(shared))) == len(set(shared))  # each beginning is computed once


def test_a_short_row_is_not_padded_to_a_long_one() -> None:
    even, short = [row(*range(n, n + 500)) for n in range(3)], row(1, 2, 3)
    assert [len(batch.rows) for batch in batches([*even, short], 2048, 10**6)] == [3, 1]
    near = row(*range(7, 470))  # padding it costs less than a pass
    assert [len(batch.rows) for batch in batches([*even, near], 2048, 10**6)] == [4]


def test_no_rows_are_no_batch() -> None:
    assert list(batches([], 10, 10)) == []
    assert Batch((row(1, 2),)).prefix == ()


def test_the_token_before_a_token_is_where_it_is_read() -> None:
    assert list(read_at(Row((1, 2, 3), ((4, 5), (6,), (7, 8)), (0, 1, 2)))) == [(2, 4), (3, 5), (2, 6), (2, 7), (4, 8)]
