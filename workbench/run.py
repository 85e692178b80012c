"""Walk a plan: skip what is committed, run the rest, record every outcome. Killed at any moment, start again."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.context import Context, licences
from workbench.errors import WorkbenchError
from workbench.ids import SHORT
from workbench.memory import give_back
from workbench.plan import Plan, Step
from workbench.progress import Progress, silent
from workbench.provenance import capture
from workbench.records import Outcome
from workbench.steps import EXECUTORS
from workbench.store import Store, disk_full, write_text


@dataclass(frozen=True)
class Ended:
    """How one step ended, after how long, and why if it failed or was not run."""

    step: Step
    outcome: Outcome
    seconds: float
    reason: str = ""


@dataclass
class Walk:
    """A run in progress: its context and the steps that have ended so far."""

    context: Context
    ended: list[Ended] = field(default_factory=list)
    interrupted: bool = False

    def failures(self) -> list[Ended]:
        """Steps that failed."""
        return [end for end in self.ended if end.outcome == "failed"]


Observer = Callable[[Step], None]


def walk(plan: Plan, store: Store, starting: Observer = lambda _: None, progress: Progress = silent) -> Walk:
    """Run every step whose inputs are there. A failed step leaves the others running; those that need it are not run.

    Ctrl-C ends the walk at once; the outcome says what was not run. Raises UserError when the store cannot be written.
    """
    # Hubs are for declarations with a revision, which name theirs; a typo in a path must not become a download.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if any(store.get(step.kind, step.id) is None for step in plan.steps):
        with store.writing("base", "probe", "0" * SHORT):
            pass  # a folder that cannot be written is one sentence now, not one for every step
    walk = Walk(Context(plan, store, progress))
    for step in plan.steps:
        if walk.interrupted:
            walk.ended.append(Ended(step, "not run", 0.0, "interrupted"))
            continue
        started = time.monotonic()
        try:
            starting(step)
            walk.ended.append(_step(step, walk))
            if walk.ended[-1].outcome != "skipped":
                give_back()
        except KeyboardInterrupt:
            walk.interrupted = True
            walk.ended.append(Ended(step, "not run", time.monotonic() - started, "interrupted"))
    return walk


def found_so_far(plan: Plan, store: Store) -> Context:
    """The context of a plan with everything that is committed already; nothing is run."""
    context = Context(plan, store, silent)
    for step in plan.steps:
        if (artifact := store.get(step.kind, step.id)) is not None:
            context.artifacts[step.id] = artifact
    return context


def _step(step: Step, walk: Walk) -> Ended:
    context = walk.context
    found = context.store.get(step.kind, step.id)
    if found is not None:
        context.artifacts[step.id] = found
        return Ended(step, "skipped", 0.0)
    if lacking := [need for need in step.inputs if need not in context.artifacts]:
        names = ", ".join(context.plan.step(need).name for need in lacking)
        return Ended(step, "not run", 0.0, f"needs {names}")
    started = time.monotonic()
    try:
        with context.store.writing(step.kind, step.name, step.id) as temp:
            hashed = EXECUTORS[step.kind](step, context, temp)
            context.artifacts[step.id] = context.store.commit(
                temp, step.kind, step.name, step.id, step.spec, capture(licences(context.plan)), hashed or {}
            )
    except WorkbenchError as error:
        return Ended(step, "failed", time.monotonic() - started, str(error))
    except Exception as error:  # a bug of ours or of a library: its traceback is kept, the other steps go on
        return Ended(step, "failed", time.monotonic() - started, _unexpected(error, step, context))
    return Ended(step, "done", time.monotonic() - started)


def _unexpected(error: Exception, step: Step, context: Context) -> str:
    """A sentence for an error nobody foresaw. Libraries report a full disk in classes of their own."""
    full = ("No space left on device", "code: 28", "inline_container.cc")  # the last is torch.save, cut short
    if any(sign in str(error) for sign in full):
        return disk_full(context.store.root)
    log = context.store.root / "failed" / f"{step.kind}-{step.name}.log"
    write_text(log, traceback.format_exc())
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first} (traceback in {log})"
