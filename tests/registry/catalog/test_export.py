"""An export is made by a job once for each revision of the card, kept while it is used, and never handed out
of a version in quarantine.
"""

from __future__ import annotations

import errno
import os
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from model_signing._signing.sign_sigstore_pb import Signature
from rest_framework.test import APIClient

from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs import runner
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.runtime.refusals import Conflict
from registry.catalog import actions, queries
from registry.catalog.actions import exports
from registry.catalog.models import ModelVersion, PackedExport
from registry.ground.access.actions import create_token
from registry.ground.ledger.models import Event
from tests.support import registry
from tests.support.jobs import run_jobs, run_ok
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(project, mia, ravi) -> ModelVersion:
    return registry.make_version(project, mia, ravi)


class Killed(BaseException):
    """The worker is killed here: no handler of errors sees it."""


def lying() -> list[str]:
    """What lies in the folder of exports, and what jobs left where they work."""
    folders = [queries.exports_folder(), Path(settings.DATA_DIR) / "scratch"]
    return sorted(
        path.relative_to(folder).as_posix()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    )


def the_zip(version: ModelVersion) -> str:
    return f"{queries.newest_card(version).uuid}.zip"


def downloads() -> int:
    return Event.objects.filter(verb="catalog.exported").count()


def revise(version: ModelVersion, actor, purpose: str = "Other.") -> None:
    actions.edit_card(
        version=version, stated={"purpose": purpose}, seen=queries.newest_card(version).digest, actor=actor
    )


def leave_unused(version: ModelVersion, actor) -> None:
    """An export that no one has downloaded for eight days."""
    registry.exported(version, actor).close()
    path, long_ago = queries.exports_folder() / the_zip(version), timezone.now() - timedelta(days=8)
    os.utime(path, (long_ago.timestamp(), long_ago.timestamp()))
    PackedExport.objects.update(stamp=queries.stamp_of(path.stat()), used_at=long_ago)


def during(monkeypatch, act) -> None:
    """Have something happen while an export is made, before it is packed."""
    put_beside = exports.put_beside
    monkeypatch.setattr(exports, "put_beside", lambda *given: (put_beside(*given), act()))


@pytest.mark.postgres
def test_an_export_is_made_once_and_each_download_is_an_event(version, mia, lee):
    first = actions.ask_export(version=version, actor=mia)
    assert actions.ask_export(version=version, actor=lee) == first
    run_ok("default")
    assert (lying(), downloads()) == ([the_zip(version)], 0)

    for person in (mia, lee):
        with actions.download(version=version, actor=person) as packed, zipfile.ZipFile(packed) as archive:
            assert archive.testzip() is None

    assert [event.actor for event in Event.objects.filter(verb="catalog.exported").order_by("pk")] == [
        str(mia.uuid),
        str(lee.uuid),
    ]


def test_one_that_is_there_is_not_made_again(version, mia, monkeypatch):
    registry.exported(version, mia).close()
    monkeypatch.setattr(exports, "pack", None)

    actions.ask_export(version=version, actor=mia)

    run_ok("default")
    assert Job.objects.filter(kind="catalog.export").count() == 2


@pytest.mark.postgres
def test_a_new_revision_of_the_card_is_another_export(version, mia):
    registry.exported(version, mia).close()
    earlier = the_zip(version)
    revise(version, mia)

    with refused(by=Conflict, match="isn't exported yet"):
        actions.download(version=version, actor=mia)
    assert downloads() == 1

    with registry.exported(version, mia) as packed, zipfile.ZipFile(packed) as archive:
        assert archive.read("model/README.md").decode() == queries.newest_card(version).text
    assert sorted(lying()) == sorted([earlier, the_zip(version)])


@pytest.mark.parametrize("meanwhile", ["quarantine", "revision"])
def test_what_is_no_longer_handed_out_when_it_is_packed_ends_the_job(
    version, mia, lee, monkeypatch, meanwhile
):
    actions.ask_export(version=version, actor=mia)
    acts = {
        "quarantine": lambda: actions.quarantine(
            version_id=version.uuid, reason="It leaks names.", actor=lee
        ),
        "revision": lambda: revise(version, mia),
    }
    during(monkeypatch, acts[meanwhile])

    [job] = run_jobs("default")

    message = {"quarantine": "It leaks names.", "revision": "newer revision"}[meanwhile]
    assert (job.state, message in job.error, lying()) == (State.FAILED, True, [])


@pytest.mark.postgres
def test_nothing_is_made_or_handed_out_of_a_version_in_quarantine_not_even_what_was_made_before(
    version, mia, lee
):
    registry.exported(version, mia).close()
    version.refresh_from_db()
    stale = ModelVersion.objects.select_related("model__project").get(pk=version.pk)
    actions.quarantine(version_id=version.uuid, reason="It leaks names.", actor=lee)

    for act in (actions.ask_export, actions.download):
        with refused(naming=("It leaks names.",)):
            act(version=ModelVersion.objects.get(pk=version.pk), actor=mia)
    with refused(naming=("It leaks names.",)):
        actions.download(version=stale, actor=mia)  # read just before
    assert (downloads(), Job.objects.filter(kind="catalog.export").count()) == (1, 1)
    assert actions.sweep_exports(timezone.now()) == 1
    assert lying() == []


def test_a_cancelled_export_leaves_nothing(version, mia, monkeypatch):
    job = actions.ask_export(version=version, actor=mia)
    during(monkeypatch, lambda: jobs.cancel(job.uuid, mia))

    [ended] = run_jobs("default")

    assert (ended.state, lying()) == (State.CANCELLED, [])


def test_what_a_killed_worker_left_is_removed_and_the_job_is_done_by_another(version, mia, monkeypatch):
    def kill() -> None:
        (exports.scratch(job) / "export.zip").write_bytes(b"half")
        raise Killed

    actions.ask_export(version=version, actor=mia)
    job = jobs.claim("default")
    with monkeypatch.context() as patched:
        patched.setattr(exports, "forget", lambda job: None)  # a kill runs no clean-up
        during(patched, kill)
        with pytest.raises(Killed):
            runner.execute(job, beating=False)
    assert lying() == [f"{job.uuid}/export.zip"]
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(hours=1))

    assert jobs.reap() == 1
    run_ok("default")

    assert lying() == [the_zip(version)]


def test_a_job_that_is_given_up_leaves_nothing(version, mia):
    actions.ask_export(version=version, actor=mia)
    job = jobs.claim("default")
    exports.scratch(job).mkdir(parents=True)
    (exports.scratch(job) / "export.zip").write_bytes(b"half")
    Job.objects.filter(pk=job.pk).update(
        attempt=job.max_attempts, lease_until=timezone.now() - timedelta(hours=1)
    )

    assert jobs.reap() == 1

    job.refresh_from_db()
    assert (job.state, lying()) == (State.FAILED, [])


@pytest.mark.parametrize("attempts", ["none left", "one more"])
def test_a_worker_that_loses_its_job_while_it_verifies_quarantines_nothing(
    version, mia, monkeypatch, attempts
):
    def lose() -> None:
        used = Job.objects.get(kind="catalog.export").max_attempts if attempts == "none left" else 1
        Job.objects.filter(kind="catalog.export").update(
            attempt=used, lease_until=timezone.now() - timedelta(hours=1)
        )
        assert jobs.reap() == 1
        exports.forget(Job.objects.get(kind="catalog.export"))  # as the worker does that takes it over

    actions.ask_export(version=version, actor=mia)
    read = Signature.read
    monkeypatch.setattr(Signature, "read", lambda path: (read(path), lose())[0])
    runner.execute(jobs.claim("default"), beating=False)

    state = State.FAILED if attempts == "none left" else State.QUEUED
    assert (ModelVersion.objects.get().state, Job.objects.get(kind="catalog.export").state, lying()) == (
        "active",
        state,
        [],
    )


def test_a_full_disk_is_reported_and_nothing_is_left(version, mia, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    actions.ask_export(version=version, actor=mia)
    monkeypatch.setattr(exports.os, "fsync", full)

    [job] = run_jobs("default")

    assert (job.state, job.error, lying()) == (
        State.FAILED,
        "The server's disk is full, so the version wasn't exported.",
        [],
    )
    assert downloads() == 0


def test_an_export_is_swept_a_week_after_its_last_use_or_when_the_card_has_another_revision(version, mia):
    leave_unused(version, mia)
    actions.download(version=version, actor=mia).close()
    assert (actions.sweep_exports(timezone.now()), lying()) == (0, [the_zip(version)])

    assert actions.sweep_exports(timezone.now() + timedelta(days=8)) == 1
    assert lying() == []

    registry.exported(version, mia).close()
    revise(version, mia)
    assert actions.sweep_exports(timezone.now()) == 1
    assert lying() == []


def test_who_asks_again_for_an_export_that_is_there_can_download_it_for_another_week(
    version, mia, monkeypatch
):
    leave_unused(version, mia)
    monkeypatch.setattr(exports, "pack", None)
    actions.ask_export(version=version, actor=mia)
    run_ok("default")

    assert (actions.sweep_exports(timezone.now()), lying()) == (0, [the_zip(version)])
    actions.download(version=version, actor=mia).close()


def test_what_is_packed_while_a_sweep_decides_is_not_removed(version, mia, monkeypatch):
    def publish_first(found: ModelVersion) -> ModelVersion:
        PackedExport.objects.update(used_at=timezone.now())
        return locked(found)

    leave_unused(version, mia)
    locked = exports.locked
    monkeypatch.setattr(exports, "locked", publish_first)

    assert (actions.sweep_exports(timezone.now()), lying()) == (0, [the_zip(version)])


def test_two_sweeps_at_once_do_not_disturb_each_other(version, mia, monkeypatch):
    leave_unused(version, mia)
    found = list(queries.exports_folder().glob("*"))
    assert actions.sweep_exports(timezone.now()) == 1

    monkeypatch.setattr(Path, "glob", lambda *_: found)  # as the other one had listed them

    actions.sweep_exports(timezone.now())
    monkeypatch.undo()
    assert lying() == []


def in_its_place(path: Path) -> None:
    path.with_suffix(".new").write_bytes(b"PK another")
    path.with_suffix(".new").replace(path)


def in_its_bytes(path: Path) -> None:
    """Of the same size, and dated back."""
    found = path.stat()
    with path.open("r+b") as file:
        file.write(b"PK another")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("change", [in_its_place, in_its_bytes])
def test_what_was_changed_on_the_disk_is_not_handed_out_and_is_packed_anew(version, mia, client_for, change):
    with registry.exported(version, mia) as packed:
        whole = packed.read()
    change(queries.exports_folder() / the_zip(version))

    with pytest.raises(Conflict):
        actions.download(version=version, actor=mia)
    assert (client_for(mia).get(f"/models/versions/{version.uuid}/").context["export"], downloads()) == (
        None,
        1,
    )

    with registry.exported(version, mia) as packed, zipfile.ZipFile(packed) as archive:
        assert (archive.testzip(), packed.seek(0, os.SEEK_END)) == (None, len(whole))


def test_a_sweep_asks_the_same_for_one_export_and_for_many(version, mia):
    registry.exported(version, mia).close()
    with CaptureQueriesContext(connection) as one:
        actions.sweep_exports(timezone.now())
    for at in range(20):
        # of rows that a restore took back
        (queries.exports_folder() / f"00000000-0000-4000-8000-{at:012}.zip").write_bytes(b"")

    with CaptureQueriesContext(connection) as many:
        assert actions.sweep_exports(timezone.now()) == 20
    assert len(many) == len(one) == 1


def test_who_may_not_export_neither_starts_nor_downloads_one(version, mia, ana, aida):
    registry.exported(version, mia).close()

    for person in (ana, aida):
        for act in (actions.ask_export, actions.download):
            with pytest.raises(PermissionDenied):
                act(version=version, actor=person)
    assert (downloads(), Job.objects.filter(kind="catalog.export").count()) == (1, 1)


def test_the_page_goes_from_the_button_to_progress_to_the_download(version, mia, aida, client_for):
    client, page, address = (
        client_for(mia),
        f"/models/versions/{version.uuid}/",
        reverse("catalog:export", args=[version.uuid]),
    )
    assert client.get(address).status_code == 409
    assert (client.get(page).context["export"], client.get(page).context["export_job"]) == (None, None)

    answer = client.post(address)
    assert (answer.status_code, answer["Location"]) == (302, f"{page}#export")
    job = client.get(page).context["export_job"]
    assert (job.kind, job.state, str(job.uuid) in client.get(page).content.decode()) == (
        "catalog.export",
        State.QUEUED,
        True,
    )
    run_ok("default")

    assert (
        client.get(page).context["export"].size
        == (queries.exports_folder() / the_zip(version)).stat().st_size
    )
    answer = client.get(address)
    assert (answer["Content-Type"], answer["Content-Disposition"]) == (
        "application/zip",
        f'attachment; filename="{version.model.slug}-1.0.0.zip"',
    )
    assert int(answer["Content-Length"]) == len(b"".join(answer.streaming_content))
    assert [
        client.head(each).status_code for each in (address, f"/api/v1/versions/{version.uuid}/export/")
    ] == [405, 405]
    assert downloads() == 1
    assert address not in client_for(aida).get(page).content.decode()


@pytest.mark.postgres
def test_a_program_that_may_only_read_exports_over_the_api(version, mia):
    _, secret = create_token(user=mia, name="ci", scopes=["read"], days=1)
    client, address = APIClient(), f"/api/v1/versions/{version.uuid}/export/"
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert client.get(address).status_code == 409

    job = client.post(address)
    assert (job.status_code, job.json()["state"], job.json()["subject"]) == (202, "queued", str(version.uuid))
    assert client.post(address).json()["uuid"] == job.json()["uuid"]
    run_ok("default")

    answer = client.get(address)
    assert (answer.status_code, b"".join(answer.streaming_content)[:2]) == (200, b"PK")
    assert downloads() == 1
