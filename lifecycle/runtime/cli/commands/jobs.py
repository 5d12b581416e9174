"""jobs watch, prioritize."""

from __future__ import annotations

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.arguments import Job, Place
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import INTERRUPTED, Noun

noun = Noun("Jobs: watch, prioritize, and cancel.")


@noun.verb
def watch(session: Session, job: Job) -> int | None:
    """Follow a job to its end; Ctrl-C leaves it running."""
    find.read(session, f"/jobs/{job}/", f"job {job}")
    try:
        done = watching.follow_job(session, job)
    except KeyboardInterrupt:
        session.screen.info(f"The job continues. Watch it: lifecycle jobs watch {job}")
        return INTERRUPTED
    session.screen.show(done, f"The job succeeded. {done['message']}".rstrip())
    return None


@noun.verb
def prioritize(session: Session, job: Job, priority: Place) -> None:
    """Change the priority of a queued job."""
    move(session, job, priority)


def move(session: Session, job: str, priority: str) -> None:
    """Change a queued job's priority and print its place."""
    moved = session.api.post(f"/jobs/{job}/priority/", {"priority": priority}, twice=True)
    place = f", place {moved['place']} in the queue" if moved["place"] else ""
    session.screen.show(moved, f"{moved['priority'].capitalize()}{place}.")
