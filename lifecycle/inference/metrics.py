"""What the server counts, for Prometheus and for the protocol's statistics. Only the event loop's thread writes."""

from __future__ import annotations

import bisect
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

BUCKET_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
PREFIX = "lifecycle_inference"


@dataclass(slots=True)
class Times:
    """Durations of one kind: count, sum in seconds, and counts per histogram bucket (the last one is open)."""

    count: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKET_SECONDS) + 1))

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.count += 1
        self.seconds += seconds
        self.buckets[bisect.bisect_left(BUCKET_SECONDS, seconds)] += 1


class Metrics:
    """Requests by endpoint, version, arm and HTTP code. Label values come from the routes document, never from a client."""

    def __init__(self) -> None:
        self._requests: defaultdict[tuple[str, str, str, int], Times] = defaultdict(Times)
        self._queue: defaultdict[tuple[str, str], Times] = defaultdict(Times)
        self._texts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._last: dict[tuple[str, str], int] = {}

    def observe(
        self, slug: str, version: str, arm: str, code: int, *, seconds: float, queue_seconds: float, texts: int, at_ms: int
    ) -> None:
        """Count one answered request."""
        self._requests[slug, version, arm, code].add(seconds)
        if code == 200:
            self._queue[slug, version].add(queue_seconds)
            self._texts[slug, version] += texts
            self._last[slug, version] = at_ms

    def statistics(self, slug: str, version: str) -> dict[str, Any]:
        """The protocol's statistics of one version of an endpoint."""
        success, fail = Times(), Times()
        for (of, which, _arm, code), times in self._requests.items():
            if (of, which) == (slug, version):
                total = success if code == 200 else fail
                total.count += times.count
                total.seconds += times.seconds
        queue = self._queue.get((slug, version), Times())
        kinds = {"success": success, "fail": fail, "queue": queue}
        return {
            "name": slug,
            "version": version,
            "last_inference": self._last.get((slug, version), 0),
            "inference_count": self._texts.get((slug, version), 0),
            "execution_count": success.count,
            "inference_stats": {kind: {"count": times.count, "ns": int(times.seconds * 1e9)} for kind, times in kinds.items()},
            "batch_stats": [],
        }

    def prometheus(self, gauges: dict[str, float]) -> str:
        """The text exposition format. gauges: further single values by name."""
        name = f"{PREFIX}_request_duration_seconds"
        lines = [f"# TYPE {name} histogram"]
        totals = [f"# TYPE {PREFIX}_requests_total counter"]
        for (slug, version, arm, code), times in sorted(self._requests.items()):
            labels = f'endpoint="{slug}",version="{version}",arm="{arm}",code="{code}"'
            totals.append(f"{PREFIX}_requests_total{{{labels}}} {times.count}")
            running = 0
            for edge, count in zip((*map(str, BUCKET_SECONDS), "+Inf"), times.buckets, strict=True):
                running += count
                lines.append(f'{name}_bucket{{{labels},le="{edge}"}} {running}')
            lines += [f"{name}_sum{{{labels}}} {times.seconds:.6f}", f"{name}_count{{{labels}}} {times.count}"]
        for gauge, value in gauges.items():
            kind = "counter" if gauge.endswith("_total") else "gauge"
            lines += [f"# TYPE {PREFIX}_{gauge} {kind}", f"{PREFIX}_{gauge} {value:g}"]
        return "\n".join(totals + lines) + "\n"
