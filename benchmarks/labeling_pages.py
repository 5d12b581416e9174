"""The pages of labeling at size: a million items, a million answers, 50 people in one queue.

`python -m benchmarks.labeling_pages [--rows 1000000] [--rounds 20] [--only sqlite]`. Everything happens in
installations that are thrown away: one on SQLite, one on the PostgreSQL server of BENCH_DATABASE_URL (default
postgres://postgres@127.0.0.1:5432/postgres, in a database of its own that is dropped afterwards). Items,
slots, annotations, resolved labels, and disputes are created by one statement each, as the product's own
actions would have left them; its own job then measures the queue. Every page is asked through all of Django
(middleware, permissions, templates) in this process: what is timed is the server's part of an answer.
Statements are counted with 98 annotations of 3 people, then with all: a page with a growing number is
reported.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from benchmarks.throwaway import ENGINES, installation, run

PAGE_MS = 200.0


def main() -> int:
    """Run it on both databases; 0 when all bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="items, and places for answers")
    parser.add_argument("--rounds", type=int, default=20, help="how often each page is asked")
    parser.add_argument("--only", choices=ENGINES, help="one database instead of both")
    parser.add_argument("--inside", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        return inside(given.rows, given.rounds)
    figures = {
        engine: played(engine, given.rows, given.rounds)
        for engine in ([given.only] if given.only else ENGINES)
    }
    for engine, found in figures.items():
        table(engine, found)
    worst = max(found["worst_p95_ms"] for found in figures.values())
    grown = sorted({name for found in figures.values() for name in found["grown"]})
    met = worst < PAGE_MS and not grown
    size = {"rows": given.rows, "rounds": given.rounds}
    result = {
        "benchmark": "labeling_pages",
        "figures": {"size": size, **figures},
        "ratio": round(PAGE_MS / worst, 2),
        "bar": {"page_p95_ms": PAGE_MS, "statements": "constant"},
        "met": met,
    }
    print(json.dumps(result))
    return 0 if met else 1


def played(engine: str, rows: int, rounds: int) -> dict[str, Any]:
    """One database, in a process of its own whose installation is removed afterwards."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.labeling_pages",
        "--inside",
        engine,
        "--rows",
        str(rows),
        "--rounds",
        str(rounds),
    ]
    with installation(engine) as environment:
        found: dict[str, Any] = json.loads(run(command, environment)[-1])
    return found


def inside(rows: int, rounds: int) -> int:
    """In the installation's own process: set up, run, print the result."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    from benchmarks.labeling_pages_product import play

    print(json.dumps(play(rows, rounds)))
    return 0


def table(engine: str, found: dict[str, Any]) -> None:
    """What was found, the slowest page first."""
    print(
        f"\n{engine}: {found['annotations']:,} annotations of {found['people']} people laid down in"
        f" {found['laid_down_s']:.0f} s,"
    )
    print(
        f"measured by the job in {found['measured_s']:.0f} s, with {found['measure_mb']:.0f} MB more than"
        " before;"
    )
    print(
        f"{found['differences']:,} differences behind its cells; load {found['others_load']} on"
        f" {found['cores']} cores\n"
    )
    print(f"{'page':<40}{'p50 ms':>9}{'p95 ms':>9}{'CPU ms':>9}{'statements':>12}")
    for page in sorted(found["pages"], key=lambda each: -each["p95_ms"]):
        few = (
            ""
            if page["statements"] == page["statements_small"]
            else f" (with 98 answers {page['statements_small']})"
        )
        print(
            f"{page['page']:<40}{page['p50_ms']:>9.1f}{page['p95_ms']:>9.1f}{page['cpu_ms']:>9.1f}{page['statements']:>12}{few}"
        )


if __name__ == "__main__":
    sys.exit(main())
