"""The first person of an installation is made on the command line."""

import io

import pytest
from django.core.management import CommandError, call_command

from registry.ground.access.models import User

pytestmark = pytest.mark.django_db


def run(monkeypatch, password: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    call_command("create_admin", "adam", "--name", "Adam", "--password-stdin", stdout=io.StringIO())


def test_the_admin_can_sign_in_and_has_no_role(monkeypatch, client):
    run(monkeypatch, "a long enough phrase")

    assert client.login(username="adam", password="a long enough phrase")
    assert User.objects.get().is_organisation_admin
    assert not User.objects.get().groups.exists()


def test_a_weak_password_adds_no_one(monkeypatch):
    with pytest.raises(CommandError, match="too short"):
        run(monkeypatch, "short")

    assert not User.objects.exists()


@pytest.mark.postgres
def test_a_name_that_is_taken_adds_no_one(monkeypatch):
    User.objects.create_user("adam")

    with pytest.raises(CommandError, match="adam"):
        run(monkeypatch, "a long enough phrase")

    assert User.objects.count() == 1
