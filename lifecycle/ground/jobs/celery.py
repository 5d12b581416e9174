"""The Celery app. Its messages only wake workers: lost, duplicate, or late ones do no harm, since the Job
table is the queue.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import Celery
from django.conf import settings

from lifecycle.ground.jobs import doorbell

log = logging.getLogger(__name__)


def transport_options(broker_url: str) -> dict[str, Any]:
    """What the transport needs: folders for the embedded one, short time-outs for a server."""
    if not broker_url.startswith("filesystem://"):
        return {"socket_connect_timeout": 2, "socket_timeout": 10}
    root = settings.DATA_DIR / "broker"
    for folder in ("queue", "control"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    queue = str(root / "queue")
    return {
        "data_folder_in": queue,
        "data_folder_out": queue,
        "control_folder": str(root / "control"),
        "polling_interval": 0.25,
    }


def broker_url(url: str) -> str:
    """The URL as kombu wants it: it warns at each connection about an embedded one without a host."""
    return "filesystem://localhost//" if url == "filesystem://" else url


doorbell.install()
app = Celery("lifecycle")
app.conf.update(
    broker_url=broker_url(settings.BROKER_URL),
    broker_transport_options=transport_options(settings.BROKER_URL),
    broker_connection_timeout=2,
    broker_connection_retry_on_startup=True,
    task_acks_late=False,
    task_ignore_result=True,
    task_default_queue="default",
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    beat_schedule_filename=str(settings.DATA_DIR / "beat"),
    timezone=settings.TIME_ZONE,
    enable_utc=True,
)
app.autodiscover_tasks()


def ring(queue: str, bell: str = "") -> None:
    """Wake a worker of this queue. bell: the broker's queue for the message, by default of the same name.

    Never raises: a broker that is down delays a job until the next repair, and no more.

    A broker across the network may take seconds to fail, for which no page should wait: it is rung from a
    thread of its own.
    """
    if settings.BROKER_URL.startswith("filesystem://"):
        send(queue, bell)
    else:
        threading.Thread(target=send, args=[queue, bell], name=f"ring-{queue}", daemon=True).start()


def send(queue: str, bell: str = "") -> None:
    """Send the message of one bell, or log that it could not be sent."""
    try:
        app.send_task("lifecycle.ground.jobs.tasks.drain", args=[queue], queue=bell or queue, retry=False)
    except Exception as error:  # whatever a transport raises when it cannot deliver
        log.warning("doorbell_failed queue=%s error=%s", queue, type(error).__name__)
