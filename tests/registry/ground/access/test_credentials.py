"""A session is not the password: what opens an account changes only for who shows the password or code again,
and is in the trail.
"""

import json
import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.core.cache import cache
from django.test import Client

from lifecycle.runtime.refusals import Refused
from registry.ground.access import step_up
from registry.ground.access.actions import create_token, create_user
from registry.ground.access.digests import digest
from registry.ground.access.models import ApiToken
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.people import PASSWORD, sign_in
from tests.support.unchanged import refused

OLD, NEW = "nora@example.test", "new@example.test"
SECRET = "JBSWY3DPEHPK3PXP"  # noqa: S105  of a test's authenticator app


@pytest.fixture
def nora(db):
    return create_user(username="nora", display_name="Nora", email=OLD, password=PASSWORD, actor=None)


@pytest.fixture
def session(nora):
    client = Client()
    sign_in(client, nora)
    return client


def confirmed(client: Client, answer) -> object:
    """What follows when the person shows their password where they were sent to."""
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/reauthenticate/")
    return client.post(answer["Location"], {"password": PASSWORD})


def link_in(message) -> str:
    return re.search(r"https?://testserver(/\S+)", message.body)[1]


def payload(event: Event) -> dict[str, object]:
    return json.loads(event.canonical)["payload"]


def verbs() -> list[str]:
    return list(
        Event.objects.filter(verb__startswith="access.")
        .exclude(verb=Verb.USER_CREATED)
        .order_by("pk")
        .values_list("verb", flat=True)
    )


def code(steps: int = 0) -> str:
    """What the app shows. steps: of half a minute, before or after now."""
    return format_hotp_value(hotp_value(SECRET, list(yield_hotp_counters_from_time())[0] + steps))


def test_a_session_alone_adds_no_address(session, nora):
    answer = session.post("/accounts/email/", {"action_add": "", "email": NEW})

    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert list(EmailAddress.objects.filter(user=nora).values_list("email", "verified", "primary")) == [
        (OLD, True, True)
    ]
    assert mail.outbox == []


@pytest.mark.parametrize("action", ["action_primary", "action_remove"])
def test_a_session_alone_neither_promotes_nor_removes_an_address(session, nora, action):
    EmailAddress.objects.create(user=nora, email=NEW, verified=True)
    before = set(EmailAddress.objects.filter(user=nora).values_list("email", "verified", "primary"))

    answer = session.post("/accounts/email/", {action: "", "email": NEW})

    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert set(EmailAddress.objects.filter(user=nora).values_list("email", "verified", "primary")) == before
    assert mail.outbox == []


@pytest.mark.postgres
def test_an_address_counts_once_its_link_was_opened_and_the_old_one_is_notified(
    session, nora, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        confirmed(session, session.post("/accounts/email/", {"action_add": "", "email": NEW}))
    nora.refresh_from_db()
    assert (nora.email, [message.to for message in mail.outbox]) == (OLD, [[NEW]])
    link = link_in(mail.outbox.pop())
    with django_capture_on_commit_callbacks(execute=True):
        Client().post(link)

    nora.refresh_from_db()
    assert nora.email == NEW
    assert list(EmailAddress.objects.filter(user=nora).values_list("email", "verified", "primary")) == [
        (NEW, True, True)
    ]
    assert [message.to for message in mail.outbox] == [[OLD]]
    event = Event.objects.get(verb=Verb.EMAIL_CHANGED)
    assert (event.actor, payload(event)) == (
        str(nora.uuid),
        {"old": digest("address", OLD), "new": digest("address", NEW)},
    )
    assert "example.test" not in event.canonical


def test_an_address_that_was_only_typed_in_gets_no_link_to_a_new_password(
    nora, client, django_capture_on_commit_callbacks
):
    EmailAddress.objects.create(user=nora, email=NEW)

    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/password/reset/", {"email": NEW})
    assert [("password/reset/key" in message.body) for message in mail.outbox] == [False]
    cache.clear()
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/password/reset/", {"email": OLD})
    assert "password/reset/key" in mail.outbox[-1].body


@pytest.mark.postgres
def test_a_reset_ends_sessions_and_tokens(session, nora, client, django_capture_on_commit_callbacks):
    token, _ = create_token(user=nora, name="nightly", scopes=["read"], days=1)
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/password/reset/", {"email": OLD})
    page = client.get(link_in(mail.outbox.pop()))
    with django_capture_on_commit_callbacks(execute=True):
        client.post(
            page["Location"], {"password1": "another long phrase", "password2": "another long phrase"}
        )

    assert session.get("/access/profile/").status_code == 302
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert verbs() == [Verb.TOKEN_CREATED, Verb.TOKEN_REVOKED, Verb.PASSWORD_RESET]
    assert payload(Event.objects.get(verb=Verb.TOKEN_REVOKED)) == {
        "user": str(nora.uuid),
        "reason": "password reset",
    }
    assert [message.to for message in mail.outbox] == [[OLD]]
    nora.refresh_from_db()
    assert nora.check_password("another long phrase")


def test_a_new_password_takes_the_old_one_and_leaves_tokens(
    session, nora, django_capture_on_commit_callbacks
):
    create_token(user=nora, name="nightly", scopes=["read"], days=1)
    other, form = Client(), {"password1": "another long phrase", "password2": "another long phrase"}
    sign_in(other, nora)

    session.post("/accounts/password/change/", form | {"oldpassword": "guess"})
    assert verbs() == [Verb.TOKEN_CREATED]
    with django_capture_on_commit_callbacks(execute=True):
        session.post("/accounts/password/change/", form | {"oldpassword": PASSWORD})

    assert (session.get("/access/profile/").status_code, other.get("/access/profile/").status_code) == (
        200,
        302,
    )
    assert verbs() == [Verb.TOKEN_CREATED, Verb.PASSWORD_CHANGED]
    assert ApiToken.objects.get().revoked_at is None
    assert [message.to for message in mail.outbox] == [[OLD]]


def test_a_session_alone_makes_no_token_and_what_was_asked_goes_on_once_confirmed(session):
    form = {"name": "nightly", "scopes": ["read"], "days": 30}

    answer = session.post("/access/tokens/create/", form)
    assert not ApiToken.objects.exists()
    made = confirmed(session, answer)

    assert "lc_" in made.content.decode()
    assert ApiToken.objects.get().name == "nightly"


@pytest.mark.parametrize(
    "address", ["/accounts/2fa/totp/activate/", "/accounts/2fa/recovery-codes/generate/"]
)
def test_a_session_alone_sets_up_no_second_factor(session, address):
    for method in (session.get, session.post):
        assert method(address)["Location"].startswith("/accounts/reauthenticate/")
    assert not Authenticator.objects.exists()


@pytest.mark.postgres
def test_a_second_factor_is_added_with_the_password_and_removed_with_itself(session, nora):
    session.get(confirmed(session, session.get("/accounts/2fa/totp/activate/"))["Location"])
    secret = session.session["mfa.totp.secret"]
    with_app = format_hotp_value(hotp_value(secret, list(yield_hotp_counters_from_time())[0]))
    session.post("/accounts/2fa/totp/activate/", {"code": with_app})
    assert Event.objects.filter(verb=Verb.FACTOR_ADDED, actor=str(nora.uuid)).count() == 2

    thief = Client()
    sign_in(thief, nora)
    assert thief.post("/accounts/2fa/totp/deactivate/")["Location"].startswith(
        "/accounts/2fa/reauthenticate/"
    )
    assert thief.post("/accounts/reauthenticate/", {"password": PASSWORD})["Location"].startswith(
        "/accounts/2fa/reauthenticate/"
    )
    assert Authenticator.objects.filter(user=nora).count() == 2

    session.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.filter(user=nora).exists()
    removed = Event.objects.filter(verb=Verb.FACTOR_REMOVED)
    assert sorted(payload(event)["type"] for event in removed) == ["recovery_codes", "totp"]


def test_a_decision_takes_the_code_of_who_has_an_app_and_each_code_once(nora):
    step_up.confirm_password(nora, PASSWORD)
    TOTP.activate(nora, SECRET)

    for wrong in ("", "000000"):
        with pytest.raises(Refused) as refusal:
            step_up.confirm_password(nora, PASSWORD, wrong)
        assert list(refusal.value.fields) == ["code"]
    step_up.confirm_password(nora, PASSWORD, code())
    with pytest.raises(Refused):
        step_up.confirm_password(nora, PASSWORD, code())

    failed = Event.objects.filter(verb=Verb.SIGN_IN_FAILED, actor=str(nora.uuid))
    assert [payload(event) for event in failed] == [{"how": "code"}] * 3


def test_signing_in_is_an_event_with_what_was_shown(nora, client):
    client.post("/accounts/login/", {"login": "nora", "password": PASSWORD})
    assert payload(Event.objects.get(verb=Verb.SIGNED_IN)) == {"methods": ["password"]}

    TOTP.activate(nora, SECRET)
    client = Client()
    client.post("/accounts/login/", {"login": "nora", "password": PASSWORD})
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert client.get("/access/profile/").status_code == 302
    client.post("/accounts/2fa/authenticate/", {"code": code()})

    assert client.get("/access/profile/").status_code == 200
    assert payload(Event.objects.filter(verb=Verb.SIGNED_IN).order_by("-pk")[0]) == {
        "methods": ["password", "mfa"]
    }
    refused = Event.objects.get(verb=Verb.SIGN_IN_REFUSED)
    assert (refused.actor, refused.object_id, payload(refused)) == ("system", str(nora.uuid), {"how": "code"})


@pytest.mark.postgres
def test_guessing_passwords_is_in_the_trail_and_does_not_fill_it(nora, gita):
    for at in range(8):
        cache.clear()  # as if each came from another place and process
        for login in ("nora", OLD, f"nobody-{at}"):
            Client().post("/accounts/login/", {"login": login, "password": "guess"})

    refused = Event.objects.filter(verb=Verb.SIGN_IN_REFUSED)
    assert [(event.object_id, payload(event)) for event in refused] == [
        (str(nora.uuid), {"how": "password"})
    ] * 5
    step_up.confirm_password(nora, PASSWORD)  # guesses of strangers keep no one from deciding


def test_a_wrong_password_in_a_session_counts_among_the_tries_of_a_decision(session, nora):
    for _ in range(5):
        session.post("/accounts/reauthenticate/", {"password": "guess"})

    assert Event.objects.filter(verb=Verb.SIGN_IN_FAILED, actor=str(nora.uuid)).count() == 5
    with refused("password"):
        step_up.confirm_password(nora, PASSWORD)


def test_no_second_account_gets_an_address_that_another_person_has(nora):
    with pytest.raises(Refused):
        create_user(username="eve", display_name="Eve", email=OLD.upper(), password=PASSWORD, actor=None)

    assert not EmailAddress.objects.exclude(user=nora).exists()
