"""jobs watch."""

from __future__ import annotations

from typing import Annotated

from typer import Argument

from lifecycle.runtime.cli import find, watching
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import INTERRUPTED, Noun

noun = Noun("Jobs: watch, prioritize, and cancel.")


@noun.verb
def watch(session: Session, job: Annotated[str, Argument(metavar="JOB", help="uuid")]) -> int | None:
    """Follow a job to its end; Ctrl-C leaves it running."""
    find.read(session, f"/jobs/{job}/", f"job {job}")
    try:
        done = watching.follow_job(session, job)
    except KeyboardInterrupt:
        session.screen.tell(f"The job continues. Watch it: lifecycle jobs watch {job}")
        return INTERRUPTED
    session.screen.show(done, f"The job succeeded. {done['message']}".rstrip())
    return None
