"""The rules of endpoints, case by case: shares, faults, epochs, what is typed, and what the documents for the
servers say. No database.
"""

from __future__ import annotations

import pytest

from lifecycle.runtime.refusals import Conflict, Refused
from registry.endpoints import rules
from registry.endpoints.rules import InjectedFault, Route, ServedVersion, Token

LIVE, NEXT, OLD = (
    ServedVersion(each, f"{each}.0", each * 64, share, f"d{each}")
    for each, share in (("1", 0), ("2", 500), ("3", 0))
)


def field_refused(check, *given: object) -> str | None:
    """The field that the check refuses; None where it accepts."""
    try:
        assert check(*given) is None
    except Refused as refusal:
        (field,) = refusal.fields
        return field
    return None


@pytest.mark.parametrize(
    ("share", "field"), [(-1, "share"), (0, "share"), (1, None), (10_000, None), (10_001, "share")]
)
def test_a_share_is_one_to_all_of_ten_thousand(share, field):
    assert field_refused(rules.check_share, share) == field
    assert field_refused(rules.check_fault, "error", share, 0, 60) == field


@pytest.mark.parametrize(
    ("kind", "delay_ms", "minutes", "field"),
    [
        ("error", 0, 1, None),
        ("error", -5, 1_440, None),  # an error waits for nothing
        ("error", 99_999, 60, None),
        ("slow", 1, 60, None),
        ("slow", 30_000, 60, None),
        ("slow", 0, 60, "delay_ms"),
        ("slow", 30_001, 60, "delay_ms"),
        ("slow", 100, 0, "minutes"),
        ("slow", 100, 1_441, "minutes"),
        ("error", 0, 0, "minutes"),
        ("crash", 100, 60, "kind"),
        ("", 100, 60, "kind"),
    ],
)
def test_a_fault_is_one_that_a_server_can_obey_for_a_day_at_most(kind, delay_ms, minutes, field):
    assert field_refused(rules.check_fault, kind, 5_000, delay_ms, minutes) == field


@pytest.mark.parametrize(("ours", "outside", "number"), [(5, 4, 5), (5, 5, 6), (5, 9, 10), (1, 0, 1)])
def test_a_document_has_a_number_that_no_earlier_one_had(ours, outside, number):
    assert rules.epoch_to_publish(ours, outside) == number


def test_a_person_types_one_of_the_versions_that_they_may_go_back_to():
    typed = ["1.0.0", " 1.1.0\n", "1.0", "", "1.0.0 1.1.0"]

    assert [field_refused(rules.check_typed, each, "1.0.0", "1.1.0") for each in typed] == [
        None,
        None,
        "typed",
        "typed",
        "typed",
    ]


def test_what_a_person_saw_moving_meanwhile_is_a_conflict():
    assert rules.check_moves(3, 3) is None
    for now in (2, 4):
        with pytest.raises(Conflict):
            rules.check_moves(3, now)


def route(**given) -> Route:
    """An endpoint on which nothing serves, but for what is given."""
    empty = dict.fromkeys(("stable", "canary", "shadow", "standby"))
    facts = {"name": "shop/inbox", "uuid": "u", "salt": "s", "task": "single_label", "keep_text": True}
    return Route(**facts | empty | {"tokens": ()} | given)


def test_the_shares_of_the_arms_add_up_to_all():
    live = {"arm": "stable", "version": "1", "label": "1.0", "root_digest": "1" * 64, "deployment": "d1"}
    canary = {"arm": "canary", "version": "2", "label": "2.0", "root_digest": "2" * 64, "deployment": "d2"}

    assert route(stable=LIVE).arms() == [live | {"share": 10_000}]
    assert route(stable=LIVE, canary=NEXT).arms() == [live | {"share": 9_500}, canary | {"share": 500}]
    assert route(canary=NEXT).arms() == []  # nothing answers where nothing is live


def test_the_document_of_routes_says_of_each_endpoint_what_serves_it_and_who_may_ask():
    tokens = (Token("b"), Token("a", "2026-01-01T00:00:00Z"))
    full = route(stable=LIVE, shadow=NEXT, standby=OLD, tokens=tokens, withdrawn=("f", "e"))
    document = rules.endpoints_document([full, route(name="shop/empty", keep_text=False)])

    assert list(document) == ["shop/empty", "shop/inbox"]
    assert document["shop/empty"] == {
        "uuid": "u",
        "task": "single_label",
        "salt": "s",
        "arms": [],
        "shadow": None,
        "standby": [],
        "tokens": [],
        "keep_text": False,
        "withdrawn": [],
    }
    assert document["shop/inbox"] == {
        "uuid": "u",
        "task": "single_label",
        "salt": "s",
        "arms": full.arms(),
        "shadow": {
            "share": 500,
            "version": "2",
            "label": "2.0",
            "root_digest": "2" * 64,
            "deployment": "d2",
        },
        "standby": [{"version": "3", "label": "3.0", "root_digest": "3" * 64}],
        "tokens": [{"digest": "a", "until": "2026-01-01T00:00:00Z"}, {"digest": "b", "until": None}],
        "keep_text": True,
        "withdrawn": ["e", "f"],
    }


def test_the_document_of_faults_is_in_the_order_of_deployments():
    two, one = (InjectedFault(each, "slow", 5_000, 100, "2026-01-01T00:00:00Z") for each in ("d2", "d1"))
    member = {"kind": "slow", "share": 5_000, "delay_ms": 100, "until": "2026-01-01T00:00:00Z"}

    assert rules.faults_document([two, one]) == {
        "format": 1,
        "faults": [{"deployment": "d1"} | member, {"deployment": "d2"} | member],
    }
    assert rules.faults_document([])["faults"] == []


@pytest.mark.parametrize(
    ("share", "words"), [(1, "0.01 %"), (500, "5 %"), (1_250, "12.5 %"), (10_000, "100 %")]
)
def test_a_share_reads_as_percent(share, words):
    assert rules.percent(share) == words


def test_a_guard_states_how_many_of_its_last_requests_failed():
    assert "7 of its last 20 requests" in rules.guard_reason(7, 20)
