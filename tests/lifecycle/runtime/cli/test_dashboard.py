"""The dashboard in a shell: the figures of the page, for those who see it."""

from __future__ import annotations


def test_the_models_and_what_needs_a_person(as_person, live_endpoint, lee, site):
    command = as_person(lee)

    result = command("dashboard", "--weeks", "4", "--project", "inbox")

    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0].endswith(", 4 weeks")
    assert lines[1:3] == [
        "Promotions  1 requested, 1 approved, 0 in review",
        f"Page        {site}/dashboard/",
    ]
    assert lines[4].split() == ["ENDPOINT", "VERSION", "HEALTH", "CORRECT", "REQUESTS", "P95", "MS", "DRIFT"]
    assert lines[5].split() == ["inbox/support-inbox-prod", "1.0.0", "no", "traffic", "–", "0", "–", "–"]
    assert lines[-1] == "No open alerts or pending decisions."
    assert command("dashboard", "--field", "models.0.health").out == "no traffic\n"


def test_people_of_other_projects_see_none_of_it(as_person, live_endpoint, otto):
    result = as_person(otto)("dashboard")

    assert result.code == 0, result.err
    assert "Nothing deployed yet." in result.out
    assert "support-inbox-prod" not in result.out


def test_a_period_that_is_none_is_a_usage_error(as_person, lee):
    assert as_person(lee)("dashboard", "--weeks", "5").code == 2
