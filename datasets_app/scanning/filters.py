"""The item filter by data issues."""

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
        "data_issue": forms.ChoiceField(
            label="Data issue", choices=[("", "Any"), *Kind.choices], required=False
        ),
        "data_issue_status": forms.ChoiceField(
            label="Data issue is", choices=[("", "Any"), *Status.choices], required=False
        ),
    }


def found(rows: QuerySet[Item], values: dict[str, Any], scope: Scope) -> QuerySet[Item]:
    """Items with such a data issue, or in a group with one. Without a status, issues no longer found don't
    count.
    """
    about = Finding.objects.filter(dataset=scope.dataset)
    if "data_issue" in values:
        about = about.filter(kind=values["data_issue"])
    about = (
        about.filter(status=values["data_issue_status"])
        if "data_issue_status" in values
        else about.exclude(status=Status.GONE)
    )
    members = GroupMember.objects.filter(
        group__in=about.filter(group__isnull=False).order_by().values("group")
    )
    return rows.filter(Q(pk__in=scope.of(about.filter(item__isnull=False))) | Q(pk__in=scope.of(members)))


def words(shown: dict[str, str]) -> str:
    """Such as "Data issue: Label errors, confirmed"."""
    kind = f"Data issue: {shown['data_issue']}" if "data_issue" in shown else "Any data issue"
    return kind + (f", {shown['data_issue_status'].lower()}" if "data_issue_status" in shown else "")


FILTERS = (
    ItemFilter("Data issue", "Data issues", ("data_issue", "data_issue_status"), fields, found, words),
)
