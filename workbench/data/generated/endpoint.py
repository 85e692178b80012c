"""A model behind an OpenAI-compatible endpoint: POST {base_url}/chat/completions, many at once, with retries."""

from __future__ import annotations

import http.client
import json
import os
import queue
import random
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections import abc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from email.message import Message
from typing import IO

from workbench.data.generated import replies
from workbench.data.generated.generator import Answer, NoAnswer, Request
from workbench.data.generated.replies import Fault
from workbench.errors import StepFailed, UserError
from workbench.ids import Plain
from workbench.specs.generator import EndpointSpec

MOST_BYTES = 1 << 24
"""A body that is longer is not read to its end."""

_BLOCK = 1 << 16


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """urllib would send the key to wherever the server points, and without the question."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Never."""


class Endpoint:
    """Asks an endpoint. The key is in no message and no repr of it; `rng` spreads the retries."""

    def __init__(self, spec: EndpointSpec, rng: random.Random, environment: Mapping[str, str] = os.environ) -> None:
        self.spec = spec
        self._key = _key(spec, environment)
        self._url = f"{spec.base_url}/chat/completions"
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._rng = rng
        self._lock = threading.Lock()
        self._in_a_row = 0  # requests without an answer
        self._not_before = 0.0  # on the monotonic clock; one thread's Retry-After holds for all

    @property
    def identity(self) -> Plain:
        """The model and the settings of its sampling."""
        spec = self.spec
        sampling = {"temperature": spec.temperature, "max_tokens": spec.max_tokens, "seed": spec.seed}
        return {"by": "endpoint", "model": spec.model, **sampling}

    @property
    def asks(self) -> int:
        """As declared."""
        return self.spec.asks

    def answers(self, requests: Sequence[Request]) -> abc.Generator[tuple[int, Answer | NoAnswer]]:
        """(index, what came of it) as they end, `concurrency` side by side.

        Raises UserError when the endpoint refuses all requests (key, address, model), StepFailed when `give_up_after`
        in a row have no answer. A caller that stops early loses the requests that are on their way.
        """
        todo, self._in_a_row = iter(enumerate(requests)), 0
        done: queue.SimpleQueue[tuple[int, Answer | NoAnswer | BaseException]] = queue.SimpleQueue()
        stop = threading.Event()
        for _ in range(min(self.spec.concurrency, len(requests))):
            # Daemons, which an executor's threads are not: Ctrl-C shall not wait until the slowest request times out.
            threading.Thread(target=self._work, args=(todo, done, stop), daemon=True).start()
        try:
            yield from self._collected(len(requests), done)
        finally:
            stop.set()

    def _collected(
        self, count: int, done: queue.SimpleQueue[tuple[int, Answer | NoAnswer | BaseException]]
    ) -> Iterator[tuple[int, Answer | NoAnswer]]:
        for _ in range(count):
            index, result = done.get()
            if isinstance(result, BaseException):
                raise result
            yield index, result

    def _work(
        self,
        todo: Iterator[tuple[int, Request]],
        done: queue.SimpleQueue[tuple[int, Answer | NoAnswer | BaseException]],
        stop: threading.Event,
    ) -> None:
        while not stop.is_set():
            with self._lock:
                index, request = next(todo, (-1, None))
            if request is None:
                return
            try:
                result = self._answer(request, stop)
                done.put((index, result))
                self._lose_patience(result)
            except BaseException as error:  # for the caller's thread, whatever it is
                stop.set()
                done.put((index, error))

    def _lose_patience(self, result: Answer | NoAnswer) -> None:
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if isinstance(result, NoAnswer) else 0
            if isinstance(result, NoAnswer) and self._in_a_row >= self.spec.give_up_after:
                raise StepFailed(
                    f"{self._url}: {self._in_a_row} requests in a row had no answer (the last: {result.message}). All "
                    "answers are kept. Start again when the endpoint answers, or raise give_up_after."
                )

    def _answer(self, request: Request, stop: threading.Event) -> Answer | NoAnswer:
        body = self._body(request)
        for attempt in range(self.spec.tries):
            stop.wait(max(0.0, self._not_before - time.monotonic()))
            if stop.is_set():
                break
            got = self._try(body)
            if isinstance(got, Answer):
                return got
            if not got.passing or attempt + 1 == self.spec.tries:
                return NoAnswer(got.reason, got.message)
            self._pause(got, attempt, stop)
        return NoAnswer("stopped", "the run was stopped")

    def _body(self, request: Request) -> bytes:
        spec = self.spec
        fields: dict[str, object] = {
            "model": spec.model,
            "messages": [{"role": "user", "content": request.prompt}],
            spec.max_tokens_field: spec.max_tokens,
        }
        if spec.temperature is not None:
            fields["temperature"] = spec.temperature
        if spec.seed is not None:
            fields["seed"] = spec.seed + request.attempt
        return json.dumps(fields).encode()

    def _pause(self, fault: Fault, attempt: int, stop: threading.Event) -> None:
        spread = 0.5 + self._rng.random() / 2
        if fault.wait_s is None:
            stop.wait(min(self.spec.max_wait_s, self.spec.backoff_s * 2**attempt) * spread)
            return
        until = time.monotonic() + min(self.spec.max_wait_s, fault.wait_s)
        with self._lock:
            self._not_before = max(self._not_before, until)
        stop.wait(self.spec.backoff_s * spread)  # not all in the same moment

    def _try(self, body: bytes) -> Answer | Fault:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._url, body, headers, method="POST")
        deadline = time.monotonic() + self.spec.timeout_s
        try:
            with self._sent(request) as response:
                status, told, content = response.status or 0, response.headers, _read(response, deadline)
        except urllib.error.URLError as error:
            return self._unreached(error.reason)
        except (OSError, http.client.HTTPException) as error:
            return self._unreached(error)
        got = replies.answer(content) if status == 200 else self._fault(status, told, content)
        if isinstance(got, Fault):
            return replace(got, message=self._without_key(got.message))
        return got

    def _sent(self, request: urllib.request.Request) -> http.client.HTTPResponse | urllib.error.HTTPError:
        """The reply, of whatever status."""
        try:
            response: http.client.HTTPResponse = self._opener.open(request, timeout=self.spec.timeout_s)
        except urllib.error.HTTPError as error:
            return error
        return response

    def _fault(self, status: int, headers: Message, body: bytes) -> Fault:
        why = replies.FATAL.get(status, "the address points elsewhere" if 300 <= status < 400 else None)
        if why is None:
            return replies.fault(status, headers, body)
        name = self.spec.api_key_env
        check = f"base_url, model and the key in {name}" if name else "base_url and model, or name api_key_env"
        said = self._without_key(replies.told(body))
        raise UserError(f"{self._url}: status {status}, {why} ({said}). Check {check}.")

    def _unreached(self, error: object) -> Fault:
        if isinstance(error, ssl.SSLCertVerificationError):
            raise UserError(f"{self._url}: its certificate is not trusted ({error.verify_message}). Check base_url.")
        if isinstance(error, TimeoutError):
            return Fault("timeout", f"no answer within {self.spec.timeout_s:g} s", passing=True)
        return Fault("connection", self._without_key(f"the connection failed ({error})"), passing=True)

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text


def _key(spec: EndpointSpec, environment: Mapping[str, str]) -> str:
    if spec.api_key_env is None:
        return ""
    key = environment.get(spec.api_key_env, "").strip()
    if not key:
        raise UserError(f"{spec.api_key_env} is not set. Put the key of {spec.base_url} into that variable.")
    if not key.isascii() or not key.isprintable() or " " in key:  # http.client would show it in its complaint
        raise UserError(f"{spec.api_key_env} holds spaces or other characters that no key has. Set it again.")
    return key


def _read(response: http.client.HTTPResponse | urllib.error.HTTPError, deadline: float) -> bytes:
    """The body. Raises TimeoutError at the deadline, also where the server sends a byte now and then."""
    parts: list[bytes] = []
    size = 0
    while size < MOST_BYTES and (part := response.read1(_BLOCK)):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(parts)
