"""The database refuses a state of a version that cannot follow another: a quarantine is for good, no matter
who writes.
"""

import pytest
from django.db import DatabaseError, connection, transaction

from registry.catalog.models import ModelVersion
from registry.catalog.rules import MOVES
from tests.support import registry
from tests.support.unchanged import no_move

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
STATES = ModelVersion.State.values


@pytest.fixture
def version(project, mia, ravi):
    return registry.make_version(project, mia, ravi)


def is_written(version: ModelVersion, state: str) -> bool:
    """Whether the database takes this state of the version."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE catalog_modelversion SET state = %s WHERE id = %s", [state, version.pk])
    except DatabaseError:
        return False
    return True


def test_only_the_moves_of_the_rules_can_be_written(version):
    wrong = []
    for old in STATES:
        for new in STATES:
            with transaction.atomic():
                assert old == "active" or is_written(version, old)
                if is_written(version, new) != (new == old or new in MOVES.get(old, ())):
                    wrong.append((old, new))
                transaction.set_rollback(True)
    assert not wrong


def test_a_version_begins_active(version):
    fields = {
        field.name: getattr(version, field.name)
        for field in ModelVersion._meta.concrete_fields
        if field.name not in ("id", "uuid")
    }
    other = fields | {"number": 2, "semver": "2.0.0", "root_digest": "f" * 64, "state": "quarantined"}

    with no_move(ModelVersion):
        ModelVersion.objects.create(**other)

    assert ModelVersion.objects.count() == 1
