"""The formatter lays out all Python; only tables of data keep a layout of their own."""

import ast

from django.conf import settings

ROOT = settings.BASE_DIR
FOLDERS = ("datasets_app", "lifecycle", "monitoring", "registry", "benchmarks", "tests")
FEWEST = 20  # values of a table


def is_data(node: ast.expr) -> bool:
    """Whether an expression consists of literals and names in lists, tuples, sets, and dictionaries."""
    if isinstance(node, ast.Call):
        return (
            isinstance(node.func, ast.Name)
            and node.func.id in ("frozenset", "dict")
            and all(map(is_data, [*node.args, *(each.value for each in node.keywords)]))
        )
    if isinstance(node, ast.Dict):
        return all(map(is_data, [*filter(None, node.keys), *node.values])) and None not in node.keys
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return all(map(is_data, node.elts))
    return isinstance(node, ast.Constant | ast.Name | ast.Attribute | ast.UnaryOp)


def is_table(statement: ast.AST) -> bool:
    value = getattr(statement, "value", None)
    values = (ast.Constant, ast.Name)
    return (
        isinstance(value, ast.expr)
        and is_data(value)
        and sum(isinstance(each, values) for each in ast.walk(value)) >= FEWEST
    )


def test_only_tables_of_data_are_exempt_from_the_formatter():
    exempt = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        marked = {at for at, line in enumerate(source.splitlines(), 1) if line.endswith("# fmt: skip")}
        tables = (
            {each.end_lineno for each in ast.walk(ast.parse(source)) if is_table(each)} if marked else set()
        )
        exempt += [f"{path.relative_to(ROOT)}:{line}" for line in sorted(marked - tables)]

    assert exempt == []
