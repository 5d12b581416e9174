"""The command starts fast and in any folder: it loads neither Django nor torch, and heavy modules only where
they are used.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(ROOT)},
    )


def test_help_loads_neither_heavy_modules_nor_rich_nor_httpx(tmp_path):
    for words in (["--help"], ["runs", "--help"], ["queues", "open", "--help"]):
        done = run("-X", "importtime", "-m", "lifecycle.runtime.cli", *words, cwd=tmp_path)

        assert done.returncode == 0
        assert "lifecycle.runtime.cli.main" in done.stderr
        named = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
        assert (
            named
            & {"django", "rest_framework", "celery", "torch", "transformers", "httpx", "rich", "cryptography"}
            == set()
        )


def test_the_list_of_nouns_loads_no_commands(tmp_path):
    done = run("-X", "importtime", "-m", "lifecycle.runtime.cli", "--help", cwd=tmp_path)

    assert "lifecycle.runtime.cli.commands" not in done.stderr


def test_verifying_loads_no_django_either(tmp_path):
    done = run(
        "-c",
        "import sys, lifecycle.runtime.cli.trails, lifecycle.runtime.cli.bundles; print('django' in"
        " sys.modules, 'torch' in sys.modules)",
        cwd=tmp_path,
    )

    assert done.stdout == "False False\n"


def test_the_installed_command_is_this_one(tmp_path):
    script = Path(sys.executable).with_name("lifecycle")

    done = run(str(script), "--help", cwd=tmp_path)

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: lifecycle [OPTIONS] COMMAND [ARGS]...")


def test_a_field_alone_is_for_scripts(command, token, site, mia):
    command("login", site, stdin=token(mia))

    one, more, none = (
        command("whoami", "--field", name) for name in ("user.username", "projects.0.slug", "user.shoe")
    )

    assert [(each.code, each.out) for each in (one, more, none)] == [(0, "mia\n"), (0, "inbox\n"), (2, "")]
    assert none.err == "Done, but the result has no field shoe. It has: uuid, username, name.\n"
