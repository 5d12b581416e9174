"""Gathering what the gates judge: read and computed in the check job, never on a page and never under a lock."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pyarrow.parquet as parquet

from datasets_app.datasets.models import Item
from datasets_app.labeling.models import Decision
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.rules import TEST, TRAIN
from lifecycle.engine import metrics
from lifecycle.evaluation.models import Evaluation
from lifecycle.refusals import Refused
from registry.artifacts.actions import local_copy
from registry.catalog import actions as catalog
from registry.catalog import queries
from registry.catalog.models import ModelVersion
from registry.policies.gates import Evidence, Live, Measure

BATCH = 5000


def gather(version: ModelVersion, baseline: ModelVersion | None, comparison: dict[str, Any] | None, problem: str) -> Evidence:
    """Everything about one version that the gates ask for. comparison, problem: as `compare` gave them."""
    evaluation, snapshot, card = version.evaluation, version.run.snapshot, queries.newest_card(version)
    measured = queries.measures(evaluation.report)
    files, damage = verify(version)
    return Evidence(
        rows=evaluation.rows,
        metrics={name: Measure(float(found["value"] or 0), found["low"], found["high"]) for name, found in measured.items()},
        evaluation=evaluation.report_digest,
        live=live(baseline, comparison, problem),
        leaked=leaked(snapshot),
        snapshot=snapshot.digest,
        overruled=overruled(snapshot),
        files=files,
        signature_problem=damage,
        key=version.key_fingerprint,
        stated=frozenset(card.stated) | ({"owner"} if version.model.owner_id else frozenset()) if card else None,
        card=card.digest if card else "",
    )


def verify(version: ModelVersion) -> tuple[int, str]:
    """How many files were hashed again, and what is wrong with them or their signature ("" for nothing)."""
    try:
        return len(catalog.verify(version).files), ""
    except Refused as refusal:
        return 0, refusal.message


def live(baseline: ModelVersion | None, comparison: dict[str, Any] | None, problem: str) -> Live:
    """The paired differences in the form that the gate reads; nothing live is a fact, not a gap."""
    if baseline is None:
        return Live()
    if comparison is None:
        return Live(baseline.semver, problem=problem)
    differences = {name: Measure(found["difference"], found["low"], found["high"]) for name, found in comparison["measures"].items()}
    return Live(baseline.semver, differences, comparison["rows"], source=comparison["baseline_report"])


def compare(version: ModelVersion, baseline: ModelVersion | None) -> tuple[dict[str, Any] | None, str]:
    """The paired comparison with the live version on the version's own frozen test rows, or None and why there is none."""
    if baseline is None:
        return None, ""
    snapshot = version.evaluation.snapshot
    known = queries.frozen_evaluation(baseline.run, snapshot)
    if known is None:
        return None, (
            f"{baseline.semver}, which is live, was not evaluated on the test split of snapshot s{snapshot.number}. "
            f"Evaluate run {baseline.run.number} on that split, then check again."
        )
    try:
        return paired(version.evaluation, known, baseline), ""
    except Refused as refusal:
        return None, f"{refusal.message} {refusal.next_step}"


def paired(candidate: Evaluation, live_one: Evaluation, baseline: ModelVersion) -> dict[str, Any]:
    """Differences by metric with 95 % intervals, both models' values, and the labels that lost most. Positive: the candidate is better."""
    labels = list(candidate.report["confusion"]["labels"])
    if labels != list(live_one.report["confusion"]["labels"]):
        raise Refused(f"{baseline.semver} answers with other labels, so the two cannot be compared.", next_step="Compare them by hand.")
    ours, theirs = predictions(candidate), predictions(live_one)
    if ours.keys() != theirs.keys():
        raise Refused("The two evaluations are not of the same rows.", next_step="Evaluate both runs on the same snapshot.")
    number = {label: at for at, label in enumerate(labels)}
    order = sorted(ours)
    truth = np.array([number[ours[item][0]] for item in order])
    found = metrics.paired(truth, np.array([theirs[item][1] for item in order]), np.array([ours[item][1] for item in order]), labels=labels)
    by_label = found.pop("per_class")
    return {
        "rows": len(order),
        "measures": plain(found),
        "worst": plain(worst(by_label)),
        "baseline": str(baseline.uuid),
        "baseline_semver": baseline.semver,
        "baseline_report": live_one.report_digest,
        "baseline_evaluation": str(live_one.uuid),
    }


def plain(value: Any) -> Any:
    """The same with numbers of six digits and no negative zero, so that every database gives back exactly what was written."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return round(value, 6) + 0.0 if isinstance(value, float) else value


def worst(by_label: dict[str, dict[str, Any]], shown: int = 5) -> list[dict[str, Any]]:
    """The labels whose F1 fell most, worst first."""
    fallen = [{"label": label, **found} for label, found in by_label.items() if found["difference"] < 0]
    return sorted(fallen, key=lambda found: (found["difference"], found["label"]))[:shown]


def predictions(evaluation: Evaluation) -> dict[str, tuple[str, list[float]]]:
    """True label and probabilities by item."""
    with local_copy(evaluation.predictions.digest) as path:
        columns = parquet.read_table(path, columns=["id", "label", "probabilities"]).to_pydict()
    return {item: (label, shares) for item, label, shares in zip(columns["id"], columns["label"], columns["probabilities"], strict=True)}


def leaked(snapshot: Snapshot) -> int | None:
    """How many test rows have their text, normalised text or group in the training split too; None when the manifest cannot be read."""
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
    """How many test rows were decided anew since the snapshot was frozen; None when the manifest cannot be read."""
    try:
        rows = snapshots.rows_of(snapshot, TEST)
        found = 0
        while batch := [row.decision_uuid for row in islice(rows, 500)]:
            found += Decision.objects.filter(uuid__in=batch, superseded_by__isnull=False).count()
    except (Refused, OSError, ValueError):
        return None
    return found
