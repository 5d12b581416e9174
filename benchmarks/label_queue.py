"""The labeling queue at size: 50 people answer from one queue of a million items, through HTTP.

    python -m benchmarks.label_queue [--rows 1000000] [--people 50] [--think 1.0] [--seconds 60] [--rounds 2]
    [--only sqlite]

Everything happens in installations that are thrown away: one on SQLite, one on the PostgreSQL server of
BENCH_DATABASE_URL (default postgres://postgres@127.0.0.1:5432/postgres, in a database of its own that is
dropped afterwards). Two people answer each item; the answers to a fifth of the items are there. The web
process is the product's own, gunicorn with deploy/gunicorn.conf.py as docs/settings.md advises: one process
of 4 threads on SQLite, two processes of one thread for each core on PostgreSQL, or WEB_WORKERS and
WEB_THREADS. A process plays 50 signed-in browsers as the bench's script does: an annotation is sent, the
items of its response are added to those in hand, and a person chooses every second or so (half to one and a
half). People come in over the first 10 seconds of a round; answers count from then on.

Measured on the server, for every request: the time inside (from the thread that took the request up until the
answer was made, through all middleware, waiting for the database and for other threads included) and that
thread's CPU time. What the browser waited beyond that, on the way and for a free thread, is reported as
queued. A round begins with one person without think time, for the times of a server that has nothing else to
do.

Every slot that the server handed out is kept with the person who got it, and until when: none may be in two
hands at once, and in the end the database must match what was handed out and taken.

Beside it, round by round, what Label Studio asks its database for one next task, on tables of the same rows
in the same database; see benchmarks.label_queue_peer. Those are bare statements of one person and of 10 at
once, without its web application, while ours is the whole request, with the answer before it saved. ratio:
its median with 10 people by ours with 50, of the slower database.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.throwaway import ENGINES, ROOT, file_or_url, installation, play, run
from lifecycle.ground.jobs.supervisor import die_with_parent

BAR: dict[str, Any] = {
    "inside_p95_ms": {"sqlite": 100.0, "postgresql": 50.0},
    "double_holds": 0,
    "times_label_studio": 20.0,
}
RAMP_SECONDS, ALONE_SECONDS = 10.0, 5.0
PEERS, PEER_CLICKS, PEER_CLICKS_ALONE = 10, 2, 3  # in a round
WEB = {
    "sqlite": {"WEB_WORKERS": "1", "WEB_THREADS": "4"},
    "postgresql": {"WEB_WORKERS": str(2 * (os.cpu_count() or 1)), "WEB_THREADS": "1"},
}
WRONG = (
    "double_holds",
    "differs_from_database",
    "judged_twice",
    "judged_too_often",
    "lost",
    "unasked",
    "counter_off",
)


def main() -> int:
    """Run it on both databases; 0 when all bars are met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="items in the queue")
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--think", type=float, default=1.0, help="seconds from choice to choice")
    parser.add_argument("--seconds", type=float, default=60.0, help="of choosing, over all rounds")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=ENGINES, help="one database instead of both")
    given = parser.parse_args()
    figures: dict[str, Any] = {
        "rows": given.rows,
        "people": given.people,
        "think_s": given.think,
        "rounds": given.rounds,
        "cores": os.cpu_count(),
    }
    for engine in [given.only] if given.only else ENGINES:
        figures[engine] = measure(engine, given)
        table(engine, figures[engine])
    found = {engine: figures[engine] for engine in ENGINES if engine in figures}
    ratio = min(each["times_label_studio"] for each in found.values())
    met = (
        all(each["answers"]["inside_p95_ms"] < BAR["inside_p95_ms"][engine] for engine, each in found.items())
        and not any(each["holds"][name] for each in found.values() for name in WRONG)
        and ratio >= BAR["times_label_studio"]
    )
    print(
        json.dumps({"benchmark": "label_queue", "figures": figures, "ratio": ratio, "bar": BAR, "met": met})
    )
    return 0 if met else 1


def measure(engine: str, given: argparse.Namespace) -> dict[str, Any]:
    """All rounds on one database."""
    web_as = {name: os.environ.get(name, value) for name, value in WEB[engine].items()}
    with installation(engine, **web_as) as environment:
        folder, database = Path(environment["DATA_DIR"]), file_or_url(environment)
        queue = play(
            "label_queue_product", "prepare", {"rows": given.rows, "people": given.people}, environment
        )
        peer = play("label_queue_peer", "lay_down", {"database": database}, environment)
        people = [each["user"] for each in queue["people"]]
        lines: dict[str, list[dict[str, Any]]] = {"alone": [], "together": []}
        theirs: dict[str, list[dict[str, Any]]] = {"alone": [], "together": []}
        files = []
        with web(environment) as port:
            for number in range(given.rounds):
                theirs["alone"].append(ask(database, people[:1], PEER_CLICKS_ALONE, environment))
                for part, some, think, ramp, seconds in (
                    ("alone", 1, 0.0, 0.0, ALONE_SECONDS),
                    ("together", given.people, given.think, RAMP_SECONDS, given.seconds / given.rounds),
                ):
                    files.append(str(folder / f"{part}-{number}.jsonl"))
                    load = {
                        "host": "127.0.0.1",
                        "port": port,
                        "bench": queue["bench"],
                        "people": queue["people"][:some],
                        "think": think,
                        "ramp": ramp,
                        "seconds": seconds,
                        "file": files[-1],
                    }
                    run([sys.executable, "-m", "benchmarks.label_queue_load", json.dumps(load)], environment)
                    lines[part] += [json.loads(line) for line in Path(files[-1]).read_text().splitlines()]
                theirs["together"].append(ask(database, people[:PEERS], PEER_CLICKS, environment))
        holds = play(
            "label_queue_product",
            "check",
            {"files": files, "newest_answer": queue["newest_answer"]},
            environment,
        )
    ours = {
        part: summary([line for line in each if line["kind"] == "submit" and line["steady"]])
        for part, each in lines.items()
    }
    label_studio = {part: peer_summary(each) for part, each in theirs.items()}
    return {name.lower(): int(value) for name, value in web_as.items()} | {
        "slots": queue["slots"],
        "answered_before": queue["answered"],
        "laid_down_s": queue["laid_down_s"],
        "answers": ours["together"] | {"per_second": round(ours["together"]["n"] / given.seconds, 1)},
        "answers_alone": ours["alone"],
        "pages": summary([line for line in lines["together"] if line["kind"] == "open"]),
        "holds": holds,
        "label_studio": (
            label_studio | {"laid_down_s": peer["laid_down_s"], "people": min(PEERS, given.people)}
        ),
        "times_label_studio": round(
            label_studio["together"]["p50_ms"] / ours["together"]["inside_p50_ms"], 1
        ),
        "times_label_studio_alone": round(
            label_studio["alone"]["p50_ms"] / ours["alone"]["inside_p50_ms"], 1
        ),
        "load": round(os.getloadavg()[0], 1),
    }


def ask(database: str, people: list[int], clicks: int, environment: dict[str, str]) -> dict[str, Any]:
    """Next tasks of Label Studio, for all of these people at once."""
    return play(
        "label_queue_peer", "ask", {"database": database, "people": people, "clicks": clicks}, environment
    )


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Percentiles of requests, in milliseconds."""
    waited = [1000 * (line["ended"] - line["begun"]) for line in lines]
    found: dict[str, Any] = {"n": len(lines)}
    for name, times in (
        ("inside", [line["inside"] for line in lines]),
        ("cpu", [line["cpu"] for line in lines]),
        ("queued", [whole - line["inside"] for whole, line in zip(waited, lines, strict=True)]),
        ("browser", waited),
    ):
        found |= {f"{name}_p{share}_ms": percentile(times, share) for share in (50, 95)}
    return found | {"inside_p99_ms": percentile([line["inside"] for line in lines], 99)}


def peer_summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The same of a peer's clicks."""
    times = [took for each in rounds for took in each["times"]]
    queries = [count for each in rounds for count in each["queries"]]
    return {
        "n": len(times),
        "p50_ms": percentile(times, 50),
        "p95_ms": percentile(times, 95),
        "queries": statistics.median(queries),
    }


def percentile(values: list[float], share: int) -> float:
    """The value that so many percent do not exceed."""
    return round(sorted(values)[-(-share * len(values) // 100) - 1], 1)


@contextmanager
def web(environment: dict[str, str]) -> Iterator[int]:
    """The product's web process. Gives its port; ends it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "deploy/gunicorn.conf.py",
        "benchmarks.label_queue_wsgi",
    ]
    log = Path(environment["DATA_DIR"]) / "web.log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment | {"HOST": "127.0.0.1", "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 60
            while not answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"The web process did not answer: {log.read_text()[-2000:]}")
                time.sleep(0.2)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def answers(port: int) -> bool:
    """Whether an HTTP server answers there, with whatever status."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def table(engine: str, found: dict[str, Any]) -> None:
    """What was measured, for people."""
    holds, answered = found["holds"], found["answers"]
    print(
        f"\n{engine}: {found['slots']:,} slots, {found['answered_before']:,} answered before, laid down in"
        f" {found['laid_down_s']:.0f} s"
    )
    print(f"web processes: {found['web_workers']}, threads of each: {found['web_threads']}")
    print(f"{answered['per_second']} answers a second; load {found['load']}\n")
    heads = ("n", "inside p50", "p95", "p99", "CPU p50", "queued p50", "p95", "browser p50", "p95 ms")
    print(f"{'requests':<26}" + "".join(f"{head:>{max(8, len(head) + 2)}}" for head in heads))
    for name, each in (
        ("answers, together", answered),
        ("answers, one person", found["answers_alone"]),
        ("pages opened", found["pages"]),
    ):
        cells = (
            each["n"],
            each["inside_p50_ms"],
            each["inside_p95_ms"],
            each["inside_p99_ms"],
            each["cpu_p50_ms"],
            each["queued_p50_ms"],
            each["queued_p95_ms"],
            each["browser_p50_ms"],
            each["browser_p95_ms"],
        )
        print(
            f"{name:<26}"
            + "".join(f"{cell:>{max(8, len(head) + 2)}}" for head, cell in zip(heads, cells, strict=True))
        )
    peer = found["label_studio"]
    for name, each in (
        (f"Label Studio, {peer['people']} people", peer["together"]),
        ("Label Studio, one person", peer["alone"]),
    ):
        print(
            f"{name:<26}{each['n']:>8}{each['p50_ms']:>12}{each['p95_ms']:>8}   ({each['queries']:.0f}"
            " statements for a task)"
        )
    print(
        f"its statements take {found['times_label_studio']} times as long as ours"
        f" ({found['times_label_studio_alone']} for one person)"
    )
    wrong = ", ".join(f"{name.replace('_', ' ')} {holds[name]}" for name in WRONG)
    print(f"{holds['handed_out']:,} slots handed out, {holds['answers']:,} answers taken: {wrong}")


if __name__ == "__main__":
    sys.exit(main())
