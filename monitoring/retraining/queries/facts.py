"""What is known of an endpoint when its triggers are considered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from datasets_app.datasets.models import Dataset
from datasets_app.datasets.rules import UploadState
from datasets_app.queues.queries import decisions
from lifecycle.modeling.evaluation import rules as evaluation_rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.queries import UNFINISHED
from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Sums
from lifecycle.ui.addresses import find_url
from monitoring.alerts.models import Alert
from monitoring.alerts.rules.objectives import Kind as ObjectiveKind
from monitoring.alerts.rules.state import State as AlertState
from monitoring.drift import judging
from monitoring.drift import queries as drift
from monitoring.drift.measuring.accuracy import has_enough_feedback
from monitoring.drift.models import Episode
from monitoring.drift.rules import UNIT, Monitor
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries.proposals import busy
from monitoring.retraining.rules import Drift, Facts, Outcome, Shift
from monitoring.traffic import queries as traffic
from registry.catalog import queries as catalog
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.queries import deployments

SAMPLE = 10_000  # predictions of the window whose feedback is read
COUNTED = 100_000  # labels are counted up to here
RECENT = timedelta(days=30)


def live_version(endpoint: Endpoint) -> ModelVersion | None:
    """The version that is live, with the run, snapshot and dataset behind it."""
    found = ModelVersion.objects.filter(aliases__endpoint=endpoint)
    return found.select_related("model__project", "evaluation", "run__snapshot__dataset", "run__base").first()


def gather(endpoint: Endpoint, now: datetime, window_days: int) -> Facts:
    """Everything that is known now. The window ends now; figures are of the live version's answers."""
    live, frozen = live_version(endpoint), catalog.freeze_of(endpoint, now)
    canary, other, last = deployments.canary_of(endpoint), busy(endpoint), cooled_by(endpoint)
    urls = {
        "endpoint": find_url("endpoints:detail", uuid=endpoint.uuid),
        "predictions": find_url("traffic:recent", uuid=endpoint.uuid),
    }
    common: dict[str, Any] = {
        "frozen": (
            f"The endpoint is frozen until {frozen.until:%-d %b %H:%M} UTC: {frozen.reason}" if frozen else ""
        ),
        "canary": f"{canary.version.semver} is running as a canary" if canary else "",
        "proposal": f"{other} is {other.get_state_display().lower()}" if other else "",
        "last_at": last.created_at if last else None,
        "recent": (
            Proposal.objects.filter(
                endpoint=endpoint, run__isnull=False, run__created_at__gt=now - RECENT
            ).count()
        ),
    }
    if other:
        urls["proposal"] = find_url("retraining:detail", uuid=other.uuid)
    if live is None:
        return Facts(urls=urls, **common)
    since = now - timedelta(days=window_days)
    snapshot, total = live.run.snapshot, traffic.total(endpoint, since, now, version=live)
    run = (
        Run.objects.filter(snapshot__dataset=snapshot.dataset_id, state__in=UNFINISHED)
        .order_by("-pk")
        .first()
    )
    if run:
        urls["run"] = find_url("training:detail", uuid=run.uuid)
    urls |= {
        "version": find_url("catalog:version", uuid=live.uuid),
        "dataset": find_url("datasets:dataset", uuid=snapshot.dataset.uuid),
        "drift": find_url("drift:endpoint", uuid=endpoint.uuid),
        "alerts": find_url("alerts:endpoint", uuid=endpoint.uuid),
    }
    sample = (
        traffic.feedback_sample(endpoint, since, now, live, SAMPLE, total.answers) if total.judged else []
    )
    return Facts(
        live=live.semver,
        drift=drift_of(endpoint, live),
        quality_alert=quality_alert(endpoint),
        with_feedback=total.judged,
        judged=total.correct,
        enough_feedback=has_enough_feedback(total),
        not_wrong=by_key((each.key, each.right is not False) for each in sample),
        overridden=by_key((each.key, each.overridden) for each in sample),
        senders=keys_of(sample),
        expected=live.evaluation.report.get("accuracy"),
        tested=live.evaluation.rows,
        **groups_of(live.evaluation),
        answers=total.answers,
        labels_new=labels_since(snapshot.dataset, snapshot.created_at),
        snapshot_at=snapshot.created_at,
        run=f"{run} trains on this data" if run else "",
        urls=urls,
        **common,
    )


def groups_of(evaluation: Evaluation) -> dict[str, Any]:
    """groups and between, as `Facts` has them; empty where each row is a group of its own."""
    groups, (low, high) = (
        evaluation.report["clusters"],
        evaluation_rules.interval(evaluation.report, "accuracy"),
    )
    return (
        {"groups": groups, "between": (low, high)}
        if groups < evaluation.rows and None not in (low, high)
        else {}
    )


def by_key(words: Iterable[tuple[str, bool]]) -> Sums:
    """Predictions that are so / all of them, by sticky key; without a key each is a cluster of its own, as
    all are where one key alone is known, since that doesn't identify senders.
    """
    clusters: dict[str, list[bool]] = defaultdict(list)
    for key, so in words:
        clusters[key].append(so)
    lone = clusters.pop("", [])
    if len(clusters) == 1:
        lone += clusters.popitem()[1]
    keyed = clustered.sums(
        [sum(each) for each in clusters.values()], [len(each) for each in clusters.values()]
    )
    return keyed + clustered.alone(sum(lone), len(lone))


def keys_of(sample: Iterable[traffic.Judged]) -> int | None:
    """How many different keys are among them; None where predictions are taken as independent."""
    keys = len({each.key for each in sample if each.key})
    return keys if keys > 1 else None


def cooled_by(endpoint: Endpoint) -> Proposal | None:
    """The newest proposal that others wait after. One that was overtaken, as by a rollback, came to nothing,
    so no one waits after it.
    """
    return (
        Proposal.objects.filter(endpoint=endpoint).exclude(outcome=Outcome.OVERTAKEN).order_by("-pk").first()
    )


def drift_of(endpoint: Endpoint, live: ModelVersion) -> Drift:
    """The drift state of the live version, as its page shows it, and its open monitors with what they
    measured last.
    """
    standing = drift.standing([endpoint])[endpoint.pk]
    return Drift(
        standing.state or "",
        tuple(shift_of(standing, each) for each in standing.open if each.version_id == live.pk),
    )


def shift_of(standing: drift.Standing, episode: Episode) -> Shift:
    """An open monitor as the rules read it."""
    found, monitor = standing.reading(episode), Monitor(episode.monitor)
    opened = "" if found.newest else f" when it opened, {found.at:%-d %b}"
    text = f"{judging.against(monitor, found.value, found.limit)}{opened}"
    return Shift(monitor.label, None if monitor in UNIT else found.value, text, episode.opened_at)


def quality_alert(endpoint: Endpoint) -> str:
    """The title of the open alert of the quality objective; empty where there is none."""
    rows = (
        Alert.objects.filter(endpoint=endpoint, source__startswith="objective")
        .exclude(state=AlertState.RESOLVED)
        .order_by("-id")
    )
    quality = ObjectiveKind.QUALITY.value
    return next(
        (row.title for row in rows[:20] if row.source.endswith(quality) or quality in row.key.values()), ""
    )


def labels_since(dataset: Dataset, moment: datetime) -> int:
    """How many labels of the dataset that hold were decided after a moment, counted up to 100,000."""
    rows = decisions.standing().filter(
        item__dataset=dataset, item__upload__state=UploadState.IMPORTED, created_at__gt=moment
    )
    return rows.order_by()[:COUNTED].count()
