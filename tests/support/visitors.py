"""People who use the running product over HTTP: they sign in through the form, carry a session with its CSRF
token, and make API tokens.
"""

from __future__ import annotations

import html
import re
from typing import Any

import httpx

from registry.ground.access.roles import Role
from tests.support.pages import as_shown
from tests.support.people import PASSWORD, PEOPLE
from tests.support.product import Product, until

JSON = {"Accept": "application/json"}
MAKE_PEOPLE = """
from registry.ground.access.actions import create_user
from registry.ground.access.models import User
for name in {names!r}:
    if not User.objects.filter(username=name).exists():
        create_user(
            username=name, display_name=name.capitalize(), email=name + "@example.test", password={password!r}, actor=None,
            admin=name == "adam",
        )
"""  # noqa: E501
WIDE_GATE = """
from registry.policies import queries
from registry.policies.actions import publish
from registry.policies.models import Policy
standard = queries.STANDARD.read_text(encoding="utf-8")
low = "bound: low\\n    at_most_worse: 0.020"
assert low in standard
text = standard.replace(low, "bound: point\\n    at_most_worse: 0.050")
if not Policy.objects.filter(text=text).exists():
    publish(text=text, actor=None)
"""  # 86 test rows show nothing by the interval, and one of them alone is more than a point


class Visitor:
    """One signed-in person."""

    def __init__(self, product: Product, username: str, password: str = PASSWORD) -> None:
        self.product, self.username, self.password = product, username, password
        self.client = httpx.Client(base_url=product.url, timeout=300, headers={"Referer": product.url})
        form = self.client.get("/accounts/login/")
        answer = self.client.post(
            "/accounts/login/",
            data={"csrfmiddlewaretoken": csrf_of(form.text), "login": username, "password": password},
        )
        assert answer.status_code == 302, f"{username} could not sign in: {answer.status_code}"
        self.uuid: str = self.api("GET", "me/")["user"]["uuid"]

    # ── Pages ───────────────────────────────────────────────────────────────
    def page(self, path: str, *, status: int = 200) -> str:
        """A page as it is shown, or whatever else is there."""
        answer = self.client.get(path)
        assert answer.status_code == status, f"{self.username} GET {path}: {answer.status_code}"
        return (
            as_shown(answer.text) if answer.headers["content-type"].startswith("text/html") else answer.text
        )

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, status: int = 302, **more: Any
    ) -> httpx.Response:
        """Send a form with the session's CSRF token."""
        answer = self.client.post(
            path, data=(data or {}) | {"csrfmiddlewaretoken": self.client.cookies["csrftoken"]}, **more
        )
        assert answer.status_code == status, (
            f"{self.username} POST {path}: {answer.status_code} {plain(answer.text)[:600]}"
        )
        return answer

    def script(self, path: str, data: dict[str, Any], *, status: int = 200) -> Any:
        """Send a form as a page's script does; the answer is JSON."""
        return self.post(path, data, status=status, headers=JSON).json()

    # ── API ─────────────────────────────────────────────────────────────────
    def api(self, method: str, path: str, body: Any = None, *, status: int = 200, **more: Any) -> Any:
        """The JSON of an API call made with the session."""
        headers = {"X-CSRFToken": self.client.cookies.get("csrftoken", "")} | JSON
        answer = self.client.request(method, f"/api/v1/{path}", json=body, headers=headers, **more)
        assert answer.status_code == status, (
            f"{self.username} {method} {path}: {answer.status_code} {answer.text[:800]}"
        )
        return (
            answer.json()
            if answer.headers.get("content-type", "").startswith("application/json")
            else answer.text
        )

    def token(self, *scopes: str) -> Program:
        """A new API token of this person; its secret is shown once, on the profile page."""
        self.post("/accounts/reauthenticate/", {"password": self.password, "next": "/"})
        answer = self.post(
            "/access/tokens/create/", {"name": "journey", "scopes": list(scopes), "days": "1"}, status=200
        )
        found = re.search(r"lc_[A-Za-z0-9_-]{20,}", answer.text)
        assert found, "The page does not show the token's secret."
        return Program(self.product, found[0])

    def job(self, job: dict[str, Any], *, state: str = "succeeded", seconds: float = 600) -> dict[str, Any]:
        """The job once it has ended, in the wanted state."""

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.api("GET", f"jobs/{job['uuid']}/")
            return found if found["finished_at"] else None

        found = until(ended, f"{job['kind']} ends", seconds=seconds)
        assert found["state"] == state, (
            f"{found['kind']} {found['state']}: {found['error']} {found['next_step']}"
        )
        return found

    def run_ended(self, run: str, *, state: str = "succeeded") -> dict[str, Any]:
        """The run once it has ended, in the wanted state."""

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.api("GET", f"runs/{run}/")
            return found if found["finished_at"] else None

        found = until(ended, f"run {run} ends")
        assert found["state"] == state, found["error"]
        return found


def looked_through(client: Visitor | Program, upload: str) -> dict[str, Any]:
    """The upload once its dry run is done: on a slow machine a job does it after the response to the
    upload.
    """

    def found() -> dict[str, Any] | None:
        each: dict[str, Any] = client.api("GET", f"uploads/{upload}/")
        return each if each["state"] != "received" else None

    return until(found, "the file is looked through")


def accept(client: Visitor | Program, upload: str) -> dict[str, Any]:
    """The job that imports an upload."""
    seen = looked_through(client, upload)["seen"]
    job: dict[str, Any] = client.api("POST", f"uploads/{upload}/accept/", {"seen": seen}, status=202)
    return job


class Program:
    """A client with a token and nothing else."""

    def __init__(self, product: Product, secret: str) -> None:
        self.product, self.secret = product, secret
        self.client = httpx.Client(headers={"Authorization": f"Bearer {secret}"}, timeout=300)

    def api(self, method: str, path: str, body: Any = None, *, status: int = 200, **more: Any) -> Any:
        """The JSON of an API call made with the token."""
        answer = self.client.request(
            method,
            f"{self.product.url}/api/v1/{path}",
            **({"json": body} if body is not None else {}),
            **more,
        )
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:800]}"
        return answer.json()

    def ask(self, name: str, *texts: str) -> httpx.Response:
        """Ask an endpoint of the inference server."""
        body = {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)}]}
        return self.client.post(f"{self.product.inference}/v2/models/{name}/infer", json=body)

    def answered_by(self, name: str, version: str) -> None:
        """Wait until every server of the endpoint answers with this version, whatever happens to them
        meanwhile.
        """

        def answers() -> bool:
            try:
                answer = self.ask(name, "Hello")
            except httpx.TransportError:
                return False
            matches = answer.status_code == 200 and answer.json()["model_version"] == version
            return matches and all(
                version in each["endpoints"].get(name, {}).get("versions", [])
                for each in self.product.servers()
            )

        until(answers, f"{name} answers with {version}")


class Workspace:
    """A project and its people. visit["mia"] signs Mia in at her first use. uuid: of a project that is there,
    with its people.
    """

    def __init__(self, product: Product, slug: str, name: str, uuid: str = "") -> None:
        self.product, self.slug, self.name = product, slug, name
        self.people: dict[str, Visitor] = {}
        self.uuid = uuid or self.make()

    def make(self) -> str:
        """Adam creates the project and assigns its roles; returns its uuid."""
        self.product.python(
            MAKE_PEOPLE.format(names=[*PEOPLE, "chloe", "adam"], password=PASSWORD) + WIDE_GATE
        )
        form = {"name": self.name, "slug": self.slug, "lead": "lee", "password": PASSWORD}
        self.uuid = (
            self["adam"]
            .post("/access/projects/create/", form)
            .headers["location"]
            .rstrip("/")
            .rpartition("/")[2]
        )
        for username, role in {**PEOPLE, "chloe": PEOPLE["ana"]}.items():
            if role not in (None, Role.LEAD):
                self.give(username, role.value)
        return self.uuid

    def add(self, username: str, role: str) -> None:
        """One more person with a role in this project."""
        self.product.python(MAKE_PEOPLE.format(names=[username], password=PASSWORD))
        self.give(username, role)

    def give(self, username: str, role: str) -> None:
        """Adam gives a user a role; the only organisation admin needs no approval."""
        self["adam"].api(
            "POST",
            f"projects/{self.uuid}/members/",
            {"user": self[username].uuid, "role": role, "password": PASSWORD},
        )

    def __getitem__(self, username: str) -> Visitor:
        if username not in self.people:
            self.people[username] = Visitor(self.product, username)
        return self.people[username]


def csrf_of(page: str) -> str:
    """The token of a page's form."""
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, "The page has no form with a CSRF token."
    return found[1]


def plain(page: str) -> str:
    """A page's text without its tags, blanks folded."""
    page = re.sub(r"<wbr\s*/?>", "", page)
    return " ".join(
        html.unescape(re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)).split()
    )
