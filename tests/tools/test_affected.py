"""Which tests a change touches."""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest

from tests.support import affected

TESTS = {
    "tests/monitoring/drift/test_a.py": "from monitoring.drift import actions",
    "tests/registry/endpoints/test_switch.py": "",
    "tests/lifecycle/runtime/cli/test_uses.py": "from registry.endpoints import actions",
    "tests/lifecycle/runtime/cli/test_above.py": "import monitoring.rollouts.actions",
    "tests/lifecycle/runtime/cli/test_far.py": "from monitoring.retraining import actions",
    "tests/lifecycle/runtime/cli/test_helped.py": "from tests.support import endpoints",
    "tests/architecture/test_house.py": "",
}


@pytest.fixture
def graph() -> grimp.ImportGraph:
    """switch ← the package that hands it on ← rollouts ← retraining; nothing leads to drift."""
    made = grimp.ImportGraph()
    chain = (
        *("registry.endpoints.actions.switch", "registry.endpoints.actions"),
        *("monitoring.rollouts.actions", "monitoring.retraining.actions"),
    )
    for lower, upper in zip(chain, chain[1:], strict=False):
        made.add_import(importer=upper, imported=lower)
    made.add_module("monitoring.drift.actions")
    return made


@pytest.fixture
def touched(graph, tmp_path, monkeypatch):
    """The names of the tests that a change of one file touches."""
    monkeypatch.setattr("tests.support.affected.ROOT", tmp_path)
    for name, source in TESTS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    files = [Path(each) for each in TESTS]
    return lambda path: (
        {each.name for each in affected.affected([Path(path)], files, graph)} - {"test_house.py"}
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("registry/endpoints/actions/switch.py", {"test_switch.py", "test_uses.py", "test_above.py"}),
        ("monitoring/drift/actions.py", {"test_a.py"}),
        ("templates/registry/endpoints/detail.html", {"test_switch.py"}),
        ("tests/support/endpoints.py", {"test_helped.py"}),
        ("tests/lifecycle/runtime/cli/test_far.py", {"test_far.py"}),
        ("tests/monitoring/drift/conftest.py", {"test_a.py"}),
        ("README.md", set()),
    ],
)
def test_a_change_touches_its_room_and_whatever_imports_it_or_what_imports_it(touched, path, expected):
    assert touched(path) == expected


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("lifecycle/runtime/engine/task_types/spans/learner.py", "tests/engine"),
        ("lifecycle/modeling/training/rules.py", "tests/lifecycle/modeling/training"),
        ("templates/lifecycle/modeling/training/run.html", "tests/lifecycle/modeling/training"),
        ("templates/jobs/list.html", "tests/lifecycle/ground/jobs"),
        ("templates/components/chart.html", "tests/lifecycle/ui"),
        ("static/js/bench.js", "tests/lifecycle/ui"),
        ("README.md", None),
    ],
)
def test_a_room_has_its_folder_of_tests(path, folder):
    assert affected.tests_of_room(Path(path)) == (Path(folder) if folder else None)
