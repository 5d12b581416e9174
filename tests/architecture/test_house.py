"""The structure that the import contracts guard is the structure that stands on disk."""

import subprocess
import sys
import tomllib

import pytest
from django.conf import settings

WINGS = ("lifecycle", "datasets_app", "registry", "monitoring")
CONTRACTS = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def rooms_on_disk() -> set[str]:
    folders = (path for wing in WINGS for path in (settings.BASE_DIR / wing).iterdir() if path.is_dir() and (path / "__init__.py").exists())
    return {f"{folder.parent.name}.{folder.name}" for folder in folders}


def rooms_in_contract() -> set[str]:
    parts = (part.strip(" ()") for layer in CONTRACTS[0]["layers"] for part in layer.replace("|", ":").split(":"))
    return set(parts)


def test_every_room_on_disk_stands_on_a_floor():
    assert rooms_on_disk() - rooms_in_contract() == set()


def test_every_django_room_is_held_to_the_order_inside_a_room():
    with_models = {room for room in rooms_on_disk() if (settings.BASE_DIR / room.replace(".", "/") / "migrations").exists()}
    assert with_models - set(CONTRACTS[1]["containers"]) - {"registry.ground.ledger", "registry.ground.artifacts"} == set()


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_is_a_plain_package(wing):
    assert (settings.BASE_DIR / wing / "__init__.py").read_text() == ""


def test_no_drawer_for_what_has_no_place():
    drawers = {"utils", "helpers", "common", "core", "services", "misc"}
    found = [p for wing in WINGS for p in (settings.BASE_DIR / wing).rglob("*.py") if p.stem in drawers or p.parent.name in drawers]
    assert found == []


def test_a_django_process_starts_without_what_few_of_them_compute_with():
    everywhere = ("torch", "transformers", "onnxruntime", "sklearn", "scipy.special", "scipy.stats", "pandas")
    everywhere += ("optuna", "openpyxl", "sacrebleu", "huggingface_hub.hf_api")
    start, site = "import django; django.setup()", "from django.urls import get_resolver; get_resolver().url_patterns"
    code = f"""import sys; {start}
found = [name for name in {("rest_framework.views", "drf_spectacular.openapi", "requests")} if name in sys.modules]
{site}
print(found + [name for name in {everywhere} if name in sys.modules])"""

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
