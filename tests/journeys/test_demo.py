"""What a first `make run` shows: the demo seeds all its data automatically, and no page of it is empty."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.product import Product, running_product, until
from tests.support.visitors import Visitor

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def demo() -> Iterator[Product]:
    """The demo once its job has ended well."""
    with running_product(from_nothing=True, DEMO="1", JOB_LEASE_SECONDS="30") as product:
        mia = person(product, "mia")
        (seeding,) = (job for job in mia.api("GET", "jobs/")["results"] if job["kind"] == "demo.seed")
        mia.job(seeding, seconds=1_200)
        yield product


def person(product: Product, name: str) -> Visitor:
    """One of the demo's people, with the password that was drawn for them."""
    secrets = json.loads((product.data_dir / "demo-passwords.json").read_text())
    return Visitor(product, name, secrets[name])


def test_its_canary_was_taken_back_by_the_rule(demo: Product):
    (rollout,) = person(demo, "omar").api("GET", "rollouts/")["results"]

    assert (rollout["state"], rollout["ended_by"]) == ("rolled_back", None)
    assert rollout["reason"].startswith("Too many failed requests")


def test_its_invented_messages_are_labeled_as_synthetic(demo: Product):
    ana = person(demo, "ana")
    (dataset,) = ana.api("GET", "datasets/")["results"]
    links = set(re.findall(r"/datasets/uploads/([0-9a-f-]{36})/", ana.page(f"/datasets/{dataset['uuid']}/")))
    found = {
        upload["file_name"]: upload["provenance"]["synthetic"]
        for upload in (ana.api("GET", f"uploads/{uuid}/") for uuid in links)
    }

    assert (found["history-2026.csv"], found["november-inbox.csv"]) == (True, True)


def test_its_drift_led_to_a_proposal_whose_texts_wait_for_labels(demo: Product):
    lee = person(demo, "lee")
    (proposal,) = lee.api("GET", "retraining/")["results"]
    assert (proposal["state"], proposal["proposed_by"]) == ("open", None)

    until(lambda: lee.api("GET", f"retraining/{proposal['uuid']}/")["queue"], "its texts are collected")


def test_its_dashboard_compares_twelve_weeks_with_the_hold_out(demo: Product):
    found = person(demo, "lee").api("GET", "dashboard/")

    assert [each["n"] for each in found["lifts"]] == [6_840]
    assert found["models"][0]["drift"] == "drift"


def test_every_page_of_it_opens(demo: Product):
    lee = person(demo, "lee")

    for path in (
        "/",
        "/dashboard/",
        "/endpoints/",
        "/rollouts/",
        "/drift/",
        "/alerts/",
        "/retraining/",
        "/datasets/",
        "/models/",
    ):
        lee.page(path)


def test_nothing_failed_while_the_demo_was_seeded(demo: Product):
    assert "Traceback" not in demo.log()
