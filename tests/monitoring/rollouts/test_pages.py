"""The pages of a rollout that was looked at, with and without htmx: what a person sees, and what is asked for
again.
"""

import json
import math
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from monitoring.rollouts.models import Look, Rollout
from registry.catalog.models import Alias
from registry.endpoints.actions import deploy, roll_back
from registry.endpoints.queries import deployments, listing
from registry.promotions import plans
from registry.promotions.models import PromotionRequest
from tests.monitoring.rollouts.conftest import HTMX, Street, text_of, url
from tests.support.endpoints import approved


@pytest.fixture
def looked_at(live_endpoint, version, mia) -> Rollout:
    """A rollout with a look that has a bounded difference."""
    street = Street(live_endpoint)
    rollout = street.begin(street.approved(version, min_requests=2000, max_hours=720), mia)
    street.feed(1, canary=(120, 1), stable=(400, 9))
    street.tick(3)
    return rollout


@pytest.fixture
def street(looked_at) -> Street:
    """Its traffic goes on."""
    return Street(looked_at.endpoint, looked_at.started_at)


def test_the_panel_shows_split_steps_and_rule(client_for, looked_at, street, omar):
    answer = client_for(omar).get(url("panel", street.endpoint))

    html, text, shown = answer.content.decode(), text_of(answer), answer.context
    assert answer.status_code == 200
    assert 'data-state="running"' in html
    assert [(lane.semver, lane.arm, lane.share) for lane in shown["lanes"]] == [
        ("1.0.0", "stable", 0.95),
        ("1.1.0", "canary", 0.05),
    ]
    assert ("95 %" in text, "5 %" in text) == (True, True)
    assert f'action="{url("pause", looked_at)}"' in html
    assert (shown["next"], 'commandfor="rollout-widen"' in html) == ("25\xa0%", True)
    assert ('commandfor="rollout-abort"' in html, 'data-match="1.0.0"' in html) == (True, True)
    assert re.findall(r"[\d,]+", shown["steps"][0].text) == ["120", "2,000"]
    assert shown["steps"][0].text in html
    assert [
        each in [number for line in shown["conditions"] for number in re.findall(r"[\d,.]*\d", line.title)]
        for each in ("2,000", "20.0", "33")
    ] == [True] * 3
    assert all(line.title in html for line in shown["conditions"])
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_the_panel_is_a_fragment_for_the_endpoints_page(client_for, looked_at, street, omar):
    html = client_for(omar).get(url("panel", street.endpoint), **HTMX).content.decode()

    assert html.lstrip().startswith('<div id="rollout">')
    assert "<html" not in html
    assert 'hx-trigger="every 10s"' in html


def test_the_live_part_alone_is_asked_for_again_until_the_rollout_moves(client_for, looked_at, street, omar):
    client, address = client_for(omar), url("live", looked_at)

    same = client.get(f"{address}?moves=0", **HTMX)
    Rollout.objects.filter(pk=looked_at.pk).update(moves=1)
    moved = client.get(f"{address}?moves=0", **HTMX)

    assert same.content.decode().lstrip().startswith('<div id="rollout-live"')
    assert "HX-Retarget" not in same.headers
    assert moved.headers["HX-Retarget"] == "#rollout"
    assert moved.content.decode().lstrip().startswith('<div id="rollout">')


def test_the_live_part_of_an_ended_rollout_asks_no_more(client_for, looked_at, street, omar):
    street.feed(4, canary=(20, 18), stable=(380, 2))
    street.tick(5)

    html = client_for(omar).get(f"{url('live', looked_at)}?moves=0", **HTMX).content.decode()

    assert "hx-trigger" not in html
    assert Rollout.objects.get().state == "rolled_back"
    assert reverse("rollouts:detail", args=[looked_at.uuid]) in html


def test_the_page_of_a_rollout_keeps_the_plan_every_look_and_every_decision(
    client_for, looked_at, street, lee
):
    answer = client_for(lee).get(url("detail", looked_at))

    text, shown = text_of(answer), answer.context
    assert 'data-state="running"' in answer.content.decode()
    assert [each for each in ("5 %, 25 %, 50 %, 100 %", "5.0 %") if each not in text] == []
    assert all(escape(words) in answer.content.decode() for _, words in shown["plan_lines"])
    assert [line.event.verb for line in shown["events"]] == ["rollouts.started"]
    (look,) = shown["looks"]
    assert (look, re.findall(r"[\d,]*\d", look.why)[:2]) == (Look.objects.get(), ["2,000", "120"])
    assert look.why.replace("\xa0", " ") in text


def test_the_evidence_chart_draws_the_band_and_the_margin(client_for, looked_at, lee):
    html = client_for(lee).get(url("detail", looked_at)).content.decode()

    assert 'data-chart="difference' in html
    look = Look.objects.get()
    figure = json.loads(
        re.search(r'<script[^>]*id="difference[^"]*"[^>]*>(.*?)</script>', html, re.DOTALL)[1]
    )
    low, high, middle = (trace["y"][-1] for trace in figure["data"])
    assert (low, high, middle) == (100 * look.low, 100 * look.high, 100 * look.difference)
    margin = figure["layout"]["shapes"]
    assert 20.0 in [shape["y0"] for shape in margin]


def test_the_evidence_of_each_kind_is_drawn_against_its_own_limit(client_for, looked_at, lee):
    html = client_for(lee).get(url("detail", looked_at)).content.decode()

    figure = json.loads(re.search(r'<script[^>]*id="evidence[^"]*"[^>]*>(.*?)</script>', html, re.DOTALL)[1])
    assert [trace["y"][-1] for trace in figure["data"]] == [
        pytest.approx(math.exp(value)) for value in Look.objects.get().log_e.values()
    ]
    assert [shape["y0"] for shape in figure["layout"]["shapes"]] == [pytest.approx(100 / 3), 100]
    limits = [re.findall(r"\d+$", each["text"]) for each in figure["layout"]["annotations"]]
    assert limits[:2] == [["33"], ["100"]]


def test_the_panel_shows_when_a_decision_is_expected(client_for, looked_at, street, omar):
    answer = client_for(omar).get(url("panel", street.endpoint))

    assert answer.context["left"].days == 47  # 120 requests in the three days since
    assert "47 d" in text_of(answer)


def test_a_chart_answers_only_what_is_new(client_for, looked_at, street, lee):
    client, look = client_for(lee), Look.objects.get()

    nothing = client.get(url("chart", looked_at, "difference") + f"?since={look.pk}").json()
    street.feed(5, canary=(10, 0), stable=(100, 0))
    street.tick(6)
    news = client.get(url("chart", looked_at, "difference") + f"?since={look.pk}").json()

    assert "chart" not in nothing
    assert nothing["next"].endswith(f"?since={look.pk}")
    assert news["chart"]["figure"]["data"][2]["x"] == [120, 130]


@pytest.mark.parametrize("name", ["difference?since=x", "difference?since=-1", "nothing?since=0"])
def test_senseless_charts_are_not_there(client_for, looked_at, lee, name):
    chart, query = name.split("?")

    assert client_for(lee).get(url("chart", looked_at, chart) + "?" + query).status_code == 404


def test_the_list_names_each_and_filters(client_for, looked_at, lee):
    client = client_for(lee)

    assert "1.1.0" in text_of(client.get(reverse("rollouts:list")))
    running = client.get(reverse("rollouts:list") + "?state=running")
    assert list(running.context["rows"]) == [looked_at]
    none = client.get(reverse("rollouts:list") + "?state=rolled_back")
    assert (list(none.context["rows"]), "1.1.0" in text_of(none)) == ([], False)
    assert client.get(reverse("rollouts:list") + "?state=nonsense").status_code == 400


def test_the_list_takes_the_same_statements_however_many(client_for, looked_at, lee):
    client = client_for(lee)
    client.get(reverse("rollouts:list"))
    with CaptureQueriesContext(connection) as one:
        client.get(reverse("rollouts:list"), **HTMX)
    for at in range(5):
        looked_at.pk, looked_at.uuid, looked_at.state = (
            None,
            f"00000000-0000-4000-8000-00000000000{at}",
            "aborted",
        )
        looked_at._state.adding = True
        looked_at.save(force_insert=True)

    with CaptureQueriesContext(connection) as six:
        html = client.get(reverse("rollouts:list"), **HTMX).content.decode()

    assert html.count("<tr>") >= 6
    assert len(six) == len(one)


def test_strangers_see_nothing(client_for, looked_at, street, otto, omar):
    assert "1.1.0" in text_of(client_for(omar).get(reverse("rollouts:list")))
    client = client_for(otto)

    assert client.get(url("panel", street.endpoint)).status_code == 404
    for name in ("detail", "live"):
        assert client.get(url(name, looked_at)).status_code == 404
    assert "1.1.0" not in text_of(client.get(reverse("rollouts:list")))


def test_a_request_that_is_used_starts_nothing(client_for, live_endpoint, omar):
    """Its version would be rolled out beside itself."""
    used = PromotionRequest.objects.get(version=live_endpoint.alias.version)

    answer = client_for(omar).get(reverse("rollouts:start", args=[used.uuid]))

    html = answer.content.decode()
    assert (used.status, answer.context["is_live"], answer.context["is_open"]) == ("fulfilled", True, False)
    assert ('id="plan"' in html, f'action="{reverse("rollouts:start", args=[used.uuid])}"' in html) == (
        False,
        False,
    )
    assert reverse("endpoints:detail", args=[live_endpoint.uuid]) in html


def test_an_approved_request_of_the_version_that_is_live_starts_nothing(
    live_endpoint, version, client_for, project, omar
):
    """It was approved while another version was live, and a rollback came before it was used."""
    endpoint, first = live_endpoint, live_endpoint.alias.version
    deploy(request_id=approved(project, endpoint, version).uuid, actor=omar)
    again = approved(project, endpoint, first, plans.canary(plans.Plan()))
    roll_back(
        endpoint_id=endpoint.uuid,
        actor=omar,
        reason="Worse.",
        typed="1.0.0",
        seen_moves=Alias.objects.get(endpoint=endpoint).moves,
    )
    client, start = client_for(omar), reverse("rollouts:start", args=[again.uuid])

    answer = client.get(start)

    html = answer.content.decode()
    again.refresh_from_db()
    assert (again.status, deployments.live_deployment(endpoint).version) == ("approved", again.version)
    assert (answer.context["is_live"], answer.context["is_open"]) == (True, False)
    assert ('id="plan"' in html, f'action="{start}"' in html) == (False, False)
    assert reverse("endpoints:detail", args=[endpoint.uuid]) in html
    for page in (url("panel", endpoint), reverse("endpoints:detail", args=[endpoint.uuid])):
        assert start not in client.get(page).content.decode()
    assert listing.waiting(endpoint) is None
