"""What a view was asked for and allowed its page need not ask again; actions, and all else, ask the
database.
"""

from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404
from django.test.utils import CaptureQueriesContext

from datasets_app.datasets.models import Dataset
from registry.ground.access import policy
from registry.ground.access.actions import (
    create_token,
    create_user,
    deactivate_user,
    grant,
    revoke,
    revoke_token,
)
from registry.ground.access.decorators import Needs
from registry.ground.access.models import ApiToken, User
from registry.ground.access.policy import roles_of
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from tests.support.labeling import make_dataset
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db
MANAGE = Needs("labeling.manage", Dataset, see="labeling.view")


@pytest.fixture
def dataset(project, mia):
    return make_dataset(project, mia, ["one"])


def test_the_page_of_a_checked_request_asks_for_no_permission_again(dataset, mia, django_assert_num_queries):
    MANAGE.check(mia, {"uuid": dataset.uuid})

    with django_assert_num_queries(0):
        assert policy.can(mia, "labeling.manage", dataset)


def test_an_action_asks_anew_whether_the_role_is_still_there(project, dataset, mia, lee):
    MANAGE.check(mia, {"uuid": dataset.uuid})
    # in another request, at the same time
    revoke(user=User.objects.get(pk=mia.pk), role=Role.ENGINEER, root=project, actor=lee)

    with pytest.raises(PermissionDenied):
        policy.require(mia, "labeling.manage", dataset)
    with pytest.raises(PermissionDenied):
        policy.get_permitted(mia, Dataset, "labeling.manage", uuid=dataset.uuid)


def test_a_row_that_a_request_was_allowed_to_see_is_read_without_its_grants(dataset, mia):
    Needs("labeling.view", Dataset).check(mia, {"uuid": dataset.uuid})

    with CaptureQueriesContext(connection) as statements:
        assert policy.get_visible(mia, Dataset, "labeling.view", uuid=dataset.uuid) == dataset
    with pytest.raises(Http404):
        policy.get_visible(mia, Dataset.objects.exclude(pk=dataset.pk), "labeling.view", uuid=dataset.uuid)

    assert [("grant" in each["sql"]) for each in statements] == [False]


def test_another_person_another_row_and_another_action_are_asked_for(project, dataset, mia, ana):
    MANAGE.check(mia, {"uuid": dataset.uuid})
    same = User.objects.get(pk=mia.pk)
    other = make_dataset(project, mia, ["two"], slug="other", name="Other")

    assert not policy.is_granted(same, Dataset, "labeling.manage", uuid=dataset.uuid)
    assert not policy.is_granted(mia, Dataset, "labeling.manage", uuid=other.uuid)
    assert not policy.is_granted(mia, Dataset, "labeling.manage", uuid=None)
    assert not policy.is_granted(mia, Dataset, "promotions.approve", uuid=dataset.uuid)
    assert not policy.can(ana, "labeling.manage", dataset)


@pytest.mark.parametrize(
    ("person", "uuid", "refusal"),
    [("ana", None, PermissionDenied), ("otto", None, Http404), ("mia", uuid4(), Http404)],
)
def test_what_was_refused_is_not_remembered(dataset, person, uuid, refusal, request):
    user, uuid = request.getfixturevalue(person), uuid or dataset.uuid

    with pytest.raises(refusal):
        MANAGE.check(user, {"uuid": uuid})

    assert not policy.is_granted(user, Dataset, "labeling.manage", uuid=uuid)


def test_a_role_that_this_request_takes_away_is_forgotten(project, dataset, mia, lee):
    MANAGE.check(mia, {"uuid": dataset.uuid})

    revoke(user=mia, role=Role.ENGINEER, root=project, actor=lee)

    assert not policy.can(mia, "labeling.manage", dataset)


CHANGES = {
    "make an account": lambda project, ana, admin: create_user(
        username="nora", display_name="Nora", email="", password=PASSWORD, actor=admin
    ),
    "deactivate": lambda project, ana, admin: deactivate_user(user_id=ana.uuid, actor=admin),
    "end a token of another": lambda project, ana, admin: revoke_token(
        token_id=ApiToken.objects.get().uuid, actor=admin
    ),
    "give a role": lambda project, ana, admin: grant(user=ana, role=Role.ENGINEER, root=project, actor=admin),
    "take a role": lambda project, ana, admin: revoke(user=ana, role=Role.ANALYST, root=project, actor=admin),
}


@pytest.mark.parametrize("change", CHANGES)
def test_who_was_an_organisation_admin_when_the_request_began_and_is_none_now_changes_nothing(
    project, ana, adam, change
):
    create_token(user=ana, name="nightly", scopes=["read"], days=1)
    # in another request, at the same time
    User.objects.filter(pk=adam.pk).update(is_organisation_admin=False)
    before = Event.objects.count(), roles_of(ana, project)

    with pytest.raises(PermissionDenied):
        CHANGES[change](project, ana, adam)

    assert (Event.objects.count(), roles_of(ana, project)) == before
    assert (User.objects.get(pk=ana.pk).is_active, ApiToken.objects.get().revoked_at) == (True, None)
