"""Which changes of labels are valid, and the plan of a version. What follows them: tests/task_types."""

from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.models import LabelChange, LabelSchema
from datasets_app.schemas.relabeling import Change, follow, plan
from datasets_app.schemas.rules import LabelSpec
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from tests.support.changing import change, labels
from tests.support.labeling import (
    make_dataset,
    make_schema,
)

pytestmark = pytest.mark.django_db
NAMES = ("billing", "card", "lost", "transfer")
UUIDS = [UUID(int=n) for n in range(4)]


@pytest.fixture
def published(project, mia) -> Dataset:
    dataset = make_dataset(project, mia, ["one"])
    make_schema(dataset, mia, NAMES)
    return dataset


def test_a_class_may_be_split_into_one_that_is_there_and_a_new_one(published, mia):
    dataset = published

    schema = change(dataset, mia, ("card", "split", ["lost", "arrival"]))

    assert [label.name for label in schema.labels.all()] == ["billing", "arrival", "lost", "transfer"]
    now = labels(dataset)
    assert LabelChange.objects.get().targets == [str(now["lost"].stable_id), str(now["arrival"].stable_id)]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([], "No change was chosen."),
        ([("card", "merge", ["card"])], "card can't be merged or split into itself."),
        ([("card", "split", ["card", "new"])], "card can't be merged or split into itself."),
        (
            [("card", "merge", ["lost"]), ("lost", "merge", ["card"])],
            "stays in the next version; lost doesn't",
        ),
        ([("card", "merge", ["lost"]), ("lost", "retire", [])], "stays in the next version; lost doesn't"),
        ([("card", "merge", ["nothing"])], "stays in the next version; nothing doesn't"),
        ([("card", "merge", [])], "one label that stays in the next version."),
        ([("card", "split", ["one"])], "split into two or more labels"),
        ([("card", "rename", [" "])], "card needs one new name."),
        ([("card", "vanish", [])], "Unknown change"),
        ([("card", "retire", []), ("card", "rename", ["x"])], "card has 2 changes at once."),
        ([("card", "rename", ["lost"])], "'lost' is listed 2 times."),
    ],
)
def test_what_makes_no_sense_changes_nothing(published, mia, wanted, message):
    with pytest.raises(Refused) as refused:
        change(published, mia, *wanted)

    assert message in refused.value.next_step
    assert (LabelSchema.objects.count(), LabelChange.objects.count(), Job.objects.count()) == (1, 0, 0)


def test_who_did_not_see_the_newest_version_changes_nothing(published, mia, ana):
    dataset = published

    with pytest.raises(Conflict, match="was published while you were editing"):
        change(dataset, mia, ("card", "retire", []), seen=0)
    with pytest.raises(PermissionDenied):
        change(dataset, ana, ("card", "retire", []), seen=1)

    assert LabelSchema.objects.count() == 1


def test_a_merge_and_a_rename_of_its_class_go_together():
    present = [LabelSpec(name, stable_id=uuid) for name, uuid in zip(NAMES, UUIDS, strict=True)]

    made = plan(present, [Change(UUIDS[2], "merge", ("card",)), Change(UUIDS[1], "rename", ("plastic",))])

    assert [label.name for label in made.labels] == ["billing", "plastic", "transfer"]
    assert (made.removed[0].into, made.renamed) == (("plastic",), [("card", "plastic")])


def test_following_merges_ends_in_a_circle_too():
    a, b, c, _ = UUIDS
    assert (follow(a, {a: b, b: c}), follow(c, {a: b}), follow(a, {a: b, b: a})) == (c, c, b)
