"""Twelve weeks of generated traffic: the season's messages, predicted by the real server in a separate
folder, and backdated.

Predictions, latencies, CPU times, and unknown words are measured; only the times are made up. Every request
id has the demo's prefix.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from django.conf import settings

from lifecycle.ground.jobs.context import JobContext
from lifecycle.roof.demo.season import Sent
from lifecycle.roof.demo.server import infer, wait_until_ready
from lifecycle.runtime.refusals import Refused

STOP_SECONDS = 30
MARK = "demo-past-"


def answer(ctx: JobContext, name: str, token: str, sent: Sequence[Sent]) -> list[dict[str, object]]:
    """The spool lines that a private server wrote for these messages, in order, each backdated to its
    message's time.
    """
    now = datetime.now(UTC)
    with TemporaryDirectory() as folder:
        with (
            private_server(Path(folder)) as url,
            httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30) as client,
        ):
            if not wait_until_ready(ctx, client, url, name):
                raise Refused(
                    "A server for the demo's past traffic didn't start.", next_step="Check the worker's log."
                )
            for at, each in enumerate(sent):
                infer(
                    client,
                    url,
                    name,
                    each.message.text,
                    request_id=f"{MARK}{at}",
                    key=f"case-{each.message.number}",
                )
                if at % 50 == 0:
                    ctx.raise_if_cancelled()
                    ctx.progress(at, len(sent), stage="Predicting twelve weeks of messages", unit="messages")
        lines = list(written(Path(folder) / "spool"))
    by_place = {int(str(line["request_id"]).removeprefix(MARK)): line for line in lines}
    return [
        by_place[at] | {"at": (now - each.ago).isoformat()} for at, each in enumerate(sent) if at in by_place
    ]


@contextmanager
def private_server(folder: Path) -> Iterator[str]:
    """A context manager: an inference server with our routes and its own spool. Yields its address."""
    data = Path(settings.DATA_DIR)
    (folder / "keys").mkdir()
    shutil.copy(data / "keys" / "signing.pub.pem", folder / "keys")
    shutil.copytree(data / "serving", folder / "serving", ignore=shutil.ignore_patterns("status*"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DATA_DIR": str(folder),
        "INFERENCE_HOST": "127.0.0.1",
        "INFERENCE_PORT": str(port),
        "INFERENCE_NAME": "",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "lifecycle.runtime.inference"], env=environment, cwd=settings.BASE_DIR
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def written(folder: Path) -> Iterator[dict[str, object]]:
    """The requests in the complete segments of a spool."""
    for segment in sorted(folder.glob("*.jsonl")):
        for line in segment.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if "kind" not in row:
                yield row


def dropped() -> Iterator[Path]:
    """Our segments that aren't ingested yet."""
    return (Path(settings.DATA_DIR) / "spool").glob("*-demo.*")


def drop(lines: Sequence[dict[str, object]]) -> None:
    """Write the lines into our spool as one complete segment, to be ingested as usual."""
    folder = Path(settings.DATA_DIR) / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-demo"
    path.with_suffix(".open").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    path.with_suffix(".open").rename(path.with_suffix(".jsonl"))
