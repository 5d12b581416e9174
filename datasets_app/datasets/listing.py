"""Template contexts of the item list and the slice pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.forms import BoundField
from django.urls import reverse

from datasets_app.datasets import queries, search
from datasets_app.datasets.forms import SliceForm
from datasets_app.datasets.models import Dataset, Slice
from datasets_app.datasets.selection import Selection
from lifecycle.ground.jobs import queries as jobs
from lifecycle.ui.addresses import find_url, key_in
from registry.ground.access import policy
from registry.ground.access.models import User

Context = dict[str, Any]
SLICES_SHOWN = 30


def items(user: User, dataset: Dataset, params: Mapping[str, str]) -> Context:
    """A page of the items that match the URL's filters, and the filter controls."""
    selection = Selection(dataset, user, params)
    page = selection.page(before=key_in(params), after=key_in(params, "after"))
    here, base = reverse("datasets:dataset", args=[dataset.uuid]), selection.filters
    pager = {
        "previous": f"?{urlencode(base | {'after': page.after})}" if page.after is not None else "",
        "next": f"?{urlencode(base | {'before': page.before})}" if page.before is not None else "",
        "about": None,
    }
    searchable = "q" in selection.form.fields
    return {
        "dataset": dataset,
        "selection": selection,
        "chips": chips(here, selection),
        "groups": groups(selection),
        "search_field": selection.form["q"] if searchable else None,
        "lines": [(item, search.marked(item.text, selection.query)) for item in page.items],
        "filter_query": urlencode(base),
        "pager": pager,
        "stopped": page.stopped,
        "may_read": searchable,
        "address": f"{here}?{urlencode(base)}" if base else here,
        "may_export": policy.can(user, "datasets.export", dataset),
        "may_slice": policy.can(user, "datasets.slice", dataset),
        "slice_form": SliceForm(auto_id="slice_%s"),
        "slices": list(queries.slices(user).filter(dataset=dataset)[:SLICES_SHOWN]),
    }


def chips(here: str, selection: Selection) -> list[tuple[str, str, str]]:
    """(description, problem, URL without it) of each active filter."""
    return [(chip.words, chip.problem, f"{here}?{urlencode(chip.rest)}#items") for chip in selection.chips]


def groups(selection: Selection) -> list[tuple[str, list[BoundField]]]:
    """The fields of all filters but the search, under their headings."""
    found: dict[str, list[BoundField]] = {}
    for each, fields in selection.offered:
        if fields and "q" not in fields:
            found.setdefault(each.group, []).extend(selection.form[name] for name in fields)
    return list(found.items())


def exports(user: User, dataset: Dataset) -> Context:
    """The item exports that the person requested, and the one in progress."""
    requested = jobs.of_subject(dataset).filter(kind="datasets.export", created_by=user)
    job = requested.first()
    return {
        "dataset": dataset,
        "exports": queries.exports(user, dataset),
        "may_export": policy.can(user, "datasets.export", dataset),
        "job": job,
        "working": job is not None and not job.is_finished,
    }


def slice_page(user: User, uuid: UUID) -> Context:
    """One slice: its filters, whether they're still valid, and the available actions."""
    job = jobs.about(Slice, uuid).first()
    row = queries.get_slice(user, uuid)
    selection = Selection(row.dataset, user, row.filters, whole=True)
    initial = {"name": row.name, "description": row.description, "shared": row.shared}
    listed = f"{reverse('datasets:dataset', args=[row.dataset.uuid])}?{urlencode(selection.filters)}#items"
    queue = find_url("queues:open", uuid=row.dataset.uuid) if policy.can(user, "labeling.manage", row) else ""
    queue_url = f"{queue}?slice={row.uuid}" if queue else ""
    frozen = (
        find_url("snapshots:dataset", uuid=row.dataset.uuid)
        if policy.can(user, "snapshots.create", row)
        else ""
    )
    return {
        "freeze_url": f"{frozen}?slice={row.uuid}" if frozen else "",
        "slice": row,
        "dataset": row.dataset,
        "selection": selection,
        "listed": listed,
        "queue_url": queue_url,
        "filter_query": urlencode(selection.filters),
        "may_export": policy.can(user, "datasets.export", row),
        "may_slice": policy.can(user, "datasets.slice", row),
        "may_change": queries.may_change(user, row),
        "form": SliceForm(initial=initial),
        "job": job,
        "counting": job is not None and not job.is_finished,
    }
