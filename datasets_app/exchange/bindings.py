"""Registrations with lower-level apps at startup."""

from __future__ import annotations

from datasets_app.datasets import ports as datasets
from datasets_app.exchange.actions.corrections import checking, writing
from datasets_app.exchange.actions.exports import run_export
from datasets_app.exchange.actions.imports import Importer
from lifecycle.ground.jobs import registry
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ui.addresses import find_url


def correction_url(job: Job) -> str:
    """The page of the file of corrected labels that a job checks or writes."""
    return find_url("exchange:correction", uuid=job.args["correction"])


def export_url(job: Job) -> str:
    """The page of exports that a job adds to."""
    if job.args["queue"]:
        return find_url("exchange:queue_exports", uuid=job.args["queue"])
    return find_url("exchange:exports", uuid=job.args["dataset"])


def bind() -> None:
    """Register the label importer and the job kinds."""
    datasets.register_label_importer(Importer())
    registry.register(JobKind("exchange.export", "Export annotations", run_export, url=export_url))
    registry.register(
        JobKind(
            "exchange.look_through",
            "Check corrected labels",
            checking.run_check,
            url=correction_url,
            on_failed=checking.check_failed,
            on_cancelled=checking.check_cancelled,
        )
    )
    registry.register(
        JobKind(
            "exchange.correct",
            "Write corrected labels",
            writing.run_correct,
            url=correction_url,
            on_failed=writing.correct_failed,
            on_cancelled=writing.correct_cancelled,
        )
    )
