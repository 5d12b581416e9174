"""Item filters, each alone and any two together, against a reference in plain Python."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from uuid import UUID

import pytest
from django.utils import timezone

from datasets_app.datasets import ports
from datasets_app.datasets import selection as selecting
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.datasets.selection import Selection
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models import Comment, Dispute
from datasets_app.queues.queries.decisions import current_decision
from datasets_app.queues.queries.pages import annotators
from datasets_app.review.actions.changes import change_labels
from datasets_app.scanning.models import DuplicateGroup, Finding, GroupMember, Scan
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from datasets_app.schemas.relabeling import Change, ChangeKind
from tests.support.datasets import csv_bytes, import_file, make_dataset
from tests.support.labeling import add_items, answer, make_queue, make_schema

pytestmark = pytest.mark.django_db
HEADER = ["text", "id", "group", "time", "split", "channel", "2024"]
ROWS = [
    [
        f"text {n} about {'card' if n % 2 else 'transfer'}{' pending' if n % 5 == 0 else ''}",
        f"m-{n}",
        f"g-{n % 4}",
        f"2026-01-{1 + n:02}T08:00:00Z" if n % 3 else "",
        ("train", "validation", "test", "")[n % 4],
        ("mail", "chat")[n % 2],
        "yes" if n % 6 == 0 else "",
    ]
    for n in range(24)
]


@pytest.fixture
def dataset(project, ana, ben, ravi, lee) -> Dataset:
    """24 items of a file and 6 more; annotations of two people, decisions, a dispute, suggestions, comments
    and data issues.
    """
    dataset = make_dataset(project, ana, "Inbox")
    import_file(dataset, ana, csv_bytes(ROWS, HEADER))
    add_items(dataset, ana, [f"plain {n}" for n in range(6)])
    Upload.objects.filter(file_name="items.csv").update(
        imported_at=datetime(2025, 5, 5, 12, tzinfo=UTC), collected_from="2025-01-01"
    )
    add_items(dataset, ana, ["text hidden about card"], imported=False)
    queue = make_queue(dataset, ravi, overlap=2, schema=["billing", "card", "transfer"])
    items = list(Item.objects.filter(dataset=dataset, upload__state=UploadState.IMPORTED).order_by("id"))
    for n, item in enumerate(items[:12]):
        answer(queue, ana, item, ("billing", "card", "transfer")[n % 3])
        if n < 8:
            answer(queue, ben, item, ("billing", "card", "transfer")[n % 3 if n < 5 else (n + 1) % 3])
    labels = labels_by_name(queue.schema)
    for n, item in enumerate(items[4:20]):
        Suggestion.objects.create(
            item=item,
            label=labels[("billing", "card")[n % 2]],
            score=n / 20,
            source=("import", "run")[n % 3 == 0],
            source_digest="0" * 64,
        )
    for n, item in enumerate(items[:10]):
        Comment.objects.create(
            item=item,
            user=ana,
            text="look",
            is_flag=n % 2 == 0,
            resolved_at=timezone.now() if n % 4 == 0 else None,
        )
    scan = Scan.objects.create(dataset=dataset, kind="label_errors", state="done")
    group = DuplicateGroup.objects.create(
        dataset=dataset, digest="1" * 64, size=3, opening=items[0], scan=scan
    )
    GroupMember.objects.bulk_create(
        GroupMember(group=group, item=item, nearest=1, first=1) for item in items[20:23]
    )
    common = {"dataset": dataset, "score": 0.5, "scan": scan, "last_scan": scan}
    Finding.objects.create(kind="near_duplicate", key="g", group=group, **common)
    for n, item in enumerate(items[10:16]):
        Finding.objects.create(
            kind="label_error", key=f"e{n}", item=item, status=("open", "confirmed", "gone")[n % 3], **common
        )
    return dataset


def reference(dataset, viewer) -> dict[str, tuple[dict[str, str], set[int]]]:
    """Name → (filters, keys of the matching items), computed item by item."""
    items = list(
        Item.objects.filter(dataset=dataset, upload__state=UploadState.IMPORTED)
        .select_related("upload")
        .order_by("id")
    )
    upload = items[0].upload
    ids = {label.name: str(label.stable_id) for label in latest_schema(dataset).labels.all()}
    decided = {item.pk: current_decision(item) for item in items}
    ben = annotators(dataset).get(username="ben")
    answers = {item.pk: list(item.annotations.select_related("label", "user")) for item in items}
    proposed = {item.pk: list(item.suggestions.select_related("label")) for item in items}
    remarks = {item.pk: list(item.comments.all()) for item in items}
    disputed = set(Dispute.objects.filter(state="open").values_list("item_id", flat=True))
    found = {
        item.pk: [
            *item.findings.all(),
            *(f for m in item.duplicate_groups.all() for f in m.group.findings.all()),
        ]
        for item in items
    }

    def where(rule) -> set[int]:
        return {item.pk for item in items if rule(item)}

    today = timezone.localdate().isoformat()
    return {
        "word": ({"q": "card"}, where(lambda i: "card" in i.text.split())),
        "words": (
            {"q": "about pending -card"},
            where(lambda i: "pending" in i.text and "card" not in i.text),
        ),
        "upload": ({"upload": str(upload.uuid)}, where(lambda i: i.upload_id == upload.pk)),
        "split": ({"split": "train"}, where(lambda i: i.split == "train")),
        "id": ({"external_id": "m-7"}, where(lambda i: i.external_id == "m-7")),
        "group": ({"group": "g-2"}, where(lambda i: i.group == "g-2")),
        "metadata": (
            {"metadata_key": "channel", "metadata_value": "mail"},
            where(lambda i: i.metadata.get("channel") == "mail"),
        ),
        "number": ({"metadata_key": "2024"}, where(lambda i: "2024" in i.metadata)),
        "length": ({"length_from": "18", "length_to": "24"}, where(lambda i: 18 <= len(i.text) <= 24)),
        "event": (
            {"event_from": "2026-01-05", "event_until": "2026-01-12"},
            where(lambda i: i.event_time and 5 <= i.event_time.day <= 12),
        ),
        "imported": ({"imported_from": today}, where(lambda i: i.upload_id == upload.pk)),
        "earlier": ({"imported_until": "2025-05-05"}, where(lambda i: i.upload_id != upload.pk)),
        "collected": ({"collected_from": "2025-06-01"}, where(lambda i: i.upload_id != upload.pk)),
        "uncollected": ({"collected_until": "2024-12-31"}, set()),
        "unlabeled": ({"label_state": "unlabeled"}, where(lambda i: decided[i.pk] is None)),
        "labeled": ({"label_state": "labeled"}, where(lambda i: decided[i.pk] is not None)),
        "disputed": ({"label_state": "disputed"}, disputed),
        "class": (
            {"labeled_as": ids["card"]},
            where(lambda i: decided[i.pk] and decided[i.pk].label.name == "card"),
        ),
        "how": (
            {"labeled_how": "unanimous", "labeled_from": today},
            where(lambda i: decided[i.pk] and decided[i.pk].how == "unanimous"),
        ),
        "annotated": (
            {"annotated_as": ids["billing"]},
            where(lambda i: any(a.label.name == "billing" for a in answers[i.pk])),
        ),
        "by": (
            {"annotated_as": ids["card"], "annotated_by": str(ben.uuid)},
            where(lambda i: any(a.label.name == "card" and a.user.username == "ben" for a in answers[i.pk])),
        ),
        "prelabeled": (
            {"prelabeled_as": ids["card"], "confidence_from": "0.2", "confidence_to": "0.6"},
            where(lambda i: any(s.label.name == "card" and 0.2 <= s.score <= 0.6 for s in proposed[i.pk])),
        ),
        "source": ({"prelabeled_by": "run"}, where(lambda i: any(s.source == "run" for s in proposed[i.pk]))),
        "flagged": ({"comments": "flagged"}, where(lambda i: any(c.is_flag for c in remarks[i.pk]))),
        "unresolved": (
            {"comments": "open"},
            where(lambda i: any(c.is_flag and not c.resolved_at for c in remarks[i.pk])),
        ),
        "commented": ({"comments": "commented"}, where(lambda i: any(not c.is_flag for c in remarks[i.pk]))),
        "data_issue": (
            {"data_issue": "label_error"},
            where(lambda i: any(f.kind == "label_error" and f.status != "gone" for f in found[i.pk])),
        ),
        "confirmed": (
            {"data_issue_status": "confirmed"},
            where(lambda i: any(f.status == "confirmed" for f in found[i.pk])),
        ),
        "duplicate": (
            {"data_issue": "near_duplicate"},
            where(lambda i: any(f.kind == "near_duplicate" for f in found[i.pk])),
        ),
    }


def matching(dataset, viewer, filters: dict[str, str]) -> set[int]:
    selection = Selection(dataset, viewer, filters, whole=True)
    assert selection.is_valid, selection.problems
    return {key for window in selection.walk() for key in window.keys}


@pytest.mark.postgres
def test_every_filter_alone_and_with_a_word_matches_the_reference(dataset, ravi):
    known = reference(dataset, ravi)
    word, with_it = known["word"]

    assert {name for name, (_, keys) in known.items() if not keys} == {"uncollected"}
    for filters, keys in known.values():
        assert matching(dataset, ravi, filters) == keys, filters
        if "q" not in filters:
            assert matching(dataset, ravi, filters | word) == keys & with_it, filters


def test_any_two_filters_together_match_the_reference(dataset, ravi, monkeypatch):
    known = reference(dataset, ravi)
    offered = [
        replace(each, fields=lambda *_, fields=fields: fields)
        for each, fields in Selection(dataset, ravi, {}).offered
    ]
    # the same person on the same dataset is offered the same fields
    monkeypatch.setattr(ports, "item_filters", lambda: offered)

    for (one, here), (other, there) in combinations(known.values(), 2):
        if not set(one) & set(other):
            assert matching(dataset, ravi, one | other) == here & there, one | other


@pytest.mark.postgres
def test_windows_of_any_size_find_the_same_forwards_and_backwards(dataset, ravi, monkeypatch):
    everything = {"length_from": "1"}
    whole = sorted(matching(dataset, ravi, everything))
    assert len(whole) == 30

    for size in (1, 2, 7, 29, 30, 31):
        monkeypatch.setattr(selecting, "FIRST", size)
        monkeypatch.setattr(selecting, "QUICK", -1)
        selection = Selection(dataset, ravi, everything)
        assert [key for window in selection.walk() for key in window.keys] == whole
        assert [key for window in selection.walk(up=False) for key in window.keys] == whole[::-1]


@pytest.mark.postgres
def test_pages_are_consecutive_in_both_directions(dataset, ravi, monkeypatch):
    monkeypatch.setattr(selecting, "FIRST", 4)
    selection = Selection(dataset, ravi, {"q": "about"})
    wanted = [
        item.pk
        for item in Item.objects.filter(text__contains="about", upload__state="imported").order_by("-id")
    ]

    seen, page = [], selection.page(size=5)
    pages = [page]
    while page.before is not None:
        page = selection.page(before=page.before, size=5)
        pages.append(page)
    seen = [item.pk for page in pages for item in page.items]
    back = [pages[-1]]
    while back[-1].after is not None:
        back.append(selection.page(after=back[-1].after, size=5))

    assert seen == wanted
    assert [[item.pk for item in page.items] for page in back[::-1]] == [
        [item.pk for item in page.items] for page in pages
    ]
    assert pages[0].after is None


def test_a_slow_page_stops_early_and_the_next_one_continues(dataset, ravi, monkeypatch):
    monkeypatch.setattr(selecting, "FIRST", 3)
    monkeypatch.setattr(selecting, "PAGE_SECONDS", -1)
    monkeypatch.setattr(Selection.first, "__kwdefaults__", {"up": False, "start": None, "seconds": -1})
    selection = Selection(dataset, ravi, {"external_id": "m-2"})

    page, pages, items = selection.page(), 1, []
    assert (page.items, page.stopped) == ([], True)
    while page.before is not None:
        page, pages = selection.page(before=page.before), pages + 1
        items += page.items
    assert [item.external_id for item in items] == ["m-2"]
    assert pages > 5


@pytest.mark.postgres
def test_annotators_filter_only_by_their_own_annotations(dataset, ana, ben, ravi, lee, mia):
    known = reference(dataset, ravi)
    filters, keys = known["annotated"]
    own = {a.item_id for a in ana.annotations.filter(label__name="billing")}

    assert matching(dataset, ana, filters) == own != keys
    assert Selection(dataset, ana, filters).filters == filters | {"annotated_by": str(ana.uuid)}
    for viewer in (ana, mia):
        blind = Selection(dataset, viewer, {"annotated_by": str(ben.uuid)})
        assert not blind.is_valid
        assert blind.page().items == []
        assert "Ben" not in blind.words
    for viewer in (ravi, lee):
        assert Selection(dataset, viewer, {"annotated_by": str(ben.uuid)}).is_valid


def test_search_doesnt_reveal_texts_to_people_who_may_not_read_them(dataset, omar, lee, client_for):
    for viewer in (omar, lee):
        for filters in ({"q": "card"}, {"metadata_key": "channel", "metadata_value": "mail"}):
            selection = Selection(dataset, viewer, filters)
            assert not selection.is_valid
            assert selection.page().items == []
    answer = client_for(omar).get(f"/api/v1/datasets/{dataset.uuid}/items/?q=card")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["q"])


@pytest.mark.postgres
@pytest.mark.parametrize(
    "filters",
    [
        {"labeled_as": "00000000-0000-0000-0000-000000000000"},
        {"upload": "00000000-0000-0000-0000-000000000000"},
        {"upload": "x"},
        {"length_from": "many"},
        {"event_from": "yesterday"},
        {"confidence_to": "2"},
        {"label_state": "x"},
        {"metadata_key": "nothing"},
        {"q": "🙂"},
        {"never": "heard of"},
    ],
)
def test_an_invalid_filter_matches_nothing_and_reports_why(dataset, ravi, filters):
    selection = Selection(dataset, ravi, filters, whole=True)

    assert set(selection.problems) == set(filters)
    assert all(problem.endswith(".") for problem in selection.problems.values())
    assert selection.page().items == []
    assert list(selection.walk()) == []
    assert [bool(chip.problem) for chip in selection.chips] == [True]


@pytest.mark.postgres
def test_annotations_of_a_merged_label_are_found_by_its_target(dataset, ravi):
    before = {name: str(label.stable_id) for name, label in labels_by_name(latest_schema(dataset)).items()}
    both = matching(dataset, ravi, {"annotated_as": before["billing"]}) | matching(
        dataset, ravi, {"annotated_as": before["card"]}
    )
    wanted = [Change(UUID(before["billing"]), ChangeKind.MERGE, ("card",))]
    change_labels(dataset_id=dataset.uuid, actor=ravi, wanted=wanted, seen=1)

    assert matching(dataset, ravi, {"annotated_as": before["card"]}) == both
    assert not Selection(dataset, ravi, {"annotated_as": before["billing"]}).is_valid


@pytest.mark.postgres
def test_a_task_with_several_labels_is_filtered_by_any_of_them(project, ana, ravi):
    dataset = make_dataset(project, ana, "Many", task="multi_label")
    items = add_items(dataset, ana, ["one", "two", "three"])
    make_schema(dataset, ravi, ["a", "b"])
    ids = {label.name: str(label.stable_id) for label in latest_schema(dataset).labels.all()}
    for item, names in zip(items, (["a"], ["a", "b"], ["b"]), strict=True):
        item.decisions.create(
            value={"labels": sorted(ids[name] for name in names)}, how="adjudicated", by=ravi, digest="0" * 64
        )

    assert matching(dataset, ravi, {"labeled_as": ids["a"]}) == {items[0].pk, items[1].pk}
    assert matching(dataset, ravi, {"labeled_as": ids["b"]}) == {items[1].pk, items[2].pk}


@pytest.mark.postgres
def test_items_that_a_queue_asks_about_are_unlabeled_to_those_who_are_asked(project, ana, ravi):
    dataset = make_dataset(project, ana, "Again")
    items = add_items(dataset, ana, ["one", "two", "three"])
    queue = make_queue(
        dataset, ravi, source="items", item_ids=[item.pk for item in items[:2]], schema=["card", "refund"]
    )
    card = queue.schema.labels.get(name="card")
    for item in items:
        item.decisions.create(label=card, how="imported", digest="0" * 64)
        Suggestion.objects.create(item=item, label=card, score=0.5, source="run", source_digest="0" * 64)

    def found(viewer, **filters: str) -> list[str]:
        page = Selection(dataset, viewer, {name: str(value) for name, value in filters.items()}).page()
        return sorted(item.text for item in page.items)

    blind = [
        found(ana, labeled_as=card.stable_id),
        found(ana, labeled_how="imported"),
        found(ana, prelabeled_as=card.stable_id),
        found(ana, label_state="labeled"),
        found(ana, label_state="unlabeled"),
    ]
    assert blind == [["three"]] * 4 + [["one", "two"]]
    assert (
        found(ravi, labeled_as=card.stable_id)
        == found(ravi, label_state="labeled")
        == ["one", "three", "two"]
    )
    assert found(ravi, label_state="unlabeled") == []


@pytest.mark.postgres
def test_a_column_name_may_contain_any_character(project, ana):
    dataset = make_dataset(project, ana, "Signs")
    keys = ['a "b"', "a.b[0]", "a\\b", "$", "it's"]
    import_file(dataset, ana, csv_bytes([["one", *"abcde"], ["two", *"fghij"]], ["text", *keys]))

    found = {
        key: [
            item.text
            for item in Selection(dataset, ana, {"metadata_key": key, "metadata_value": value}).page().items
        ]
        for key, value in zip(keys, "abcde", strict=True)
    }

    assert found == {key: ["one"] for key in keys}
