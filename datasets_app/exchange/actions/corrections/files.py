"""A file of corrected labels as its jobs open it, and the state in which a failed job leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasets_app.datasets.actions.examining import find_reading
from datasets_app.datasets.importing.readers import Reading
from datasets_app.exchange.models.corrections import Correction
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Refused
from registry.ground.artifacts import actions as artifacts

UNCHOSEN = {"encoding": "", "parser": "", "delimiter": "", "has_header": None}


def correction_of(ctx: JobContext) -> Correction:
    """The file of a job."""
    rows = Correction.objects.select_related("dataset__project", "blob", "uploaded_by", "accepted_by")
    return rows.get(uuid=ctx.args["correction"])


@contextmanager
def opened(correction: Correction) -> Iterator[tuple[Path, Reading]]:
    """The local path of the file, and its format. Raises Refused if its encoding is unknown."""
    with artifacts.local_copy(correction.blob.digest) as path:
        how, misfit = find_reading(path, correction.file_name, UNCHOSEN, lists=False)
        if misfit is not None:
            message = f"Line {misfit.line:,} isn't valid UTF-8."
            raise Refused(
                message, next_step="Save the file as CSV UTF-8 or as Excel (.xlsx), then upload it again."
            )
        yield path, how


def close(job: Job, old: str, new: str, message: str, next_step: str) -> None:
    """Set the state of a file, with the error."""
    rows = Correction.objects.select_for_update(no_key=True).filter(uuid=job.args["correction"], state=old)
    for correction in rows:
        correction.state = new
        correction.report = {**correction.report, "error": {"message": message, "next_step": next_step}}
        correction.save(update_fields=["state", "report"])
