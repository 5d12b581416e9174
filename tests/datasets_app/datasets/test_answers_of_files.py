"""What files say of their rows where the task is not one class per text: labels as lists, spans in any unit, dialogues, pairs."""

from __future__ import annotations

import json

import pytest

from datasets_app.datasets.importing import answers
from datasets_app.datasets.importing.mapping import Mapper, check, propose, roles_for
from datasets_app.datasets.importing.readers import Row
from datasets_app.datasets.models import Item
from datasets_app.labeling import queries
from datasets_app.labeling.values import rename
from tests.support.datasets import import_file, make_dataset

FIREMEN = "👨🏻‍🚒 firemen drive firetrucks"
ASKED, SAID = {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}


def spans(*found):
    return answers.canonical({"spans": [{"start": start, "end": end, "label": label} for start, end, label in found]})


@pytest.mark.parametrize("cell", ['["b", "a", "a"]', "a|b", "b; a", "a;b;"])
def test_classes_come_as_a_list_or_with_bars(cell):
    assert answers.ticked(cell) == answers.Said('{"labels":["a","b"]}', ("a", "b"))


def test_no_class_at_all_is_an_answer():
    assert answers.ticked("[]") == answers.Said('{"labels":[]}')


@pytest.mark.parametrize(
    ("start", "end", "unit"), [(19, 29, "code points"), (22, 32, "UTF-16"), (16, 26, "graphemes")],
)  # fmt: skip
def test_the_unit_of_offsets_is_found_by_the_words_that_spans_carry(start, end, unit):
    cell = json.dumps([{"start": start, "end": end, "label": "THING", "text": "firetrucks"}])

    assert answers.marked(cell, FIREMEN).value == spans((19, 29, "THING"))


def test_spans_are_read_as_doccano_and_label_studio_write_them():
    text = "EU rejects German call"
    entities = [{"id": 0, "start_offset": 0, "end_offset": 2, "label": "ORG"}, {"start": "11", "end": "17", "labels": ["MISC"]}]

    assert answers.marked(json.dumps([[0, 2, "ORG"], [11, 17, "MISC"]]), text).value == spans((0, 2, "ORG"), (11, 17, "MISC"))
    assert answers.marked(json.dumps(entities), text).value == spans((0, 2, "ORG"), (11, 17, "MISC"))


def test_white_space_around_a_span_is_left_out():
    assert answers.marked("[[0, 3, 'ORG'], [2, 11, 'X']]".replace("'", '"'), "EU rejects it").value == spans((0, 2, "ORG"), (3, 10, "X"))


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("[[0, 2, 'A']", "not JSON"), ('{"a": 1}', "no list"), ("[[0, 99, 'A']]", "outside its text, which has 5 characters"),
        ("[[2, 2, 'A']]", "outside its text"), ("[[0, 2]]", "neither"), ("[{'start': 0, 'label': 'A'}]", "without a start, an end"),
        ("[[2, 3, 'A']]", "white space alone"), ("[[NaN, 3, 'A']]", "not JSON"), ("[[0, 2, '\\u0000']]", "NUL"),
        ("[[0, 2, '\\ud83d']]", "half of a surrogate pair"), (str([[0, 2, "A"]] * 1_001), "at most 1,000"),
        ("[{'start': 0, 'end': 2, 'label': 'A', 'text': 'xx'}]", "says 'xx', but 'EU'"),
    ],
)  # fmt: skip
def test_spans_that_cannot_be_are_told(cell, told):
    with pytest.raises(answers.Unreadable, match=told):
        answers.marked(cell.replace("'", '"'), "EU it")


def test_numbers_that_no_database_keeps_are_told():
    with pytest.raises(answers.Unreadable, match="not JSON"):
        answers.dialogue('[{"role": "user", "content": "hi", "x": 1e999}]')
    with pytest.raises(answers.Unreadable, match="without a start, an end"):
        answers.marked(f'[{{"start": "{"1" * 5_000}", "end": "2", "label": "A"}}]', "EU it")


def test_a_dialogue_is_read_as_messages_and_as_share_gpt():
    gpt = [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Hello."}]

    assert answers.dialogue(json.dumps(gpt)) == answers.dialogue(json.dumps([ASKED, SAID])) == [ASKED, SAID]
    for cell, told in (("[]", "no messages"), (json.dumps([SAID]), "begins with assistant"), ('[{"role": "boss"}]', "without a role")):
        with pytest.raises(answers.Unreadable, match=told):
            answers.dialogue(cell)


def test_columns_are_proposed_by_the_task():
    columns = ["prompt", "chosen", "rejected", "id", "note"]

    found = propose(columns, [], "preference")

    assert found == {"prompt": "prompt", "chosen": "first", "rejected": "second", "id": "id", "note": "metadata"}
    assert [problem.sentence for problem in check({"prompt": "prompt"}, columns, "preference")] == [
        "No column is mapped to first.", "No column is mapped to second.",
    ]  # fmt: skip
    assert "text" not in roles_for("chat")
    assert "messages" not in roles_for("single_label")


def test_a_pair_whose_better_one_is_named_says_so():
    mapper = Mapper({"prompt": "prompt", "chosen": "first", "rejected": "second"}, task="preference")

    draft = mapper.draft(Row(1, {"prompt": "2+2?", "chosen": "4", "rejected": "5"}, ""))

    assert (draft.label, draft.content) == ('{"choice":"first"}', {"prompt": "2+2?", "responses": ["4", "5"]})
    assert draft.text == "2+2?\n\n1: 4\n\n2: 5"


def imported(project, ana, task, rows, **options):
    dataset = make_dataset(project, ana, task=task)
    import_file(dataset, ana, "".join(json.dumps(row) + "\n" for row in rows).encode(), "rows.jsonl", **options)
    dataset.refresh_from_db()
    return dataset


def decisions(dataset):
    names = queries.names_in(queries.latest_schema(dataset))
    return [rename(row.value, names) for row in queries.current_decisions(dataset)]


@pytest.mark.django_db
def test_spans_of_a_file_become_decisions(project, ana):
    rows = [{"text": FIREMEN, "spans": [[19, 29, "THING"]]}, {"text": "nothing", "spans": []}, {"text": "broken", "spans": [[0, 99, "X"]]}]

    dataset = imported(project, ana, "spans", rows)

    assert decisions(dataset) == [{"spans": [{"start": 19, "end": 29, "label": "THING"}]}, {"spans": []}]
    assert (dataset.items_total, dataset.uploads.get().rows_failed) == (2, 1)


@pytest.mark.django_db
def test_lists_of_classes_become_suggestions_one_by_one(project, ana):
    dataset = imported(project, ana, "multi_label", [{"text": "one", "labels": ["b", "a"]}], labels_as="suggestions")

    assert [row.label.name for row in dataset.items.get().suggestions.order_by("label__position")] == ["a", "b"]


@pytest.mark.django_db
def test_pairs_and_dialogues_come_in_as_contents(project, ana):
    pairs = imported(project, ana, "preference", [{"prompt": "2+2?", "chosen": "4", "rejected": "5"}])

    assert decisions(pairs) == [{"choice": "first"}]
    assert Item.objects.get(dataset=pairs).content == {"prompt": "2+2?", "responses": ["4", "5"]}


@pytest.mark.django_db
def test_dialogues_come_in_without_classes(project, ana):
    dataset = imported(project, ana, "chat", [{"messages": [ASKED, SAID]}])

    item = dataset.items.get()
    assert (item.content, item.text) == ({"messages": [ASKED, SAID]}, "user: Hi?\nassistant: Hello.")
