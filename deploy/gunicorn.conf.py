"""The web process. It listens at HOST and PORT; behind a proxy on another machine set HOST=0.0.0.0."""

import os
import tempfile

from prometheus_client import multiprocess

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
# only complete requests reach a thread; lifecycle/web.py has the deadlines
worker_class = "lifecycle.web.BufferingWorker"
workers = int(os.environ.get("WEB_WORKERS", "1"))
threads = int(os.environ.get("WEB_THREADS", "4"))
timeout = 60
graceful_timeout = 20
max_requests = 10_000
max_requests_jitter = 1_000
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  a heartbeat file, which must not wait for a disk
control_socket_disable = True
accesslog = None

if workers > 1:  # they count requests in files of one folder, so that each can report the total
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="lifecycle-metrics-")


def child_exit(server: object, worker: object) -> None:
    """Remove the gauges of an ended process; its counters stay."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)
