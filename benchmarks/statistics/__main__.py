"""How often the intervals, alarms, verdicts and gates of the pages are right: coverage, false alarms and
power in simulated worlds.

    python -m benchmarks.statistics [--quick] [--only WORD]

Each case calls the product's own function in one kind of world: independent rows; rows in clusters, such as
requests of customers, with an intraclass correlation of .02, .3 or .8; repeated looks; selective feedback.
The peer is the usual method: percentile bootstrap, the interval or test for one look and independent rows, a
fixed threshold. The bars:

    coverage        not below nominal − 2 points
    false alarms    not above the stated α by more than two standard errors of the simulation
    power           not below 0.8 × that of an oracle on the same data: the same difference compared with the
                    limit that, in this world without an effect, 5 % of paths exceed at any of their looks;
                    for burn rates the published table, which fires whenever it is exceeded. Effects are
                    chosen so that the oracle's power is near 0.9 where rows allow it.

A world outside a function's claims is measured too, and counts as a miss where it misses. `--quick` does a
tenth of the runs, too few for precision to a point, so coverage and power may be two standard errors lower
there. A case is a function that yields rows, listed in CASES of the file of its room.
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    figures = {
        "rows": len(rows),
        "missed": missed,
        "cpu_s": round(time.process_time() - began),
        "load": os.getloadavg()[0],
    }
    bar = {"coverage": round(NOMINAL - POINTS, 2), "false_alarms": "α", "power": OF_ORACLE}
    print(
        f"\n{len(rows) - len(missed)} of {len(rows)} bars met"
        + "".join(f"\n  missed: {each}" for each in missed)
    )
    print(
        json.dumps(
            {
                "benchmark": "statistics",
                "figures": figures,
                "quick": given.quick,
                "bar": bar,
                "met": not missed,
            }
        )
    )
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
