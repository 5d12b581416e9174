"""A package named in `TASK_TYPES` adds a type of task, and an unusable one ends the start with a sentence."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import settings

from lifecycle.ground.compute.environment import scrubbed
from lifecycle.runtime.env import BadSetting
from lifecycle.runtime.task_types import plugins
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.plugins import with_plugins

TASK_TYPE = """from lifecycle.runtime.task_types.single_label.answers import SingleLabelAnswers
from lifecycle.runtime.task_types.task_type import TaskType


class Tones(SingleLabelAnswers):
    name = {name!r}


ENTRY = TaskType(key={key!r}, title="Tones", asks="Name the tone of a text.", answers=Tones(), learns_as={learns_as!r})
"""  # noqa: E501
FORMATS = "from lifecycle.runtime.task_types.single_label.formats import ENTRY\n"
TABLES = """from lifecycle.runtime.task_types.by_key.types import choices, learned_as
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.by_key.measures import MEASURES, measures_of
print(choices()[-1], learned_as("tones").key, type(formats_of("tones")).__name__, measures_of("tones").task, "tones" in MEASURES)
"""  # noqa: E501


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a package and names it in TASK_TYPES."""

    def write(package="acme_tones", key="tones", learns_as="single_label", name="tone", **modules):
        folder = tmp_path / package
        (folder / "templates").mkdir(parents=True)
        (folder / "__init__.py").touch()
        for part, text in (
            {"task_type": TASK_TYPE.format(key=key, learns_as=learns_as, name=name), "formats": FORMATS}
            | modules
        ).items():
            (folder / f"{part}.py").write_text(text)
        monkeypatch.setenv("TASK_TYPES", ",".join([*plugins.packages(), package]))
        return folder

    monkeypatch.setenv("TASK_TYPES", "")
    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


def test_a_package_has_its_place_in_each_table_behind_the_built_in_types(package, tmp_path):
    package()
    environment = {**os.environ, "PYTHONPATH": f"{settings.BASE_DIR}:{tmp_path}"}

    found = subprocess.run(
        [sys.executable, "-c", TABLES], env=environment, capture_output=True, text=True, check=True
    ).stdout

    assert (
        found
        == "('tones', 'Tones: Name the tone of a text.') single_label SingleLabelFormats single_label False\n"
    )


def test_its_templates_are_found_and_a_folder_that_it_lacks_is_left_out(package):
    folder = package()

    assert plugins.folders("templates") == [folder / "templates"]
    assert plugins.folders("static") == []


def test_engine_processes_get_it_too():
    assert (
        scrubbed({"TASK_TYPES": "acme_tones", "DATABASE_URL": "secret"}, threads=1)["TASK_TYPES"]
        == "acme_tones"
    )


@pytest.mark.parametrize("part", plugins.OF_WHAT_IS_LEARNED)
def test_what_is_learned_as_another_task_needs_only_what_people_meet(package, part):
    package()

    assert with_plugins(part, {"single_label": 1}) == {"single_label": 1}


def test_what_is_learned_as_itself_needs_all_of_it(package):
    package(learns_as="")

    message = (
        "TASK_TYPES lists acme_tones, but acme_tones.measures can't be imported: No module named"
        " 'acme_tones.measures'."
    )
    with pytest.raises(BadSetting) as refusal:
        with_plugins("measures", {})
    assert str(refusal.value) == message
    assert with_plugins("suggestions", {}) == {}  # its models don't pre-label


def test_an_optional_part_is_used_where_there_is_one(package):
    package(suggestions="ENTRY = 'ours'\n")

    assert with_plugins("suggestions", {"spans": "theirs"}) == {"spans": "theirs", "tones": "ours"}


def test_a_key_that_is_taken_is_refused(package):
    package(key="spans")

    with pytest.raises(
        BadSetting, match="^TASK_TYPES lists acme_tones, whose key 'spans' another task already has.$"
    ):
        with_plugins("task_type", {"spans": 1})


def test_two_packages_with_one_key_are_refused(package):
    package()
    package("acme_others")

    with pytest.raises(BadSetting, match="lists acme_others, whose key 'tones'"):
        with_plugins("task_type", {})


def test_values_that_are_named_as_those_of_another_task_are_refused(package):
    package(name="spans")

    with pytest.raises(BadSetting, match="whose value name 'spans' another task already has.$"):
        with_plugins("task_type", {"spans": type_of("spans")})


def test_a_package_that_is_not_there_is_named(package, monkeypatch):
    monkeypatch.setenv("TASK_TYPES", "acme_nowhere")

    with pytest.raises(
        BadSetting,
        match="^TASK_TYPES lists acme_nowhere, but acme_nowhere can't be imported: No module named",
    ):
        plugins.folders("templates")
    with pytest.raises(BadSetting, match="acme_nowhere.task_type can't be imported"):
        with_plugins("task_type", {})


def test_a_part_without_an_entry_is_named(package):
    package(formats="")

    with pytest.raises(BadSetting, match="^TASK_TYPES lists acme_tones, whose module formats has no ENTRY.$"):
        with_plugins("formats", {})
