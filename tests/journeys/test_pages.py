"""The main job with mouse and keyboard in Debian's Chromium, against the running product: every page is
accessible at 1440 and 390 px.

What waits is a run's curves, which test_survival watches. With TOUR=1 the pictures of docs/tour.md are
written; otherwise no file is left.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.desk import Desk, freeze, look
from tests.support.people import PASSWORD
from tests.support.product import until
from tests.support.story import Story

pytestmark = [pytest.mark.journey, pytest.mark.browser]


@pytest.fixture(scope="module")
def typed(inbox_story: Story) -> Story:
    """The same messages in a dataset of their own, uploaded and labeled by mouse and keyboard."""
    return Story(inbox_story.workspace, inbox_story.corpus)


@pytest.fixture(scope="module")
def story(inbox_story: Story) -> Story:
    """Runs, versions, and the endpoint come from the story that runs over HTTP."""
    return inbox_story


# ── Data ────────────────────────────────────────────────────────────────────
def test_a_file_is_chosen_looked_through_and_accepted(desk: Desk, typed: Story, tmp_path: Path):
    page = desk["ana"]
    page.goto("/datasets/")
    page.get_by_role("link", name="New dataset").first.click()
    page.get_by_label("Project").select_option(label="Support inbox")
    page.get_by_label("Name", exact=True).fill("Support messages")
    page.get_by_role("button", name="Create dataset").click()
    expect(page.get_by_role("heading", name="Support messages")).to_be_visible()
    typed.__dict__["dataset"] = page.url.rstrip("/").rpartition("/")[2]

    page.locator('input[type="file"]').set_input_files(typed.corpus.csv_file(tmp_path))
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("button", name="Import 400 rows")).to_be_visible()
    expect(
        page.get_by_role("table", name="First problems with their lines").get_by_role("row")
    ).to_have_count(3)
    typed.__dict__["dry_run"] = page.url.rstrip("/").rpartition("/")[2]
    look(page, "dry-run", full=True)

    page.get_by_role("button", name="Import 400 rows").click()
    expect(page.get_by_role("heading", name="Result")).to_be_visible(timeout=60_000)
    look(page, "imported")


# ── Labels ──────────────────────────────────────────────────────────────────
def test_five_messages_are_labeled_by_keys(desk: Desk, typed: Story):
    page, queue = desk["ana"], typed.queue
    page.goto(f"/labeling/{queue}/bench/")
    expect(page.locator("#find")).to_be_focused()
    number = {row.text: at for at, row in enumerate(typed.corpus.new)}
    look(page, "label")

    for done in range(5):
        text = page.locator("#utter").inner_text()
        label = typed.corpus.label_by("ana", number[text])
        if done % 2:  # a digit chooses
            page.keyboard.press(str(list(typed.labels).index(label) + 1))
        else:  # letters find, Enter accepts
            page.keyboard.type(label[:6])
            expect(page.locator("#ranks [aria-selected=true]")).to_contain_text(label)
            page.keyboard.press("Enter")
        expect(page.locator("#n")).to_have_text(str(done + 1))

    page.keyboard.press("Shift+U")
    expect(page.locator("#n")).to_have_text("4")
    expect(page.locator("#utter")).to_have_text(text)
    page.keyboard.press("Enter")
    expect(page.locator("#n")).to_have_text("5")
    page.locator("#leave").click()  # at once: what is on its way still arrives
    page.wait_for_url("**/labeling/*/")


def test_a_disagreement_is_settled(desk: Desk, typed: Story):
    assert typed.annotated == 3 * 24 - 5
    before = typed.queue_now()["items_disputed"]
    page = desk["ravi"]
    page.goto(f"/labeling/{typed.queue}/review/")
    expect(page.locator("#review")).to_be_visible()
    look(page, "review")

    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Resolved as").first).to_be_visible()

    assert typed.queue_now()["items_disputed"] == before - 1


# ── Runs ────────────────────────────────────────────────────────────────────
def test_a_dataset_version_is_created_on_its_page(desk: Desk, typed: Story):
    assert typed.adjudicated is not None
    page = desk["mia"]
    uuid = freeze(page, typed.dataset)
    typed.__dict__["snapshot"] = typed["mia"].api("GET", f"dataset-versions/{uuid}/")
    look(page, "snapshot")


def test_a_run_is_started_from_a_form_and_shows_what_came_of_it(desk: Desk, story: Story):
    assert story.evaluation(story.lora)
    page = desk["mia"]
    page.goto("/runs/launch/")
    look(page, "launch", axe=False)  # as these two in tests/browser/test_training_pages.py
    page.goto(f"/runs/{story.lora['uuid']}/")
    expect(page.get_by_role("link", name="Register version")).to_be_visible()
    look(page, "run", axe=False)


def test_a_confusion_cell_opens_its_items(desk: Desk, story: Story):
    found = story.evaluation(story.lora)
    page = desk["mia"]
    page.goto(f"/evaluations/{found['uuid']}/")
    look(page, "evaluation", full=True, axe=False)  # in tests/browser/test_evaluation_pages.py
    confused = [
        (a, b)
        for a, row in enumerate(found["report"]["confusion"]["counts"])
        for b, n in enumerate(row)
        if n and a != b
    ]

    cell = page.locator("table.matrix a").first if confused else page.locator("#classes table a").nth(5)
    cell.click()
    page.wait_for_url("**/items/**")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    look(page, "items")

    head = story.evaluation(story.head)
    page.goto(f"/evaluations/compare/?a={head['uuid']}&b={found['uuid']}")
    look(page, "compare")


# ── Approval and serving ────────────────────────────────────────────────────
def test_two_people_approve_with_their_passwords(desk: Desk, story: Story):
    assert story.first_live
    request = story.request(story.second, "Better on messages that look alike.")
    story.__dict__["second_request"] = request
    mia = desk["mia"]
    mia.goto(f"/models/versions/{story.second['uuid']}/")
    look(mia, "version")
    mia.goto(f"/promotions/{request['uuid']}/")
    expect(mia.get_by_role("button", name="Approve 1.1.0")).to_have_attribute("aria-disabled", "true")

    for username in ("lee", "gita"):
        page = desk[username]
        page.goto("/promotions/")
        page.goto(f"/promotions/{request['uuid']}/")
        if username == "gita":
            look(page, "promotion")
        form = page.locator("form", has=page.get_by_role("button", name="Approve 1.1.0"))
        form.get_by_label("Reason").fill(f"{username.capitalize()} read gates, errors and card.")
        form.get_by_label("I reviewed").check()
        form.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Approve 1.1.0").click()
        expect(page.get_by_text("Approved. Approval alone doesn't change traffic").first).to_be_visible()

    assert story["mia"].api("GET", f"promotions/{request['uuid']}/")["status"] == "approved"


def test_the_version_is_deployed_tried_and_rolled_back(desk: Desk, story: Story):
    assert story.__dict__["second_request"]
    page = desk["omar"]
    page.goto(f"/endpoints/{story.endpoint}/")
    page.get_by_role("button", name="Deploy 1.1.0").click()
    page.locator("#deploy").get_by_role("button", name="Deploy", exact=True).click()
    expect(page.get_by_text("1.1.0 is live on").first).to_be_visible()
    story.client.answered_by(story.full_name, story.second["uuid"])

    text = story.corpus.history[0].text
    page.get_by_label("Text").fill(text)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#try")).to_contain_text("1.1.0")
    look(page, "endpoint", full=True)

    page.get_by_role("button", name="Roll back to 1.0.0").click()
    dialog = page.locator("#roll-back")
    dialog.get_by_label("Reason").fill("Complaints from the desk.")
    confirm = dialog.get_by_role("button", name="Roll back", exact=True)
    expect(confirm).to_be_disabled()
    dialog.get_by_label("Type 1.0.0 to confirm").fill("1.0.0")
    confirm.click()
    expect(page.get_by_text("Rolled back to 1.0.0").first).to_be_visible()
    story.client.answered_by(story.full_name, story.first["uuid"])


# ── Evidence and home ───────────────────────────────────────────────────────
def test_the_auditor_reads_the_audit_log_and_the_chain(desk: Desk, story: Story):
    prediction = story.client.ask(story.full_name, story.corpus.history[0].text).json()["parameters"][
        "prediction_id"
    ]
    page = desk["aida"]
    page.goto("/audit/")
    expect(page.get_by_role("table").get_by_text("rolled back").first).to_be_visible()
    look(page, "audit")

    until(
        lambda: story["aida"].client.get(f"/api/v1/predictions/{prediction}/").status_code == 200,
        "the prediction arrives",
    )
    page.goto(f"/trace/predictions/{prediction}/")
    expect(page.get_by_text("Approval").first).to_be_visible()
    look(page, "trace")


@pytest.mark.parametrize("username", ["ana", "ravi", "mia", "lee", "gita", "omar", "aida", "adam"])
def test_home_lists_pending_work(desk: Desk, story: Story, username: str):
    assert story.workspace
    page = desk[username]
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    look(page, "home-lee" if username == "lee" else "")


def test_no_page_logged_an_error(desk: Desk):
    assert desk.errors == []
