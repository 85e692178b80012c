"""An OpenAI-compatible endpoint as it is in the world, against a real HTTP server of our own."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from generated_server import KEY, Asked, Reply, completion, error, serving

from workbench.data.generated.endpoint import Endpoint
from workbench.data.generated.generator import Answer, NoAnswer, Request
from workbench.errors import StepFailed, UserError
from workbench.specs.generator import EndpointSpec

ENVIRONMENT = {"TEST_KEY": KEY}


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def endpoint(url: str, **fields: Any) -> Endpoint:
    quick = {"tries": 3, "backoff_s": 0.01, "max_wait_s": 2.0, "timeout_s": 5.0, "concurrency": 2}
    spec = EndpointSpec(base_url=url, model="toy", api_key_env="TEST_KEY", **(quick | fields))
    return Endpoint(spec, random.Random(1), ENVIRONMENT)


def ask(reply: Callable[[Asked, int], Reply], *prompts: str, **fields: Any) -> tuple[list[Any], list[Asked]]:
    """What came of each prompt, in their order, and what the server saw."""
    with serving(reply) as server:
        found = dict(endpoint(server.url, **fields).answers([Request(prompt) for prompt in prompts]))
    assert sorted(found) == list(range(len(prompts)))
    return [found[index] for index in range(len(prompts))], server.asked


def test_what_is_asked_and_answered() -> None:
    fields = {"seed": 7, "temperature": 0.5, "max_tokens": 33}
    found, asked = ask(lambda a, n: completion("Answer"), "Naïve?", **fields)
    assert found == [Answer("Answer", 100, 10, cut=False)]
    [one] = asked
    assert (one.path, one.key) == ("/v1/chat/completions", f"Bearer {KEY}")
    message = {"role": "user", "content": "Naïve?"}
    assert one.body == {"model": "toy", "messages": [message], "temperature": 0.5, "max_tokens": 33, "seed": 7}


def test_settings_that_some_models_refuse_can_be_left_out() -> None:
    _, asked = ask(lambda a, n: completion("x"), "a", temperature=None, max_tokens_field="max_completion_tokens")
    assert asked[0].body.keys() == {"model", "messages", "max_completion_tokens"}


def test_without_a_key_none_is_sent() -> None:
    with serving(lambda a, n: completion("x")) as server:
        spec = EndpointSpec(base_url=server.url + "/", model="toy")
        list(Endpoint(spec, random.Random(1), {}).answers([Request("a")]))
    assert server.asked[0].key is None


def test_a_further_ask_has_the_next_seed() -> None:
    with serving(lambda a, n: completion("x")) as server:
        list(endpoint(server.url, seed=7).answers([Request("a", attempt=2)]))
    assert server.asked[0].body["seed"] == 9


def test_each_result_belongs_to_its_request_and_so_many_are_asked_at_once() -> None:
    def reply(asked: Asked, before: int) -> Reply:
        slow = completion(asked.prompt.upper())
        slow.delay_s = 0.05 if asked.prompt[-1] in "048" else 0.01
        return slow

    with serving(reply) as server:
        requests = [Request(f"p{i:02d}") for i in range(24)]
        found = list(endpoint(server.url, concurrency=4).answers(requests))
    assert [index for index, _ in found] != list(range(24))  # they come as they end
    assert {index: answer.text for index, answer in found if isinstance(answer, Answer)} == {
        i: f"P{i:02d}" for i in range(24)
    }
    assert server.most == 4


NONSENSE = {
    "no JSON": (Reply(body=b"<html>Bad gateway</html>"), "unreadable reply"),
    "half a body": (Reply(body=completion("Answer").bytes(), send=40), "unreadable reply"),
    "a list": (Reply(body=[1, 2]), "unreadable reply"),
    "no choices": (Reply(body={"choices": []}), "unreadable reply"),
    "choices of another kind": (Reply(body={"choices": {"a": 1}}), "unreadable reply"),
    "a choice that is none": (Reply(body={"choices": ["x"]}), "unreadable reply"),
    "deep": (Reply(body=b"[" * 100_000), "unreadable reply"),
    "not UTF-8": (Reply(body=b'{"choices": "\xff\xfe"}'), "unreadable reply"),
    "nothing": (Reply(body=b""), "unreadable reply"),
    "no content": (completion(None), "empty answer"),
    "blank content": (completion(" \n"), "empty answer"),
    "content of parts": (completion([{"type": "text"}]), "empty answer"),
    "500": (error(500), "server error"),
    "529": (error(529), "server error"),
    "408": (error(408), "timeout"),
    "429": (error(429), "rate limit"),
    "dropped": (Reply(drop=True), "connection"),
}


@pytest.mark.parametrize(("bad", "reason"), NONSENSE.values(), ids=NONSENSE)
def test_what_may_pass_is_tried_again_and_then_the_request_is_given_up(bad: Reply, reason: str) -> None:
    good = completion("Answer")
    found, asked = ask(lambda a, n: bad if a.prompt == "bad" or n == 0 else good, "good", "bad")
    assert isinstance(found[0], Answer)
    assert isinstance(found[1], NoAnswer)
    assert found[1].reason == reason
    assert [sum(one.prompt == prompt for one in asked) for prompt in ("good", "bad")] == [2, 3]


def test_a_request_that_the_server_refuses_is_not_tried_again() -> None:
    found, asked = ask(
        lambda a, n: error(400, "context is 4096 tokens") if a.prompt == "b" else completion("x"), "a", "b"
    )
    assert isinstance(found[0], Answer)
    assert found[1] == NoAnswer("refused with status 400", "status 400: context is 4096 tokens")
    assert len(asked) == 2


def test_a_timeout_is_tried_again() -> None:
    slow = Reply(body=completion("late").bytes(), delay_s=8.0)
    started = time.monotonic()
    found, asked = ask(lambda a, n: slow if n == 0 else completion("in time"), "a", timeout_s=1.5)
    assert found[0].text == "in time"
    assert len(asked) == 2
    assert time.monotonic() - started < 6


def test_a_server_that_sends_a_byte_now_and_then_times_out_too() -> None:
    import http.server

    class Trickle(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            try:
                for _ in range(100):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    if over.wait(0.05):
                        return
            except OSError:
                pass

        def log_message(self, format: str, *args: Any) -> None:
            pass

    over = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trickle)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        started = time.monotonic()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        [(_, found)] = endpoint(url, timeout_s=0.3, tries=1).answers([Request("a")])
        assert found == NoAnswer("timeout", "no answer within 0.3 s")
        assert time.monotonic() - started < 2
    finally:
        over.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Retry-After": "0.4"}, 0.4),
        ({"Retry-After": "1"}, 1.0),
        ({"Date": "Sat, 21 Nov 2026 22:00:00 GMT", "Retry-After": "Sat, 21 Nov 2026 22:00:01 GMT"}, 1.0),
        ({"Retry-After": "3600"}, 0.5),  # not above max_wait_s
    ],
)
def test_retry_after_is_kept(headers: dict[str, str], least: float) -> None:
    limited = Reply(429, b"{}", headers)
    max_wait_s = 0.5 if headers["Retry-After"] == "3600" else 2.0
    prompts = [f"p{i}" for i in range(6)]
    found, asked = ask(
        lambda a, n: limited if a.prompt == "p0" and n == 0 else completion("x"),
        *prompts, max_wait_s=max_wait_s,
    )  # fmt: skip
    assert all(isinstance(one, Answer) for one in found)
    first, second = (one.at for one in asked if one.prompt == "p0")
    assert least <= second - first < 60


def test_retry_after_holds_for_all_requests() -> None:
    def reply(asked: Asked, before: int) -> Reply:
        if asked.prompt == "p0" and before == 0:
            return Reply(429, b"{}", {"Retry-After": "3"})
        slow = completion("x")
        slow.delay_s = 1.5 if asked.prompt == "p1" else 0.0  # on its way when the limit is told
        return slow

    _, asked = ask(reply, *(f"p{i}" for i in range(6)), max_wait_s=9.0)
    limited = next(one.at for one in asked if one.prompt == "p0")
    later = [one for one in asked if one.prompt != "p1" and one.at > limited]
    assert len(later) == 5
    assert all(one.at - limited >= 3 for one in later)


@pytest.mark.parametrize("value", ["soon", "", "-5", "Sat, 21 Nov 2026 22:00:01"])
def test_a_retry_after_that_says_nothing_falls_back_to_the_own_wait(value: str) -> None:
    limited = Reply(429, b"{}", {"Retry-After": value})
    found, _ = ask(lambda a, n: limited if n == 0 else completion("x"), "a")
    assert isinstance(found[0], Answer)


def test_waits_grow_and_are_spread_by_the_generator_that_is_passed() -> None:
    _, asked = ask(lambda a, n: error(500), "a", tries=4, backoff_s=0.3)
    waits = [after.at - before.at for before, after in itertools.pairwise(asked)]
    rng = random.Random(1)
    least = [0.3 * 2**i * (0.5 + rng.random() / 2) for i in range(3)]
    assert all(low <= wait for wait, low in zip(waits, least, strict=True)), (waits, least)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 302, 308])
def test_what_no_request_can_pass_stops_at_once(status: int) -> None:
    bad = error(status, f"Incorrect API key provided: {KEY}.", Location="http://127.0.0.1:9/other")
    with serving(lambda a, n: bad) as server, pytest.raises(UserError) as caught:
        list(endpoint(server.url).answers([Request(str(i)) for i in range(50)]))
    text = str(caught.value)
    assert f"{server.url}/chat/completions: status {status}, " in text
    assert "TEST_KEY" in text
    assert "\n" not in text
    assert KEY not in text
    assert len(server.asked) <= 4  # two at once, each at most one more before it hears of it


def test_the_key_is_in_no_message_and_no_repr() -> None:
    found, _ = ask(lambda a, n: error(500, f"bad key {KEY}"), "a")
    assert KEY not in repr(found)
    assert "bad key ***" in found[0].message
    found, _ = ask(lambda a, n: Reply(body=f"you sent {KEY}".encode()), "a")
    assert KEY not in repr(found)
    assert KEY not in repr(vars(endpoint("http://x").spec))
    assert KEY not in repr(endpoint("http://x"))


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_key_that_is_not_set(value: str | None) -> None:
    spec = EndpointSpec(base_url="http://x", model="m", api_key_env="TEST_KEY")
    with pytest.raises(UserError, match=r"TEST_KEY is not set\. Put the key of http://x into that variable\."):
        Endpoint(spec, random.Random(1), {} if value is None else {"TEST_KEY": value})


@pytest.mark.parametrize("value", ["sk-a b", "sk-a\nX-Other: 1", "sk-ä"])
def test_a_key_that_is_none_is_not_shown(value: str) -> None:
    spec = EndpointSpec(base_url="http://x", model="m", api_key_env="TEST_KEY")
    with pytest.raises(UserError, match="TEST_KEY holds") as caught:
        Endpoint(spec, random.Random(1), {"TEST_KEY": value})
    assert "sk-a" not in str(caught.value)


def test_an_endpoint_that_is_gone_ends_the_run() -> None:
    with serving(lambda a, n: completion("x")) as server:
        gone = server.url
    with pytest.raises(StepFailed, match=r"4 requests in a row had no answer .*connection failed.*give_up_after"):
        list(endpoint(gone, give_up_after=4, tries=1).answers([Request(str(i)) for i in range(100)]))


def test_failures_between_answers_do_not_end_the_run() -> None:
    found, _ = ask(
        lambda a, n: error(400) if int(a.prompt) % 3 else completion("x"),
        *map(str, range(30)), give_up_after=4, concurrency=1,
    )  # fmt: skip
    assert sum(isinstance(one, NoAnswer) for one in found) == 20


def test_a_caller_that_stops_ends_the_asking() -> None:
    slow = completion("x")
    slow.delay_s = 0.02
    with serving(lambda a, n: slow) as server:
        results = endpoint(server.url).answers([Request(str(i)) for i in range(200)])
        next(results)
        results.close()
        time.sleep(0.1)
        seen = len(server.asked)
        time.sleep(0.2)
        assert len(server.asked) == seen < 20


def test_half_a_surrogate_pair_is_replaced() -> None:
    body = b'{"choices": [{"message": {"content": "a \\ud800 b"}}]}'
    found, _ = ask(lambda a, n: Reply(body=body), "a")
    assert found == [Answer("a ? b", None, None)]


@pytest.mark.parametrize("usage", [None, [], {"prompt_tokens": "9"}, {"prompt_tokens": True, "completion_tokens": -1}])
def test_tokens_that_are_not_told_are_unknown(usage: Any) -> None:
    reply = completion("x", finish="length")
    reply.body["usage"] = usage
    found, _ = ask(lambda a, n: reply, "a")
    assert found == [Answer("x", None, None, cut=True)]
