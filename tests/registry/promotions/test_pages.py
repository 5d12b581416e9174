"""The pages and the API: queue, request form, decision; with and without htmx; strangers see nothing, tokens
decide nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta

import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape
from rest_framework.test import APIClient

from registry.catalog import actions as catalog
from registry.catalog import queries as catalog_queries
from registry.ground.access import actions as access
from registry.ground.access.actions import create_token
from registry.ground.access.models import User
from registry.ground.access.roles import Role
from registry.ground.access.scopes import Scope
from registry.ground.ledger.models import Event
from registry.promotions import actions, queries
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import PARTS, Status
from tests.support import registry
from tests.support.people import PASSWORD, make_person

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


def url(name, request):
    return reverse(f"promotions:{name}", args=[request.uuid])


def decision(request, prefix="", **changes):
    given = {
        "seen": request.subject_digest,
        "reason": "Good.",
        "password": PASSWORD,
        "consent": "on",
    } | changes
    return {f"{prefix}{name}": value for name, value in given.items()}


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_page_shows_gates_and_who_decides(client_for, request_, lee, headers):
    html = client_for(lee).get(url("detail", request_), **headers).content.decode()

    assert 'data-state="in_review" data-conflict="no"' in html
    assert re.findall(r'data-seat="(\w+)" data-verdict="(\w+)"', html) == [
        ("technical", "next"),
        ("governance", "open"),
    ]
    assert Counter(re.findall(r'data-result="(\w+)"', html))["passed"] == 7
    assert 'id="standing" data-may="yes" data-step="technical"' in html
    assert 'id="changes" data-compared="no"' in html
    assert ("<html" in html) is not bool(headers)


def test_the_user_name_is_shown_beside_the_name_of_everyone_who_requests_or_decides(
    client_for, request_, lee, gita, mia
):
    before = client_for(mia).get(url("detail", request_)).content.decode()
    registry.approve(request_, lee)
    after = client_for(mia).get(url("detail", request_)).content.decode()

    expected = {f"{person} ({person.username})" for person in (lee, gita, mia)}
    assert {name for name in expected if name in before} == expected
    for page in (before, after):
        assert not re.search(r"\bLee\b(?! \(lee\))", page)


def test_people_who_may_not_approve_see_it_before_reading(client_for, request_, mia):
    html = client_for(mia).get(url("detail", request_)).content.decode()

    assert html.index('data-may="no"') < html.index(escape(PARTS["requester"])) < html.index('id="changes"')
    assert 'aria-disabled="true"' in html
    assert 'name="password"' not in html


def test_enter_never_approves(client_for, request_, lee):
    html = client_for(lee).get(url("detail", request_)).content.decode()

    form = re.search(r'<form[^>]*action="[^"]*/approve/".*?</form>', html, re.S).group()
    assert re.findall(r"<button[^>]*>", form)[0] == '<button type="submit" disabled hidden>'


@pytest.mark.parametrize(("headers", "status"), [({}, 302), (HTMX, 200)])
def test_a_lead_approves_on_the_page(client_for, request_, lee, headers, status):
    answer = client_for(lee).post(url("approve", request_), decision(request_), **headers)

    assert answer.status_code == status
    assert request_.verdicts.get().reviewer == lee


@pytest.mark.parametrize("missing", ["reason", "password", "consent"])
def test_an_incomplete_decision_is_shown_again(client_for, request_, lee, missing):
    answer = client_for(lee).post(url("approve", request_), decision(request_, **{missing: ""}))

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [missing]
    assert f'id="id_{missing}_error"' in answer.content.decode()
    assert not Verdict.objects.exists()


def test_a_wrong_password_is_an_error_at_its_field_and_never_repeated(client_for, request_, lee):
    answer = client_for(lee).post(url("approve", request_), decision(request_, password="not my password"))

    assert answer.status_code == 422
    html = answer.content.decode()
    assert list(answer.context["form"].errors) == ["password"]
    assert 'id="id_password_error"' in html
    assert "not my password" not in html
    assert not Verdict.objects.exists()


def test_who_has_an_authenticator_app_is_asked_for_its_code(client_for, request_, lee):
    client, secret = client_for(lee), "JBSWY3DPEHPK3PXP"
    assert 'name="code"' not in client.get(url("detail", request_)).content.decode()
    TOTP.activate(lee, secret)
    assert 'name="code"' in client.get(url("detail", request_)).content.decode()

    assert client.post(url("approve", request_), decision(request_)).status_code == 422
    assert not Verdict.objects.exists()
    code = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    assert client.post(url("approve", request_), decision(request_, code=code)).status_code == 302

    assert Verdict.objects.get().reviewer == lee


def test_a_change_while_reading_answers_409_with_a_note(client_for, request_, lee, mia):
    version = request_.version
    catalog.edit_card(
        version=version,
        stated={"limits": "None."},
        seen=catalog_queries.newest_card(version).digest,
        actor=mia,
    )

    answer = client_for(lee).post(url("approve", request_), decision(request_))

    assert answer.status_code == 409
    assert 'data-state="voided" data-conflict="yes"' in answer.content.decode()
    assert PromotionRequest.objects.get().status == Status.VOIDED


@pytest.mark.postgres
def test_a_reviewer_rejects_on_the_page(client_for, request_, gita):
    answer = client_for(gita).post(url("reject", request_), decision(request_, "reject-"))

    assert answer.status_code == 302
    assert PromotionRequest.objects.get().status == Status.REJECTED


@pytest.mark.postgres
def test_a_request_is_made_and_withdrawn_on_the_page(client_for, version, endpoint, mia):
    client = client_for(mia)
    form = {"version": version.uuid, "endpoint": endpoint.uuid, "note": "Better.", "kind": "at_once"}

    answer = client.post(reverse("promotions:new"), form)
    made = PromotionRequest.objects.get(version=version)
    assert (answer.status_code, answer["Location"], made.status) == (
        302,
        url("detail", made),
        Status.CHECKING,
    )
    assert client.get(url("detail", made)).status_code == 200

    again = client.post(reverse("promotions:new"), form)
    assert again.status_code == 422
    assert list(again.context["form"].errors) == ["version"]
    assert PromotionRequest.objects.filter(version=version).count() == 1

    client.post(url("withdraw", made), {"reason": "A better one comes."})
    assert PromotionRequest.objects.get(version=version).status == Status.WITHDRAWN


@pytest.mark.postgres
def test_texts_are_inert(client_for, request_, lee, omar):
    client_for(omar).post(url("comment", request_), {"text": "<script>x</script>\u202e"})

    html = client_for(lee).get(url("detail", request_)).content.decode()

    assert "<script>x" not in html
    assert "U+202E" in html


NAMES = ["detail", "approve", "reject", "withdraw", "check", "comment"]


@pytest.mark.parametrize("name", NAMES)
def test_strangers_find_nothing(client_for, request_, otto, name):
    before = Event.objects.count()
    client = client_for(otto)

    answer = (
        client.get(url(name, request_))
        if name == "detail"
        else client.post(url(name, request_), decision(request_))
    )

    assert answer.status_code == 404
    assert Event.objects.count() == before


@pytest.mark.parametrize(
    ("name", "username"),
    [
        ("approve", "mia"),
        ("approve", "omar"),
        ("reject", "ana"),
        ("withdraw", "gita"),
        ("check", "gita"),
        ("comment", "aida"),
    ],
)
def test_a_wrong_role_sees_which_one_may(request, client_for, request_, name, username):
    client = client_for(request.getfixturevalue(username))
    before = Event.objects.count()

    answer = client.post(url(name, request_), decision(request_))

    assert answer.status_code == 403
    assert Event.objects.count() == before


def test_the_queue_shows_what_waits_for_whom(client_for, request_, lee, gita, mia):
    assert [queries.waiting_count(person) for person in (lee, gita, mia)] == [1, 0, 0]

    html = client_for(lee).get(reverse("promotions:list")).content.decode()
    assert html.count('data-yours="technical"') == 1
    assert "data-yours" not in client_for(gita).get(reverse("promotions:list")).content.decode()


@pytest.fixture
def asked(project, version, endpoint, mia, lee, gita, ravi):
    """A request for whose steps Gil is a second governance reviewer, and Ravi, who labeled its test rows, a
    second lead.
    """
    make_person("gil", project=project, role=Role.GOVERNANCE)
    access.grant(user=ravi, role=Role.LEAD, root=project, actor=None)
    return registry.asked_request(version, endpoint, mia)


def standings(request, now=None):
    """By name: whether they may approve, whether they may reject, and the step that is next."""
    people = User.objects.filter(username__in=["lee", "gita", "gil", "ravi", "mia"])
    found = {
        each.username: queries.standing(each, queries.full(each, request.uuid), now=now) for each in people
    }
    return {name: (each.may, each.may_reject, each.step and each.step.name) for name, each in found.items()}


def test_who_may_approve_and_who_may_reject_at_each_step(asked, lee, gita):
    assert standings(asked) == {
        "lee": (True, True, "technical"),
        "ravi": (False, True, "technical"),
        "gita": (False, True, "technical"),
        "gil": (False, True, "technical"),
        "mia": (False, False, "technical"),
    }

    registry.approve(asked, lee)
    assert standings(asked) == {
        "lee": (False, False, "governance"),
        "ravi": (False, True, "governance"),
        "gita": (True, True, "governance"),
        "gil": (True, True, "governance"),
        "mia": (False, False, "governance"),
    }

    registry.approve(asked, gita)
    assert standings(asked) == {
        "lee": (False, False, None),
        "ravi": (False, True, None),
        "gita": (False, False, None),
        "gil": (False, True, None),
        "mia": (False, False, None),
    }

    actions.withdraw(request_id=asked.uuid, actor=lee, reason="A better one comes.")
    assert set(standings(asked).values()) == {(False, False, None)}


def test_no_one_may_decide_from_the_time_on_at_which_it_is_due(asked):
    due = PromotionRequest.objects.get().due_at

    assert standings(asked, due - timedelta(microseconds=1))["lee"] == (True, True, "technical")
    assert set(standings(asked, due).values()) == {(False, False, None)}


def test_the_seats_of_a_request_show_who_took_them_who_may_and_who_of_the_role_may_not(
    asked, project, lee, gita, ravi
):
    first, second = queries.seats(queries.full(lee, asked.uuid))
    assert (first.verdict, first.may, [who for who, _ in first.barred], first.is_next) == (
        None,
        (lee,),
        [ravi],
        True,
    )
    gil = User.objects.get(username="gil")
    assert (second.verdict, set(second.may), second.barred, second.is_next) == (None, {gita, gil}, (), False)

    registry.approve(asked, lee)
    access.grant(user=lee, role=Role.GOVERNANCE, root=project, actor=None)

    first, second = queries.seats(queries.full(lee, asked.uuid))
    assert (first.verdict, first.may, first.barred, first.is_next) == (Verdict.objects.get(), (), (), False)
    assert (set(second.may), second.barred, second.is_next) == (
        {gita, gil},
        ((lee, "decided another step"),),
        True,
    )


def test_a_seat_names_four_people_at_most(project, version, endpoint, mia, lee):
    for at in range(5):
        make_person(f"lead{at}", project=project, role=Role.LEAD)
    request = registry.asked_request(version, endpoint, mia)
    for at in range(5):
        make_person(f"late{at}", project=project, role=Role.LEAD)

    (seat, _) = queries.seats(queries.full(lee, request.uuid))

    assert (len(seat.may), len(seat.barred)) == (4, 4)


def test_a_draft_and_an_approval_wait_for_their_requester_and_ended_requests_for_no_one(
    project, request_, mia, ravi, lee, gita
):
    def lines(person):
        mine, others = queries.open_lines(person)
        ended, _ = queries.closed(person, None)
        return [[line.request for line in part] for part in (mine, others)], ended

    version = registry.make_version(project, mia, ravi, stated={})
    draft = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)
    assert (lines(mia), lines(lee)) == (([[draft], [request_]], []), ([[request_], [draft]], []))

    registry.approve(request_, lee)
    registry.approve(request_, gita)
    assert {each.pk for each in lines(mia)[0][0]} == {draft.pk, request_.pk}
    assert [queries.waiting_count(person) for person in (mia, lee)] == [0, 0]

    actions.withdraw(request_id=draft.uuid, actor=mia, reason="Too early.")
    assert (lines(mia), lines(lee)) == (([[request_], []], [draft]), ([[], [request_]], [draft]))


def queue_queries(client) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get(reverse("promotions:list")).status_code == 200
    return len(found)


def test_the_queue_asks_the_same_for_one_and_for_thirty(client_for, request_, lee, mia):
    client = client_for(lee)
    client.get(reverse("promotions:list"))
    one = queue_queries(client)
    for number, endpoint in enumerate(registry.endpoint_rows(request_.endpoint, 29), 2):
        PromotionRequest.objects.create(
            number=number,
            version=request_.version,
            endpoint=endpoint,
            policy=request_.policy,
            requester=mia,
            plan=request_.plan,
            subject=request_.subject,
            subject_digest=request_.subject_digest,
        )
    for status in (Status.CHECKING, Status.IN_REVIEW):
        PromotionRequest.objects.exclude(pk=request_.pk).update(status=status)

    assert queue_queries(client) == one


def api(token: str = "") -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.mark.parametrize("what", ["approve", "reject"])
def test_tokens_cannot_decide(request_, lee, what):
    _, secret = create_token(user=lee, name="robot", scopes=Scope.values, days=1)
    before = Event.objects.count()

    given = {"reason": "Good.", "password": PASSWORD, "seen": request_.subject_digest}
    answer = api(secret).post(f"/api/v1/promotions/{request_.uuid}/{what}/", given, format="json")

    assert answer.status_code == 403
    assert (Verdict.objects.count(), Event.objects.count()) == (0, before)


def test_a_signed_in_person_decides_over_rest(request_, lee):
    client = APIClient()
    client.force_login(lee)
    given = {"reason": "Good.", "password": PASSWORD, "seen": request_.subject_digest}

    answer = client.post(f"/api/v1/promotions/{request_.uuid}/approve/", given, format="json")
    assert (answer.status_code, answer.json()["verdicts"][0]["step"]) == (200, "technical")

    stale = client.post(
        f"/api/v1/promotions/{request_.uuid}/reject/", given | {"seen": "0" * 64}, format="json"
    )
    assert (stale.status_code, stale.json()["code"]) == (409, "conflict")


@pytest.mark.postgres
def test_programs_ask_and_withdraw(request_, version, mia):
    endpoint = registry.make_endpoint(version.model, mia)
    _, secret = create_token(user=mia, name="robot", scopes=["read", "request"], days=1)
    client = api(secret)

    made = client.post(
        "/api/v1/promotions/", {"version": str(version.uuid), "endpoint": str(endpoint.uuid)}, format="json"
    )
    assert (made.status_code, made.json()["status"]) == (201, "checking")

    ended = client.post(
        f"/api/v1/promotions/{made.json()['uuid']}/withdraw/", {"reason": "Too early."}, format="json"
    )
    assert ended.json()["status"] == "withdrawn"
    found = client.get("/api/v1/promotions/").json()["results"]
    assert {each["uuid"] for each in found} == {made.json()["uuid"], str(request_.uuid)}
    assert len(found) == 2


def test_state_cannot_be_assigned_over_rest(request_, mia):
    _, secret = create_token(user=mia, name="robot", scopes=["read", "request"], days=1)

    answer = api(secret).patch(f"/api/v1/promotions/{request_.uuid}/", {"status": "approved"}, format="json")

    assert answer.status_code == 405
    assert PromotionRequest.objects.get().status == Status.IN_REVIEW
