"""What the page shows of an evaluation's model on disturbed texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from lifecycle.engine.flips import Flip, read_flips
from lifecycle.engine.perturb import SENTENCE, disturb
from lifecycle.evaluation import queries, rules
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.evaluation.parts import may_read, tabs, thread
from lifecycle.ui.addresses import find_url
from registry.access.models import User
from registry.access.policy import can
from registry.artifacts import actions as artifacts
from registry.artifacts.models import Blob

SHOWN = 30  # flips of a probe
PROBES = {
    "typos": ("Typos", "5 % of the letters, one at least, replaced by a neighbour on an English keyboard, swapped or dropped."),
    "lower": ("Lower case", "Every letter in lower case."),
    "upper": ("Upper case", "Every letter in upper case."),
    "half": ("Cut in half", "Only the first half of the text."),
    "sentence": ("A sentence after it", f"“{SENTENCE}” stands after the text."),
    "edges": ("Blanks and marks around it", "Blanks, dots, exclamation marks and a line break stand around the text."),
}


@dataclass(frozen=True, slots=True)
class FlipLine:
    """An answer that changed. text, disturbed: empty where the person may not read samples or the item is gone."""

    flip: Flip
    text: str
    disturbed: str
    url: str


def robustness(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The probes with what they changed, the flips of the one that was asked for, and the job while it is not done."""
    evaluation = queries.get_evaluation(user, uuid)
    rules.check_one(evaluation.report)
    found, job = queries.analysis(evaluation, Analysis.Kind.ROBUSTNESS), queries.analysis_job(evaluation, Analysis.Kind.ROBUSTNESS)
    shown = given.get("probe", "")
    context: dict[str, Any] = {
        "evaluation": evaluation, "tabs": tabs(evaluation, "robustness"), "thread": thread(evaluation), "found": found,
        "job": job, "working": job is not None and not job.is_finished, "may_ask": can(user, "evaluation.evaluate", evaluation.run),
    }  # fmt: skip
    if found is None:
        return context
    context["lines"] = [
        {"name": name, "title": PROBES[name][0], "what": PROBES[name][1]} | found.report["probes"][name]
        for name in PROBES
        if name in found.report["probes"]
    ]
    if shown in found.report["probes"]:
        context |= {"shown": shown, "title": PROBES[shown][0], "may_read": may_read(user, evaluation)}
        context["flips"] = flips(user, evaluation, found.rows, shown, found.report["seed"]) if found.rows else []
    return context


def flips(user: User, evaluation: Evaluation, changed: Blob, probe: str, seed: int) -> list[FlipLine]:
    """The worst flips of a probe; the texts are disturbed again as they were. changed: all flips. seed: of the disturbance."""
    with artifacts.local_copy(changed.digest) as path:
        rows = read_flips(path, probe)[:SHOWN]
    items, readable = queries.items_by_digest(evaluation, [flip.id for flip in rows]), may_read(user, evaluation)
    lines = []
    for flip in rows:
        item = items.get(flip.id)
        text = item.text if item and readable else ""
        again = disturb(probe, text, seed=seed, name=flip.id) if text else ""
        lines.append(FlipLine(flip, text, again, find_url("datasets:item", uuid=item.uuid) if item else ""))
    return lines
