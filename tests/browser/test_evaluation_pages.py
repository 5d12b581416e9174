"""The pages of an evaluation: groups of rows and a threshold are chosen without a button; all can be read by
everybody.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lifecycle.modeling.evaluation import queries
from lifecycle.runtime.engine.flips import Flip
from tests.support.browser import SHOTS, intercept, is_accessible, loaded_on_a_phone, settled
from tests.support.evaluations import channelled, evaluated, made_probes
from tests.support.training import make_run

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAPER = (1032, 703)  # A4 landscape less its margins, in CSS pixels
CUT = """() => [...document.querySelectorAll("main *")]
  .filter((each) => each.checkVisibility() && !each.closest("svg *, .vh") && each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => each.outerHTML.slice(0, 120))"""  # noqa: E501
OTHER = {"card": "refund", "refund": "card"}


def answer(item, label):
    """Phone calls are answered worse, and less surely."""
    number = int(item.text.split()[2])
    sure = 0.55 + number % 43 / 100
    wrong = number % (3 if item.metadata.get("channel") == "phone" else 11) == 0
    predicted = OTHER[label] if wrong else label
    return {predicted: sure, OTHER[predicted]: 1 - sure}


@pytest.fixture
def evaluation(project, mia):
    run = make_run(channelled(project, mia), mia, splits=())
    evaluated(run, "validation", answer, temperature=1.4)
    measured = evaluated(run, "test", answer, temperature=1.4)
    items = queries.rows_of(measured).ids[:9]
    made_probes(
        measured, mia, [Flip("typos", item, "card", "card", 0.9, "refund", 0.6, 1.0, 0.0) for item in items]
    )
    return measured


def test_a_column_and_a_label_are_chosen_and_the_rows_of_a_slice_open(opened, evaluation, mia):
    page = opened(f"/evaluations/{evaluation.uuid}/", mia)

    page.get_by_role("link", name="Slices", exact=True).click()
    page.get_by_label("Slice by").select_option("channel")
    expect(page.get_by_text("phone is below the rest:")).to_be_visible()
    page.get_by_label("Fairness for label").select_option("card")
    expect(page.get_by_role("heading", name="Fairness for card")).to_be_visible()
    page.get_by_role("link", name="errors of phone").click()

    expect(page.get_by_role("heading", name="channel: phone")).to_be_visible()


def test_what_is_chosen_before_the_scripts_are_there_counts_too(opened, evaluation, mia):
    page, held = opened(f"/evaluations/{evaluation.uuid}/", mia), []
    intercept(page, lambda url: "htmx" in url and "slices" in page.url, lambda route: held.append(route))

    with page.expect_request(lambda request: "htmx" in request.url):
        page.get_by_role("link", name="Slices", exact=True).click(no_wait_after=True)
    page.get_by_label("Slice by").select_option("channel")
    assert held
    for route in held:
        route.continue_()

    expect(page.get_by_text("phone is below the rest:")).to_be_visible()


def test_so_does_what_is_typed_once_it_is_left(opened, evaluation, mia):
    page, held = opened(f"/evaluations/{evaluation.uuid}/", mia), []
    intercept(page, lambda url: "htmx" in url and "threshold" in page.url, lambda route: held.append(route))

    with page.expect_request(lambda request: "htmx" in request.url):
        page.get_by_role("link", name="Threshold", exact=True).click(no_wait_after=True)
    page.get_by_label("Target accuracy").fill("0.7")
    page.get_by_label("Target accuracy").press("Tab")
    assert held
    for route in held:
        route.continue_()

    page.wait_for_url(lambda url: "target=0.7" in url)


def test_a_choice_in_the_moment_in_which_an_answer_is_shown_counts(opened, evaluation, mia):
    page = opened(f"/evaluations/{evaluation.uuid}/slices/?column=metadata:channel", mia)
    page.evaluate("""new MutationObserver((_, observer) => {
        observer.disconnect();
        document.getElementById("label").value = "card";
        document.getElementById("label").dispatchEvent(new Event("change", {bubbles: true}));
    }).observe(document.getElementById("slices").parentElement, {childList: true})""")

    page.get_by_label("Compare by").dispatch_event("change")

    expect(page.get_by_role("heading", name="Fairness for card")).to_be_visible()


def test_a_threshold_is_chosen_by_costs(opened, evaluation, mia):
    page = opened(f"/evaluations/{evaluation.uuid}/threshold/", mia)

    page.get_by_label("Label optional").select_option("card")
    expect(page.get_by_label("Cost of a missed row")).to_be_visible()
    page.get_by_role("link", name="Lowest cost").click()
    page.wait_for_url(lambda url: "goal=cost" in url)
    page.get_by_label("Cost of a missed row").fill("20")
    page.get_by_label("Cost of a missed row").press("Enter")

    page.wait_for_url(lambda url: "missed=20" in url)
    expect(page.get_by_text("Predict card from")).to_be_visible()


def test_what_is_chosen_while_a_page_is_on_its_way_counts_too(opened, evaluation, mia):
    page = opened(f"/evaluations/{evaluation.uuid}/threshold/", mia)
    asked = []
    intercept(
        page,
        lambda url: "label=card" in url,
        lambda route: asked.append(route) if not asked else route.continue_(),
    )

    with page.expect_request(lambda request: "label=card" in request.url):
        page.get_by_label("Label optional").select_option("card")
    page.get_by_label("Target accuracy").fill("0.7")
    page.get_by_label("Target accuracy").press("Tab")

    page.wait_for_url(lambda url: "label=card" in url and "target=0.7" in url)
    expect(page.get_by_label("Label optional")).to_have_value("card")
    assert len(asked) == 1
    asked[0].abort()


def test_the_pages_fit_and_can_be_read_by_everybody(opened, evaluation, mia):
    pages = {
        "report": "",
        "groups": "slices/?column=metadata:channel&label=card",
        "threshold": "threshold/?goal=cost&label=card&person=0.3",
        "robustness": "robustness/?probe=typos",
    }
    paths = {name: f"/evaluations/{evaluation.uuid}/{path}" for name, path in pages.items()}

    for name, page in loaded_on_a_phone(opened, paths, mia):
        is_accessible(page, name, both_schemes=True)


def test_a_printed_page_identifies_its_evaluation_and_nothing_is_cut_off(opened, evaluation, mia):
    for name, path in {
        "report": "?classes=all",
        "groups": "slices/?column=metadata:channel&label=card",
        "robustness": "robustness/",
    }.items():
        page = opened(f"/evaluations/{evaluation.uuid}/{path}", mia)
        settled(page)
        facts = page.locator(".paper")
        expect(facts).to_be_hidden()

        page.emulate_media(media="print")
        page.set_viewport_size({"width": PAPER[0], "height": PAPER[1]})
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(facts).to_be_visible()
        for fact in (
            evaluation.root_digest,
            evaluation.snapshot.digest,
            evaluation.report_digest,
            "by Mia",
            "requested by system",
        ):
            expect(facts).to_contain_text(fact)
        expect(page.get_by_role("navigation", name="Parts of the evaluation")).to_be_hidden()
        assert page.evaluate(CUT) == []
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="null")
        page.set_viewport_size({"width": 1440, "height": 900})
        paper = page.pdf(prefer_css_page_size=True)

        boxes = {tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox \[([\d. ]+)\]", paper)}
        assert [(round(width), round(height)) for _, _, width, height in boxes] == [(842, 595)]
        if SHOTS:
            (Path(SHOTS) / f"{name}.pdf").write_bytes(paper)


def test_how_a_number_is_worked_out_is_reached_by_keys_and_fits(opened, evaluation, mia):
    page = opened(f"/evaluations/{evaluation.uuid}/", mia)

    page.get_by_role("link", name="ECE", exact=True).focus()
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"/statistics/#ece$"))
    expect(page.locator("#ece h3")).to_be_in_viewport()
    is_accessible(page, "statistics", both_schemes=True)
