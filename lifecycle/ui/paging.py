"""Keyset pagination of long lists, without a total count."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


def page(rows: QuerySet[M], before: int | None, size: int, *, key: str = "pk") -> tuple[list[M], int | None]:
    """One page of rows, newest first, and the `before` of the next page; None on the last page.

    before: the key that the page before gave; None for the first. key: the unique field by which the rows are
    sorted, descending.
    """
    found = list((rows if before is None else rows.filter(**{f"{key}__lt": before}))[: size + 1])
    return found[:size], getattr(found[size - 1], key) if len(found) > size else None


def links(before: object | None, older: object | None, *, first: str = "", kept: str = "") -> dict[str, Any]:
    """The links of components/pager.html. first: the address of the first page. kept: the query of the list's
    filters.
    """
    following = "" if older is None else f"?{kept}{'&' if kept else ''}before={older}"
    return {"previous": "" if before is None else first or f"?{kept}", "next": following, "about": None}
