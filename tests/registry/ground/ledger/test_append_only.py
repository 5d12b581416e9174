"""History can't be changed, by anyone or any route."""

from unittest import mock

import pytest
from django.apps import apps
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, transaction

from registry.ground.access.models import Project
from registry.ground.ledger.actions import record
from registry.ground.ledger.immutable import fixed_columns, protect_tables, protected_models
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.unchanged import append_only

pytestmark = pytest.mark.postgres

# Adding or removing a table here changes what the product promises: give the reason in the commit.
IMMUTABLE = {
    "access.project", "artifacts.blob", "artifacts.folder", "catalog.card", "catalog.endpoint",
    "catalog.freeze", "catalog.modelversion", "catalog.registeredmodel", "datasets.export", "datasets.item",
    "datasets.upload", "drift.baseline", "drift.driftreport", "drift.episode", "drift.textcheck",
    "endpoints.deployment", "endpoints.fault", "evaluation.analysis", "evaluation.comparison",
    "evaluation.evaluation", "queues.annotation", "queues.comment", "queues.comment_mentioned",
    "exchange.correction", "queues.decision", "queues.decision_annotations", "exchange.export", "assist.fit",
    "queues.gold", "schemas.guidelineproposal", "schemas.label", "schemas.labelchange", "schemas.labelschema",
    "quality.qualityreport", "prelabels.retiredsource", "assist.labelingfunction", "queues.slotskip",
    "prelabels.suggestion", "ledger.checkpoint", "ledger.event", "notices.outbox", "policies.policy",
    "promotions.gateresult", "promotions.promotioncomment", "promotions.verdict", "retraining.pick",
    "retraining.proposal", "rollouts.look", "rollouts.rollout", "rollouts.segment", "scanning.duplicategroup",
    "scanning.groupmember", "snapshots.export", "snapshots.snapshot", "snapshots.splitassignment",
    "trace.attribution", "trace.neighbour", "training.basemodel", "training.sweep", "traffic.feedback",
    "traffic.guardtrip", "traffic.outcome", "traffic.prediction", "traffic.shadowanswer",
}  # fmt: skip


def test_every_immutable_table_is_named_here():
    assert {model._meta.label_lower for model in protected_models()} == IMMUTABLE


@pytest.mark.django_db
def test_every_immutable_table_has_its_triggers():
    wanted = {
        f"{model._meta.db_table}_no_{event}" for model in protected_models() for event in ("update", "delete")
    }
    if connection.vendor == "postgresql":
        wanted |= {f"{model._meta.db_table}_no_truncate" for model in protected_models()}
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = {row[0] for row in cursor.fetchall()}
    assert wanted - found == set()


@pytest.fixture
def event(project) -> Event:
    with transaction.atomic():
        return record(None, Verb.PROJECT_CREATED, project, project=project.uuid)


def test_an_event_is_not_updated(event):
    with append_only(Event):
        Event.objects.filter(pk=event.pk).update(verb=Verb.DEPLOYED)

    assert Event.objects.get(pk=event.pk).verb == Verb.PROJECT_CREATED


def test_an_event_is_not_deleted(event):
    with append_only(Event):
        event.delete()
    with append_only(Event):
        Event.objects.filter(pk=event.pk).delete()

    assert Event.objects.filter(pk=event.pk).exists()


def test_a_project_keeps_its_slug_and_stays(project):
    with append_only(Project):
        Project.objects.filter(pk=project.pk).update(slug="other")
    with append_only(Project):
        project.delete()
    Project.objects.filter(pk=project.pk).update(name="Other")

    assert Project.objects.values_list("slug", "name").get() == (project.slug, "Other")


@pytest.mark.django_db
def test_a_table_of_history_is_not_truncated_on_postgresql(event):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")

    with append_only(Event), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what this transaction wrote is checked first
        cursor.execute("TRUNCATE ledger_event CASCADE")  # since names refer to events

    assert Event.objects.filter(pk=event.pk).exists()


@pytest.mark.django_db
def test_only_the_columns_that_a_model_names_may_change():
    for model in apps.get_models():
        changeable = getattr(model, "changeable", ())
        assert {f.name for f in model._meta.concrete_fields} >= set(changeable)


@pytest.mark.django_db
def test_a_table_that_lacks_its_newest_columns_is_protected_by_the_others():
    """As it is while migrations go back: the columns of the models of today are not all there."""
    with connection.cursor() as cursor:
        for event in ("update", "delete", "truncate"):
            on = ' ON "queues_gold"' if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS queues_gold_no_{event}{on}")
        cursor.execute('ALTER TABLE "queues_gold" DROP COLUMN "explanation"')

    protect_tables()

    columns = fixed_columns(connection, apps.get_model("queues", "Gold"))
    assert columns == [
        '"id"',
        '"uuid"',
        '"dataset_id"',
        '"item_id"',
        '"label_id"',
        '"value"',
        '"place"',
        '"set_by_id"',
        '"created_at"',
    ]
    with connection.cursor() as cursor:
        query = {"postgresql": "SELECT tgname FROM pg_trigger", "sqlite": "SELECT name FROM sqlite_master"}[
            connection.vendor
        ]
        cursor.execute(query)
        assert {"queues_gold_no_update", "queues_gold_no_delete"} <= {name for (name,) in cursor.fetchall()}


@pytest.mark.django_db
def test_after_a_migrate_the_triggers_are_put_in_place_once_and_not_for_each_room():
    with mock.patch("registry.ground.ledger.immutable.protected_models", wraps=protected_models) as asked:
        emit_post_migrate_signal(verbosity=0, interactive=False, db="default")

    assert asked.call_count == 1
