"""A dataset version as a file: a million rows to JSONL and to Parquet by the product's own job, on SQLite and
on PostgreSQL.

`python -m benchmarks.export [--rows 1000000] [--rounds 1] [--only sqlite]`. Everything happens in
installations that are thrown away: one on SQLite, one on the PostgreSQL server of BENCH_DATABASE_URL (default
postgres://postgres@127.0.0.1:5432/postgres, in a database of its own that is dropped afterwards). Items are
created by one statement; a version of 100,000 of them and one of all are in the order of their digests, as
the product creates them, which is a random order in the table.

The export job is timed from its claim to its end: the manifest read, each page of items looked up by key,
rows written, the file kept by digest, the export noted. Compared, round by round, with a bare writer of the
same columns of the same items: one statement without an order, read by a cursor of the server 1,000 rows at a
time, and json.dumps or pyarrow; the label, split, and resolution of a row are made up.

Every measure is a process of its own, so that peak memory is that of one export. It is flat where a million
rows take less than 25 % more, or less than 50 MB more, than a tenth of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from typing import Any

from benchmarks.throwaway import ENGINES, file_or_url, installation, play

PRODUCT, FORMATS = "export_product", ("jsonl", "parquet")
BAR = {"of_bare": 0.25, "peak_growth": 0.25, "or_peak_growth_mb": 50}
SMALL = 100_000


def main() -> int:
    """Run it on both databases; 0 when all bars are met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=ENGINES, help="one database instead of both")
    given = parser.parse_args()
    figures: dict[str, Any] = {
        "rows": given.rows,
        "small": min(SMALL, given.rows),
        "rounds": given.rounds,
        "cores": os.cpu_count(),
    }
    for engine in [given.only] if given.only else ENGINES:
        figures[engine] = measure(engine, given.rows, given.rounds)
        table(engine, figures[engine])
    figures["load"] = round(os.getloadavg()[0], 1)
    found = [figures[engine][kind] for engine in ENGINES if engine in figures for kind in FORMATS]
    ratio = min(each["of_bare"] for each in found)
    met = ratio >= BAR["of_bare"] and all(each["flat"] for each in found)
    print(json.dumps({"benchmark": "export", "figures": figures, "ratio": ratio, "bar": BAR, "met": met}))
    return 0 if met else 1


def measure(engine: str, rows: int, rounds: int) -> dict[str, Any]:
    """All measures on one database, interleaved round by round."""
    small = min(SMALL, rows)
    with installation(engine) as environment:
        database = file_or_url(environment)
        made = play(PRODUCT, "prepare", {"sizes": sorted({small, rows})}, environment)
        kept: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for _ in range(rounds):
            for kind in FORMATS:
                for name, part, asked in (
                    ("bare", "bare", {"database": database, "rows": rows}),
                    ("small", "export", {"snapshot": made["snapshots"][str(small)], "rows": small}),
                    ("export", "export", {"snapshot": made["snapshots"][str(rows)], "rows": rows}),
                ):
                    kept.setdefault((kind, name), []).append(
                        play(PRODUCT, part, {**asked, "kind": kind}, environment)
                    )
    middle = {
        key: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        for key, runs in kept.items()
    }
    return {"laid_down_s": made["laid_down_s"]} | {
        kind: compared(*(middle[kind, n] for n in ("export", "small", "bare"))) for kind in FORMATS
    }


def compared(export: dict[str, Any], small: dict[str, Any], bare: dict[str, Any]) -> dict[str, Any]:
    """One format's figures."""
    growth = export["peak_mb"] - small["peak_mb"]
    return {
        "export": export,
        "small": small,
        "bare": bare,
        "of_bare": round(export["rows_per_s"] / bare["rows_per_s"], 3),
        "peak_growth_mb": round(growth, 1),
        "flat": growth < max(BAR["or_peak_growth_mb"], BAR["peak_growth"] * small["peak_mb"]),
    }


def table(engine: str, found: dict[str, Any]) -> None:
    """What was measured, for people."""
    print(f"\n{engine}: laid down in {found['laid_down_s']:.0f} s")
    heads = (
        "rows/s",
        "bare rows/s",
        "of bare",
        "us CPU/row",
        "bare us",
        "peak MB",
        "at 100k",
        "growth",
        "file MB",
    )
    print(f"{'':8}" + "".join(f"{head:>13}" for head in heads))
    for kind in FORMATS:
        each = found[kind]
        export, bare = each["export"], each["bare"]
        cells = (
            f"{export['rows_per_s']:,.0f}",
            f"{bare['rows_per_s']:,.0f}",
            f"{each['of_bare']:.0%}",
            export["cpu_us_per_row"],
            bare["cpu_us_per_row"],
            export["peak_mb"],
            each["small"]["peak_mb"],
            each["peak_growth_mb"],
            export["file_mb"],
        )
        print(f"{kind:8}" + "".join(f"{cell:>13}" for cell in cells) + ("" if each["flat"] else "  not flat"))


if __name__ == "__main__":
    sys.exit(main())
