"""A team labels real data in Debian's Chromium, against the running product: 77 labels of banking77 with
injected faults, from the file to the dataset version, then spans, a chat, and a pair of responses. Every
annotation is made by keyboard.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.circle import Circle
from tests.support.corpora import banking_folder, normal
from tests.support.desk import Desk, freeze, look
from tests.support.product import until
from tests.support.visitors import Workspace

pytestmark = [pytest.mark.journey, pytest.mark.browser]
EACH, NEW, FAULTS, SENT = 24, 24, 40, 12
DISPUTED = (3, 9, 15)  # items that Ben labels differently from Ana


@dataclass
class Team:
    """The workspace, and what the steps leave behind for those after them. truth: label by text."""

    workspace: Workspace
    folder: Path
    truth: dict[str, str] = field(default_factory=dict)
    planted: set[str] = field(default_factory=set)
    new: list[str] = field(default_factory=list)
    dataset: str = ""
    queue: str = ""
    second: str = ""

    def queue_now(self, queue: str) -> dict[str, Any]:
        return dict(self.workspace["ravi"].api("GET", f"labeling/queues/{queue}/"))


@pytest.fixture(scope="module")
def desk(chromium: Browser, circle: Circle) -> Desk:
    return Desk(chromium, circle.story.product)


@pytest.fixture(scope="module")
def team(circle: Circle) -> Team:
    folder = banking_folder()
    if folder is None:
        pytest.skip("banking77 is not beside the project.")
    return Team(Workspace(circle.story.product, "bank", "Bank"), folder.parent)


def uuid_of(page: Page) -> str:
    """The uuid at the end of the page's address."""
    return page.url.partition("?")[0].rstrip("/").rpartition("/")[2]


def new_dataset(page: Page, name: str, task: str) -> str:
    page.goto("/datasets/new/")
    page.get_by_label("Project").select_option(label="Bank")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Task").select_option(value=task)
    page.get_by_role("button", name="Create dataset").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return uuid_of(page)


def upload_file(page: Page, path: Path, rows: int, *, suggests: bool = False) -> None:
    """Upload a file on the dataset's page and accept it. suggests: its labels, if any, become pre-labels."""
    page.locator('input[type="file"]').set_input_files(path)
    page.get_by_role("button", name="Upload", exact=True).click()
    accept = page.get_by_role("button", name=f"Import {rows:,} row{'' if rows == 1 else 's'}")
    expect(accept).to_be_visible(timeout=60_000)
    if suggests and page.get_by_label("Pre-labels: annotators still label").count():
        page.get_by_label("Pre-labels: annotators still label").check()
    accept.click()
    expect(page.get_by_role("heading", name="Result")).to_be_visible(timeout=120_000)


def open_queue(
    page: Page,
    dataset: str,
    name: str,
    *,
    upload: str = "",
    people: str = "1 person",
    order: str = "given",
    gold: int = 0,
) -> str:
    page.goto(f"/labeling/datasets/{dataset}/open/")
    page.get_by_label("Name", exact=True).fill(name)
    if upload:
        page.get_by_label("Items of one upload").check()
        page.locator("[name=upload]").select_option(label=upload)
    page.get_by_label("Annotators per item").select_option(label=people)
    page.locator("[name=order]").select_option(value=order)
    if gold:
        page.locator("[name=gold_rate]").fill(str(gold))
    page.get_by_role("button", name="Open queue").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return uuid_of(page)


def pages_of(person: Any, path: str) -> Iterator[dict[str, Any]]:
    """All rows of a list over the API."""
    query = ""
    while True:
        page = person.api("GET", path + query)
        yield from page["results"]
        if page["before"] is None:
            return
        query = f"?before={page['before']}"


def saved(page: Page, done: int) -> None:
    expect(page.locator("#n")).to_have_text(str(done))
    expect(page.locator("#bench")).to_have_attribute("data-unsaved", "0")


# Once the bench hears keys, it has the focus in its field; the server has drawn all else before.
NEXT = """before => !document.querySelector("#bench")
    || document.activeElement?.id === "find" && document.querySelector("#ranks [aria-selected=true]")
      && document.querySelector("#utter").innerText !== before"""


def label_all(page: Page, queue: str, labels: dict[str, str]) -> int:
    """Label every item by typing its label until it comes first, then Enter. Returns the number of items."""
    page.goto(f"/labeling/{queue}/bench/")
    page.wait_for_function(NEXT, arg="")
    done = 0
    while page.locator("#bench").count():
        text = page.locator("#utter").inner_text()
        page.keyboard.type(labels[normal(text)])
        expect(page.locator("#ranks [aria-selected=true]")).to_contain_text(labels[normal(text)])
        page.keyboard.press("Enter")
        page.wait_for_function(NEXT, arg=text)
        done += 1
    return done


def expect_to_settle(page: Page, left: int) -> None:
    """So many disagreements are left, and the page hears keys."""
    expect(page.get_by_role("heading", name=f"{left} to adjudicate")).to_be_visible()
    page.wait_for_load_state()


# ── One of 77 labels ────────────────────────────────────────────────────────
def test_a_history_with_planted_faults_and_new_messages_come_in(desk: Desk, team: Team, tmp_path: Path):
    with (team.folder / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = {normal(row["text"]): (row["text"].strip(), row["category"]) for row in csv.DictReader(file)}
    by_class: dict[str, list[str]] = defaultdict(list)
    for text, category in rows.values():
        by_class[category].append(text)
    assert len(by_class) == 77
    team.truth = {normal(text): category for text, category in rows.values()}
    names = sorted(by_class)
    history = [(text, category) for category in names for text in by_class[category][:EACH]]
    # a label that is far down the list
    for at in range(0, len(history), len(history) // FAULTS):
        text, category = history[at]
        history[at] = (text, names[(names.index(category) + 29) % 77])
        team.planted.add(normal(text))
    team.new = [by_class[category][EACH] for category in names[:NEW]]
    for name, header, lines in (
        ("history.csv", ["text", "label"], history),
        ("new.csv", ["text"], [[text] for text in team.new]),
    ):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *lines])

    page = desk["ana"]
    team.dataset = new_dataset(page, "Bank messages", "single_label")
    upload_file(page, tmp_path / "history.csv", len(history))
    page.goto(f"/datasets/{team.dataset}/")
    upload_file(page, tmp_path / "new.csv", NEW)
    assert team.workspace["ana"].api("GET", f"datasets/{team.dataset}/")["items"] == len(history) + NEW


def test_a_labeling_function_is_previewed_created_and_applied(desk: Desk, team: Team):
    assert team.dataset
    page = desk["ravi"]
    page.goto(f"/labeling/datasets/{team.dataset}/functions/new/")
    page.locator("#id_pattern").fill("activate\nactivation")
    page.locator("#id_label").select_option(label="activate_my_card")
    expect(page.locator("#preview")).to_contain_text("labeled matches")
    page.locator("#id_name").fill("Activation")
    page.get_by_role("button", name="Create labeling function").click()
    page.goto(f"/labeling/datasets/{team.dataset}/functions/")
    page.get_by_role("button", name="Apply to").click()
    expect(page.get_by_role("button", name="Apply", exact=True)).to_be_visible(timeout=60_000)
    look(page, "")


def test_what_is_decided_becomes_gold_and_a_model_learns_from_it(desk: Desk, team: Team):
    assert team.dataset
    page = desk["ravi"]
    page.goto(f"/labeling/datasets/{team.dataset}/gold/")
    page.get_by_label("Gold items per label").fill("1")
    page.get_by_label("Include imported labels").check()
    page.get_by_role("button", name="Add gold items").click()
    expect(page.get_by_role("table", name="Gold items")).to_be_visible()

    team.queue = open_queue(
        page, team.dataset, "New messages", upload="new.csv", people="2 people", order="model", gold=25
    )
    page.get_by_role("button", name="Train now").click()
    expect(page.get_by_text("Accuracy, cross-validated")).to_be_visible(timeout=240_000)
    look(page, "")
    page = desk["ana"]
    page.goto(f"/labeling/{team.queue}/bench/")
    expect(page.locator("#ranks [aria-selected=true]")).to_be_visible()


def test_two_people_label_by_keys_alone(desk: Desk, team: Team):
    assert team.queue
    names = sorted(set(team.truth.values()))

    came = label_all(desk["ana"], team.queue, team.truth)
    differs = dict(team.truth)
    for at in DISPUTED:
        key = normal(team.new[at])
        differs[key] = names[(names.index(team.truth[key]) + 1) % 77]
    came += label_all(desk["ben"], team.queue, differs)

    now = team.queue_now(team.queue)
    assert (now["slots_done"], now["items_labeled"], now["items_disputed"]) == (
        2 * NEW,
        NEW - len(DISPUTED),
        len(DISPUTED),
    )
    gold = list(pages_of(team.workspace["ravi"], f"labeling/datasets/{team.dataset}/gold/"))
    assert sum(each["asked"] for each in gold) == came - 2 * NEW > 0
    wrong = [each for each in gold if each["right"] < each["asked"]]
    assert all(each["right"] == 0 for each in wrong), "Both say of gold what is true."
    texts = [team.workspace["ravi"].api("GET", f"items/{each['item']}/")["text"] for each in wrong]
    assert team.planted.issuperset(map(normal, texts)), "What they got wrong had been planted."


def test_disagreements_are_settled_by_keys(desk: Desk, team: Team):
    assert team.queue
    page = desk["ravi"]
    page.goto(f"/labeling/{team.queue}/review/")
    for left in range(len(DISPUTED), 0, -1):
        expect_to_settle(page, left)
        text = normal(page.locator(".utter").first.inner_text())
        answers = page.locator(".answers article .lab").all_inner_texts()
        page.keyboard.press(
            str(next(at for at, label in enumerate(answers) if label == team.truth[text]) + 1)
        )
        page.keyboard.press("Enter")
        expect(page.get_by_text("Resolved as").first).to_be_visible()
    expect(page.get_by_role("heading", name="No disagreements")).to_be_visible()
    assert team.queue_now(team.queue)["items_labeled"] == NEW


def test_agreement_is_measured(desk: Desk, team: Team):
    assert team.queue
    page = desk["ravi"]
    page.goto(f"/labeling/{team.queue}/quality/")
    page.get_by_role("button", name="Measure quality").click()
    coefficients = page.get_by_role("table", name="Agreement coefficients")
    expect(coefficients).to_contain_text("Krippendorff")
    document = team.workspace["ravi"].api("GET", f"labeling/queues/{team.queue}/quality/")
    percent = next(each for each in document["coefficients"] if each["name"] == "percent")
    assert round(percent["value"], 6) == round((NEW - len(DISPUTED)) / NEW, 6)
    look(page, "", axe=False)  # in test_quality_browser.py


def test_label_errors_are_found_labeled_again_and_settled(desk: Desk, team: Team):
    assert team.dataset
    page = desk["ravi"]
    page.goto(f"/data-issues/dataset/{team.dataset}/?kind=label_error")
    page.get_by_role("button", name="Scan for label errors").click()
    expect(page.get_by_role("button", name="Scan again for label errors")).to_be_visible(timeout=180_000)
    page.goto(f"/data-issues/dataset/{team.dataset}/?kind=label_error")
    page.get_by_label("Queue name").fill("Doubtful labels")
    page.get_by_label("Maximum items").fill(str(SENT))
    page.get_by_role("button", name="Open queue").click()
    page.wait_for_url("**/labeling/*/")
    team.second = uuid_of(page)

    assert label_all(desk["ana"], team.second, team.truth) == SENT
    wrong = team.queue_now(team.second)["items_disputed"]
    assert wrong > SENT / 2, "Most of what was doubted first had been planted."

    page.goto(f"/labeling/{team.second}/review/")
    for left in range(wrong, 0, -1):
        expect_to_settle(page, left)
        page.keyboard.press("1")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Resolved as").first).to_be_visible()
    expect(page.get_by_role("heading", name="No disagreements")).to_be_visible()


def test_what_is_decided_is_frozen(desk: Desk, team: Team):
    assert team.second
    page = desk["mia"]
    found = team.workspace["mia"].api("GET", f"dataset-versions/{freeze(page, team.dataset)}/")
    assert found["counts"]["rows"] == 77 * EACH + NEW
    look(page, "")


# ── Other tasks ─────────────────────────────────────────────────────────────
def test_spans_of_wnut17_are_selected_by_keyboard_alone(desk: Desk, team: Team, tmp_path: Path):
    source = team.folder / "wnut17" / "emerging.dev.conll"
    sentences = [
        each
        for each in source.read_text(encoding="utf-8").split("\n\n")
        if "Redondo\t" in each or "BINGE\t" in each
    ]
    assert len(sentences) == 2
    bare = "\n\n".join(
        "\n".join(f"{line.split(chr(9))[0]}\tO" for line in each.splitlines()) for each in sentences
    )
    (tmp_path / "sentences.conll").write_text(bare + "\n", encoding="utf-8")
    page = desk["ana"]
    dataset = new_dataset(page, "Entities", "spans")
    upload_file(page, tmp_path / "sentences.conll", 2, suggests=True)
    ravi = team.workspace["ravi"]
    newest = ravi.api("GET", f"labeling/datasets/{dataset}/schemas/")
    body = {
        "labels": [{"name": "location"}, {"name": "creative-work"}],
        "guideline": "",
        "seen": newest[0]["version"] if newest else 0,
    }
    ravi.api("POST", f"labeling/datasets/{dataset}/schemas/", body, status=201)
    queue = open_queue(desk["ravi"], dataset, "Entities", upload="sentences.conll")

    page.goto(f"/labeling/{queue}/bench/")
    for done in range(2):
        words = page.locator("#utter").inner_text().split()
        start, more, key = (
            (words.index("Redondo"), 2, "1") if "Redondo" in words else (words.index("Rick"), 2, "2")
        )
        page.keyboard.press("Home")
        for _ in range(start):
            page.keyboard.press("ArrowRight")
        for _ in range(more):
            page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press(key)
        expect(page.locator("#marked tr")).to_have_count(1)
        page.keyboard.press("Enter")
        if not done:
            saved(page, 1)
    expect(page.locator("#bench")).to_have_count(0)
    assert team.queue_now(queue)["items_labeled"] == 2


def test_a_dialogue_is_corrected_and_a_better_response_chosen(desk: Desk, team: Team, tmp_path: Path):
    rows = json.loads(
        (team.folder / "llms_instruction" / "instruction-data-with-preference.json").read_text(
            encoding="utf-8"
        )
    )[:1]
    asked = [f"{row['instruction']} {row['input']}" for row in rows]
    turns = [
        {
            "messages": [
                {"role": "user", "content": question},
                {"role": "assistant", "content": row["rejected"]},
            ]
        }
        for question, row in zip(asked, rows, strict=True)
    ]
    pairs = [
        {"prompt": question, "chosen": row["chosen"], "rejected": row["rejected"]}
        for question, row in zip(asked, rows, strict=True)
    ]
    for name, task, found in (("dialogues", "chat", turns), ("pairs", "preference", pairs)):
        (tmp_path / f"{name}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in found), encoding="utf-8"
        )
        page = desk["ana"]
        dataset = new_dataset(page, name.capitalize(), task)
        upload_file(page, tmp_path / f"{name}.jsonl", 1, suggests=True)
        queue = open_queue(desk["ravi"], dataset, name.capitalize())

        page.goto(f"/labeling/{queue}/bench/")
        if task == "chat":
            page.locator("#utter textarea").first.fill(rows[0]["chosen"])
            page.keyboard.press("Control+Enter")
        else:
            left = page.locator("[data-at='0']").inner_text()
            page.keyboard.press("1" if rows[0]["chosen"][:60] in left else "2")
        expect(page.locator("#bench")).to_have_count(0)
        assert until(lambda queue=queue: team.queue_now(queue)["items_labeled"], "the answer is decided") == 1


def test_no_page_logged_an_error(desk: Desk):
    assert desk.errors == []
