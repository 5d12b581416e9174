"""What a run was made from, what it cost, and how its reproductions compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.urls import reverse

from lifecycle.ground.jobs.rules import Device
from lifecycle.modeling.training import manifest, queries
from lifecycle.modeling.training.folders import run_device, run_folder
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import CONDITIONS, RunState
from lifecycle.modeling.training.thresholds import promises, threshold_of
from lifecycle.runtime.refusals import Conflict
from lifecycle.ui.numbers import count, duration, money, percent, size

UNTRAINABLE = (RunState.SUCCEEDED, RunState.PRUNED)
STAGES = {"prepare": "Preparation", "train": "Training", "artifact": "Artifact and its gate"}


def manifest_of(run: Run) -> str:
    """The run as a Kubernetes Job in YAML. Raises Conflict (it has succeeded, no image is set, or its base
    has no files).
    """
    if run.state in UNTRAINABLE:
        text = (
            f"{run} has {'succeeded' if run.state == RunState.SUCCEEDED else 'been pruned by its sweep'}:"
            " there's nothing left to train."
        )
        raise Conflict(text, next_step="Start another run with its settings and use that run's manifest.")
    if not settings.TRAINING_IMAGE:
        raise Conflict(
            "Training on a cluster isn't configured.", next_step="Set TRAINING_IMAGE to a container image."
        )
    if run.base.folder is None:
        raise Conflict(f"The files of {run.base} are missing.", next_step="Add it again under Base models.")
    place = manifest.Place(settings.TRAINING_IMAGE, settings.TRAINING_CLAIM, PurePosixPath(settings.DATA_DIR))
    uuid, peak, threads = str(run.uuid), queries.peak_memory_mb(run), run.spec.get("threads") or 0
    gpus = run.spec.get("processes", 1) if needs_gpus(run) else 0
    document = manifest.job(
        place, uuid=uuid, base_digest=run.base.folder.root_digest, threads=threads, peak_mb=peak, gpus=gpus
    )
    return manifest.written(document, run=str(run), uuid=uuid, peak_mb=peak)


def needs_gpus(run: Run) -> bool:
    """Whether it requests GPUs, or has any device and is bound to one: where it was started, or by the run
    that it reproduces.
    """
    bound = (run.job.device if run.job else None, run_device(run_folder(run)))
    return run.spec.get("device") == "cuda" or Device.GPU in bound


def provenance(run: Run) -> list[dict[str, str]]:
    """What the run can be reproduced from: label, digest, text."""
    spec, strategy = run.spec, run.spec["strategy"]
    code, _, digest = run.code_version.partition("+")
    splits = run.snapshot.counts["splits"]
    rows = [
        ("Dataset version", run.snapshot.digest, f"{count(run.snapshot.counts['rows'])} rows"),
        ("Base model", run.base.folder.root_digest if run.base.folder else "", run.base.name, base_url(run)),
        ("Config", run.spec_digest, ""),
        ("Task", "", run.snapshot.dataset.get_task_display()),
        ("Code", digest, code),
        ("Artifact", run.artifact.root_digest if run.artifact else "", "" if run.artifact else "none yet"),
        ("Seed", "", str(spec["seed"])),
        ("Device", "", device_of(run)),
        ("Adapter", "", adapter(strategy)),
        ("Optimiser", "", optimiser(run)),
        (
            "Split",
            "",
            ", ".join(
                f"{name} {count(splits[name])}"
                for name in ("train", "validation", "test")
                if splits.get(name)
            ),
        ),
    ]
    if run.task_type.has_thresholds:
        rows.append(("Thresholds", "", thresholds_for(spec, run.result.get("operating"))))
    if spec.get("operating_class"):
        chosen = run.result.get("deciding")
        rows.append(("Threshold", "", threshold_of(chosen).line if chosen else wanted(spec)))
    if run.base.run and spec.get("rehearsal"):
        rows.append(
            (
                "Rehearsal",
                run.base.run.snapshot.digest,
                f"{percent(spec['rehearsal'], 0)} of the training rows at most",
            )
        )
    return [
        {"label": label, "digest": digest, "text": text, "url": "".join(url)}
        for label, digest, text, *url in rows
    ]


def device_of(run: Run) -> str:
    """The device it was trained on; before its end, the requested one. With the number of processes if there
    are several.
    """
    trained = run.result.get("environment", {}).get("device", "")
    requested = {"cpu": "CPU", "cuda": "a GPU"}.get(run.spec.get("device", "auto"), "first available")
    device = trained.replace("cpu", "CPU") or requested
    if (processes := run.spec.get("processes", 1)) == 1:
        return device
    divided = ", sharded" if run.spec.get("sharded") else ""
    return f"{device}, {processes} processes{divided}"


def base_url(run: Run) -> str:
    """The URL of the run that the base is from; empty for external ones."""
    return reverse("training:detail", args=[run.base.run.uuid]) if run.base.run else ""


def wanted(spec: Mapping[str, Any]) -> str:
    """The goal of a class threshold before it is chosen, in words."""
    return (
        f"for {spec['operating_class']}, {spec['operating_point']} of at least {spec['operating_target']:g};"
        " chosen after training"
    )


def thresholds_for(spec: Mapping[str, Any], chosen: Mapping[str, Any] | None = None) -> str:
    """The goal of label thresholds in words. chosen: after training, with the guarantees from validation."""
    by = spec.get("operating_point", "f1")
    if by == "f1":
        return "best F1 per label"
    wanted_of_each = f"{by} of at least {spec['operating_target']:g} per label"
    promised = promises(chosen, spec["labels"]) if chosen else ""
    return f"{wanted_of_each}: {promised}" if promised else wanted_of_each


def repeat_line(run: Run) -> dict[str, Any]:
    """A reproduction: run, first (its original), kind of note, and a sentence."""
    repeat = queries.repeat_of(run)
    if repeat is None:
        kind, text = "", f"{run.get_state_display()}: weights are compared after it succeeds."
    elif repeat.is_same:
        kind, text = "live", "Bit-identical weights."
    else:
        changed = ", ".join(CONDITIONS[name] for name in repeat.changed)
        why = f"Changed since the first run: {changed}." if changed else "No recorded condition differed."
        kind, text = "warn", f"Weights differ in {', '.join(repeat.differing)}. {why}"
    return {"run": run, "first": run.reproduces, "kind": kind, "text": text}


def costs(run: Run) -> list[tuple[str, str]]:
    """The cost of the run, as label and text; empty before its end."""
    cost = queries.cost_of(run)
    if cost is None:
        return []
    unpriced = "Not measured: PRICE_PER_CORE_HOUR isn't set"

    def priced(price: float | None) -> str:
        more = "; GPU not included" if cost["peak_gpu_memory_mb"] else ""
        return unpriced if price is None else f"{money(price)} {cost['currency']}{more}"

    def answers(each: dict[str, Any]) -> str:
        found = f"{duration(each['cpu_seconds'])} core time, projected from {each['rows']:,} validation texts"
        return found if each["price"] is None else f"{found}; {priced(each['price'])}"

    stages = [
        (label, cost["stages"][name]) for name, label in STAGES.items() if name in (cost["stages"] or {})
    ]
    return [
        *(
            (label, f"{duration(each['seconds'])}, {duration(each['cpu_seconds'])} core time")
            for label, each in stages
        ),
        ("Core time", duration(cost["cpu_seconds"])),
        (
            "Peak memory",
            (
                size(int(cost["peak_memory_mb"] * 2**20))
                if cost["peak_memory_mb"]
                else "Not measured: the run failed"
            ),
        ),
        *(
            [("Peak memory, GPU", size(int(cost["peak_gpu_memory_mb"] * 2**20)))]
            if cost["peak_gpu_memory_mb"]
            else []
        ),
        ("Price", priced(cost["price"])),
        *(
            (f"Cost per 1 M predictions, {graph}", answers(each))
            for graph, each in sorted(cost["inference"].items())
        ),
        ("Energy", "Not measured: no power meter"),
    ]


def adapter(strategy: Mapping[str, Any]) -> str:
    """What a strategy adds to the base and which base weights stay, in one line."""
    parts = []
    if strategy["kind"] == "lora":
        parts.append(f"r={strategy['rank']}, alpha {strategy['alpha']:g}, dropout {strategy['dropout']:g}")
        parts += [
            word
            for name, word in (("dora", "DoRA"), ("rank_stabilised", "rank-stabilised"))
            if strategy.get(name)
        ]
    if strategy["kind"] in ("prompt", "p_tuning", "prefix"):
        parts.append(f"{strategy['virtual_tokens']} virtual tokens")
    if strategy["kind"] == "p_tuning":
        parts.append(f"width {strategy['width']}")
    if strategy["kind"] == "adapter":
        parts.append(f"width {strategy['width']}, dropout {strategy['dropout']:g}")
    if strategy["kind"] == "ia3":
        parts.append("scales keys, values, and dense layers")
    if frozen := strategy.get("frozen_layers"):
        parts.append(f"lowest {frozen} layers frozen" + (", cached" if strategy.get("cached") else ""))
    return ", ".join(parts) or "none"


def optimiser(run: Run) -> str:
    """Optimizer, rates, and batch in one line."""
    spec, passed = run.spec, run.result.get("batch") or run.spec
    encoder = "" if run.strategy == "head" else f"{spec['learning_rate']:g}, "
    times = f" × {spec['accumulation']}" if spec.get("accumulation", 1) > 1 else ""
    parts = f", {passed['batch_size']} rows at a time" if passed["batch_size"] < spec["batch_size"] else ""
    batch = f"batch {spec['batch_size']}{times}{parts}"
    head = "" if run.task_type.writes_text else f"head {spec['head_learning_rate']:g}, "
    return f"AdamW, {encoder}{head}{spec.get('schedule', 'linear')}, {batch}"
