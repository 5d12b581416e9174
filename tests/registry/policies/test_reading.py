"""A policy has only known entries; every refusal names the entry. Published policies never change."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.urls import reverse

from lifecycle.runtime.refusals import Refused
from registry.policies import actions, queries, rules
from registry.policies.models import Policy
from tests.support.registry import publish_by_value
from tests.support.unchanged import refused

TEXT = queries.STANDARD.read_text()


def test_the_standard_policy_has_two_steps_and_two_terms():
    found = rules.read(TEXT)

    assert [(step.name, step.role.value) for step in found.steps] == [
        ("technical", "lead"),
        ("governance", "governance"),
    ]
    assert (found.days_to_decide, found.days_valid) == (14, 7)
    assert list(found.gates) == ["quality", "live", "calibration", "leakage", "labels", "signature", "card"]


WRONG = [
    ("at_least: 0.70", "at_least: high", "gates.quality.at_least must be a number from 0 to 1"),
    ("at_least: 0.70", "at_least: 1.70", "gates.quality.at_least must be a number from 0 to 1"),
    (
        "at_least: 0.70",
        "at_least: 0.70\n    at_least_rows: 0",
        "gates.quality.at_least_rows must be a whole number of rows",
    ),
    (
        "at_least: 0.70",
        "at_least: 0.70\n    at_least_rows: true",
        "gates.quality.at_least_rows must be a whole number of rows",
    ),
    (
        "at_most: 0.10",
        "at_most: 0.10\n    at_least_rows: 50",
        "gates.calibration: at_least_rows isn't a known key",
    ),
    ("at_least: 0.70", "at_leest: 0.70", "gates.quality: at_leest isn't a known key"),
    ("    at_least: 0.70", "", "gates.quality: at_least is missing"),
    ("    metric: ece", "    metric: accuracy", "gates.calibration.metric must be one of ece"),
    ("  leakage: {}", "  other: {}", "gates must include leakage"),
    ("  signature: {}", "  signature: {blocking: false}", "gates.signature.blocking must be true"),
    ("role: governance", "role: king", "steps.1.role must be one of"),
    ("role: governance", "role: auditor", "steps.1.role must be one of lead, governance"),
    ("name: governance", "name: technical", "steps must have different names"),
    ("days_valid: 7", "days_valid: 0", "days_valid must be a whole number of days"),
    ("days_valid: 7", "days_valid: 7\ndays_valid: 9", "the key 'days_valid' appears twice"),
    ("format: 1", "format: 2", "format must be 1"),
    ("fields: [purpose, limits]", "fields: [everything]", "gates.card.fields must list fields"),
    ("format: 1", "format: !!python/object/apply:os.system [id]", "isn't valid YAML"),
    (TEXT, "- 1", "must be a mapping"),
]


@pytest.mark.parametrize(("old", "new", "words"), WRONG)
def test_a_wrong_entry_is_named(old, new, words):
    assert old in TEXT

    with pytest.raises(Refused) as refusal:
        rules.read(TEXT.replace(old, new, 1) if old != TEXT else new)

    assert words in str(refusal.value)


@pytest.mark.django_db
def test_the_standard_policy_is_published_by_set_up():
    assert list(Policy.objects.values_list("name", "version", "text")) == [("standard", 1, TEXT)]


@pytest.mark.django_db
def test_another_text_is_another_version_and_the_first_stays():
    second = actions.publish(text=TEXT.replace("0.70", "0.80"), actor=None)

    assert (second.version, queries.in_force("standard")) == (2, second)
    assert Policy.objects.get(version=1).text == TEXT
    with refused(naming=("2", "standard")):
        actions.publish(text=second.text, actor=None)


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_published_policy_cannot_be_changed_or_deleted():
    for change in (lambda rows: rows.update(text="x"), lambda rows: rows.delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change(Policy.objects.filter(version=1))

    assert Policy.objects.get().text == TEXT


@pytest.mark.django_db
def test_the_operator_publishes_a_policy_at_the_machine(tmp_path, capsys):
    stricter, broken, absent = (tmp_path / f"{name}.yaml" for name in ("stricter", "broken", "absent"))
    stricter.write_text(TEXT.replace("0.70", "0.80"))
    broken.write_text("format: 2")

    call_command("publish_policy", stricter)
    for given, named in (
        (stricter, "version 2 of standard"),
        (broken, "name is missing"),
        (absent, str(absent)),
    ):
        with pytest.raises(CommandError, match=re.escape(named)):
            call_command("publish_policy", given)
    call_command("publish_policy")

    assert list(Policy.objects.order_by("version").values_list("version", "text")) == [
        (1, TEXT),
        (2, stricter.read_text()),
        (3, TEXT),
    ]
    assert capsys.readouterr().out.splitlines() == [
        "Published standard, version 2.",
        "Published standard, version 3.",
    ]


def test_the_page_shows_what_counts_against_the_live_version(client_for, aida, project):
    shown = []
    for policy in (Policy.objects.get(), publish_by_value()):
        page = client_for(aida).get(reverse("policies:detail", args=[policy.uuid])).content.decode()
        rows = re.findall(r'data-bound="(low|point)"(.*?)</tr>', page, re.DOTALL)
        shown.append(([bound for bound, _ in rows], [row.count("<p>") for _, row in rows]))
    assert [(sorted(bounds), said) for bounds, said in shown] == [
        (["low", "low"], [1, 1]),
        (["low", "point"], [1, 1]),
    ]


def test_one_person_cannot_publish(gita):
    with pytest.raises(PermissionDenied):
        actions.publish(text=TEXT.replace("0.70", "0.10"), actor=gita)

    assert Policy.objects.count() == 1


def test_the_page_shows_text_and_history_to_members_alone(client_for, aida, otto, project):
    page = reverse("policies:detail", args=[Policy.objects.get().uuid])

    assert 'data-in-force="yes"' in client_for(aida).get(page).content.decode()
    assert client_for(otto).get(page).status_code == 404
    lists = [client_for(person).get(reverse("policies:list")) for person in (aida, otto)]
    assert [list(each.context["policies"]) for each in lists] == [[Policy.objects.get()], []]
    assert [page in each.content.decode() for each in lists] == [True, False]
