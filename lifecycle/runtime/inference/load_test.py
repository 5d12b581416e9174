"""A load test: a server of its own on one version, some clients, and what requests take.

p95: the 95th percentile of response times in ms, with the interval between two order statistics, which
     assumes no distribution (Hahn and Meeker 1991, section 5.2). Each text counts once, with its slowest
     response: what the same text takes again is no news. The upper end needs 72 texts.
cpu: CPU time of the whole server process in ms per request, with Student's interval over rounds.
"""

from __future__ import annotations

import json
import math
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
ROUNDS, OF_ROUND, OF_CLIENT, WARM_UP = 10, 20, 5, 10
LOAD_SECONDS = 300  # for the first response, which waits until the model is loaded
SECONDS, MOST_SECONDS = 120, 600  # no round begins later, unless there are too few texts; none whatever comes
OVER = -1
SHARE, LEVEL, LEAST = 0.95, 0.025, 72  # of the percentile; beyond each end of its interval; texts for both


@dataclass(frozen=True, slots=True)
class Load:
    """What a load test measured. texts: different ones that got a response. failed: requests without a
    response of status 200. p95, cpu: in ms; None where there were too few texts or rounds.
    """

    requests: int
    texts: int
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


@dataclass(frozen=True, slots=True)
class Response:
    """number: of the body. status: 0 where the connection broke, OVER where the time was over."""

    number: int
    status: int
    ms: float


def of_round(clients: int) -> int:
    """Requests of a round: enough that all clients are at work for most of it."""
    return max(OF_ROUND, OF_CLIENT * clients)


def measure(
    data_dir: Path,
    target: Target,
    environment: Mapping[str, str],
    clients: int = 1,
    alive: Callable[[], object] = lambda: None,
) -> Load:
    """Start a server on a folder with a routes document and artifacts, send it requests, end it. environment:
    the server's, without its own settings. alive: called between rounds; it may raise to stop. Raises Refused
    where the server doesn't start, or doesn't answer.
    """
    with server(data_dir, environment) as (port, process):
        warm_up(port, target)
        begun, spent, size = time.monotonic(), psutil.Process(process.pid), of_round(clients)
        found: list[Response] = []
        cpu: list[float] = []
        for number in range(ROUNDS):
            alive()
            before = cpu_ms(spent)
            numbers = range(number * size, (number + 1) * size)
            part = [
                each
                for each in sent(port, target, numbers, clients, begun + MOST_SECONDS)
                if each.status != OVER
            ]
            found += part
            cpu.append((cpu_ms(spent) - before) / max(len(part), 1))
            gone, texts = time.monotonic() - begun, slowest(found)
            if gone > MOST_SECONDS or (gone > SECONDS and len(texts) >= LEAST):
                break
    failed = sum(each.status != 200 for each in found)
    texts = slowest(found)
    return Load(len(found), len(texts), failed, clients, percentile([*texts.values()]), mean(cpu))


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


def warm_up(port: int, target: Target) -> None:
    """Wait until the model is loaded, and send a few requests. Raises Refused where one fails."""
    until = time.monotonic() + LOAD_SECONDS
    for number in range(WARM_UP):
        (found,) = sent(port, target, [number], 1, until)
        if found.status != 200:
            why = f"failed with status {found.status}" if found.status > 0 else "got no response"
            raise Refused(f"The load test's first requests {why}.")


def sent(port: int, target: Target, numbers: Sequence[int], clients: int, until: float) -> list[Response]:
    """The responses to requests with these numbers. clients: at once. until: monotonic time after which
    nothing is sent or waited for.
    """

    def client(mine: Sequence[int]) -> list[Response]:
        connection = HTTPConnection(HOST, port)
        try:
            return [one(connection, target, number % len(target.bodies), until) for number in mine]
        finally:
            connection.close()

    with ThreadPoolExecutor(clients) as pool:
        parts = pool.map(client, (numbers[at::clients] for at in range(clients)))
        return [each for part in parts for each in part]


def one(connection: HTTPConnection, target: Target, number: int, until: float) -> Response:
    """One request and its response."""
    begun, left = time.perf_counter(), until - time.monotonic()
    if left <= 0:
        return Response(number, OVER, 0.0)
    headers = {"content-type": "application/json", "authorization": f"Bearer {target.token}"}
    try:
        connection.timeout = left
        if connection.sock:
            connection.sock.settimeout(left)
        connection.request("POST", target.path, json.dumps(target.bodies[number]), headers)
        response = connection.getresponse()
        response.read()
    except (OSError, HTTPException):
        connection.close()
        return Response(number, OVER if time.monotonic() >= until else 0, 0.0)
    return Response(number, response.status, (time.perf_counter() - begun) * 1_000)


def slowest(found: Sequence[Response]) -> dict[int, float]:
    """The longest time of each text, by its number, of those that were answered."""
    times: dict[int, float] = {}
    for each in found:
        if each.status == 200:
            times[each.number] = max(each.ms, times.get(each.number, 0.0))
    return times


def cpu_ms(process: psutil.Process) -> float:
    """User and system time of a process so far, in ms. Raises Refused where it has ended."""
    try:
        times = process.cpu_times()
    except psutil.Error as error:
        raise Refused("The load test's server ended while it was tested.") from error
    return float(times.user + times.system) * 1_000


def percentile(times: Sequence[float]) -> Interval | None:
    """The 95th percentile of independent times; None for fewer than LEAST."""
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
