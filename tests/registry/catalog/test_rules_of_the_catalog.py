"""The rules of names, freezes, cards and what serves, case by case. No database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.runtime.inference.names import WORDS
from lifecycle.runtime.refusals import Refused
from registry.catalog import rules
from registry.catalog.rules import MOVES, State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def field_refused(check, *given: object) -> str | None:
    """The field that the check refuses; None where it accepts."""
    try:
        check(*given)
    except Refused as refusal:
        (field,) = refusal.fields
        return field
    return None


def test_nothing_leaves_quarantine_and_what_is_retired_can_only_be_quarantined():
    assert {state.value: {new.value for new in MOVES.get(state, ())} for state in State} == {
        "active": {"quarantined", "retired"},
        "retired": {"quarantined"},
        "quarantined": set(),
    }


def test_a_version_name_has_up_to_forty_characters():
    longest = "1.0.0-" + "a" * 34

    assert rules.check_semver(f" {longest}\n") == longest
    assert field_refused(rules.check_semver, longest + "a") == "semver"


@pytest.mark.parametrize(
    ("newest", "following"),
    [(None, "1.0.0"), ("1.0.0", "1.1.0"), ("2.9.7", "2.10.0"), ("0.0.1", "0.1.0"), ("1.4.0-rc.1", "1.5.0")],
)
def test_the_next_version_is_the_next_minor_one(newest, following):
    assert rules.next_semver(newest) == following


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a_b", "a b", "ä", "a" * 61, "a\n"])
def test_a_short_name_that_no_address_can_have_is_refused(text):
    assert [field_refused(rules.check_slug, text, what) for what in ("model", "endpoint")] == ["slug"] * 2


@pytest.mark.parametrize("text", ["a", "7", "a-b", "a" * 60])
def test_a_short_name_that_an_address_can_have_is_kept(text):
    assert (rules.check_slug(text, "model"), rules.check_slug(text, "endpoint")) == (text, text)


def test_a_word_of_the_servers_addresses_is_the_name_of_no_endpoint():
    assert {field_refused(rules.check_slug, word, "endpoint") for word in WORDS} == {"slug"}
    assert {field_refused(rules.check_slug, word, "model") for word in WORDS} == {None}


@pytest.mark.parametrize(
    ("until", "field"),
    [
        (NOW - SECOND, "until"),
        (NOW, "until"),
        (NOW + SECOND, None),
        (NOW + timedelta(days=90), None),
        (NOW + timedelta(days=90) + SECOND, "until"),
    ],
)
def test_a_freeze_ends_in_the_future_and_within_ninety_days(until, field):
    assert field_refused(rules.check_freeze, until, NOW) == field


def test_what_is_stated_for_a_card_is_kept_without_blanks_and_empty_fields():
    stated = {"purpose": " Route mail.\n", "limits": " \n", "risks": ""}

    assert rules.check_stated(stated) == {"purpose": "Route mail."}
    assert rules.check_stated(dict.fromkeys(rules.STATED, "a" * 4_000)) == dict.fromkeys(
        rules.STATED, "a" * 4_000
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("owner", "Mia"), ("purpose", "a" * 4_001), ("limits", 7), ("risks", None), ("risks", ["a"])],
)
def test_a_card_has_no_other_field_and_no_other_kind_of_text(name, text):
    assert field_refused(rules.check_stated, {"purpose": "Route mail.", name: text}) == name


@pytest.mark.parametrize(
    ("facts", "decides"),
    [
        ({}, False),
        ({"evaluation": {}}, False),
        ({"evaluation": {"deciding": None}}, False),
        ({"evaluation": {"deciding": {"threshold": None}}}, False),
        ({"evaluation": {"deciding": {"threshold": 0.0}}}, True),
        ({"evaluation": {"deciding": {"threshold": 0.7}}}, True),
    ],
)
def test_a_version_decides_where_its_class_has_a_threshold(facts, decides):
    assert rules.decides(facts) is decides


def test_a_base_is_named_as_people_find_it():
    names = {"base": {"name": "our-own"}}

    assert rules.base_name(names) == "our-own"
    for name, known in rules.HUB_NAMES.items():
        assert rules.base_name({"base": {"name": name}}) == known


def test_what_writes_texts_is_served_by_the_gate_of_bf16_and_the_rest_by_that_of_int8():
    gate = {"passed": True, "reason": "Measured."}
    generation = {"spec": {"task": "generation"}, "int8": None}

    assert rules.serving(generation).engine == "fp32"
    assert rules.serving(generation | {"bf16": gate}).engine == "bf16"
    assert rules.serving(generation | {"bf16": gate | {"passed": False}}).engine == "fp32"
    assert rules.serving({"spec": {"task": "multi_label"}, "int8": gate}).engine == "int8"


@pytest.mark.parametrize(
    ("passed", "engine"), [(True, "int8"), (False, "fp32"), (1, "fp32"), ("yes", "fp32"), (None, "fp32")]
)
def test_int8_serves_where_its_gate_says_true_and_nothing_else(passed, engine):
    found = rules.serving({"int8": {"passed": passed, "reason": "int8 agrees."}})

    assert (found.engine, found.reason, found.rows, found.split) == (engine, "int8 agrees.", 0, "validation")
