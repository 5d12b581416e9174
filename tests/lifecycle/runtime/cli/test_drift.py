"""Drift is shown with its monitors, measured on demand, and is an exit code for scripts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from lifecycle.runtime.cli.wording import VOCABULARY
from monitoring.drift.models import DriftReport, Episode, TextCheck
from monitoring.drift.rules import Mark, Monitor
from tests.monitoring.drift.conftest import ONE_SIDED, Traffic, clock  # noqa: F401  reads at a day of March


@pytest.fixture
def endpoint(live_endpoint):
    return live_endpoint


@pytest.fixture
def traffic(endpoint):
    return Traffic(endpoint)


@pytest.fixture
def measured(traffic):
    """March 4, when all predictions had one label."""
    traffic.measure(3, ONE_SIDED)


def rows(out: str) -> dict[str, list[str]]:
    """The table of monitors: name → cells."""
    lines = out.splitlines()
    table = lines[next(at for at, line in enumerate(lines) if line.startswith("MONITOR")) + 1 :]
    return {line.split("  ")[0]: [cell for cell in line.split("  ") if cell][1:] for line in table}


def test_monitors_and_results_are_called_as_on_the_page():
    assert {each.value: each.label.lower() for each in Monitor} == VOCABULARY["monitor"]
    assert {each.value: each.label.lower() for each in Mark} == VOCABULARY["mark"]


def test_not_measured_is_not_shown_as_good(as_person, omar, endpoint, site):
    result = as_person(omar)("drift", "show", endpoint.slug, "--check")

    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "Endpoint  inbox/support-inbox-prod",
        "Window    not measured yet",
        "Texts     not measured yet",
        "Open      none",
        f"Page      {site}/drift/endpoints/{endpoint.uuid}/",
    ]
    assert (
        as_person(omar)("drift", "history", endpoint.slug).out
        == "Not measured yet. Measure it: lifecycle drift measure inbox/support-inbox-prod\n"
    )


def test_show_has_a_line_for_every_monitor(as_person, omar, endpoint, measured):
    result = as_person(omar)("drift", "show", endpoint.slug)

    found = rows(result.out)
    assert result.code == 0, result.err
    assert (
        "Window    2026-03-03 00:00 to 2026-03-04 00:00 UTC, 600 predictions, against 1.0.0"
        in result.out.splitlines()
    )
    assert float(found["predicted label"][1]) > float(found["predicted label"][2])  # PSI, and its limit
    assert found["predicted label"][3].strip() == "PSI"
    as_json = as_person(omar)("drift", "show", endpoint.slug, "--json").json
    assert (as_json["report"]["rows"], as_json["report"]["results"]["label"]["unit"]) == (600, "PSI")


def test_measuring_waits_for_the_job_and_prints_the_result(as_person, omar, endpoint, traffic, site):
    traffic.write(timezone.now().replace(second=0, microsecond=0) - timedelta(hours=5), ONE_SIDED)

    result = as_person(omar)("drift", "measure", endpoint.slug)

    assert (result.code, result.waits) == (0, [2.0])
    found = rows(result.out)
    assert float(found["predicted label"][1]) > float(found["predicted label"][2])
    assert result.out.splitlines()[0].split() == ["Endpoint", "inbox/support-inbox-prod"]
    assert "600 predictions, against 1.0.0" in result.out
    assert as_person(omar)("drift", "show", endpoint.slug, "--json").json["report"] is None
    assert (DriftReport.objects.get().requested, DriftReport.objects.get().rows) == (True, 600)


def test_check_is_1_while_something_is_open(as_person, omar, endpoint):
    Episode.objects.create(
        endpoint=endpoint,
        version=endpoint.alias.version,
        monitor="label",
        value=0.6,
        limit=0.1,
        opened_at="2026-03-19T00:00Z",
    )
    command = as_person(omar)

    checked, shown = (
        command("drift", "show", endpoint.slug, "--check"),
        command("drift", "show", endpoint.slug),
    )

    assert (checked.code, shown.code) == (1, 0)
    assert "Open      predicted label since 2026-03-19 00:00" in checked.out.splitlines()


def test_history_is_a_line_a_window(as_person, omar, endpoint, measured):
    result = as_person(omar)("drift", "history", endpoint.slug)

    assert result.code == 0
    assert result.out.splitlines()[1].split()[:6] == [
        "2026-03-03",
        "00:00",
        "2026-03-04",
        "00:00",
        "1.0.0",
        "600",
    ]


def test_measuring_without_the_role_names_the_role(as_person, ana, endpoint):
    result = as_person(ana)("drift", "measure", endpoint.slug)

    assert (result.code, result.err) == (1, "Only an ML engineer, an ML lead or an on-call can do this.\n")
    assert not DriftReport.objects.exists()


def test_words_are_hidden_from_people_who_may_not_read_texts(as_person, omar, mia, endpoint, measured):
    TextCheck.objects.create(
        endpoint=endpoint,
        version=endpoint.alias.version,
        window_start="2026-03-03T00:00Z",
        window_end="2026-03-04T00:00Z",
        rows=60,
        reference_rows=60,
        state="ok",
        new_words=[{"word": "zebulon", "reference": 0.0, "current": 0.4}],
    )

    def new_words(person) -> list[str]:
        lines = as_person(person)("drift", "show", endpoint.slug).out.splitlines()
        return [line.removeprefix("New words").strip() for line in lines if line.startswith("New words")]

    assert new_words(mia) == ["zebulon"]
    assert new_words(omar) == ["hidden: your role can't read the texts that they come from"]
    assert as_person(omar)("drift", "show", endpoint.slug, "--field", "texts.new_words").out == "null\n"
