"""A labeling function with a preview while it is typed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.assist.actions.suggesting import retire_function, write_function
from datasets_app.assist.models import LabelingFunction
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from tests.support.browser import is_accessible, is_legible, loaded_on_a_phone
from tests.support.labeling import decided_dataset

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ROWS = (
    [(f"my card {n}", "card") for n in range(20)]
    + [(f"card bill {n}", "billing") for n in range(5)]
    + [("a bill", "billing")]
)


@pytest.fixture
def dataset(project, mia, ana):
    return decided_dataset(project, ana, ROWS, manager=mia)


def test_matches_follow_the_input_and_the_labeling_function_is_created(window_of, dataset, mia):
    # not `opened`: a rejected input, such as half an expression, is also logged in the console
    page = window_of(mia).new_page()
    page.goto(f"/labeling/datasets/{dataset.uuid}/functions/new/")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Enter words or an expression")

    page.locator("#id_pattern").press_sequentially("card")
    expect(preview).to_contain_text("25 matches, 96.2 % of the sample")
    expect(preview.locator("mark")).to_have_count(10)
    page.locator("#id_label").select_option(label="card")
    expect(preview).to_contain_text("25 labeled matches")
    expect(page.locator("#id_pattern")).to_have_value("card")

    page.get_by_label("Regular expression").check()
    page.locator("#id_pattern").fill("(")
    expect(preview).to_contain_text("Invalid expression: missing )")
    page.locator("#id_pattern").fill("(a*)*b bill")
    expect(preview).to_contain_text("0 matches")
    page.locator("#id_pattern").fill(r"card \pL+")
    expect(preview).to_contain_text("5 matches")

    page.locator("#id_name").fill("Card and word")
    page.get_by_role("button", name="Create labeling function").click()
    expect(page.get_by_role("heading", name="Labeling functions", exact=True)).to_be_visible()
    assert list(LabelingFunction.objects.values_list("name", "kind", "pattern")) == [
        ("Card and word", "regex", r"card \pL+")
    ]


def test_the_pages_fit_and_are_accessible(opened, dataset, mia):
    labels = labels_by_name(latest_schema(dataset))
    for label, pattern in (("card", "card"), ("billing", "bill\ninvoice"), ("billing", "amount")):
        function = write_function(
            dataset_id=dataset.uuid,
            actor=mia,
            name=f"{label}: {pattern}",
            label=labels[label].stable_id,
            kind="words",
            pattern=pattern,
        )
    retire_function(function_id=function.uuid, actor=mia)

    paths = {
        "functions": f"/labeling/datasets/{dataset.uuid}/functions/",
        "function": f"/labeling/functions/{LabelingFunction.objects.all()[0].uuid}/",
    }
    for name, page in loaded_on_a_phone(opened, paths, mia):
        is_accessible(page, name)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_what_a_change_of_classes_touches_fits_and_is_accessible(opened, dataset, mia, width, scheme):
    page = opened(f"/labeling/datasets/{dataset.uuid}/schema/change/", mia, width=width, scheme=scheme)
    page.locator("#id_class_1").select_option(label="billing")
    page.locator("#id_kind_1").select_option(label="Merge into")
    page.locator("#id_into_1").fill("card")
    page.get_by_role("button", name="Preview impact").click()
    expect(page.locator("#touched")).to_contain_text("merged into card")
    is_legible(page, f"change-{width}")

    page.get_by_role("button", name="Publish version 2").click()
    expect(page.get_by_role("heading", name="Labels and guideline")).to_be_visible()
    is_legible(page, f"schema-{width}")
