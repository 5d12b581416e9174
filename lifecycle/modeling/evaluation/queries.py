"""Queries for evaluations, for this room's pages and for upper rooms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Substr
from django.http import Http404

from datasets_app.datasets.models import Item
from datasets_app.queues.queries.decisions import asking, current_decisions, not_asked
from datasets_app.schemas.queries.labels import value_of
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.remembered import cache
from lifecycle.modeling.evaluation import rules
from lifecycle.modeling.evaluation.models import Analysis, Comparison, Evaluation, SideBySide
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.ports import Reference
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics.operating.curves import Scores
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.predictions import file_of
from lifecycle.runtime.task_types.grouped import Grouped
from lifecycle.ui.addresses import find_url
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.policy import Person
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger import accounts
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

ROWS_AT_ONCE = 1_000  # items per query
TEXT_READ = 20_000  # characters of a text for the model
# relations shown with an evaluation
RELATED = ("run__project", "run__base", "snapshot__dataset", "predictions", "created_by")
OF_RUN = 50  # newest evaluations of a run to search
WRITTEN_WORDS = "evaluation.words_written"  # the job kind that finds them


def evaluations(user: Person) -> QuerySet[Evaluation]:
    """The evaluations that the user may see, newest first."""
    return policy.visible_to(user, Evaluation, "evaluation.view").select_related(*RELATED).order_by("-id")


def with_heads(rows: QuerySet[Evaluation], names: Sequence[str]) -> QuerySet[Evaluation]:
    """Without their reports of 100 KB and more, except for these metrics, which `head_of` reads."""
    parts = {f"head_{name}": F(f"report__{name}") for name in ("task", *names)}
    return rows.defer("report").annotate(
        **parts, **{f"ends_{name}": F(f"report__intervals__{name}") for name in names}
    )


def head_of(evaluation: Evaluation, names: Sequence[str]) -> dict[str, Any]:
    """The metrics that `with_heads` read, without those that the task lacks."""
    known = {
        name: found for name in ("task", *names) if (found := getattr(evaluation, f"head_{name}")) is not None
    }
    return known | {
        "intervals": {name: ends for name in names if (ends := getattr(evaluation, f"ends_{name}"))}
    }


def get_evaluation(user: Person, uuid: UUID) -> Evaluation:
    """One evaluation that the user may see. Raises Http404."""
    return policy.get_visible(user, Evaluation.objects.select_related(*RELATED), "evaluation.view", uuid=uuid)


def found_evaluation(user: Person, uuid: str) -> Evaluation:
    """One evaluation that the user may see, by a form's value for its uuid. Raises Http404."""
    try:
        return get_evaluation(user, UUID(uuid))
    except ValueError:
        raise Http404 from None


def latest_evaluation(run: Run, split: str) -> Evaluation | None:
    """The newest evaluation of a run on one split of its own snapshot."""
    rows = Evaluation.objects.filter(run=run, snapshot=run.snapshot_id, split=split)
    return rows.select_related("run", "snapshot__dataset", "predictions").order_by("-id").first()


def baselines_before(run: Run, snapshot: Snapshot, split: str) -> dict[str, Any]:
    """Baselines in the newest report on these rows, of any run from the same base; {} if there is none."""
    reports = Evaluation.objects.filter(snapshot=snapshot, split=split, run__base=run.base_id).order_by("-id")
    found = reports.values(
        **{name: F(f"report__{name}") for name in ("baselines", "baselines_drawn", "baselines_digest")}
    ).first()
    return dict(found or {})


def of_run(run: Run) -> list[Evaluation]:
    """The newest evaluation of a run on each split of its version, test first, then validation."""
    newest: dict[str, Evaluation] = {}
    rows = (
        Evaluation.objects.filter(run=run, snapshot=run.snapshot_id)
        .select_related("snapshot__dataset")
        .order_by("-id")
    )
    for evaluation in rows[:OF_RUN]:
        newest.setdefault(evaluation.split, evaluation)
    return sorted(
        newest.values(),
        key=lambda evaluation: (("test", "validation", "train") + (evaluation.split,)).index(
            evaluation.split
        ),
    )


def unfinished_job(run: Run) -> Job | None:
    """The queued or running evaluation of a run."""
    return next(
        (job for job in jobs.of_subject(run).filter(kind="evaluation.evaluate")[:10] if not job.is_finished),
        None,
    )


def last_job(run: Run) -> Job | None:
    """The newest evaluation job of a run, in any state."""
    return jobs.of_subject(run).filter(kind="evaluation.evaluate").first()


@contextmanager
def file_of_rows(evaluation: Evaluation) -> Iterator[Path]:
    """The Parquet file of its predictions, verified by its digest."""
    with artifacts.local_copy(evaluation.predictions.digest) as path:
        yield path


def rows_of(evaluation: Evaluation) -> Any:
    """The prediction of every row, in the task's format."""
    with file_of_rows(evaluation) as path:
        return file_of(evaluation.task_type.key).read(path)


def sides(user: Person) -> QuerySet[SideBySide]:
    """The preference tests that the user may see, newest first."""
    related = (
        "first__run",
        "second__run",
        "first__snapshot__dataset",
        "dataset__project",
        "upload",
        "queue",
        "created_by",
    )
    return policy.visible_to(user, SideBySide, "evaluation.view").select_related(*related).order_by("-id")


def sides_of(user: Person, a: Evaluation, b: Evaluation) -> QuerySet[SideBySide]:
    """Those of two evaluations, in either order."""
    return sides(user).filter(Q(first=a, second=b) | Q(first=b, second=a))


def get_side(user: Person, uuid: UUID) -> SideBySide:
    """One that the user may see. Raises Http404."""
    return policy.get_visible(user, sides(user), "evaluation.view", uuid=uuid)


def choices_of(side: SideBySide) -> list[tuple[str, str]]:
    """The decisions: (digest of the prompt's item, first, second, tie, or neither), in the order shown."""
    decided = current_decisions(side.dataset).filter(item__upload=side.upload)
    return [(row.item.external_id, value_of(row)["choice"]) for row in decided]


def scores_of(evaluation: Evaluation, label: str) -> Scores:
    """The scores for choosing a threshold of a label, or of the task's confidence if it is empty. The task
    has labels.
    """
    with file_of_rows(evaluation) as path:
        return cast(Scores, file_of(evaluation.task_type.key).scores(path, label))


def grouped_of(evaluation: Evaluation) -> Grouped:
    """The rows of an evaluation with the measures for slices."""
    with file_of_rows(evaluation) as path:
        return file_of(evaluation.task_type.key).grouped(path)


def losses_of(evaluation: Evaluation) -> dict[str, float]:
    """The loss of each row in nats, by digest; rows without a loss are left out."""
    with file_of_rows(evaluation) as path:
        return file_of(evaluation.task_type.key).losses(path)


def is_flattering(evaluation: Evaluation) -> bool:
    """Whether its class thresholds were chosen on its own rows, so that it isn't compared with baselines."""
    is_own = evaluation.split == "validation" and evaluation.snapshot_id == evaluation.run.snapshot_id
    return is_own and evaluation.task_type.has_thresholds


def items_by_digest(
    evaluation: Evaluation, digests: Iterable[str], viewer: User | None = None
) -> dict[str, Item]:
    """The items of an evaluation's dataset by digest, in one query. viewer: leaves out those that a queue
    asks this person about, whose labels they must not see.
    """
    dataset = evaluation.snapshot.dataset
    rows = Item.objects.filter(dataset=dataset, digest__in=list(digests))
    if viewer is not None:
        rows = not_asked(rows, viewer, dataset)
    return {item.digest: item for item in rows}


def check_not_asked(viewer: User, evaluation: Evaluation, digest: str) -> None:
    """Raise Refused if a queue asks this person about the item with this digest."""
    if asking(viewer, evaluation.snapshot.dataset).filter(item__digest=digest).exists():
        raise Refused(
            "A queue asks you about this item, so its label and prediction are hidden from you.",
            next_step="Label the item first.",
        )


def analyses(viewer: User, evaluation: Evaluation) -> list[Analysis]:
    """The analyses of the whole evaluation, one of a kind. Clusters are without the items that a queue asks
    this person about: a cluster shows the label of its items.
    """
    found = list(evaluation.analyses.filter(item="").order_by("kind"))
    groups = [
        group for each in found if each.kind == Analysis.Kind.CLUSTERS for group in each.report["groups"]
    ]
    if groups:
        named = [item for group in groups for item in group["items"]]
        slots = asking(viewer, evaluation.snapshot.dataset).filter(item__digest__in=named)
        asked = set(slots.values_list("item__digest", flat=True))
        for group in groups:
            group["items"] = [item for item in group["items"] if item not in asked]
    return found


def heads_by_digest(evaluation: Evaluation, digests: Iterable[str], length: int) -> dict[str, str]:
    """The first characters of the texts of an evaluation's items by digest, in one query."""
    some = Item.objects.filter(dataset=evaluation.snapshot.dataset_id, digest__in=list(digests))
    return dict(some.values_list("digest", Substr("text", 1, length)))


def normal_digests(evaluation: Evaluation, digests: Sequence[str]) -> dict[str, str]:
    """Digest → digest of the normalised text, of the items whose text still exists; read in batches."""
    found: dict[str, str] = {}
    for start in range(0, len(digests), ROWS_AT_ONCE):
        some = Item.objects.filter(
            dataset=evaluation.snapshot.dataset_id, digest__in=digests[start : start + ROWS_AT_ONCE]
        )
        found |= dict(some.exclude(text="").values_list("digest", "normal_digest"))
    return found


def comparable_with(evaluation: Evaluation, user: Person) -> QuerySet[Evaluation]:
    """Other evaluations on items of the same dataset and split, newest first."""
    same = evaluations(user).filter(snapshot__dataset=evaluation.snapshot.dataset_id, split=evaluation.split)
    return same.exclude(pk=evaluation.pk)


def find_evaluation(rows: QuerySet[Evaluation], uuid: str, run: str = "") -> Evaluation | None:
    """One of these from a URL parameter: its uuid, or its run's, whose newest on test comes first; None if
    there is none.
    """
    try:
        found = rows.filter(uuid=UUID(uuid)) if uuid else rows.filter(run__uuid=UUID(run))
    except ValueError:
        return None
    return min(found.defer("report")[:OF_RUN], key=lambda each: each.split != "test", default=None)


def whole(uuid: str) -> Evaluation:
    """An evaluation with everything a computation needs. For jobs."""
    related = (
        "run__project",
        "run__snapshot__dataset",
        "run__base__folder",
        "run__artifact",
        "snapshot__dataset",
        "predictions",
    )
    return Evaluation.objects.select_related(*related).get(uuid=uuid)


def is_recorded(evaluation: Evaluation) -> bool:
    """Whether the audit log has this report, these predictions, and their run: a changed row has another
    digest.
    """
    events = accounts.events_about(evaluation.uuid, {Verb.EVALUATION_RECORDED})
    known = {
        (event.payload["run"], event.payload["split"], event.payload["report_digest"]) for event in events
    }
    digest = evaluation.computed_digest
    return (
        evaluation.report_digest == digest and (str(evaluation.run.uuid), evaluation.split, digest) in known
    )


def analysis(evaluation: Evaluation, kind: Analysis.Kind, item: str = "") -> Analysis | None:
    """The result of this kind. item: digest of an item; "" for the whole evaluation."""
    rows = Analysis.objects.select_related("rows", "created_by")
    return rows.filter(evaluation=evaluation, kind=kind, item=item).first()


def is_analysis_recorded(found: Analysis) -> bool:
    """Whether the audit log has this report, of this kind and about this evaluation and item."""
    events = accounts.events_about(found.uuid, {Verb.ANALYSIS_RECORDED})
    known = {
        tuple(event.payload[name] for name in ("evaluation", "kind", "item", "report_digest"))
        for event in events
    }
    return (str(found.evaluation.uuid), found.kind, found.item or None, digest_of(found.report)) in known


def comparison(a: Evaluation, b: Evaluation) -> Comparison | None:
    """The stored comparison of two evaluations."""
    return Comparison.objects.filter(a=a, b=b).first()


def comparison_job(a: Evaluation, b: Evaluation) -> Job | None:
    """The newest job that compares two evaluations, in any state."""
    return jobs.of_subject(b).filter(kind="evaluation.compare", args__a=str(a.uuid)).first()


def address_of_comparison(a: UUID | str, b: UUID | str) -> str:
    """The URL of the comparison of two evaluations."""
    return f"{find_url('evaluation:compare')}?a={a}&b={b}"


def address_of(kind: Analysis.Kind, evaluation: UUID | str, item: str = "") -> str:
    """The page that shows an analysis of this kind."""
    return find_url(f"evaluation:{kind.value}", uuid=evaluation) + (f"?item={item}" if item else "")


def analysis_job(evaluation: Evaluation, kind: Analysis.Kind, item: str = "") -> Job | None:
    """The newest job that computes an analysis, in any state."""
    names = [f"evaluation.{kind.value}", *([WRITTEN_WORDS] if kind == Analysis.Kind.WORDS else [])]
    return jobs.of_subject(evaluation).filter(kind__in=names, args__item=item).first()


def group_of_errors(evaluation: Evaluation, number: str) -> list[str]:
    """Digests of the items of an error cluster, nearest to its centre first. number: from 1. Raises
    Http404.
    """
    found = analysis(evaluation, Analysis.Kind.CLUSTERS)
    groups = found.report["groups"] if found else []
    known = number.isascii() and number.isdigit() and len(number) < 4 and 0 < int(number) <= len(groups)
    if not known:
        raise Http404("Error cluster not found.")
    return list(groups[int(number) - 1]["items"])


def baseline_reference(run: Run) -> Reference | None:
    """The scores of the reference baseline (TF-IDF with logistic regression; for spans, a dictionary) on
    validation, if measured.
    """
    key = f"evaluation:reference:{run.uuid}"
    known: Reference | None = cache.get(key)
    if known is None and (found := latest_evaluation(run, "validation")):
        name, label = measures_of(found.task_type.key).reference
        measured = (found.report.get("baselines") or {}).get(name)
        if measured:
            known = Reference(
                label,
                {name: measured[name] for name in rules.metrics_of(found.report).beside if name in measured},
            )
            cache.set(key, known, 600)
    return known
