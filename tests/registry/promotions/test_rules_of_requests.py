"""The rules of a request, case by case: what may follow what, who took part, what an approval rests on, whose
turn it is. No database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.runtime.refusals import Conflict
from registry.ground.access.roles import Role
from registry.policies.rules import Step
from registry.promotions import rules
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import MARKS, MOVES, OPEN, PARTS, Status

# by state: its mark, and what may follow
STATES = {
    "draft": ("wait", {"checking", "withdrawn", "voided", "expired"}),
    "checking": ("live", {"draft", "in_review", "withdrawn", "voided", "expired"}),
    "in_review": ("half", {"approved", "withdrawn", "voided", "expired", "rejected"}),
    "approved": ("ok", {"fulfilled", "withdrawn", "voided", "expired", "rejected"}),
    "fulfilled": ("ok", set()),
    "rejected": ("bad", set()),
    "withdrawn": ("stop", set()),
    "voided": ("warn", set()),
    "expired": ("off", set()),
}
TOOK_PART = ["requester", "trained", "behind", "overrode", "registered", "decided", "froze", "card"]
RESTS_ON = {
    "root_digest",
    "signature",
    "state",
    "reports",
    "snapshot",
    "test_split",
    "test_labels",
    "label_set",
    "base",
    "spec",
    "card",
    "policy",
    "endpoint",
    "plan",
    "baseline",
    "comparison",
    "gates",
    "people",
}


def test_each_state_has_its_mark_and_what_may_follow_it():
    assert {
        status.value: (MARKS[status], {new.value for new in MOVES.get(status, ())}) for status in Status
    } == STATES


def test_open_is_what_something_may_still_follow():
    assert {status.value for status in OPEN} == {state for state, (_, after) in STATES.items() if after}


@pytest.mark.parametrize("part", TOOK_PART)
def test_each_part_in_the_work_keeps_a_person_from_approving_by_its_own_sentence(part):
    people = {each: ["mia", "ravi"] if each == part else ["gita"] for each in TOOK_PART}

    assert (rules.part_of("mia", people), rules.part_of("ravi", people)) == (PARTS[part], PARTS[part])
    assert [each for each in TOOK_PART if PARTS[each] == PARTS[part]] == [part]
    with pytest.raises(PermissionDenied, match=PARTS[part]):
        rules.check_separation("mia", people)


def test_of_several_parts_the_first_in_the_list_is_named():
    people = {part: ["mia"] for part in reversed(TOOK_PART)}

    for part in TOOK_PART:
        assert rules.part_of("mia", people) == PARTS[part]
        del people[part]


def test_who_took_no_part_is_kept_from_nothing():
    people = dict.fromkeys(TOOK_PART, ["mia"])

    assert (list(PARTS), rules.part_of("lee", people), rules.part_of("lee", {})) == (TOOK_PART, "", "")
    assert rules.check_separation("lee", people) is None


@pytest.mark.parametrize(("by_system", "requester"), [(False, ["mia"]), (True, [])])
def test_a_request_is_the_work_of_its_requester_unless_the_product_asks(by_system, requester):
    assert rules.asked_by("mia", by_system=by_system) == {"requester": requester}


def test_whatever_an_approval_rests_on_is_named_when_it_changes_alone():
    then = dict.fromkeys(RESTS_ON, "before")
    found = {key: rules.changes(then, then | {key: "after"}) for key in RESTS_ON}

    assert {key: len(words) for key, words in found.items()} == dict.fromkeys(RESTS_ON, 1)
    assert len({words for (words,) in found.values()}) == len(RESTS_ON)
    assert rules.changes(then, then | {"a note": "after"}) == []


def test_a_plan_that_only_one_of_the_two_has_is_a_change():
    assert (
        rules.changes({}, {"plan": "at once"})
        == rules.changes({"plan": "at once"}, {})
        == ["the rollout plan"]
    )


def test_what_a_check_finds_out_on_its_own_is_no_change_during_it_and_all_else_is():
    before = dict.fromkeys(RESTS_ON, "before")

    assert {key for key in RESTS_ON if not rules.changes_during(before, before | {key: "after"})} == {
        "comparison",
        "gates",
        "reports",
    }


def test_an_approval_rests_on_every_member_of_a_result_that_a_reviewer_reads():
    assert set(rules.RESULT) == {"gate", "status", "blocking", "value", "threshold", "evidence", "source"}


def test_only_what_the_reviewer_saw_is_decided():
    assert rules.check_same_subject("a", "a") is None
    for seen in ("b", "", "A"):
        with pytest.raises(Conflict):
            rules.check_same_subject(seen, "a")


def test_a_request_is_decided_in_review_alone():
    decidable = []
    for status in Status:
        try:
            rules.check_decidable(status)
        except Conflict:
            continue
        decidable.append(status)

    assert decidable == [Status.IN_REVIEW]


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (None, "All steps are decided."),
        (Step("technical", "Technical review", Role.LEAD), "Waiting for an ML lead: technical review."),
        (Step("last", "Last Look", Role.GOVERNANCE), "Waiting for a Governance reviewer: last look."),
        (Step("audit", "Audit", Role.AUDITOR), "Waiting for an Auditor: audit."),
        (Step("call", "Call", Role.ONCALL), "Waiting for an On-call: call."),
    ],
)
def test_who_may_not_decide_now_is_told_whose_turn_it_is(step, sentence):
    assert rules.waiting_sentence(step) == sentence


def test_the_time_of_a_request_is_over_at_its_last_moment_in_the_state_that_it_is_for():
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    later = now + timedelta(microseconds=1)
    over = [
        (status.value, name)
        for status in Status
        for name, times in {
            "none": {},
            "due": {"due_at": now, "expires_at": later},
            "expires": {"due_at": later, "expires_at": now},
            "later": {"due_at": later, "expires_at": later},
        }.items()
        if PromotionRequest(status=status, **times).is_overdue(now)
    ]

    assert over == [("in_review", "due"), ("approved", "expires")]
