"""The command starts at once and anywhere: it brings neither Django nor torch, nor anything but the standard library."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

SITE = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
LIST_MODULES = """
import sys
before = set(sys.modules)
import lifecycle.runtime.cli.main
lifecycle.runtime.cli.main.parser()
for name in sorted(set(sys.modules) - before):
    print(name, getattr(sys.modules[name], "__file__", "") or "")
"""


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def test_starting_loads_nothing_from_outside_the_standard_library(tmp_path):
    done = run("-c", LIST_MODULES, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    loaded = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    assert "lifecycle.runtime.cli.main" in loaded
    assert [name for name, file in loaded.items() if any(file.startswith(folder) for folder in SITE)] == []


def test_importtime_names_none_of_the_heavy_ones(tmp_path):
    done = run("-X", "importtime", "-m", "lifecycle.runtime.cli", "whoami", "--help", cwd=tmp_path)

    assert done.returncode == 0
    assert "lifecycle.runtime.cli.main" in done.stderr
    named = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert named & {"django", "rest_framework", "celery", "torch", "transformers", "httpx", "cryptography", "dataclasses"} == set()


def test_verifying_brings_no_django_either(tmp_path):
    done = run(
        "-c",
        "import sys, lifecycle.runtime.cli.trails, lifecycle.runtime.cli.bundles; print('django' in sys.modules, 'torch' in sys.modules)",
        cwd=tmp_path,
    )

    assert done.stdout == "False False\n"


def test_the_installed_command_is_this_one(tmp_path):
    script = Path(sys.executable).with_name("lifecycle")

    done = subprocess.run([str(script), "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert done.stdout.startswith("usage: lifecycle [-h] COMMAND ...")


def test_a_field_alone_is_for_scripts(command, token, site, mia):
    command("login", site, stdin=token(mia))

    one, more, none = (command("whoami", "--field", name) for name in ("user.username", "projects.0.slug", "user.shoe"))

    assert [(each.code, each.out) for each in (one, more, none)] == [(0, "mia\n"), (0, "inbox\n"), (2, "")]
    assert none.err == "It was done, but its result has no field shoe: it has uuid, username, name.\n"
