"""Starting and steering by forms, with and without htmx: what a person may do, and what they see when it is
not possible.
"""

import uuid

import pytest
from django.urls import reverse

from monitoring.rollouts.models import Rollout
from tests.monitoring.rollouts.conftest import HTMX, text_of, url

PLAN = {
    "steps": "50, 100",
    "min_requests": "100",
    "min_minutes": "10",
    "margin": "5",
    "rise": "20",
    "max_hours": "24",
    "automatic": "yes",
}


def test_an_empty_list_shows_where_one_starts(client_for, live_endpoint, lee):
    assert "No rollouts yet" in text_of(client_for(lee).get(reverse("rollouts:list")))


def test_the_panel_offers_a_start_and_the_form_shows_the_time(client_for, foretold, street, approval, mia):
    client = client_for(mia)

    assert "Start rollout of 1.1.0" in text_of(client.get(url("panel", street.endpoint)))
    text = text_of(client.get(url("start", approval)))
    for words in (
        "Roll out 1.1.0 on support-inbox-prod",
        "400 requests an hour, 0.99 % errors",
        "Steps (%)",
        "Error-rate margin (percentage points)",
        "Requests with the same sticky key in the same minute count once.",
        "This plan can't decide",
    ):
        assert words in text, words


def test_the_forecast_alone_follows_the_fields(client_for, foretold, approval, mia):
    plan = {
        "steps": "50, 100",
        "min_requests": "100",
        "min_minutes": "10",
        "margin": "5",
        "rise": "20",
        "max_hours": "24",
    }

    answer = client_for(mia).get(url("start", approval), plan, **HTMX)

    assert answer.content.decode().lstrip().startswith('<div id="forecast"')
    text = text_of(answer)
    assert "Can decide in time" in text
    assert "canary requests" in text


def test_with_a_few_returning_customers_the_forecast_shows_that_the_plan_cannot_widen(
    client_for, foretold, street, approval, mia
):
    street.shift(-5)
    line = street.line("stable", 1)
    street.take_in(*[line | {"uuid": str(uuid.uuid4()), "key": f"{at % 4:016x}"} for at in range(800)])
    plan = {
        "steps": "5, 100",
        "min_requests": "100",
        "min_minutes": "10",
        "margin": "20",
        "rise": "20",
        "max_hours": "24",
    }

    text = text_of(client_for(mia).get(url("start", approval), plan, **HTMX))

    assert (
        "About 4 returning customers send 100 % of the requests, of which about 0.2 meet the canary at 5 %:"
        " it would never widen" in text
    )
    assert "not detected in time" in text
    assert "Can decide in time" not in text


def test_starting_by_the_form(client_for, foretold, street, approval, mia):
    answer = client_for(mia).post(url("start", approval), PLAN)

    assert (answer.status_code, answer.url) == (302, reverse("endpoints:detail", args=[street.endpoint.uuid]))
    rollout = Rollout.objects.get()
    assert (rollout.share, rollout.rule.margin, rollout.rule.steps) == (5000, 0.05, (5000, 10_000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"steps": "50, 20, 100"},
            "Enter 2 to 8 rising shares ending at 100 %, the one before at most 90 %.",
        ),
        ({"steps": "a"}, "Separate numbers with commas"),
        ({"steps": "nan, 100"}, "Separate numbers with commas"),
        ({"margin": "nan"}, "Enter a number."),
        ({"min_requests": "7"}, "At least 100"),
        ({"max_hours": ""}, "This field is required."),
        ({"min_requests": "9999"}, "At 50 % the canary gets 200 requests an hour"),
    ],
)
def test_a_wrong_plan_comes_back_with_what_is_wrong(client_for, foretold, approval, mia, change, message):
    answer = client_for(mia).post(url("start", approval), PLAN | change, **HTMX)

    assert answer.status_code == 422
    assert message in text_of(answer)
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

    text = text_of(client_for(omar).get(url("panel", street.endpoint)))

    assert "Needs a decision" in text
    assert "Not enough evidence after 6 h" in text
    assert "Resume" in text


def test_the_navigation_counts_what_waits_for_a_person(brief, street, omar, ana):
    from monitoring.rollouts.queries import waiting_count

    assert waiting_count(omar) is None
    street.tick(361)

    assert waiting_count(omar) == 1
    assert waiting_count(ana) is None
