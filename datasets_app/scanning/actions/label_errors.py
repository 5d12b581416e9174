"""The job that finds resolved labels that are probably wrong. It never changes labels."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datasets_app.assist import embeddings
from datasets_app.datasets.models import Item
from datasets_app.scanning import queries, rules
from datasets_app.scanning.actions.recording import Draft, record
from datasets_app.scanning.actions.scans import finish, load
from datasets_app.scanning.models import Scan
from datasets_app.scanning.rules import FOLDS, SEED, TEXT_LIMIT, Kind
from datasets_app.schemas.models.schemas import Label
from lifecycle.ground.compute.child import run_child
from lifecycle.ground.jobs.context import JobContext
from lifecycle.runtime.engine.base import BaseFolder
from lifecycle.runtime.refusals import Refused

PROGRAM = (sys.executable, "-m", "datasets_app.scanning.guessing")
BATCH = 1_000


class Classes(NamedTuple):
    """The labels of decisions. rows: by their number in the program's files."""

    numbers: dict[Any, int]  # by stable id
    rows: list[Label]


def run_label_errors(ctx: JobContext) -> None:
    """The job: write labeled texts to files, run the program on them, and create findings from its issues.
    Safe to rerun.
    """
    scan = load(ctx)
    ctx.checkpoint({})  # drop that of an earlier attempt, whose folder no longer exists
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = embeddings.packaged_base()
        classes = write_rows(ctx, scan, folder, base)
        spec = {"folds": FOLDS, "seed": SEED, "width": base.hidden_size if base else 0}
        (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        result = run_child(ctx, "label-errors", folder, lambda _: None, program=PROGRAM, grace_seconds=5.0)
        ctx.raise_if_cancelled()
        if not result.ok:
            raise Refused(result.message, next_step=result.next_step)
        for done in write_findings(ctx, scan, folder, classes):
            ctx.progress(done, result.data["issues"], stage="Writing data issues", unit="findings")
            ctx.raise_if_cancelled()
    kept = [each for each in ("rows", "left_out_rows", "agreement", "folds", "noise") if each in result.data]
    left_out = [classes.rows[number].name for number in result.data["left_out"]]
    finish(
        ctx,
        scan,
        {key: result.data[key] for key in kept} | {"left_out": left_out, "encoder": embeddings.base_name()},
    )


def write_rows(ctx: JobContext, scan: Scan, folder: Path, base: BaseFolder | None) -> Classes:
    """Write every labeled item with the beginning of its text to rows.jsonl, and its embedding to the file
    vectors.
    """
    classes = Classes({}, [])
    done = 0

    def report(number: int) -> None:
        ctx.progress(done + number, scan.dataset.items_total, stage="Reading labeled texts", unit="texts")
        ctx.raise_if_cancelled()

    with (
        (folder / "rows.jsonl").open("w", encoding="utf-8") as file,
        (folder / "vectors").open("wb") as vectors,
    ):
        for page in queries.decided(scan.dataset):
            texts: list[tuple[str, str]] = []
            for decision in page:
                item, label = decision.item, decision.label
                if label is None:  # of another task
                    continue
                number = classes.numbers.setdefault(label.stable_id, len(classes.rows))
                if number == len(classes.rows):
                    classes.rows.append(label)
                elif label.pk > classes.rows[number].pk:
                    classes.rows[number] = label  # from the newer schema version
                row = {
                    "item": item.pk,
                    "form": item.normal_digest,
                    "text": item.text[:TEXT_LIMIT],
                    "label": number,
                }
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                texts.append((item.digest, item.text[:TEXT_LIMIT]))
            if base is not None and texts:
                vectors.write(embeddings.vectors(base, texts, report).astype(np.float16).tobytes())
            report(len(page))
            done += len(page)
    return classes


def write_findings(ctx: JobContext, scan: Scan, folder: Path, classes: Classes) -> Iterator[int]:
    """Write a finding for each issue, in batches. Yields the number written so far."""
    done = 0
    with (folder / "issues.jsonl").open(encoding="utf-8") as file:
        while batch := [json.loads(line) for line in islice(file, BATCH // 2)]:
            digests = dict(
                Item.objects.filter(pk__in=[row["item"] for row in batch]).values_list("pk", "digest")
            )
            drafts = []
            for row in batch:
                given, predicted = classes.rows[row["given"]], classes.rows[row["predicted"]]
                key = rules.label_error_key(digests[row["item"]], given.stable_id)
                drafts.append(
                    Draft(
                        Kind.LABEL_ERROR,
                        key,
                        row["score"],
                        item=row["item"],
                        given=given.pk,
                        predicted=predicted.pk,
                    )
                )
            record(ctx, scan, drafts)
            done += len(batch)
            yield done
