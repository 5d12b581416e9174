"""How often the intervals, alarms, verdicts and gates that pages show are right: coverage, false alarms and power in worlds made by a seed.

    python -m benchmarks.statistics [--quick] [--only WORD]

Each case calls the product's own function in one kind of world: rows that are independent; rows in clusters, such as requests of
customers, with an intraclass correlation of .02, .3 or .8; figures that are looked at again and again; feedback that selects. Beside it
stands what is usual: percentile bootstrap, the interval or test for one look and independent rows, a fixed threshold. The bars:

    coverage        not below nominal − 2 points
    false alarms    not above the stated α by more than two standard errors of the simulation
    power           not below 0.8 × that of an oracle on the same data: the same difference held against the limit that, in this very world
                    without an effect, 5 % of paths pass at any of their looks; of burn rates the published table, which fires whenever it
                    is over. Effects are such that the oracle's power is near 0.9 where rows allow it.

A world that a function does not claim to hold in is measured too, and is a miss where it misses. `--quick` takes a tenth of the runs, too
few to tell a point, so that coverage and power may lack two standard errors there. A case is a function that yields rows, named in CASES of
the file of its room.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from benchmarks.statistics.rooms import CASES
from benchmarks.statistics.table import ERRORS, HEAD, NOMINAL, OF_ORACLE, POINTS, QUICK, line, played


def main() -> int:
    """Run it; 0 when all bars are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs: under 2 minutes")
    parser.add_argument("--only", default="", help="cases whose name has this word")
    parser.add_argument("--seed", type=int, default=19)
    given = parser.parse_args()
    began, rows, errors = time.process_time(), [], ERRORS if given.quick else 0.0
    print(HEAD, flush=True)
    for case in CASES:
        if given.only in case.__name__:
            for row in played(case, QUICK if given.quick else 1.0, given.seed):
                rows.append(row)
                print(line(row, errors), flush=True)
    missed = [f"{row.what}, {row.world}, {row.size}, {row.kind}" for row in rows if not row.met(errors)]
    figures = {"rows": len(rows), "missed": missed, "cpu_s": round(time.process_time() - began), "load": os.getloadavg()[0]}
    bar = {"coverage": round(NOMINAL - POINTS, 2), "false_alarms": "α", "power": OF_ORACLE}
    print(f"\n{len(rows) - len(missed)} of {len(rows)} bars met" + "".join(f"\n  missed: {each}" for each in missed))
    print(json.dumps({"benchmark": "statistics", "figures": figures, "quick": given.quick, "bar": bar, "met": not missed}))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
