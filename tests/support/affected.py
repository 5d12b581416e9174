"""`python -m tests.support.affected [COMMIT]`: the test files that a change since COMMIT (by default the last
commit) touches, one a line.

These are the changed test files, the tests of each changed file's room, and every other test file that
imports a changed module or one that imports it. Where a package's `__init__` hands a module on, both count as
one. Tests that meet the change by longer ways are counted on standard error; `make test` runs them.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PACKAGES = ("lifecycle", "datasets_app", "registry", "monitoring")
ALWAYS = ("tests/architecture/test_house.py",)
FLOORS = {"runtime", "ground", "modeling", "roof"}  # packages of rooms
ELSEWHERE = {
    f"lifecycle/runtime/{room}": room
    for room in ("engine", "statistics", "inference", "bundle", "task_types")
}
# rooms whose templates are at the top
SITEWIDE = {"home": "roof/home", "jobs": "ground/jobs", "notices": "ground/notices", "trace": "roof/trace"}


def changed(since: str) -> list[Path]:
    """Files that differ from the commit, and new ones, relative to the root."""
    commands = (
        ["git", "diff", "--name-only", since, "--"],
        ["git", "ls-files", "--others", "--exclude-standard"],
    )
    found = [
        subprocess.run(each, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        for each in commands
    ]
    return [Path(line) for lines in found for line in lines]


def tests_of_room(path: Path) -> Path | None:
    """The folder of tests that mirrors the room in which a file of the product lies."""
    parts = path.parts[1:] if path.parts[0] == "templates" else path.parts
    if path.parts[0] in ("templates", "static") and parts[0] not in PACKAGES:
        return Path("tests/lifecycle", SITEWIDE.get(parts[0], "ui"))
    if parts[0] not in PACKAGES:
        return None
    room = "/".join(parts[: 3 if parts[1] in FLOORS else 2])
    return Path("tests", ELSEWHERE.get(room, room))


def module_of(path: Path) -> str:
    """The dotted name of a Python file."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(test: Path) -> frozenset[str]:
    """What a test file imports: modules, and names taken from them, which may be modules."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / test).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return frozenset(found)


def near(graph: grimp.ImportGraph, module: str) -> set[str]:
    """The module, the packages that hand it on, and what imports any of them."""
    same, waiting = {module}, [module]
    while waiting:
        one = waiting.pop()
        parent = one.rpartition(".")[0]
        if (
            parent not in same
            and parent in graph.modules
            and graph.direct_import_exists(importer=parent, imported=one)
        ):
            same.add(parent)
            waiting.append(parent)
    return same.union(*(graph.find_modules_that_directly_import(each) for each in same))


def affected(paths: Iterable[Path], tests: list[Path], graph: grimp.ImportGraph) -> list[Path]:
    """Of these test files those that a change of the paths touches, in their order."""
    names, folders, files = set(), set(), {Path(each) for each in ALWAYS}
    for path in paths:
        if path.parts[0] == "tests":
            files |= {path} if path in tests else {each for each in tests if module_of(path) in imports(each)}
            folders |= {path.parent} if path.name == "conftest.py" else set()
        elif folder := tests_of_room(path):
            folders.add(folder)
            if path.suffix == ".py" and module_of(path) in graph.modules:
                names |= near(graph, module_of(path))
    return [each for each in tests if each in files or folders & {*each.parents} or names & imports(each)]


def main(since: str = "HEAD") -> None:
    """Print them."""
    tests = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py"))
    paths = changed(since)
    found = affected(paths, tests, grimp.build_graph(*PACKAGES))
    print(*found, sep="\n")
    print(
        f"{len(paths)} changed files; {len(found)} of {len(tests)} test files are near them.", file=sys.stderr
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
