"""The item filter by findings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q, QuerySet

from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.ports import Fields, ItemFilter, Scope
from datasets_app.scanning.models import Finding, GroupMember
from datasets_app.scanning.rules import Kind, Status
from registry.ground.access.models import User


def fields(_dataset: Dataset, _viewer: User) -> Fields:
    """Data issues and their status."""
    return {
        "finding": forms.ChoiceField(
            label="Data issue", choices=[("", "Any"), *Kind.choices], required=False
        ),
        "finding_status": forms.ChoiceField(
            label="Data issue is", choices=[("", "Any"), *Status.choices], required=False
        ),
    }


def found(rows: QuerySet[Item], values: dict[str, Any], scope: Scope) -> QuerySet[Item]:
    """Items with such a finding, or in a group with one. Without a status, issues no longer found don't
    count.
    """
    about = Finding.objects.filter(dataset=scope.dataset)
    if "finding" in values:
        about = about.filter(kind=values["finding"])
    about = (
        about.filter(status=values["finding_status"])
        if "finding_status" in values
        else about.exclude(status=Status.GONE)
    )
    members = GroupMember.objects.filter(
        group__in=about.filter(group__isnull=False).order_by().values("group")
    )
    return rows.filter(Q(pk__in=scope.of(about.filter(item__isnull=False))) | Q(pk__in=scope.of(members)))


def words(shown: dict[str, str]) -> str:
    """Such as "Finding: Label errors, confirmed"."""
    kind = f"Finding: {shown['finding']}" if "finding" in shown else "Any data issue"
    return kind + (f", {shown['finding_status'].lower()}" if "finding_status" in shown else "")


FILTERS = (ItemFilter("Data issue", "Data issues", ("finding", "finding_status"), fields, found, words),)
