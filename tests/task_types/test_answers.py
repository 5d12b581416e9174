"""Every type reads annotations in one way, gives a reason for rejecting one, and merges them by the same
laws.
"""

from __future__ import annotations

import json

import pytest

from datasets_app.datasets.importing.report import TITLES
from lifecycle.runtime.task_types import values
from lifecycle.runtime.task_types.answers import ItemContent, Labels, canonical
from lifecycle.runtime.task_types.by_key.types import TYPES, type_of
from lifecycle.runtime.task_types.inputs import BadInput, clean
from tests.task_types.examples import EXAMPLES, IDS, LABELS, NAMES, column

LABELED = [key for key, kind in TYPES.items() if kind.has_labels]


@pytest.fixture(params=EXAMPLES)
def task(request):
    return request.param


@pytest.fixture
def answers(task):
    return type_of(task).answers


@pytest.fixture
def example(task):
    return EXAMPLES[task]


def read(answers, cell, item):
    raw = answers.from_cell(cell, item)
    return None if raw is None else answers.parse(raw, item, Labels.any())


def code_of(read, *args):
    with pytest.raises(BadInput) as refusal:
        read(*args)
    assert refusal.value.message.endswith(".")
    assert refusal.value.code in TITLES  # of the dry run's report
    return refusal.value.code


def test_an_annotation_becomes_one_value_that_is_read_as_itself(answers, example):
    for raw, value in example.good:
        assert answers.parse(raw, example.item, LABELS) == value
        assert answers.parse(json.loads(canonical(value)), example.item, LABELS) == value
        assert list(value) == [answers.name]


def test_the_value_is_a_copy(answers, example):
    for raw, value in example.good:
        before = canonical(raw)
        found = answers.parse(raw, example.item, LABELS)
        found[answers.name] = None
        assert (canonical(raw), found == value) == (before, False)


def test_what_is_no_annotation_is_refused_by_code_and_field(answers, example):
    assert len(example.bad) >= 12
    for raw, code in example.bad:
        assert code_of(answers.parse, raw, example.item, LABELS) == code, raw
        with pytest.raises(BadInput) as refusal:
            answers.parse(raw, example.item, LABELS)
        assert refusal.value.fields == {"value": [refusal.value.message]}


def test_cells_of_files_are_read_as_people_write_them(answers, example):
    for cell, value in example.cells:
        assert read(answers, cell, example.item) == value, cell


def test_cells_that_are_no_annotation_are_refused_by_code(answers, example):
    for cell, code in example.bad_cells:
        assert code_of(read, answers, cell, example.item) == code, cell


def test_a_value_in_a_file_is_read_back_as_it_was_exported(task, answers, example):
    for _, value in example.good:
        content = answers.rename(value, NAMES)[answers.name]
        cell = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        assert answers.rename(read(answers, column(cell), example.item), IDS) == value


def test_parts_make_the_value_again(answers, example):
    for _, value in example.good:
        parts = answers.parts(value)
        assert len(set(parts)) == len(parts)
        assert answers.join(reversed(parts)) == answers.join([*parts, *parts]) == value


def test_values_are_equal_where_their_parts_are(answers, example):
    found = [value for _, value in example.good]
    for one in found:
        for other in found:
            assert (set(answers.parts(one)) == set(answers.parts(other))) == (
                canonical(one) == canonical(other)
            )


def test_a_value_is_converted_to_names_and_back(task, answers, example):
    for _, value in example.good:
        named = answers.rename(value, NAMES)
        assert answers.rename(named, IDS) == values.rename(named, IDS) == value
        assert sorted(values.labels_of(named)) == sorted(NAMES[key] for key in values.labels_of(value))
        assert answers.rename(value, {}) == (None if values.labels_of(value) else value)


def test_the_majority_is_taken_part_by_part(answers, example):
    for given, merged in example.merges:
        assert answers.merge(given) == merged, given


def test_a_value_is_a_line_for_people(answers, example):
    for value, line in example.words:
        assert (
            answers.words(value, NAMES, example.item.text)
            == values.words(value, NAMES, example.item.text)
            == line
        )


def test_a_manifest_has_labels_by_name_and_no_response_text(answers, example):
    for value, text in example.frozen:
        assert answers.frozen(value) == text


def test_a_value_has_its_type(task, example):
    assert {values.type_in(value).key for _, value in example.good} == {task}


@pytest.mark.parametrize("task", LABELED)
def test_a_label_that_a_file_names_becomes_what_it_was_mapped_to_or_is_left_out(task):
    answers, item = type_of(task).answers, EXAMPLES[task].item
    cell = {
        "single_label": '["a", "b"]',
        "multi_label": "a;b;c",
        "spans": '[[0, 4, "a"], [14, 21, "b"], [5, 10, "c"]]',
    }[task]
    asked = []

    def becomes(name):
        asked.append(clean(name))
        return {"a": "A"}.get(name, "")

    raw = answers.from_cell(column(cell), item, becomes)

    assert values.labels_of(answers.parse(raw, item, Labels.any())) == ["A"]
    assert asked == ["a", "b", "c"][: 2 if task == "single_label" else 3]


def test_the_nearest_label_is_named():
    with pytest.raises(BadInput) as refusal:
        type_of("single_label").answers.parse({"label": "PRESON"}, ItemContent(), LABELS)

    assert (refusal.value.code, refusal.value.next_step) == ("unknown_label", "Did you mean 'PERSON'?")


def test_what_annotations_differ_in_is_named_by_label():
    ticks = [{"labels": ["a", "b"]}, {"labels": ["a", "c"]}, {"labels": ["a", "c"]}]
    place = {"start": 0, "label": "p"}

    assert values.contested(ticks) == ["b", "c"]
    assert values.contested([{"label": "y"}, {"label": "x"}]) == ["x", "y"]
    # only its border
    assert values.contested([{"spans": [place | {"end": 4}]}, {"spans": [place | {"end": 6}]}]) == ["p"]
    assert values.contested([{"text": "a"}, {"text": "b"}]) == []
