"""Labels and guideline are shown, written to a file, and published from one."""

from __future__ import annotations

import json

import pytest

from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.models import LabelSchema
from datasets_app.schemas.rules import LabelSpec
from registry.ground.ledger.models import Event
from tests.support.labeling import make_dataset

CARD = LabelSpec(
    "card", "A card is lost.", ("my card is gone",), ({"name": "cash", "note": "no card"},), "Losses"
)


@pytest.fixture
def inbox(project, mia):
    dataset = make_dataset(project, mia, ["one"])
    publish_schema(
        dataset_id=dataset.uuid, actor=mia, labels=[LabelSpec("refund"), CARD], guideline="Read it all."
    )
    return dataset


def kept(tmp_path, **document):
    path = tmp_path / "classes.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_the_classes_are_shown_by_group_with_the_guideline(as_person, inbox, ana):
    result = as_person(ana)("schema", "show", "inbox")

    assert result.code == 0, result.err
    assert result.out.splitlines()[0].endswith(": 2 labels.")
    assert result.out.splitlines()[1:] == [
        "refund",
        "",
        "Losses",
        "card: A card is lost.",
        "",
        "Read it all.",
    ]
    assert as_person(ana)("schema", "show", "inbox", "--version", "2").err.startswith(
        "There is no version 2 of the labels of inbox"
    )


def test_what_is_exported_is_what_is_published(as_person, inbox, mia, tmp_path):
    command, path = as_person(mia), tmp_path / "classes.json"

    printed = command("schema", "export", "inbox")
    result = command("schema", "export", "inbox", "--to", str(path))
    again = command("schema", "publish", "inbox", str(path))

    found = json.loads(path.read_text())
    assert (result.out, json.loads(printed.out)) == (f"{path}: version 1, 2 labels.\n", found)
    assert (found["version"], found["guideline"], [label["name"] for label in found["labels"]]) == (
        1,
        "Read it all.",
        ["refund", "card"],
    )
    assert found["labels"][1]["lookalikes"] == [{"name": "cash", "note": "no card"}]
    assert (again.code, again.out) == (0, "Version 1 of the labels of inbox is published: 2 labels.\n")
    assert LabelSchema.objects.count() == 1


def test_a_file_publishes_the_next_version_and_a_class_keeps_its_id_by_its_stable_id(
    as_person, inbox, mia, tmp_path
):
    command, path = as_person(mia), tmp_path / "classes.json"
    command("schema", "export", "inbox", "--to", str(path))
    found = json.loads(path.read_text())
    found["labels"][1]["name"] = "lost card"
    path.write_text(json.dumps(found))

    result = command("schema", "publish", "inbox", str(path))

    assert result.out == "Version 2 of the labels of inbox is published: 2 labels.\n"
    ids = LabelSchema.objects.get(version=1).labels.get(name="card").stable_id
    assert LabelSchema.objects.get(version=2).labels.get(name="lost card").stable_id == ids
    stale = command("schema", "publish", "inbox", str(path))
    assert (stale.code, stale.err) == (
        1,
        (
            "Version 2 was published while you were editing. Review it, then publish your changes on top of"
            " it.\n"
        ),
    )


def test_a_class_that_the_file_lacks_is_retired_only_when_asked_for(as_person, inbox, mia, tmp_path):
    command, path, before = as_person(mia), kept(tmp_path, labels=[{"name": "refund"}]), Event.objects.count()

    result = command("schema", "publish", "inbox", path)

    assert (result.code, result.err) == (
        1,
        (
            "The file lacks card, so this version would retire it. Add --retire to do so. Rename a label by"
            " its stable_id; merge labels on the page.\n"
        ),
    )
    assert (LabelSchema.objects.count(), Event.objects.count()) == (1, before)
    assert (
        command("schema", "publish", "inbox", path, "--retire").out
        == "Version 2 of the labels of inbox is published: 1 label.\n"
    )
    newest = LabelSchema.objects.get(version=2)
    assert (newest.guideline, [label.name for label in newest.labels.all()]) == ("Read it all.", ["refund"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "isn't JSON"),
        ('["card"]', 'needs "labels"'),
        ('{"labels": [{"name": 3}]}', 'needs "labels"'),
    ],
)
def test_an_invalid_label_file_is_refused_before_anything_is_sent(
    as_person, inbox, mia, tmp_path, text, message
):
    path = tmp_path / "classes.json"
    path.write_text(text)

    result = as_person(mia)("schema", "publish", "inbox", str(path))

    assert (result.code, message in result.err, LabelSchema.objects.count()) == (2, True, 1)


def test_publishing_labels_needs_the_role(as_person, inbox, ana, tmp_path):
    result = as_person(ana)(
        "schema", "publish", "inbox", kept(tmp_path, labels=[{"name": "refund"}, {"name": "card"}])
    )

    assert (result.code, result.out, LabelSchema.objects.count()) == (1, "", 1)


def test_a_dataset_without_labels_prints_how_to_publish_them(as_person, project, mia):
    make_dataset(project, mia, ["one"])

    result = as_person(mia)("schema", "show", "inbox")

    assert (result.code, result.err) == (
        1,
        "inbox has no labels yet. Publish them: lifecycle schema publish inbox FILE\n",
    )
