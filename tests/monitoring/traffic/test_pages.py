"""Fragments, the prediction page and the API: who reads texts, what is not measured, keyset pages."""

import hashlib
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from monitoring.traffic import actions, queries
from monitoring.traffic.api.kpis import OutcomeIn
from monitoring.traffic.api.predictions import FeedbackLineIn
from monitoring.traffic.models import Feedback, Kpi, MinuteRollup, Outcome, OutcomeDay
from registry.ground.access.actions import create_token
from tests.support import endpoints
from tests.support.outcomes import day_of

HTMX = {"HTTP_HX_REQUEST": "true"}


def url(name, subject):
    return reverse(f"traffic:{name}", args=[subject.uuid])


def test_nothing_measured_is_shown(client_for, live_endpoint, omar):
    html = client_for(omar).get(url("endpoint", live_endpoint), **HTMX).content.decode()

    assert html.lstrip().startswith('<div id="traffic" class="stack gap-5" data-measured="no">')
    assert "data-chart" not in html


@pytest.mark.parametrize(
    ("hours", "label"), [(0, "1 hour"), (3, "24 hours"), (100, "7 days"), (700, "30 days")]
)
def test_without_a_choice_the_smallest_window_with_traffic_is_shown(
    client_for, live_endpoint, answered, omar, hours, label
):
    answered(endpoints.spool_line(live_endpoint, at=(timezone.now() - timedelta(hours=hours)).isoformat()))

    shown = client_for(omar).get(url("endpoint", live_endpoint)).context

    assert (shown["window"].label, shown["measured"], shown["total"].requests) == (label, True, 1)


def test_equal_texts_have_equal_digests_and_none_that_can_be_found_by_trying_texts(
    client_for, live_endpoint, answered, aida
):
    one, again, other = answered(
        endpoints.spool_line(
            live_endpoint, *[(text, "card", 0.9) for text in ("my card", "my card", "my key")]
        )
    )
    tried = hashlib.sha256(b"my card").hexdigest()
    assert one.text_digest == tried

    page = client_for(aida).get(url("recent", live_endpoint)).content.decode()
    digests = [
        client_for(aida).get(f"/api/v1/predictions/{each.uuid}/").json()["text_digest"]
        for each in (one, again, other)
    ]

    assert (digests[0] == digests[1], digests[0] == digests[2]) == (True, False)
    assert tried not in digests
    assert (tried in page, page.count(digests[0])) == (False, 2)


@pytest.mark.parametrize("window", ["1h", "24h", "7d"])
def test_figures_and_charts(client_for, live_endpoint, answered, omar, window):
    answered(endpoints.spool_line(live_endpoint), endpoints.error_line(live_endpoint))

    answer = client_for(omar).get(url("endpoint", live_endpoint), {"window": window})

    html = answer.content.decode()
    assert 'data-measured="yes"' in html
    volume, _, errors = (chart.lead for _, chart in answer.context["charts"][:3])
    assert (re.findall(r"\d+", volume)[0], re.findall(r"\d+", errors)[:2]) == ("2", ["1", "2"])
    assert (f"<strong>{volume}</strong>" in html, f"<strong>{errors}</strong>" in html) == (True, True)
    assert "50.00" in html
    assert 'data-chart="latency-figure"' in html


def test_the_page_has_all_charts_and_the_fragment_three(client_for, live_endpoint, answered, omar):
    answered(endpoints.spool_line(live_endpoint, cpu_ms=3.0))
    browser = client_for(omar)

    page, part = (
        browser.get(url("endpoint", live_endpoint)).content.decode(),
        browser.get(url("endpoint", live_endpoint), **HTMX).content.decode(),
    )

    assert [
        f'data-chart="{name}-figure"' in page
        for name in ("volume", "latency", "errors", "labels", "confidence")
    ] == [True] * 5
    assert [
        f'data-chart="{name}-figure"' in part
        for name in ("volume", "latency", "errors", "labels", "confidence")
    ] == [True] * 3 + [False] * 2
    assert re.search(r"billing\b[^<]*100\.0", page)
    assert "PRICE_PER_CORE_HOUR" in page


def test_cost_is_shown_with_a_price(client_for, live_endpoint, answered, omar, settings):
    settings.PRICE_PER_CORE_HOUR = 3.6
    answered(endpoints.spool_line(live_endpoint, cpu_ms=10.0))

    shown = client_for(omar).get(url("endpoint", live_endpoint)).context["figures"]

    assert [(each.value, each.unit) for each in shown][-1] == ("10.00", "EUR")


def count_statements(browser, *addresses):
    found = []
    for address in addresses:
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(address).status_code == 200
        found.append(len(captured))
    return found


def test_pages_ask_as_much_for_much_as_for_little(client_for, live_endpoint, answered, lee, mia):
    kpi = actions.define_kpi(
        endpoint_id=live_endpoint.uuid,
        name="Handled",
        direction="up",
        kind="share",
        holdout_share=0.1,
        actor=lee,
    )
    (made,) = answered(endpoints.spool_line(live_endpoint))

    def outcomes(n, days):
        now = timezone.now()
        return [
            actions.Case(uuid.uuid4(), "model", 1, now - timedelta(days=at % days), made.uuid)
            for at in range(n)
        ]

    addresses = [
        *(f"{url('endpoint', live_endpoint)}?window={key}" for key in ("1h", "24h", "7d", "30d", "90d")),
        url("recent", live_endpoint),
        url("prediction", made),
        url("kpis", live_endpoint),
        url("kpi", kpi),
        url("shadow", live_endpoint),
    ]
    browser = client_for(lee)
    actions.record_outcomes(kpi_id=kpi.uuid, cases=outcomes(3, 1), actor=mia)
    actions.build_rollups()
    for address in addresses:
        browser.get(address)  # what is read once in a process
    few = count_statements(browser, *addresses)
    now = timezone.now()
    answered(
        *[
            endpoints.spool_line(live_endpoint, at=(now - timedelta(days=3 * (at % 25))).isoformat())
            for at in range(200)
        ]
    )
    actions.record_outcomes(kpi_id=kpi.uuid, cases=outcomes(200, 80), actor=mia)
    for at in range(5):
        actions.define_kpi(
            endpoint_id=live_endpoint.uuid,
            name=f"{at}",
            direction="up",
            kind="share",
            holdout_share=0.1,
            actor=lee,
        )
    actions.build_rollups()

    assert count_statements(browser, *addresses) == few


@pytest.mark.postgres
def test_business_figures_from_the_pages(client_for, live_endpoint, answered, lee, mia, gita, aida):
    given = {"name": "Handled", "kind": "share", "direction": "up", "holdout_percent": "10"}
    assert "data-reading" not in client_for(gita).get(url("kpis", live_endpoint)).content.decode()
    assert client_for(mia).post(url("define_kpi", live_endpoint), given).status_code == 403
    assert (
        client_for(lee).post(url("define_kpi", live_endpoint), given | {"name": ""}, **HTMX).status_code
        == 422
    )
    assert client_for(lee).post(url("define_kpi", live_endpoint), given).status_code == 302
    again = client_for(lee).post(url("define_kpi", live_endpoint), given, **HTMX)
    assert (again.status_code, 'id="id_name_error"' in again.content.decode()) == (422, True)
    kpi = Kpi.objects.get()
    unmeasured = client_for(aida).get(url("kpi", kpi))
    assert (unmeasured.context["measured"], unmeasured.context["comparison"].n) == (False, 0)
    assert 'data-reading="not measured"' in unmeasured.content.decode()

    assert (
        client_for(mia).post(url("record_outcomes", kpi), {"arm": "model", "value": "1"}).status_code == 302
    )
    assert (
        client_for(mia).post(url("record_outcomes", kpi), {"arm": "model", "value": "7"}, **HTMX).status_code
        == 422
    )
    assert (
        client_for(aida).post(url("record_outcomes", kpi), {"arm": "model", "value": "1"}).status_code == 403
    )

    page = client_for(aida).get(url("kpi", kpi))
    assert 'data-reading="not enough data"' in page.content.decode()
    assert (page.context["comparison"].unnamed, page.context["comparison"].n) == (1, 1)
    assert "1 of 1 cases" in page.content.decode()
    assert [each.sub for each in page.context["figures"] if "32" in each.sub] != []
    listed = client_for(aida).get(url("kpis", live_endpoint)).content.decode()
    assert listed.count('data-reading="not enough data"') == 1


def test_the_list_and_the_page_of_a_figure_show_one_difference_in_one_unit(
    live_endpoint, client_for, lee, aida
):
    kpi = actions.define_kpi(
        endpoint_id=live_endpoint.uuid,
        name="Handled",
        direction="up",
        kind="share",
        holdout_share=0.5,
        actor=lee,
    )
    today = timezone.now().date()
    OutcomeDay.objects.bulk_create(
        [day_of(kpi, today, "model", 400, 320), day_of(kpi, today, "holdout", 400, 160)]
    )

    (_, listed), *_ = client_for(aida).get(url("kpis", live_endpoint)).context["rows"]
    page = client_for(aida).get(url("kpi", kpi))

    assert (listed.value, listed.unit) == ("+40.0", "points")
    assert next(
        (each.value, each.unit, each.sub) for each in page.context["figures"] if each.label == "Difference"
    ) == (
        "+40.0",
        "points",
        f"{listed.low} to {listed.high}, valid at any time",
    )


@pytest.mark.postgres
def test_shadows_beside_the_clients_answers(client_for, live_endpoint, answered, ana, omar):
    page = client_for(ana).get(url("shadow", live_endpoint)).content.decode()
    assert 'data-running=""' in page
    assert f'<a class="btn" href="/endpoints/{live_endpoint.uuid}/"' in page
    asked, version = endpoints.spool_line(live_endpoint), live_endpoint.alias.version
    answer = {
        "kind": "shadow",
        "uuid": str(uuid.uuid4()),
        "at": asked["at"],
        "endpoint": live_endpoint.full_name,
        "version": str(version.uuid),
        "root_digest": version.root_digest,
        "deployment": None,
        "prediction": asked["uuid"],
        "code": 200,
        "label": "refund",
        "confidence": 0.6,
        "agrees": False,
        "kl": 0.4,
        "latency_ms": 9.0,
        "primary_latency_ms": 5.0,
    }
    (made,) = answered(
        asked, answer, answer | {"uuid": str(uuid.uuid4()), "label": "billing", "agrees": True}
    )

    page = client_for(ana).get(url("shadow", live_endpoint)).content.decode()
    assert "50.0" in page
    assert "I lost my card" in page
    hidden = client_for(omar).get(url("shadow", live_endpoint)).content.decode()
    assert ("I lost my card" in hidden, 'data-hidden="texts"' in hidden) == (False, True)
    shown = client_for(ana).get(url("prediction", made)).content.decode()
    assert sorted(re.findall(r'data-agrees="(\w+)"', shown)) == ["no", "yes"]


@pytest.mark.postgres
def test_an_override_from_the_page(client_for, live_endpoint, answered, ana):
    (made,) = answered()
    given = {"right": "no", "label": "refund", "kind": "override"}
    assert (
        client_for(ana).post(url("feedback", made), given | {"right": "yes", "label": ""}, **HTMX).status_code
        == 422
    )
    assert client_for(ana).post(url("feedback", made), given).status_code == 302

    word = Feedback.objects.get()
    assert (word.kind, word.source, word.right) == ("override", "page", False)
    assert 'data-kind="override"' in client_for(ana).get(url("prediction", made)).content.decode()
    total = queries.total(
        live_endpoint, timezone.now() - timedelta(hours=1), timezone.now() + timedelta(minutes=1)
    )
    assert (total.wrong, total.overrides) == (1, 1)


def test_texts_are_for_those_who_read_texts(client_for, live_endpoint, answered, ana, omar, otto):
    (made,) = answered(endpoints.spool_line(live_endpoint, ("<b>bold</b>\u202e card", "billing", 0.9)))

    for address in (url("recent", live_endpoint), url("prediction", made)):
        html = client_for(ana).get(address).content.decode()
        assert ("&lt;b&gt;bold" in html, 'data-hidden="texts"' in html) == (True, False)
        assert "\u202e" not in html
        hidden = client_for(omar).get(address).content.decode()
        assert "bold" not in hidden
        assert 'data-hidden="texts"' in hidden
        assert client_for(otto).get(address).status_code == 404


def test_pages_go_on_by_key(client_for, live_endpoint, answered, ana):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    lines = [
        endpoints.spool_line(live_endpoint, at=(at + timedelta(seconds=n // 2)).isoformat())
        for n in range(40)
    ]
    answered(*lines)
    api = APIClient()
    api.force_authenticate(ana)
    address = f"/api/v1/endpoints/{live_endpoint.uuid}/predictions/"

    first = api.get(address).json()
    second = api.get(address, {"before": first["before"]}).json()

    seen = [row["uuid"] for row in first["results"] + second["results"]]
    assert (len(first["results"]), len(seen), second["before"]) == (30, 40, None)
    assert len(set(seen)) == 40
    html = client_for(ana).get(url("recent", live_endpoint), {"before": first["before"]}).content.decode()
    assert html.count("<tr>") == 11
    assert client_for(ana).get(url("recent", live_endpoint), {"before": "x_9"}).status_code == 400


def test_the_list_asks_as_much_for_many_as_for_one(client_for, live_endpoint, answered, ana):
    browser = client_for(ana)
    answered()
    browser.get(url("recent", live_endpoint))
    with CaptureQueriesContext(connection) as few:
        browser.get(url("recent", live_endpoint))
    answered(*[endpoints.spool_line(live_endpoint) for _ in range(29)])
    with CaptureQueriesContext(connection) as many:
        browser.get(url("recent", live_endpoint))

    assert len(few) == len(many)


def test_feedback_from_the_page(client_for, live_endpoint, answered, ana, aida):
    (made,) = answered()
    assert client_for(ana).post(url("feedback", made), {"right": "no", "label": "refund"}).status_code == 302
    assert Feedback.objects.get().label == "refund"

    assert (
        client_for(ana).post(url("feedback", made), {"right": "no", "label": "billing"}, **HTMX).status_code
        == 422
    )
    assert client_for(ana).post(url("feedback", made), {}, **HTMX).status_code == 422
    assert client_for(aida).post(url("feedback", made), {"right": "yes"}).status_code == 403
    assert Feedback.objects.count() == 1
    assert "refund" in client_for(ana).get(url("recent", live_endpoint)).content.decode()


def token_client(user, *scopes):
    _, secret = create_token(user=user, name="agent", scopes=list(scopes), days=7)
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return api


def test_feedback_by_token(live_endpoint, answered, ana, otto):
    line = endpoints.spool_line(live_endpoint, ("a", "billing", 0.9), ("b", "refund", 0.9))
    first, second = answered(line)
    address = f"/api/v1/predictions/{line['uuid']}/feedback/"

    made = token_client(ana, "feedback").post(
        address, {"right": False, "label": "delivery", "index": 1}, format="json"
    )
    assert (made.status_code, made.json()["prediction"]) == (201, str(second.uuid))
    assert token_client(ana, "read").post(address, {"right": True}, format="json").status_code == 403
    assert token_client(otto, "feedback").post(address, {"right": True}, format="json").status_code == 404
    unknown = address.replace(line["uuid"], "8b9f9b5e-0000-4000-8000-000000000001")
    assert token_client(ana, "feedback").post(unknown, {"right": True}, format="json").status_code == 404
    batch = {
        "feedback": [
            {"prediction": line["uuid"], "right": True},
            {"prediction": line["uuid"], "right": True, "index": 1},
        ]
    }
    assert token_client(ana, "feedback").post("/api/v1/feedback/", batch, format="json").status_code == 201
    assert Feedback.objects.count() == 3
    assert first.feedback.get().right


def test_the_api_hides_texts_too(live_endpoint, answered, ana, omar, otto):
    (made,) = answered()
    api = APIClient()
    for person, text in ((ana, "I lost my card"), (omar, None)):
        api.force_authenticate(person)
        assert api.get(f"/api/v1/predictions/{made.uuid}/").json()["text"] == text
        assert (
            api.get(f"/api/v1/endpoints/{live_endpoint.uuid}/predictions/").json()["results"][0]["text"]
            == text
        )
    api.force_authenticate(otto)
    assert api.get(f"/api/v1/predictions/{made.uuid}/").status_code == 404


def test_a_batch_that_is_too_long_is_refused_before_its_items_are_read(
    live_endpoint, answered, ana, omar, lee, monkeypatch
):
    kpi = actions.define_kpi(
        endpoint_id=live_endpoint.uuid,
        name="Solved at once",
        direction="up",
        kind="share",
        holdout_share=0.1,
        actor=lee,
    )
    read = []
    for shape in (FeedbackLineIn, OutcomeIn):
        monkeypatch.setattr(shape, "run_validation", lambda self, data: read.append(data))
    api = token_client(ana, "feedback")

    for address, name in (
        ("/api/v1/feedback/", "feedback"),
        (f"/api/v1/kpis/{kpi.uuid}/outcomes/", "outcomes"),
    ):
        answer = api.post(address, {name: [{}] * 1001}, format="json")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [name])
    assert read == []
    assert not Feedback.objects.exists()


@pytest.mark.postgres
def test_kinds_of_feedback_by_token(live_endpoint, answered, ana):
    first, second = answered(endpoints.spool_line(live_endpoint), endpoints.spool_line(live_endpoint))
    api = token_client(ana, "feedback")

    one = api.post(
        f"/api/v1/predictions/{first.uuid}/feedback/",
        {"right": False, "label": "refund", "kind": "truth"},
        format="json",
    )
    assert (one.status_code, one.json()["kind"]) == (201, "truth")
    line = {"prediction": str(second.uuid), "right": False, "kind": "override"}
    assert api.post("/api/v1/feedback/", {"feedback": [line]}, format="json").status_code == 201
    for bad in ({"kind": "guess", "right": False}, {"kind": "override", "right": True}):
        assert api.post("/api/v1/feedback/", {"feedback": [line | bad]}, format="json").status_code in (
            400,
            422,
        )
    foreign = {"prediction": str(uuid.uuid4()), "right": True}
    assert (
        api.post(
            "/api/v1/feedback/",
            {"feedback": [line | {"right": False, "label": "delivery"}, foreign]},
            format="json",
        ).status_code
        == 422
    )
    assert sorted(Feedback.objects.values_list("kind", flat=True)) == ["override", "truth"]


@pytest.mark.postgres
def test_outcomes_by_token(live_endpoint, answered, lee, ana, otto):
    api = APIClient()
    api.force_authenticate(lee)
    given = {"name": "Handled", "direction": "up", "kind": "share", "holdout_share": 0.1}
    kpi = api.post(f"/api/v1/endpoints/{live_endpoint.uuid}/kpis/", given, format="json").json()
    (made,) = answered()
    case = {
        "uuid": str(uuid.uuid4()),
        "arm": "model",
        "value": 1,
        "at": endpoints.now(),
        "prediction": str(made.uuid),
    }
    address, program = f"/api/v1/kpis/{kpi['uuid']}/outcomes/", token_client(ana, "feedback")

    for _ in range(2):
        assert program.post(address, {"outcomes": [case, case]}, format="json").status_code == 201
    assert program.post(address, {"outcomes": [case | {"value": 0}]}, format="json").status_code == 409
    assert (
        program.post(
            address, {"outcomes": [case | {"uuid": str(uuid.uuid4()), "value": 3}]}, format="json"
        ).status_code
        == 422
    )
    assert program.post(address, {"outcomes": []}, format="json").status_code == 400
    assert (
        token_client(otto, "feedback").post(address, {"outcomes": [case]}, format="json").status_code == 404
    )
    assert token_client(ana, "read").post(address, {"outcomes": [case]}, format="json").status_code == 403
    assert Outcome.objects.get().prediction == made

    found = api.get(f"/api/v1/kpis/{kpi['uuid']}/").json()
    assert (found["model_cases"], found["holdout_cases"], found["model_mean"], found["difference"]) == (
        1,
        0,
        1.0,
        None,
    )
    assert found["reading"] == "not enough data"
    listed = api.get(f"/api/v1/endpoints/{live_endpoint.uuid}/kpis/").json()["results"]
    assert [each["name"] for each in listed] == ["Handled"]


@pytest.mark.postgres
def test_series_over_the_api(live_endpoint, answered, ana, otto):
    answered(*[endpoints.spool_line(live_endpoint) for _ in range(3)], endpoints.error_line(live_endpoint))
    MinuteRollup.objects.filter(answers=3).update(right=15, wrong=5, by_sender={"1+": 15, "2-": 5})
    api = APIClient()
    api.force_authenticate(ana)
    address = f"/api/v1/endpoints/{live_endpoint.uuid}/series/"

    found = api.get(address, {"step": 900}).json()

    assert (found["total"]["requests"], found["total"]["errors"], found["total"]["labels"]) == (
        4,
        1,
        {"billing": 3},
    )
    assert sum(point["requests"] for point in found["points"]) == 4
    interval = found["total"]["right_interval"]
    assert (interval["value"], interval["rows"], interval["senders"], found["total"]["agree_interval"]) == (
        0.75,
        20,
        2,
        None,
    )
    assert interval["low"] < 0.25  # 0.53 of as many independent rows
    assert 96 <= len(found["points"]) <= 97
    assert api.get(address, {"arm": "canary"}).json()["total"]["requests"] == 0
    assert (
        api.get(address, {"version": str(live_endpoint.alias.version.uuid)}).json()["total"]["requests"] == 3
    )
    for bad in (
        {"step": "90"},
        {"step": "x"},
        {"step": "60", "since": "2026-01-01T00:00:00Z"},
        {"since": "yesterday"},
        {"arm": "x"},
        {"version": "x"},
    ):
        assert api.get(address, bad).status_code == 400
    assert api.get(address, {"since": "2999-01-01T00:00:00Z"}).status_code == 400
    api.force_authenticate(otto)
    assert api.get(address).status_code == 404
