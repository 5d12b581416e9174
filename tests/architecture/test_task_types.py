"""A type of task is a folder, and outside of those folders no line asks which one it is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

from datasets_app.exchange.rules import ExportFormat
from datasets_app.queues.task_types.by_key import WIDGETS
from datasets_app.snapshots.formats import FORMATS as EXPORTS
from lifecycle.modeling.evaluation.task_types.by_key.pages import PAGES
from lifecycle.modeling.evaluation.task_types.by_key.rows import ROWS
from lifecycle.runtime.engine.task_types.by_key.settings import SETTINGS
from lifecycle.runtime.task_types.by_key.baselines import BASELINES
from lifecycle.runtime.task_types.by_key.decoding import DECODING
from lifecycle.runtime.task_types.by_key.formats import FORMATS
from lifecycle.runtime.task_types.by_key.loading import LOADING
from lifecycle.runtime.task_types.by_key.measures import MEASURES
from lifecycle.runtime.task_types.by_key.predictions import FILES
from lifecycle.runtime.task_types.by_key.served import SERVED
from lifecycle.runtime.task_types.by_key.suggestions import SUGGESTIONS
from lifecycle.runtime.task_types.by_key.types import DEFAULT, LEARNED, TYPES, keys_with
from lifecycle.runtime.task_types.columns import Role
from lifecycle.runtime.task_types.layouts import LAYOUTS
from tests.task_types.examples import BUILT_IN

WINGS = ("lifecycle", "datasets_app", "registry", "monitoring")
FOLDER = Path(settings.BASE_DIR, "lifecycle", "runtime", "task_types")
QUOTED = re.compile(rf'"({"|".join(TYPES)})"')
IN_TEMPLATES = re.compile(rf"[=!]= {QUOTED.pattern}")


def test_every_table_has_the_key_of_every_type():
    assert list(TYPES) == [each.key for each in TYPES.values()]
    assert list(FORMATS) == list(TYPES)
    assert {path.parent.name for path in FOLDER.glob("*/task_type.py")} == set(BUILT_IN)
    assert {key: widget.key for key, widget in WIDGETS.items()} == {key: key for key in TYPES}


def test_every_table_of_what_models_learn_has_the_key_of_every_such_type():
    for table in (MEASURES, FILES, BASELINES, LOADING, SETTINGS, ROWS, PAGES):
        assert sorted(table) == sorted(LEARNED)
    assert sorted(DECODING) == sorted(key for key in LEARNED if not TYPES[key].writes_text)
    named = {
        name: (MEASURES[name].task, FILES[name].task, ROWS[name].task, PAGES[name].rows.task)
        for name in LEARNED
    }
    assert named == {name: (name,) * 4 for name in LEARNED}


@pytest.mark.parametrize("task", LEARNED)
def test_the_pages_of_each_task_have_their_templates_and_a_threshold_where_labels_are_given(task):
    page = PAGES[task]

    for name in ("report", "summary", "items", "lines"):
        assert get_template(f"lifecycle/modeling/evaluation/task_types/{page.templates}/{name}.html")
    assert get_template(page.words)
    assert get_template(page.changes)
    assert (page.threshold is not None) is TYPES[task].has_labels


def test_each_trained_task_is_served():
    assert sorted(SERVED) == sorted(LEARNED)


def test_there_are_suggestions_of_every_task_whose_models_pre_label():
    assert sorted(SUGGESTIONS) == sorted(keys_with("prelabels"))


def test_each_name_that_a_list_of_metrics_has_is_of_a_metric_of_the_task():
    for measures in MEASURES.values():
        each = measures.metrics
        names = {*each.strip, *each.beside, *each.compared, *each.watched, *each.drawn, *each.registered}
        assert names <= {*each.by_name}
        assert {each.leading, each.listed} <= {*each.known}
        assert {*each.drawn} <= {*each.watched}


def test_each_format_and_each_tool_of_a_task_is_one_that_a_room_writes():
    assert {name for each in FORMATS.values() for name in each.exports} == {
        name for name, each in EXPORTS.items() if each.is_own
    }
    assert {name for each in FORMATS.values() for name in each.tools} == {*ExportFormat}


def test_each_layout_that_a_task_takes_is_recognised_and_has_a_use_for_each_of_its_columns():
    for each in FORMATS.values():
        assert {*each.layouts} <= {*LAYOUTS}
        assert {len(layout.columns) - len(roles) for layout, roles in each.layouts.items()} <= {0}
        assert {role for roles in each.layouts.values() for role in roles} <= {*each.item_roles, Role.LABEL}


def test_what_a_type_is_learned_as_is_learned_as_itself():
    assert {each.learns_as or each.key for each in TYPES.values()} == set(LEARNED)
    assert DEFAULT in LEARNED


@pytest.mark.parametrize(
    ("table", "costs"),
    [
        ("types", []),
        ("formats", []),
        ("suggestions", []),
        ("measures", ["numpy"]),
        ("decoding", ["numpy"]),
        ("predictions", ["numpy", "pyarrow"]),
        ("baselines", ["numpy", "pyarrow", "sklearn"]),
    ],
)
def test_who_reads_a_table_loads_what_its_contract_needs_alone(table, costs):
    heavy = ["django", "numpy", "pyarrow", "sklearn", "torch"]
    code = (
        f"import sys, lifecycle.runtime.task_types.by_key.{table}; print([each for each in {heavy} if each in"
        " sys.modules])"
    )

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == f"{costs}\n"
    )


def test_no_line_compares_with_the_key_of_a_task():
    """Ask a flag or a contract of the type."""
    assert [*in_modules(), *in_templates()] == []


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
            yield from (
                f"{path.relative_to(settings.BASE_DIR)}:{number}"
                for number, line in lines
                if IN_TEMPLATES.search(line)
            )
