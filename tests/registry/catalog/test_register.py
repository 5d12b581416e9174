"""Registering: sealed, signed, once, with a card of the known facts. A refusal changes nothing."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from datetime import timedelta
from uuid import uuid4

import pytest
import yaml
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from datasets_app.snapshots import protocol
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.runtime import bundle
from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog import actions, card, queries, rules, signed_cards
from registry.catalog.models import Alias, Card, Endpoint, Freeze, ModelVersion
from registry.ground.ledger.models import Event
from tests.support import registry
from tests.support.jobs import run_jobs, run_ok
from tests.support.transactions import is_open
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(project, mia, ravi):
    return registry.make_version(project, mia, ravi)


@pytest.fixture
def model(project, mia):
    return registry.make_model(project, mia)


@pytest.fixture
def run(project, ravi, mia):
    return registry.make_trained_run(registry.make_snapshot(project, ravi), mia)


def counts() -> tuple[int, int, int]:
    return ModelVersion.objects.count(), Card.objects.count(), Event.objects.count()


def test_a_version_is_sealed_with_its_thread(version, mia):
    run = version.run

    assert (version.number, version.semver, version.registered_by, version.state) == (
        1,
        "1.0.0",
        mia,
        "active",
    )
    assert (version.root_digest, version.folder) == (run.artifact.root_digest, run.artifact)
    assert version.evaluation == queries.frozen_evaluation(run)
    assert version.facts["snapshot"]["digest"] == run.snapshot.digest
    assert version.facts["run"]["spec_digest"] == run.spec_digest
    assert Event.objects.filter(verb="catalog.registered", object_id=str(version.uuid)).count() == 1
    assert [file.name for file in actions.verify(version).files] == [
        "adapter_model.safetensors",
        "lifecycle.json",
        "serving/model.onnx",
    ]


@pytest.mark.postgres
def test_a_sealed_version_cannot_be_changed(version):
    for change in ({"semver": "9.9.9"}, {"root_digest": "0" * 64}, {"signature": ""}, {"run": None}):
        with pytest.raises(DatabaseError), transaction.atomic():
            ModelVersion.objects.filter(pk=version.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        ModelVersion.objects.filter(pk=version.pk)._raw_delete("default")

    assert ModelVersion.objects.get().semver == "1.0.0"


def test_what_cannot_be_registered(version, project, mia, ravi):
    model = version.model
    with refused("run", naming=("1.0.0",)):
        actions.register(model=model, run=version.run, semver="1.1.0", actor=mia)
    other = registry.make_trained_run(version.run.snapshot, mia)
    for semver in ("1.0.0", "v2"):
        with refused("semver", naming=(semver,)):
            actions.register(model=model, run=other, semver=semver, actor=mia)
    with refused("humour"):
        actions.register(model=model, run=other, semver="2.0.0", actor=mia, stated={"humour": "x"})
    unmeasured = registry.make_trained_run(version.run.snapshot, mia, evaluated=False)
    with refused("run", naming=(f"Run {unmeasured.number}", f"v{unmeasured.snapshot.number}")):
        actions.register(model=model, run=unmeasured, semver="2.0.0", actor=mia)


def test_a_run_that_was_overtaken_while_waiting_is_refused_by_its_job(model, run, mia):
    for semver in ("1.0.0", "1.1.0"):
        actions.register(model=model, run=run, semver=semver, actor=mia)

    assert sorted(job.state for job in run_jobs("default")) == [State.FAILED, State.SUCCEEDED]
    assert ModelVersion.objects.count() == 1


def test_nothing_is_signed_while_rows_are_locked(model, run, mia, monkeypatch):
    sign, found = bundle.sign, []
    monkeypatch.setattr(bundle, "sign", lambda *given: found.append(is_open(connection)) or sign(*given))
    actions.register(model=model, run=run, semver="1.0.0", actor=mia)

    run_ok("default")

    assert found == [False, False]  # the files, and the card
    assert signed_cards.problem(Card.objects.get()) == ""


@pytest.mark.postgres
def test_a_run_that_is_evaluated_again_while_its_card_is_signed_is_registered_by_what_is_newest(
    model, run, mia, monkeypatch
):
    signed, again = signed_cards.signed, iter([True])

    def overtaken(*given, **options):
        card = signed(*given, **options)
        if next(again, False):
            registry.evaluate(run, run.snapshot, mia, wrong=7)
        return card

    monkeypatch.setattr(signed_cards, "signed", overtaken)
    actions.register(model=model, run=run, semver="1.0.0", actor=mia)

    [job] = run_ok("default")

    version = ModelVersion.objects.get()
    assert (job.attempt, version.evaluation) == (2, queries.frozen_evaluation(run))
    assert version.facts["evaluation"]["digest"] == version.evaluation.report_digest
    assert [signed_cards.problem(card) for card in Card.objects.all()] == [""]


@pytest.mark.parametrize("args", [{"by_system": True}, {"actor": "omar"}])
def test_what_is_written_into_a_waiting_job_frees_no_one(project, ravi, mia, lee, omar, args):
    """Lee registers Mia's run; the job's arguments are changed before it runs."""
    run = registry.make_trained_run(registry.make_snapshot(project, ravi), mia)
    job = actions.register(
        model=registry.make_model(project, mia), run=run, semver="1.0.0", actor=lee, stated=registry.STATED
    )
    actor_args = args if args.get("by_system") else {"actor": str(omar.uuid)}
    Job.objects.filter(pk=job.pk).update(args=job.args | actor_args, created_by=omar)

    run_ok("default")

    version = ModelVersion.objects.get()
    assert (version.registered_by, version.cards.get().author, queries.card_authors(version)) == (
        lee,
        lee,
        {str(lee.uuid)},
    )
    request = registry.asked_request(version, registry.make_endpoint(version.model, mia), mia)
    before = counts()
    with pytest.raises(PermissionDenied):
        registry.approve(request, lee)
    assert (counts(), request.verdicts.count()) == (before, 0)


def state_other_words(job):
    Job.objects.filter(pk=job.pk).update(args=job.args | {"stated": {"purpose": "Anything."}})


def have_no_event(job):
    Job.objects.filter(pk=job.pk).update(uuid=uuid4())


@pytest.mark.parametrize("forge", [state_other_words, have_no_event])
def test_a_registration_that_no_one_asked_for_makes_no_version(model, run, mia, forge):
    forge(actions.register(model=model, run=run, semver="1.0.0", actor=mia, stated=registry.STATED))

    [job] = run_jobs("default")

    assert (job.state, job.error) == (
        State.FAILED,
        "The audit log doesn't say who requested this registration.",
    )
    assert (ModelVersion.objects.count(), Card.objects.count()) == (0, 0)


def test_a_registration_that_was_cancelled_makes_no_version_though_someone_set_its_job_back(model, run, mia):
    job = actions.register(model=model, run=run, semver="1.0.0", actor=mia)
    jobs.cancel(job.uuid, mia)
    Job.objects.filter(pk=job.pk).update(state=State.QUEUED, cancel_requested_at=None, finished_at=None)

    [job] = run_jobs("default")

    assert (job.state, ModelVersion.objects.count()) == (State.CANCELLED, 0)


def test_changing_it_twice_is_idempotent(model, run, mia, lee):
    jobs = {actions.register(model=model, run=run, semver="1.0.0", actor=person) for person in (mia, lee)}
    run_ok("default")

    assert (len(jobs), Event.objects.filter(verb="catalog.registration_requested").count()) == (1, 1)
    assert ModelVersion.objects.get().registered_by == mia


@pytest.mark.parametrize("username", ["ana", "ravi", "gita", "omar", "aida", "otto", "adam"])
def test_who_may_not_register(request, model, run, username):
    with pytest.raises(PermissionDenied):
        actions.register(model=model, run=run, semver="1.0.0", actor=request.getfixturevalue(username))

    assert counts()[0] == 0


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("1.0.0", True),
        (" 0.1.0 ", True),
        ("1.0.0-rc.1", True),
        ("1.0", False),
        ("01.0.0", False),
        ("1.0.0+b", False),
        ("", False),
        ("1.0.0\n2", False),
    ],
)
def test_semantic_versions(text, good):
    if good:
        assert rules.check_semver(text) == text.strip()
        return
    with pytest.raises(Refused):
        rules.check_semver(text)


def test_the_card_shows_what_is_known_and_not_more(project, mia, ravi):
    version = registry.make_version(project, mia, ravi, stated={"limits": "| not | a table |"})
    text = queries.newest_card(version).text
    head = yaml.safe_load(text.split("---")[1])

    assert head["library_name"] == "peft"
    assert head["base_model_relation"] == "adapter"
    assert head["license"] == "apache-2.0"
    assert [metric["type"] for metric in head["model-index"][0]["results"][0]["metrics"]] == [
        "accuracy",
        "f1",
    ]
    assert "## Risks\n\n*not stated*" in text
    rows = version.run.snapshot.counts["rows"]
    assert f"| Label protocol | {rows} imported |\n| Agreement | {protocol.NOT_MEASURED} |" in text
    assert version.run.snapshot.digest in text


def test_the_card_shows_of_labels_what_was_counted_when_they_were_frozen(version):
    alpha = {
        "coefficient": "Krippendorff's alpha, nominal",
        "value": 0.867,
        "low": 0.802,
        "high": 0.914,
        "n": 150,
        "annotators": 3,
    }
    snapshot = version.facts["snapshot"] | {
        "label_protocol": {"decisions": {"imported": 80, "adjudicated": 10}, "agreement": alpha}
    }

    text = card.write(version.facts | {"snapshot": snapshot}, {})

    words = "Krippendorff's alpha, nominal: 0.867, 95\u00a0% interval 0.802 to 0.914, 150 items, 3 annotators"
    assert f"| Label protocol | 80 imported, 10 adjudicated |\n| Agreement | {words} |" in text


@pytest.mark.postgres
def test_the_card_of_a_run_whose_training_broke_shows_it(version):
    run = version.run
    before = card.write(queries.facts(run, version.model, "1.1.0", version.evaluation), {})
    run.error = {
        "code": "nan_loss",
        "message": "The loss became NaN at step 43.",
        "next_step": "Lower the rates.",
    }

    after = card.write(queries.facts(run, version.model, "1.1.0", version.evaluation), {})

    assert "Ended early" not in before
    assert "| Ended early | The loss became NaN at step 43. |" in after


def test_a_card_is_inert_on_the_page(client_for, project, mia, ravi):
    stated = {"purpose": "<script>alert(1)</script> [x](javascript:alert(1)) ![y](https://example.org/y.png)"}
    version = registry.make_version(project, mia, ravi, stated=stated)

    html = client_for(mia).get(reverse("catalog:version", args=[version.uuid])).content.decode()

    assert "<script>alert" not in html
    assert 'href="javascript' not in html
    assert 'example.org/y.png"' not in html


def test_a_card_is_edited_as_another_revision(version, mia):
    first = queries.newest_card(version)

    second = actions.edit_card(version=version, stated={"purpose": "Other."}, seen=first.digest, actor=mia)

    assert (second.revision, second.stated) == (2, {"purpose": "Other."})
    assert Card.objects.get(revision=1).text == first.text
    with refused(by=Conflict):
        actions.edit_card(version=version, stated={}, seen=first.digest, actor=mia)
    with refused():
        actions.edit_card(version=version, stated={"purpose": "Other."}, seen=second.digest, actor=mia)
    assert Card.objects.count() == 2


@pytest.mark.postgres
def test_an_export_is_verified_by_the_public_tool(version, mia, tmp_path):
    with registry.exported(version, mia) as packed, zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path)
    names = sorted(
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob("*")
        if path.is_file() and "var" not in path.parts
    )

    assert {
        "card/README.md",
        "card/model.sig",
        "VERIFY.md",
        "signing.pub.pem",
        "model/model.sig",
        "model/lifecycle.json",
    } <= set(names)
    assert {"README.md", "model.sig", "model/README.md"} <= set(names)
    assert (tmp_path / "model" / "README.md").read_text() == version.cards.get().text
    assert Event.objects.latest("pk").verb == "catalog.exported"
    command = [
        sys.executable,
        "-m",
        "model_signing",
        "verify",
        "key",
        "--signature",
        "model/model.sig",
        "--public_key",
        "signing.pub.pem",
        "--ignore-paths",
        "model/README.md",
        "model",
    ]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    weights = tmp_path / "model" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes() + b"x")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_who_may_not_export(version, ana, aida):
    for person in (ana, aida):
        with pytest.raises(PermissionDenied):
            actions.ask_export(version=version, actor=person)


def test_a_quarantined_version_stays_so(version, lee):
    actions.quarantine(version_id=version.uuid, reason="Found a fault.", actor=lee)

    found = ModelVersion.objects.get()
    assert (found.state, found.state_reason) == ("quarantined", "Found a fault.")
    with refused(naming=(str(found),)):
        actions.materialise(found)


def test_a_damaged_copy_for_the_server_is_laid_out_again(version):
    folder = actions.materialise(version)
    damaged = folder / "serving" / "model.onnx"
    damaged.chmod(0o600)
    damaged.write_bytes(b"x")

    assert (actions.materialise(version) / "serving" / "model.onnx").stat().st_size == 3000


def test_an_endpoint_has_its_own_address_and_nothing_live(version, mia):
    endpoint = registry.make_endpoint(version.model, mia, slug="inbox")

    assert (endpoint.policy.name, Alias.objects.get().version, Alias.objects.get().moves) == (
        "standard",
        None,
        0,
    )
    other = registry.make_model(version.model.project, mia)
    with refused("slug", naming=("inbox",)):
        registry.make_endpoint(other, mia, slug="inbox")
    assert Endpoint.objects.count() == 1


def test_a_freeze_has_an_owner_and_an_end(version, mia, lee):
    endpoint, now = registry.make_endpoint(version.model, mia), timezone.now()

    with pytest.raises(PermissionDenied):
        actions.freeze(endpoint_id=endpoint.uuid, reason="Audit.", until=now + timedelta(days=1), actor=mia)
    with refused("until", naming=("90",)):
        actions.freeze(endpoint_id=endpoint.uuid, reason="Audit.", until=now + timedelta(days=91), actor=lee)
    assert not Freeze.objects.exists()

    made = actions.freeze(
        endpoint_id=endpoint.uuid, reason="Audit.", until=now + timedelta(days=1), actor=lee
    )
    with refused(by=Conflict, naming=(endpoint.slug,)):
        actions.freeze(endpoint_id=endpoint.uuid, reason="Again.", until=now + timedelta(days=1), actor=lee)
    assert queries.freeze_of(endpoint) == made
    assert queries.freeze_of(endpoint, now + timedelta(days=2)) is None
