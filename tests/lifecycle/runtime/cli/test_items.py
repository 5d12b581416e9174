"""Items are searched and filtered from a shell, page by page, and slices are listed."""

from __future__ import annotations

import csv
import hashlib

import pytest

from datasets_app.datasets import actions
from tests.support.datasets import import_texts, make_dataset


@pytest.fixture
def texts(project, mia):
    inbox = make_dataset(project, mia, "Inbox")
    import_texts(
        inbox,
        [(f"card number {n}", f"m-{n}") for n in range(40)] + [("a transfer", "m-40")],
        mia,
        header=("text", "id"),
    )
    return inbox


def test_items_are_found_over_several_pages_up_to_the_limit(as_person, mia, texts):
    command = as_person(mia)

    result = command("items", "list", texts.slug, "--search", "card", "--limit", "35")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert [line.split()[:4] for line in (lines[1], lines[-1])] == [
        ["m-39", "card", "number", "39"],
        ["m-5", "card", "number", "5"],
    ]
    assert len(lines) == 1 + 35
    assert command("items", "list", texts.slug, "--external-id", "m-40").out.splitlines()[1].split()[:3] == [
        "m-40",
        "a",
        "transfer",
    ]
    assert command("items", "list", texts.slug, "--search", "nowhere").out == "No item matches.\n"
    assert [
        row["external_id"]
        for row in command("items", "list", texts.slug, "--search", '"number 7"', "--json").json
    ] == ["m-7"]


def test_an_invalid_filter_is_refused(as_person, mia, texts):
    command = as_person(mia)

    assert command("items", "export", texts.slug, "--to", "none.csv", "--filter", "split").code == 2
    assert command("items", "list", texts.slug, "--limit", "0").code == 2
    refused = command("items", "export", texts.slug, "--to", "none.csv", "--filter", "lenght=3")
    assert refused.code == 1
    assert "lenght: This filter isn't available to your role or in this dataset." in refused.err


def test_slices_are_listed_and_used(as_person, mia, texts):
    command = as_person(mia)
    assert command("slices", "list", texts.slug).out == "No slices yet, or none that are shared with you.\n"
    row = actions.save_slice(dataset_id=texts.uuid, actor=mia, name="Transfers", filters={"q": "transfer"})

    assert command("slices", "list", texts.slug).out.splitlines()[1].split() == [
        "Transfers",
        "not",
        "counted",
        "–",
        "no",
        str(row.uuid),
    ]
    assert command("items", "list", texts.slug, "--slice", "Transfers").out.splitlines()[1].split()[:3] == [
        "m-40",
        "a",
        "transfer",
    ]


def test_matching_items_are_exported_to_a_file(as_person, mia, ana, texts, tmp_path):
    file = tmp_path / "cards.csv"
    result = as_person(mia)("items", "export", texts.slug, "--search", "card", "--to", str(file))

    assert result.code == 0, result.err
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert result.out.splitlines() == [f"40 items in {file}", f"sha256  {digest}"]
    assert [row["id"] for row in csv.DictReader(file.open(newline=""))] == [f"m-{n}" for n in range(40)]
    refused = as_person(ana)("items", "export", texts.slug, "--to", str(tmp_path / "none.csv"))
    assert (refused.code, (tmp_path / "none.csv").exists()) == (1, False)
