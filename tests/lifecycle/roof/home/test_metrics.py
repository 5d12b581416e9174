"""/metrics of the site: its metrics, their sources, and who may read them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.roof.home import metrics
from lifecycle.roof.home.counting import room_of
from lifecycle.runtime.scraping import PROXIED
from monitoring.alerts import queries
from monitoring.alerts.models import Heartbeat

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[4]


def scrape(client, **headers):
    """Samples by name and labels, as Prometheus reads them."""
    answer = client.get("/metrics", **headers)
    assert answer.status_code == 200
    found = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name.removeprefix("lifecycle_"), *sorted(sample.labels.items())): sample.value
        for each in found
        for sample in each.samples
    }


def job(queue, state, now, **fields):
    ended = {"finished_at": now} if state in (State.SUCCEEDED, State.FAILED) else {}
    leased = {"lease_token": "0" * 32, "lease_until": now} if state == State.RUNNING else {}
    failed = {"error": "It failed."} if state == State.FAILED else {}
    return Job.objects.create(
        kind="test.kind",
        queue=queue,
        state=state,
        **({"available_at": now} | ended | leased | failed | fields),
    )


def test_jobs_and_workers_come_from_the_database(client):
    now = timezone.now()
    job("default", State.QUEUED, now, available_at=now - timedelta(seconds=300))
    # not due yet: no one waits for it
    job("default", State.QUEUED, now, available_at=now + timedelta(hours=1))
    job("training", State.RUNNING, now, heartbeat_at=now - timedelta(seconds=40))
    job("scans", State.FAILED, now)
    job("scans", State.SUCCEEDED, now)

    found = scrape(client)

    assert found["jobs", ("queue", "default"), ("state", "queued")] == 2
    assert found["jobs", ("queue", "training"), ("state", "running")] == 1
    assert found["jobs", ("queue", "scans"), ("state", "queued")] == 0
    assert found["jobs_oldest_seconds", ("queue", "default")] == pytest.approx(300, abs=20)
    assert found["jobs_oldest_seconds", ("queue", "training")] == 0
    assert found["worker_heartbeat_age_seconds", ("queue", "training")] == pytest.approx(40, abs=20)
    assert found["jobs_recent", ("queue", "scans"), ("state", "failed")] == 1
    assert found["jobs_recent", ("queue", "default"), ("state", "failed")] == 0


def test_ingest_lags_by_the_age_of_the_oldest_segment(client, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert scrape(client)["ingest_lag_seconds",] == 0
    spool = tmp_path / "spool"
    spool.mkdir()
    for name, age in (("old.jsonl", 90), ("new.jsonl", 5), ("writing.open", 500)):
        (spool / name).write_bytes(b"1234")
        os.utime(spool / name, (timezone.now().timestamp() - age,) * 2)

    found = scrape(client)

    assert found["ingest_lag_seconds",] == pytest.approx(90, abs=20)
    assert found["spool_bytes",] == 8


def test_a_segment_that_is_taken_in_while_it_is_counted_is_passed_over(client, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "there.jsonl").write_bytes(b"1234")
    (tmp_path / "spool" / "gone.jsonl").symlink_to(tmp_path / "nowhere")

    found = scrape(client)

    assert found["spool_bytes",] == 4
    assert found["scrape_problem", ("part", "ingest")] == 0


def test_burn_rates_and_heartbeats_are_exported(client, monkeypatch):
    Heartbeat.objects.update_or_create(
        name=Heartbeat.EVALUATION, defaults={"at": timezone.now() - timedelta(seconds=33)}
    )
    row = {"endpoint": "inbox-prod", "slo": "availability", "window": "1h", "value": 14.4}
    monkeypatch.setattr(metrics, "burn_rates", lambda: [row])

    found = scrape(client)

    assert (
        found["slo_burn_rate", ("endpoint", "inbox-prod"), ("slo", "availability"), ("window", "1h")] == 14.4
    )
    assert found["heartbeat_age_seconds", ("name", "evaluation")] == pytest.approx(33, abs=20)
    assert found["alerts_open", ("severity", "page")] == 0
    assert list(queries.burn_rates()) == []


def test_requests_are_counted_by_room_and_never_by_what_a_visitor_made_up(client):
    before = scrape(client)
    client.get("/healthz")
    client.get("/made-up-by-a-visitor/")
    client.get("/api/v1/models/")

    found = scrape(client)

    def more(*key):
        return found[key] - before.get(key, 0)

    home = (("method", "GET"), ("room", "home"))
    assert more("web_requests_total", ("code", "200"), *home) == 2  # /healthz and the scrape before
    assert more("web_request_duration_seconds_count", *home) == 2
    assert more("web_requests_total", ("code", "404"), ("method", "GET"), ("room", "none")) == 1
    assert more("web_requests_total", ("code", "401"), ("method", "GET"), ("room", "api")) == 1
    assert "made-up" not in str(found)


def test_an_unknown_method_is_no_label(client, rf):
    client.generic("BREW-COFFEE", "/healthz")

    assert any(("method", "other") in key for key in scrape(client))
    assert room_of(rf.get("/static/css/x.css")) == "static"


def test_a_failing_part_is_named_and_the_others_are_exported(client, monkeypatch):
    def broken(_now):
        raise OSError

    monkeypatch.setitem(metrics.PARTS, "ingest", broken)

    found = scrape(client)

    assert found["scrape_problem", ("part", "ingest")] == 1
    assert found["scrape_problem", ("part", "jobs")] == 0
    assert ("jobs_oldest_seconds", ("queue", "default")) in found
    assert ("ingest_lag_seconds",) not in found


def test_the_number_of_statements_does_not_grow(client):
    with CaptureQueriesContext(
        connection,
    ) as few:
        scrape(client)
    for _ in range(20):
        job("default", State.QUEUED, timezone.now())

    with CaptureQueriesContext(connection) as many:
        scrape(client)

    assert len(many) == len(few) <= 12


def test_without_a_token_only_this_machine_reads_them(client):
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.7").status_code == 404
    for name in PROXIED:
        assert client.get("/metrics", headers={name: "10.0.0.7"}).status_code == 404


def test_with_a_token_set_only_that_token_reads_them(client, settings):
    settings.METRICS_TOKEN = "secret-of-prometheus"

    for given in ("", "Bearer secret", "Basic secret-of-prometheus"):
        assert client.get("/metrics", headers={"authorization": given}).status_code == 401
    answer = client.get(
        "/metrics", headers={"authorization": "Bearer secret-of-prometheus"}, REMOTE_ADDR="10.0.0.7"
    )
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")


def test_several_processes_add_up_through_one_folder(tmp_path):
    count = "from lifecycle.roof.home import counting; counting.requests.labels('home', 'GET', '200').inc(2)"
    totals = "[s.value for f in counting.families() for s in f.samples if s.name.endswith('total')]"
    script = f"from lifecycle.roof.home import counting; print({totals})"
    environment = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "lifecycle.settings",
    }
    for _ in range(2):
        subprocess.run([sys.executable, "-c", count], env=environment, check=True)

    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == "[4.0]"


@pytest.mark.parametrize(("workers", "shared"), [("1", False), ("2", True)])
def test_the_web_server_shares_a_folder_when_it_has_several_processes(monkeypatch, workers, shared):
    monkeypatch.setenv("WEB_WORKERS", workers)
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    spec = importlib.util.spec_from_file_location("gunicorn_conf", ROOT / "deploy" / "gunicorn.conf.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))

    folder = os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

    assert (folder is not None) is shared
    if folder:
        Path(folder).rmdir()
