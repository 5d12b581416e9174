"""States of a proposal, and the steps that it takes once a lead has approved it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import TextChoices

from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.task_types.by_key.measures import NAMED
from lifecycle.ui.numbers import signed

REASON_MAX = 2_000
OWN = "You proposed this retraining, so another ML lead must approve it."

SLOT = timedelta(minutes=10)  # how often a trigger is considered


class State(TextChoices):
    """open: waits for a lead. approved: waits for labels. running: snapshot to registration. requested: its
    promotion is open.
    """

    OPEN = "open", "Open"
    APPROVED = "approved", "Approved"
    RUNNING = "running", "Running"
    REQUESTED = "requested", "Promotion requested"
    DONE = "done", "Done"
    DECLINED = "declined", "Rejected"
    FAILED = "failed", "Failed"


class Outcome(TextChoices):
    """How a proposal ended that is done or declined."""

    PROMOTED = "promoted", "Promoted"
    NOT_BETTER = "not_better", "Not better than the live version"
    INCOMPARABLE = "incomparable", "Couldn't be compared with the live version"
    OVERTAKEN = "overtaken", "Another version went live"
    PROMOTION_ENDED = "promotion_ended", "Promotion ended without going live"
    DECLINED = "declined", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Step(TextChoices):
    """What is done next, in order."""

    QUEUE = "queue", "Queue"
    LABELS = "labels", "Labels"
    SNAPSHOT = "dataset_version", "Dataset version"
    RUN = "run", "Run"
    EVALUATION = "evaluation", "Evaluation"
    COMPARISON = "comparison", "Comparison"
    VERSION = "version", "Version"
    PROMOTION = "promotion", "Promotion"


BUSY = (State.OPEN, State.APPROVED, State.RUNNING, State.REQUESTED)  # one of these at a time on an endpoint
ENDED = (State.DONE, State.DECLINED, State.FAILED)
MOVES = {
    State.OPEN: {State.APPROVED, State.DECLINED, State.DONE},
    State.APPROVED: {State.RUNNING, State.FAILED, State.DECLINED, State.DONE},
    State.RUNNING: {State.REQUESTED, State.DONE, State.FAILED, State.DECLINED},
    State.REQUESTED: {State.DONE, State.DECLINED},
    State.FAILED: {State.APPROVED, State.RUNNING, State.DECLINED},
    State.DONE: {State.RUNNING},
}
MARKS = {
    State.OPEN: "half",
    State.APPROVED: "wait",
    State.RUNNING: "live",
    State.REQUESTED: "half",
    State.DONE: "ok",
    State.DECLINED: "stop",
    State.FAILED: "bad",
}


def check_seen(seen: str, digest: str) -> None:
    """Raises Conflict unless the person decided on the present version of the proposal."""
    if seen != digest:
        raise Conflict(
            "The proposal or the live version changed while you had this page open.",
            next_step="Reload the page, then decide.",
        )


def slot_of(now: datetime) -> datetime:
    """The begin of the ten minutes that hold a moment, counted from midnight: a trigger is considered once in
    them.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((now - midnight) // SLOT) * SLOT


def step_of(
    *,
    collected: bool,
    gated: bool,
    snapshot: bool,
    run: bool,
    evaluation: bool,
    compared: bool,
    version: bool,
    promotion: bool,
) -> Step | None:
    """The first step that is not done; None when all are. gated: enough labels were there once, so that the
    gate is not asked again.
    """
    done = {
        Step.QUEUE: collected,
        Step.LABELS: gated,
        Step.SNAPSHOT: snapshot,
        Step.RUN: run,
        Step.EVALUATION: evaluation,
        Step.COMPARISON: compared,
        Step.VERSION: version,
        Step.PROMOTION: promotion,
    }
    return next((step for step in Step if not done[step]), None)


def judge(metrics: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """What a comparison comes to, with why as a sentence: better, unclear or worse.

    metrics: the leading ones of the task, each {"difference", "low", "high", "verdict"}, new minus live,
    paired, 95 %. Better needs one of them to be surely better and none to be surely worse: a difference that
    chance explains is none to bother reviewers with.
    """
    verdicts = {each["verdict"] for each in metrics.values()}
    verdict = "worse" if "worse" in verdicts else "better" if "better" in verdicts else "unclear"
    scores = ", ".join(
        f"{NAMED[name].words} {signed(each['difference'], 3)} [{signed(each['low'], 3)},"
        f" {signed(each['high'], 3)}]"
        for name, each in metrics.items()
    )
    words = {
        "worse": "the new model is worse",
        "better": "the new model is better",
        "unclear": "there is no clear difference",
    }
    return verdict, f"{words[verdict]} on the same rows: {scores}."
