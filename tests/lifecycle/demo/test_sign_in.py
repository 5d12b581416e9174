"""One click signs in on the machine itself while DEMO is on, and nowhere else."""

import stat

import pytest
from django.test import Client, override_settings

from lifecycle.demo import people
from lifecycle.demo.actions import seed, start
from lifecycle.jobs.models import Job
from registry.access.models import Project, User
from registry.access.policy import roles_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return Client(SERVER_NAME="localhost")


@pytest.fixture
def seeded(db) -> Project:
    """What an installation with the demo begins with."""
    with override_settings(DEMO=True):
        return seed()


@pytest.fixture
def demo(seeded, settings) -> Project:
    settings.DEMO = True
    return seeded


def click(client, username="lee", **extra):
    return client.post("/demo/sign-in/", {"username": username}, **extra)


@pytest.mark.postgres
def test_everybody_of_the_demo_can_be_signed_in_as(demo, client):
    for person in people.PEOPLE:
        assert click(client, person.username)["Location"] == "/"
        assert client.get("/").wsgi_request.user.username == person.username


def test_the_sign_in_page_offers_it(demo, client):
    assert "Gita Rao" in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize("extra", [
    {"REMOTE_ADDR": "192.0.2.7"},
    {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
    {"HTTP_X_REAL_IP": "127.0.0.1"},
    {"HTTP_VIA": "1.1 proxy"},
    {"HTTP_HOST": "lifecycle.example"},
])  # fmt: skip
def test_from_elsewhere_there_is_nothing(demo, client, settings, extra):
    settings.ALLOWED_HOSTS = ["localhost", "testserver", "lifecycle.example"]

    assert click(client, **extra).status_code == 404
    assert "_auth_user_id" not in client.session
    assert "Gita Rao" not in client.get("/accounts/login/", **extra).content.decode()


def test_without_demo_there_is_nothing(demo, client, settings):
    settings.DEMO = False

    assert click(client).status_code == 404


@pytest.mark.postgres
def test_a_real_person_with_a_demo_name_is_never_signed_in_as(settings, client):
    settings.DEMO = True
    User.objects.create_user("lee", email="lee@bank.example", password="correct horse battery")

    assert click(client).status_code == 404


def test_the_passwords_are_random_and_readable_by_the_owner_alone(demo):
    assert stat.S_IMODE(people.passwords_path().stat().st_mode) == 0o600
    assert len(set(people.passwords().values())) == len(people.PEOPLE)
    assert User.objects.get(username="lee").check_password(people.passwords()["lee"])


def test_seeding_twice_makes_one_of_everything(demo):
    seed()

    assert Project.objects.count() == 1
    assert User.objects.count() == len(people.PEOPLE)
    assert Job.objects.filter(kind="demo.seed").count() == 1
    assert roles_of(User.objects.get(username="mia"), demo)[0].value == "engineer"


def test_an_installation_without_demo_stays_empty(settings):
    settings.DEMO = False
    start()

    assert not Project.objects.exists()
