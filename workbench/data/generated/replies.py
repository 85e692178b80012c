"""What an OpenAI-compatible endpoint sends back: an answer, a fault that may pass, or one that never will."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any

from workbench.data.generated.generator import Answer

SHOWN = 200
"""Characters of a server's own message that are passed on."""

FATAL: Mapping[int, str] = {
    401: "the endpoint does not accept the key",
    402: "the endpoint asks for payment",
    403: "the endpoint refuses this key or model",
    404: "the endpoint knows no such model or address",
    405: "the address takes no POST",
}
"""Statuses that every further request would have too; so has every redirection."""

PASSING: Mapping[int, str] = {408: "timeout", 409: "server error", 425: "server error", 429: "rate limit"}
"""Statuses worth another try, beside all from 500 on."""


@dataclass(frozen=True)
class Fault:
    """Why one try gave no answer. `passing`: another try may; `wait_s` is the server's own word on when."""

    reason: str
    message: str
    passing: bool
    wait_s: float | None = None


def answer(body: bytes) -> Answer | Fault:
    """The answer in a body of status 200; a passing fault where there is none to be found."""
    try:
        reply = json.loads(body)
        choice = reply["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return Fault("unreadable reply", f"the reply is no chat completion: {_shown(body)!r}", passing=True)
    if not isinstance(text, str) or not text.strip():
        return Fault("empty answer", "the reply holds an empty answer", passing=True)
    usage = reply.get("usage")
    counts = [_count(usage, name) for name in ("prompt_tokens", "completion_tokens")]
    # Half a surrogate pair is valid in JSON and in no file.
    return Answer(_whole(text), counts[0], counts[1], cut=choice.get("finish_reason") == "length")


def fault(status: int, headers: Message, body: bytes) -> Fault:
    """A status other than 200 that is not fatal."""
    message = f"status {status}: {told(body)}"
    if status in PASSING or status >= 500:
        return Fault(PASSING.get(status, "server error"), message, True, retry_after_s(headers))
    return Fault(f"refused with status {status}", message, passing=False)


def told(body: bytes) -> str:
    """The server's own message, in a line."""
    try:
        found = json.loads(body)["error"]
        return " ".join(str(found["message"] if isinstance(found, dict) else found).split())[:SHOWN]
    except (ValueError, LookupError, TypeError, RecursionError):
        return _shown(body)


def retry_after_s(headers: Message) -> float | None:
    """Seconds of a Retry-After header, which gives them or a date: that is read against the server's own clock."""
    value = str(headers.get("Retry-After") or "").strip()
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(str(headers["Date"]))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None


def _shown(body: bytes) -> str:
    return " ".join(body[: 4 * SHOWN].decode("utf-8", "replace").split())[:SHOWN]


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
