"""Business figures with and without the model, the cases behind them, and an endpoint's traffic."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from lifecycle.runtime.cli.commands.outcomes import worth
from monitoring.traffic import actions
from monitoring.traffic.models import Kpi, MinuteRollup, Outcome


@pytest.fixture
def endpoint(live_endpoint):
    return live_endpoint


@pytest.fixture
def figure(endpoint, lee):
    return actions.define_kpi(
        endpoint_id=endpoint.uuid,
        name="Solved at once",
        direction="up",
        kind="share",
        holdout_share=0.5,
        actor=lee,
    )


@pytest.fixture
def file(tmp_path):
    """400 cases: solved with the model 80 of 100 times, without it 40 of 100 times."""
    at = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    rows = [
        {"uuid": str(uuid4()), "arm": arm, "value": int(n < solved), "at": at, "subject": f"case {arm} {n}"}
        for arm, solved in (("model", 160), ("holdout", 80))
        for n in range(200)
    ]
    path = tmp_path / "outcomes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_cases_are_sent_once_however_often_and_shown_as_a_difference(as_person, mia, endpoint, figure, file):
    command = as_person(mia)

    result = [
        command("outcomes", "send", endpoint.slug, str(file), "--figure", "Solved at once") for _ in range(2)
    ]
    shown = command("outcomes", "show", endpoint.slug)

    assert [(each.code, each.out) for each in result] == [
        (0, "400 outcomes of Solved at once are saved.\n")
    ] * 2, result[0].err
    assert Outcome.objects.count() == 400
    cells = [cell.strip() for cell in shown.out.splitlines()[1].split("  ") if cell.strip()]
    assert cells[:6] == ["Solved at once", "80.0 %", "200", "40.0 %", "200", "+40.0 points"]
    low, high = (float(part.removesuffix(" points")) for part in cells[6].split(" to "))
    assert 20 < low < 40 < high < 60
    assert cells[7:] == ["better"]
    assert (
        command("outcomes", "show", endpoint.slug, "--figure", "Solved at once", "--json").json[0]["reading"]
        == "better"
    )


def test_a_figure_is_defined(as_person, lee, endpoint):
    result = as_person(lee)(
        "outcomes",
        "define",
        endpoint.slug,
        "Solved at once",
        "--kind",
        "share",
        "--better",
        "up",
        "--hold-out",
        "10%",
    )

    made = Kpi.objects.get()
    assert result.code == 0, result.err
    assert result.out.splitlines() == [
        "Solved at once of inbox/support-inbox-prod is compared with a hold-out of 10.0 % of the cases.",
        f"Send outcomes: lifecycle outcomes send inbox/support-inbox-prod cases.jsonl --figure {made.uuid}",
    ]
    assert (made.kind, made.direction, made.holdout_share, made.owner) == ("share", "up", 0.1, lee)


def test_defining_a_figure_needs_the_role(as_person, omar, endpoint):
    result = as_person(omar)(
        "outcomes", "define", endpoint.slug, "Solved", "--kind", "share", "--better", "up", "--hold-out", "10"
    )

    assert (result.code, result.out) == (1, "")
    assert not Kpi.objects.exists()


def test_too_few_cases_are_reported_as_too_few(as_person, mia, endpoint, figure):
    result = as_person(mia)("outcomes", "show", endpoint.slug)

    assert result.code == 0
    assert result.out.rstrip().endswith("not measured")


def test_no_figures_are_reported(as_person, mia, endpoint):
    result = [as_person(mia)("outcomes", word, endpoint.slug) for word in ("show", "list")]

    assert [(each.code, each.out) for each in result] == [
        (0, "inbox/support-inbox-prod has no business figures yet. An ML lead defines one.\n")
    ] * 2


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"uuid": "7"}, '"uuid" must be a uuid of your own, the same whenever this case is sent.'),
        ({"arm": "both"}, '"arm" must be model or holdout.'),
        ({"value": "much"}, '"value" must be a number.'),
        ({"prediction": "7"}, "'7' isn't a prediction. Write it as `lifecycle endpoints predict` prints it."),
    ],
)
def test_an_invalid_line_is_named_by_its_number(as_person, mia, endpoint, figure, file, change, error):
    lines = [json.loads(line) for line in file.read_text().splitlines()[:2]]
    file.write_text("".join(json.dumps(line) + "\n" for line in (lines[0], lines[1] | change)))

    result = as_person(mia)("outcomes", "send", endpoint.slug, str(file), "--figure", str(figure.uuid))

    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1] == f"Line 2: {error}"
    assert not Outcome.objects.exists()


def test_an_unknown_figure_is_named(as_person, mia, endpoint, figure, file):
    result = as_person(mia)("outcomes", "send", endpoint.slug, str(file), "--figure", "Sales")

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(
        "There is no business figure Sales of inbox/support-inbox-prod, or you don't have access."
    )


def test_traffic_is_summed(as_person, mia, endpoint):
    start = timezone.now().replace(second=0, microsecond=0) - timedelta(hours=2)
    MinuteRollup.objects.create(
        endpoint=endpoint,
        version=endpoint.alias.version,
        arm="stable",
        start=start,
        requests=200,
        answers=196,
        errors=4,
        right=30,
        wrong=10,
    )

    result = as_person(mia)("endpoints", "traffic", endpoint.slug, "--since", "6h")

    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].startswith("Endpoint      inbox/support-inbox-prod, 20")
    assert lines[1:4] == [
        "Arm           all",
        "Requests      200: 196 predictions, 4 errors, 0 refused, 0 shed",
        "Availability  98.00 %",
    ]
    assert "Feedback      30 correct, 10 wrong (75.0 % correct)" in lines
    assert as_person(mia)("endpoints", "traffic", endpoint.slug, "--json").json["total"]["requests"] == 200


def test_no_traffic_is_not_shown_as_good(as_person, mia, endpoint):
    result = as_person(mia)("endpoints", "traffic", endpoint.slug)

    assert "Availability  not measured" in result.out.splitlines()
    assert "Latency       – median, – p95, – p99" in result.out.splitlines()
    assert "Cost          not measured" in result.out.splitlines()


@pytest.mark.parametrize(
    ("kind", "shown"), [("number", ["-0.008 EUR", "-0.0001 EUR"]), ("share", ["-0.8 points", "-0.0 points"])]
)
def test_a_difference_has_the_digits_of_its_page(kind, shown):
    each = {"kpi": {"kind": kind, "unit": "EUR"}}

    assert [worth(value, each, "+") for value in (-0.0077, -0.00008)] == shown
