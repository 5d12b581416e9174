"""A load test: a server of its own on one version, some clients, and what requests take.

p95: the 95th percentile of response times in ms, with the interval between two order statistics, which
     assumes no distribution (Hahn and Meeker 1991, section 5.2). Its upper end needs 72 requests.
cpu: CPU time of the whole server in ms per request, with Student's interval over rounds.
"""

from __future__ import annotations

import json
import math
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics.clustered import quantile
from lifecycle.runtime.statistics.intervals import Interval

HOST = "127.0.0.1"
ROUNDS, OF_ROUND, WARM_UP = 10, 20, 10
SECONDS = 120  # no round begins later
WAIT_SECONDS = 300  # for one response, the first of which waits until the model is loaded
SHARE, LEVEL = 0.95, 0.025  # of the percentile; beyond each end of its interval


@dataclass(frozen=True, slots=True)
class Load:
    """What a load test measured. failed: requests without a response of status 200. p95, cpu: in ms; None
    where there were too few requests.
    """

    requests: int
    failed: int
    clients: int
    p95: Interval | None
    cpu: Interval | None


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and the bodies that they have, in turn."""

    path: str
    token: str
    bodies: Sequence[Mapping[str, Any]]


def measure(data_dir: Path, target: Target, environment: Mapping[str, str], clients: int = 1) -> Load:
    """Start a server on a folder with a routes document and artifacts, send it requests, end it. environment:
    the server's, without its own settings. Raises Refused where it doesn't start, or doesn't answer.
    """
    with server(data_dir, environment) as (port, process):
        begun, spent = time.monotonic(), psutil.Process(process.pid)
        if (status := sent(port, target, range(WARM_UP), 1)[-1][0]) != 200:
            raise Refused(f"The load test's first requests failed with status {status}.")
        times: list[float] = []
        cpu: list[float] = []
        failed = 0
        for number in range(ROUNDS):
            before = cpu_ms(spent)
            found = sent(port, target, range(number * OF_ROUND, (number + 1) * OF_ROUND), clients)
            cpu.append((cpu_ms(spent) - before) / OF_ROUND)
            times += [ms for status, ms in found if status == 200]
            failed += sum(status != 200 for status, _ in found)
            if time.monotonic() - begun > SECONDS:
                break
    return Load(len(times) + failed, failed, clients, percentile(times), mean(cpu))


@contextmanager
def server(data_dir: Path, environment: Mapping[str, str]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A server process and its port. It is given a socket that listens already, so that no other program can
    take the port, and the first client waits until it answers.
    """
    with socket.create_server((HOST, 0), backlog=256) as listening:
        settings = {
            "DATA_DIR": str(data_dir),
            "INFERENCE_SOCKET": str(listening.fileno()),
            "INFERENCE_DRAIN_SECONDS": "0",
        }
        with (data_dir / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lifecycle.runtime.inference.guarded"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**environment, **settings},
                pass_fds=(listening.fileno(),),
            )
        port = listening.getsockname()[1]
    try:
        yield port, process
    finally:
        process.kill()
        process.wait()


def sent(port: int, target: Target, numbers: Sequence[int], clients: int) -> list[tuple[int, float]]:
    """The status and the ms of each response; status 0 where the connection broke. clients: at once."""

    def client(mine: Sequence[int]) -> list[tuple[int, float]]:
        connection = HTTPConnection(HOST, port, timeout=WAIT_SECONDS)
        try:
            return [one(connection, target, number) for number in mine]
        finally:
            connection.close()

    with ThreadPoolExecutor(clients) as pool:
        parts = pool.map(client, (numbers[at::clients] for at in range(clients)))
        return [each for part in parts for each in part]


def one(connection: HTTPConnection, target: Target, number: int) -> tuple[int, float]:
    """One request and its response."""
    body = json.dumps(target.bodies[number % len(target.bodies)])
    headers = {"content-type": "application/json", "authorization": f"Bearer {target.token}"}
    begun = time.perf_counter()
    try:
        connection.request("POST", target.path, body, headers)
        response = connection.getresponse()
        response.read()
    except (OSError, HTTPException):
        connection.close()
        return 0, 0.0
    return response.status, (time.perf_counter() - begun) * 1_000


def cpu_ms(process: psutil.Process) -> float:
    """User and system time of a process so far, in ms. Raises Refused where it has ended."""
    try:
        times = process.cpu_times()
    except psutil.Error as error:
        raise Refused("The load test's server ended while it was tested.") from error
    return float(times.user + times.system) * 1_000


def percentile(times: Sequence[float]) -> Interval | None:
    """The 95th percentile of response times; None where there are too few for its upper end."""
    rows, count = sorted(times), len(times)
    below, low, high = 0.0, -1, -1
    for at in range(count):  # P(at values or fewer are below the percentile)
        below += math.comb(count, at) * SHARE**at * (1 - SHARE) ** (count - at)
        if low < 0 and below > LEVEL:
            low = max(at - 1, 0)
        if high < 0 and below >= 1 - LEVEL:
            high = at
    if high < 0:
        return None
    return Interval(rows[math.ceil(SHARE * count) - 1], rows[low], rows[high])


def mean(rounds: Sequence[float]) -> Interval | None:
    """The mean over rounds with Student's interval; None for fewer than three."""
    if len(rounds) < 3:
        return None
    value = statistics.fmean(rounds)
    half = quantile(len(rounds) - 1) * statistics.stdev(rounds) / math.sqrt(len(rounds))
    return Interval(value, max(0.0, value - half), value + half)
