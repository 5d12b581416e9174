"""How annotations of each task are given: a plain form says them, and the pages find a template and a script for each."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.http import QueryDict
from django.template.loader import select_template

from datasets_app.labeling.task_types.by_key import WIDGETS, posted, typed, widget_of
from lifecycle.task_types.by_key.types import type_of
from tests.task_types.examples import EXAMPLES


@pytest.mark.parametrize("task", WIDGETS)
def test_every_part_of_a_page_has_a_template_and_every_script_is_there(task):
    widget = widget_of(task)

    for name, found in widget.parts.items():
        assert select_template(found).template.name in found, name
    assert [path for path in widget.scripts if not Path(settings.BASE_DIR, "static", path).is_file()] == []


@pytest.mark.parametrize(
    ("task", "form", "said"),
    [
        ("single_label", "label=a&every=b", {"label": "a"}),
        ("single_label", "every=b", {"label": "b"}),
        ("multi_label", "labels=&labels=a&labels=b", {"labels": ["a", "b"]}),
        ("multi_label", "labels=", {"labels": []}),
        ("free_text", "text=+One.", {"text": " One."}),
        ("free_text", "text=", None),
        ("spans", "", None),
    ],
)
def test_fields_of_a_plain_form_say_an_annotation(task, form, said):
    assert widget_of(task).posted(QueryDict(form)) == posted(QueryDict(form)) == said


@pytest.mark.parametrize(
    ("task", "form", "said"),
    [
        ("single_label", "other=+card+&label=a", {"label": "card"}),
        ("single_label", "other=+", None),
        ("free_text", "text=One.", {"text": "One."}),
        ("free_text", "text=+", None),
        ("multi_label", "labels=a", None),
    ],
)
def test_what_a_reviewer_typed_goes_before_buttons(task, form, said):
    assert widget_of(task).typed(QueryDict(form)) == typed(QueryDict(form)) == said


def test_the_better_side_is_saved_as_the_files_response():
    widget, example = widget_of("preference"), EXAMPLES["preference"]

    for order, first in (([0, 1], "first"), ([1, 0], "second")):
        values = [value for value, _ in widget.buttons({"content": {"order": order}})]
        assert values[0] == f'{{"choice":"{first}"}}'
        assert len(set(values)) == len(type_of("preference").answers.choices)
    assert [name for _, name in widget.fields(example.good[0][1], "", {})["choices"]][0] == "the first response"
