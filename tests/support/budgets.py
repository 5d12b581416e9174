"""`python -m tests.support.budgets`: what the last whole run of each suite cost, beside what
`[tool.lifecycle.budgets]` allows it.

Statements are counted. Processor seconds, of tests and of what they start, are scaled by a yardstick of
Python that each worker ran beside its tests, so that a slow or busy machine is no reason to fail. Exit status
1 where a suite is over its budget.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.support.costs import KEPT, YARDSTICK_SECONDS, totals

ROOT = Path(__file__).parents[2]


def spent(kept: dict[str, Any]) -> dict[str, float]:
    """The figures of a run that was kept. cpu_seconds: on a machine whose yardstick takes
    YARDSTICK_SECONDS.
    """
    _, own, children, statements = totals(
        phase for phases in kept["tests"].values() for phase in phases.values()
    )
    return {"cpu_seconds": (own + children) * YARDSTICK_SECONDS / kept["yardstick"], "statements": statements}


def over(name: str, kept: dict[str, Any], allowed: dict[str, float]) -> list[str]:
    """One line for each figure of a suite that is above its budget."""
    found = spent(kept)
    return [
        f"{name}: {found[each]:,.0f} {each}, of {most:,} allowed"
        for each, most in allowed.items()
        if found[each] > most
    ]


def main() -> int:
    """Print what each suite spent; 1 where one is over."""
    budgets = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["lifecycle"][
        "budgets"
    ]
    wrong = []
    for name, allowed in budgets.items():
        if (path := KEPT / f"{name}.json").exists():
            kept = json.loads(path.read_text())
            found = spent(kept)
            print(
                f"{name}: "
                + ", ".join(f"{found[each]:,.0f} of {most:,} {each}" for each, most in allowed.items())
            )
            wrong += over(name, kept, allowed)
    for each in wrong:
        print(f"Over budget: {each}. `--costs` shows the dearest files and tests.", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
