"""Following a job or a run until it ends. Ctrl-C ends the watching, not the work."""

from __future__ import annotations

from typing import Any

from lifecycle.runtime.cli.errors import ApiRefusal
from lifecycle.runtime.cli.screen import seconds
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.words import things

POLL_SECONDS = 2.0
JOB_ENDED = {"succeeded", "failed", "cancelled"}
RUN_ENDED = {"succeeded", "failed", "stopped", "pruned", "paused"}
SCORES = {
    **{
        "macro_f1": "macro F1",
        "micro_f1": "micro F1",
        "accuracy": "accuracy",
        "subset_accuracy": "subset accuracy",
    },
    **{
        "pair_accuracy": "pairwise accuracy",
        "perplexity": "perplexity",
        "log_loss": "log loss",
        "ece": "calibration error",
    },
}


def follow_job(session: Session, uuid: str) -> dict[str, Any]:
    """The job once it has succeeded. Raises Refused with its message when it fails or is cancelled."""
    while True:
        job = dict(session.api.get(f"/jobs/{uuid}/"))
        if job["state"] in JOB_ENDED:
            break
        session.screen.live(job_line(job), milestone(job["stage"] or job["state"], job["done"], job["total"]))
        session.sleep(POLL_SECONDS)
    session.screen.close()
    if job["state"] != "succeeded":
        raise Refused(job["error"] or f"The job was {job['state']}.", next_step=job["next_step"])
    return job


def follow_run(session: Session, uuid: str) -> dict[str, Any]:
    """The run once it has ended, in any state."""
    losses = Losses(session, uuid)
    while True:
        run = dict(session.api.get(f"/runs/{uuid}/"))
        if run["state"] in RUN_ENDED:
            session.screen.close()
            return run
        losses.look()
        session.screen.live(
            run_line(run, losses, job_of(session, run)),
            milestone(run["state"], run["step"], run["total_steps"]),
        )
        session.sleep(POLL_SECONDS)


class Losses:
    """The newest training and validation loss of a run. after: the last step that is known."""

    def __init__(self, session: Session, uuid: str) -> None:
        self.session, self.uuid, self.after = session, uuid, -1
        self.newest: dict[str, float] = {}

    def look(self) -> None:
        """Fetch the new points."""
        found = self.session.api.get(f"/runs/{self.uuid}/points/", chart="loss", after=self.after)
        for name, trace in zip(("loss", "validation"), range(len(found["x"])), strict=False):
            if found["x"][trace]:
                self.newest[name] = found["y"][trace][-1]
                self.after = max(self.after, found["x"][trace][-1])


def job_of(session: Session, run: dict[str, Any]) -> dict[str, Any] | None:
    """A run's job, for its rate; None where it isn't visible to the user."""
    if not run["job"]:
        return None
    try:
        return dict(session.api.get(f"/jobs/{run['job']}/"))
    except ApiRefusal:
        return None


def run_line(run: dict[str, Any], losses: Losses, job: dict[str, Any] | None) -> str:
    """Run 12 training: step 40 of 60, loss 0.4123, validation 0.5001, 3.2 steps/s, 6 s left."""
    parts = [f"step {run['step']:,} of {run['total_steps']:,}"] if run["total_steps"] else []
    parts += [f"{name} {value:.4f}" for name, value in losses.newest.items()]
    return f"Run {run['number']} {run['state']}" + (": " + ", ".join(parts + pace(job)) if parts else "")


def job_line(job: dict[str, Any]) -> str:
    """The stage, progress, rate, and time left."""
    if job["state"] == "queued":
        return "Waiting for a worker"
    parts = [f"{job['done']:,} of {job['total']:,} {job['unit']}".rstrip()] if job["total"] else []
    return (job["stage"] or "Working") + (": " + ", ".join(parts + pace(job)) if parts else "")


def pace(job: dict[str, Any] | None) -> list[str]:
    """Units a second and the time left, where both are known."""
    if not job or not job["rate"]:
        return []
    found = [f"{job['rate']:,.1f} {job['unit'] or 'units'}/s"]
    return (
        [*found, f"{seconds(max(job['total'] - job['done'], 0) / job['rate'])} left"]
        if job["total"]
        else found
    )


def milestone(stage: str, done: int, total: int | None) -> str:
    """The stage and tenth of the way; where lines stay, each milestone gets one."""
    return f"{stage} {done * 10 // total if total else 0}"


def run_result(run: dict[str, Any]) -> list[str]:
    """The result of a run, for people."""
    head = f"Run {run['number']} {run['state']}"
    if run["state"] in ("failed", "pruned") and run["error"]:
        return [f"{head}: {run['error']['message']} {run['error']['next_step']}".rstrip()]
    if run["state"] in ("stopped", "paused"):
        return [
            f"{head} at step {run['step']:,} of {run['total_steps']:,}. Resume it: lifecycle runs resume"
            f" {run['number']}"
        ]
    why = f" It ended early: {run['error']['message']} {run['error']['next_step']}" if run["error"] else ""
    scores = [
        f"{words} {run['metrics'][name]:.3f}"
        for name, words in SCORES.items()
        if isinstance(run["metrics"].get(name), int | float)
    ]
    best = f", best at step {run['best_step']:,}" if run["best_step"] else ""
    return [
        f"{head} after {things(run['step'], 'step')}{best}."
        + (f" On validation: {', '.join(scores)}." if scores else "")
        + why
    ]
