"""How soon a rollback is served after the click on it, how long a stopped canary still answers, under load,
and whether a request fails.

    python -m benchmarks.rollback [--rounds 20]

Real processes: the registry (this one, on an SQLite installation of its own), web server, inference server
and a load. Two versions of all-MiniLM-L6-v2 with heads of their own are trained by the engine first. The
capacity is measured in the same run, by 16 clients that ask without a pause; then requests come at 60 % of
it, on a schedule that does not wait for answers, through all rollbacks. Every second rollback stops a canary
with half of the requests, as the rule does: measured from the commit of the registry's transaction to the
last answer of the version that was taken back. Every other one takes back a version that has all of them, as
a person does on the page: measured from the click, which is when its POST leaves, to the first answer by the
older version, and to the last one of the version taken back. The limit of a second applies to all of these;
`ratio` is the limit divided by the slowest.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle.ground.jobs.supervisor import die_with_parent

ROOT = Path(__file__).parents[1]
SHARE_OF_CAPACITY, BAR_SECONDS = 0.6, 1.0
LABELS = ["billing", "delivery", "refund"]
WORDS = {
    "billing": ["invoice", "charge", "fee"],
    "delivery": ["parcel", "late", "address"],
    "refund": ["refund", "money back", "return"],
}


def main() -> int:
    """Play it, print the table and the line of figures; 0 when the bar is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--capacity-seconds", type=float, default=8.0)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="lifecycle-rollback-") as folder,
        installation(Path(folder)) as environment,
    ):
        artifacts = [train(Path(folder) / f"train-{seed}", seed) for seed in (1, 2)]
        product = importlib.import_module("benchmarks.rollback_product")  # its imports need Django set up
        figures = play(
            product.Registry(artifacts),
            Path(folder),
            environment,
            max(2, given.rounds),
            given.capacity_seconds,
        )
    table(figures)
    slowest = max(figures["p99_ms"], figures["click"]["to_first_p99_ms"])
    met = slowest <= 1000 * BAR_SECONDS and figures["failed"] == 0
    bar = {"p99_ms": 1000 * BAR_SECONDS, "failed": 0}
    ratio = round(1000 * BAR_SECONDS / max(1.0, slowest), 2)
    print(f"limit {1000 * BAR_SECONDS:,.0f} ms, ratio {ratio}, {'met' if met else 'not met'}")
    print(json.dumps({"benchmark": "rollback", "figures": figures, "ratio": ratio, "bar": bar, "met": met}))
    return 0 if met else 1


@contextmanager
def installation(folder: Path) -> Iterator[dict[str, str]]:
    """An empty installation; Django is set up for it. Gives the environment of its processes."""
    os.environ |= {
        "DATA_DIR": str(folder / "var"),
        "DATABASE_URL": "",
        "BROKER_URL": "",
        "DEMO": "0",
        "HF_HUB_OFFLINE": "1",
        "LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "lifecycle.settings",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("prepare", stdout=sys.stderr)
    yield dict(os.environ)


def train(folder: Path, seed: int) -> Path:
    """A version's files, by the engine: MiniLM with a head trained on thirty sentences."""
    from lifecycle.runtime.engine.base import MINILM, bundled_minilm

    folder.mkdir()
    for part, count in (("train", 30), ("validation", 6), ("test", 6)):
        rows = [
            {
                "id": f"{part}-{at}",
                "text": f"About my {WORDS[label][at % 3]}, number {seed * at}",
                "label": label,
            }
            for at in range(count)
            for label in [LABELS[at % 3]]
        ]
        (folder / f"{part}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
        )
    spec = {
        "base": {"path": str(bundled_minilm()), "name": MINILM},
        "labels": LABELS,
        "strategy": {"kind": "head"},
        "epochs": 1,
        "batch_size": 8,
        "learning_rate": 0.01,
        "max_tokens": 64,
        "seed": seed,
    }
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    command = [sys.executable, "-m", "lifecycle.runtime.engine", "train", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise SystemExit(f"The engine did not train: {done.stderr[-2000:]}")
    return folder / "artifact"


def play(
    registry: Any, folder: Path, environment: dict[str, str], rounds: int, seconds: float
) -> dict[str, Any]:
    """Serve, measure the capacity, roll back under 60 % of it. registry:
    benchmarks.rollback_product.Registry.
    """
    port, site = free_port(), free_port()
    ports = environment | {"INFERENCE_PORT": str(port), "PORT": str(site)}
    web = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "lifecycle.wsgi"]
    with (
        process([sys.executable, "-m", "lifecycle.runtime.inference"], ports, folder / "inference.log"),
        process(web, ports, folder / "web.log"),
    ):
        registry.settle()
        registry.sign_in(f"http://127.0.0.1:{site}")
        where = ["127.0.0.1", str(port), f"/v2/models/{registry.endpoint.full_name}/infer", registry.secret]
        asking(where, 0, 3, folder / "warm.jsonl")
        capacity = (
            len(
                [line for line in asking(where, 0, seconds, folder / "capacity.jsonl") if line["code"] == 200]
            )
            / seconds
        )
        rate = SHARE_OF_CAPACITY * capacity
        command = [
            sys.executable,
            "-m",
            "benchmarks.rollback_load",
            *where,
            str(rate),
            "3600",
            str(folder / "load.jsonl"),
        ]
        taken = []
        with process(command, environment, folder / "load.log", stdin=subprocess.PIPE) as load:
            for number in range(rounds):
                taken.append(registry.canary_stopped() if number % 2 == 0 else registry.rolled_back())
                print(f"round {number + 1} of {rounds}: {taken[-1]['kind']}", file=sys.stderr)
            assert load.stdin is not None
            load.stdin.close()
            load.wait(60)
        return figures_of(read(folder / "load.jsonl"), taken, capacity, rate)


def asking(where: list[str], rate: float, seconds: float, file: Path) -> list[dict[str, Any]]:
    """One stretch of load, waited for."""
    command = [sys.executable, "-m", "benchmarks.rollback_load", *where, str(rate), str(seconds), str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, preexec_fn=die_with_parent) as running:  # noqa: PLW1509
        if running.wait(seconds + 60):
            raise SystemExit("The load did not run.")
    return read(file)


def read(file: Path) -> list[dict[str, Any]]:
    """What the load wrote."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def figures_of(
    lines: list[dict[str, Any]], taken: list[dict[str, Any]], capacity: float, rate: float
) -> dict[str, Any]:
    """From what was asked and what was taken back. taken: kind, commit (monotonic), until (when the next
    round began), version.
    """
    clicks = [each for each in taken if "older" in each]
    firsts, posts = [], [1000 * (each["answered"] - each["commit"]) for each in clicks]
    for each in clicks:
        served = [
            line["ended"]
            for line in lines
            if line["version"] == each["older"] and each["commit"] < line["ended"] < each["until"]
        ]
        if not served:
            raise SystemExit("The older version never answered after a click.")
        firsts.append(1000 * (min(served) - each["commit"]))
    lags: dict[str, list[float]] = {"canary stopped": [], "rolled back": []}
    for each in taken:
        if not any(line["version"] == each["version"] and line["begun"] < each["commit"] for line in lines):
            raise SystemExit("The version that was to be taken back never answered: nothing was measured.")
        after = [
            line["ended"]
            for line in lines
            if line["version"] == each["version"] and each["commit"] < line["ended"] < each["until"]
        ]
        lags[each["kind"]].append(1000 * (max(after, default=each["commit"]) - each["commit"]))
    both = [lag for kind in lags.values() for lag in kind]
    if max(both) == 0:
        raise SystemExit(
            "No answer of the old split came after any commit: the load was too small to measure."
        )
    waits = [1000 * (line["ended"] - line["due"]) for line in lines]
    failed = [line for line in lines if line["code"] != 200]
    return {
        "rollbacks": len(taken),
        "p50_ms": percentile(both, 50),
        "p99_ms": percentile(both, 99),
        "max_ms": round(max(both), 1),
        "by_kind": {
            kind: {"p50_ms": percentile(each, 50), "max_ms": round(max(each), 1)}
            for kind, each in lags.items()
            if each
        },
        "click": {
            "clicks": len(clicks),
            "to_first_p50_ms": percentile(firsts, 50),
            "to_first_p99_ms": percentile(firsts, 99),
            "to_first_max_ms": round(max(firsts), 1),
            "post_p50_ms": percentile(posts, 50),
            "post_max_ms": round(max(posts), 1),
        },
        "requests": len(lines),
        "failed": len(failed),
        "codes": sorted({line["code"] for line in failed}),
        "capacity_per_second": round(capacity, 1),
        "asked_per_second": round(rate, 1),
        "answered_per_second": round(len(lines) / (lines[-1]["ended"] - lines[0]["begun"]), 1),
        "latency_ms": {
            "p50": percentile(waits, 50),
            "p95": percentile(waits, 95),
            "p99": percentile(waits, 99),
        },
    }


def percentile(values: list[float], at: float) -> float:
    """Rounded to a tenth of a millisecond."""
    return round(float(np.percentile(values, at)), 1)


@contextmanager
def process(
    command: list[str], environment: dict[str, str], log: Path, stdin: Any = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed afterwards."""
    with log.open("wb") as file:
        running = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=stdin,
            stdout=file,
            stderr=file,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
    try:
        yield running
    except BaseException:
        shutil.copyfileobj(log.open("rb"), sys.stderr.buffer)
        raise
    finally:
        running.terminate()
        running.wait(60)


def free_port() -> int:
    """A port that nothing listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def table(figures: dict[str, Any]) -> None:
    """What was measured, for people."""
    print(f"{'capacity':34}{figures['capacity_per_second']:>10.1f} requests/s")
    print(f"{'load':34}{figures['asked_per_second']:>10.1f} requests/s on schedule")
    print(f"{'requests, failed':34}{figures['requests']:>10,} {figures['failed']:,}")
    waits = figures["latency_ms"]
    print(
        f"{'latency from due time, ms':34}{waits['p50']:>10.1f} p50 {waits['p95']:10.1f} p95"
        f" {waits['p99']:10.1f} p99"
    )
    for kind, each in figures["by_kind"].items():
        begun = "commit" if kind == "canary stopped" else "click"
        print(
            f"{kind + f', {begun} to last answer':34}{each['p50_ms']:>10.1f} p50 {each['max_ms']:10.1f} max"
        )
    click = figures["click"]
    p50, p99, most = click["to_first_p50_ms"], click["to_first_p99_ms"], click["to_first_max_ms"]
    print(f"{'click to first answer of older':34}{p50:>10.1f} p50 {p99:10.1f} p99 {most:10.1f} max")
    print(
        f"{'click to the answer of the site':34}{click['post_p50_ms']:>10.1f} p50"
        f" {click['post_max_ms']:10.1f} max"
    )
    print(
        f"{'all, to the last answer':34}{figures['p50_ms']:>10.1f} p50 {figures['p99_ms']:10.1f} p99"
        f" {figures['max_ms']:10.1f} max\n"
    )


if __name__ == "__main__":
    sys.exit(main())
