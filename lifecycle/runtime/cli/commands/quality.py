"""quality: how far the people of a queue agree, and how each of them does."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import classes, find, watching
from lifecycle.runtime.cli.arguments import of_queue
from lifecycle.runtime.cli.screen import count, facts, moment, seconds, table
from lifecycle.runtime.cli.session import Session

NAMES = {
    "percent": "Equal pairs of answers", "alpha": "Krippendorff's alpha, nominal", "alpha_ordinal": "Krippendorff's alpha, ordinal",
    "alpha_masi": "Krippendorff's alpha, MASI distance", "fleiss": "Fleiss' kappa", "span_f1": "Span F1, exact",
    "span_f1_overlap": "Span F1, overlapping",
}  # fmt: skip
MIXED_UP = 10  # pairs of classes that are shown
FEWEST = 20  # answers to gold from which a share says anything


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("quality", help="how far the people of a queue agree, and how each does").add_subparsers(
        dest="what", metavar="WHAT", required=True
    )
    of_queue(group, common, "show", "as it was measured last").set_defaults(run=show)
    of_queue(group, common, "measure", "measure it now, then show it").set_defaults(run=measure)


def measure(session: Session) -> None:
    """By a job, which is followed."""
    queue = find.queue(session, session.args.queue)
    watching.follow_job(session, session.api.post(f"/labeling/queues/{queue['uuid']}/quality/", twice=True)["uuid"])
    report(session, queue)


def show(session: Session) -> None:
    """The newest report."""
    report(session, find.queue(session, session.args.queue))


def report(session: Session, queue: dict[str, Any]) -> None:
    """Agreement with its intervals, then people, then what is mixed up."""
    found = session.api.get(f"/labeling/queues/{queue['uuid']}/quality/")
    if found["as_of"] is None:
        session.screen.show(found, f"{queue['name']} was not measured yet. Measure it: lifecycle quality measure {queue['uuid']}")
        return
    lines = facts([
        ("Queue", queue["name"]),
        ("Measured", moment(found["as_of"])),
        ("Compared", f"{found['answers']:,} answers to {found['items']:,} items that two people or more answered"),
        ("Left", f"{count(found['left'], 'answer')}. {ahead(found)}"),
        ("Page", session.page(f"/labeling/{queue['uuid']}/quality/")),
    ])  # fmt: skip
    names = classes.names(classes.versions(session, queue["dataset"])) if found["confusion"] else {}
    session.screen.show(
        found, *lines, "", *agreement(found["coefficients"]), *people(found["people"]), *mixed_up(found["confusion"], names)
    )


def ahead(found: dict[str, Any]) -> str:
    """When it is done at this pace, or why nobody can say."""
    if found["days_left_why"] or found["days_left"] is None:
        return str(found["days_left_why"])
    return f"About {found['days_left']:.1f} days, at this pace."


def agreement(rows: list[dict[str, Any]]) -> list[str]:
    """Each coefficient with its bootstrap interval; why one is not there."""
    return table(
        ["AGREEMENT", "VALUE", "95 % INTERVAL", "ITEMS", ""],
        [
            (NAMES.get(row["name"], row["name"]), figure(row["value"]), between(row["low"], row["high"]), row["n"], row["why"])
            for row in rows
        ],
    )


def figure(value: float | None) -> str:
    """Two digits, or a dash where it is not defined."""
    return "–" if value is None else f"{value:.2f}"


def between(low: float | None, high: float | None) -> str:
    """Both bounds."""
    return "–" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def people(rows: list[dict[str, Any]]) -> list[str]:
    """Each person's figures; of others only for who may assess them."""
    if not rows:
        return []
    heads = ["PERSON", "ANSWERS", "SKIPPED", "MEDIAN", "RIGHT", "GOLD", "LIKELY RIGHT", "SENT BACK", ""]
    return ["", *table(heads, [person(row) for row in rows])]


def person(row: dict[str, Any]) -> tuple[object, ...]:
    """One line."""
    right = f"{row['right']:,} of {row['judged']:,}" if row["judged"] else "–"
    warned = "nearly always takes what is suggested" if row["nearly_always_accepts"] else ""
    time = seconds(row["median_seconds"]) or "–"
    return row["name"], row["done"], row["skipped"], time, right, on_gold(row), likely(row), row["sent_back"], warned


def on_gold(row: dict[str, Any]) -> str:
    """Answers to gold that were right, with the interval where there are enough of them."""
    if not row["gold_done"]:
        return "–"
    said = f"{row['gold_right']:,} of {row['gold_done']:,}"
    if row["gold_interval"] is None:
        return f"{said}, not enough data (below {FEWEST})"
    low, high = row["gold_interval"]
    return f"{said}, {low * 100:.0f} to {high * 100:.0f} %"


def likely(row: dict[str, Any]) -> str:
    """The share that is right by everybody's answers alone, with its interval; in a word why there is none."""
    if row["likely_right"] is None:
        return row["likely_why"].partition(":")[0].lower() or "–"
    if row["likely_interval"] is None:
        return f"{row['likely_right'] * 100:.0f} %, interval not measured"
    low, high = row["likely_interval"]
    return f"{row['likely_right'] * 100:.0f} %, {low * 100:.0f} to {high * 100:.0f} %"


def mixed_up(rows: list[dict[str, Any]], names: dict[str, str]) -> list[str]:
    """The pairs of classes that stood on most items together."""
    pairs = [row for row in rows if row["first"] != row["second"]][:MIXED_UP]
    if not pairs:
        return []
    called = [(names.get(row["first"], classes.DROPPED), names.get(row["second"], classes.DROPPED), row["items"]) for row in pairs]
    return ["", *table(["MIXED UP", "WITH", "ITEMS"], called)]
