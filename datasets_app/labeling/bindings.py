"""What this room brings to the rooms below it when the site starts."""

from __future__ import annotations

from datasets_app.datasets import ports as datasets
from datasets_app.labeling import actions, filters, queries
from datasets_app.labeling.queries.decisions import decided_cells
from lifecycle.ground.jobs import registry, schedule
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ground.notices import topics
from lifecycle.ui import navigation
from lifecycle.ui.addresses import find_url
from registry.ground.access import policy


def queue_url(job: Job) -> str:
    """The page of the queue that a job fills, orders, learns for or measures; everybody who sees the job may open it."""
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
    datasets.register_label_importer(actions.Importer())
    datasets.register_item_filter(*filters.FILTERS)
    datasets.register_item_columns(datasets.ItemColumns(("label", "decision"), decided_cells))
    registry.register(JobKind("labeling.fill", "Fill a labeling queue", actions.run_fill, url=queue_url))
    registry.register(JobKind("labeling.reorder", "Put a labeling queue in order", actions.run_reorder, url=queue_url))
    registry.register(JobKind("labeling.apply_rules", "Apply labeling rules", actions.run_rules, url=rules_url))
    registry.register(JobKind("labeling.move_decisions", "Move decisions with their classes", actions.run_moves, url=schema_url))
    registry.register(JobKind("labeling.accept", "Accept agreed answers", actions.run_accept, url=queue_url))
    registry.register(JobKind("labeling.learn", "Have the built-in model learn", actions.run_learn, url=queue_url))
    registry.register(JobKind("labeling.export", "Export answers", actions.run_export, url=export_url))
    registry.register(JobKind("labeling.measure", "Measure label quality", actions.run_measure, url=queue_url))
    registry.register(
        JobKind(
            "labeling.look_through", "Look through corrected labels", actions.run_look, url=correction_url,
            on_failed=actions.look_failed, on_cancelled=actions.look_cancelled,
        )
    )  # fmt: skip
    registry.register(
        JobKind(
            "labeling.correct", "Write corrected labels", actions.run_correct, url=correction_url,
            on_failed=actions.correct_failed, on_cancelled=actions.correct_cancelled,
        )
    )  # fmt: skip
    schedule.every(600, "datasets_app.labeling.tasks.measure_due")
    schedule.every(60, "datasets_app.labeling.tasks.learn_due")
    schedule.every(60, "datasets_app.labeling.tasks.sweep")
    schedule.every(30, "datasets_app.labeling.tasks.tell_labels")
    topics.register(actions.LABELLED, "Answers of annotators", for_programs=True)
    topics.register(actions.CHANGED, "Decisions on labels", for_programs=True)
    navigation.register(
        navigation.NavItem(
            "Data",
            "Labeling",
            "labeling:list",
            order=20,
            key="l",
            show=lambda user: policy.can_somewhere(user, "labeling.view"),
            count=queries.open_mentions,
        )  # fmt: skip
    )
