"""The second half of the main job over HTTP, with compressed time: canary, fault, drift, proposal,
relabeling, retraining, release.

Customers switch to another language, which a model trained on English doesn't handle. Days pass by dating
answers back in the spool.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import cycle, islice, product
from typing import Any, TypeVar

from tests.support.people import PASSWORD
from tests.support.product import json_script, until
from tests.support.story import HEAD, Story

GREETINGS = ("", "Hallo, ", "Guten Tag, ", "Servus, ", "Liebes Team, ")
ENDINGS = ("", ", danke", ", bitte um Antwort", ". Es eilt", ". Viele Grüße")
GERMAN = {
    "order_status": (
        "wo ist mein Paket mit der Nummer {n}",
        "wann kommt die Bestellung {n} an",
        "ist die Sendung {n} schon unterwegs",
    ),
    "delivery_late": (
        "die Lieferung {n} ist überfällig",
        "ich warte seit {n} Stunden vergeblich",
        "der Termin für {n} ist verstrichen",
    ),
    "login_problem": (
        "die Anmeldung scheitert mit Fehler {n}",
        "ich komme nicht ins Konto {n}",
        "mein Zugang {n} ist gesperrt",
    ),
    "password_reset": (
        "Kennwort vergessen, Kunde {n}",
        "bitte das Kennwort von {n} zurücksetzen",
        "neues Passwort für {n} gewünscht",
    ),
}
T = TypeVar("T")
DAYS, A_DAY = 7, 120
QUEUE_ITEMS = 120
RETRAINING = "monitoring.retraining.tasks.tick"
PLAN = {
    "steps": [5000, 10_000],
    "min_requests": 100,
    "min_minutes": 0,
    "margin": 0.2,
    "rise": 0.5,
    "max_hours": 24,
    "warm_up": 0,
    "tau": 0.1,
}


def german() -> dict[str, str]:
    """Every text of the new kind, with what its writer wants; the intents take turns."""
    numbers = iter(range(1_000, 10_000))
    rounds = product(range(3), GREETINGS, ENDINGS)
    return {
        (greeting + GERMAN[intent][at].format(n=next(numbers)) + ending): intent
        for at, greeting, ending in rounds
        for intent in GERMAN
    }


class Circle:
    """What follows once a story's first version is live. Both of its versions learn from the beginning, while
    people do other things.
    """

    def __init__(self, story: Story) -> None:
        assert story.head_started
        self.story = story
        self.second_started = story.launch("mia", "head", HEAD | {"seed": 2}, "Another seed")
        self.truth = german()
        self.asked = 0

    # ── Traffic ─────────────────────────────────────────────────────────────
    def ask(self, text: str) -> dict[str, Any]:
        """One request with a sticky key of its own; status 200 or what went wrong."""
        self.asked += 1
        body = {
            "inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": [text]}],
            "outputs": [{"name": "LABEL"}, {"name": "CONFIDENCE"}, {"name": "SCORES"}],
        }
        url = f"{self.story.client.product.inference}/v2/models/{self.story.full_name}/infer"
        answer = self.story.client.client.post(
            url, json=body, headers={"X-Route-Key": f"customer-{self.asked}"}
        )
        return {"status": answer.status_code} | answer.json()

    def english(self, count: int) -> list[str]:
        """Texts like those that the first version was trained on."""
        return list(
            islice(
                cycle(row.text for row in self.story.corpus.history),
                self.asked % 400,
                self.asked % 400 + count,
            )
        )

    # ── A canary ────────────────────────────────────────────────────────────
    @cached_property
    def second_approved(self) -> dict[str, Any]:
        """Version 1.1.0, approved by two people: the baseline from another seed. How it answers matters
        nothing: in a drill it fails.
        """
        assert self.story.first_live
        second = self.story.version_of(self.story["mia"].run_ended(self.second_started["uuid"]), "1.1.0")
        return self.story.approve(
            self.story.request(second, "From another seed.", {"kind": "canary", **PLAN})
        )

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Omar starts an automatic canary once there is enough traffic for its forecast."""
        for text in self.english(60):
            assert self.ask(text)["status"] == 200
        omar = self.story["omar"]

        def decidable() -> bool:
            response = omar.api("POST", f"endpoints/{self.story.endpoint}/rollouts/forecast/", PLAN)
            return response["problem"] == ""

        until(decidable, "the forecast has its traffic")
        return dict(omar.api("POST", "rollouts/", {"request": request["uuid"]}, status=201))

    def arm(self, name: str) -> dict[str, Any] | None:
        """What runs in an arm of the endpoint."""
        arms = self.story["omar"].api("GET", f"endpoints/{self.story.endpoint}/")["arms"]
        return next((each for each in arms if each["arm"] == name), None)

    def rollout(self, found: dict[str, Any]) -> dict[str, Any]:
        """A rollout as it is now."""
        return dict(self.story["omar"].api("GET", f"rollouts/{found['uuid']}/"))

    def drive(self, found: dict[str, Any], state: str, what: str) -> dict[str, Any]:
        """Send requests until the rollout is in this state; how many of them failed is left in `failures`."""
        self.failures = 0

        def there() -> dict[str, Any] | None:
            self.failures += sum(self.ask(text)["status"] != 200 for text in self.english(20))
            now = self.rollout(found)
            return now if now["state"] == state else None

        return self.early("monitoring.rollouts.tasks.tick", there, what)

    def early(self, task: str, condition: Callable[[], T], what: str) -> T:
        """What the condition gives once it is true; a worker does what leads there ahead of the clock."""
        return self.story.product.early(condition, what, task)

    # ── Drift ───────────────────────────────────────────────────────────────
    @cached_property
    def weeks_pass(self) -> int:
        """Customers write German for a week: real answers of the live version, dated back. Returns how many
        answers were wrong.
        """
        answered = {text: self.ask(text) for text in self.truth}
        live = self.story["mia"].api("GET", f"versions/{self.version}/")
        lines = []
        turns = cycle(answered.items())
        for day in range(DAYS, 0, -1):
            noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=day)
            lines += [self.line(*next(turns), noon + timedelta(seconds=20 * at), live) for at in range(A_DAY)]
        folder = self.story.client.product.data_dir / "spool"
        path = folder / "20200101T000000-journey"
        path.with_suffix(".open").write_text("".join(json.dumps(line) + "\n" for line in lines))
        path.with_suffix(".open").rename(path.with_suffix(".jsonl"))
        until(lambda: not path.with_suffix(".jsonl").exists(), "the week is taken in")
        return sum(answer["outputs"][0]["data"][0] != self.truth[text] for text, answer in answered.items())

    @property
    def version(self) -> str:
        """The version that is live."""
        assert self.story.first_live
        return str(self.story["omar"].api("GET", f"endpoints/{self.story.endpoint}/")["live"])

    def line(self, text: str, answer: dict[str, Any], at: datetime, live: dict[str, Any]) -> dict[str, Any]:
        """An answer as the server spools it, at another time."""
        label, confidence, scores = (output["data"] for output in answer["outputs"])
        named = dict(zip(answer["outputs"][2]["parameters"]["labels"], scores, strict=True))
        words = {
            "sha256": "0" * 64,
            "chars": len(text),
            "tokens": len(text.split()) + 2,
            "oov": 0.6,
            "truncated": False,
            "text": text,
        }
        return {
            "uuid": str(uuid.uuid4()),
            "at": at.isoformat(),
            "endpoint": self.story.full_name,
            "version": live["uuid"],
            "root_digest": live["root_digest"],
            "deployment": None,
            "arm": "stable",
            "key": "",
            "status": "ok",
            "code": 200,
            "latency_ms": 5.0,
            "queue_ms": 0.1,
            "cpu_ms": 4.0,
            "rows": 1,
            "inputs": [words],
            "outputs": [{"label": label[0], "confidence": confidence[0], "scores": named}],
            "token": "",
            "request_id": "",
            "epoch": 1,
        }

    def drift_opens(self) -> list[dict[str, Any]]:
        """The monitors that stand open, once the week is measured."""

        def opened() -> list[dict[str, Any]]:
            return list(self.story["mia"].api("GET", f"endpoints/{self.story.endpoint}/drift/")["open"])

        return self.story.product.early(
            opened, "drift is found", "monitoring.traffic.tasks.build_rollups", "monitoring.drift.tasks.tick"
        )

    @cached_property
    def places(self) -> dict[str, str]:
        """The uuid of each thing that has a page."""
        omar, endpoint = self.story["omar"], self.story.endpoint
        rooms = {"rollout": "rollouts", "alert": "alerts", "proposal": "retraining"}
        newest = {
            name: omar.api("GET", f"{room}/?endpoint={endpoint}")["results"][:1]
            for name, room in rooms.items()
        }
        return {"endpoint": endpoint} | {name: row["uuid"] for name, rows in newest.items() for row in rows}

    # ── Retraining ──────────────────────────────────────────────────────────
    @cached_property
    def proposal(self) -> dict[str, Any]:
        """Lee has drift propose, which a worker does. Leads read no texts, so Mia has them collected."""
        lee, endpoint = self.story["lee"], self.story.endpoint
        trigger = {
            "kind": "drift",
            "enabled": True,
            "threshold": 0.1,
            "cooldown_days": 0,
            "min_labels": 20,
            "overlap": 1,
        }
        trigger |= {"queue_items": QUEUE_ITEMS}
        lee.api("PUT", f"endpoints/{endpoint}/retraining/triggers/", trigger)

        def made() -> dict[str, Any] | None:
            found = lee.api("GET", f"retraining/?endpoint={endpoint}")["results"]
            return found[0] if found else None

        found = dict(self.early(RETRAINING, made, "a retraining is proposed"))
        self.story["mia"].api("POST", f"retraining/{found['uuid']}/collect/", {})
        return found

    def proposal_now(self) -> dict[str, Any]:
        """The proposal as Lee reads it."""
        return dict(self.story["lee"].api("GET", f"retraining/{self.proposal['uuid']}/"))

    def label(self, queue: str) -> int:
        """Ana answers everything in the queue on the bench; returns how many."""
        ana, done = self.story["ana"], 0
        waiting = json_script(ana.page(f"/labeling/{queue}/bench/"), "items")
        while waiting:
            item = waiting.pop(0)
            have = ",".join(str(each["slot"]) for each in waiting)
            label = self.story.labels[self.truth.get(item["text"]) or self.known(item["text"])]
            form = {
                "slot": item["slot"],
                "label": label,
                "client_key": str(uuid.uuid4()),
                "token": item["token"],
                "seconds": 2,
                "have": have,
            }
            answer = ana.script(f"/labeling/{queue}/submit/", form)
            done += 1
            waiting += [
                each for each in answer["items"] if each["slot"] not in {known["slot"] for known in waiting}
            ]
        return done

    def known(self, text: str) -> str:
        """What a text of the first kind means; greetings, by which other journeys ask whether the endpoint
        answers, mean anything.
        """
        rows = (*self.story.corpus.history, *self.story.corpus.new)
        return next((row.label for row in rows if row.text == text), rows[0].label)

    def promote(self, request: str) -> dict[str, Any]:
        """A second lead and Gita approve: Lee set the trigger of the retraining on the same day."""

        def checked() -> dict[str, Any] | None:
            now: dict[str, Any] = self.story["mia"].api("GET", f"promotions/{request}/")
            return now if now["status"] == "in_review" else None

        found = until(checked, "the gates are checked")
        for username in ("lea", "gita"):
            form = {
                "reason": f"{username} looked at it.",
                "password": PASSWORD,
                "seen": found["subject_digest"],
                "consent": "on",
            }
            self.story[username].post(f"/promotions/{request}/approve/", form)
        return dict(self.story["mia"].api("GET", f"promotions/{request}/"))
