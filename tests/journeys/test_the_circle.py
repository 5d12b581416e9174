"""The circle closes: a canary fails and is rolled back, inputs drift, a retraining is proposed, labeled,
trained, approved and released.
"""

from __future__ import annotations

import pytest

from tests.support.circle import QUEUE_ITEMS, RETRAINING, Circle
from tests.support.product import until

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def taken_back(circle: Circle) -> dict:
    """A canary most of whose answers fail, while the web, the clock and the workers are gone: what everybody
    is answered meanwhile, and how it ended once they were back.
    """
    rollout = circle.start(circle.second_approved)
    canary = circle.arm("canary")
    fault = {"kind": "error", "share": 10_000, "reason": "Would anybody notice?"}
    circle.story["omar"].api("POST", f"deployments/{canary['deployment']}/inject-fault/", fault, status=201)

    with circle.story.product.frozen("gunicorn", "manage.py beat", "manage.py worker default"):
        until(lambda: circle.ask("Hello")["status"] == 500, "the fault works")
        answers = [circle.ask(text) for text in circle.english(200)]

    ended = until(
        lambda: (now := circle.rollout(rollout))["state"] == "rolled_back" and now,
        "the registry follows the server",
    )
    return ended | {"answers": answers}


def test_with_the_web_and_its_workers_gone_the_server_closes_a_bad_canary_and_the_registry_follows(
    circle: Circle, taken_back: dict
):
    answers = taken_back["answers"]
    closed_at = max(at for at, answer in enumerate(answers) if answer["status"] == 500)
    later = answers[closed_at + 1 :]

    assert sum(answer["status"] == 500 for answer in answers) <= 20  # ten of twenty close it
    assert len(later) > 100
    assert {answer["status"] for answer in later} == {200}
    assert {answer["model_version"] for answer in later} == {circle.story.first["uuid"]}
    assert taken_back["ended_by"] is None
    assert "failed" in taken_back["reason"]
    events = circle.story["omar"].api("GET", f"endpoints/{circle.story.endpoint}/deployments/")["results"]
    reason = next(each["end_reason"] for each in events if each["arm"] == "canary")
    # whichever its workers come to first
    assert reason.startswith(("The server's guard closed it", "Too many failed requests"))
    assert circle.arm("canary") is None
    assert circle.version == circle.story.first["uuid"]


def test_on_call_is_paged_and_home_shows_the_page(circle: Circle, taken_back: dict):
    omar = circle.story["omar"]

    def paged() -> list:
        found = omar.api("GET", f"alerts/?endpoint={circle.story.endpoint}")["results"]
        return [each for each in found if each["severity"] == "page"]

    page = circle.early("monitoring.alerts.tasks.evaluate", paged, "a page is raised")[0]
    assert f'aria-label="Open alert: {page["title"]}"' in omar.page("/")
    omar.post(f"/alerts/{page['uuid']}/acknowledge/")
    assert f'aria-label="Open alert: {page["title"]}"' not in omar.page("/")


@pytest.fixture(scope="module")
def drifted(circle: Circle, taken_back: dict) -> int:
    return circle.weeks_pass


def test_the_product_detects_that_customer_messages_changed(circle: Circle, drifted: int):
    story = circle.story

    assert drifted > len(circle.truth) // 4  # the live version does not follow
    assert circle.drift_opens()

    def alerted() -> list:
        found = story["omar"].api("GET", f"alerts/?endpoint={story.endpoint}")["results"]
        return [each for each in found if each["source"] == "drift"]

    circle.early("monitoring.alerts.tasks.evaluate", alerted, "drift raises an alert")


def test_a_retraining_is_proposed_with_reasons_and_its_texts_go_to_labeling(circle: Circle, drifted: int):
    assert [each["code"] for each in circle.proposal["reasons_for"]][0] == "drift"
    found = circle.early(
        RETRAINING, lambda: (now := circle.proposal_now())["queue"] and now, "the queue is open"
    )
    assert found["items"] == QUEUE_ITEMS
    assert found["state"] == "open"


def test_the_lead_approves_the_analysts_label_and_a_better_model_asks_to_be_promoted(
    circle: Circle, drifted: int
):
    story = circle.story
    queue = circle.early(RETRAINING, lambda: circle.proposal_now()["queue"], "the queue is open")
    until(lambda: story.queue_now(queue)["slots_total"] == QUEUE_ITEMS, "the queue is filled")
    assert circle.label(queue) == QUEUE_ITEMS

    found = circle.proposal_now()
    story["mia"].api("POST", f"retraining/{found['uuid']}/approve/", {"seen": found["seen"]}, status=403)
    story["lee"].api(
        "POST",
        f"retraining/{found['uuid']}/approve/",
        {"seen": found["seen"], "reason": "They write German now."},
    )

    def requested() -> dict | None:
        now = circle.proposal_now()
        assert now["state"] not in ("failed", "declined", "done"), (
            now["failure"],
            now["outcome"],
            now["comparison"],
        )
        return now if now["state"] == "requested" else None

    asked = circle.early(RETRAINING, requested, "the promotion is asked for")
    assert asked["comparison"]["verdict"] == "better"


def test_who_set_its_trigger_on_the_same_day_cannot_approve_its_promotion(circle: Circle):
    request = circle.proposal_now()["promotion"]
    until(
        lambda: circle.story["mia"].api("GET", f"promotions/{request}/")["status"] == "in_review",
        "the gates are checked",
    )

    assert 'name="consent"' not in circle.story["lee"].page(f"/promotions/{request}/")
    assert 'name="consent"' in circle.story["lea"].page(f"/promotions/{request}/")


def test_the_new_version_goes_out_as_a_canary_to_all_traffic(circle: Circle):
    request = circle.proposal_now()["promotion"]
    assert circle.promote(request)["status"] == "approved"

    done = circle.drive(circle.start({"uuid": request}), "promoted", "the canary has all traffic")

    assert circle.failures == 0
    assert done["share"] == 10_000
    assert circle.version == circle.proposal_now()["version"]
    right = sum(
        circle.ask(text)["outputs"][0]["data"][0] == label for text, label in list(circle.truth.items())[:100]
    )
    assert right > 75
    circle.early(RETRAINING, lambda: circle.proposal_now()["outcome"] == "promoted", "the proposal ends")


def test_the_dashboard_shows_all_of_it_and_the_audit_log_verifies(circle: Circle):
    board = circle.story["lee"].api("GET", f"dashboard/?weeks=4&project={circle.story.workspace.uuid}")
    model = board["models"][0]

    assert (model["version"], model["canary"]) == (
        circle.story["mia"].api("GET", f"versions/{circle.version}/")["semver"],
        "",
    )
    assert board["rollbacks"]["canaries"] == 1
    asked = len(circle.story["lee"].api("GET", "promotions/")["results"])
    assert (board["governance"]["requested"], board["governance"]["approved"]) == (asked, asked)
    assert "broken" not in circle.story.product.verified()
    assert "Traceback" not in circle.story.product.log()
