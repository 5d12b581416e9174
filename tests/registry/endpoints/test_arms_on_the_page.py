"""The endpoint's page with a canary, a shadow and a drill on it: what it shows, what its buttons do, what
people see who may not.
"""

import re

import pytest
from django.urls import reverse

from registry.endpoints import actions, history, page
from registry.endpoints.models import Deployment, Fault
from registry.endpoints.queries import deployments, faults
from registry.promotions import plans
from tests.support import endpoints

HTMX = {"HTTP_HX_REQUEST": "true"}


def url(name, thing):
    return reverse(f"endpoints:{name}", args=[thing.uuid])


def html_of(client, endpoint, **query):
    return client.get(url("detail", endpoint), query).content.decode()


def running(endpoint):
    return [(row.arm, row.version.semver, row.share) for row in deployments.serving(endpoint).order_by("id")]


def test_a_version_that_waits_for_its_canary_is_started_and_not_deployed(
    client_for, live_endpoint, project, version, omar
):
    ruled = endpoints.approved(project, live_endpoint, version, plans.canary(plans.Plan()))

    html = html_of(client_for(omar), live_endpoint)

    assert f'<a class="btn primary" href="{reverse("rollouts:start", args=[ruled.uuid])}"' in html
    assert ('commandfor="deploy"' in html, f'action="{url("deploy", live_endpoint)}"' in html) == (
        False,
        False,
    )


@pytest.mark.parametrize("approved", ["request_", "by_hand"])
def test_any_other_version_that_waits_is_deployed_and_not_started(
    client_for, live_endpoint, approved, omar, request
):
    waiting = request.getfixturevalue(approved)

    html = html_of(client_for(omar), live_endpoint)

    assert reverse("rollouts:start", args=[waiting.uuid]) not in html
    assert 'commandfor="deploy"' in html
    assert f'action="{url("deploy", live_endpoint)}"' in html
    assert f'name="request" value="{waiting.uuid}"' in html


def test_each_arm_has_its_share_and_the_way_back_is_the_live_version(client_for, live_endpoint, canary, omar):
    answer = client_for(omar).get(url("detail", live_endpoint))

    html = answer.content.decode()
    assert 'data-state="canary"' in html
    assert re.findall(r'data-arm="(\w+)" data-share="([\d.]+)"', html) == [
        ("stable", "0.95"),
        ("canary", "0.05"),
    ]
    assert ("95 %" in html, ">5 %<" in html) == (True, True)
    assert answer.context["back"].semver == "1.1.0"
    assert f'action="{url("roll_back", live_endpoint)}"' in html
    assert 'data-match="1.1.0"' in html
    assert f'hx-get="{reverse("rollouts:panel", args=[live_endpoint.uuid])}"' in html
    assert 'id="slot-shadow"' not in html
    words = {"reason": "Errors.", "typed": "1.1.0", "seen": 2}
    assert client_for(omar).post(url("roll_back", live_endpoint), words).status_code == 302
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]


def test_rooms_that_are_not_there_leave_no_hole(live_endpoint, monkeypatch):
    monkeypatch.setattr(page, "find_url", lambda name, **_: "/there/" if name == "alerts:panel" else "")

    slots = page.slots(live_endpoint)

    assert slots["alerts"] == "/there/"
    assert {url for slot, url in slots.items() if slot != "alerts"} == {""}


def test_stopping_a_canary_needs_a_reason(client_for, live_endpoint, canary, mia):
    assert f'action="{url("stop_canary", canary)}"' in html_of(client_for(mia), live_endpoint)

    assert client_for(mia).post(url("stop_canary", canary), {"reason": " "}).status_code == 422
    assert running(live_endpoint)[1] == ("canary", "1.2.0", 500)
    answer = client_for(mia).post(url("stop_canary", canary), {"reason": "Errors."}, **HTMX)

    assert answer["HX-Redirect"] == url("detail", live_endpoint)
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]
    assert client_for(mia).post(url("stop_canary", canary), {"reason": "Errors."}).status_code == 409


@pytest.mark.postgres
def test_a_shadow_is_started_and_stopped_from_the_page(client_for, live_endpoint, version, mia):
    browser = client_for(mia)
    form = browser.get(url("shadow", live_endpoint)).content.decode()
    assert f'value="{version.uuid}"' in form
    assert str(live_endpoint.alias.version.uuid) not in form

    assert (
        browser.post(url("shadow", live_endpoint), {"version": version.uuid, "share": "0"}).status_code == 422
    )
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]
    assert (
        browser.post(url("shadow", live_endpoint), {"version": version.uuid, "share": "12.5"}).status_code
        == 302
    )

    assert running(live_endpoint)[1] == ("shadow", "1.2.0", 1_250)
    html = html_of(browser, live_endpoint)
    assert 'data-arm="shadow" data-share="0.125"' in html
    assert f'href="{url("shadow", live_endpoint)}"' not in html
    shadow = deployments.shadow_of(live_endpoint)
    assert browser.post(url("stop_shadow", shadow)).status_code == 302
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]
    assert f'href="{url("shadow", live_endpoint)}"' in html_of(browser, live_endpoint)


@pytest.mark.postgres
def test_a_drill_is_injected_seen_by_everyone_and_lifted(client_for, live_endpoint, canary, omar, aida):
    endpoints.write_status(drills=True)
    browser = client_for(omar)
    assert f'value="{canary.uuid}"' in browser.get(url("drill", live_endpoint)).content.decode()
    asked = {
        "deployment": canary.uuid,
        "kind": "slow",
        "share": "30",
        "delay_ms": "750",
        "minutes": "20",
        "reason": "Game day <b>",
    }
    assert browser.post(url("drill", live_endpoint), asked | {"minutes": "0"}).status_code == 422
    assert Fault.objects.count() == 0

    assert browser.post(url("drill", live_endpoint), asked, **HTMX)["HX-Redirect"] == url(
        "detail", live_endpoint
    )

    fault = Fault.objects.get()
    assert (fault.deployment, fault.kind, fault.share, fault.delay_ms, fault.injected_by) == (
        canary,
        "slow",
        3_000,
        750,
        omar,
    )
    html = html_of(client_for(aida), live_endpoint)
    assert f'id="fault-{canary.uuid}" data-fault="slow"' in html
    assert ("750" in html, "30 %" in html) == (True, True)
    assert "Game day &lt;b&gt;" in html
    assert browser.post(url("drill", live_endpoint), asked).status_code == 409
    assert browser.post(url("remove_fault", canary)).status_code == 302
    assert faults.faults_on(live_endpoint) == []
    assert "data-fault" not in html_of(browser, live_endpoint)


def test_without_a_server_for_drills_the_form_shows_it(client_for, live_endpoint, omar):
    live = deployments.live_deployment(live_endpoint)
    asked = {"deployment": live.uuid, "kind": "error", "share": "1", "minutes": "20", "reason": "x"}

    answer = client_for(omar).post(url("drill", live_endpoint), asked)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["__all__"]
    (why,) = answer.context["form"].non_field_errors()
    assert "INFERENCE_DRILLS=1" in why
    assert why in answer.content.decode()
    assert Fault.objects.count() == 0
    assert f'href="{url("drill", live_endpoint)}"' not in html_of(client_for(omar), live_endpoint)
    endpoints.write_status(drills=True)
    assert f'href="{url("drill", live_endpoint)}"' in html_of(client_for(omar), live_endpoint)


def test_a_closed_canary_is_shown_at_the_top(client_for, live_endpoint, canary, omar):
    endpoints.write_status(guard=[{"deployment": str(canary.uuid), "failures": 10, "of": 12}])

    html = html_of(client_for(omar), live_endpoint)

    note = html.partition(f'id="closed-{canary.uuid}">')[2].partition("</div>")[0]
    assert re.findall(r"[\d.]+\d", note) == ["1.2.0", "10", "12", "1.1.0"]
    assert html.count('id="closed-') == 1


@pytest.mark.parametrize(
    ("name", "person"), [("shadow", "ana"), ("shadow", "gita"), ("drill", "mia"), ("drill", "gita")]
)
def test_people_who_may_not_see_which_role_may(client_for, request, live_endpoint, name, person, omar):
    endpoints.write_status(drills=True)
    browser = client_for(request.getfixturevalue(person))
    assert f'href="{url(name, live_endpoint)}"' in html_of(client_for(omar), live_endpoint)

    assert browser.get(url(name, live_endpoint)).status_code == 403
    assert browser.post(url(name, live_endpoint), {}).status_code == 403
    assert f'href="{url(name, live_endpoint)}"' not in html_of(browser, live_endpoint)


def test_the_timeline_shows_a_rollout_as_people_remember_it(
    live_endpoint, project, canary, version, mia, ravi, omar
):
    wider = actions.set_share(deployment_id=canary.uuid, share=2_500, actor=omar, reason="It held.")
    actions.stop_canary(deployment_id=wider.uuid, reason="Errors.", actor=None)
    again = actions.deploy(
        request_id=endpoints.approved(project, live_endpoint, version, plans.by_hand(1_000)).uuid,
        actor=omar,
    )
    actions.set_share(deployment_id=again.uuid, share=10_000, actor=None)
    actions.roll_back(endpoint_id=live_endpoint.uuid, actor=omar, reason="Slow.", typed="1.1.0", seen_moves=3)
    actions.start_shadow(endpoint_id=live_endpoint.uuid, version_id=version.uuid, share=5_000, actor=omar)

    lines = history.changes(list(deployments.deployments(live_endpoint)))

    assert [(line.title, line.kind, line.by) for line in lines] == [
        ("Shadow 1.2.0 started, 50 % copied", "now", omar),
        ("Rolled back to 1.1.0", "now", omar),
        ("1.2.0 to 100 %", "", None),
        ("Canary 1.2.0 at 10 %", "", omar),
        ("Canary 1.2.0 rolled back", "bad", None),
        ("Canary 1.2.0 to 25 %", "", omar),
        ("Canary 1.2.0 at 5 %", "", omar),
        ("1.1.0 deployed", "", omar),
        ("1.0.0 deployed", "", omar),
    ]
    assert lines[4].reason == "Errors."


def test_a_canary_that_went_on_has_not_ended_on_an_older_page_either(live_endpoint, canary, omar):
    actions.set_share(deployment_id=canary.uuid, share=2_500, actor=omar, reason="It held.")

    titles = [line.title for line in history.changes(list(deployments.deployments(live_endpoint))[1:])]

    assert titles == ["Canary 1.2.0 at 5 %", "1.1.0 deployed", "1.0.0 deployed"]


def test_the_history_goes_back_page_by_page(client_for, live_endpoint, omar, monkeypatch):
    monkeypatch.setattr(deployments, "PAGE", 1)
    newest = deployments.deployments(live_endpoint).first()

    html = html_of(client_for(omar), live_endpoint)
    first = deployments.deployments(live_endpoint).last()
    assert f'href="?before={newest.pk}"' in html
    assert (url("deployment", newest) in html, url("deployment", first) in html) == (True, False)
    older = html_of(client_for(omar), live_endpoint, before=newest.pk)
    assert url("deployment", first) in older
    assert f'<a href="{url("detail", live_endpoint)}">' in older.partition('class="pager"')[2]


def test_the_list_names_what_runs_beside(client_for, live_endpoint, canary, aida):
    html = client_for(aida).get(reverse("endpoints:list")).content.decode()

    assert html.count("1.2.0") == html.count('data-arm="canary"') == 1


@pytest.mark.postgres
def test_what_was_live_names_the_canary_beside_it(client_for, live_endpoint, canary, aida):
    html = html_of(client_for(aida), live_endpoint, at=canary.started_at.isoformat())

    found = html.partition('data-was="1.1.0">')[2].partition("</p>")[0]
    assert f'<a href="{url("deployment", canary)}">1.2.0</a>' in found


def test_an_interval_has_its_page(client_for, canary, aida, version):
    html = client_for(aida).get(url("deployment", canary)).content.decode()

    assert 'data-arm="canary" data-share="5 %"' in html.replace("\xa0", " ")
    assert Deployment.objects.filter(version=version).count() == 1
