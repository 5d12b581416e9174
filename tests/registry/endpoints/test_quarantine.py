"""A version in quarantine leaves all traffic at once: rolled back where it is live, or nothing answers; and
it is not handed out.
"""

import pytest
from django.urls import reverse

from lifecycle.ground.notices.models import Notice
from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog import actions as catalog
from registry.catalog.models import Alias
from registry.endpoints import actions
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments, rollback
from registry.ground.ledger.models import Event
from tests.support import endpoints, registry


@pytest.fixture
def live(live_endpoint):
    """1.1.0."""
    return Alias.objects.get(endpoint=live_endpoint).version


def quarantine(version, actor):
    return catalog.quarantine(version_id=version.uuid, reason="It leaks names.", actor=actor)


def running(endpoint):
    return [(row.arm, row.version.semver) for row, _ in deployments.arms_of(endpoint)]


def verbs(since):
    return list(Event.objects.filter(pk__gt=since).order_by("pk").values_list("verb", flat=True))


def newest_event():
    return Event.objects.order_by("-pk").values_list("pk", flat=True).first()


@pytest.mark.postgres
def test_a_live_version_is_rolled_back_in_the_decision_that_quarantines_it(
    live_endpoint, live, gita, django_capture_on_commit_callbacks
):
    before = newest_event()
    with django_capture_on_commit_callbacks(execute=True):
        quarantine(live, gita)

    assert verbs(before) == ["catalog.quarantined", "endpoints.rolled_back"]
    assert running(live_endpoint) == [("stable", "1.0.0")]
    alias = Alias.objects.get(endpoint=live_endpoint)
    assert (alias.version.semver, alias.moves) == ("1.0.0", 3)
    now = deployments.live_deployment(live_endpoint)
    assert (now.cause, now.started_by, now.reason) == (
        "rollback",
        gita,
        "1.1.0 was quarantined: It leaks names.",
    )
    route = endpoints.routes()["endpoints"][live_endpoint.full_name]
    assert ([arm["version"] for arm in route["arms"]], route["standby"]) == ([str(now.version.uuid)], [])
    assert route["withdrawn"] == [live.root_digest]
    notice = Notice.objects.get(user__username="omar")
    assert notice.text == f"{live_endpoint}: 1.1.0 was quarantined: It leaks names. 1.0.0 is live."


def test_a_canary_ends_with_the_live_version_that_it_was_compared_with(canary, live_endpoint, live, lee):
    quarantine(live, lee)

    assert running(live_endpoint) == [("stable", "1.0.0")]
    canary.refresh_from_db()
    assert (canary.ended_by, canary.end_reason) == (lee, "1.1.0 was quarantined: It leaks names.")


@pytest.mark.postgres
def test_without_an_earlier_version_nothing_answers_until_another_is_deployed(
    live_endpoint, live, lee, omar, project, client_for
):
    first = rollback.rollback_target(live_endpoint)
    quarantine(first, lee)
    assert running(live_endpoint) == [("stable", "1.1.0")]
    other = endpoints.with_approval(live_endpoint)
    actions.start_shadow(endpoint_id=live_endpoint.uuid, version_id=other.version.uuid, share=100, actor=omar)
    before = newest_event()

    quarantine(live, lee)
    actions.publish()

    assert verbs(before) == ["catalog.quarantined", "endpoints.shadow_stopped", "endpoints.emptied"]
    assert running(live_endpoint) == []
    assert Alias.objects.get(endpoint=live_endpoint).version is None
    route = endpoints.routes()["endpoints"][live_endpoint.full_name]
    assert (route["arms"], route["shadow"], route["standby"]) == ([], None, [])
    assert route["withdrawn"] == sorted([first.root_digest, live.root_digest])
    with pytest.raises(Refused):
        actions.roll_back(endpoint_id=live_endpoint.uuid, actor=omar, reason="x", typed="1.0.0", seen_moves=3)
    for page, shown in (
        (reverse("endpoints:detail", args=[live_endpoint.uuid]), 'data-state="emptied"'),
        (reverse("endpoints:list"), live_endpoint.slug),
        ("/", live_endpoint.full_name),
        (reverse("overview:dashboard"), live_endpoint.full_name),
    ):
        assert shown in client_for(omar).get(page).content.decode(), page
    rows = client_for(omar).get(reverse("overview:dashboard")).context["rows"]
    assert [(row.endpoint, row.health.kind) for row in rows] == [(live_endpoint, "bad")]

    with pytest.raises(Conflict, match="the live version"):
        actions.deploy(request_id=other.uuid, actor=omar)
    endpoints.deploy(project, live_endpoint, other.version)
    assert running(live_endpoint) == [("stable", "1.2.0")]


def test_who_may_not_quarantine_changes_no_traffic(live_endpoint, live, mia, client_for):
    answer = client_for(mia).post(
        reverse("catalog:quarantine", args=[live.uuid]), {"reason": "x", "typed": "1.1.0"}
    )

    assert answer.status_code == 403
    assert running(live_endpoint) == [("stable", "1.1.0")]
    assert Deployment.objects.count() == 2


@pytest.mark.parametrize("before", [True, False])
def test_the_page_shows_before_the_click_what_it_does_to_each_endpoint(
    live_endpoint, live, lee, client_for, before
):
    if not before:
        quarantine(rollback.rollback_target(live_endpoint), lee)

    html = client_for(lee).get(reverse("catalog:version", args=[live.uuid])).content.decode()

    rolled = f"{live_endpoint}: all traffic goes to 1.0.0 within a second."
    emptied = f"{live_endpoint}: there&#x27;s no earlier version, so requests get 503 until one is deployed."
    assert (rolled in html, emptied in html) == (before, not before)


def test_it_is_not_handed_out_by_page_or_api(live, lee, client_for):
    registry.exported(live, lee).close()
    quarantine(live, lee)
    exported = Event.objects.filter(verb="catalog.exported").count()
    browser = client_for(lee)

    for send in (browser.get, browser.post):
        assert send(reverse("catalog:export", args=[live.uuid])).status_code == 422
        answer = send(f"/api/v1/versions/{live.uuid}/export/")
        assert answer.status_code == 422
        assert "It leaks names." in answer.json()["message"]
    assert (
        reverse("catalog:export", args=[live.uuid])
        not in browser.get(reverse("catalog:version", args=[live.uuid])).content.decode()
    )
    assert Event.objects.filter(verb="catalog.exported").count() == exported
