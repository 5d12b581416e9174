"""Functions: written in versions, applied by a job, retired for good."""

from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.assist.actions.suggesting import apply_functions, retire_function, write_function
from datasets_app.assist.models import FunctionPass, LabelingFunction
from datasets_app.assist.queries import suggesting
from datasets_app.prelabels.actions.suggestions import suggest_values
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.actions.answers import undo
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.models import Queue
from datasets_app.queues.queries.bench import bench_items
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.jobs import run_jobs, run_ok
from tests.support.labeling import add_items, label_items, make_dataset, make_queue, make_schema
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
TEXTS = ["my card is lost", "where is my card", "a transfer failed", "the bill is wrong"]


@pytest.fixture
def dataset(project, mia):
    dataset = make_dataset(project, mia, TEXTS)
    make_schema(dataset, mia)
    return dataset


@pytest.fixture
def decided(project, mia, ana) -> Queue:
    """Twenty texts are decided, fifteen of them as cards; five are open."""
    queue = make_queue(make_dataset(project, mia, [f"my card {n}" for n in range(25)]), mia, hidden_share=0)
    label_items(queue, {ana: ["card"] * 15 + ["billing"] * 5})
    return queue


def write(dataset, actor, pattern="card", label="card", **options) -> LabelingFunction:
    stable_id = labels_by_name(latest_schema(dataset))[label].stable_id
    options = {"name": f"{label} by {pattern}"[:80], "kind": "words"} | options
    return write_function(dataset_id=dataset.uuid, actor=actor, label=stable_id, pattern=pattern, **options)


def apply(dataset, actor) -> None:
    apply_functions(dataset_id=dataset.uuid, actor=actor)
    run_ok()


def test_a_class_that_goes_away_while_rules_are_applied_ends_its_rule(dataset, mia, monkeypatch):
    write(dataset, mia)
    write(dataset, mia, "bill", "billing")
    real = suggesting.open_labels
    monkeypatch.setattr(
        suggesting, "open_labels", lambda of: {k: v for k, v in real(of).items() if v.name != "card"}
    )

    apply(dataset, mia)

    assert {row.label.name for row in Suggestion.objects.select_related("label")} == {"billing"}


def suggested() -> list[tuple[str, str, str, float | None]]:
    rows = Suggestion.objects.order_by("item_id", "id")
    return [(row.item.text, row.label.name, row.source_digest, row.score) for row in rows]


def test_a_rule_suggests_its_class_for_what_it_hits(dataset, mia):
    function = write(dataset, mia)
    assert suggested() == []

    apply(dataset, mia)

    assert suggested() == [(text, "card", function.digest, None) for text in TEXTS[:2]]
    assert set(Suggestion.objects.values_list("source", "source_name")) == {
        ("function", "Function: card by card")
    }
    assert suggesting.reach([function])[function.pk].hits == 2
    verbs = [Verb.FUNCTION_CREATED, Verb.FUNCTIONS_APPLIED]
    assert list(Event.objects.filter(verb__in=verbs).order_by("id").values_list("verb", flat=True)) == verbs


def test_a_change_is_the_next_version_and_the_same_again_is_none(dataset, mia):
    first = write(dataset, mia)
    same = write(dataset, mia, changes=first.uuid)
    second = write(dataset, mia, "lost", name=first.name, changes=first.uuid)

    assert (same, second.version, second.stable_id, second.replaces) == (first, 2, first.stable_id, first)
    assert second.digest != first.digest
    assert suggesting.functions_of(dataset) == [second]


def test_who_changes_what_was_changed_meanwhile_changes_nothing(dataset, mia):
    first = write(dataset, mia)
    write(dataset, mia, "lost", changes=first.uuid)

    with refused(by=Conflict):
        write(dataset, mia, "other", changes=first.uuid)
    with pytest.raises(Conflict):
        retire_function(function_id=first.uuid, actor=mia)

    assert LabelingFunction.objects.count() == 2


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "first"}, "name"),
        ({"pattern": "(", "kind": "regex"}, "pattern"),
        ({"kind": "x"}, "kind"),
    ],
)
def test_a_rule_that_cannot_be_written_names_the_field(dataset, mia, options, field):
    write(dataset, mia, name="first")

    with pytest.raises(Refused) as refused:
        write(dataset, mia, **options)

    assert list(refused.value.fields) == [field]
    assert LabelingFunction.objects.count() == 1


def test_only_who_manages_labeling_writes_applies_and_retires(dataset, mia, ana):
    function = write(dataset, mia)

    for act in (
        lambda: write(dataset, ana, "lost"),
        lambda: apply_functions(dataset_id=dataset.uuid, actor=ana),
        lambda: retire_function(function_id=function.uuid, actor=ana),
    ):
        with pytest.raises(PermissionDenied):
            act()

    assert (LabelingFunction.objects.count(), Job.objects.count()) == (1, 0)


def test_new_items_wait_for_the_next_application(dataset, mia):
    function = write(dataset, mia)
    apply(dataset, mia)
    assert suggesting.unread(dataset, suggesting.reach([function])) == 0
    with refused():
        apply_functions(dataset_id=dataset.uuid, actor=mia)

    add_items(dataset, mia, ["another card"])
    add_items(dataset, mia, ["a card that nobody sees"], imported=False)
    dataset.items_total = 5
    dataset.save(update_fields=["items_total"])

    assert suggesting.unread(dataset, suggesting.reach([function])) == 1
    apply(dataset, mia)
    assert [row[0] for row in suggested()] == [*TEXTS[:2], "another card"]


def test_an_upload_that_is_imported_later_with_smaller_keys_is_read_too(dataset, mia):
    late = add_items(dataset, mia, ["an early card"], imported=False)[0].upload
    add_items(dataset, mia, ["a late card"])
    function = write(dataset, mia)
    apply(dataset, mia)

    type(late).objects.filter(pk=late.pk).update(state="imported")
    apply(dataset, mia)

    assert [row[0] for row in suggested()] == [*TEXTS[:2], "an early card", "a late card"]
    assert suggesting.reach([function])[function.pk].items == 6


def test_applying_twice_adds_nothing_and_one_job_is_enough(dataset, mia):
    write(dataset, mia)
    first = apply_functions(dataset_id=dataset.uuid, actor=mia)
    assert apply_functions(dataset_id=dataset.uuid, actor=mia) == first
    run_ok()
    before = suggested()

    FunctionPass.objects.all().delete()
    apply(dataset, mia)

    assert suggested() == before
    assert Event.objects.filter(verb=Verb.FUNCTIONS_APPLIED).count() == 2


def test_a_cancelled_application_keeps_what_it_did_and_the_next_goes_on(project, mia, monkeypatch):
    monkeypatch.setattr("datasets_app.assist.actions.suggesting.BATCH", 10)
    dataset = make_dataset(project, mia, [f"card {n}" for n in range(21)])
    make_schema(dataset, mia)
    function = write(dataset, mia)
    job = apply_functions(dataset_id=dataset.uuid, actor=mia)
    batches = []

    def then_cancel(**kwargs):
        batches.append(len(kwargs["rows"]))
        if len(batches) == 1:
            jobs.cancel(job.uuid, mia)
        return suggest_values(**kwargs)

    monkeypatch.setattr("datasets_app.assist.actions.suggesting.suggest_values", then_cancel)
    assert [ended.state for ended in run_jobs()] == ["cancelled"]
    assert (batches, Suggestion.objects.count(), suggesting.reach([function])[function.pk].items) == (
        [10],
        10,
        10,
    )
    assert suggesting.unread(dataset, suggesting.reach([function])) == 11

    apply(dataset, mia)

    assert (batches, Suggestion.objects.count(), suggesting.reach([function])[function.pk].hits) == (
        [10, 10, 1],
        21,
        21,
    )


def test_the_score_is_the_measured_precision_from_twenty_decided_hits_on(decided, mia):
    dataset = decided.dataset
    write(dataset, mia)
    write(dataset, mia, "nothing", "transfer")

    apply(dataset, mia)

    assert set(Suggestion.objects.values_list("score", flat=True)) == {0.75}


def test_nineteen_decided_hits_are_too_few_for_a_score(decided, mia, ana):
    undo(queue_id=decided.uuid, actor=ana, client_key=uuid4())
    write(decided.dataset, mia)

    apply(decided.dataset, mia)

    assert set(Suggestion.objects.values_list("score", flat=True)) == {None}


def shown(queue, user) -> list[list[str]]:
    slots = claim(queue_id=queue.uuid, actor=user)
    names = {str(label.uuid): label.name for label in queue.schema.labels.all()}
    return [[names[key] for key, _ in item["ranks"]] for item in bench_items(queue, slots, user)]


def test_the_bench_shows_rules_in_force_and_not_retired_ones(dataset, mia, ana):
    queue = make_queue(dataset, mia, hidden_share=0)
    function = write(dataset, mia)
    apply(dataset, mia)
    assert shown(queue, ana) == [["card"], ["card"], [], []]

    retired = retire_function(function_id=function.uuid, actor=mia)

    assert shown(queue, ana) == [[], [], [], []]
    assert (retired.version, retired.retired, Suggestion.objects.count()) == (2, True, 2)
    assert (
        retire_function(function_id=function.uuid, actor=mia)
        == retire_function(function_id=retired.uuid, actor=mia)
        == retired
    )
    assert Event.objects.filter(verb=Verb.FUNCTION_RETIRED).count() == 1
    with refused():
        apply_functions(dataset_id=dataset.uuid, actor=mia)
    with refused(by=Conflict):
        write(dataset, mia, changes=retired.uuid)
    assert (LabelingFunction.objects.count(), Job.objects.filter(state="queued").count()) == (2, 0)


def test_what_a_changed_rule_suggested_before_is_not_shown(dataset, mia, ana):
    queue = make_queue(dataset, mia, hidden_share=0)
    function = write(dataset, mia)
    apply(dataset, mia)
    write(dataset, mia, "lost", name=function.name, changes=function.uuid)
    assert shown(queue, ana) == [[], [], [], []]

    apply(dataset, mia)

    assert shown(queue, ana) == [["card"], [], [], []]


def test_of_rules_applied_together_the_bench_shows_the_one_that_is_right_more_often(decided, mia, ana):
    queue, dataset = decided, decided.dataset
    write(dataset, mia, "card", "card")
    write(dataset, mia, "my", "billing")

    apply(dataset, mia)

    assert shown(queue, ana) == [["card"]] * 5


def test_a_rule_retired_while_the_job_runs_suggests_nothing_more(project, mia, monkeypatch):
    monkeypatch.setattr("datasets_app.assist.actions.suggesting.BATCH", 10)
    dataset = make_dataset(project, mia, [f"card {n}" for n in range(15)])
    make_schema(dataset, mia)
    function = write(dataset, mia)
    apply_functions(dataset_id=dataset.uuid, actor=mia)

    def then_retire(**kwargs):
        retire_function(function_id=function.uuid, actor=mia)
        return suggest_values(**kwargs)

    monkeypatch.setattr("datasets_app.assist.actions.suggesting.suggest_values", then_retire)
    run_ok()

    assert Suggestion.objects.count() == 10


def test_a_rule_whose_class_was_dropped_is_left_out(dataset, mia):
    function = write(dataset, mia)
    make_schema(dataset, mia, ["billing", "transfer"])

    with refused(match="no labeling function for a current label"):
        apply_functions(dataset_id=dataset.uuid, actor=mia)

    assert (suggesting.functions_of(dataset), FunctionPass.objects.count()) == ([function], 0)


def test_rules_of_another_dataset_are_not_touched(dataset, project, mia):
    other = make_dataset(project, mia, ["a card elsewhere"], name="Other", slug="other")
    make_schema(other, mia)
    function = write(dataset, mia)

    apply(dataset, mia)

    assert not Suggestion.objects.filter(item__dataset=other).exists()
    with refused():
        write(other, mia, changes=function.uuid)
