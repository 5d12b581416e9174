"""Comparing the kept texts of a window with those of the evaluation: a job, since it embeds up to two
thousand texts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from django.conf import settings
from django.db import transaction
from numpy.typing import NDArray

from lifecycle.ground.compute import warm
from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.runtime.refusals import Refused
from monitoring.drift import comparing, domain, queries
from monitoring.drift.actions.baseline import baseline, read_of
from monitoring.drift.actions.measure import common, follow, judged, lock
from monitoring.drift.comparing import Compared, Vectors
from monitoring.drift.models import Baseline, TextCheck
from monitoring.drift.rules import TEXTS_MAX, Span, State
from monitoring.traffic import queries as traffic
from monitoring.traffic.queries import Kept
from registry.catalog.actions import materialise
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access.models import User
from registry.ground.ledger.rules import digest_of

BATCH = 64
SEED = 1
Step = Callable[[str, int, int | None], None]


def check_texts_of_day(
    endpoint: Endpoint, version: ModelVersion, span: Span, *, actor: User | None = None
) -> Job:
    """Queue the comparison of a window's texts; while one waits or runs, that one is returned."""
    args = {
        "endpoint": str(endpoint.uuid),
        "version": str(version.uuid),
        "start": span.start.isoformat(),
        "end": span.end.isoformat(),
    }
    key = f"drift.texts:{endpoint.uuid}"
    return enqueue(
        "drift.texts", actor=actor, project=endpoint.model.project, args=args, subject=endpoint, key=key
    )


def check_texts(
    ctx: JobContext, endpoint: Endpoint, version: ModelVersion, span: Span, *, requested: bool = False
) -> TextCheck:
    """Compare kept texts of a window, 1,000 drawn from all of it, with as many of the evaluation, each text
    once; the same window again is the same check.

    Raises NotReady where the engine does not answer (it is tried again), Refused or Damaged where the
    evaluation cannot be used.
    """
    known: TextCheck | None = queries.same_window(TextCheck, endpoint, version, span, requested=requested)
    if known:
        return known

    def step(stage: str, done: int = 0, total: int | None = None) -> None:
        ctx.raise_if_cancelled()
        ctx.progress(done, total, stage=stage, unit="texts")

    step("Reading texts")
    base = baseline(version)
    current = traffic.drawn_texts(endpoint, span.start, span.end, TEXTS_MAX, version)
    current = [current[at] for at in comparing.once([each.text for each in current])]
    digests, reference, clusters = sample(base)
    compared = comparing.too_few(len(reference), len(current))
    if compared is None:
        texts = [each.text for each in current]
        compared = comparing.compare(
            reference,
            texts,
            [each.key for each in current],
            vectors(version, digests, reference, texts, step),
            step,
            clusters,
        )
    ctx.raise_if_cancelled()
    return write(ctx, endpoint, version, base, span, compared, current, len(reference), requested)


# ── Reading ─────────────────────────────────────────────────────────────────
def sample(base: Baseline) -> tuple[list[str], list[str], list[int] | None]:
    """Up to 1,000 items of the evaluation that still have a text, each text once, the same ones each time:
    (digests, texts, the group of near duplicates of each, None where no one counted).
    """
    answers = evaluations.rows_of(base.evaluation)
    order = np.random.default_rng(SEED).permutation(len(answers.ids))[:TEXTS_MAX]
    places = {answers.ids[at]: at for at in sorted(order.tolist())}
    items = evaluations.items_by_digest(base.evaluation, places)
    texts = {digest: read_of(items[digest])[0] for digest in places if digest in items}
    kept = [digest for digest, text in texts.items() if text]
    kept = [kept[at] for at in comparing.once([texts[digest] for digest in kept])]
    clusters = (
        None if answers.clusters is None else [int(answers.clusters[places[digest]]) for digest in kept]
    )
    return kept, [texts[digest] for digest in kept], clusters


def vectors(
    version: ModelVersion,
    digests: Sequence[str],
    reference: Sequence[str],
    current: Sequence[str],
    step: Step,
) -> Vectors | str:
    """The embeddings of both sides by the version itself; the sentence why not where it makes none."""
    artifact = materialise(version)
    try:
        path = (
            Path(settings.DATA_DIR)
            / "cache"
            / "drift"
            / f"{version.root_digest[:16]}-{digest_of(list(digests))[:16]}.npy"
        )
        if path.exists():
            known = np.load(path, allow_pickle=False)
        else:
            known = embed(
                artifact, reference, lambda done: step("Embedding the evaluation", done, len(reference))
            )
            keep(path, known)
        now = embed(artifact, current, lambda done: step("Embedding the window", done, len(current)))
    except Refused as refusal:
        return f"The model produces no embeddings. {refusal.message}"
    return known.astype(np.float64), now.astype(np.float64)


def embed(artifact: Path, texts: Sequence[str], progress: Callable[[int], None]) -> NDArray[np.float32]:
    """Vectors float32 (N, hidden), 64 texts at a time, so that a cancel takes effect soon."""
    parts = []
    for at in range(0, len(texts), BATCH):
        progress(at)
        parts.append(np.asarray(warm.embed(artifact, list(texts[at : at + BATCH])), dtype=np.float32))
    return np.concatenate(parts)


def keep(path: Path, known: NDArray[np.float32]) -> None:
    """Keep the reference's vectors for the next day; a reader never sees half of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, suffix=".npy", delete=False) as file:
        np.save(file, known)
    os.replace(file.name, path)


# ── Writing ─────────────────────────────────────────────────────────────────
@transaction.atomic
def write(
    ctx: JobContext,
    endpoint: Endpoint,
    version: ModelVersion,
    base: Baseline,
    span: Span,
    compared: Compared,
    current: Sequence[Kept],
    reference_rows: int,
    requested: bool,
) -> TextCheck:
    """Judge the check beside those before it, and keep what follows; only while the job is still ours."""
    ctx.hold()
    lock(endpoint)
    known: TextCheck | None = queries.same_window(TextCheck, endpoint, version, span, requested=requested)
    if known:
        return known
    results = judged(TextCheck, endpoint, version, span, compared.found, acts=not requested)
    check = TextCheck.objects.create(
        **common(endpoint, version, base, span, results, len(current), requested),
        reference_rows=reference_rows,
        outside=compared.outside,
        new_words=domain.plain(compared.new_words),
        missing_words=domain.plain(compared.missing_words),
        typical=[str(current[at].uuid) for at in compared.typical],
    )
    if not requested:
        follow(check, results)
    return check


def note_failure(
    endpoint: Endpoint, version: ModelVersion, start: datetime, end: datetime, error: str, *, requested: bool
) -> None:
    """A check that gives the reason why it failed, so that "failed" is never read as "nothing found"."""
    TextCheck.objects.get_or_create(
        endpoint=endpoint,
        version=version,
        window_start=start,
        window_end=end,
        requested=requested,
        defaults={
            "rows": 0,
            "reference_rows": 0,
            "state": State.FAILED,
            "why": error[:500] or "Failed for an unknown reason.",
        },
    )
