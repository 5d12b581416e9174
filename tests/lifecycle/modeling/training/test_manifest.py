"""A run as a Kubernetes Job: its resource requests, when it is offered, and the import of its result."""

from __future__ import annotations

from io import StringIO
from pathlib import PurePosixPath

import pytest
import yaml
from django.conf import settings as conf
from django.core.management import CommandError, call_command

from lifecycle.ground.jobs.rules import Device
from lifecycle.modeling.training import actions, manifest, queries, record_page
from lifecycle.modeling.training.folders import run_folder
from lifecycle.modeling.training.models import MetricPoint, Run
from tests.support.training import make_run

UUID = "9a3cb1a2-6a35-4ad0-93f1-6d3c4ab0f001"
PLACE = manifest.Place(
    "registry.example.org/lifecycle:1.4", "shared-data", PurePosixPath("/var/lib/lifecycle")
)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def image(settings):
    settings.TRAINING_IMAGE, settings.TRAINING_CLAIM = PLACE.image, PLACE.claim


@pytest.fixture
def run(waiting) -> Run:
    return waiting


def job(**given):
    return manifest.job(
        PLACE, **{"uuid": UUID, "base_digest": "ab12", "threads": 2, "peak_mb": 412.3} | given
    )


def test_the_job_starts_the_engine_on_the_folder_and_gives_it_time_for_a_checkpoint():
    made = job()
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert (made["apiVersion"], made["kind"], made["metadata"]["name"]) == (
        "batch/v1",
        "Job",
        f"lifecycle-run-{UUID}",
    )
    assert len(made["metadata"]["name"]) <= 63
    assert (made["spec"]["backoffLimit"], pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == (
        4,
        "OnFailure",
        60,
    )
    assert (container["image"], container["command"]) == (
        PLACE.image,
        ["python", "-m", "lifecycle.runtime.engine", "train", "/run"],
    )
    assert container["volumeMounts"] == [
        {"name": "data", "mountPath": "/run", "subPath": f"runs/{UUID}"},
        {
            "name": "data",
            "mountPath": "/var/lib/lifecycle/bases/ab12",
            "subPath": "bases/ab12",
            "readOnly": True,
        },
        {"name": "scratch", "mountPath": "/tmp"},
    ]
    assert pod["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "shared-data"}},
        {"name": "scratch", "emptyDir": {}},
    ]


def test_the_job_may_do_nothing_but_compute():
    pod = job()["spec"]["template"]["spec"]

    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    names = {each["name"] for each in pod["containers"][0]["env"]}
    assert names == {"HOME", "PYTHONHASHSEED", "PYTHONUNBUFFERED", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}


@pytest.mark.parametrize(
    ("threads", "peak", "resources"),
    [
        (2, 412.3, {"requests": {"cpu": "2", "memory": "576Mi"}, "limits": {"memory": "576Mi"}}),
        (0, 512.0, {"requests": {"memory": "640Mi"}, "limits": {"memory": "640Mi"}}),
        (1, None, {"requests": {"cpu": "1"}, "limits": {}}),
    ],
)
def test_it_requests_measured_resources_only(threads, peak, resources):
    assert (
        job(threads=threads, peak_mb=peak)["spec"]["template"]["spec"]["containers"][0]["resources"]
        == resources
    )


def test_the_yaml_has_the_same_content_and_notes_unknown_values():
    measured = manifest.written(job(), run="Run 12", uuid=UUID, peak_mb=412.3)
    unknown = manifest.written(job(peak_mb=None), run="Run 12", uuid=UUID, peak_mb=None)

    assert yaml.safe_load(measured) == job()
    assert "&id" not in measured
    assert "# Memory: 25 % more than the measured peak of 412 MiB.\n" in measured
    assert "# Memory: not measured yet, so no request is set." in unknown
    assert all(
        "# Not measured: training time on your cluster, and whether its processors give bit-identical"
        " weights." in text
        for text in (measured, unknown)
    )


def test_it_is_downloaded_from_the_page_and_read_over_the_api(client_for, run, mia):
    page = client_for(mia).get(f"/runs/{run.uuid}/").content.decode()
    answer = client_for(mia).get(f"/runs/{run.uuid}/manifest/")
    manifest = client_for(mia).get(f"/api/v1/runs/{run.uuid}/manifest/").json()["yaml"]

    assert f'href="/runs/{run.uuid}/manifest/"' in page
    assert (answer["Content-Type"], answer["Content-Disposition"]) == (
        "application/yaml",
        'attachment; filename="run-1.yaml"',
    )
    assert answer.content.decode() == manifest
    mounts = yaml.safe_load(manifest)["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert mounts[1]["mountPath"] == f"{conf.DATA_DIR}/bases/{run.base.folder.root_digest}"


def test_without_an_image_the_page_has_a_note_and_no_manifest(client_for, run, mia, settings):
    settings.TRAINING_IMAGE = ""

    page = client_for(mia).get(f"/runs/{run.uuid}/").content.decode()
    answer = client_for(mia).get(f"/api/v1/runs/{run.uuid}/manifest/")

    assert "TRAINING_IMAGE" in page
    assert "/manifest/" not in page
    assert answer.status_code == 409
    assert answer.json()["message"].startswith("Training on a cluster isn't configured.")


def test_a_run_that_has_succeeded_has_nothing_left_to_train(client_for, finished, mia):
    assert client_for(mia).get(f"/api/v1/runs/{finished.uuid}/manifest/").status_code == 409
    assert "/manifest/" not in client_for(mia).get(f"/runs/{finished.uuid}/").content.decode()


def test_peak_memory_is_from_the_result_the_points_or_the_reproduced_run(finished, mia):
    again = actions.reproduce(run_id=finished.uuid, actor=mia)
    assert queries.peak_memory_mb(again) == queries.peak_memory_mb(finished) == 300.0

    MetricPoint.objects.bulk_create(
        [MetricPoint(run=again, name="memory_mb", step=at, value=100.0 + at) for at in (1, 3, 2)]
    )

    assert queries.peak_memory_mb(again) == 103.0


@pytest.mark.postgres
def test_a_paused_run_is_laid_out_and_a_queued_one_is_not(run, mia):
    with pytest.raises(CommandError, match=r"Run 1 is queued"):
        call_command("lay_out_run", str(run.uuid))
    assert not (conf.DATA_DIR / "runs" / str(run.uuid)).exists()
    actions.pause(run_id=run.uuid, actor=mia)
    output = StringIO()

    call_command("lay_out_run", str(run.uuid), stdout=output)

    folder = conf.DATA_DIR / "runs" / str(run.uuid)
    assert output.getvalue() == f"{folder}\n"
    assert {each.name for each in folder.iterdir()} == {
        "spec.json",
        "train.jsonl",
        "validation.jsonl",
        "base",
    }
    assert str((folder / "base").readlink()) == f"{conf.DATA_DIR}/bases/{run.base.folder.root_digest}"


@pytest.mark.postgres
def test_a_gpu_run_requests_one_gpu_per_process(snapshot, base, mia):
    plain = job()["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    run = make_run(snapshot, mia, succeeded=False, base=base, device="cuda", processes=2)

    made = yaml.safe_load(record_page.manifest_of(run))

    assert "nvidia.com/gpu" not in plain
    assert made["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "2"}


@pytest.mark.parametrize("bound_by", ["its job", "its folder"])
def test_a_run_with_any_device_requests_a_gpu_once_it_is_bound_to_one(run, bound_by):
    def limits():
        made = yaml.safe_load(record_page.manifest_of(run))
        return made["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]

    assert run.spec["device"] == "auto"
    assert "nvidia.com/gpu" not in limits()

    if bound_by == "its job":
        run.job.device = Device.GPU
    else:
        run_folder(run).mkdir(parents=True)
        (run_folder(run) / "device.json").write_text('{"device": "cuda"}')

    assert limits()["nvidia.com/gpu"] == "1"
