"""Pages and API of findings: contents and permissions, with and without htmx."""

from __future__ import annotations

import pytest
from django.urls import reverse

from datasets_app.datasets.models import Dataset
from datasets_app.queues.models import Queue
from datasets_app.scanning import actions, pages
from datasets_app.scanning.models import Finding, Scan
from lifecycle.ground.jobs.models import Job
from lifecycle.ui import numbers
from tests.support.datasets import import_texts, make_dataset
from tests.support.jobs import run_ok
from tests.support.scanning import scan

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
SECRET = "secretword"


def rows(groups: int) -> list[tuple[str, str]]:
    texts = [f"{SECRET} " + " ".join(f"{group}x{n}" for n in range(12)) for group in range(groups)]
    return [row for text in texts for row in ((text, "card"), (f"{text} more", "cash"))]


@pytest.fixture
def dataset(project, ana):
    dataset = make_dataset(project, ana, "Support inbox")
    import_texts(dataset, rows(3), ana)
    return dataset


@pytest.fixture
def scanned(dataset, ravi) -> Dataset:
    scan(dataset, ravi)
    return dataset


@pytest.fixture
def few_and_many(project, ana, ravi) -> list[Dataset]:
    """Two scanned datasets: with one group of near duplicates, and with eight."""
    made = []
    for groups in (1, 8):
        made.append(make_dataset(project, ana))
        import_texts(made[-1], rows(groups), ana)
        scan(made[-1], ravi)
    return made


def of(dataset, query: str = "") -> str:
    return reverse("scanning:dataset", args=[dataset.uuid]) + query


@pytest.mark.postgres
def test_a_scan_is_started_from_the_page_and_its_findings_are_shown(dataset, ravi, client_for):
    client = client_for(ravi)
    before = client.get(of(dataset))
    assert (before.context["scanned"], before.context["lines"]) == (False, [])
    answer = client.post(reverse("scanning:scan", args=[dataset.uuid]), {"kind": "near_duplicates"})
    assert answer.status_code == 302
    assert 'hx-trigger="every 2s"' in client.get(answer["Location"]).content.decode()
    run_ok("scans")
    listed = client.get(of(dataset))
    page, done = listed.content.decode(), Scan.objects.get()

    assert (done.report["new"], done.report["again"], done.report["gone"]) == (6, 0, 0)  # groups, conflicts
    assert all(f"<dd>{value}</dd>" in page for _, value in pages.facts(done))
    assert page.count(SECRET) == 3
    for finding in Finding.objects.all():
        link = f'href="{reverse("scanning:finding", args=[finding.uuid])}"'
        assert (link in page) == (finding.kind == "near_duplicate")
    assert [(line.kind, line.scan and line.scan.state) for line in listed.context["scans"]] == [
        ("near_duplicates", "done"),
        ("label_errors", None),
    ]
    for kind in ("near_duplicates", "label_errors"):
        assert f'<input type="hidden" name="kind" value="{kind}">' in page


def test_the_dataset_page_links_to_findings_and_the_item_page_lists_them(scanned, ravi, client_for):
    dataset, client = scanned, client_for(ravi)
    item = dataset.items.first()
    assert of(dataset) in client.get(reverse("datasets:dataset", args=[dataset.uuid])).content.decode()
    assert (
        reverse("scanning:item", args=[item.uuid])
        in client.get(reverse("datasets:item", args=[item.uuid])).content.decode()
    )
    fragment = client.get(reverse("scanning:item", args=[item.uuid]), **HTMX).content.decode()

    found = Finding.objects.filter(group__members__item=item)
    assert sorted(found.values_list("kind", flat=True)) == ["label_conflict", "near_duplicate"]
    for finding in Finding.objects.all():
        link = f'href="{reverse("scanning:finding", args=[finding.uuid])}"'
        assert (link in fragment) == (finding in found)
    assert "<html" not in fragment


def test_a_group_is_shown_side_by_side_with_its_labels(scanned, ravi, client_for):
    finding = Finding.objects.filter(kind="label_conflict").first()
    page = client_for(ravi).get(reverse("scanning:finding", args=[finding.uuid])).content.decode()

    assert page.count(f"{SECRET} ") == 2
    assert 'aside">card<' in page
    assert 'aside">cash<' in page
    assert page.count("data-similarity=") == 1


def test_judging_redirects_to_the_next_finding_or_to_the_list(scanned, ravi, client_for):
    dataset, client = scanned, client_for(ravi)
    first, second, third = Finding.objects.filter(kind="label_conflict").order_by("-score", "-id")
    answer = client.post(
        reverse("scanning:dismiss", args=[first.uuid]), {"reason": "Both are right.", "seen": "open"}
    )
    assert answer["Location"] == reverse("scanning:finding", args=[second.uuid])
    assert client.post(reverse("scanning:confirm", args=[second.uuid]), {"seen": "open"})[
        "Location"
    ].endswith(f"{third.uuid}/")
    assert client.post(reverse("scanning:confirm", args=[third.uuid]), {"seen": "open"})["Location"] == of(
        dataset, "?kind=label_conflict"
    )
    dismissed = client.get(of(dataset, "?kind=label_conflict&status=dismissed")).content.decode()
    page = client.get(reverse("scanning:finding", args=[first.uuid])).content.decode()

    assert dismissed.count(SECRET) == 1
    assert "Both are right." in page
    client.post(reverse("scanning:reopen", args=[first.uuid]), {"seen": "dismissed"})
    first.refresh_from_db()
    assert first.status == "open"


def test_a_dismissal_without_a_reason_is_refused_and_changes_nothing(scanned, ravi, client_for):
    finding = Finding.objects.filter(kind="label_conflict").first()
    answer = client_for(ravi).post(reverse("scanning:dismiss", args=[finding.uuid]), {"reason": ""})

    finding.refresh_from_db()
    assert (answer.status_code, finding.status) == (422, "open")


@pytest.mark.postgres
def test_a_queue_is_opened_from_the_page(scanned, ravi, client_for):
    dataset, client = scanned, client_for(ravi)
    form = {"kind": "label_conflict", "name": "Conflicts", "limit": 4, "overlap": 2}
    answer = client.post(reverse("scanning:send", args=[dataset.uuid]), form)
    queue = Queue.objects.get()

    assert answer["Location"] == reverse("queues:queue", args=[queue.uuid])
    assert (queue.source, client.get(answer["Location"]).status_code) == ("items", 200)
    sent = client.get(of(dataset, "?kind=label_conflict")).content.decode()
    assert sent.count(f'href="{answer["Location"]}"') == Finding.objects.filter(queue=queue).count() == 2
    again = client.post(reverse("scanning:send", args=[dataset.uuid]), form, **HTMX)
    assert (again.status_code, Queue.objects.count()) == (422, 1)
    assert 'id="id_name_error"' in again.content.decode()


def test_the_queue_form_does_not_offer_chosen_items(dataset, ravi, client_for):
    page = client_for(ravi).get(reverse("queues:open", args=[dataset.uuid])).content.decode()

    offered = [source for source in Queue.Source if f'value="{source}"' in page]
    assert offered == [Queue.Source.UNLABELED, Queue.Source.ALL, Queue.Source.UPLOAD, Queue.Source.SLICE]


def test_strangers_get_404_and_wrong_roles_403_and_nothing_changes(scanned, mia, otto, client_for):
    dataset = scanned
    finding = Finding.objects.first()
    posts = [
        (reverse("scanning:scan", args=[dataset.uuid]), {"kind": "label_errors"}),
        (
            reverse("scanning:send", args=[dataset.uuid]),
            {"kind": "label_conflict", "name": "Q", "limit": 9, "overlap": 1},
        ),
        *[
            (reverse(f"scanning:{verb}", args=[finding.uuid]), {"reason": "So."})
            for verb in ("confirm", "dismiss", "reopen")
        ],
    ]
    for url, form in posts:
        assert client_for(otto).post(url, form).status_code == 404
        assert client_for(mia).post(url, form).status_code == 403
    assert client_for(otto).get(of(dataset)).status_code == 404

    finding.refresh_from_db()
    assert (finding.status, Queue.objects.count(), Scan.objects.count()) == ("open", 0, 1)


def test_leads_see_findings_but_no_texts(scanned, lee, client_for):
    client = client_for(lee)
    for url in (
        of(scanned),
        *[reverse("scanning:finding", args=[row.uuid]) for row in Finding.objects.all()],
    ):
        page = client.get(url)
        assert (page.status_code, SECRET in page.content.decode()) == (200, False)


def test_the_list_of_findings_pages_by_keyset(scanned, ravi, client_for, monkeypatch):
    monkeypatch.setattr(pages, "PAGE", 1)
    client, url, seen = client_for(ravi), of(scanned, "?kind=label_conflict"), []
    for _ in range(3):
        context = client.get(url).context
        seen += [line.finding.pk for line in context["lines"]]
        url = context["pager"]["next"]

    assert url == ""
    assert seen == list(
        Finding.objects.filter(kind="label_conflict").order_by("-score", "-id").values_list("pk", flat=True)
    )


@pytest.mark.parametrize(
    "query", ["?after=x", "?after=nan:1", "?after=0.5:²", "?kind=x&status=y", f"?after=1:{'9' * 40}"]
)
def test_an_invalid_url_shows_nothing(scanned, ravi, client_for, query):
    assert client_for(ravi).get(of(scanned, query)).status_code == 400


@pytest.mark.parametrize("kind", ["near_duplicate", "label_conflict"])
def test_the_page_takes_the_same_number_of_statements_for_any_number(
    few_and_many, ravi, client_for, django_assert_num_queries, kind
):
    client = client_for(ravi)
    for dataset in few_and_many:
        client.get(of(dataset, f"?kind={kind}"))
        with django_assert_num_queries(16):
            client.get(of(dataset, f"?kind={kind}"), **HTMX)


def test_the_list_of_datasets_takes_the_same_number_of_statements_for_any_number(
    project, ana, ravi, few_and_many, client_for, django_assert_num_queries
):
    client, url = client_for(ravi), reverse("scanning:list")
    client.get(url)
    for open_ones in (2, 6):  # a finding of each of two kinds
        with django_assert_num_queries(4):
            page = client.get(url, **HTMX).content.decode()
        assert page.count("1 open") == open_ones
        for _ in range(2 if open_ones == 2 else 0):
            dataset = make_dataset(project, ana)
            import_texts(dataset, rows(1), ana)
            scan(dataset, ravi)


def test_a_finding_takes_the_same_number_of_statements_for_any_group(
    project, ana, ravi, client_for, django_assert_num_queries
):
    dataset, client = make_dataset(project, ana), client_for(ravi)
    sizes = {" ".join(f"{size}x{n}" for n in range(12)): size for size in (2, 9)}
    import_texts(dataset, [(f"{text} {n}", "card") for text, size in sizes.items() for n in range(size)], ana)
    scan(dataset, ravi)
    for finding in Finding.objects.select_related("group"):
        url = reverse("scanning:finding", args=[finding.uuid])
        client.get(url)
        with django_assert_num_queries(11):
            assert (
                client.get(url, **HTMX).content.decode().count("data-similarity=") == finding.group.size - 1
            )

    assert sorted(Finding.objects.values_list("group__size", flat=True)) == [2, 9]


@pytest.mark.postgres
def test_the_api_scans_lists_judges_and_sends(dataset, ravi, client_for):
    client = client_for(ravi)
    base = f"/api/v1/datasets/{dataset.uuid}"
    sent = client.post(f"{base}/scans/", {"kind": "near_duplicates"}, content_type="application/json")
    assert (sent.status_code, sent.json()["kind"]) == (202, "scanning.near_duplicates")
    run_ok("scans")
    listed = client.get(f"{base}/scans/").json()
    assert (listed["scans"][0]["state"], listed["scans"][0]["report"]["groups"]) == ("done", 3)
    assert {each["kind"]: each["open"] for each in listed["data_issues"]} == {
        "near_duplicate": 3,
        "label_conflict": 3,
        "label_error": 0,
    }
    found = client.get(f"{base}/data-issues/?kind=label_conflict").json()
    assert (len(found["results"]), found["after"], found["results"][0]["labels"]) == (
        3,
        None,
        {"card": 1, "cash": 1},
    )
    one = f"/api/v1/data-issues/{found['results'][0]['uuid']}/"
    assert [member["first"] for member in client.get(one).json()["members"]][0] == 1.0
    assert client.post(f"{one}confirm/", {}, content_type="application/json").json()["status"] == "confirmed"
    dismissed = client.post(f"{one}dismiss/", {"reason": "Both."}, content_type="application/json").json()
    assert (dismissed["status"], dismissed["reason"], dismissed["reviewed_by"]) == (
        "dismissed",
        "Both.",
        str(ravi.uuid),
    )
    assert client.post(f"{one}reopen/", {"seen": "open"}, content_type="application/json").status_code == 409
    assert client.post(f"{one}reopen/", {}, content_type="application/json").json()["status"] == "open"
    queue = client.post(
        f"{base}/data-issues/send/", {"kind": "label_conflict", "name": "Q"}, content_type="application/json"
    )
    assert (queue.status_code, queue.json()["items_total"]) == (201, 6)
    for query in ("", "?kind=label_conflict&after=x"):
        assert client.get(f"{base}/data-issues/{query}").status_code in (400, 422)


def test_a_scan_requested_twice_over_the_api_returns_409(dataset, ravi, client_for):
    client, url = client_for(ravi), f"/api/v1/datasets/{dataset.uuid}/scans/"
    client.post(url, {"kind": "near_duplicates"}, content_type="application/json")

    assert client.post(url, {"kind": "near_duplicates"}, content_type="application/json").status_code == 409
    assert Job.objects.filter(kind="scanning.near_duplicates").count() == 1


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [("all-MiniLM-L6-v2", "Sentence embeddings (all-MiniLM-L6-v2)"), ("", "TF-IDF of words")],
)
def test_the_page_shows_the_features_of_the_scan(encoder, expected):
    report = {
        "rows": 9,
        "new": 1,
        "again": 0,
        "gone": 0,
        "agreement": 0.9,
        "encoder": encoder,
        "noise": 0.05,
        "left_out_rows": 0,
    }
    found = dict(pages.facts(Scan(report=report)))

    assert found["Features"].startswith(expected)
    assert found["Estimated wrong labels"] == numbers.percent(0.05, 1)


def test_the_labels_of_a_group_are_hidden_while_a_queue_asks_about_one_of_its_texts(
    scanned, ana, ravi, client_for
):
    dataset = scanned
    actions.send(dataset_id=dataset.uuid, kind="label_conflict", actor=ravi, name="Conflicts", limit=2)
    run_ok("default")
    sent = Finding.objects.get(kind="label_conflict", queue__isnull=False)
    one = reverse("scanning:finding", args=[sent.uuid])

    shown = [{row["uuid"]: row["labels"] for row in found(client_for(user), dataset)} for user in (ana, ravi)]
    pages = [client_for(user).get(one).content for user in (ana, ravi)]

    assert [labels[str(sent.uuid)] for labels in shown] == [{}, {"card": 1, "cash": 1}]
    assert [sum(bool(labels) for labels in each.values()) for each in shown] == [2, 3]
    assert [b">card<" in page for page in pages] == [False, True]


def found(client, dataset) -> list[dict[str, object]]:
    return client.get(f"/api/v1/datasets/{dataset.uuid}/data-issues/?kind=label_conflict").json()["results"]
