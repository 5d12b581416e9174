"""Phrases that don't occur in what people read: the text of templates, and the messages, labels, and help
texts of Python code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("datasets_app", "lifecycle", "monitoring", "registry")

EXAMPLES = ("lifecycle/roof/demo/inbox.py", "lifecycle/roof/demo/season.py")  # messages of customers

BANNED = (
    "brought", "by heart", "by itself", "disturbed", "freeze again", "goes on", "is no share", "it learnt",
    "learnt", "lies in", "look again", "mend", "nobody", "of the form it was", "probe with", "read as",
    "said", "says", "snapshot", "somebody", "speaks", "spoke", "stands", "taken back", "taken up", "tells",
    "told", "weights that learn", "what came of", "what it hits", "whoever", "words that speak",
)  # fmt: skip
NAMES = re.compile(
    r"(?<![a-z])(told|said|saying|brought|learnt|mends?|mended|nobody|somebody|whoever)(?![a-z])",
    re.IGNORECASE,
)
PHRASE = re.compile(r"\b(" + "|".join(BANNED).replace(" ", r"\s+") + r")\b", re.IGNORECASE)
LOGGED = re.compile(r"\w+=|[a-z_]+ \w+=")


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """The string literals of a module with a space in them, without docstrings and log lines."""
    tree = ast.parse(path.read_text())
    bodies = [
        each.body
        for each in ast.walk(tree)
        if isinstance(each, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    docstrings = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    for each in ast.walk(tree):
        if not isinstance(each, ast.Constant) or not isinstance(each.value, str) or id(each) in docstrings:
            continue
        if " " in each.value.strip() and not LOGGED.match(each.value):
            yield each.lineno, each.value


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """What a template shows: its text, the values of attributes that are read out, and quoted arguments of
    its tags.
    """
    source = path.read_text()
    for found in re.finditer(r'\{#.*?#\}|"([^"{}<>]* [^"{}<>]*)"|>([^<>{}]+)<', source, re.DOTALL):
        yield source.count("\n", 0, found.start()) + 1, found[1] or found[2] or ""


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page of docs, without code and the addresses of links."""
    bare = re.sub(
        r"```.*?```|`[^`\n]*`|\]\([^)\s]*\)",
        lambda found: re.sub(r"[^\n]", " ", found[0]),
        path.read_text(),
        flags=re.DOTALL,
    )
    yield from enumerate(bare.splitlines(), 1)


def test_docs_are_in_plain_english():
    docs = sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "adr")
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{line}: {match[0]!r} in {text[:80]!r}"
        for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *docs)
        for line, text in prose(path)
        for match in PHRASE.finditer(text)
    ]

    assert not found, "\n".join(found)


def test_what_people_read_is_plain_english():
    found = []
    for folder in (*PRODUCT, "templates"):
        for path in sorted((ROOT / folder).rglob("*.*")):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix not in {".py", ".html"} or name.startswith(EXAMPLES) or "/migrations/" in name:
                continue
            lines = strings(path) if path.suffix == ".py" else texts(path)
            found += [
                f"{name}:{line}: {match[0]!r} in {text[:80]!r}"
                for line, text in lines
                for match in PHRASE.finditer(text)
            ]

    assert not found, "\n".join(found)


def test_code_is_in_the_terms_of_the_field():
    """Names, docstrings, comments, and keys of the product's code, scripts, and templates."""
    found = []
    for folder in (*PRODUCT, "templates", "static"):
        for path in sorted((ROOT / folder).rglob("*.*")):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix not in {".py", ".html", ".js"} or name.startswith(EXAMPLES):
                continue
            found += [
                f"{name}:{line}: {text.strip()[:120]}"
                for line, text in enumerate(path.read_text().splitlines(), 1)
                if NAMES.search(text)
            ]

    assert not found, "\n".join(found)
