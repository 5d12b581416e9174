"""What this room brings to the rooms below it when the site starts."""

from __future__ import annotations

from datasets_app.datasets import ports as datasets
from datasets_app.exchange.actions.corrections import correct_cancelled, correct_failed, look_cancelled, look_failed, run_correct, run_look
from datasets_app.exchange.actions.exports import run_export
from datasets_app.exchange.actions.imports import Importer
from lifecycle.ground.jobs import registry
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ui.addresses import find_url


def correction_url(job: Job) -> str:
    """The page of the file whose corrected labels a job looks through or writes."""
    return find_url("exchange:correction", uuid=job.args["correction"])


def export_url(job: Job) -> str:
    """The page of the files that a job makes."""
    if job.args["queue"]:
        return find_url("exchange:queue_exports", uuid=job.args["queue"])
    return find_url("exchange:exports", uuid=job.args["dataset"])


def bind() -> None:
    """What this room adds to the rooms below it."""
    datasets.register_label_importer(Importer())
    registry.register(JobKind("exchange.export", "Export annotations", run_export, url=export_url))
    registry.register(
        JobKind(
            "exchange.look_through", "Check corrected labels", run_look, url=correction_url,
            on_failed=look_failed, on_cancelled=look_cancelled,
        )
    )  # fmt: skip
    registry.register(
        JobKind(
            "exchange.correct", "Write corrected labels", run_correct, url=correction_url,
            on_failed=correct_failed, on_cancelled=correct_cancelled,
        )
    )  # fmt: skip
