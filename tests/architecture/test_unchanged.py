"""`tests.support.unchanged` fails a test whose refusal changed a row, or is another than was meant."""

from __future__ import annotations

import pytest

from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access.models import Project
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("refusal", "is_meant"),
    [
        (Refused("Inbox is frozen.", fields={"endpoint": ["Choose another."]}), True),
        (Refused("Inbox is frozen."), False),
        (Refused("Inbox is frozen.", fields={"slug": ["Choose another."]}), False),
        (Refused("Claims is frozen.", fields={"endpoint": ["Choose another."]}), False),
        (Refused("Inbox is frozen", fields={"endpoint": ["Choose another."]}), False),
    ],
)
def test_a_refusal_is_told_by_its_fields_and_by_what_it_names(refusal, is_meant):
    def run():
        with refused("endpoint", naming=("Inbox",)):
            raise refusal

    if is_meant:
        run()
        return
    with pytest.raises(AssertionError):
        run()


def test_another_class_is_another_refusal():
    with pytest.raises(Conflict), refused():
        raise Conflict("Inbox changed.")


def test_a_row_that_was_only_changed_is_noticed(project):
    def run():
        with refused():
            Project.objects.filter(pk=project.pk).update(name="Another name")
            raise Refused("Nothing was changed.")

    with pytest.raises(AssertionError):
        run()
