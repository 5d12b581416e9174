"""drift: whether an endpoint's traffic is still as it was when its version was evaluated."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.screen import count, facts, moment, percent, table
from lifecycle.runtime.cli.session import Session

MARKS = {
    "ok": "as evaluated", "watch": "watch", "drift": "drift", "insufficient": "not enough data", "not_measured": "not measured",
    "failed": "failed",
}  # fmt: skip
MONITORS = {
    "label": "predicted label", "confidence": "confidence", "length": "length", "oov": "unknown words", "accuracy": "accuracy",
    "words": "words of the texts", "meaning": "meaning of the texts",
}  # fmt: skip
WORDS_SHOWN = 8


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    group = commands.add_parser("drift", help="whether traffic is still as it was evaluated").add_subparsers(
        dest="what", metavar="WHAT", required=True
    )
    for name, act, text in (
        ("show", show, "the newest window against the evaluation, and what stands open"),
        ("measure", measure, "measure the last 24 hours now"),
        ("history", history, "the newest 30 windows"),
    ):
        made = group.add_parser(name, parents=[common], help=text)
        made.add_argument("endpoint", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid")
        if act is show:
            made.add_argument("--check", action="store_true", help="exit with 1 while drift stands open, for scripts")
        made.set_defaults(run=act)


def show(session: Session) -> int | None:
    """What is known; 1 with --check while something stands open."""
    endpoint = find.endpoint(session, session.args.endpoint)
    found = session.api.get(f"/endpoints/{endpoint['uuid']}/drift/")
    session.screen.show(found, *described(session, endpoint, found))
    return 1 if session.args.check and found["open"] else None


def measure(session: Session) -> None:
    """Have it measured, stay until it is, and say what was found. It opens and closes nothing; `show` keeps to the clock's windows."""
    endpoint = find.endpoint(session, session.args.endpoint)
    job = session.api.post(f"/endpoints/{endpoint['uuid']}/drift/measure/", twice=True)
    watching.follow_job(session, job["uuid"])
    found = session.api.get(f"/endpoints/{endpoint['uuid']}/drift/")
    session.screen.show(found, *described(session, endpoint, found | {"report": found["asked"]}))


def history(session: Session) -> None:
    """Newest first."""
    endpoint = find.endpoint(session, session.args.endpoint)
    rows = session.api.get(f"/endpoints/{endpoint['uuid']}/drift/reports/")["results"]
    lines = table(
        ["FROM", "TO", "VERSION", "ANSWERS", "FOUND", "FARTHEST FROM"],
        [
            (moment(row["window_start"]), moment(row["window_end"]), row["semver"], row["rows"], MARKS[row["state"]], worst(row))
            for row in rows
        ],
    )
    session.screen.show(rows, *(lines if rows else ["Not measured yet. Measure now: lifecycle drift measure " + endpoint["full_name"]]))


def described(session: Session, endpoint: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """For people: the window, each monitor, the words, what stands open."""
    report, texts = found["report"], found["texts"]
    lines = facts([
        ("Endpoint", endpoint["full_name"]),
        ("Window", span(report) if report else "not measured yet"),
        ("Found", ": ".join(filter(None, (MARKS[report["state"]], report["why"]))) if report else ""),
        ("Accuracy", accuracy(report) if report else ""),
        ("Texts", f"{span(texts)}: {MARKS[texts['state']]}" if texts else "not measured yet"),
        ("New words", words(texts, "new_words") if texts else ""),
        ("Missing words", words(texts, "missing_words") if texts else ""),
        ("Open", "; ".join(f"{MONITORS[each['monitor']]} since {moment(each['opened_at'])}" for each in found["open"]) or "nothing"),
        ("Page", session.page(f"/drift/endpoints/{endpoint['uuid']}/")),
    ])  # fmt: skip
    results = [(name, each) for part in (report, texts) if part for name, each in part["results"].items()]
    rows = [
        (MONITORS[name], MARKS[each["mark"]], figure(each["value"]), figure(each["limit"]), each["unit"], senders(each), each["why"])
        for name, each in results
    ]
    return [*lines, "", *table(["MONITOR", "FOUND", "VALUE", "LIMIT", "UNIT", "SENDERS", ""], rows)] if rows else lines


def span(part: dict[str, Any]) -> str:
    """2026-03-19 00:00 to 2026-03-20 00:00 UTC, 600 answers, against 1.0.0."""
    until = f"{moment(part['window_start'])} to {moment(part['window_end'])} UTC"
    return f"{until}, {count(part['rows'], 'answer')}, against {part['semver']}"


def accuracy(report: dict[str, Any]) -> str:
    """What is expected without the truth, and what people said."""
    estimate, known = report["estimate"], report["realised"]
    parts = [f"{band(estimate['accuracy'])} expected"] if estimate else []
    asked = f" of at least {count(known['senders'], 'sender')}" if known and known["senders"] else ""
    return "; ".join(parts + ([f"{band(known)} by what people said of {count(known['rows'], 'answer')}{asked}"] if known else []))


def band(part: dict[str, Any]) -> str:
    """91.2 % (88.0 % to 93.5 %)."""
    return f"{percent(part['value'])} ({percent(part['low'])} to {percent(part['high'])})"


def words(texts: dict[str, Any], name: str) -> str:
    """The words that tell the sides apart most; hidden from roles that do not read texts."""
    if texts[name] is None:
        return "hidden: your role does not read the texts that they come from"
    return ", ".join(each["word"] for each in texts[name][:WORDS_SHOWN])


def worst(row: dict[str, Any]) -> str:
    """The monitor that was nearest to its limit, or farthest beyond."""
    return f"{MONITORS[row['worst']]}, {row['ratio']:.1f} times its limit" if row["worst"] and row["ratio"] is not None else ""


def senders(found: dict[str, Any]) -> str:
    """How many with their design effect; where they are not known the limit assumes that requests are independent."""
    if found["value"] is None:
        return ""
    return "not known" if found["senders"] is None else f"{found['senders']}, effect {found['design_effect']:.1f}"


def figure(value: float | None) -> str:
    """Three digits, or a dash where it was not measured."""
    return "–" if value is None else f"{value:.3f}"
