"""Whether ordinary requests are answered while others are half sent, and what an upload costs in memory.

    python -m benchmarks.slow_clients [--half-sent 50] [--requests 200] [--upload-mb 256] [--worker gthread]

Real processes on an empty installation: the site under `deploy/gunicorn.conf.py`, and the inference server.
`/healthz` of the site and `/v2/health/live` of the server are asked one after the other, first alone, then
while so many connections have sent half a header and as many half a body. Printed: median and largest time of
both, their ratio, how many got no answer within GIVE_UP seconds, and by how much the memory of the site grows
while a body of `--upload-mb` comes in. `--worker gthread` measures gunicorn's own threads for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from lifecycle.ground.jobs.supervisor import die_with_parent

ROOT = Path(__file__).parents[1]
GIVE_UP = 5.0
HALF_A_HEADER = b"GET / HTTP/1.1\r\nHost: loc"
HALF_A_BODY = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
PIECE = b"x" * (1 << 20)


def main() -> int:
    """Measure both servers and print a line of figures each; 0 where every ordinary request was answered."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--half-sent", type=int, default=50)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--upload-mb", type=int, default=256)
    parser.add_argument("--worker", default="")
    given = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="lifecycle-slow-") as folder:
        environment = os.environ | {
            "DATA_DIR": folder,
            "DEMO": "0",
            "UPLOAD_MAX_MB": str(max(512, given.upload_mb)),
        }
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True
        )
        chosen = ["--worker-class", given.worker, "--threads", "4"] if given.worker else []
        site = [
            str(Path(sys.executable).parent / "gunicorn"),
            "--config",
            "deploy/gunicorn.conf.py",
            *chosen,
            "lifecycle.wsgi",
        ]
        with serving(site, "PORT", environment, "/healthz") as (port, process):
            failed += measure(
                "site", given.worker or "buffering", port, "/healthz", given.half_sent, given.requests
            )
            if not given.worker:
                print(
                    json.dumps(
                        {
                            "server": "site",
                            "upload_mb": given.upload_mb,
                            "grown_mb": grown(process, port, given.upload_mb),
                        }
                    )
                )
        inference = [sys.executable, "-m", "lifecycle.runtime.inference"]
        with serving(inference, "INFERENCE_PORT", environment, "/v2/health/live") as (port, _):
            failed += measure(
                "inference", "uvicorn", port, "/v2/health/live", given.half_sent, given.requests
            )
    return 1 if failed else 0


def measure(server: str, worker: str, port: int, path: str, half_sent: int, requests: int) -> int:
    """Measure a server and print the figures; returns the number of ordinary requests without a response."""
    alone = [asked(port, path) for _ in range(requests)]
    with ExitStack() as stack:
        for half in (HALF_A_HEADER, HALF_A_BODY):
            for _ in range(half_sent):
                connection = stack.enter_context(
                    socket.create_connection(("127.0.0.1", port), timeout=GIVE_UP)
                )
                connection.sendall(half)
        beside: list[float | None] = []
        while len(beside) < requests and beside.count(None) < 3:
            beside.append(asked(port, path))
    answered = [each for each in beside if each is not None]
    quiet = [each for each in alone if each is not None]
    figures = {
        "server": server,
        "worker": worker,
        "half_sent": 2 * half_sent,
        "alone_ms": milliseconds(quiet),
        "beside_ms": milliseconds(answered),
        "ratio": (
            round(statistics.median(answered) / statistics.median(quiet), 2) if answered and quiet else None
        ),
        "unanswered": beside.count(None),
    }
    print(json.dumps(figures))
    return beside.count(None)


def milliseconds(seconds: list[float]) -> list[float]:
    """Median and largest."""
    return [round(1000 * each, 2) for each in (statistics.median(seconds), max(seconds))] if seconds else []


def asked(port: int, path: str) -> float | None:
    """Seconds until the first bytes of a response; None where none arrived in time."""
    began = time.perf_counter()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=GIVE_UP) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            )
            return time.perf_counter() - began if connection.recv(64) else None
    except OSError:
        return None


def grown(process: subprocess.Popen[bytes], port: int, megabytes: int) -> float:
    """Peak growth in MB of the resident memory of a server's processes while a body was received and
    answered.
    """
    all_of_it = list(psutil.Process(process.pid).children(recursive=True))

    def resident() -> float:
        return sum(each.memory_info().rss for each in all_of_it) / (1 << 20)

    before = most = resident()
    head = (
        b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type:"
        b" application/octet-stream\r\nContent-Length: %d\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(head % (megabytes << 20))
        for _ in range(megabytes):
            connection.sendall(PIECE)
            most = max(most, resident())
        connection.recv(64)
        most = max(most, resident())
    return round(most - before, 1)


@contextmanager
def serving(
    command: list[str], variable: str, environment: dict[str, str], path: str
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A server on a free port, once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment | {variable: str(port)}, preexec_fn=die_with_parent
    )
    try:
        until = time.monotonic() + 120
        while asked(port, path) is None:
            if time.monotonic() > until or process.poll() is not None:
                raise SystemExit(f"{command[0]} does not answer.")
            time.sleep(0.2)
        yield port, process
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
