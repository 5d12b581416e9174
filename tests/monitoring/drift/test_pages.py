"""Pages, fragments and API: every state in words, texts for those who may read them, and no query more for
more windows.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from lifecycle.ground.jobs.models import Job
from monitoring.drift import actions, charts, page, queries
from monitoring.drift.models import DriftReport, TextCheck
from monitoring.traffic import actions as spool
from monitoring.traffic.models import Prediction
from registry.ground.access.actions import create_token
from registry.ground.ledger.models import Event
from tests.monitoring.drift.conftest import EVEN, ONE_SIDED, day
from tests.support import endpoints, registry

HTMX = {"HTTP_HX_REQUEST": "true"}


def url(name, subject):
    return reverse(f"drift:{name}", args=[subject.uuid])


def opened(html):
    """The state of the window and what is open, as the page is marked."""
    return re.search(r'data-state="(\w*)" data-open="([\w ]*)"', html).groups()


@pytest.fixture
def drifting(traffic):
    return [traffic.measure(number, ONE_SIDED) for number in (2, 3, 4)][-1]


@pytest.fixture
def recent(traffic):
    """Three days up to yesterday, so that they lie in the last four weeks."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for back in (3, 2, 1):
        traffic.write(today - timedelta(days=back) + timedelta(hours=4), ONE_SIDED, right=30, wrong=10)
    return actions.catch_up(traffic.endpoint, today + timedelta(hours=1))


def test_an_endpoint_that_was_never_measured_shows_it(client_for, live_endpoint, omar):
    answer = client_for(omar).get(url("endpoint", live_endpoint))

    html = answer.content.decode()
    assert (answer.context["report"], answer.context["mark"], answer.context["lines"]) == (None, "off", [])
    assert html.count('class="st off boxed"') == 1  # beside the title
    assert html.count('class="st off"') == 1  # the one note
    assert 'data-state=""' in html
    assert "data-monitor" not in html


def test_a_drifting_endpoint_names_the_monitor_its_value_and_its_limit(client_for, drifting, omar):
    answer = client_for(omar).get(url("endpoint", drifting.endpoint))

    html = answer.content.decode()
    assert opened(html) == ("drift", "label ")
    assert [row.monitor for row in answer.context["open"]] == ["label"]
    assert f"PSI {drifting.results['label']['value']:.3f}" in html
    assert "PSI 0.100" in html
    assert 'data-chart="bins-label-figure"' in html
    assert 'data-chart="bins-confidence-figure"' in html
    label = next(line for line in answer.context["lines"] if line.monitor == "label")
    assert "3 of the last 3" in label.why
    assert label.why in html


def test_weeks_and_accuracy_are_drawn(client_for, recent, omar):
    answer = client_for(omar).get(url("endpoint", recent[0].endpoint))

    html = answer.content.decode()
    assert "3 of 3 days" in answer.context["weeks"].lead
    assert f'data-chart="{answer.context["weeks"].id}-figure"' in html
    assert answer.context["weeks"].lead in html
    assert 'data-chart="accuracy-figure"' in html
    assert "75.0" in answer.context["accuracy"].lead
    assert answer.context["accuracy"].lead in html


def test_too_little_is_shown_as_too_little(client_for, traffic, omar):
    traffic.measure(2, {"billing": 3})

    html = client_for(omar).get(url("endpoint", traffic.endpoint)).content.decode()

    assert opened(html) == ("insufficient", "")
    assert 'id="insufficient"' in html
    assert DriftReport.objects.get().why in html
    assert page.endpoint(omar, traffic.endpoint, {})["mark"] == "half"


def test_a_failed_measurement_is_not_good(client_for, live_endpoint, omar):
    DriftReport.objects.create(
        endpoint=live_endpoint,
        version=live_endpoint.alias.version,
        window_start=day(2).start,
        window_end=day(2).end,
        rows=9,
        state="failed",
        why="The evaluation of 1.0.0 cannot be used.",
    )

    html = client_for(omar).get(url("endpoint", live_endpoint)).content.decode()

    assert opened(html) == ("failed", "")
    assert 'id="failed"' in html
    assert "The evaluation of 1.0.0 cannot be used." in html
    assert page.endpoint(omar, live_endpoint, {})["mark"] == "bad"


def test_an_older_window_has_an_address(client_for, traffic, omar):
    first, _ = traffic.measure(2), traffic.measure(3, ONE_SIDED)
    client = client_for(omar)

    html = client.get(url("endpoint", traffic.endpoint), {"report": first.uuid}).content.decode()

    assert f"PSI {first.results['label']['value']:.3f}" in html
    assert client.get(url("endpoint", traffic.endpoint), {"report": "nonsense"}).status_code == 404
    assert client.get(url("endpoint", traffic.endpoint), {"report": traffic.endpoint.uuid}).status_code == 404


def test_the_page_is_about_one_version_and_one_window(
    client_for, project, traffic, texts_checked, omar, ravi, mia
):
    """What was measured of the version after it is on the page of that version's windows alone."""
    first = traffic.measure(2, ONE_SIDED, right=60, wrong=0)
    newer = registry.make_version(project, mia, ravi, model=traffic.endpoint.model, semver="1.1.0")
    traffic.write(day(3).start, EVEN, version=newer, right=0, wrong=60)
    second = actions.measure(traffic.endpoint, newer, day(3))

    old, new = (
        page.endpoint(omar, traffic.endpoint, {"report": str(each.uuid), "period": "1y"})
        for each in (first, second)
    )

    assert (old["word"], new["word"]) == ("Watch", "No drift")
    assert (old["check"], new["check"]) == (texts_checked, None)
    ratio = {report: pytest.approx(report.results["label"]["ratio"]) for report in (first, second)}
    assert [line.ratios for line in old["lines"] if line.monitor == "label"] == [[ratio[first]]]
    assert [line.ratios for line in new["lines"] if line.monitor == "label"] == [[ratio[second]]]
    since = day(1).start
    assert list(queries.ratios_by_day(traffic.endpoint, newer, since)) == [day(3).start.date()]
    assert [start for start, _ in queries.estimates(traffic.endpoint, newer, since)[0]] == [day(3).start]


def test_an_older_window_shows_what_was_open_then(traffic, omar):
    reports = [traffic.measure(number, ONE_SIDED) for number in (2, 3, 4)]

    words = [page.endpoint(omar, traffic.endpoint, {"report": str(each.uuid)})["word"] for each in reports]

    assert words == ["Watch", "Watch", "Drift: predicted label"]


def test_the_list_shows_state_and_shape(client_for, recent, omar):
    html = client_for(omar).get(reverse("drift:list")).content.decode()

    assert "support-inbox-prod" in html
    assert re.findall(r'data-state="(\w+)"', html) == ["drift"]
    assert '<svg class="spark"' in html
    assert 'data-drifting="1"' in html


def test_a_stranger_sees_nothing(client_for, drifting, otto, omar):
    client = client_for(otto)

    assert "support-inbox-prod" in client_for(omar).get(reverse("drift:list")).content.decode()
    assert "support-inbox-prod" not in client.get(reverse("drift:list")).content.decode()
    for name in ("endpoint", "panel", "behind"):
        assert client.get(url(name, drifting.endpoint)).status_code == 404


def test_the_panel_is_a_fragment(client_for, drifting, omar):
    html = client_for(omar).get(url("panel", drifting.endpoint), **HTMX).content.decode()

    assert html.lstrip().startswith('<div id="drift-panel" class="stack gap-3" data-state="drift">')
    assert 'data-monitor="label"' in html
    assert url("endpoint", drifting.endpoint) in html


# ── Texts ───────────────────────────────────────────────────────────────────
@pytest.fixture
def answers(live_endpoint, traffic):
    """Answers of the second of March with their texts, and that day measured."""
    at = "2026-03-02T10:00:00.000+00:00"
    rows = [(f"The parcel <b>{n}</b> never came", "delivery", 0.9) for n in range(30)] + [
        ("Money back", "refund", 0.4)
    ] * 30
    endpoints.write_segment(*[endpoints.spool_line(live_endpoint, each, at=at) for each in rows])
    spool.ingest()
    return actions.measure(live_endpoint, live_endpoint.alias.version, day(2))


def test_the_texts_of_a_bin_are_its_answers(client_for, answers, ana):
    assert {row[0]: row[2] for row in answers.bins["label"]} == {"delivery": 30, "refund": 30, "billing": 0}
    client = client_for(ana)

    html = client.get(
        url("behind", answers.endpoint), {"report": answers.uuid, "monitor": "label", "bin": "refund"}, **HTMX
    ).content.decode()

    assert html.count("Money back") == 20
    assert "parcel" not in html


def test_the_texts_of_bins_of_numbers(client_for, answers, ana):
    client, found = client_for(ana), {}
    for monitor in ("confidence", "length"):
        for name, _, now in answers.bins[monitor]:
            html = client.get(
                url("behind", answers.endpoint), {"monitor": monitor, "bin": name}, **HTMX
            ).content.decode()
            found[monitor, name] = html.count('<td class="nowrap"><a href')
            assert found[monitor, name] == min(20, now), (monitor, name)


def test_texts_are_escaped_and_for_those_who_read_texts(client_for, answers, ana, omar):
    wanted = {"monitor": "label", "bin": "delivery"}

    read = client_for(ana).get(url("behind", answers.endpoint), wanted).content.decode()
    assert ("&lt;b&gt;" in read, "parcel" in read, 'data-hidden="texts"' in read) == (True, True, False)
    html = client_for(omar).get(url("behind", answers.endpoint), wanted).content.decode()
    assert "parcel" not in html
    assert 'data-hidden="texts"' in html


@pytest.mark.postgres
def test_erased_texts_are_gone(client_for, answers, ana):
    Prediction.objects.update(text=None)

    html = (
        client_for(ana)
        .get(url("behind", answers.endpoint), {"monitor": "label", "bin": "delivery"})
        .content.decode()
    )

    assert "parcel" not in html
    assert html.count('data-text="none"') == 20


@pytest.mark.parametrize(
    "wanted", [{"monitor": "nonsense"}, {"monitor": "label", "bin": "nonsense"}, {"report": "nonsense"}]
)
def test_bins_that_are_not_there(client_for, answers, ana, wanted):
    assert client_for(ana).get(url("behind", answers.endpoint), wanted).status_code == 404


def text_check(endpoint, *, requested):
    """A check of texts that names words."""
    return TextCheck.objects.create(
        endpoint=endpoint,
        version=endpoint.alias.version,
        window_start=day(2).start,
        window_end=day(2).end,
        requested=requested,
        rows=60,
        reference_rows=60,
        state="ok",
        new_words=[{"word": "zebulon", "reference": 0.0, "current": 0.4}],
        missing_words=[{"word": "parcel", "reference": 0.4, "current": 0.1}],
    )


@pytest.fixture
def texts_checked(live_endpoint):
    return text_check(live_endpoint, requested=False)


def test_words_of_texts_are_for_those_who_read_texts(client_for, texts_checked, traffic, ana, omar):
    traffic.measure(2)
    address = url("endpoint", texts_checked.endpoint)

    read = client_for(ana).get(address).content.decode()
    assert ("zebulon" in read, "parcel" in read, 'id="words-hidden"' in read) == (True, True, False)
    html = client_for(omar).get(address).content.decode()
    assert ("zebulon" in html, "parcel" in html) == (False, False)
    assert 'id="words-hidden"' in html


def test_the_api_has_no_words_for_who_does_not_read_texts(
    api, client_for, texts_checked, live_endpoint, traffic, ana
):
    traffic.measure(2)
    text_check(live_endpoint, requested=True)
    address = reverse("api-drift", args=[texts_checked.endpoint.uuid])

    for name in ("texts", "requested_texts"):
        hidden = api.get(address).json()[name]
        assert (hidden["new_words"], hidden["missing_words"], hidden["rows"]) == (None, None, 60)
        shown = client_for(ana).get(address).json()[name]
        assert [each["word"] for each in (*shown["new_words"], *shown["missing_words"])] == [
            "zebulon",
            "parcel",
        ]


def test_monitors_have_their_order_whatever_the_database_makes_of_it(client_for, traffic, omar):
    report = traffic.measure(2)
    turned = dict(reversed(report.results.items()))
    where = {"endpoint": report.endpoint, "version": report.version, "window_end": report.window_end}
    turned_report = DriftReport(results=turned, **where)
    found = page.monitor_lines(turned_report, None)

    assert [line.monitor for line in found] == ["label", "confidence", "length", "oov", "accuracy"]
    drawn = page.histograms(DriftReport(results=turned, bins=dict(sorted(report.bins.items(), reverse=True))))
    assert [each.monitor for each in drawn] == ["label", "confidence", "length"]


def test_a_year_has_all_its_days_and_the_estimates_say_where_they_begin(
    client_for, traffic, omar, monkeypatch
):
    reports = [traffic.measure(number, ONE_SIDED if number == 3 else EVEN) for number in range(2, 7)]
    since, version = day(2).start, reports[0].version

    days = queries.ratios_by_day(traffic.endpoint, version, since)

    assert list(days) == [day(number).start.date() for number in range(2, 7)]
    assert days[day(3).start.date()]["label"] == pytest.approx(reports[1].results["label"]["ratio"])
    assert set(days[day(2).start.date()]) == {"label", "confidence", "length", "accuracy"}
    assert queries.estimates(traffic.endpoint, version, since)[1] is False
    monkeypatch.setattr(queries.estimates, "__defaults__", (2,))
    assert [start for start, _ in queries.estimates(traffic.endpoint, version, since)[0]] == [
        day(5).start,
        day(6).start,
    ]
    assert "2026-03-05 00:00" in page.accuracy(reports[-1], since).caption


# ── Measuring now ───────────────────────────────────────────────────────────
@pytest.mark.postgres
def test_who_may_has_it_measured_once(client_for, live_endpoint, omar):
    client = client_for(omar)

    assert client.post(url("measure", live_endpoint)).status_code == 302
    assert client.post(url("measure", live_endpoint)).status_code == 302

    job = Job.objects.get(kind="drift.measure")
    assert job.created_by == omar
    event = Event.objects.get(verb="drift.measured")
    assert event.actor == str(omar.uuid)
    answer = client.get(url("endpoint", live_endpoint))
    assert answer.context["job"] == job
    assert f'id="job-{job.uuid}"' in answer.content.decode()
    assert 'aria-disabled="true"' in answer.content.decode()


def test_people_who_may_not_see_who_may(client_for, live_endpoint, ana, omar):
    client = client_for(ana)

    assert client.post(url("measure", live_endpoint)).status_code == 403
    assert not Job.objects.filter(kind="drift.measure").exists()
    address = url("endpoint", live_endpoint)
    pages = [client_for(person).get(address).content.decode() for person in (ana, omar)]
    assert [page.count('aria-disabled="true"') for page in pages] == [1, 0]
    assert all(f'action="{url("measure", live_endpoint)}"' in page for page in pages)


# ── Queries ─────────────────────────────────────────────────────────────────
def count(client, address):
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


def test_more_windows_need_no_more_queries(client_for, traffic, omar):
    client = client_for(omar)
    traffic.measure(2, ONE_SIDED)
    addresses = [url("endpoint", traffic.endpoint), url("panel", traffic.endpoint), reverse("drift:list")]
    before = [count(client, address) for address in addresses]

    for number in range(3, 9):
        traffic.measure(number, ONE_SIDED if number % 2 else EVEN)

    assert [count(client, address) for address in addresses] == before


def test_more_endpoints_need_no_more_queries(client_for, traffic, omar):
    traffic.measure(2)
    client = client_for(omar)
    before = count(client, reverse("drift:list"))

    for slug in ("second", "third"):
        other = endpoints.copied(traffic.endpoint, slug)
        actions.measure(other, other.alias.version, day(2))

    assert count(client, reverse("drift:list")) == before
    assert len(page.listing(omar)["lines"]) == 3


# ── API ─────────────────────────────────────────────────────────────────────
@pytest.fixture
def api(live_endpoint, omar):
    _, secret = create_token(user=omar, name="watch", scopes=["read", "train"], days=1)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_the_api_shows_the_same(api, drifting):
    found = api.get(reverse("api-drift", args=[drifting.endpoint.uuid])).json()

    assert (found["report"]["state"], found["report"]["worst"], found["texts"]) == ("drift", "label", None)
    assert found["report"]["results"]["label"]["open"] is True
    assert [each["monitor"] for each in found["open"]] == ["label"]
    assert found["episodes"] == found["open"]
    detail = api.get(reverse("api-drift-report", args=[drifting.uuid])).json()
    assert sorted(row[2] for row in detail["bins"]["label"]) == [110, 110, 380]


def test_the_api_pages_by_key(api, traffic, monkeypatch):
    for number in range(2, 7):
        traffic.measure(number)
    monkeypatch.setattr(queries.page_of_reports, "__defaults__", (2,))
    address, seen, before = reverse("api-drift-reports", args=[traffic.endpoint.uuid]), [], ""
    while before is not None:
        page = api.get(address, {"before": before}).json()
        seen += [each["window_end"][:10] for each in page["results"]]
        before = page["before"]

    assert seen == [f"2026-03-0{number}" for number in (7, 6, 5, 4, 3)]


@pytest.mark.postgres
def test_the_api_shows_what_was_requested(api, traffic):
    traffic.write(day(4).start, ONE_SIDED)
    requested = actions.measure(traffic.endpoint, traffic.endpoint.alias.version, day(4), requested=True)

    found = api.get(reverse("api-drift", args=[traffic.endpoint.uuid])).json()

    assert (found["report"], found["requested"]["uuid"], found["requested"]["requested"]) == (
        None,
        str(requested.uuid),
        True,
    )


@pytest.mark.postgres
def test_the_api_has_it_measured(api, live_endpoint):
    answer = api.post(reverse("api-drift-measure", args=[live_endpoint.uuid]))

    assert answer.status_code == 202
    assert answer.json()["kind"] == "drift.measure"


def test_a_page_asks_once_what_is_live(traffic, omar):
    traffic.measure(2)
    with CaptureQueriesContext(connection) as seen:
        page.endpoint(omar, traffic.endpoint, {})

    assert sum('FROM "endpoints_deployment"' in each["sql"] for each in seen) == 1


@pytest.mark.parametrize(("rows", "shown"), [(19, None), (20, "100.0\u00a0%")])
def test_a_share_of_little_feedback_is_no_figure_here_either(rows, shown):
    measured = {"value": 1.0, "low": 0.83, "high": 1.0, "rows": rows, "senders": None}

    assert page.correct_figure(measured).value == shown
    assert (charts.accuracy_lead([], [charts.Accuracy(day(2).start, None, measured)]) != "") == (
        shown is not None
    )
