"""Items are ticked on the items page: one by one, by key, a range, or all of the page; they become a
queue.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.datasets import actions
from datasets_app.queues.models import Queue
from datasets_app.schemas.actions.proposals import propose_change
from tests.support.browser import is_accessible, loaded_on_a_phone
from tests.support.jobs import run_ok
from tests.support.labeling import decided_dataset, make_dataset, make_schema
from tests.support.snapshots import freeze

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def dataset(project, ravi):
    made = make_dataset(project, ravi, [f"card payment number {n} was declined" for n in range(8)])
    make_schema(made, ravi)
    return made


def test_items_are_ticked_in_every_way_and_become_a_queue(opened, dataset, ravi):
    page = opened(f"/datasets/{dataset.uuid}/", ravi)
    boxes, button = page.locator("input[name=item]"), page.get_by_role("button", name="Label selected items")
    expect(button).to_have_attribute("aria-disabled", "true")

    boxes.nth(1).click()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(page.locator("#pick [role=status]")).to_have_text("4 selected")
    page.locator("#items tbody tr").nth(6).locator("a").focus()
    page.keyboard.press("x")
    expect(page.locator("#pick [role=status]")).to_have_text("5 selected")
    every = page.get_by_label("Select all on this page")
    assert every.evaluate("box => box.indeterminate")
    every.click()
    expect(page.locator("#pick [role=status]")).to_have_text("8 selected")
    every.click()
    expect(button).to_have_attribute("aria-disabled", "true")

    boxes.nth(0).focus()
    page.keyboard.press("Space")
    button.click()
    expect(page.get_by_label("The selected item")).to_be_checked()
    page.get_by_label("Name").fill("One of them")
    page.get_by_role("button", name="Open queue").click()
    page.wait_for_url("**/labeling/*/")
    assert Queue.objects.get().items_total == 1


def test_the_pages_fit_and_can_be_read_by_everybody(opened, dataset, ravi):
    actions.export_items(dataset_id=dataset.uuid, actor=ravi, filters={"q": "card", "length_from": "10"})
    run_ok("default")
    ticked = dataset.items.first().uuid
    pages = {"items": f"/datasets/{dataset.uuid}/?q=card", "files": f"/datasets/{dataset.uuid}/exports/"}
    pages |= {"open": f"/labeling/datasets/{dataset.uuid}/open/?item={ticked}"}

    for name, page in loaded_on_a_phone(opened, pages, ravi):
        is_accessible(page, name, both_schemes=True)


def test_the_pages_of_a_queue_a_slice_and_its_dataset_version_fit(opened, project, mia):
    dataset = decided_dataset(
        project, mia, [(f"{word} {n}", word) for word in ("card", "cash") for n in range(8)], manager=mia
    )
    kept = actions.save_slice(
        dataset_id=dataset.uuid, actor=mia, name="Digits", filters={"length_from": "3"}, shared=True
    )
    snapshot = freeze(dataset, mia, slice_id=kept.uuid, shares={"train": 60, "validation": 20, "test": 20})
    queue = Queue.objects.get()
    propose_change(dataset_id=dataset.uuid, actor=mia, text="Fees are cash.")
    pages = {
        "queue": f"/labeling/{queue.uuid}/",
        "slice": f"/datasets/slices/{kept.uuid}/",
        "snapshot": f"/dataset-versions/{snapshot.uuid}/",
        "freezing": f"/dataset-versions/dataset/{dataset.uuid}/?slice={kept.uuid}",
        "schema": f"/labeling/datasets/{dataset.uuid}/schema/",
    }

    for name, page in loaded_on_a_phone(opened, pages, mia):
        is_accessible(page, name, both_schemes=True)
