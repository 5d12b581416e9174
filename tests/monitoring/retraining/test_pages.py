"""The pages say what is so, offer what a person may do, and ask the database a constant number of times."""

from datetime import timedelta

import pytest
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from monitoring.retraining.models import Proposal, Trigger
from monitoring.retraining.page import BARRED, COSTS
from monitoring.retraining.queries import people, proposals, triggers
from monitoring.retraining.rules.settings import Kind as TriggerKind
from registry.ground.access.roles import Role
from tests.monitoring.retraining.conftest import label_queue, seen
from tests.support.people import make_person, make_project
from tests.support.retraining import make_proposal
from tests.support.trail import behind_its_back


def page(client_for, user, name, thing, **data):
    answer = client_for(user).get(reverse(f"retraining:{name}", args=[thing.uuid]), data)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_is_empty_before_anything_happened(client_for, endpoint):
    """In a project of their own: what another has is not theirs to see."""
    zoe = make_person("zoe", project=make_project("elsewhere", "Elsewhere"), role=Role.LEAD)

    answer = client_for(zoe).get(reverse("retraining:list"))

    assert (answer.context["lines"], answer.context["ended"]) == ([], [])
    assert "support-inbox-prod" not in answer.content.decode()


@pytest.mark.postgres
def test_the_list_shows_what_waits_first(client_for, lee, proposed):
    html = client_for(lee).get(reverse("retraining:list")).content.decode()

    assert "support-inbox-prod" in html
    assert f'href="{reverse("retraining:detail", args=[proposed.uuid])}"' in html
    assert proposals.waiting_count(lee) == 1


def test_the_count_is_for_leads_alone(proposed, mia, lee):
    assert proposals.waiting_count(mia) is None
    assert proposals.waiting_count(lee) == 1


def test_a_lead_sees_the_reasons_and_may_decide(client_for, collected, lee, mia):
    html = page(client_for, lee, "detail", collected)

    assert "Refund mails are read as card mails." in html
    assert 'id="proposal" class="stack gap-6" data-state="open"' in html
    assert 'id="labeling-first"' in html
    assert "few_labels" in {each["code"] for each in collected.reasons_against}
    assert html.count('data-reason="against"') == len(collected.reasons_against)
    assert html.count('data-reason="for"') == len(collected.reasons_for)
    assert 'commandfor="approve"' in html
    assert 'commandfor="approve"' not in page(client_for, mia, "detail", collected)


def test_what_an_approval_means_for_the_promotion_is_shown_before_it_is_given(client_for, proposed, lee):
    context = client_for(lee).get(reverse("retraining:detail", args=[proposed.uuid])).context
    assert context["costs"] == COSTS

    behind_its_back("UPDATE queues_decision SET by_id = %s", lee.pk)
    context = client_for(lee).get(reverse("retraining:detail", args=[proposed.uuid])).context
    assert context["costs"] == BARRED.format(
        why="labeled or uploaded rows of its test split, so you can't approve the promotion that may follow"
    )


def test_who_labeled_in_the_queue_sees_that_they_cannot_approve_the_promotion(collected, lee):
    assert people.behind(lee, collected) == ""

    label_queue(collected, lee)
    assert (
        people.behind(lee, collected)
        == "labeled or uploaded texts for it, so you can't approve the promotion that may follow"
    )


@pytest.mark.postgres
def test_the_buttons_do_what_they_say(client_for, proposed, lee):
    client = client_for(lee)
    stale = client.post(reverse("retraining:approve", args=[proposed.uuid]), {"seen": "0" * 64})
    assert stale.status_code == 409

    answer = client.post(reverse("retraining:approve", args=[proposed.uuid]), {"seen": seen(proposed)})
    assert answer.headers["location"] == reverse("retraining:detail", args=[proposed.uuid])
    assert Proposal.objects.get(pk=proposed.pk).state == "approved"

    client.post(reverse("retraining:withdraw", args=[proposed.uuid]), {"reason": "Not this month."})
    assert Proposal.objects.get(pk=proposed.pk).outcome == "withdrawn"


@pytest.mark.postgres
def test_a_finished_comparison_is_shown_with_its_interval(client_for, no_better, lee):
    html = page(client_for, lee, "detail", no_better)

    assert 'data-state="done" data-outcome="not_better"' in html
    assert no_better.comparison["why"] in html
    assert html.count('data-metric="') == len(no_better.comparison["metrics"]) == 2
    assert 'commandfor="override"' in html
    assert reverse("evaluation:compare") in html


def test_while_it_is_under_way_only_the_steps_are_asked_again(client_for, training_now, lee):
    client, address = client_for(lee), reverse("retraining:detail", args=[training_now.uuid])
    same = client.get(address, {"at": "running-run"}, headers={"HX-Request": "true"})
    moved = client.get(address, {"at": "approved-labels"}, headers={"HX-Request": "true"})

    assert 'id="steps"' in same.content.decode()
    assert 'id="proposal"' not in same.content.decode()
    assert moved.headers["HX-Retarget"] == "#proposal"


@pytest.mark.postgres
def test_the_settings_form_saves_and_refuses(client_for, endpoint, lee, mia):
    client, address = client_for(lee), reverse("retraining:set_trigger", args=[endpoint.uuid])
    form = {
        "kind": "drift",
        "threshold": "0.3",
        "enabled": "on",
        "cooldown_days": 7,
        "min_labels": 40,
        "window_days": 7,
        "queue_items": 50,
        "overlap": 1,
        "start": "live",
        "budget": 2,
        "seen": triggers.settings_seen(endpoint),
    }
    assert client.post(address, form | {"threshold": "99"}).status_code == 422
    assert not Trigger.objects.exists()

    assert client.post(address, form).status_code == 302
    set_ = Trigger.objects.get()
    assert (set_.threshold, set_.min_labels, set_.start) == (0.3, 40, "live")
    assert client.post(address, form | {"threshold": "0.4"}).status_code == 409
    pages = [page(client_for, person, "settings", endpoint) for person in (lee, mia)]
    assert [html.count(f'action="{address}"') for html in pages] == [len(TriggerKind), 0]
    assert all('id="trigger-drift"' in html for html in pages)


def test_a_person_proposes_from_the_page(client_for, endpoint, traffic, mia):
    html = page(client_for, mia, "propose", endpoint)
    assert 'data-reason="against"' in html

    address = reverse("retraining:propose", args=[endpoint.uuid])
    numbers = {"window_days": 7, "queue_items": 20, "overlap": 1, "min_labels": 10, "start": "live"}
    answer = client_for(mia).post(address, numbers | {"note": "New product."})
    made = Proposal.objects.get()
    assert answer.headers["location"] == reverse("retraining:detail", args=[made.uuid])
    assert (made.note, made.min_labels, made.start) == ("New product.", 10, "live")

    again = client_for(mia).post(address, numbers)
    assert again.status_code == 422
    assert "1" in again.context["form"].non_field_errors()[0]
    assert Proposal.objects.count() == 1


def test_the_panel_shows_what_is_under_way(client_for, endpoint, lee):
    assert '/retraining/"' not in page(client_for, lee, "panel", endpoint).partition("</nav>")[2]
    made = make_proposal(endpoint, None)
    html = page(client_for, lee, "panel", endpoint)
    assert f'href="{reverse("retraining:detail", args=[made.uuid])}"' in html
    assert all(each["fact"] in html for each in made.reasons_for)


@pytest.mark.parametrize("name", ["list", "detail"])
def test_more_proposals_ask_no_more_of_the_database(client_for, endpoint, lee, name):
    from django.db import connection

    old = timezone.now() - timedelta(days=9)
    first = make_proposal(endpoint, None, state="declined", outcome="declined", ended_at=old)
    client = client_for(lee)
    address = (
        reverse("retraining:list") if name == "list" else reverse("retraining:detail", args=[first.uuid])
    )
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for _ in range(8):
        make_proposal(endpoint, None, state="declined", outcome="declined", ended_at=old)
    with CaptureQueriesContext(connection) as many:
        client.get(address)

    assert len(many) == len(few)
