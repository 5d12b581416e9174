"""A run as a Kubernetes Job, for training its folder on a cluster. Pure: from facts to YAML."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

GRACE_SECONDS = 60  # from SIGTERM to SIGKILL, to write a checkpoint
HEADROOM = 1.25  # of memory above the measured peak
STEP_MB = 64
RETRIES = 4  # after a failed or evicted pod; each continues from the last checkpoint
LOCKED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True, slots=True)
class Place:
    """Locations in a cluster. image: with this product. claim: of the volume with DATA_DIR. data_dir: as
    workers see it.
    """

    image: str
    claim: str
    data_dir: PurePosixPath


def memory_mb(peak_mb: float) -> int:
    """The memory request in MiB: the peak plus a quarter, in steps of 64."""
    return math.ceil(peak_mb * HEADROOM / STEP_MB) * STEP_MB


def job(
    place: Place, *, uuid: str, base_digest: str, threads: int, peak_mb: float | None, gpus: int = 0
) -> dict[str, Any]:
    """The Job. base_digest: of the folder that the run's `base` points to. threads: from the spec, 0 for all
    cores. gpus: requested.
    """
    name = f"lifecycle-run-{uuid}"
    labels = {
        "app.kubernetes.io/name": "lifecycle",
        "app.kubernetes.io/component": "training",
        "lifecycle/run": uuid,
    }
    settings = {"HOME": "/tmp", "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}  # noqa: S108
    settings |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)} if threads else {}
    requested = {"cpu": str(threads)} if threads else {}
    limited = {"memory": f"{memory_mb(peak_mb)}Mi"} if peak_mb else {}
    limited |= {"nvidia.com/gpu": str(gpus)} if gpus else {}
    container = {
        "name": "engine",
        "image": place.image,
        "command": ["python", "-m", "lifecycle.runtime.engine", "train", "/run"],
        "env": [{"name": name, "value": value} for name, value in settings.items()],
        "resources": {"requests": requested | limited, "limits": limited},
        "securityContext": LOCKED,
        "volumeMounts": [
            {"name": "data", "mountPath": "/run", "subPath": f"runs/{uuid}"},
            {
                "name": "data",
                "mountPath": str(place.data_dir / "bases" / base_digest),
                "subPath": f"bases/{base_digest}",
                "readOnly": True,
            },
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108
        ],
    }
    pod = {
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": place.claim}},
            {"name": "scratch", "emptyDir": {}},
        ],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {"backoffLimit": RETRIES, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def written(document: dict[str, Any], *, run: str, uuid: str, peak_mb: float | None) -> str:
    """The Job as YAML, with instructions as a comment. run: its display name."""
    memory = (
        f"Memory: 25 % more than the measured peak of {peak_mb:.0f} MiB."
        if peak_mb
        else "Memory: not measured yet, so no request is set. It is measured in the run's first steps."
    )
    lines = [
        f"{run} as a Kubernetes Job. Pause the run first, then export its folder to the volume claim:",
        f"  python manage.py lay_out_run {uuid}",
        "When the Job completes, resume the run in Lifecycle: the result is imported without training again.",
        memory,
        "Not measured: training time on your cluster, and whether its processors give bit-identical weights.",
    ]
    head = "".join(f"# {line}\n" for line in lines)
    return head + yaml.dump(document, Dumper=Plain, sort_keys=False, width=140)


class Plain(yaml.SafeDumper):
    """YAML without anchors, so that each part is readable in place."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always."""
        return True
