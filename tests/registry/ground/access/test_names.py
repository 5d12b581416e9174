"""No two people read the same; who changes a name is in the audit log; the user name is beside it where
people approve.
"""

import json

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from lifecycle.runtime.refusals import Refused
from registry.ground.access import names
from registry.ground.access.actions import create_user, rename
from registry.ground.access.models import User
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb


@pytest.mark.parametrize(
    "other",
    [
        "lee park",
        "LEE PARK",
        " Lee \u00a0Park ",
        "Lee\u200b Park",
        "\u202eLee Park",
        "Lee Pаrk",
        "Ｌｅｅ Park",
        "Iee Park",
        "Lee\u3164 Park",
        "Lee\U000e0100 Park",
        "Lee\u180b Park",
    ],
)
def test_names_that_read_the_same_have_one_key(other):
    assert names.key(other) == names.key("Lee Park")


@pytest.mark.parametrize("other", ["Lea Park", "Lee Parks", "LeePark", "Lée Park", ""])
def test_names_that_read_differently_have_not(other):
    assert names.key(other) != names.key("Lee Park")


def test_a_name_that_reads_like_another_is_refused_and_one_that_does_not_is_in_the_trail(db, client_for):
    create_user(username="lee", display_name="Lee Park", email="", password=None, actor=None)
    eve = create_user(username="eve", display_name="Eve", email="", password=None, actor=None)
    client, form = client_for(eve), {"theme": "dark", "single_keys": "on"}

    for taken in ("Lee Pаrk", "lee", "Lee\u2060 Park"):
        assert client.post("/access/profile/", form | {"display_name": taken}).status_code == 422
        eve.refresh_from_db()
        assert (eve.display_name, eve.theme) == ("Eve", "system")
    assert not Event.objects.filter(verb=Verb.NAME_CHANGED).exists()
    assert client.post("/access/profile/", form | {"display_name": " Eve  Stone"}).status_code == 302

    eve.refresh_from_db()
    assert (eve.display_name, eve.theme) == ("Eve Stone", "dark")
    event = Event.objects.get(verb=Verb.NAME_CHANGED)
    assert (event.actor, event.object_id) == (str(eve.uuid), str(eve.uuid))
    payload = json.loads(event.canonical)["payload"]
    assert [len(payload[each]) for each in ("old", "new")] == [64, 64]
    assert "Stone" not in event.canonical


def test_a_name_with_invisible_characters_is_refused_and_ones_own_may_be_kept(db):
    eve = create_user(username="eve", display_name="Eve", email="", password=None, actor=None)

    with pytest.raises(Refused):
        rename(actor=eve, name="Eve\u200d")
    rename(actor=eve, name="EVE")

    eve.refresh_from_db()
    assert eve.display_name == "EVE"


def test_an_admin_names_no_new_account_like_an_old_one(db):
    create_user(username="lee", display_name="Lee Park", email="", password=None, actor=None)

    with pytest.raises(Refused):
        create_user(username="lee2", display_name="lee  park", email="", password=None, actor=None)
    assert not User.objects.filter(username="lee2").exists()


@pytest.mark.postgres
def test_the_database_keeps_two_people_from_taking_a_name_at_once(db):
    User.objects.create_user("lee", display_name="Lee Park", name_key=names.key("Lee Park"))

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("eve", display_name="Lee Pаrk", name_key=names.key("Lee Pаrk"))


@pytest.mark.postgres
def test_a_user_name_that_was_taken_meanwhile_is_an_error_at_its_field_and_makes_no_account(db, monkeypatch):
    taken = User.objects.create_user("lee")
    monkeypatch.setattr("registry.ground.access.actions.User.objects", Late(User.objects))

    with pytest.raises(Refused) as refused:
        create_user(username="lee", display_name="Another", email="", password=None, actor=None)

    assert list(refused.value.fields) == ["username"]
    monkeypatch.undo()
    assert list(User.objects.filter(username="lee")) == [taken]


class Late:
    """Accounts as seen a moment too early: the first lookup of a user name finds no one."""

    def __init__(self, manager):
        self.manager, self.looked = manager, False

    def filter(self, **fields):
        if "username" in fields and not self.looked:
            self.looked = True
            return self.manager.none()
        return self.manager.filter(**fields)

    def __getattr__(self, name):
        return getattr(self.manager, name)


def test_a_name_that_reads_like_a_user_name_is_found_in_as_many_statements_however_many_accounts_there_are(
    db,
):
    eve = create_user(username="eve", display_name="Eve", email="", password=None, actor=None)
    counted = []
    for number in (1, 30):
        User.objects.bulk_create(
            User(username=f"person-{number}-{at}", username_key=names.key(f"person-{number}-{at}"))
            for at in range(number)
        )
        with CaptureQueriesContext(connection) as asked, pytest.raises(Refused):
            rename(actor=eve, name=f"Person-{number}-0")
        counted.append((len(asked), sum("username_key" in each["sql"] for each in asked)))

    assert counted[0] == counted[1]
