"""Labeling functions are tried on a sample, published, applied, and retired from a shell."""

from __future__ import annotations

import pytest

from datasets_app.assist.models import LabelingFunction
from datasets_app.prelabels.models import Suggestion
from tests.support.labeling import decided_dataset, make_dataset, make_schema


@pytest.fixture
def inbox(project, mia):
    dataset = make_dataset(project, mia, ["my card is lost", "card or cash", "a transfer", "nothing"])
    make_schema(dataset, mia)
    return dataset


def test_a_pattern_is_tried_and_nothing_is_kept(as_person, inbox, mia):
    result = as_person(mia)(
        "functions", "try", "inbox", "--word", "card", "--word", "lost", "--mode", "all", "--label", "card"
    )

    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "1 of 4 items match (25.0 %).",
        "0 of 0 labeled matches are card: too few to show the precision (below 20).",
        "",
        "  my card is lost",
    ]
    assert not LabelingFunction.objects.exists()


def test_the_precision_of_a_pattern_comes_with_its_interval(as_person, project, ana, mia):
    rows = [(f"card {n}", "card" if n < 19 else "billing") for n in range(20)]
    decided_dataset(project, ana, rows, manager=mia)

    result = as_person(mia)(
        "functions", "try", "inbox", "--kind", "regex", "--word", r"card \d+", "--label", "card", "--json"
    )
    words = as_person(mia)(
        "functions", "try", "inbox", "--kind", "regex", "--word", r"card \d+", "--label", "card"
    ).out.splitlines()

    assert (
        result.json["measured"]["right"],
        result.json["measured"]["labeled"],
        result.json["measured"]["precision"],
    ) == (19, 20, 0.95)
    assert words[1] == "19 of 20 labeled matches are card: 95.0 %, 95 % interval 76.4 to 99.1 %."


def test_a_rule_is_published_listed_changed_applied_and_retired(as_person, inbox, mia, tmp_path):
    command, path = as_person(mia), tmp_path / "words.txt"
    path.write_text("card\nplastic\n")

    result = command("functions", "publish", "inbox", "Cards", "--label", "card", "--word", f"@{path}")
    assert result.out.splitlines() == [
        "Cards version 1 is active and pre-labels card.",
        "Apply it: lifecycle functions apply inbox",
    ]
    assert (
        command(
            "functions",
            "publish",
            "inbox",
            "Cards",
            "--label",
            "card",
            "--word",
            "card",
            "--changes",
            "Cards",
        ).code
        == 0
    )
    assert [line.split() for line in command("functions", "list", "inbox").out.splitlines()] == [
        ["FUNCTION", "VERSION", "LABEL", "KIND", "PATTERN", "UUID"],
        ["Cards", "2", "card", "any", "word", "card", str(LabelingFunction.objects.get(version=2).uuid)],
    ]

    applied = command("functions", "apply", "inbox")
    assert (applied.code, applied.out, applied.waits) == (0, "4 items read.\n", [2.0])
    assert Suggestion.objects.filter(item__dataset=inbox).count() == 2
    again = command("functions", "apply", "inbox")
    assert (again.code, again.err) == (
        1,
        (
            "Every labeling function has been applied to every item. Import a file, or create another"
            " labeling function.\n"
        ),
    )
    assert command("functions", "retire", "inbox", "Cards").out == "Cards is retired.\n"
    assert command("functions", "list", "inbox").out == "No active labeling functions.\n"


def test_mistakes_are_named_and_no_rule_is_made(as_person, inbox, mia, ana):
    command = as_person(mia)

    assert command("functions", "try", "inbox").code == 2
    assert command(
        "functions", "publish", "inbox", "Cards", "--label", "cheque", "--word", "card"
    ).err.startswith("There is no label cheque.")
    assert (
        command(
            "functions", "publish", "inbox", "Cards", "--label", "card", "--kind", "regex", "--word", "("
        ).code
        == 1
    )
    assert command("functions", "retire", "inbox", "Cards").err.startswith(
        "There is no active labeling function Cards, or you don't have access."
    )
    refused = as_person(ana)("functions", "publish", "inbox", "Cards", "--label", "card", "--word", "card")
    assert (refused.code, LabelingFunction.objects.count()) == (1, 0)
