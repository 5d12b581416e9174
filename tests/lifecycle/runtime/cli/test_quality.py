"""Inter-annotator agreement is measured and shown from a shell."""

from __future__ import annotations

import pytest

from datasets_app.quality.agreement.names import NAMES
from datasets_app.quality.models import QualityReport
from lifecycle.runtime.cli.commands import quality
from lifecycle.runtime.cli.wording import VOCABULARY
from tests.support.labeling import label_items, make_dataset, make_queue


@pytest.fixture
def queue(project, mia, ana, ben):
    made = make_queue(make_dataset(project, mia, [f"text {n}" for n in range(24)]), mia, overlap=3)
    label_items(made, {ana: ["card"] * 24, ben: ["card"] * 20 + ["billing"] * 4})
    return made


def test_coefficients_are_called_as_on_the_page():
    assert {name: words for name, (words, _) in NAMES.items()} == VOCABULARY["coefficient"]


def test_a_measure_is_followed_and_its_figures_are_shown_with_intervals(as_person, queue, lee, site):
    command = as_person(lee)
    assert (
        command("quality", "show", "Batch 1").out
        == f"Batch 1 isn't measured yet. Measure it: lifecycle quality measure {queue.uuid}\n"
    )

    result = command("quality", "measure", "Batch 1")

    assert (result.code, result.waits) == (0, [2.0])
    lines = result.out.splitlines()
    assert lines[0] == "Queue     Batch 1"
    assert lines[2] == "Compared  48 annotations of 24 items with two or more"
    assert lines[3] == "Left      24 annotations. About 0.5 days at this pace."
    assert lines[4] == f"Page      {site}/labeling/{queue.uuid}/quality/"
    rows = {line.split("  ")[0]: line.split()[-5:] for line in lines[6:11]}
    assert rows["AGREEMENT"][0] == "VALUE"
    assert (rows["Pairwise agreement"][0], rows["Pairwise agreement"][-1]) == ("0.83", "24")
    assert float(rows["Pairwise agreement"][1]) < 0.83 < float(rows["Pairwise agreement"][3])
    assert [line.split()[:3] for line in lines if line.startswith(("Ana", "Ben"))] == [
        ["Ana", "24", "0"],
        ["Ben", "24", "0"],
    ]
    assert lines[-1].split() == ["billing", "card", "4"]
    shown = command("quality", "show", "Batch 1", "--json")
    assert (shown.json["edition"], [each["name"] for each in shown.json["people"]]) == (1, ["Ana", "Ben"])


def test_too_few_items_are_reported_as_too_few(as_person, project, mia, ana, ben):
    queue = make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2)
    label_items(queue, {ana: ["card", "card"], ben: ["card", "billing"]})

    result = as_person(mia)("quality", "measure", "Batch 1")

    lines = result.out.splitlines()
    assert lines[3] == "Left      0 annotations. All annotations are done."
    line = next(line for line in lines if line.startswith("Pairwise agreement"))
    assert line.split()[2:] == ["–", "–", "2", "Too", "few:", "2", "of", "20", "items."]
    assert "Ana" not in result.out


def test_measuring_quality_needs_the_role(as_person, queue, ana):
    result = as_person(ana)("quality", "measure", "Batch 1")

    assert (result.code, result.out, QualityReport.objects.count()) == (1, "", 0)


def test_gold_accuracy_shows_not_enough_data_below_twenty_items():
    some = {"gold_done": 19, "gold_right": 18, "gold_interval": None}
    enough = {"gold_done": 40, "gold_right": 36, "gold_interval": [0.7695, 0.9604]}

    assert quality.on_gold(some) == "18 of 19, not enough data (below 20)"
    assert quality.on_gold(enough) == "36 of 40, 77 to 96 %"
    assert quality.on_gold({"gold_done": 0}) is None


def test_estimated_accuracy_has_its_interval_or_a_reason_for_none():
    found = {
        "estimated_accuracy": 0.874,
        "estimated_accuracy_interval": [0.61, 0.97],
        "estimated_accuracy_why": "",
    }

    assert quality.likely(found) == "87 %, 61 to 97 %"
    assert (
        quality.likely(
            {
                "estimated_accuracy": None,
                "estimated_accuracy_why": "Not enough data: fewer than 26 annotations.",
            }
        )
        == "not enough data"
    )
    assert quality.likely({"estimated_accuracy": None, "estimated_accuracy_why": ""}) is None
