"""Comments under real keys: people are mentioned by arrow keys and Enter, conversations answered and
resolved, changes proposed.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.queues.actions.comments import comment, flag
from datasets_app.queues.models import Comment, Queue, Seat
from datasets_app.review.actions.changes import move_queue
from datasets_app.schemas.actions.proposals import propose_change
from datasets_app.schemas.models import GuidelineProposal
from datasets_app.schemas.queries.labels import names_in
from lifecycle.ground.notices.models import Notice
from tests.support.browser import is_legible, shot
from tests.support.labeling import label_items, make_dataset, make_queue, make_schema, queue_items

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CLASSES = ["activate_card", "atm_support", "billing", "card_arrival", "card_lost", "exchange_rate"]
CLASSES += ["fee_charged", "pin_blocked", "refund", "top_up", "transfer_failed", "transfer_timing"]
TEXT = "I was charged a fee for a card that never arrived, and now I cannot top up."


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, [TEXT, "two", "three"]), mia, schema=CLASSES, overlap=2)


def add_comment(queue, item, actor, text, **options) -> Comment:
    return comment(queue_id=queue.uuid, actor=actor, item_id=item.uuid, text=text, **options)


def test_a_name_is_completed_by_keys_on_the_bench(open_bench, queue, ana, ben, ravi):
    page = open_bench(ana)

    page.keyboard.press("Shift+C")
    page.keyboard.type("Two intents, @r")
    option = page.locator("#comment-dialog [role=option]")
    expect(option).to_have_text("@ravi Ravi")
    page.keyboard.press("Enter")
    expect(page.locator("#comment-text")).to_have_value("Two intents, @ravi ")
    page.keyboard.type("or @")
    expect(option).to_have_count(4)
    shot(page, "bench-mention")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.locator("#comment-text")).to_have_value("Two intents, @ravi or @ben ")
    page.keyboard.type("? @")
    expect(option).to_have_count(4)
    page.keyboard.press("Escape")
    expect(page.locator("#comment-dialog .people")).to_be_hidden()
    page.keyboard.press("Backspace")
    page.keyboard.press("Control+Enter")

    expect(page.locator("#say")).to_have_text("Comment added")
    expect(page.locator("#talk")).to_contain_text("You Two intents, @ravi or @ben ?")
    assert set(Comment.objects.get().mentioned.all()) == {ben, ravi}
    assert Notice.objects.count() == 2


def test_the_dialog_reports_an_unknown_name_and_keeps_the_text(open_bench, queue, ana):
    page = open_bench(ana)

    page.keyboard.press("Shift+C")
    page.keyboard.type("Ask @nobody.")
    page.keyboard.press("Control+Enter")

    expect(page.locator("#comment-dialog .err")).to_contain_text(
        "No one who can read comments in Batch 1 is named @nobody."
    )
    expect(page.locator("#comment-text")).to_have_value("Ask @nobody.")
    assert Comment.objects.count() == 0
    page.keyboard.press("Escape")
    expect(page.locator("#comment-dialog")).to_be_hidden()
    expect(page.locator("#find")).to_be_focused()


def test_a_comment_quotes_the_selected_passage_and_a_mention_gets_a_reply(open_bench, queue, ana, ravi):
    add_comment(queue, queue_items(queue)[0], ravi, "@ana mind the fee.")
    page = open_bench(ana)
    expect(page.locator("#talk")).to_contain_text("Ravi @ana mind the fee.")

    page.locator("#utter").evaluate(
        "(text) => { const range = document.createRange(); range.setStart(text.firstChild, 6);"
        " range.setEnd(text.firstChild, 19); getSelection().removeAllRanges();"
        " getSelection().addRange(range); }"
    )
    page.locator("#comment").click()
    expect(page.locator("#comment-dialog [data-quoted] q")).to_have_text("charged a fee")
    page.keyboard.type("This part.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#talk li")).to_have_count(2)
    page.get_by_role("link", name="Reply").first.click()
    expect(page.locator("#comment-title")).to_have_text("Reply")
    page.keyboard.type("I do.")
    page.keyboard.press("Control+Enter")

    expect(page.locator("#talk li")).to_have_count(3)
    found = list(
        Comment.objects.filter(user=ana)
        .order_by("id")
        .values_list("text", "start", "end", "reply_to__user__username")
    )
    assert found == [("This part.", 6, 19, None), ("I do.", None, None, "ravi")]


def test_a_key_pressed_as_a_dialog_closes_is_heard(opened, queue, ana, ben, ravi):
    label_items(queue, {ana: ["fee_charged"], ben: ["card_arrival"]}, queue_items(queue)[:1])
    page = opened(f"/labeling/{queue.uuid}/review/", ravi)
    page.keyboard.press("c")
    expect(page.locator("#comment-dialog textarea")).to_be_focused()

    page.evaluate("""async () => {
        document.getElementById("comment-dialog").close();
        await null;  // long before the next frame, in which "close" is dispatched
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "p", bubbles: true}));
    }""")

    expect(page.locator("h1")).to_have_text("Propose guideline change")


def test_a_reviewer_comments_and_proposes_from_the_review_by_keys(opened, queue, ana, ben, ravi):
    item = queue_items(queue)[0]
    label_items(queue, {ana: ["fee_charged"], ben: ["card_arrival"]}, [item])
    add_comment(queue, item, ana, "The fee comes first.")
    page = opened(f"/labeling/{queue.uuid}/review/", ravi)
    expect(page.locator("#talk")).to_contain_text("Annotator A The fee comes first.")
    is_legible(page, "review")

    page.keyboard.press("c")
    page.keyboard.type("Agreed.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#talk")).to_contain_text("You Agreed.")
    expect(page.locator("#comment-dialog")).to_be_hidden()
    page.keyboard.press("p")
    expect(page.locator("input[name=labels]:checked")).to_have_count(2)
    expect(page.locator("h1")).to_have_text("Propose guideline change")
    is_legible(page, "propose")
    page.locator("textarea[name=text]").focus()
    page.keyboard.type("What was charged first decides.")
    page.get_by_role("button", name="Propose change").press("Enter")

    expect(page.locator("#review")).to_be_visible()
    made = GuidelineProposal.objects.get()
    names = names_in(queue.schema)
    assert (made.text, made.item, sorted(names[key] for key in made.labels)) == (
        "What was charged first decides.",
        item,
        ["card_arrival", "fee_charged"],
    )


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_page_of_comments_is_worked_through_by_keys(opened, queue, ana, ben, ravi, width, scheme):
    items = queue_items(queue)
    flag(queue_id=queue.uuid, actor=ben, item_id=items[1].uuid, text="Is this English?")
    first = add_comment(queue, items[0], ana, "Two intents.\nWhich counts, @ravi?", start=6, end=19)
    page = opened(f"/labeling/{queue.uuid}/comments/", ravi, width=width, scheme=scheme)
    expect(page.locator("[data-thread]")).to_have_count(2)

    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator(f"#comment-{first.uuid} textarea")).to_be_focused()
    page.keyboard.type("The first.")
    is_legible(page, f"comments-{width}")
    page.keyboard.press("Control+Enter")
    expect(page.locator(f"#comment-{first.uuid} .reply")).to_contain_text("The first.")
    expect(page.locator(f"#comment-{first.uuid} .about a")).to_be_focused()
    page.keyboard.press("e")
    expect(page.locator(f"#comment-{first.uuid}")).to_contain_text("Resolved")

    assert Comment.objects.get(reply_to=first).text == "The first."
    first.refresh_from_db()
    assert first.resolved_by == ravi


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_proposals_stand_on_the_page_of_the_classes(opened, queue, ana, ben, mia, width, scheme):
    item = queue_items(queue)[0]
    for person, text in ((ana, "What was charged first decides."), (ben, "Fees are never refunds.")):
        propose_change(
            dataset_id=queue.dataset.uuid,
            actor=person,
            text=text,
            item_id=item.uuid,
            version=queue.schema.version,
            labels=[label.stable_id for label in queue.schema.labels.all()[:2]],
        )
    page = opened(f"/labeling/datasets/{queue.dataset.uuid}/schema/", mia, width=width, scheme=scheme)

    page.get_by_text("Decline", exact=True).first.click()
    is_legible(page, f"schema-{width}")
    page.get_by_label("Reason").first.fill("They may be.")
    page.get_by_role("button", name="Decline proposal").first.click()
    expect(page.locator("#proposals li")).to_have_count(1)
    page.get_by_label("Include in the next version").check()
    page.locator("textarea[name=guideline]").fill("What was charged first decides.")
    page.get_by_role("button", name="Publish version").click()

    expect(page.locator("#proposals")).to_have_count(0)
    assert sorted(GuidelineProposal.objects.values_list("state", flat=True)) == ["accepted", "declined"]
    page.goto(page.url.split("#")[0] + "2/")
    is_legible(page, f"version-{width}")


def test_the_bench_shows_guideline_changes_by_keyboard(open_bench, queue, ana, mia):
    page = open_bench(ana)
    make_schema(queue.dataset, mia, names=CLASSES, guideline="What was charged first decides.")
    move_queue(queue_id=queue.uuid, actor=mia)
    page.keyboard.press("1")
    expect(page.locator("#changed")).to_be_visible()

    page.keyboard.press("Shift+V")
    expect(page.locator("#changed")).to_contain_text("You've read version 1; the queue uses version 2.")
    shot(page, "bench-changed")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.press("Shift+V")
    expect(page.locator("#changes-dialog")).to_contain_text("What was charged first decides.")
    shot(page, "bench-changes")
    page.keyboard.press("Enter")

    expect(page.locator("#changed")).to_be_hidden()
    assert Seat.objects.get(user=ana).seen_schema.version == 2


def test_a_change_is_proposed_from_the_bench_by_keys_and_its_text_is_kept(open_bench, queue, ana):
    page = open_bench(ana)

    with page.context.expect_page() as opened:
        page.keyboard.press("Shift+P")
    beside = opened.value
    expect(beside.get_by_role("heading", name="Propose guideline change")).to_be_visible()
    expect(beside.locator(".lede")).to_have_text(TEXT)
    beside.locator("textarea[name=text]").focus()
    beside.keyboard.type("What was charged first decides.")
    beside.get_by_role("button", name="Propose change").press("Enter")
    expect(beside.get_by_text("What was charged first decides.")).to_be_visible()

    expect(page.locator("#utter")).to_have_text(TEXT)
    made = GuidelineProposal.objects.get()
    assert (made.text, made.item, made.by) == ("What was charged first decides.", queue_items(queue)[0], ana)


@pytest.mark.parametrize(
    ("task", "listed", "not_listed"),
    [("ranking", "remove the last one", "find a label"), ("generation", "leave the text", "class map")],
)
def test_the_list_of_keys_shows_those_of_the_task(opened, project, mia, ana, task, listed, not_listed):
    rows = [{"prompt": "Which?", "responses": ["one", "two", "three"]}] if task == "ranking" else [TEXT]
    made = make_queue(make_dataset(project, mia, rows, task=task, slug=task), mia, schema=[], name=task)
    page = opened(f"/labeling/{made.uuid}/bench/", ana)

    page.keyboard.press("Escape")  # leaves the text field
    page.keyboard.press("Shift+?")

    expect(page.locator("#keys")).to_contain_text(listed)
    expect(page.locator("#keys")).to_contain_text("propose a guideline change")
    expect(page.locator("#keys")).not_to_contain_text(not_listed)
