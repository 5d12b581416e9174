"""Compare two evaluations on the same items: how much better the second is, and how certain that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.ground.remembered import cache
from lifecycle.modeling.evaluation import queries, rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.by_key.rows import rows_for
from lifecycle.modeling.evaluation.task_types.rows import ReportRows
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics import significance
from lifecycle.runtime.statistics.comparisons import Done, as_change, no_op
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.statistics.verdicts import Verdict, verdict
from lifecycle.runtime.task_types.by_key.measures import measures_of, metrics_of
from lifecycle.ui.numbers import GAP, count, decimals, signed
from registry.ground.ledger.rules import digest_of

LARGE = 10_000  # maximum rows in a request; they take 4 s on one core, with 77 classes or 5
# shares of rows, which differ only by fixed and broken ones
OF_ROWS = frozenset({"accuracy", "subset_accuracy", "exact_texts"})
LISTED = 30  # changed items that are stored and shown


def is_large(a: Evaluation, b: Evaluation) -> bool:
    """Whether comparing two takes too long for a request."""
    return max(a.rows, b.rows) > LARGE


def is_ready(a: Evaluation, b: Evaluation) -> bool:
    """Whether the comparison is stored or fast enough for a request."""
    return not is_large(a, b) or queries.comparison(a, b) is not None


def paired_report(a: Evaluation, b: Evaluation) -> dict[str, Any]:
    """How much better b is than a on the items that both predicted with the same true label; positive
    differences are always better for b.

    Returns {"rows", "clusters", "effective_clusters": their number at equal size, "left_out", "same_items",
    "same_dataset_version",
    "metrics": {name: {"baseline", "candidate", "difference", "low", "high", "verdict"}},
    "per_class": {label: …}, "changes": {"fixed", "broken", "other", "p"}, "rows_needed", "a": {"uuid",
    "report_digest"}, "b": …, "digest", "summary": {"verdict", "fact", "text"}}, from a paired bootstrap
    (1,000 seeded resamples, 95 %), McNemar's test, and 1,000 permutations of the two models' predictions,
    each over `clusters` of rows that were split together, such as near duplicates. per_class has fixed,
    broken (one class against the rest), p, p_holm, and the verdict better or worse only if p_holm is below
    0.05. rows_needed: to detect the difference of the task's main score; None if it is significant or zero.
    Deterministic. Metrics have p, p_holm, and their verdict from `judged`. Raises Refused if the labels
    differ or no item is shared.
    """
    key = f"evaluation:paired:5:{a.report_digest}:{b.report_digest}:{a.predictions_id}:{b.predictions_id}"
    known: dict[str, Any] | None = cache.get(key)
    if known is None:
        kept = queries.comparison(a, b) if is_large(a, b) else None
        known = in_order(kept.report) if kept else computed(a, b)
        cache.set(key, known, 3600)
    return known | {
        "same_dataset_version": a.snapshot_id == b.snapshot_id,
        "summary": summary(rows_for(a), known, str(a.run), str(b.run)),
        "a": {"uuid": str(a.uuid), "report_digest": a.report_digest},
        "b": {"uuid": str(b.uuid), "report_digest": b.report_digest},
    }


def computed(a: Evaluation, b: Evaluation, progress: Done = no_op) -> dict[str, Any]:
    """The comparison of two evaluations, without text. progress: called with resamples done and their total.
    Raises as paired_report.
    """
    return judged(_report(a, b, progress), key_of(a))


def key_of(a: Evaluation) -> str:
    """The main score for comparing two evaluations of this task."""
    return rules.leading_of(a.report).name


def judged(report: dict[str, Any], key: str) -> dict[str, Any]:
    """A report with the p and verdict of each metric, p_holm (adjusted for the number of metrics by Holm),
    and rows_needed for the difference of the key metric.

    p of a share of rows is McNemar's, from changes; of others from `comparisons.swapped`.
    """
    metrics = report["metrics"]
    known = {
        name: Interval(each["difference"], each["low"], each["high"])
        for name, each in metrics.items()
        if None not in (each["difference"], each["low"], each["high"])
    }
    alone = {name: report["changes"]["p"] if name in OF_ROWS else metrics[name]["p"] for name in known}
    together = significance.holm(alone)
    verdicts = {name: verdict(found, p=together[name]) for name, found in known.items()}
    needed = report["rows_needed"]
    if needed is None and verdicts.get(key) is Verdict.UNCLEAR:
        needed = significance.rows_needed(report["rows"], known[key].value, known[key].low, known[key].high)
    return report | {
        "rows_needed": needed,
        "metrics": {
            name: (
                row
                | {
                    "p": alone.get(name),
                    "p_holm": together.get(name),
                    "verdict": verdicts.get(name, Verdict.NOT_MEASURED).value,
                }
            )
            for name, row in metrics.items()
        },
    }


def kept_as(report: dict[str, Any]) -> dict[str, Any]:
    """A report as stored: PostgreSQL reorders keys."""
    return report | {"order": list(report["metrics"])}


def in_order(kept: dict[str, Any]) -> dict[str, Any]:
    """A report as it was computed, from `kept_as`."""
    return {name: value for name, value in kept.items() if name != "order"} | {
        "metrics": {name: kept["metrics"][name] for name in kept["order"]}
    }


def paired(a: Evaluation, b: Evaluation, progress: Done) -> tuple[Any, Any, dict[str, Any]]:
    """The predictions of both, and their comparison on shared rows. Raises Refused."""
    check_dataset(a, b)
    first, second = queries.rows_of(a), queries.rows_of(b)
    try:
        found = measures_of(a.task_type.key).compare(first, second, progress=progress)
    except ValueError as error:
        raise Refused(
            str(error), next_step="Choose two evaluations with the same labels on the same split."
        ) from error
    check_clusters(found)
    return first, second, found


def check_dataset(a: Evaluation, b: Evaluation) -> None:
    """Raise Refused if two evaluations are of different datasets, and so possibly of different tasks."""
    if a.snapshot.dataset_id != b.snapshot.dataset_id or a.task_type != b.task_type:
        raise Refused(
            "The two evaluations are on different datasets, so their items can't be paired.",
            next_step="Evaluate both runs on the same dataset version and split.",
        )


def groups_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """The number of clusters of the rows, and their effective number at equal size."""
    return {name: found[name] for name in ("clusters", "effective_clusters")}


def check_clusters(found: Mapping[str, Any]) -> None:
    """Raise Refused if all shared rows are in one cluster, as there is no variance between clusters."""
    if found["clusters"] < 2 <= found["rows"]:
        text = "All shared rows are near duplicates of each other, so the evaluations can't be compared."
        raise Refused(
            text,
            next_step="Add other rows to this split, create a new dataset version, and evaluate both on it.",
        )


def _report(a: Evaluation, b: Evaluation, progress: Done) -> dict[str, Any]:
    first, second, found = paired(a, b, progress)
    metrics, leading = rules.finite(found["metrics"]), key_of(a)
    report = {
        "rows": found["rows"],
        "left_out": found["left_out"],
        "same_items": found["left_out"] == 0,
        "per_class": metrics.pop("per_class", {}),
        "metrics": metrics,
    }
    digest = digest_of({"report": report, "a": a.report_digest, "b": b.report_digest})
    if metrics[leading]["difference"] is None:
        text = "No shared row has a preferred response, so the evaluations can't be compared."
        raise Refused(
            text, next_step="Label more preferences, create a new dataset version, and evaluate both on it."
        )
    rows = rows_for(a)
    changed = rows.changes(first, second)
    tested = tests(
        report, rows.kinds, changed, rows.turned(first, second, changed), leading, clusters_of(first, second)
    )
    return report | groups_of(found) | tested | {"digest": digest}


def needed(report: Mapping[str, Any], leading: str) -> int | None:
    """How many rows it takes to detect the difference of the leading metric; None if it is significant."""
    found = report["metrics"][leading]
    if found["verdict"] != "unclear":
        return None
    return significance.rows_needed(report["rows"], found["difference"], found["low"], found["high"])


def clusters_of(first: Any, second: Any) -> dict[str, int]:
    """The cluster number of each item, from the first of the two that has it; {} if neither has, or each item
    is its own.
    """
    known = first if first.clusters is not None else second
    if known.clusters is None or int(known.clusters.max()) + 1 == len(known.ids):
        return {}
    return dict(zip(known.ids, known.clusters.tolist(), strict=True))


def mcnemar(turned: rules.Turned, clusters: Mapping[str, int]) -> float:
    """The p-value of McNemar's test, by cluster if there are any. clusters: from `clusters_of`."""
    if clusters:
        balances: Counter[int] = Counter()
        for item, side in turned.items():
            balances[clusters[item]] += side
        return significance.mcnemar_clustered(balances.values())
    fixed = sum(side > 0 for side in turned.values())
    return significance.mcnemar(fixed, len(turned) - fixed)


def tests(
    report: dict[str, Any],
    kinds: Sequence[str],
    changed: Sequence[rules.Change],
    turned: Mapping[str, rules.Turned],
    leading: str,
    clusters: Mapping[str, int],
) -> dict[str, Any]:
    """McNemar's test of the items and of each label, and how many rows it takes to detect the difference of
    the leading metric.

    kinds: of changes. turned: of each class, rows that were fixed and broken about it. clusters: of
    `clusters_of`.
    """
    counts = {kind: sum(change.kind == kind for change in changed) for kind in kinds}
    sides = {change.item: rules.SIDES[change.kind] for change in changed if change.kind in rules.SIDES}
    own = {label: turned.get(label, {}) for label in report["per_class"]}
    classes = {
        label: (sum(side > 0 for side in each.values()), sum(side < 0 for side in each.values()))
        for label, each in own.items()
    }
    alone = {label: mcnemar(each, clusters) for label, each in own.items()}
    together = significance.holm(alone)
    return {
        "changes": {**counts, "p": mcnemar(sides, clusters)},
        "rows_needed": needed(report, leading),
        "per_class": {
            label: (
                row
                | {"fixed": fixed, "broken": broken, "p": alone[label], "p_holm": together[label]}
                | {"verdict": class_verdict(row["difference"], fixed, broken, together[label])}
            )
            for (label, row), (fixed, broken) in zip(
                report["per_class"].items(), classes.values(), strict=True
            )
        },
    }


def class_verdict(f1: float | None, fixed: int, broken: int, p_holm: float) -> str:
    """better, worse, or unclear: one of many classes has a verdict only if it is significant after adjusting
    for all.

    f1: the difference of F1, which must have the same sign: a rare class that is no longer predicted has
    fewer wrong rows and no F1.
    """
    turned = fixed - broken
    agrees = f1 is not None and f1 * turned > 0
    return (verdict(Interval(turned, turned, turned), p=p_holm) if agrees else Verdict.UNCLEAR).value


def summary(rows: ReportRows[Any, Any], report: dict[str, Any], first: str, second: str) -> dict[str, str]:
    """The finding in words. fact: which is better by the leading score. text: what changed, and how many rows
    would detect a difference if there's none.
    """
    leading = metrics_of(rows.task).leading
    found = report["metrics"][leading.name]
    by, places, unit = (100, 1, " points") if leading.is_share else (1, leading.digits, "")
    change = as_change(found, lower_is_better=leading.lower_is_better)
    points = f"{signed(by * change['difference'], places)}{unit} {leading.words}"
    interval = f"(95{GAP}% {decimals(by * change['low'], places)} to {decimals(by * change['high'], places)})"
    facts = {
        "better": f"{second} is better: {points} {interval}.",
        "worse": f"{second} is worse: {points} {interval}.",
        "unclear": f"No clear difference between {first} and {second}: {points} {interval}.",
    }
    text = rows.moved(report["changes"], second)
    if report["rows_needed"]:
        about = round(report["rows_needed"], 2 - len(str(report["rows_needed"])))
        text += (
            f" Detecting a difference this size needs about {count(about)} rows; this test set has"
            f" {count(report['rows'])}."
        )
    return {"verdict": found["verdict"], "fact": facts[found["verdict"]], "text": text}


def first_changes(a: Evaluation, b: Evaluation) -> list[rules.Change]:
    """The first LISTED of `changed_items`, cached for an hour, or stored with a job's comparison.
    Deterministic.
    """
    key = f"evaluation:changed:2:{a.predictions_id}:{b.predictions_id}"
    known: list[rules.Change] | None = cache.get(key)
    if known is None:
        kept = queries.comparison(a, b) if is_large(a, b) else None
        known = [rules.Change.of(*each) for each in kept.changed] if kept else changed_items(a, b)[:LISTED]
        cache.set(key, known, 3600)
    return known


def changed_items(a: Evaluation, b: Evaluation) -> list[rules.Change]:
    """Items with different predictions: broken by b, fixed by b, and errors that changed."""
    return rows_for(a).changes(queries.rows_of(a), queries.rows_of(b))
