"""Counts of the server, for Prometheus and for the protocol's statistics. Only the event loop's thread
writes.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.process_collector import ProcessCollector

from lifecycle.runtime.generation.rules import Ended

SHED = 429
REQUEST = ("endpoint", "version", "arm", "code")
BUCKET_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
PREFIX = "lifecycle_inference"


@dataclass(slots=True)
class Times:
    """Durations of one kind: count, sum in seconds, and counts per histogram bucket (the last one is
    open).
    """

    count: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKET_SECONDS) + 1))

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper edge and cumulative count of each bucket, as a histogram needs them."""
        found, running = [], 0
        for edge, count in zip((*map(str, BUCKET_SECONDS), "+Inf"), self.buckets, strict=True):
            running += count
            found.append((edge, float(running)))
        return found

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.count += 1
        self.seconds += seconds
        self.buckets[bisect.bisect_left(BUCKET_SECONDS, seconds)] += 1


class Metrics:
    """Requests by endpoint, version, arm and HTTP code. Label values come from the routes document, never
    from a client.
    """

    def __init__(self) -> None:
        self._requests: defaultdict[tuple[str, str, str, int], Times] = defaultdict(Times)
        self._queue: defaultdict[tuple[str, str], Times] = defaultdict(Times)
        self._texts: defaultdict[tuple[str, ...], float] = defaultdict(int)
        self._cpu: defaultdict[tuple[str, ...], float] = defaultdict(float)
        self._prompt_tokens: defaultdict[tuple[str, ...], float] = defaultdict(int)
        self._written_tokens: defaultdict[tuple[str, ...], float] = defaultdict(int)
        self._first: defaultdict[tuple[str, str], Times] = defaultdict(Times)
        self._last: dict[tuple[str, str], int] = {}

    def observe(
        self,
        endpoint: str,
        version: str,
        arm: str,
        code: int,
        *,
        seconds: float,
        queue_seconds: float,
        cpu_seconds: float,
        texts: int,
        at_ms: int,
    ) -> None:
        """Count one answered request. cpu_seconds: of the engine."""
        self._requests[endpoint, version, arm, code].add(seconds)
        if code == 200:
            self._queue[endpoint, version].add(queue_seconds)
            self._texts[endpoint, version] += texts
            self._cpu[endpoint, version] += cpu_seconds
            self._last[endpoint, version] = at_ms

    def wrote(self, endpoint: str, version: str, prompts: Sequence[int], ended: Sequence[Ended]) -> None:
        """Count written answers. prompts: tokens of each prompt."""
        self._prompt_tokens[endpoint, version] += sum(prompts)
        for each in ended:
            self._written_tokens[endpoint, version] += each.tokens
            if each.first_seconds is not None:
                self._first[endpoint, version].add(each.first_seconds)

    def statistics(self, endpoint: str, version: str) -> dict[str, Any]:
        """The protocol's statistics of one version of an endpoint."""
        success, fail = Times(), Times()
        for (of, which, _arm, code), times in self._requests.items():
            if (of, which) == (endpoint, version):
                total = success if code == 200 else fail
                total.count += times.count
                total.seconds += times.seconds
        queue = self._queue.get((endpoint, version), Times())
        kinds = {"success": success, "fail": fail, "queue": queue}
        return {
            "name": endpoint,
            "version": version,
            "last_inference": self._last.get((endpoint, version), 0),
            "inference_count": self._texts.get((endpoint, version), 0),
            "execution_count": success.count,
            "inference_stats": {
                kind: {"count": times.count, "ns": int(times.seconds * 1e9)} for kind, times in kinds.items()
            },
            "batch_stats": [],
        }

    def families(self) -> Iterator[Metric]:
        """The counts as Prometheus' families."""
        requests = CounterMetricFamily(
            f"{PREFIX}_requests", "Infer requests by response status.", labels=REQUEST
        )
        durations = HistogramMetricFamily(
            f"{PREFIX}_request_duration_seconds",
            "Time from request to response, including queueing.",
            labels=REQUEST,
        )
        shed = CounterMetricFamily(
            f"{PREFIX}_shed", "Requests rejected with 429 because the queue was full.", labels=("endpoint",)
        )
        away: defaultdict[str, int] = defaultdict(int)
        for (endpoint, version, arm, code), times in sorted(self._requests.items()):
            requests.add_metric((endpoint, version, arm, str(code)), times.count)
            durations.add_metric((endpoint, version, arm, str(code)), times.cumulative(), times.seconds)
            away[endpoint] += times.count if code == SHED else 0
        for endpoint, count in away.items():
            shed.add_metric((endpoint,), count)
        yield from (requests, durations, shed)
        names = ("endpoint", "version")
        waits = HistogramMetricFamily(
            f"{PREFIX}_queue_wait_seconds", "Queueing time of completed requests.", labels=names
        )
        for (endpoint, version), times in sorted(self._queue.items()):
            waits.add_metric((endpoint, version), times.cumulative(), times.seconds)
        yield waits
        first = HistogramMetricFamily(
            f"{PREFIX}_time_to_first_token_seconds",
            "Time from request to the first generated token.",
            labels=names,
        )
        for (endpoint, version), times in sorted(self._first.items()):
            first.add_metric((endpoint, version), times.cumulative(), times.seconds)
        yield first
        yield counter("prompt_tokens", "Tokens of prompts answered.", self._prompt_tokens, names)
        yield counter("generated_tokens", "Tokens generated.", self._written_tokens, names)
        yield counter("texts", "Texts predicted.", self._texts, names)
        yield counter("cpu_seconds", "Engine CPU time of completed requests.", self._cpu, names)


def counter(
    name: str, help_text: str, values: Mapping[tuple[str, ...], float], labels: tuple[str, ...]
) -> Metric:
    """A counter of this server, by its labels."""
    family = CounterMetricFamily(f"{PREFIX}_{name}", help_text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def gauge(name: str, help_text: str, value: float) -> Metric:
    """A single value of this server."""
    return GaugeMetricFamily(f"{PREFIX}_{name}", help_text, value=value)


def total(name: str, help_text: str, value: float) -> Metric:
    """A single count of this server."""
    return CounterMetricFamily(f"{PREFIX}_{name}", help_text, value=value)


def marks(
    name: str, help_text: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    """Values of this server, by their labels."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", help_text, labels=labels)
    for key, value in rows:
        family.add_metric(key, value)
    return family


def process() -> Iterable[Metric]:
    """Memory, CPU time, open files and start of this process, under the standard names of exporters."""
    return ProcessCollector(registry=None).collect()
