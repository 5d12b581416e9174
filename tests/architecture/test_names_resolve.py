"""What is named in text, and would fail in silence: a wrong URL name is an empty address, so that a link is
missing; a wrong kind of object has no page in the audit log.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.urls import get_resolver

from lifecycle.ground.jobs import registry
from lifecycle.ui import parts
from registry.audit.queries import PAGES
from registry.ground.ledger.models import Event

WINGS = ("lifecycle", "datasets_app", "registry", "monitoring")
NAME = re.compile(r"[a-z_]+:[a-z_]+")
IN_TEMPLATES = re.compile(r"""{% find ["'](?P<name>[^"']+)["'](?P<given>[^%]*)""")


@cache
def takes(name: str) -> list[frozenset[str]]:
    """What each address of this name is made with; none where there is no such name."""
    space, _, own = name.rpartition(":")
    resolver = get_resolver()
    if space:
        if space not in resolver.namespace_dict:
            return []
        resolver = resolver.namespace_dict[space][1]
    return [
        frozenset(params)
        for possibilities, *_ in resolver.reverse_dict.getlist(own)
        for _, params in possibilities
    ]


def trees(naming: str) -> Iterator[tuple[str, ast.Module]]:
    """The files of the product in whose text this pattern is found."""
    for path in (path for wing in WINGS for path in sorted(Path(settings.BASE_DIR, wing).rglob("*.py"))):
        if re.search(naming, source := path.read_text(encoding="utf-8")):
            yield str(path.relative_to(settings.BASE_DIR)), ast.parse(source)


def asked() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Where an address is asked for by a name that is written there, the name, and what is given with it."""
    for where, tree in trees("find_url"):
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "find_url"
                and isinstance(node.args[0], ast.Constant)
            ):
                yield (
                    f"{where}:{node.lineno}",
                    node.args[0].value,
                    frozenset(each.arg for each in node.keywords if each.arg),
                )
    for path in sorted(Path(settings.BASE_DIR, "templates").rglob("*.html")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for found in IN_TEMPLATES.finditer(line):
                yield (
                    f"{path.name}:{number}",
                    found["name"],
                    frozenset(re.findall(r"([a-z_]+)=", found["given"])),
                )


def test_every_address_that_is_asked_for_by_name_is_there_and_takes_what_it_is_given():
    found = list(asked())

    assert len(found) > 100
    assert [each for each in found if each[2] not in takes(each[1])] == []


def test_every_url_name_in_a_table_exists():
    spaces = set(get_resolver().namespace_dict)
    names = {
        (where, node.value)
        for where, tree in trees(rf"""["']{NAME.pattern}["']""")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value)
    }
    ours = {(where, name) for where, name in names if name.partition(":")[0] in spaces}

    assert len(ours) > 200
    assert sorted(each for each in ours if not takes(each[1])) == []


def test_what_has_a_page_in_the_audit_log_is_a_model_whose_page_takes_its_uuid():
    known = {model._meta.label_lower for model in apps.get_models()}

    assert set(PAGES) <= known
    assert [name for name in PAGES.values() if {"uuid"} not in takes(name)] == []
    assert Event._meta.get_field("object_type").max_length >= max(map(len, PAGES))


def test_every_kind_of_job_begins_with_the_label_of_a_room():
    assert [name for name in registry._kinds if name.partition(".")[0] not in apps.app_configs] == []


def test_every_place_of_a_page_is_filled_and_every_part_of_a_page_has_its_place():
    pages = "".join(
        path.read_text(encoding="utf-8") for path in Path(settings.BASE_DIR, "templates").rglob("*.html")
    )

    assert set(re.findall(r'{% parts "([^"]+)"', pages)) == parts.places()
