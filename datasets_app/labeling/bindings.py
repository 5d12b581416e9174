"""Registrations of this app with lower apps at startup."""

from __future__ import annotations

from datasets_app.datasets import ports as datasets
from datasets_app.labeling import filters, ports
from datasets_app.labeling.actions.changes import follow_published, run_moves
from datasets_app.labeling.actions.checks import run_accept
from datasets_app.labeling.actions.corrections import correct_cancelled, correct_failed, look_cancelled, look_failed, run_correct, run_look
from datasets_app.labeling.actions.exports import run_export
from datasets_app.labeling.actions.filling import run_fill
from datasets_app.labeling.actions.imports import Importer
from datasets_app.labeling.actions.learning import run_learn
from datasets_app.labeling.actions.ordering import run_reorder
from datasets_app.labeling.actions.quality import run_measure
from datasets_app.labeling.actions.suggesting import run_rules
from datasets_app.labeling.actions.telling import CHANGED, LABELLED
from datasets_app.labeling.queries.comments import open_mentions
from datasets_app.labeling.queries.decisions import decided_cells
from datasets_app.labeling.views import changes, checks, learning, quality
from lifecycle.jobs import registry, schedule
from lifecycle.jobs.models import Job
from lifecycle.jobs.registry import JobKind
from lifecycle.notices import topics
from lifecycle.ui import navigation, parts
from lifecycle.ui.addresses import find_url
from registry.access import policy


def queue_url(job: Job) -> str:
    """The page of the queue that a job fills, orders, learns for or measures; everyone who sees the job may open it."""
    return find_url("labeling:queue", uuid=job.args["queue"])


def rules_url(job: Job) -> str:
    """The page of the rules that a job applies."""
    return find_url("labeling:rules", uuid=job.args["dataset"])


def schema_url(job: Job) -> str:
    """The page of the classes whose decisions a job moves."""
    return find_url("labeling:schema", uuid=job.args["dataset"])


def correction_url(job: Job) -> str:
    """The page of the file whose corrected labels a job looks through or writes."""
    return find_url("labeling:correction", uuid=job.args["correction"])


def export_url(job: Job) -> str:
    """The page of the files that a job makes."""
    if job.args["queue"]:
        return find_url("labeling:queue_exports", uuid=job.args["queue"])
    return find_url("labeling:exports", uuid=job.args["dataset"])


def bind() -> None:
    """The importer of labels, filters of items, the job kinds, what is done from time to time and the navigation item."""
    datasets.register_label_importer(Importer())
    datasets.register_item_filter(*filters.FILTERS)
    datasets.register_item_columns(datasets.ItemColumns(("label", "decision"), decided_cells))
    registry.register(JobKind("labeling.fill", "Fill a labeling queue", run_fill, url=queue_url))
    registry.register(JobKind("labeling.reorder", "Reorder a labeling queue", run_reorder, url=queue_url))
    registry.register(JobKind("labeling.apply_rules", "Apply labeling functions", run_rules, url=rules_url))
    registry.register(JobKind("labeling.move_decisions", "Move labels after a schema change", run_moves, url=schema_url))
    registry.register(JobKind("labeling.accept", "Accept agreed labels", run_accept, url=queue_url))
    registry.register(JobKind("labeling.learn", "Train the built-in model", run_learn, url=queue_url))
    registry.register(JobKind("labeling.export", "Export annotations", run_export, url=export_url))
    registry.register(JobKind("labeling.measure", "Measure label quality", run_measure, url=queue_url))
    registry.register(
        JobKind(
            "labeling.look_through", "Check corrected labels", run_look, url=correction_url,
            on_failed=look_failed, on_cancelled=look_cancelled,
        )
    )  # fmt: skip
    registry.register(
        JobKind(
            "labeling.correct", "Write corrected labels", run_correct, url=correction_url,
            on_failed=correct_failed, on_cancelled=correct_cancelled,
        )
    )  # fmt: skip
    parts.register("labeling:queue", "datasets_app/labeling/agreement.html", quality.on_queue)
    parts.register("labeling:queue", "datasets_app/labeling/learning.html#learning", learning.on_queue)
    parts.register("labeling:queue/top", "datasets_app/labeling/agreed.html", checks.on_queue)
    parts.register("labeling:schema", "datasets_app/labeling/behind.html", changes.on_schema)
    ports.on_published(follow_published)
    schedule.every(600, "datasets_app.labeling.tasks.measure_due")
    schedule.every(60, "datasets_app.labeling.tasks.learn_due")
    schedule.every(60, "datasets_app.labeling.tasks.sweep")
    schedule.every(30, "datasets_app.labeling.tasks.tell_labels")
    topics.register(LABELLED, "Annotations", for_programs=True)
    topics.register(CHANGED, "Resolved labels", for_programs=True)
    navigation.register(
        navigation.NavItem(
            "Data",
            "Labeling",
            "labeling:list",
            order=20,
            key="l",
            show=lambda user: policy.can_somewhere(user, "labeling.view"),
            count=open_mentions,
        )  # fmt: skip
    )
