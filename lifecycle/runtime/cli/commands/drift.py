"""What drift show, measure and history print."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli.screen import Table, percent
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words
from lifecycle.runtime.words import things

Row = dict[str, Any]
WORDS_SHOWN = 8
HIDDEN = "hidden: your role can't read the texts that they come from"
SPAN = "{window_start} to {window_end} UTC, {rows:#prediction}, against {semver}"
ABOUT = (
    "endpoint={endpoint.full_name}; window={window|'not measured yet'}; result; accuracy;"
    " texts={texts_checked|'not measured yet'}; new words; missing words; open={open_monitors|'none'}; page"
)
MONITORS = "monitor={name:monitor}; result={mark:mark}; value; limit; unit={unit|''}; senders; =why"
HISTORY = (
    "from=window_start; to=window_end; version=semver; predictions=rows; result={state:mark}; "
    "farthest from evaluation={worst:monitor}, {ratio:.1f} times its limit"
)
noun = Noun("Drift of an endpoint's traffic since its version was evaluated.")


@noun.draws("show")
def described(words: Words, found: Row) -> list[str | Table]:
    """The window, the words, what is open, and each monitor."""
    report, texts = found["report"], found["texts"]
    about = {
        "window": words.cell(SPAN, report) if report else "",
        "result": (
            ": ".join(filter(None, (words.cell("{state:mark}", report), report["why"]))) if report else None
        ),
        "accuracy": (accuracy(report) or None) if report else None,
        "texts_checked": words.cell(SPAN + ": {state:mark}", texts) if texts else "",
        "new words": distinctive(texts, "new_words"),
        "missing words": distinctive(texts, "missing_words"),
        "open_monitors": "; ".join(
            words.cell("{monitor:monitor} since {opened_at}", each) for each in found["open"]
        ),
    }
    results = [
        {"name": name} | each for part in (report, texts) if part for name, each in part["results"].items()
    ]
    return [
        words.facts(ABOUT, about),
        *words.tables((MONITORS, [row | {"senders": senders(row)} for row in results])),
    ]


@noun.draws("measure")
def measured(words: Words, found: Row) -> list[str | Table]:
    """The measurement just made; `show` has the scheduled windows, and only those open and close monitors."""
    return described(
        words, found | {"report": found["requested"], "texts": found["requested_texts"] or found["texts"]}
    )


@noun.draws("history")
def history(words: Words, found: list[Row]) -> list[str | Table]:
    """A row for each window."""
    return [words.table(HISTORY, [row | {"worst": row["worst"] or None} for row in found])]


def accuracy(report: Row) -> str:
    """Accuracy: the estimate without labels, and by feedback."""
    estimate, known = report["estimate"], report["realised"]
    parts = [f"{band(estimate['accuracy'])} expected"] if estimate else []
    by = f" from at least {things(known['senders'], 'sender')}" if known and known["senders"] else ""
    return "; ".join(
        parts + ([f"{band(known)} by feedback on {things(known['rows'], 'prediction')}{by}"] if known else [])
    )


def band(part: Row) -> str:
    """91.2 % (88.0 % to 93.5 %)."""
    return f"{percent(part['value'])} ({percent(part['low'])} to {percent(part['high'])})"


def distinctive(texts: Row | None, name: str) -> str | None:
    """The most distinctive words; hidden from roles that don't read texts."""
    if texts is None:
        return None
    return (
        HIDDEN
        if texts[name] is None
        else ", ".join(each["word"] for each in texts[name][:WORDS_SHOWN]) or None
    )


def senders(row: Row) -> str:
    """How many, with their design effect; where they are unknown the limit assumes independent requests."""
    if row["value"] is None:
        return ""
    return "unknown" if row["senders"] is None else f"{row['senders']:,}, effect {row['design_effect']:.1f}"
