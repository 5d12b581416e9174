"""Label Studio's labeling configuration becomes a task and its labels; nothing in it is ever expanded or
fetched.
"""

from __future__ import annotations

import pytest

from datasets_app.datasets import actions
from datasets_app.datasets.importing import label_config
from datasets_app.datasets.importing.label_config import Control, Unreadable
from datasets_app.datasets.models import Dataset
from datasets_app.schemas.forms.schemas import read_classes
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.types import TYPES
from tests.support.datasets import import_file, make_dataset, receive
from tests.support.tools import annotation, as_json, choice, packed, task

MANY = (
    '<View><Choices name="topic" toName="text" choice="multiple"><Choice value="b"/><Choice value="a"'
    ' alias="A &amp; B"/></Choices></View>'
)
BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><View><Choices name="n"><Choice'
    ' value="&b;"/></Choices></View>'
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (MANY, [Control("topic", "multi_label", ("b", "A & B"))]),
        (
            '<View><Choices name="c"><Choice value="x"><Choice value="y"/></Choice></Choices></View>',
            [Control("c", "single_label", ("x", "y"))],
        ),
        (
            '<View><Labels name="l"><Label value="PER"/></Labels><Choices name="r" perRegion="true"/></View>',
            [Control("l", "spans", ("PER",))],
        ),
        (
            '<View><TextArea name="t"/><Pairwise name="p"/><Ranker name="r"/></View>',
            [
                Control("t", "generation"),
                Control("p", "preference"),
                Control("r", "ranking"),
            ],
        ),
    ],
)
def test_questions_are_read_with_their_labels_in_order(text, found):
    assert label_config.controls(text) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "declares a document type"),
        ("<!doctype html><View/>", "declares a document type"),
        ("<View><Choices>", "isn't valid XML"),
        ("<View><Rating name='r'/></View>", "has no labels"),
        ("<View>" + " " * 1_000_000, "the limit is 1,000,000"),
    ],
)
def test_invalid_configurations_are_refused(text, reason):
    with pytest.raises(Unreadable, match=reason):
        label_config.controls(text)


@pytest.mark.parametrize("task", list(TYPES))
def test_a_composed_configuration_has_the_same_question(task):
    classes = ("a", 'b "<&') if task in ("single_label", "multi_label", "spans") else ()

    assert label_config.controls(label_config.compose(task, classes)) == [Control("label", task, classes)]


def test_a_pasted_configuration_is_read_as_labels():
    assert [label.name for label in read_classes(MANY)] == ["b", "A & B"]
    with pytest.raises(ValueError, match="document type"):
        read_classes(BOMB)


@pytest.mark.django_db
def test_a_dataset_with_a_configuration_has_its_task_and_labels(project, ana):
    dataset = actions.create_dataset(project=project, actor=ana, name="Topics", config=MANY)

    assert (dataset.task, list(labels_by_name(latest_schema(dataset)))) == ("multi_label", ["b", "A & B"])


@pytest.mark.django_db
def test_an_unreadable_configuration_creates_no_dataset(project, ana):
    with pytest.raises(Refused) as refusal:
        actions.create_dataset(project=project, actor=ana, name="Topics", config=BOMB)

    assert (list(refusal.value.fields), Dataset.objects.exists()) == (["config"], False)


@pytest.mark.postgres
@pytest.mark.django_db
def test_the_page_creates_a_dataset_with_a_configuration(client, project, ana):
    client.force_login(ana)
    client.post(
        "/datasets/new/", {"project": project.pk, "name": "Topics", "task": "single_label", "config": MANY}
    )
    refused = client.post(
        "/datasets/new/", {"project": project.pk, "name": "Other", "task": "single_label", "config": BOMB}
    )

    assert Dataset.objects.get().task == "multi_label"
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["config"])
    assert 'id="id_config_error"' in refused.content.decode()


@pytest.mark.django_db
def test_labels_have_the_order_of_the_configuration_next_to_the_data(project, ana):
    dataset = make_dataset(project, ana, task="multi_label")
    region = {**choice("A & B", "other"), "from_name": "topic"}
    import_file(
        dataset,
        ana,
        packed(p__json=as_json([task(1, "t", annotation(1, region))]), label_config__xml=MANY.encode()),
        "p.zip",
    )

    assert list(labels_by_name(latest_schema(dataset))) == ["b", "A & B", "other"]


@pytest.mark.django_db
def test_a_mismatched_or_invalid_configuration_is_reported(project, ana):
    dataset = make_dataset(project, ana)
    tasks = as_json([task(1, "t", annotation(1, choice("x")))])
    reports = [
        receive(dataset, ana, packed(p__json=tasks, config__xml=each.encode()), "p.zip").report["dry_run"]
        for each in (MANY, BOMB)
    ]

    assert [[each["sentence"] for each in report["problems"]] for report in reports] == [
        ["The configuration is for another task: multi-label. This dataset's task: single-label."],
        ["The configuration declares a document type or entities, which aren't supported."],
    ]
