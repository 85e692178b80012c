"""What each kind of step does: from its spec and the artifacts of its inputs to files in a folder.

The only module that knows all stages. Stages load heavy libraries when they are called, not when this is imported.
"""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.context import Context, licences, rows_of, scored_items, selection_of
from workbench.errors import StepFailed
from workbench.ids import SHORT, file_sha256
from workbench.limits import Limits
from workbench.plan import ROLES, Excluded, Scored, Step, data_file, merge_step
from workbench.progress import Progress
from workbench.provenance import capture, commit
from workbench.records import plain
from workbench.specs.expand import BASE
from workbench.specs.merge import MergeSpec
from workbench.specs.project import Project
from workbench.store import Artifact, Store, write_json, write_text

if TYPE_CHECKING:
    from workbench.data.grams import Index
    from workbench.scoring.answered import Task
    from workbench.scoring.harness import Harness, Settings

Hashes = Mapping[str, str]
"""Files that a step wrote and hashed on the way: name -> sha256."""


def made(step: Step, store: Store, write: Callable[[Path], Hashes | None], sources: tuple[str, ...] = ()) -> Artifact:
    """The artifact of a step outside a walk: found in the store, or written now. `sources`: licences of its inputs."""
    found = store.get(step.kind, step.id)
    if found is None:
        with store.writing(step.kind, step.name, step.id) as temp:
            hashed = write(temp) or {}
            found = store.commit(temp, step.kind, step.name, step.id, step.spec, capture(sources), hashed)
    return found


def base_files(step: Step, project: Project, out: Path) -> None:
    """Bring a base model here as safetensors."""
    from workbench.data.base_model import materialise

    materialise(step.options["spec"], project.model_file(step.name), out)


def run_base(step: Step, context: Context, out: Path) -> None:
    """Bring the base model of the run here."""
    base_files(step, context.plan.declared.project, out)


def run_adapter(step: Step, context: Context, out: Path) -> None:
    """Take the adapter that ships with the project, if it was trained from this very declaration; else train it."""
    shipped = context.plan.declared.project.root / "experts" / step.name
    if shipped.is_dir():
        take_shipped(step, shipped, out)
        return
    train_adapter(step, context.store, context[step.inputs[0]].path, out, context.progress)


def take_shipped(step: Step, shipped: Path, out: Path) -> None:
    """Copy a shipped adapter. Raises StepFailed when its manifest is of another declaration."""
    if not (shipped / "manifest.json").is_file():
        raise StepFailed(f"experts/{step.name}/ holds no manifest.json. Remove it, or check it out again.")
    manifest = json.loads((shipped / "manifest.json").read_text())
    if manifest.get("id") != step.id:
        raise StepFailed(
            f"experts/{step.name}/ was trained from another declaration (id {str(manifest.get('id'))[:12]}) than "
            f"experts/{step.name}.yaml now makes (id {step.id[:12]}). Run: workbench train experts/{step.name}.yaml, "
            "or take the change back."
        )
    weights = "adapter_model.safetensors"
    if file_sha256(shipped / weights) != manifest.get("sha256"):
        raise StepFailed(f"experts/{step.name}/{weights} is not the file of its manifest. Check it out again.")
    for path in sorted(shipped.iterdir()):
        if path.name != "manifest.json":
            shutil.copyfile(path, out / path.name)


def train_adapter(step: Step, store: Store, base: Path, out: Path, progress: Progress) -> None:
    """Train an expert; its checkpoints outlive a kill and are resumed."""
    from workbench.training.train import train

    checkpoints = store.root / "checkpoints" / step.id[:12]
    avoided = items_to_avoid(step.options["exclude"])
    train(step.options["spec"], step.options["home"], base, out, checkpoints, progress, avoided)


def items_to_avoid(excluded: Excluded | None) -> Index | None:
    """The runs of words of the items that an expert must not read. Raises DataMissing when they are not here."""
    from workbench.data.grams import Index
    from workbench.data.overlap import item_text
    from workbench.scoring.items import items_of

    if excluded is None:
        return None
    found = items_of(excluded.folder, excluded.tasks)
    return Index.of(item_text(item) for items in found.values() for _, item in items)


def run_expert(step: Step, context: Context, out: Path) -> Hashes:
    """Fold an adapter into its base; a full model is taken as it is."""
    base, adapter = (context[step_id] for step_id in step.inputs)
    return folded(base.path, adapter.path, step.options["base_name"], out)


def folded(base: Path, adapter: Path, base_name: str, out: Path) -> Hashes:
    """The expert as a model of its own."""
    from workbench.merging.fold import fold

    if (adapter / "config.json").is_file():
        shutil.copytree(adapter, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))
        return {}
    return fold(base, adapter, base_name, out)


def run_merge(step: Step, context: Context, out: Path) -> Hashes:
    """Merge by our kernels, or through mergekit: what is declared, or what a search came to."""
    from workbench.merging.merge import merge

    if "search" in step.options:
        search, *inputs = step.inputs
        spec = MergeSpec.model_validate(context[search].json("found.json")["recipe"])
        ids = dict(zip(step.options["search"].references, inputs, strict=True))
    else:
        spec = step.options["merge"].spec
        ids = dict(zip(spec.references, step.inputs, strict=True))
    positions = {name: str(index) for index, name in enumerate(spec.references)}
    places = [_place(name, ids[name], context) for name in spec.references]
    return merge(step.name, spec.renamed(positions), places, out, licences(context.plan), progress=context.progress)


def run_search(step: Step, context: Context, out: Path) -> None:
    """Search for the numbers of a merge; what was tried is kept in a journal until the search is done, and after it."""
    from workbench.merging.search.space import Space
    from workbench.merging.search.study import Study
    from workbench.scoring.live import Live
    from workbench.search import search
    from workbench.stand import Stand

    declared, ids, asked = (step.options[key] for key in ("search", "ids", "asked"))
    space = Space(declared.spec, declared.models, declared.base)
    folder = context.store.root / "searches" / step.options["journal"][:SHORT]
    study = Study(folder, step.options["journal"], space)
    places = {name: _place(name, step_id, context) for name, step_id in ids.items()}
    live = Live(harness_of(asked, context), places[declared.base].folder, *_asked(asked))
    with Stand(places, live, lambda spec: merge_step("", spec, ids, {}).id) as stand:
        found = search(space, stand, study, folder, context.progress, _limits(step, context))
    write_json(out / "found.json", {**plain(found), "recipe": found.recipe.model_dump(exclude_defaults=True)})


def _limits(step: Step, context: Context) -> Limits | None:
    """The run's constraints, where it has any, against what the base answered on validation."""
    if "rule" not in step.spec:
        return None
    rule: Mapping[str, Any] = step.spec["rule"]
    base = next(scored for scored in context.plan.board if scored.name == BASE)
    answers = scored_items([base], "validation", context)[BASE].values()
    scores = {task: statistics.fmean(values.values()) for task, values in answers.items()}
    return Limits(BASE, scores, rule.get("at_least", {}).get("datasets_gained", 0), rule.get("max_drop"))


def _place(name: str, step_id: str, context: Context) -> Any:
    """Where an input lies: a folder, or an adapter on the base's. A pick stands for the model that it chose.

    Draws are keyed by the step's id: what an expert is called in a run does not change the weights.
    """
    from workbench.merging.places import Place

    artifact = context[step_id]
    if artifact.manifest["kind"] == "pick":
        return _place(name, artifact.json("selection.json")["model_id"], context)
    step = context.plan.step(step_id)
    if step.kind == "expert":
        base, adapter = (context[need] for need in step.inputs)
        if not (adapter.path / "config.json").is_file():
            return Place(name, step_id, base.path, adapter.path, step.options["base_name"])
    return Place(name, step_id, artifact.path)


def run_score(step: Step, context: Context, out: Path) -> None:
    """Score one model on the tasks of one suite."""
    scored = next(s for s in context.plan.board if any(score.id == step.id for score in s.scores.values()))
    write_scores(step, harness_of(step, context), scored.name, context[step.inputs[0]].path, out)


def harness_of(step: Step, context: Context) -> Harness:
    """The harness of a walk, built at its first score."""
    from workbench.scoring.harness import Harness

    if context.harness is None:
        context.harness = Harness(step.options["tasks"], context.progress, context.store.root / "answers")
    return context.harness


def write_scores(step: Step, harness: Harness, name: str, folder: Path, out: Path) -> None:
    """Score the model in `folder` as the step says; rows and every item's result go into `out`."""
    tasks, settings = _asked(step)
    scores = harness.score(name, step.inputs[0], folder, tasks, step.spec["role"], settings)
    revision, dirty = commit()
    rows = [{**plain(row), "commit": revision, "dirty": dirty} for row in scores.rows]
    write_json(out / "scores.json", rows)
    write_text(out / "items.jsonl", "".join(json.dumps(item) + "\n" for item in scores.items))


def _asked(step: Step) -> tuple[list[Task], Settings]:
    """What a score step asks, and how."""
    from workbench.scoring.answered import Task
    from workbench.scoring.harness import Settings

    spec: Mapping[str, Any] = step.spec
    settings = Settings(spec["dtype"], step.options["batch_size"], spec["limit"], spec["chat"])
    return [Task(**task) for task in spec["tasks"]], settings


def run_choice(step: Step, context: Context, out: Path) -> None:
    """Choose among candidates by validation rows alone; for a pick no constraint can fail."""
    from workbench.board.paired import Pairs
    from workbench.board.select import choose, rule_of
    from workbench.board.table import tidy

    scored: tuple[Scored, ...] = step.options["scored"]
    rows = [row for s in scored for row in rows_of(s, "validation", context)]
    candidates = list(step.spec["candidates"])
    answers: dict[str, Any] = {}
    if step.kind == "select":
        items = scored_items(scored, "validation", context)
        chosen_from = {name: items[name].values() for name in candidates if name in items}
        answers = {"values": chosen_from | _tried(scored, context), "pairs": Pairs(items)}
    chosen = choose(tidy(rows), BASE, candidates, rule_of(step.spec["rule"]), **answers)
    write_json(out / "selection.json", plain(chosen))


def _tried(scored: Sequence[Scored], context: Context) -> dict[str, dict[str, dict[int, float]]]:
    """The candidates that searches tried, of which nothing is known here but that they were."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for one in scored:
        if "search" in one.model.options and one.scores["validation"].id in context.artifacts:
            tried = context[one.model.inputs[0]].json("found.json")["tried"]
            found |= {f"{one.name}, candidate {each['number']}": {} for each in tried}
    return found


def run_align(step: Step, context: Context, out: Path) -> None:
    """Write the bundle and run its script; the aligned model becomes the artifact, the bundle lies inside."""
    from workbench.alignment.bundle import align

    bundle = out / "bundle"
    write_handoff(context, bundle)
    align(bundle, out / "align.log")
    for path in sorted((bundle / "aligned" / "dpo").iterdir()):
        shutil.move(path, out / path.name)
    shutil.copyfile(bundle / "aligned" / "sft" / "steps.json", out / "sft_steps.json")
    shutil.rmtree(bundle / "aligned")


def write_handoff(context: Context, out: Path) -> None:
    """The hand-off bundle of the run's selection."""
    from workbench.alignment.bundle import Chosen, Places, write_bundle

    declared = context.plan.declared
    assert declared.run.handoff is not None
    handoff = declared.run.handoff
    selection = selection_of(context[context.plan.select.id])
    scored = next(s for s in context.plan.board if s.name == selection.model)
    rows = [row for role in ROLES for row in rows_of(scored, role, context)]
    chosen = Chosen(selection, context[scored.model.id].path, rows, licences(context.plan))
    sft_data, dpo_data = (data_file(stage, declared.file) for stage in (handoff.sft, handoff.dpo))
    places = Places(declared.file, context.store.root, sft_data, dpo_data, declared.limit)
    write_bundle(chosen, handoff, places, out)


EXECUTORS: Mapping[str, Callable[[Step, Context, Path], Hashes | None]] = {
    "base": run_base,
    "adapter": run_adapter,
    "expert": run_expert,
    "merge": run_merge,
    "score": run_score,
    "pick": run_choice,
    "search": run_search,
    "select": run_choice,
    "align": run_align,
}
