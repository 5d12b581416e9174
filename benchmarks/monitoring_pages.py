"""The pages of the monitoring wing and the ingest of predictions at size: 20 models, 90 days, 10 million
predictions in the rollups.

`python -m benchmarks.monitoring_pages [--small]`. Everything happens in installations that are thrown away:
one on SQLite, one on the PostgreSQL server of BENCH_DATABASE_URL (default
postgres://postgres@127.0.0.1:5432/postgres, in a database of its own that is dropped afterwards). Traffic is
laid down as the product's own task would have counted it: by the minute for 14 days, by the hour before, days
added up by the product. Predictions are then taken in by the product's own ingest from segments as the
inference server writes them, and every page is asked through all of Django (middleware, permissions,
templates) in this process: what is timed is the server's part of an answer. The CPU time of this process is
reported too, and the machine's load: on a busy machine the two differ. Statements of a page are counted with
2 models and 1 day, then with all: a page with a growing number is reported.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from benchmarks.throwaway import installation, run

PAGE_MS, INGEST = 300.0, {"sqlite": 2000.0, "postgresql": 5000.0}
FULL = {"models": 20, "days": 90, "predictions": 10_000_000, "rounds": 20, "lines": 30_000}
SMALL = {"models": 4, "days": 20, "predictions": 100_000, "rounds": 5, "lines": 6_000}


def main() -> int:
    """Run it on both databases; 0 when all bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a hundredth of it, to see that it works")
    parser.add_argument("--inside", choices=list(INGEST), help=argparse.SUPPRESS)
    given = parser.parse_args()
    size = SMALL if given.small else FULL
    if given.inside:
        return inside(size)
    figures = {engine: played(engine, given.small) for engine in INGEST}
    for engine, found in figures.items():
        table(engine, found)
    worst = max(found["worst_p95_ms"] for found in figures.values())
    grown = sorted({name for found in figures.values() for name in found["grown"]})
    quick = {engine: found["ingest_per_second"] >= INGEST[engine] for engine, found in figures.items()}
    met = worst < PAGE_MS and not grown and all(quick.values())
    bar = {"page_p95_ms": PAGE_MS, "statements": "constant", "ingest_per_second": INGEST}
    print(
        json.dumps(
            {
                "benchmark": "monitoring_pages",
                "figures": {"size": size, **figures},
                "ratio": round(PAGE_MS / worst, 2),
                "bar": bar,
                "met": met,
            }
        )
    )
    return 0 if met else 1


def played(engine: str, small: bool) -> dict[str, Any]:
    """One database, in a process of its own whose installation is removed afterwards."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.monitoring_pages",
        "--inside",
        engine,
        *(["--small"] if small else []),
    ]
    with installation(engine, PRICE_PER_CORE_HOUR="0.05") as environment:
        found: dict[str, Any] = json.loads(run(command, environment)[-1])
    return found


def inside(size: dict[str, int]) -> int:
    """In the installation's own process: set up, run, print the result."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    from benchmarks.monitoring_pages_product import play

    print(json.dumps(play(**size)))
    return 0


def table(engine: str, found: dict[str, Any]) -> None:
    """What was found, the slowest page first."""
    rounds = ", ".join(f"{rate:,.0f}" for rate in found["ingest_rounds"])
    print(f"\n{engine}: ingest {found['ingest_per_second']:,.0f} predictions/s ({rounds}),")
    print(f"{found['rows']:,} rows of figures, laid down and added up in {found['laid_down_s']:.0f} s")
    print(f"load {found['others_load']} on {found['cores']} cores when the pages had been asked\n")
    print(f"{'page':<34}{'p50 ms':>9}{'p95 ms':>9}{'CPU ms':>9}{'statements':>12}")
    for page in sorted(found["pages"], key=lambda each: -each["p95_ms"]):
        few = (
            ""
            if page["statements"] == page["statements_small"]
            else f" (with 2 models {page['statements_small']})"
        )
        print(
            f"{page['page']:<34}{page['p50_ms']:>9.1f}{page['p95_ms']:>9.1f}{page['cpu_ms']:>9.1f}{page['statements']:>12}{few}"
        )
    if found["absent"]:
        print(f"not there: {', '.join(found['absent'])}")


if __name__ == "__main__":
    sys.exit(main())
