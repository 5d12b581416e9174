"""A type of task is a folder, and outside of those folders ever fewer lines ask which one it is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from datasets_app.labeling.task_types.by_key import WIDGETS
from lifecycle.task_types.by_key.baselines import BASELINES
from lifecycle.task_types.by_key.measures import MEASURES
from lifecycle.task_types.by_key.predictions import FILES
from lifecycle.task_types.by_key.suggestions import SUGGESTIONS
from lifecycle.task_types.by_key.types import DEFAULT, LEARNED, TYPES, keys_with

WINGS = ("lifecycle", "datasets_app", "registry", "monitoring")
FOLDER = Path(settings.BASE_DIR, "lifecycle", "task_types")
QUOTED = re.compile(rf'"({"|".join(TYPES)})"')
IN_TEMPLATES = re.compile(rf"[=!]= {QUOTED.pattern}")
COMPARED = 44  # lines outside of task_types that compare something with the key of a task: write down how many are left, never more


def test_every_table_has_the_key_of_every_type():
    assert list(TYPES) == [each.key for each in TYPES.values()]
    assert {path.parent.name for path in FOLDER.glob("*/task_type.py")} == set(TYPES)
    assert {key: widget.key for key, widget in WIDGETS.items()} == {key: key for key in TYPES}


def test_every_table_of_what_models_learn_has_the_key_of_every_such_type():
    for table in (MEASURES, FILES, BASELINES):
        assert sorted(table) == sorted(LEARNED)
    assert {name: (MEASURES[name].task, FILES[name].task) for name in LEARNED} == {name: (name, name) for name in LEARNED}


def test_there_are_suggestions_of_every_task_whose_models_pre_label():
    assert sorted(SUGGESTIONS) == sorted(keys_with("prelabels"))


def test_each_name_that_a_list_of_metrics_has_is_of_a_metric_of_the_task():
    for measures in MEASURES.values():
        each = measures.metrics
        names = {*each.strip, *each.beside, *each.compared, *each.watched, *each.drawn, *each.registered}
        assert names <= {*each.by_name}
        assert {each.leading, each.listed} <= {*each.known}
        assert {*each.drawn} <= {*each.watched}


def test_what_a_type_is_learned_as_is_learned_as_itself():
    assert {each.learns_as or each.key for each in TYPES.values()} == set(LEARNED)
    assert DEFAULT in LEARNED


@pytest.mark.parametrize(
    ("table", "costs"),
    [
        ("types", []),
        ("suggestions", []),
        ("measures", ["numpy"]),
        ("predictions", ["numpy", "pyarrow"]),
        ("baselines", ["numpy", "pyarrow", "sklearn"]),
    ],
)
def test_who_reads_a_table_loads_what_its_contract_needs_alone(table, costs):
    heavy = ["django", "numpy", "pyarrow", "sklearn", "torch"]
    code = f"import sys, lifecycle.task_types.by_key.{table}; print([each for each in {heavy} if each in sys.modules])"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == f"{costs}\n"


def test_ever_fewer_lines_compare_with_the_key_of_a_task():
    found = [*in_modules(), *in_templates()]

    assert len(found) == COMPARED, "\n".join(["Ask a flag or a contract of the type. Where fewer are left, lower COMPARED.", *found])


def in_modules() -> Iterator[str]:
    """The lines of Python in which a key of a task is on a side of ==, !=, in or not in."""
    for path in (path for wing in WINGS for path in sorted(Path(settings.BASE_DIR, wing).rglob("*.py"))):
        text = path.read_text(encoding="utf-8")
        if QUOTED.search(text) and not {"task_types", "migrations"} & set(path.parts):
            nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Compare))
            lines = {node.lineno for node in nodes if any(map(is_key, (node.left, *node.comparators)))}
            yield from (f"{path.relative_to(settings.BASE_DIR)}:{line}" for line in sorted(lines))


def is_key(node: ast.expr) -> bool:
    """Whether it is a key of a task, or a list with one."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(is_key, node.elts))
    return isinstance(node, ast.Constant) and node.value in TYPES


def in_templates() -> Iterator[str]:
    """The lines of templates with == or != before a key."""
    for path in sorted(Path(settings.BASE_DIR, "templates").rglob("*.html")):
        if "task_types" not in path.parts:
            lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            yield from (f"{path.relative_to(settings.BASE_DIR)}:{number}" for number, line in lines if IN_TEMPLATES.search(line))
