"""Behavior specific to PostgreSQL is tested on it: each app that uses any has tests marked `postgres`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import JSONField

WINGS = ("lifecycle", "datasets_app", "registry", "monitoring")
CALLED = {
    "select_for_update": "locks rows",
    "cursor": "runs raw SQL",
    "raw": "runs raw SQL",
    "extra": "runs raw SQL",
    "RunSQL": "runs raw SQL",
    "RunPython": "moves rows in a migration",
}
IMPORTED = {
    "RawSQL": "runs raw SQL",
    "Func": "calls a function of the database",
    "Cast": "turns one type into another",
    "Window": "numbers rows in the database",
    "KeyTransform": "asks for a part of JSON",
    "KeyTextTransform": "asks for a part of JSON",
    "KT": "asks for a part of JSON",
}
GIVEN = {"ignore_conflicts": "writes beside what is there", "update_conflicts": "writes over what is there"}
NAMED = re.compile(rf"\b(?:{'|'.join([*CALLED, *IMPORTED, *GIVEN, 'vendor'])})\b")
MARK, SLOW = re.compile(r"\bmark\.postgres\b"), re.compile(r"\bmark\.(journey|browser|engine)\b")


@cache
def json_fields() -> frozenset[str]:
    """Names that only fields of JSON have in the product."""
    models = [model for model in apps.get_models() if model.__module__.startswith(WINGS)]
    kinds = [
        (field.name, isinstance(field, JSONField)) for model in models for field in model._meta.get_fields()
    ]
    return frozenset(name for name, is_json in kinds if is_json) - {
        name for name, is_json in kinds if not is_json
    }


def asks(source: str, json: Set[str]) -> list[tuple[int, str]]:
    """Line and reason of all that kinds of databases do each in their own way. json: names of fields. What
    names nothing of it is not read as Python, which takes a second for the whole product.
    """
    inside = re.compile(rf"(?:\w+__)?(?:{'|'.join(sorted(json))})__(?!(?:isnull|in|exact)$)\w+")
    if not NAMED.search(source) and not (json and inside.search(source)):
        return []

    def reasons(node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in CALLED:
                yield CALLED[name]
            case ast.Attribute(attr="vendor"):
                yield "asks which database it is"
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("django.db"):
                yield from (IMPORTED[each.name] for each in names if each.name in IMPORTED)
            case ast.keyword(arg=str(name)) if name in GIVEN:
                yield GIVEN[name]
            case ast.keyword(arg=str(name)) if json and inside.fullmatch(name):
                yield "asks for a part of JSON"

    return sorted((node.lineno, reason) for node in ast.walk(ast.parse(source)) for reason in reasons(node))


def asks_of_a_room(room: Path) -> list[str]:
    """file:line and reason, of all files of a room."""
    json = json_fields()
    files = sorted(room.rglob("*.py"))
    return [
        f"{path.relative_to(settings.BASE_DIR)}:{line} {reason}"
        for path in files
        for line, reason in asks(path.read_text(), json)
    ]


def is_marked(folder: Path) -> bool:
    """Whether a test in it runs on PostgreSQL, where slow ones do not."""
    sources = [path.read_text() for path in folder.rglob("test_*.py")]
    return any(MARK.search(source) and not SLOW.search(source) for source in sources)


def skips_on_sqlite(source: str) -> list[int]:
    """Lines of functions, and of module marks, which skip where the database is SQLite and are not marked."""
    if "vendor" not in source or "skip" not in source:
        return []
    tree = ast.parse(source)
    if any(isinstance(node, ast.Assign) and MARK.search(ast.unparse(node)) for node in tree.body):
        return []
    parts = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.Assign)]
    return [
        part.lineno
        for part in parts
        if any(map(is_skip, ast.walk(part))) and not any(MARK.search(mark) for mark in marks(part))
    ]


def marks(part: ast.stmt) -> list[str]:
    """The decorators of a function."""
    return [ast.unparse(each) for each in getattr(part, "decorator_list", [])]


def is_skip(node: ast.AST) -> bool:
    """Whether this leaves a test out on SQLite."""
    match node:
        case ast.If(test=condition, body=body):
            return is_sqlite(condition) and any(
                getattr(each, "attr", "") == "skip" for part in body for each in ast.walk(part)
            )
        case ast.Call(func=ast.Attribute(attr="skipif"), args=[ast.Constant(value=str(text)), *_]):
            return is_sqlite(ast.parse(text, mode="eval"))
        case ast.Call(func=ast.Attribute(attr="skipif"), args=[condition, *_]):
            return is_sqlite(condition)
    return False


def is_sqlite(condition: ast.AST) -> bool:
    """Whether a condition holds on SQLite, by its comparison of the vendor."""
    for node in ast.walk(condition):
        match node:
            case ast.Compare(
                left=ast.Attribute(attr="vendor"), ops=[ast.Eq()], comparators=[ast.Constant(value="sqlite")]
            ):
                return True
            case ast.Compare(
                left=ast.Attribute(attr="vendor"),
                ops=[ast.NotEq()],
                comparators=[ast.Constant(value="postgresql")],
            ):
                return True
    return False


PARENTS = (*WINGS, "lifecycle/ground", "lifecycle/modeling", "lifecycle/roof", "registry/ground")
ROOMS = [
    room
    for parent in PARENTS
    for room in sorted((settings.BASE_DIR / parent).iterdir())
    if (room / "__init__.py").exists() and str(room.relative_to(settings.BASE_DIR)) not in PARENTS
]
OF_SQLITE = {"lifecycle/sqlite"}  # the driver of SQLite itself


def test_a_room_that_depends_on_the_database_has_a_test_on_postgresql():
    wanted = {str(room.relative_to(settings.BASE_DIR)): asks_of_a_room(room) for room in ROOMS}
    lacking = [
        "\n    ".join([f"{room} has no test marked postgres, but", *found])
        for room, found in wanted.items()
        if found and room not in OF_SQLITE and not is_marked(settings.BASE_DIR / "tests" / room)
    ]
    assert not lacking, "\n".join(lacking)


def test_what_skips_on_sqlite_runs_on_postgresql():
    files = {
        path: skips_on_sqlite(path.read_text())
        for path in sorted((settings.BASE_DIR / "tests").rglob("*.py"))
    }

    assert [
        f"{path.relative_to(settings.BASE_DIR)}:{line}" for path, lines in files.items() for line in lines
    ] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("rows = Job.objects.filter(key=key).select_for_update(no_key=True)", [(1, "locks rows")]),
        ("with connection.cursor() as cursor:\n    pass", [(1, "runs raw SQL")]),
        ("\nif connection.vendor == 'postgresql':\n    pass", [(2, "asks which database it is")]),
        ("from django.db.models import F, Func", [(1, "calls a function of the database")]),
        ("from lifecycle.ui import Func", []),
        ("Job.objects.bulk_create(rows, ignore_conflicts=True)", [(1, "writes beside what is there")]),
        ("Job.objects.filter(args__item=item)", [(1, "asks for a part of JSON")]),
        ("Job.objects.filter(Q(job__args__item__startswith=item))", [(1, "asks for a part of JSON")]),
        ("Job.objects.filter(args__isnull=True, args=1, job__args__in=rows)", []),
        ("operations = [migrations.RunPython(fill)]", [(1, "moves rows in a migration")]),
        ('"""select_for_update and .cursor() are only named."""  # .cursor()', []),
    ],
)
def test_what_depends_on_the_database_is_found(source, found):
    assert asks(source, {"args"}) == found


VENDOR = "pytest.mark.skipif(connection.vendor != 'postgresql', reason='locks')"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (f"pytestmark = [pytest.mark.django_db, {VENDOR}]", [1]),
        (f"pytestmark = [pytest.mark.postgres, {VENDOR}]", []),
        (f"@{VENDOR}\ndef test_a(): pass", [2]),
        (f"@pytest.mark.postgres\n@{VENDOR}\ndef test_a(): pass", []),
        ("@pytest.mark.skipif('connection.vendor == \"sqlite\"')\ndef test_a(): pass", [2]),
        ("@pytest.mark.skipif(connection.vendor != 'sqlite')\ndef test_a(): pass", []),
        (
            (
                "def test_a():\n    if connection.vendor == 'sqlite' and in_memory():\n       "
                " pytest.skip('one writer')"
            ),
            [1],
        ),
        (
            (
                "pytestmark = pytest.mark.postgres\ndef test_a():\n    if connection.vendor == 'sqlite':\n   "
                "     pytest.skip('one writer')"
            ),
            [],
        ),
        ("def test_a():\n    if connection.vendor == 'sqlite':\n        table = 'sqlite_master'", []),
    ],
)
def test_what_skips_on_sqlite_is_found(source, found):
    assert skips_on_sqlite(source) == found
