"""docs/guide/command-line.md matches the command, and its scripts run as written."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from lifecycle.modeling.training.models import Run
from lifecycle.runtime.cli.main import CODES, NOUNS
from lifecycle.runtime.cli.verbs import load
from monitoring.rollouts import actions as rollouts
from monitoring.rollouts.models import Rollout
from monitoring.traffic.models import MinuteRollup
from registry.catalog import actions as catalog
from registry.promotions import plans
from registry.promotions.models import PromotionRequest
from registry.promotions.plans import Plan
from tests.lifecycle.runtime.cli.conftest import SharedConnection
from tests.support import endpoints, registry, training
from tests.support.datasets import make_dataset
from tests.support.jobs import run_jobs

ROOT = Path(__file__).parents[4]
GUIDE = (ROOT / "docs" / "guide" / "command-line.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.+?)```", GUIDE, re.DOTALL)
CALLS = [
    line for block in BLOCKS for line in re.findall(r"(?:^|\$\()(lifecycle .+?)(?:\)?$)", block, re.MULTILINE)
]
LONGEST_SECONDS = 240
HASTE = "import time\nreal = time.sleep\ntime.sleep = lambda seconds: real(min(seconds, 0.1))\n"


@pytest.mark.parametrize("line", CALLS)
def test_every_call_in_the_guide_is_one_that_the_command_takes(line):
    noun, *words = shlex.split(line, comments=True)[1:]
    command = load(noun)
    verb, *rest = words if hasattr(command, "commands") else (noun, *words)

    assert getattr(command, "commands", {noun: command})[verb].make_context(verb, rest)


def test_the_guide_has_every_command_and_no_other():
    rows = re.findall(
        r"^\| (`.+?) \|", GUIDE.partition("## All commands")[2].partition("```")[0], re.MULTILINE
    )
    documented = {}
    for row in rows:
        for part in row.split(";"):
            noun, *verbs = re.findall(r"`([\w-]+)`", part)
            documented[noun] = set(verbs)

    assert documented == {name: set(getattr(load(name), "commands", ())) for name in NOUNS}


def test_the_exit_codes_of_the_guide_are_those_of_the_help():
    codes = re.findall(r"^\| (\d+) \|", GUIDE, re.MULTILINE)

    assert codes == re.findall(r"(\d+) [a-z]", CODES)


class Shell:
    """A script of the guide as a build server runs it, with the command of this environment. Its pauses are
    short ones.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        haste = folder / "haste"  # Python imports sitecustomize from here at its start
        haste.mkdir()
        (haste / "sitecustomize.py").write_text(HASTE)
        more = {"PATH": path, "PYTHONPATH": f"{haste}{os.pathsep}{ROOT}", "PYTHONUNBUFFERED": "1"}
        self.folder, self.environment = folder, os.environ | more | environment

    def run(self, name: str, meanwhile) -> tuple[int, str]:
        """Run the script that begins with `# ci: name`; `meanwhile` plays workers and people. Returns its
        exit code and output.
        """
        script = next(block for block in BLOCKS if block.startswith(f"# ci: {name}\n"))
        with (self.folder / "out.txt").open("w+") as out:
            process = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            until = time.monotonic() + LONGEST_SECONDS
            try:
                while process.poll() is None:
                    assert time.monotonic() < until, (self.folder / "out.txt").read_text()
                    with SharedConnection.busy:
                        meanwhile()
                    time.sleep(0.05)
            finally:
                process.kill()
        return process.returncode, (self.folder / "out.txt").read_text()


@pytest.fixture
def shell(tmp_path, site, token):
    def make(user, *scopes: str, **environment: str) -> Shell:
        return Shell(tmp_path, LIFECYCLE_URL=site, LIFECYCLE_TOKEN=token(user, *scopes), **environment)

    return make


def test_the_nightly_build_ends_with_a_request_in_review(shell, project, mia, lee, gita, tmp_path):
    make_dataset(project, mia, "Inbox")
    training.make_base(project, mia)
    model = catalog.create_model(
        project=project, name="Support inbox", slug="support-inbox", purpose="Route messages.", actor=mia
    )
    registry.make_endpoint(model, mia, slug="support-inbox-prod")
    texts = [f"{text} {at}" for some in training.TEXTS.values() for text in some for at in range(20)]
    rows = [f"{text},{registry.LABELS[at % len(registry.LABELS)]}" for at, text in enumerate(texts)]
    (tmp_path / "labeled.csv").write_text("\n".join(["text,label", *rows]))

    def workers():
        for run in Run.objects.filter(state="queued"):
            registry.evaluate(training.finish_run(run), run.snapshot, mia, wrong=1)
        run_jobs()

    code, out = shell(mia, "read", "label", "train", "request", VERSION="1.0.0").run("ask", workers)

    assert code == 0, out
    assert "Run 1 is registered as support-inbox@1.0.0." in out
    assert "never by a token. They review it on " in out
    assert PromotionRequest.objects.get().status == "in_review"


@pytest.fixture
def approved(live_endpoint):
    """The approved request for 1.1.0 as a canary, beside 1.0.0 that is live."""
    return endpoints.with_approval(live_endpoint, plans.canary(Plan()))


def test_the_deployment_waits_for_the_canary_and_for_alerts(shell, live_endpoint, approved, mia, omar):
    endpoint = live_endpoint
    MinuteRollup.objects.create(
        endpoint=endpoint,
        version=endpoint.alias.version,
        arm="stable",
        requests=600_000,
        start=timezone.now() - timedelta(minutes=30),
    )

    def widen():
        for rollout in Rollout.objects.filter(state="running"):
            rollouts.widen(
                rollout_id=rollout.uuid, actor=omar, seen=rollout.moves, reason="The numbers are good."
            )

    code, out = shell(mia, "read", "deploy", REQUEST=str(approved.number)).run("deploy", widen)

    assert code == 0, out
    assert "1.1.0 answers 5 % of the requests on inbox/support-inbox-prod, beside 1.0.0." in out
    assert out.rstrip().endswith("No open alerts.")
    endpoint.alias.refresh_from_db()
    assert endpoint.alias.version == approved.version
