"""A migration can remake every table, also one that a trigger of another table reads."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection

from registry.ground.ledger.immutable import protected_models

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL alters tables in place")


def triggers() -> dict[str, tuple[str, str]]:
    """All of them, by name: the table and the SQL."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
        return {name: (table, sql) for name, table, sql in cursor.fetchall()}


def read_by_others() -> set[str]:
    """The tables that a `deletable_when` selects from."""
    conditions = [getattr(model, "deletable_when", "") for model in protected_models()]
    sql = [condition if isinstance(condition, str) else condition["sqlite"] for condition in conditions]
    return set(re.findall(r"(?:FROM|JOIN) (\w+)", " ".join(sql)))


@pytest.mark.django_db(transaction=True)
def test_a_table_read_by_other_tables_triggers_is_remade_and_their_triggers_restored():
    before, tables = triggers(), read_by_others()
    assert tables == {"datasets_upload", "datasets_item", "traffic_prediction"}

    for model in [each for each in apps.get_models() if each._meta.db_table in tables]:
        uuid = model._meta.get_field("uuid")
        with connection.schema_editor() as editor:
            editor._remake_table(model, alter_fields=[(uuid, uuid)])
        lost = {name for name in before if name not in triggers()}
        emit_post_migrate_signal(verbosity=0, interactive=False, db="default")

        assert {before[name][0] for name in lost} <= {model._meta.db_table}
        assert triggers() == before
