"""How far people agree is measured and shown from a shell."""

from __future__ import annotations

import pytest

from datasets_app.quality.models import QualityReport
from tests.support.labeling import label_items, make_dataset, make_queue


@pytest.fixture
def queue(project, mia, ana, ben):
    made = make_queue(make_dataset(project, mia, [f"text {n}" for n in range(24)]), mia, overlap=3)
    label_items(made, {ana: ["card"] * 24, ben: ["card"] * 20 + ["billing"] * 4})
    return made


def test_a_measure_is_followed_and_its_figures_are_shown_with_intervals(as_person, queue, lee):
    command = as_person(lee)
    assert command("quality", "show", "Batch 1", "--field", "as_of").out == "null\n"

    said = command("quality", "measure", "Batch 1")

    assert (said.code, said.waits) == (0, [2.0])
    lines = said.out.splitlines()
    assert {"Items          24", "Answers        48", "Left           24"} <= set(lines)
    tables = {lines[at]: at + 1 for at in range(len(lines)) if lines[at] in ("Coefficients", "Confusion", "People")}
    assert lines[tables["Coefficients"]].split()[:4] == ["NAME", "VALUE", "LOW", "HIGH"]
    percent = next(line.split() for line in lines if line.startswith("percent"))
    assert percent[1] == "0.833"
    assert float(percent[2]) < 0.833 < float(percent[3])
    assert ["billing", "card", "4"] in [line.split() for line in lines[tables["Confusion"] + 1 :]]
    shown = command("quality", "show", "Batch 1", "--json")
    assert (shown.json["edition"], [each["name"] for each in shown.json["people"]]) == (1, ["Ana", "Ben"])
    assert all(name in said.out for name in ("Ana", "Ben"))


def test_too_few_items_are_said_to_be_too_few(as_person, project, mia, ana, ben):
    queue = make_queue(make_dataset(project, mia, ["one", "two"]), mia, overlap=2)
    label_items(queue, {ana: ["card", "card"], ben: ["card", "billing"]})

    said = as_person(mia)("quality", "measure", "Batch 1")

    lines = said.out.splitlines()
    assert "Days left why  Every needed answer is there." in lines
    line = next(line for line in lines if line.startswith("percent"))
    assert line.split()[1:] == ["–", "–", "–", "2", "Too", "few:", "2", "of", "20", "items."]
    assert "Ana" not in said.out


def test_who_may_not_see_it_measures_nothing(as_person, queue, ana):
    said = as_person(ana)("quality", "measure", "Batch 1")

    assert (said.code, said.out, QualityReport.objects.count()) == (1, "", 0)
