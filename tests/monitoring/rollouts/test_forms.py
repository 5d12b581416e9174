"""Starting and steering by forms, with and without htmx: what a person may do, and what they see when it is
not possible.
"""

import re
import uuid

import pytest
from django.urls import reverse
from django.utils.html import escape

from monitoring.rollouts.models import Rollout
from registry.promotions import plans
from tests.monitoring.rollouts.conftest import HTMX, text_of, url

# half of the traffic at once
WIDE = {"steps": (5_000, 10_000), "min_minutes": 10, "margin": 0.05, "rise": 0.2}


def test_an_empty_list_shows_where_one_starts(client_for, live_endpoint, lee):
    answer = client_for(lee).get(reverse("rollouts:list"))

    assert list(answer.context["rows"]) == []
    assert answer.content.decode().count('class="empty"') == 1


def test_the_panel_offers_a_start_and_the_page_shows_the_plan_and_the_time(
    client_for, foretold, street, version, mia
):
    client, approval = client_for(mia), street.approved(version, min_requests=2000, margin=0.005)

    panel = client.get(url("panel", street.endpoint)).content.decode()
    assert re.search(rf'<a class="btn" href="{url("start", approval)}" ?>', panel)
    answer = client.get(url("start", approval))
    html, text = answer.content.decode(), text_of(answer)
    assert f'action="{url("start", approval)}"' in html
    for data in ("1.1.0", "support-inbox-prod", "400 ", "0.99 %"):
        assert data in text, data
    for line in plans.lines(plans.canary_of(approval.plan)):
        assert all(escape(each).replace("\u00a0", " ") in text for each in line), line
    assert 'data-decides="no"' in html
    assert answer.context["forecast"].problem in html


def test_the_forecast_is_of_the_approved_plan(client_for, foretold, street, version, mia):
    answer = client_for(mia).get(url("start", street.approved(version, **WIDE)))

    assert 'data-decides="yes" data-detects="yes"' in answer.content.decode()
    assert len(re.findall(r"<th scope=\"row\">(?:50|100)\xa0%</th>", answer.content.decode())) == 1


def test_with_a_few_returning_customers_the_forecast_shows_that_the_plan_cannot_widen(
    client_for, foretold, street, version, mia
):
    street.shift(-5)
    line = street.line("stable", 1)
    street.take_in(*[line | {"uuid": str(uuid.uuid4()), "key": f"{at % 4:016x}"} for at in range(800)])
    approval = street.approved(version, steps=(500, 10_000), min_minutes=10, margin=0.2, rise=0.2)

    answer = client_for(mia).get(url("start", approval))

    html = answer.content.decode()
    assert 'data-decides="no" data-detects="no"' in html
    problem = html.partition('class="note bad wash"')[2]
    assert re.findall(r"[\d.]*\d", problem)[:4] == ["4", "100", "0.2", "5"]


@pytest.mark.parametrize("how", [{}, HTMX])
def test_starting_by_the_page(client_for, foretold, street, version, mia, how):
    approval = street.approved(version, **WIDE)

    answer = client_for(mia).post(url("start", approval), **how)

    assert (answer.status_code, answer.headers["HX-Redirect" if how else "Location"]) == (
        200 if how else 302,
        reverse("endpoints:detail", args=[street.endpoint.uuid]),
    )
    rollout = Rollout.objects.get()
    assert (rollout.share, rollout.rule.margin, rollout.rule.steps) == (5000, 0.05, (5000, 10_000))


def test_a_plan_that_cannot_decide_is_refused_with_why(client_for, foretold, street, version, mia):
    approval = street.approved(version, min_requests=9_999)
    problem = client_for(mia).get(url("start", approval)).context["forecast"].problem

    answers = [client_for(mia).post(url("start", approval), **how) for how in ({}, HTMX)]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert all(escape(problem) in answer.content.decode() for answer in answers)
    assert not Rollout.objects.exists()


@pytest.mark.postgres
def test_buttons_do_what_they_say(client_for, rollout, street, omar, fresh):
    client = client_for(omar)

    client.post(url("pause", rollout), {"seen": 0})
    assert fresh(rollout).state == "paused"
    client.post(url("resume", rollout), {"seen": 1})
    assert fresh(rollout).state == "running"
    client.post(url("widen", rollout), {"seen": 2, "reason": "Known from shadow."})
    assert fresh(rollout).share == 2500
    client.post(
        url("abort", rollout), {"seen": fresh(rollout).moves, "reason": "Complaints.", "typed": "1.0.0"}
    )
    assert fresh(rollout).state == "aborted"
    assert street.running() == [("stable", "1.0.0", 10_000)]


@pytest.mark.parametrize("step", ["pause", "widen", "abort"])
def test_an_old_or_empty_form_answers_with_a_sentence(client_for, rollout, omar, step, fresh):
    client = client_for(omar)

    assert client.post(url(step, rollout), {"seen": 7, "reason": "x", "typed": "1.0.0"}).status_code == 409
    assert client.post(url(step, rollout), {}).status_code == 422
    assert (fresh(rollout).state, fresh(rollout).moves) == ("running", 0)


def test_who_may_not_steer_reads_why(client_for, rollout, street, ana, aida, fresh):
    for person in (ana, aida):
        html = client_for(person).get(url("panel", street.endpoint)).content.decode()
        assert 'aria-disabled="true"' in html
        assert client_for(person).post(url("pause", rollout), {"seen": 0}).status_code == 403
    assert fresh(rollout).moves == 0


def test_a_holding_rollout_shows_that_someone_has_to_decide(client_for, brief, street, omar):
    street.tick(361)

    answer = client_for(omar).get(url("panel", street.endpoint))

    html = answer.content.decode()
    rollout = Rollout.objects.get()
    assert (rollout.state, 'data-state="holding"' in html) == ("holding", True)
    assert "6\xa0h" in rollout.reason
    assert rollout.reason in html
    assert f'action="{url("resume", rollout)}"' in html


def test_the_navigation_counts_what_waits_for_a_person(brief, street, omar, ana):
    from monitoring.rollouts.queries.rollouts import waiting_count

    assert waiting_count(omar) is None
    street.tick(361)

    assert waiting_count(omar) == 1
    assert waiting_count(ana) is None
