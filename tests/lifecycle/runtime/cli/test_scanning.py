"""A dataset is scanned from the command line, and what was found is listed."""

from __future__ import annotations

import pytest

from datasets_app.scanning.models import Finding, Scan
from tests.support.datasets import import_texts, make_dataset

TEXT = " ".join(f"x{n}" for n in range(12))


@pytest.fixture
def inbox(project, ana):
    dataset = make_dataset(project, ana, "Inbox")
    import_texts(dataset, [(TEXT, "card"), (f"{TEXT} more", "cash"), ("something else", "card")], ana)
    return dataset


def test_a_scan_is_followed_to_its_report(as_person, ravi, inbox, site):
    result = as_person(ravi)("datasets", "scan", inbox.slug)

    assert result.code == 0, result.err
    assert result.out.splitlines() == [
        "3 texts: 2 new data issues; 0 known, 0 gone.",
        "Open: near duplicates 1, label conflicts 1, label errors 0",
        f"Page: {site}/data-issues/dataset/{inbox.uuid}/",
    ]


def test_findings_are_listed_by_kind_and_status(as_person, ravi, inbox):
    command = as_person(ravi)
    command("datasets", "scan", inbox.slug)
    result = command("data-issues", "list", inbox.slug, "--kind", "label_conflict")
    found = Finding.objects.get(kind="label_conflict")

    assert result.out.splitlines()[1].split() == [
        str(found.uuid),
        "0.500",
        "2",
        "card",
        "1,",
        "cash",
        "1",
        "–",
        "open",
    ]
    nothing = command("data-issues", "list", inbox.slug, "--kind", "label_error", "--status", "dismissed")
    assert (nothing.code, nothing.out) == (0, "No such data issues.\n")


def test_scanning_without_the_role_is_refused(as_person, mia, inbox):
    result = as_person(mia)("datasets", "scan", inbox.slug, "--for", "labels")

    assert (result.code, result.out) == (1, "")
    assert "an adjudicator or an ML lead" in result.err
    assert not Scan.objects.exists()
