"""`up` restarts what dies, ends all that it started, and reports a port in use."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from lifecycle.ground.jobs.management.commands.prepare import Command as Prepare
from lifecycle.ground.jobs.management.commands.prepare import static_fingerprint
from lifecycle.ground.jobs.management.commands.up import check_port, environment, hold_data_dir
from lifecycle.ground.jobs.supervisor import Supervisor

SLEEPER = f'{sys.executable} -c "import time; time.sleep(60)"'


def run_until(supervisor, true, seconds=20.0):
    """Let the supervisor run until the condition holds."""
    deadline = time.monotonic() + seconds

    def tick():
        if true() or time.monotonic() > deadline:
            supervisor.stop()

    supervisor.run(tick)
    assert time.monotonic() < deadline, "the condition never held"


def test_everything_it_started_ends_with_it(capfd):
    supervisor = Supervisor(f"one: {SLEEPER}\ntwo: {SLEEPER}", os.environ)
    pids = []

    def both_run():
        pids[:] = [program.process.pid for program in supervisor.programs if program.process]
        return len(pids) == 2

    run_until(supervisor, both_run)

    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


def test_process_that_was_killed_starts_again(capfd):
    supervisor = Supervisor(f"one: {SLEEPER}", os.environ)
    seen = set()

    def second_one_runs():
        process = supervisor.programs[0].process
        if process and process.pid not in seen:
            seen.add(process.pid)
            if len(seen) == 1:
                process.kill()
        return len(seen) == 2

    run_until(supervisor, second_one_runs)

    assert re.search(r"one exited with -9 after \d s. Restarting in 1 s.", capfd.readouterr().out)


def test_output_of_all_is_one_log_with_names(capfd):
    line = f'{sys.executable} -c "print(1234); import time; time.sleep(60)"'
    printed = []
    supervisor = Supervisor(f"web: {line}\nworker: {line}", os.environ)

    def both_printed():
        printed.append(capfd.readouterr().out)
        return "".join(printed).count("1234") == 2

    run_until(supervisor, both_printed)

    assert re.search(r"web\s+\| 1234", "".join(printed))
    assert re.search(r"worker\s+\| 1234", "".join(printed))


def test_deaf_process_is_killed_with_its_children(tmp_path, capfd):
    script = tmp_path / "deaf.py"
    script.write_text(
        "import signal, subprocess, sys, time, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    supervisor = Supervisor(f"deaf: {sys.executable} {script}", os.environ, grace_seconds=0.5)

    run_until(supervisor, lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())

    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while (
        psutil.pid_exists(child)
        and psutil.Process(child).status() != psutil.STATUS_ZOMBIE
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_orphan_in_a_session_of_its_own_ends_too(tmp_path, capfd):
    script = tmp_path / "starter.py"
    script.write_text(
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True)\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    supervisor = Supervisor(f"starter: {sys.executable} {script}", os.environ)

    run_until(supervisor, lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())

    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_port_in_use_is_reported_in_a_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(
            CommandError,
            match=rf"Port {port} is in use .* or choose another port: PORT={port + 10} make run\.",
        ):
            check_port("PORT", port)


def test_one_data_folder_is_run_once(tmp_path):
    first = hold_data_dir(tmp_path)

    with pytest.raises(CommandError, match=re.escape(str(tmp_path))):
        hold_data_dir(tmp_path)

    first.close()
    hold_data_dir(tmp_path).close()


def test_processes_find_this_python_first():
    assert environment()["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


@pytest.mark.postgres
@pytest.mark.django_db
def test_prepare_makes_keys_that_only_the_owner_reads_and_fills_an_empty_database_once(
    settings, tmp_path, monkeypatch, capsys
):
    settings.STATIC_ROOT = tmp_path / "static"
    filled = []
    monkeypatch.setattr("lifecycle.ground.jobs.startup._steps", [lambda: filled.append(1)])
    monkeypatch.setattr(
        "lifecycle.ground.jobs.management.commands.prepare.Command.collect_static", lambda self: None
    )

    call_command("prepare")

    key = settings.DATA_DIR / "keys" / "signing.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert filled == [1]


@pytest.mark.django_db
def test_prepare_runs_the_migrations_that_are_missing(settings, tmp_path, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr("lifecycle.ground.jobs.startup._steps", [])
    monkeypatch.setattr(
        "lifecycle.ground.jobs.management.commands.prepare.Command.collect_static", lambda self: None
    )
    monkeypatch.setattr(
        "django.core.management.commands.migrate.Command.handle", lambda self, *args, **options: ran.append(1)
    )
    call_command("prepare")
    assert ran == []

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'jobs'")
    call_command("prepare")

    assert ran == [1]
    assert "Database tables are up to date." in capsys.readouterr().out


def test_prepare_collects_what_pages_need_and_not_what_notebooks_do(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "static"

    Prepare().collect_static()

    collected = settings.STATIC_ROOT / "vendor" / "plotly"
    assert (collected / "plotly.min.js").exists()
    assert not (collected / "widgetbundle.js").exists()
    assert (settings.STATIC_ROOT / "collected.sha256").read_text() == static_fingerprint()


@pytest.mark.django_db
def test_prepare_leaves_a_filled_database_alone(settings, project, tmp_path, monkeypatch):
    filled = []
    monkeypatch.setattr("lifecycle.ground.jobs.startup._steps", [lambda: filled.append(1)])
    monkeypatch.setattr(
        "lifecycle.ground.jobs.management.commands.prepare.Command.collect_static", lambda self: None
    )

    call_command("prepare")

    assert filled == []


def test_procfile_names_what_up_starts():
    lines = (Path(__file__).parents[4] / "Procfile").read_text().splitlines()

    assert [line.split(":")[0] for line in lines] == [
        "web",
        "worker-training",
        "worker-evaluation",
        "worker-default",
        "beat",
        "inference",
    ]


@pytest.mark.journey
def test_no_process_outlives_a_killed_up(tmp_path):
    if sys.platform != "linux":
        pytest.skip("Only Linux signals children when their parent dies.")
    code = (
        "import os, sys\n"
        "from lifecycle.ground.jobs.supervisor import Supervisor\n"
        f"s = Supervisor({f'one: {SLEEPER}'!r}, os.environ)\n"
        "s.run(lambda: print(s.programs[0].process.pid, flush=True))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[4]
    )
    child = int(next(line for line in parent.stdout if line.strip().isdigit()))

    parent.kill()
    parent.wait()

    deadline = time.monotonic() + 10
    while (
        psutil.pid_exists(child)
        and psutil.Process(child).status() != psutil.STATUS_ZOMBIE
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
