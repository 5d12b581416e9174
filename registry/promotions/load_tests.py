"""A load test of exactly the files that a promotion is about, before anyone approves them.

A server of its own gets them in a folder of its own, with a routes document that names only this version.
Both are signed with a key that is thrown away, so nothing that is made here can be served elsewhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings

from datasets_app.datasets.models import Item
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.rules import TEST
from lifecycle.ground.compute.environment import scrubbed
from lifecycle.modeling.evaluation.queries import TEXT_READ
from lifecycle.runtime import bundle
from lifecycle.runtime.inference import load_test
from lifecycle.runtime.inference.load_test import Load, Target
from lifecycle.runtime.inference.names import BUCKETS, FORMAT, STABLE
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.served import served_of
from registry.catalog.actions.files import lay_out_base, needs_base, verified
from registry.catalog.models import ModelVersion
from registry.catalog.rules import task_type

NAME = "load/test"
WAIT_SECONDS = 0.5


def run(version: ModelVersion, clients: int, alive: Callable[[], object]) -> tuple[Load | None, str]:
    """What requests with texts of the test split take, from so many clients at once; or None and why that
    couldn't be measured. alive: called now and then; it may raise to stop.
    """
    token = secrets.token_urlsafe(24)
    try:
        bodies = requests(version, load_test.ROUNDS * load_test.of_round(clients))
        with alone(alive) as scratch, data_folder(version, token, scratch) as folder:
            target = Target(f"/v2/models/{NAME}/infer", token, bodies)
            environment = scrubbed(os.environ, threads=None)
            return load_test.measure(folder, target, environment, clients, alive), ""
    except (Refused, OSError) as problem:
        return None, str(problem).rstrip(".")


@contextmanager
def alone(alive: Callable[[], object]) -> Iterator[Path]:
    """A folder for the only load test of this machine: two at once would slow each other down. What a killed
    one left there is gone.
    """
    folder = Path(settings.DATA_DIR) / "scratch" / "load-test"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                alive()
                time.sleep(WAIT_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def requests(version: ModelVersion, most: int) -> list[dict[str, Any]]:
    """Bodies of requests with one item of the test split each, at most so many."""
    snapshot, served = version.run.snapshot, served_of(task_type(version.facts).key)
    digests = [row.item for row in islice(snapshots.rows_of(snapshot, TEST), most)]
    items = Item.objects.filter(dataset=snapshot.dataset_id, digest__in=digests).order_by("digest")
    found = [served.request(served.given(each.text[:TEXT_READ], each.content)) for each in items]
    if not found:
        raise Refused("The test split has no items.")
    return found


@contextmanager
def data_folder(version: ModelVersion, token: str, scratch: Path) -> Iterator[Path]:
    """What a server reads: the version's files, signed again, its base model, and routes to it alone.
    scratch: where it is made.
    """
    with verified(version, scratch=scratch) as (files, _):
        folder = files.parent / "data"
        key = folder / "keys" / "signing.pem"
        bundle.generate_key(key)
        root = bundle.sign(files, key)
        serving = folder / "serving"
        (serving / "artifacts").mkdir(parents=True)
        files.rename(serving / "artifacts" / root)
        if needs_base(version):
            (serving / "bases").symlink_to(lay_out_base(version).parent, target_is_directory=True)
        (serving / "routes.json").write_bytes(bundle.sign_document(routes(version, root, token), key))
        yield folder


def routes(version: ModelVersion, root: str, token: str) -> dict[str, Any]:
    """The document of routes: everything to this version, for the bearer of this token."""
    uuid = str(version.uuid)
    arm = {
        "arm": STABLE,
        "share": BUCKETS,
        "version": uuid,
        "label": str(version),
        "root_digest": root,
        "deployment": uuid,
    }
    endpoint = {
        "uuid": uuid,
        "task": task_type(version.facts).key,
        "salt": uuid,
        "arms": [arm],
        "shadow": None,
        "standby": [],
        "tokens": [{"digest": hashlib.sha256(token.encode()).hexdigest(), "until": None}],
        "keep_text": False,
        "withdrawn": [],
    }
    return {
        "format": FORMAT,
        "epoch": 1,
        "at": version.registered_at.isoformat(),
        "endpoints": {NAME: endpoint},
    }
