"""The documentation matches the code: every setting, permission, command, path, and link is checked."""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from registry.ground.ledger.verbs import Verb
from tests.support.reference import PAGES

ROOT: Path = settings.BASE_DIR
SOURCES = ("lifecycle", "datasets_app", "registry", "monitoring", "deploy")
PAGES_OF_DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")])
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES_OF_DOCS}
READERS = {"env_str", "env_bool", "env_int", "env_float", "env_list", "get", "getenv"}
NAMED = READERS - {"get"} | {"environ"}  # every file that reads a variable contains one of these
# Read by libraries and by make, not by our own code.
OUTSIDE = {"PYTHON", "NAME", "NO_COLOR", "CUDA_VISIBLE_DEVICES", "PIP_EXTRA_INDEX_URL"}
# Capitals that are no environment variable.
WORDS = {"NAME_FILE"}


def python_files() -> list[Path]:
    return [path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")]


def is_reader(call: ast.Call) -> bool:
    """env_int("NAME", …) or os.environ.get("NAME")."""
    if isinstance(call.func, ast.Name):
        return call.func.id in READERS - {"get"}
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in READERS
        and re.search(r"\benviron\b", ast.unparse(call.func)) is not None
    )


@cache
def settings_in_code() -> dict[str, ast.Call]:
    """Every variable that our code reads by its name, with the call that reads it (of several, the first)."""
    found: dict[str, ast.Call] = {}
    for path in sorted(python_files(), key=lambda path: path.name != "settings.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if any(word in text for word in NAMED) else ():
            if (
                isinstance(node, ast.Call)
                and is_reader(node)
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                found.setdefault(node.args[0].value, node)
    return {name: call for name, call in found.items() if name != "PATH"}


def settings_in_docs() -> dict[str, list[str]]:
    """The cells of every row of docs/settings.md that begins with a variable in backticks."""
    rows = re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \|(.*)\|$", TEXTS["docs/settings.md"], re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}


def literal(node: ast.expr) -> object:
    """The value of a constant, None for anything that is computed."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


# ── Settings ────────────────────────────────────────────────────────────────
def test_every_setting_is_documented_and_none_is_invented():
    assert sorted(settings_in_docs()) == sorted(settings_in_code())


@pytest.mark.parametrize("name", sorted(settings_in_code()))
def test_a_documented_default_is_the_default(name):
    default, meaning = settings_in_docs()[name]
    call = settings_in_code()[name]
    value = literal(call.args[1]) if len(call.args) > 1 else ""

    if isinstance(value, bool):
        assert default == f"`{int(value)}`"
    elif isinstance(value, list) and value:
        assert default == f"`{','.join(value)}`"
    elif isinstance(value, int | str) and str(value):
        assert default == f"`{value}`"
    bounds = {word.arg: literal(word.value) for word in call.keywords}
    if bounds:
        assert f"{bounds['low']:,} to {bounds['high']:,}" in meaning


@pytest.mark.parametrize("page", TEXTS)
def test_no_page_names_a_setting_that_does_not_exist(page):
    named = set(re.findall(r"`(?:export )?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", TEXTS[page]))
    named |= set(re.findall(r"^(?:Environment=|export )?([A-Z][A-Z0-9_]+)=", TEXTS[page], re.MULTILINE))
    secrets_by_file = {name for name in named if name.removesuffix("_FILE") in settings_in_code()}

    assert named - set(settings_in_code()) - secrets_by_file - OUTSIDE - WORDS == set()


# ── Pages written from the code ─────────────────────────────────────────────
@pytest.mark.parametrize("page", PAGES)
def test_a_reference_page_matches_the_code(page):
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == PAGES[page](), (
        "run: python -m tests.support.reference"
    )


def test_no_two_verbs_share_a_value():
    """An enumeration makes the second of two equal values a silent alias of the first."""
    assert {name for name, verb in Verb.__members__.items() if name != verb.name} == set()


# ── What pages point at ─────────────────────────────────────────────────────
def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of headings, and those that stand in the text."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", head.replace("`", "").lower()).replace(" ", "-") for head in heads}
    return made | set(re.findall(r'<a id="([^"]+)"></a>', text))


def not_drawn_yet(path: Path) -> bool:
    """A picture of the tour before the browser journey was run for the first time: then there is none at
    all.
    """
    return (
        path.parent == ROOT / "docs" / "tour"
        and path.suffix == ".png"
        and not list(path.parent.glob("*.png"))
    )


@pytest.mark.parametrize("page", TEXTS)
def test_every_relative_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if re.match(r"https?:|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        path = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert path.exists() or not_drawn_yet(path), f"{page} links to {target}"
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{page} links to {target}"


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_exists(page):
    commands = set(re.findall(r"manage\.py ([a-z_]+)", TEXTS[page]))
    targets = set(re.findall(r"(?<![\w.])make ([a-z]+)(?=`|$|  | [A-Z]+=|\n)", TEXTS[page], re.MULTILINE))
    modules = set(re.findall(r"python -m ((?:lifecycle|registry|tests|benchmarks)[\w.]*)", TEXTS[page]))

    assert commands - set(get_commands()) == set()
    assert targets - set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) == set()
    assert {module for module in modules if importlib.util.find_spec(module.rstrip(".")) is None} == set()


@pytest.mark.parametrize("page", TEXTS)
def test_every_path_and_every_test_that_is_named_exists(page):
    for path, test in re.findall(
        r"`((?:lifecycle|datasets_app|registry|monitoring|tests|docs|deploy)/[\w./-]+)(?:::(\w+))?`",
        TEXTS[page],
    ):
        assert any((root / path).exists() for root in (ROOT, ROOT / "templates")), f"{page} names {path}"
        if test:
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{page} names {test}"


@cache
def words_of_the_product() -> str:
    """All text of the product, with single blanks and split strings joined."""
    files = [*python_files(), *(ROOT / "templates").rglob("*.html"), *(ROOT / "static" / "js").rglob("*.js")]
    text = re.sub(r"\s+", " ", " ".join(path.read_text(encoding="utf-8") for path in files))
    return re.sub(r"""(?<=[^\\(\[{,=])["'] f?["']""", "", text)


@pytest.mark.parametrize(
    "page", [page for page in TEXTS if page.startswith(("docs/guide/", "docs/runbooks/"))]
)
def test_text_quoted_in_italics_in_a_guide_appears_in_the_product(page):
    """Names of pages and buttons, and error messages; … replaces a variable part."""
    prose = re.sub(r"```.*?```", "", TEXTS[page], flags=re.DOTALL)
    for quoted in re.findall(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])", prose):
        for part in filter(None, (part.strip() for part in quoted.split("…"))):
            assert part in words_of_the_product(), f"{page} quotes {quoted!r}"


@pytest.mark.parametrize(
    ("walk", "most"),
    [("From an uploaded row to a prediction", 40), ("The request `POST /promotions/<uuid>/approve/`", 12)],
)
def test_a_walk_through_the_code_visits_files_that_are_there_and_none_twice(walk, most):
    table = TEXTS["docs/architecture.md"].split(f"**{walk}.**")[1].split("**")[0]
    files = re.findall(r"^\| `([^`]+\.py)` \|", table, re.MULTILINE)

    assert 0 < len(files) == len(set(files)) <= most
    assert [name for name in files if not (ROOT / name).is_file()] == []
