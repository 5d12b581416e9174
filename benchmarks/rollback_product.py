"""The registry's part of the rollback benchmark: approvals, canaries, stops of canaries that are timed, and
clicks that roll back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.db import transaction
from django.test import Client

from registry.catalog.models import Alias
from registry.endpoints import actions, servers
from registry.endpoints.models import Deployment
from registry.ground.access.actions import create_token
from registry.ground.artifacts.actions import put_folder
from registry.promotions import plans
from tests.support import endpoints, registry
from tests.support.people import PEOPLE, make_person, make_project

SEEN_SECONDS = 0.7  # of both splits, before and after each rollback


class Registry:
    """One endpoint: 1.0.0 is live, 1.1.0 comes and goes. Answers carry a version's uuid in
    X-Model-Version.
    """

    def __init__(self, artifacts: list[Path]) -> None:
        project = make_project("benchmark", "Benchmark")
        people = {name: make_person(name, project=project, role=role) for name, role in PEOPLE.items()}
        snapshot = registry.make_snapshot(project, people["ravi"])
        self.project, self.omar, model = project, people["omar"], None
        self.versions = []
        for at, folder in enumerate(artifacts):
            self.versions.append(
                registry.make_version(
                    project,
                    people["mia"],
                    people["ravi"],
                    model=model,
                    snapshot=snapshot,
                    semver=f"1.{at}.0",
                    artifact=put_folder(folder),
                )
            )
            model = self.versions[0].model
        self.endpoint = registry.make_endpoint(self.versions[0].model, people["mia"], slug="rollback-prod")
        _, self.secret = create_token(user=people["ana"], name="load", scopes=["infer"], days=1)
        endpoints.deploy(project, self.endpoint, self.versions[0])

    def sign_in(self, url: str) -> None:
        """Load the endpoint's page as Omar, as people do before a rollback."""
        client = Client()
        client.force_login(self.omar)
        cookies = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}
        self.browser = httpx.Client(base_url=url, cookies=cookies, headers={"Referer": url}, timeout=120)
        until(lambda: self.opens(), "the site shows the endpoint")

    def opens(self) -> bool:
        """Whether the page comes; the site may still be starting."""
        try:
            return self.browser.get(f"/endpoints/{self.endpoint.uuid}/").status_code == 200
        except httpx.TransportError:
            return False

    def settle(self) -> None:
        """Until the server has the newest routes and answers with all that they name."""
        wanted = max(row.epoch for row in Deployment.objects.filter(endpoint=self.endpoint, ended_at=None))
        until(
            lambda: any(state.epoch >= wanted for state in servers.server_states()),
            f"the server takes epoch {wanted}",
        )

    def begin(self) -> Deployment:
        """A new approval, and a canary with half of the requests."""
        request = endpoints.approved(self.project, self.endpoint, self.versions[1], plans.by_hand(5000))
        made = actions.deploy(request_id=request.uuid, actor=self.omar)
        self.settle()
        actions.verify_in_use(changed=True)  # as a worker does every half minute
        time.sleep(SEEN_SECONDS)
        return made

    def canary_stopped(self) -> dict[str, Any]:
        """Stopped by the system, as the rule does."""
        canary = self.begin()
        with transaction.atomic():
            moment = Moment()
            actions.stop_canary(deployment_id=canary.uuid, reason="Too many failed requests.", actor=None)
        return self.event("canary stopped", moment)

    def rolled_back(self) -> dict[str, Any]:
        """It has all requests, and a person clicks on the site to take it back. Timed from the click."""
        canary = self.begin()
        actions.set_share(deployment_id=canary.uuid, share=10_000, actor=self.omar, reason="Good.")
        self.settle()
        time.sleep(SEEN_SECONDS)
        assert self.opens()
        seen = Alias.objects.get(endpoint=self.endpoint).moves
        given = {
            "reason": "Errors.",
            "typed": "1.0.0",
            "seen": seen,
            "csrfmiddlewaretoken": self.browser.cookies["csrftoken"],
        }
        moment = Moment()
        moment.note()
        answer = self.browser.post(f"/endpoints/{self.endpoint.uuid}/roll-back/", data=given)
        answered = time.monotonic()
        if answer.status_code != 302:
            raise SystemExit(f"The site did not roll back: {answer.status_code} {answer.text[:500]}")
        return self.event("rolled back", moment) | {"answered": answered, "older": str(self.versions[0].uuid)}

    def event(self, kind: str, moment: Moment) -> dict[str, Any]:
        """The event for the figures. commit: its time (of a click, the click's). until: well before the
        version answers again.
        """
        self.settle()
        time.sleep(2 * SEEN_SECONDS)
        return {
            "kind": kind,
            "commit": moment.at,
            "until": time.monotonic(),
            "version": str(self.versions[1].uuid),
        }


class Moment:
    """A moment that is noted: right after the commit of the transaction in which it is made, before anything
    else that happens then.
    """

    def __init__(self) -> None:
        self.at = 0.0
        if transaction.get_connection().in_atomic_block:
            transaction.on_commit(self.note)

    def note(self) -> None:
        """Now."""
        self.at = time.monotonic()


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """What the condition gives once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise SystemExit(f"It never happened: {what}")
        time.sleep(0.02)
    return found
