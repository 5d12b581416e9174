"""One click signs in on the machine itself while DEMO is on, and nowhere else."""

import stat

import pytest
from django.test import Client, override_settings

from lifecycle.ground.jobs import startup
from lifecycle.ground.jobs.models import Job
from lifecycle.roof.demo import people
from lifecycle.roof.demo import start as start_token
from lifecycle.roof.demo.actions import seed, start
from registry.ground.access.models import Project, User
from registry.ground.access.policy import roles_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def fresh() -> Client:
    """A browser without the start token."""
    return Client(SERVER_NAME="localhost")


@pytest.fixture
def client(settings) -> Client:
    """A browser that opened the printed address."""
    made, before = Client(SERVER_NAME="localhost"), settings.DEMO
    settings.DEMO = True
    made.get(f"/{start_token.path()}")
    settings.DEMO = before
    return made


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
def test_one_click_signs_in_as_any_demo_person(demo, client):
    for person in people.PEOPLE:
        assert click(client, person.username)["Location"] == "/"
        assert client.get("/").wsgi_request.user.username == person.username


def test_the_sign_in_page_offers_it(demo, client):
    assert "Gita Rao" in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize(
    "extra",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_X_REAL_IP": "127.0.0.1"},
        {"HTTP_VIA": "1.1 proxy"},
        {"HTTP_HOST": "lifecycle.example"},
    ],
)
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


# ── The start token ─────────────────────────────────────────────────────────
def test_without_the_start_token_there_is_nothing(demo, fresh):
    """A client behind a proxy on this machine that adds no headers."""
    assert click(fresh).status_code == 404
    assert "_auth_user_id" not in fresh.session
    assert "Gita Rao" not in fresh.get("/accounts/login/").content.decode()


def test_the_printed_address_leads_to_the_one_click_sign_ins_once_for_a_browser(demo, fresh):
    answer = fresh.get(f"/{startup.entrance()}")

    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
    assert start_token.token() not in str(answer.cookies)
    assert "Gita Rao" in fresh.get("/accounts/login/").content.decode()
    assert click(fresh).status_code == 302


@pytest.mark.parametrize("given", ["a-token", "x" * 43, "é"])
def test_another_token_opens_nothing(demo, fresh, given):
    assert fresh.get(f"/demo/start/{given}/").status_code == 404
    assert "demo_start" not in fresh.cookies
    assert click(fresh).status_code == 404


def test_the_right_token_opens_nothing_from_elsewhere_or_without_the_demo(demo, fresh, settings):
    address = f"/{start_token.path()}"

    assert fresh.get(address, REMOTE_ADDR="192.0.2.7").status_code == 404
    assert fresh.get(address, HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 404
    settings.DEMO = False
    assert fresh.get(address).status_code == 404
    assert (startup.entrance(), "demo_start" in fresh.cookies) == ("", False)


def test_a_new_token_ends_what_the_old_one_opened(demo, client):
    old = start_token.token()
    start_token.token_path().unlink()

    assert start_token.token() != old
    assert click(client).status_code == 404


def test_the_token_is_random_stays_and_is_readable_by_its_owner_alone(demo):
    assert len(start_token.token()) == 43
    assert start_token.token() == start_token.token()
    assert stat.S_IMODE(start_token.token_path().stat().st_mode) == 0o600
    assert [path.name for path in start_token.token_path().parent.glob("demo-start-token*")] == [
        "demo-start-token"
    ]


def test_a_forged_cookie_opens_nothing(demo, fresh):
    fresh.cookies["demo_start"] = start_token.digest()

    assert click(fresh).status_code == 404
