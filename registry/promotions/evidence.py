"""Gathering what the gates judge: read and computed in the check job, never on a page and never under a
lock.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from django.conf import settings

from datasets_app.datasets.models import Item
from datasets_app.queues.models import Decision
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.rules import TEST, TRAIN
from lifecycle.ground.compute.price import price_per_million
from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation.actions import compare_uncached
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.task_types.by_key.types import learned_as
from registry.catalog import actions as catalog
from registry.catalog import queries
from registry.catalog.models import ModelVersion
from registry.catalog.rules import task_type
from registry.ground.ledger.rules import digest_of, plain
from registry.policies.gates.evidence import Evidence, Live, LoadTest, Measure
from registry.policies.rules import Rules
from registry.promotions import analyses, load_tests

BATCH = 5000
GROUPS = ("clusters", "effective_clusters")  # of near duplicates, as in a comparison


def gather(
    rules: Rules,
    version: ModelVersion,
    baseline: ModelVersion | None,
    comparison: dict[str, Any] | None,
    problem: str,
    alive: Callable[[], object] = lambda: None,
) -> Evidence:
    """Everything about one version that the gates of a policy ask for. comparison, problem: as `compare` gave
    them. alive: called now and then while it takes long; it may raise to stop. Raises Refused where a report
    is not the one that was recorded.
    """
    check_recorded(version.evaluation)
    evaluation, snapshot, card = version.evaluation, version.run.snapshot, queries.newest_card(version)
    measured = queries.measures(evaluation.report)
    leak = analyses.recorded(evaluation, Analysis.Kind.MEMBERSHIP)
    listed, damage = verify(version)
    task = learned_as(task_type(version.facts).key).key
    return Evidence(
        task=task,
        rows=evaluation.rows,
        groups=evaluation.report.get("clusters"),
        metrics={
            name: Measure(float(found["value"] or 0), found["low"], found["high"])
            for name, found in measured.items()
        },
        evaluation=evaluation.report_digest,
        membership=Measure(leak.report["auc"], leak.report["low"], leak.report["high"]) if leak else None,
        analysis=digest_of(leak.report) if leak else "",
        forgetting=analyses.forgetting(version.run) if rules.settings("forgetting", task) else None,
        robustness=analyses.robustness(evaluation),
        fairness=analyses.fairness(evaluation, rules.settings("fairness", task)),
        load=load(rules, version, task, alive),
        copied=analyses.copied(evaluation) if rules.settings("verbatim", task) else None,
        live=live(baseline, comparison, problem),
        leaked=leaked(snapshot),
        snapshot=snapshot.digest,
        overruled=overruled(snapshot),
        files=len(listed.files) if listed else 0,
        bytes=listed.size if listed else None,
        root=version.root_digest,
        signature_problem=damage,
        key=version.key_fingerprint,
        stated=(
            frozenset(card.stated) | ({"owner"} if version.model.owner_id else frozenset()) if card else None
        ),
        card=card.digest if card else "",
    )


def check_recorded(evaluation: Evaluation) -> None:
    """Raises Refused for a report that the audit log does not know: it was changed, or someone wrote it into
    the database.
    """
    if not evaluations.is_recorded(evaluation):
        text = f"The evaluation of {evaluation.run} isn't the one in the audit log."
        raise Refused(text, next_step=analyses.CONTACT)


def load(rules: Rules, version: ModelVersion, task: str, alive: Callable[[], object]) -> LoadTest | None:
    """A load test, if a gate of the policy asks for one."""
    latency, cost = (rules.settings(gate, task) for gate in ("latency", "cost"))
    if latency is None and cost is None:
        return None
    found, problem = load_tests.run(version, int((latency or {}).get("clients", 1)), alive)
    if found is None:
        return LoadTest(problem=problem)
    priced = settings.PRICE_PER_CORE_HOUR is not None
    return LoadTest(
        found.requests,
        found.texts,
        found.failed,
        found.clients,
        p95=Measure.of(found.p95) if found.p95 else None,
        cost=price(found.cpu) if priced and found.cpu else None,
        currency=settings.CURRENCY if priced else "",
    )


def price(cpu_ms: Interval) -> Measure:
    """Of a million requests that take so much CPU time each."""
    value, low, high = (
        price_per_million(each * 1_000, 1) for each in (cpu_ms.value, cpu_ms.low, cpu_ms.high)
    )
    return Measure(value or 0.0, low, high)


def verify(version: ModelVersion) -> tuple[bundle.Manifest | None, str]:
    """The files, hashed again, or None and what is wrong with them or their signature."""
    try:
        return catalog.verify(version), ""
    except Refused as refusal:
        return None, refusal.message


def live(baseline: ModelVersion | None, comparison: dict[str, Any] | None, problem: str) -> Live:
    """The paired differences in the form that the gate reads; nothing live is a fact, not a gap."""
    if baseline is None:
        return Live()
    if comparison is None:
        return Live(baseline.semver, problem=problem)
    differences = {
        name: Measure(found["difference"], found["low"], found["high"])
        for name, found in comparison["measures"].items()
    }
    more: dict[str, Any] = {name: comparison.get(name) for name in GROUPS} | comparison.get("evenness", {})
    return Live(
        baseline.semver, differences, comparison["rows"], source=comparison["baseline_report"], **more
    )


def compare(version: ModelVersion, baseline: ModelVersion | None) -> tuple[dict[str, Any] | None, str]:
    """The paired comparison with the live version on frozen test rows that both answered, or None and why
    there is none.

    The live version is taken on the same snapshot where it was measured there, else on its own: test rows are
    frozen for good, so the two share them, and the report shows how many were left out. GROUPS: only where
    rows come in groups of near duplicates.
    """
    if baseline is None:
        return None, ""
    candidate = version.evaluation
    known = queries.frozen_evaluation(baseline.run, candidate.snapshot) or baseline.evaluation
    try:
        check_recorded(known)
        found = compare_uncached(known, candidate)
    except Refused as refusal:
        return (
            None,
            (
                f"The live version {baseline.semver} couldn't be compared. {refusal.message} Evaluate run"
                f" {baseline.run.number} and run {version.run.number} on the same test split, then re-run the"
                " gates."
            ),
        )
    by_label = found["per_class"]
    return (
        plain(
            {
                "rows": found["rows"],
                **({name: found[name] for name in GROUPS} if found["clusters"] < found["rows"] else {}),
                **(
                    {
                        "evenness": {
                            "labels": len(by_label),
                            "rarest": min(each["support"] for each in by_label.values()),
                        }
                    }
                    if by_label
                    else {}
                ),
                "left_out": found["left_out"],
                "measures": found["metrics"],
                "worst": worst(by_label),
                "baseline": str(baseline.uuid),
                "baseline_semver": baseline.semver,
                "baseline_report": known.report_digest,
                "baseline_evaluation": str(known.uuid),
                "digest": found["digest"],
            }
        ),
        "",
    )


def worst(by_label: dict[str, dict[str, Any]], shown: int = 5) -> list[dict[str, Any]]:
    """The labels whose F1 fell most, worst first."""
    fallen = [{"label": label, **found} for label, found in by_label.items() if found["difference"] < 0]
    return sorted(fallen, key=lambda found: (found["difference"], found["label"]))[:shown]


def leaked(snapshot: Snapshot) -> int | None:
    """How many test rows have their text, normalised text or group in the training split too; None when the
    manifest cannot be read.
    """
    try:
        split = {row.item: row.split for row in snapshots.open_snapshot(snapshot)}
    except (Refused, OSError, ValueError):
        return None
    training: set[str] = set()
    tests: list[tuple[str, str]] = []
    rows = Item.objects.filter(dataset=snapshot.dataset_id).values_list("digest", "normal_digest", "group")
    for digest, normal, group in rows.iterator(chunk_size=BATCH):
        where, keys = split.get(digest), (f"text {normal}", f"group {group}" if group else "")
        if where == TRAIN:
            training.update(key for key in keys if key)
        elif where == TEST:
            tests.append(keys)
    return sum(1 for keys in tests if training.intersection(keys))


def overruled(snapshot: Snapshot) -> int | None:
    """How many test rows were decided again since the snapshot was frozen; None when the manifest cannot be
    read.
    """
    try:
        rows = snapshots.rows_of(snapshot, TEST)
        found = 0
        while batch := [row.decision_uuid for row in islice(rows, 500)]:
            found += Decision.objects.filter(uuid__in=batch, superseded_by__isnull=False).count()
    except (Refused, OSError, ValueError):
        return None
    return found
