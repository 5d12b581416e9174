"""What each test costs: seconds by the clock and of the processor, of the test and of the processes it
started, and statements asked of the database. With --costs=NAME the whole run is kept in
`.pytest_cache/costs/NAME.json`, and the dearest files and tests stand at its end.
"""

from __future__ import annotations

import json
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.support.forked import Forked

YARDSTICK_SECONDS = 0.055  # what `yardstick` takes on the machine that budgets are written for
KEPT = Path(__file__).parents[2] / ".pytest_cache" / "costs"
FIGURES = ("wall", "cpu", "children", "statements")
BETWEEN_YARDSTICKS = 500  # tests


def count_statements(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Statements of the test's own thread; those of a live server are not among them."""
    count_statements.seen += 1
    return execute(sql, params, many, context)


count_statements.seen = 0


def now() -> tuple[float, float, float, int]:
    """The clocks of this process, in the order of FIGURES."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    others = children.ru_utime + children.ru_stime + Forked.cpu_seconds
    return (time.perf_counter(), own.ru_utime + own.ru_stime, others, count_statements.seen)


def yardstick() -> float:
    """Processor seconds of a fixed piece of Python, the quickest of three."""
    found = []
    for _ in range(3):
        start = time.process_time()
        sum({str(each): each for each in range(200_000)}.values())
        found.append(time.process_time() - start)
    return min(found)


class Recorder:
    """In each worker: writes into a test's reports what its phases cost."""

    tests = 0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
        report = yield
        before, after = item.stash.get(STARTED, None), now()
        item.stash[STARTED] = after
        if before:
            report.user_properties = [
                *(pair for pair in report.user_properties if pair[0] != "cost"),
                ("cost", [round(b - a, 4) for a, b in zip(before, after, strict=True)]),
            ]
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        if count_statements not in connection.execute_wrappers:
            connection.execute_wrappers.append(count_statements)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.tests += 1
        if self.tests % BETWEEN_YARDSTICKS == 1:
            item.user_properties.append(("yardstick", yardstick()))
        item.stash[STARTED] = now()
        return (yield)


STARTED: pytest.StashKey[tuple[float, float, float, int]] = pytest.StashKey()


class Ledger:
    """In the process that the person started: gathers what the workers report."""

    def __init__(self, name: str) -> None:
        self.name, self.began = name, time.perf_counter()
        self.tests: dict[str, dict[str, list[float]]] = defaultdict(dict)
        self.yardsticks: list[float] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for key, cost in report.user_properties:
            if key == "cost":
                self.tests[report.nodeid][report.when] = cost
            elif key == "yardstick" and report.when == "setup":
                self.yardsticks.append(cost)

    def pytest_sessionfinish(self) -> None:
        KEPT.mkdir(parents=True, exist_ok=True)
        yards = statistics.median(self.yardsticks or [YARDSTICK_SECONDS])
        kept = {
            "seconds": round(time.perf_counter() - self.began, 1),
            "yardstick": yards,
            "tests": self.tests,
        }
        (KEPT / f"{self.name}.json").write_text(json.dumps(kept))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section(
            f"costs of {self.name}: processor seconds, those of children, seconds by the clock, statements"
        )
        for title, rows in summary(self.tests):
            terminalreporter.write_line(title)
            for row in rows:
                terminalreporter.write_line(row)


def totals(phases: Iterable[list[float]]) -> list[float]:
    """The sum of each figure, in the order of FIGURES."""
    return [sum(column) for column in zip(*phases, strict=True)] or [0.0] * len(FIGURES)


def summary(tests: dict[str, dict[str, list[float]]], count: int = 12) -> Iterator[tuple[str, list[str]]]:
    """Tables for people: all, the dearest files, the dearest tests."""
    by_test = {name: totals(phases.values()) for name, phases in tests.items()}
    files: dict[str, list[list[float]]] = defaultdict(list)
    for name, cost in by_test.items():
        files[name.partition("::")[0]].append(cost)
    by_file = {f"{name} ({len(some)})": totals(some) for name, some in files.items()}
    yield f"all ({len(tests)} tests)", [line("", totals(by_test.values()))]
    for title, found in (("files", by_file), ("tests", by_test)):
        dearest = sorted(found.items(), key=lambda pair: -pair[1][1] - pair[1][2])[:count]
        yield title, [line(name, cost) for name, cost in dearest]


def line(name: str, cost: list[float]) -> str:
    """One row of a table."""
    wall, cpu, children, statements = cost
    return f"{cpu:8.1f} {children:8.1f} {wall:8.1f} {statements:8.0f}  {name}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--costs", metavar="NAME", help="keep what each test costs under this name")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder())
    if (name := config.getoption("--costs")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Ledger(name))
