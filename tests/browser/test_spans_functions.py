"""A labeling function for spans: previewed while typed, applied, and shown on the bench, where its pre-labels
are accepted or rejected.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.assist.actions.suggesting import write_function
from datasets_app.assist.models import LabelingFunction
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models import Queue
from datasets_app.queues.queries import decisions
from datasets_app.schemas.actions.proposals import propose_change
from datasets_app.schemas.queries.labels import names_in
from lifecycle.runtime.task_types.values import rename
from tests.support.browser import is_legible, shot
from tests.support.jobs import run_ok
from tests.support.labeling import annotate, make_dataset, make_queue, queue_items

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXTS = ["👨🏻‍🚒 firemen drive firetrucks", *(f"Acme paid bill {n} to Acme" for n in range(12))]


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(
        make_dataset(project, mia, TEXTS, task="spans"),
        mia,
        schema=["PERSON", "TOPIC", "ORG"],
        hidden_share=0,
    )


def test_a_rule_is_tried_applied_and_taken_on_the_bench(opened, open_bench, queue, mia, ana):
    page = opened(f"/labeling/datasets/{queue.dataset.uuid}/functions/new/", mia)
    preview = page.locator("#preview")
    page.locator("#id_name").fill("Fire")
    page.locator("#id_label").select_option(label="TOPIC")
    page.get_by_label("Regular expression").check()
    page.locator("#id_pattern").press_sequentially(r"fire\pL+ ?")
    expect(preview).to_contain_text("1 text, 7.7")
    expect(preview).to_contain_text("2 spans")
    expect(preview.locator("mark")).to_have_text(["firemen", "firetrucks"])
    page.get_by_role("button", name="Create labeling function").click()
    page.get_by_role("button", name="Apply to 13 items").click()
    expect(page.get_by_role("heading", name="Labeling functions", exact=True)).to_be_visible()
    run_ok()
    assert Suggestion.objects.get().source_digest == LabelingFunction.objects.get().digest

    page = open_bench(ana)
    expect(page.locator("#marked tr")).to_have_count(2)
    expect(page.locator("#marked")).to_contain_text("pre-labeled")
    expect(page.locator("#save-text")).to_have_text("Save without spans")
    shot(page, "spans-by-a-labeling-function")
    for key in ("Tab", "Tab", "Enter"):  # past the firemen, takes the firetrucks
        page.keyboard.press(key)
    expect(page.locator("#save-text")).to_have_text("Save 1 span")
    page.keyboard.press("Enter")
    expect(page.locator("#n")).to_have_text("1")
    expect(page.locator("#bench")).to_have_attribute("data-unsaved", "0")

    answer = decisions.standing_answers().get()
    assert rename(answer.value, names_in(queue.schema)) == {
        "spans": [{"start": 19, "end": 29, "label": "TOPIC"}]
    }
    assert answer.suggestion == Suggestion.objects.get()


@pytest.fixture
def proposed(queue, mia, ana) -> Queue:
    """Most texts have spans, labeling functions add spans too, and one label is proposed for removal."""
    for number, item in enumerate(queue_items(queue)[1:]):
        entities = [{"start": 0, "end": 4, "label": "ORG"}, {"start": 10, "end": 14, "label": "TOPIC"}]
        last = item.text.rindex("Acme")
        annotate(
            queue,
            ana,
            item,
            {
                "spans": [
                    *entities,
                    *([{"start": last, "end": last + 4, "label": "ORG"}] if number % 3 else []),
                ]
            },
        )
    ids = {label.name: label.stable_id for label in queue.schema.labels.all()}
    for label, pattern in (("ORG", "Acme"), ("TOPIC", "bill\nAcme")):
        write_function(
            dataset_id=queue.dataset.uuid,
            actor=mia,
            name=label,
            label=ids[label],
            kind="words",
            pattern=pattern,
        )
    lost = {"dataset_id": queue.dataset.uuid, "actor": ana, "labels": [ids["TOPIC"]]}
    propose_change(text="A topic is too wide; drop it.", **lost)
    return queue


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_pages_fit_and_are_accessible(opened, proposed, mia, width, scheme):
    functions = f"/labeling/datasets/{proposed.dataset.uuid}/functions/"
    page = opened(functions, mia, width=width, scheme=scheme)
    is_legible(page, f"functions-spans-{width}")
    page.goto(f"/labeling/functions/{LabelingFunction.objects.order_by('id')[0].uuid}/")
    is_legible(page, f"function-spans-{width}")

    page.goto(f"/labeling/datasets/{proposed.dataset.uuid}/schema/change/")
    page.locator("#id_class_1").select_option(label="TOPIC")
    page.locator("#id_kind_1").select_option(label="Retire")
    page.get_by_role("button", name="Preview impact").click()
    expect(page.locator("#touched")).to_contain_text("Where it's the only label")
    page.get_by_label("Include in the next version").check()
    is_legible(page, f"change-spans-{width}")
    page.get_by_role("button", name="Publish version 2").click()

    expect(page.get_by_role("heading", name="Labels and guideline")).to_be_visible()
