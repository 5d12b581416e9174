"""The pages: with and without htmx; what a person sees, may do, and is told when it is not possible."""

import json
import math
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from monitoring.rollouts.models import Look, Rollout

HTMX = {"HTTP_HX_REQUEST": "true"}


def url(name, thing, *more):
    return reverse(f"rollouts:{name}", args=[thing.uuid, *more])


def text_of(answer):
    """The words of a page, blanks folded."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).replace("\u00a0", " ").replace("&nbsp;", " ").split())


@pytest.fixture
def looked_at(begun, street):
    """A rollout with a look that has a bounded difference."""
    rollout = begun(min_requests=2000, max_hours=720)
    street.feed(1, canary=(120, 1), stable=(1900, 9))
    street.tick(3)
    return rollout


def test_the_panel_says_split_steps_and_rule(client_for, looked_at, street, omar):
    answer = client_for(omar).get(url("panel", street.endpoint))

    said = text_of(answer)
    assert answer.status_code == 200
    for words in (
        "1.1.0 beside 1.0.0", "Canary running", "Pause at 5 %", "Go to 25 %", "Roll back to 1.0.0", "95 %", "120 of 2,000 requests",
        "2,000 canary requests", "Error difference below +20.0 pp, upper bound", "Evidence of too many failed requests below 33",
    ):  # fmt: skip
        assert words in said, words
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
    assert "rolled back" in html


def test_the_page_of_a_rollout_keeps_the_plan_every_look_and_every_decision(client_for, looked_at, street, lee):
    said = text_of(client_for(lee).get(url("detail", looked_at)))

    for words in ("1.1.0 on support-inbox-prod", "fixed at the start", "5 %, 25 %, 50 %, 100 %", "at most 5.0 % of harmless canaries",
                  "started a rollout", "newest first, only those with news", "2,000 canary requests: 120."):  # fmt: skip
        assert words in said, words


def test_the_evidence_chart_draws_the_band_and_the_margin(client_for, looked_at, lee):
    html = client_for(lee).get(url("detail", looked_at)).content.decode()

    assert "Error share, canary minus stable, percentage points; always-valid 95 % interval." in html
    assert "stops widening" in html
    look = Look.objects.get()
    figure = json.loads(re.search(r'<script[^>]*id="difference[^"]*"[^>]*>(.*?)</script>', html, re.DOTALL)[1])
    low, high, middle = (trace["y"][-1] for trace in figure["data"])
    assert (low, high, middle) == (100 * look.low, 100 * look.high, 100 * look.difference)


def test_the_evidence_of_each_kind_is_drawn_against_its_own_limit(client_for, looked_at, lee):
    html = client_for(lee).get(url("detail", looked_at)).content.decode()

    assert "errors: rolls back at 33" in html
    assert "slow and wrong: rolls back at 100" in html
    figure = json.loads(re.search(r'<script[^>]*id="evidence[^"]*"[^>]*>(.*?)</script>', html, re.DOTALL)[1])
    assert [trace["y"][-1] for trace in figure["data"]] == [pytest.approx(math.exp(value)) for value in Look.objects.get().log_e.values()]


def test_the_panel_tells_when_a_decision_is_expected(client_for, looked_at, street, omar):
    said = text_of(client_for(omar).get(url("panel", street.endpoint)))

    assert "A decision on 25 % is expected in 47 d" in said  # 120 requests in the three days since
    assert "if 1.1.0 is as good as 1.0.0." in said


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
    assert "No rollout is rolled back" in text_of(client.get(reverse("rollouts:list") + "?state=rolled_back"))
    assert client.get(reverse("rollouts:list") + "?state=nonsense&before=x").status_code == 200


def test_the_list_takes_the_same_statements_however_many(client_for, looked_at, lee):
    client = client_for(lee)
    client.get(reverse("rollouts:list"))
    with CaptureQueriesContext(connection) as one:
        client.get(reverse("rollouts:list"), **HTMX)
    for at in range(5):
        looked_at.pk, looked_at.uuid, looked_at.state = None, f"00000000-0000-4000-8000-00000000000{at}", "aborted"
        looked_at._state.adding = True
        looked_at.save(force_insert=True)

    with CaptureQueriesContext(connection) as six:
        html = client.get(reverse("rollouts:list"), **HTMX).content.decode()

    assert html.count("<tr>") >= 6
    assert len(six) == len(one)


def test_an_empty_list_says_where_one_starts(client_for, project, lee):
    assert "No rollouts yet" in text_of(client_for(lee).get(reverse("rollouts:list")))


def test_strangers_see_nothing(client_for, looked_at, street, otto):
    client = client_for(otto)

    assert client.get(url("panel", street.endpoint)).status_code == 404
    for name in ("detail", "live"):
        assert client.get(url(name, looked_at)).status_code == 404
    assert "1.1.0" not in text_of(client.get(reverse("rollouts:list")))


def test_the_panel_offers_a_start_and_the_form_tells_the_time(client_for, street, approval, mia):
    street.take_in_now(400, 2)
    client = client_for(mia)

    assert "Plan a rollout of 1.1.0" in text_of(client.get(url("panel", street.endpoint)))
    said = text_of(client.get(url("start", approval)))
    for words in ("Roll out 1.1.0 on support-inbox-prod", "400 requests an hour, 0.99 % errors", "Steps, %", "Margin, percentage points",
                  "Requests of one sticky key in one minute count once.", "This plan cannot decide"):  # fmt: skip
        assert words in said, words


def test_the_forecast_alone_follows_the_fields(client_for, street, approval, mia):
    street.take_in_now(400, 2)
    plan = {"steps": "50, 100", "min_requests": "100", "min_minutes": "10", "margin": "5", "rise": "20", "max_hours": "24"}

    answer = client_for(mia).get(url("start", approval), plan, **HTMX)

    assert answer.content.decode().lstrip().startswith('<div id="forecast"')
    said = text_of(answer)
    assert "It can decide within its time" in said
    assert "canary requests" in said


def test_of_a_few_customers_who_return_the_forecast_says_that_the_rule_has_little_to_go_by(client_for, street, approval, mia):
    street.take_in_now(400, 2)
    street.shift(-5)
    street.take_in(*[street.line("stable", 1, key=f"{at % 4:016x}") for at in range(800)])
    plan = {"steps": "5, 100", "min_requests": "100", "min_minutes": "10", "margin": "20", "rise": "20", "max_hours": "24"}

    said = text_of(client_for(mia).get(url("start", approval), plan, **HTMX))

    assert "About 4 returning customers send 100 % of the requests, of which about 0.2 meet the canary at 5 %: too few for the rule" in said
    assert "not found in time" in said
    assert "It can decide within its time" not in said


def test_starting_by_the_form(client_for, street, approval, mia):
    street.take_in_now(400, 2)
    plan = {
        "steps": "50, 100",
        "min_requests": "100",
        "min_minutes": "10",
        "margin": "5",
        "rise": "20",
        "max_hours": "24",
        "automatic": "yes",
    }

    answer = client_for(mia).post(url("start", approval), plan)

    assert (answer.status_code, answer.url) == (302, reverse("endpoints:detail", args=[street.endpoint.uuid]))
    rollout = Rollout.objects.get()
    assert (rollout.share, rollout.rule.margin, rollout.rule.steps) == (5000, 0.05, (5000, 10_000))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"steps": "50, 20, 100"}, "Give two to eight rising shares, the last 100 %, the one before at most 90 %."),
     ({"steps": "a"}, "Write numbers between commas"),
     ({"steps": "nan, 100"}, "Write numbers between commas"), ({"margin": "nan"}, "Enter a number."),
     ({"min_requests": "7"}, "At least 100"),
     ({"max_hours": ""}, "This field is required."), ({"min_requests": "9999"}, "At 50 % the canary gets 200 requests an hour")],
)  # fmt: skip
def test_a_wrong_plan_comes_back_with_what_is_wrong(client_for, street, approval, mia, change, said):
    street.take_in_now(400, 2)
    plan = {
        "steps": "50, 100",
        "min_requests": "100",
        "min_minutes": "10",
        "margin": "5",
        "rise": "20",
        "max_hours": "24",
        "automatic": "yes",
    }

    answer = client_for(mia).post(url("start", approval), plan | change, **HTMX)

    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not Rollout.objects.exists()


def test_buttons_do_what_they_say(client_for, begun, street, omar, fresh):
    rollout, client = begun(), client_for(omar)

    client.post(url("pause", rollout), {"seen": 0})
    assert fresh(rollout).state == "paused"
    client.post(url("resume", rollout), {"seen": 1})
    assert fresh(rollout).state == "running"
    client.post(url("widen", rollout), {"seen": 2, "reason": "Known from shadow."})
    assert fresh(rollout).share == 2500
    client.post(url("abort", rollout), {"seen": fresh(rollout).moves, "reason": "Complaints.", "typed": "1.0.0"})
    assert fresh(rollout).state == "aborted"
    assert street.running() == [("stable", "1.0.0", 10_000)]


@pytest.mark.parametrize("step", ["pause", "widen", "abort"])
def test_an_old_or_empty_form_answers_with_a_sentence(client_for, begun, omar, step, fresh):
    rollout, client = begun(), client_for(omar)

    assert client.post(url(step, rollout), {"seen": 7, "reason": "x", "typed": "1.0.0"}).status_code == 409
    assert client.post(url(step, rollout), {}).status_code == 422
    assert (fresh(rollout).state, fresh(rollout).moves) == ("running", 0)


def test_who_may_not_steer_reads_why(client_for, begun, street, ana, aida, fresh):
    rollout = begun()
    for person in (ana, aida):
        html = client_for(person).get(url("panel", street.endpoint)).content.decode()
        assert 'aria-disabled="true"' in html
        assert client_for(person).post(url("pause", rollout), {"seen": 0}).status_code == 403
    assert fresh(rollout).moves == 0


def test_a_holding_rollout_says_that_somebody_has_to_decide(client_for, begun, street, omar):
    begun(max_hours=6)
    street.tick(361)

    said = text_of(client_for(omar).get(url("panel", street.endpoint)))

    assert "Somebody has to decide" in said
    assert "Insufficient evidence after 6 h" in said
    assert "Resume" in said


def test_the_navigation_counts_what_waits_for_a_person(begun, street, omar, ana):
    from monitoring.rollouts.queries import waiting_count

    begun(max_hours=6)
    assert waiting_count(omar) is None
    street.tick(361)

    assert waiting_count(omar) == 1
    assert waiting_count(ana) is None
