"""The pages of runs and evaluations at size: a run with a million points, an evaluation of 100,000 items by
200 classes, 10,000 runs.

`python -m benchmarks.run_pages [--small] [--only sqlite]`. Everything happens in installations that are
thrown away: one on SQLite, one on the PostgreSQL server of BENCH_DATABASE_URL (default
postgres://postgres@127.0.0.1:5432/postgres, in a database of its own that is dropped afterwards). Runs and
points are laid down as the product's own actions would have left them (a training value every 10 steps, 1,000
evaluations); the answers are made up, the report over them is the engine's. 4,000 of the 100,000 answered
items have a text. Every page is asked through all of Django (middleware, permissions, templates) in this
process: what is timed is the server's part of an answer. Statements are counted with two runs, one of 20,000
points, which are thinned too, then with all: a page with a growing number is reported.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from benchmarks.throwaway import ENGINES, installation, run

PAGE_MS = 300.0
FULL = {"points": 1_000_000, "items": 100_000, "labels": 200, "runs": 10_000, "rounds": 20}
SMALL = {"points": 20_000, "items": 2_000, "labels": 20, "runs": 200, "rounds": 5}


def main() -> int:
    """Run it on both databases; 0 when all bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a fiftieth of it, to see that it works")
    parser.add_argument("--only", choices=ENGINES, help="one database instead of both")
    parser.add_argument("--inside", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    size = SMALL if given.small else FULL
    if given.inside:
        return inside(size)
    figures = {engine: played(engine, given.small) for engine in ([given.only] if given.only else ENGINES)}
    for engine, found in figures.items():
        table(engine, found)
    worst = max(found["worst_p95_ms"] for found in figures.values())
    grown = sorted({name for found in figures.values() for name in found["grown"]})
    met = worst < PAGE_MS and not grown
    result = {
        "benchmark": "run_pages",
        "figures": {"size": size, **figures},
        "ratio": round(PAGE_MS / worst, 2),
        "bar": {"page_p95_ms": PAGE_MS, "statements": "constant"},
        "met": met,
    }
    print(json.dumps(result))
    return 0 if met else 1


def played(engine: str, small: bool) -> dict[str, Any]:
    """One database, in a process of its own whose installation is removed afterwards."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.run_pages",
        "--inside",
        engine,
        *(["--small"] if small else []),
    ]
    with installation(engine) as environment:
        found: dict[str, Any] = json.loads(run(command, environment)[-1])
    return found


def inside(size: dict[str, int]) -> int:
    """In the installation's own process: set up, run, print the result."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    from benchmarks.run_pages_product import play

    print(json.dumps(play(**size)))
    return 0


def table(engine: str, found: dict[str, Any]) -> None:
    """What was found, the slowest page first."""
    print(
        f"\n{engine}: laid down in {found['laid_down_s']:.0f} s; load {found['others_load']} on"
        f" {found['cores']} cores\n"
    )
    print(f"{'page':<44}{'p50 ms':>9}{'p95 ms':>9}{'CPU ms':>9}{'kB':>8}{'statements':>12}")
    for page in sorted(found["pages"], key=lambda each: -each["p95_ms"]):
        few = (
            ""
            if page["statements"] == page["statements_small"]
            else f" (with little {page['statements_small']})"
        )
        figures = f"{page['p50_ms']:>9.1f}{page['p95_ms']:>9.1f}{page['cpu_ms']:>9.1f}{page['kilobytes']:>8}{page['statements']:>12}"  # noqa: E501
        print(f"{page['page']:<44}{figures}{few}")


if __name__ == "__main__":
    sys.exit(main())
