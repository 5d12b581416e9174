"""The page of a dry run: the cost of its steps and of the whole run, and on a run's page the comparison with
the actual cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from lifecycle.ground.compute.price import price_of
from lifecycle.modeling.training import launch_page, queries
from lifecycle.modeling.training.forms import LaunchForm
from lifecycle.modeling.training.models import Estimate, Run
from lifecycle.modeling.training.rules import FINISHED
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Figure, Step
from lifecycle.ui.numbers import GAP, count, duration, money, signed, size
from registry.ground.access.models import User
from registry.ground.access.policy import can

UNPRICED = "PRICE_PER_CORE_HOUR isn't set"
MB = 2**20
PARTS = {
    "prepare_seconds": "Preparation: loading the model and tokenizing and caching texts",
    "train_seconds": "Training steps and checkpoints",
    "evaluation_seconds": "Validation runs",
    "artifact_seconds": "Exporting and checking the artifact",
}
# For generation.
WRITTEN = {
    "evaluation_seconds": "Validation runs with sample responses",
    "artifact_seconds": "Saving the artifact and measuring its validation loss",
}


def detail(user: User, uuid: UUID) -> dict[str, Any]:
    """The context of the page."""
    found = queries.get_estimate(user, uuid)
    may_launch = can(user, "training.launch", found)
    context: dict[str, Any] = {
        "estimate": found,
        "job": found.job,
        "active": found.finished_at is None,
        "may_launch": may_launch,
        "thread": thread(found),
        "settings": settings_text(found),
        "like_url": f"{find_url('training:launch')}?like={found.uuid}#settings",
    }
    if found.figures:
        context |= {
            "figures": figures(found),
            "parts": parts(found.figures, found.spec["task"]),
            "notes": notes(found),
        }
        if may_launch:
            context |= ready_to_start(user, found)
    return context


def ready_to_start(user: User, found: Estimate) -> dict[str, Any]:
    """The launch form with the tried settings, so that one button starts the run."""
    context = launch_page.launch(user, {"like": str(found.uuid)})
    if "suggestion" not in context or context["snapshot"] != found.snapshot or context["base"] != found.base:
        return {}
    initial = {"key": uuid4(), "seed": found.spec["seed"]}
    return {"form": LaunchForm(suggestion=context["suggestion"], initial=initial)}


def thread(found: Estimate) -> list[Step]:
    """Dataset, version, and the future run."""
    dataset = found.snapshot.dataset
    return [
        Step("Dataset", dataset.name, find_url("datasets:dataset", uuid=dataset.uuid)),
        Step(
            "Dataset version",
            f"v{found.snapshot.number}",
            find_url("snapshots:detail", uuid=found.snapshot.uuid),
            digest=found.snapshot.digest,
        ),
        Step("Run", "ten steps", at="now"),
    ]


def settings_text(found: Estimate) -> str:
    """The settings of the estimate, in one line."""
    spec = found.spec
    batch = f"batch {spec['batch_size']}" + (f" × {spec['accumulation']}" if spec["accumulation"] > 1 else "")
    return f"{count(spec['epochs'])} epochs, {batch}, up to {count(spec['max_tokens'])} tokens per text"


def figures(found: Estimate) -> list[Figure]:
    """The figures at the top."""
    known, profile = found.figures or {}, found.profile or {}
    price = price_of(known["cpu_seconds"])
    return [
        Figure(
            "Full run",
            duration(known["seconds"]),
            sub=f"{duration(known['shortest'])} to {duration(known['longest'])}",
        ),
        Figure(
            "Time per step",
            duration(known["step_seconds"]),
            sub=f"{count(known['steps'])} steps, {count(known['evaluations'])} evaluations",
        ),
        Figure(
            "Peak memory",
            size(int(known["peak_memory_mb"] * MB)),
            sub=f"measured on {count(profile['rows']['train'])} rows",
        ),
        Figure("Disk", size(known["disk_bytes"]), sub="peak, during training"),
        Figure("Model", size(known["artifact_bytes"]), sub="artifact size"),
        Figure(
            "Price",
            f"{money(price)} {settings.CURRENCY}" if price is not None else None,
            sub=cores(known, price),
        ),
    ]


def cores(known: Mapping[str, Any], price: float | None) -> str:
    """Core time, or why there is no price."""
    return UNPRICED if price is None else f"{duration(known['cpu_seconds'])} core time"


def parts(known: Mapping[str, Any], task: str) -> list[dict[str, Any]]:
    """Time by stage, in order."""
    labels = PARTS | (WRITTEN if type_of(task).writes_text else {})
    return [
        {"label": label, "seconds": known[name], "share": known[name] / known["seconds"]}
        for name, label in labels.items()
    ]


def notes(found: Estimate) -> list[str]:
    """What the figures don't show themselves."""
    profile, spec = found.profile or {}, found.spec
    steps, rows = count(profile["steps"]), count(profile["rows"]["train"])
    lines = [f"Measured on {steps} steps with {rows} rows and scaled to the full dataset."]
    if spec["patience"]:
        lines.append("This is an upper bound: early stopping may end the run sooner.")
    if profile["batch_rows"] < spec["batch_size"]:
        passed = f"{profile['batch_rows']} of the batch's {spec['batch_size']} rows are processed at a time"
        lines.append(f"Memory ran short: {passed}, and the run will do the same.")
    return [
        *lines,
        (
            "Other load on this machine slows training. Batches with longer texts than the sample need more"
            " memory."
        ),
    ]


# ── Beside the run ──────────────────────────────────────────────────────────
def beside(run: Run) -> dict[str, Any] | None:
    """The estimate and the actual cost of a run: estimate and lines of label, expected, and real; None
    without a dry run.
    """
    found = queries.estimate_of(run)
    if found is None or not found.figures:
        return None
    return {"estimate": found, "lines": compared(run, found.figures)}


def compared(run: Run, known: Mapping[str, Any]) -> list[dict[str, str]]:
    """Expected and actual values side by side, with what hasn't ended yet."""
    real, stages = run.result or {}, (run.result or {}).get("stages") or {}
    ended = run.state in FINISHED
    training = known["train_seconds"] + known["evaluation_seconds"]
    rows: list[tuple[str, float, float | None, Any]] = [
        ("Time", known["seconds"], real.get("seconds"), duration),
        ("Preparation", known["prepare_seconds"], stages.get("prepare", {}).get("seconds"), duration),
        ("Training", training, stages.get("train", {}).get("seconds"), duration),
        ("Artifact", known["artifact_seconds"], stages.get("artifact", {}).get("seconds"), duration),
        ("Core time", known["cpu_seconds"], real.get("cpu_seconds"), duration),
        ("Peak memory", known["peak_memory_mb"], real.get("peak_memory_mb"), lambda mb: size(int(mb * MB))),
        ("Model", known["artifact_bytes"], run.artifact.size if run.artifact else None, size),
    ]
    missing = "Not measured" if ended else "not yet"
    return [
        {
            "label": label,
            "expected": shown(expected),
            "real": missing if value is None else shown(value),
            "difference": (
                f"{signed(100 * (value / expected - 1), 0)}{GAP}%" if value is not None and expected else ""
            ),
        }
        for label, expected, value, shown in rows
    ]
