"""The structure in the import contracts is the structure on disk."""

import subprocess
import sys
import tomllib

import pytest
from django.conf import settings

WINGS = ("lifecycle", "datasets_app", "registry", "monitoring")
CONTRACTS = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]


FLOORS = ("lifecycle.runtime", "lifecycle.ground", "lifecycle.modeling", "lifecycle.roof", "registry.ground")


def packages_in(parent: str) -> set[str]:
    folder = settings.BASE_DIR / parent.replace(".", "/")
    return {f"{parent}.{path.name}" for path in folder.iterdir() if (path / "__init__.py").exists()}


def rooms_on_disk() -> set[str]:
    return {each for parent in (*WINGS, *FLOORS) for each in packages_in(parent)} - {*FLOORS}


def modules_in(contract: int) -> set[str]:
    return {
        part.strip(" ()")
        for layer in CONTRACTS[contract]["layers"]
        for part in layer.replace("|", ":").split(":")
    }


def test_every_room_on_disk_is_in_the_order_of_rooms():
    assert rooms_on_disk() - modules_in(1) == set()


def test_every_package_of_a_wing_is_on_a_floor():
    on_floors = modules_in(0)
    assert {
        each for wing in WINGS if wing not in on_floors for each in packages_in(wing)
    } - on_floors == set()


def test_every_django_room_is_held_to_the_order_inside_a_room():
    with_models = {
        room
        for room in rooms_on_disk()
        if (settings.BASE_DIR / room.replace(".", "/") / "migrations").exists()
    }
    assert (
        with_models
        - set(CONTRACTS[2]["containers"])
        - {"registry.ground.ledger", "registry.ground.artifacts"}
        == set()
    )


@pytest.mark.parametrize("package", [*WINGS, *FLOORS])
def test_a_wing_and_a_floor_are_plain_packages(package):
    assert (settings.BASE_DIR / package.replace(".", "/") / "__init__.py").read_text() == ""


def test_no_drawer_for_what_has_no_place():
    drawers = {"utils", "helpers", "common", "core", "services", "misc"}
    found = [
        p
        for wing in WINGS
        for p in (settings.BASE_DIR / wing).rglob("*.py")
        if p.stem in drawers or p.parent.name in drawers
    ]
    assert found == []


def test_a_django_process_starts_without_what_few_of_them_compute_with():
    everywhere = ("torch", "transformers", "onnxruntime", "sklearn", "scipy.special", "scipy.stats", "pandas")
    everywhere += ("optuna", "openpyxl", "sacrebleu", "huggingface_hub.hf_api")
    start, site = (
        "import django; django.setup()",
        "from django.urls import get_resolver; get_resolver().url_patterns",
    )
    code = f"""import sys; {start}
found = [name for name in {("rest_framework.views", "drf_spectacular.openapi", "requests")} if name in sys.modules]
{site}
print(found + [name for name in {everywhere} if name in sys.modules])"""  # noqa: E501

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
