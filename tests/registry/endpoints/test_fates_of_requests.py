"""The page of a fulfilled request shows the status of its version, and its checks in the past tense."""

from __future__ import annotations

import pytest
from django.urls import reverse

from registry.catalog import actions as catalog
from registry.endpoints import actions, fates
from registry.promotions import plans
from registry.promotions.models import PromotionRequest
from tests.registry.endpoints.test_roll_back import roll_back
from tests.support.endpoints import approved

pytestmark = pytest.mark.django_db


def fate_of(request):
    """(word, whether it serves, who ended it, last bead of the thread)."""
    found = fates.fate_of(PromotionRequest.objects.get(pk=request.pk))
    return found and (found.word, found.serves, found.by and found.by.username)


def page_of(client, request):
    return client.get(reverse("promotions:detail", args=[request.uuid]))


def first_request(live_endpoint):
    return PromotionRequest.objects.filter(endpoint=live_endpoint).order_by("pk").first()


def test_the_first_request_of_an_endpoint_shows_that_nothing_was_live(live_endpoint, lee, client_for):
    request = first_request(live_endpoint)

    page = page_of(client_for(lee), request)

    assert (page.context["request_"].baseline, page.context["open"]) == (None, False)
    assert 'data-compared="no" data-baseline="" data-when="then"' in page.content.decode()


def test_what_was_not_deployed_has_no_fate(request_):
    assert fate_of(request_) is None


@pytest.mark.postgres
def test_a_version_that_is_live_is_the_present_of_its_request_alone(
    live_endpoint, request_, omar, lee, client_for
):
    before = PromotionRequest.objects.filter(endpoint=live_endpoint, version__semver="1.1.0").get()
    assert fate_of(before) == ("Live", True, None)

    actions.deploy(request_id=request_.uuid, actor=omar)

    assert (fate_of(request_), fate_of(before)) == (("Live", True, None), ("Replaced", False, "omar"))
    steps = [page_of(client_for(lee), each).context["thread"][-2:] for each in (request_, before)]
    assert [[(step.label, step.text, step.at) for step in each] for each in steps] == [
        [("Promotion", f"request {request_.number}", ""), ("Production", "live", "now")],
        [("Promotion", f"request {before.number}", "now"), ("Production", "replaced", "")],
    ]


def test_a_canary_that_the_rule_stopped_is_rolled_back_on_its_requests_page(canary, by_hand, lee, client_for):
    assert fate_of(by_hand) == ("Canary", True, None)

    actions.stop_canary(deployment_id=canary.uuid, actor=None, reason="Too many errors.")

    assert fate_of(by_hand) == ("Rolled back", False, None)
    page = page_of(client_for(lee), by_hand)
    assert (page.context["thread"][-1].text, page.context["thread"][-1].at) == ("rolled back", "")
    entries = [(entry.who and entry.who.username, entry.did) for entry in page.context["discussion"][:2]]
    assert entries == [
        (None, "rolled back 1.2.0"),
        ("omar", f"deployed 1.2.0, manual canary at {plans.share_text(500)}"),
    ]
    assert "Too many errors." in page.context["fate"].text


def test_the_api_shows_the_outcome_with_who_deployed_and_who_ended_it(
    live_endpoint, request_, omar, lee, client_for
):
    first, second = PromotionRequest.objects.filter(endpoint=live_endpoint).order_by("pk")[:2]
    roll_back(live_endpoint, omar)
    read = [
        client_for(lee).get(reverse("api-promotion", args=[each.uuid])).json()["fate"]
        for each in (request_, first, second)
    ]

    assert read[0] is None
    assert [(each["word"], each["serves"], each["by"], each["deployed_by"]) for each in read[1:]] == [
        ("Live", True, None, str(omar.uuid)),
        ("Rolled back", False, str(omar.uuid), str(omar.uuid)),
    ]
    assert read[2]["text"].startswith("All traffic went back to 1.0.0. ")


def test_a_later_request_for_the_same_version_has_a_fate_of_its_own(canary, by_hand, live_endpoint, omar):
    actions.stop_canary(deployment_id=canary.uuid, actor=None, reason="Too many errors.")
    again = approved(live_endpoint.model.project, live_endpoint, by_hand.version)

    actions.deploy(request_id=again.uuid, actor=omar)

    assert (fate_of(by_hand), fate_of(again)) == (("Rolled back", False, None), ("Live", True, None))
    assert fates.fate_of(by_hand).text == "Too many errors."


def test_the_page_of_a_canary_shows_no_live_version_where_it_was_quarantined(
    canary, by_hand, live_endpoint, omar
):
    catalog.quarantine(version_id=live_endpoint.alias.version.uuid, reason="Leaks.", actor=omar)

    found = fates.fate_of(by_hand)

    canary.refresh_from_db()
    assert (found.word, found.text) == ("Rolled back", canary.end_reason)
    assert canary.end_reason.startswith("1.1.0 ")


def test_a_rollback_ends_one_and_makes_the_other_live_again(live_endpoint, omar):
    first, second = PromotionRequest.objects.filter(endpoint=live_endpoint).order_by("pk")
    assert (fate_of(first)[0], fate_of(second)[0]) == ("Replaced", "Live")

    roll_back(live_endpoint, omar)

    assert (fate_of(first), fate_of(second)) == (("Live", True, None), ("Rolled back", False, "omar"))
