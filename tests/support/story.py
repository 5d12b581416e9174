"""The main job over HTTP, step by step; a step is done at its first use, with those before it, by the people
whose work it is.
"""

from __future__ import annotations

import re
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support.corpora import Corpus
from tests.support.people import PASSWORD
from tests.support.product import Product, json_script, until
from tests.support.visitors import Program, Visitor, Workspace, accept, looked_through

ANNOTATORS = ("ana", "ben", "chloe")
SHARES = {"train": 60, "validation": 20, "test": 20}
LORA = {
    "epochs": 3,
    "patience": 0,
    "batch_size": 16,
    "evaluations_per_epoch": 2,
    "max_tokens": 64,
    "threads": 2,
}
HEAD = {"max_tokens": 64, "threads": 2}
STATED = {
    "purpose": "Sorts messages so that each reaches the right desk.",
    "limits": "English only; one wish a message.",
    "risks": "A person reads every message.",
}


class Story:
    """What one project goes through with one corpus."""

    def __init__(self, workspace: Workspace, corpus: Corpus) -> None:
        self.workspace, self.corpus = workspace, corpus
        self.product: Product = workspace.product
        self.slug = f"{workspace.slug}-prod"
        self.full_name = f"{workspace.slug}/{self.slug}"

    def __getitem__(self, username: str) -> Visitor:
        return self.workspace[username]

    # ── Data ────────────────────────────────────────────────────────────────
    @cached_property
    def dataset(self) -> str:
        """Ana makes the dataset on its page."""
        project = option_of(self["ana"].page("/datasets/new/"), self.workspace.name)
        form = {
            "project": project,
            "name": f"{self.workspace.name} messages",
            "language": "en",
            "task": "single_label",
        }
        return uuid_in(self["ana"].post("/datasets/new/", form).headers["location"])

    @cached_property
    def dry_run(self) -> str:
        """Ana sends the CSV by the page's form; its dry run waits."""
        with tempfile.TemporaryDirectory() as folder:
            path = self.corpus.csv_file(Path(folder))
            answer = self["ana"].post(
                f"/datasets/{self.dataset}/uploads/",
                {"origin": "journey"},
                files={"file": (path.name, path.read_bytes(), "text/csv")},
            )
        return uuid_in(answer.headers["location"])

    @cached_property
    def history(self) -> dict[str, Any]:
        """The CSV, accepted and imported: Ana is responsible for its labels."""
        ana = self["ana"]
        found = looked_through(ana, self.dry_run)
        if found["state"] == "inspected":
            ana.post(
                f"/datasets/uploads/{self.dry_run}/accept/", {"labels_as": "decisions", "seen": found["seen"]}
            )
        return self.imported(self.dry_run)

    @cached_property
    def inbox(self) -> dict[str, Any]:
        """The JSONL, sent by a program with Ana's token and accepted by it."""
        program = self["ana"].token("read", "label")
        sent = program.api(
            "POST",
            f"datasets/{self.dataset}/uploads/?name=new.jsonl",
            content=self.corpus.json_lines(),
            status=201,
        )
        self["ana"].job(accept(program, sent["uuid"]))
        return self.imported(sent["uuid"])

    def imported(self, upload: str) -> dict[str, Any]:
        """The upload once its items are visible."""

        def done() -> dict[str, Any] | None:
            found: dict[str, Any] = self["ana"].api("GET", f"uploads/{upload}/")
            return found if found["state"] == "imported" else None

        return until(done, "the upload is imported")

    # ── Labels ──────────────────────────────────────────────────────────────
    @cached_property
    def schema(self) -> dict[str, Any]:
        """Ravi publishes definitions for the labels of the file."""
        assert self.history["state"] == "imported"
        ravi = self["ravi"]
        newest = ravi.api("GET", f"labeling/datasets/{self.dataset}/schemas/")[0]
        labels = [
            {"name": each["name"], "definition": f"About {each['name']}.", "stable_id": each["stable_id"]}
            for each in newest["labels"]
        ]
        body = {
            "labels": labels,
            "guideline": "Choose what the customer wants *now*.",
            "seen": newest["version"],
        }
        return dict(ravi.api("POST", f"labeling/datasets/{self.dataset}/schemas/", body, status=201))

    @cached_property
    def labels(self) -> dict[str, str]:
        """The uuid of each label by its name."""
        return {each["name"]: each["uuid"] for each in self.schema["labels"]}

    @cached_property
    def queue(self) -> str:
        """Ravi opens a queue over the new messages: three people an item."""
        assert self.labels
        body = {
            "dataset": self.dataset,
            "name": "New messages",
            "overlap": 3,
            "source": "upload",
            "upload": self.inbox["uuid"],
        }
        made = self["ravi"].api("POST", "labeling/queues/", body, status=201)
        wanted = 3 * len(self.corpus.new)
        until(lambda: self.queue_now(made["uuid"])["slots_total"] == wanted, "the queue is filled")
        return str(made["uuid"])

    def queue_now(self, queue: str = "") -> dict[str, Any]:
        """How far the queue is."""
        return dict(self["ravi"].api("GET", f"labeling/queues/{queue or self.queue}/"))

    @cached_property
    def annotated(self) -> int:
        """Three people answer everything on the bench; returns how many answers they gave."""
        return sum(self.annotate(username) for username in ANNOTATORS)

    def annotate(self, username: str) -> int:
        """One person works through the queue as the bench's script does."""
        person, number = self[username], {row.text: at for at, row in enumerate(self.corpus.new)}
        waiting = json_script(person.page(f"/labeling/{self.queue}/bench/"), "items")
        given = 0
        while waiting:
            item = waiting.pop(0)
            label = self.labels[self.corpus.label_by(username, number[item["text"]])]
            have = ",".join(str(each["slot"]) for each in waiting)
            form = {
                "slot": item["slot"],
                "label": label,
                "client_key": str(uuid4()),
                "token": item["token"],
                "seconds": 2,
                "have": have,
            }
            answer = person.script(f"/labeling/{self.queue}/submit/", form)
            given += 1
            waiting += [
                each for each in answer["items"] if each["slot"] not in {known["slot"] for known in waiting}
            ]
        return given

    @cached_property
    def adjudicated(self) -> int:
        """Ravi settles every disagreement on the review page; returns how many there were."""
        assert self.annotated
        ravi, truth, settled = self["ravi"], self.corpus.truth(), 0
        while self.queue_now()["items_disputed"]:
            page = ravi.page(f"/labeling/{self.queue}/review/")
            item, seen = value_of(page, "item"), value_of(page, "seen")
            text = ravi.api("GET", f"items/{item}/")["text"]
            form = {
                "item": item,
                "seen": seen,
                "label": self.labels[truth[text]],
                "reason": "By the guideline.",
                "order": "widest",
            }
            ravi.post(f"/labeling/{self.queue}/adjudicate/", form)
            settled += 1
        return settled

    # ── Snapshot and runs ───────────────────────────────────────────────────
    @cached_property
    def snapshot(self) -> dict[str, Any]:
        """Mia creates a dataset version of the labeled items."""
        assert self.adjudicated is not None
        mia = self["mia"]
        mia.job(
            mia.api(
                "POST",
                f"datasets/{self.dataset}/dataset-versions/",
                {"shares": SHARES, "note": "First", "after": 0},
                status=202,
            )
        )
        page = mia.api("GET", "dataset-versions/")["results"]
        return dict(next(each for each in page if each["dataset"] == self.dataset))

    @cached_property
    def base(self) -> str:
        """Mia adds the base model of the installed package."""
        mia = self["mia"]
        base = mia.api(
            "POST", "base-models/", {"project": self.workspace.uuid, "kind": "package"}, status=201
        )

        def kept() -> bool:
            return any(
                b["uuid"] == base["uuid"] and b["root_digest"]
                for b in mia.api("GET", "base-models/")["results"]
            )

        until(kept, "the base model's files are kept")
        return str(base["uuid"])

    def launch(self, username: str, strategy: str, options: dict[str, Any], note: str = "") -> dict[str, Any]:
        """An engineer launches a run; it waits or trains when this returns."""
        body = {
            "dataset_version": self.snapshot["uuid"],
            "base": self.base,
            "strategy": strategy,
            "options": options,
            "note": note,
            "key": str(uuid4()),
        }
        return dict(self[username].api("POST", "runs/", body, status=201))

    @cached_property
    def head_started(self) -> dict[str, Any]:
        """The quick baseline is launched."""
        return self.launch("mia", "head", HEAD, "Head only")

    @cached_property
    def lora_started(self) -> dict[str, Any]:
        """The LoRA run is launched."""
        return self.launch("mia", "lora", LORA, "LoRA")

    @cached_property
    def head(self) -> dict[str, Any]:
        """The baseline, done."""
        return self["mia"].run_ended(self.head_started["uuid"])

    @cached_property
    def lora(self) -> dict[str, Any]:
        """The LoRA run, done."""
        return self["mia"].run_ended(self.lora_started["uuid"])

    def evaluation(self, run: dict[str, Any], split: str = "test") -> dict[str, Any]:
        """The run's evaluation on a split, which starts automatically after the run."""
        mia = self["mia"]

        def there() -> dict[str, Any] | None:
            rows = mia.api("GET", f"evaluations/?run={run['uuid']}")["results"]
            return next((each for each in rows if each["split"] == split), None)

        found = until(there, f"the evaluation on {split}")
        return dict(mia.api("GET", f"evaluations/{found['uuid']}/"))

    # ── Registry ────────────────────────────────────────────────────────────
    @cached_property
    def model(self) -> str:
        """Mia makes the registered model."""
        body = {
            "project": self.workspace.uuid,
            "name": f"{self.workspace.name} intent",
            "slug": f"{self.workspace.slug}-intent",
        }
        return str(
            self["mia"].api("POST", "models/", body | {"purpose": STATED["purpose"]}, status=201)["uuid"]
        )

    @cached_property
    def endpoint(self) -> str:
        """Mia makes the endpoint; nothing is live on it."""
        body = {"slug": self.slug, "environment": "production", "keep_text": True}
        return str(self["mia"].api("POST", f"models/{self.model}/endpoints/", body, status=201)["uuid"])

    def version_of(self, run: dict[str, Any], semver: str) -> dict[str, Any]:
        """Mia registers a run: sealed, signed, with a card."""
        mia = self["mia"]
        self.evaluation(run)
        mia.job(
            mia.api(
                "POST",
                f"models/{self.model}/versions/",
                {"run": run["uuid"], "semver": semver, "stated": STATED},
                status=202,
            )
        )
        return dict(
            next(
                v
                for v in mia.api("GET", f"models/{self.model}/versions/")["results"]
                if v["semver"] == semver
            )
        )

    @cached_property
    def first(self) -> dict[str, Any]:
        """Version 1.0.0: the baseline."""
        return self.version_of(self.head, "1.0.0")

    @cached_property
    def second(self) -> dict[str, Any]:
        """Version 1.1.0: the LoRA run."""
        return self.version_of(self.lora, "1.1.0")

    def request(
        self, version: dict[str, Any], note: str, plan: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Mia asks for a promotion; returns the request once its gates are checked."""
        body = {"version": version["uuid"], "endpoint": self.endpoint, "note": note} | (
            {"plan": plan} if plan else {}
        )
        made = self["mia"].api("POST", "promotions/", body, status=201)

        def checked() -> dict[str, Any] | None:
            found: dict[str, Any] = self["mia"].api("GET", f"promotions/{made['uuid']}/")
            return found if found["status"] not in ("draft", "checking") or found["reason"] else None

        return until(checked, "the gates are checked")

    def approve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Lee, then Gita, each on the page, with their password."""
        for username in ("lee", "gita"):
            form = {
                "reason": f"{username} looked at it.",
                "password": PASSWORD,
                "seen": request["subject_digest"],
                "consent": "on",
            }
            self[username].post(f"/promotions/{request['uuid']}/approve/", form)
        return dict(self["mia"].api("GET", f"promotions/{request['uuid']}/"))

    @cached_property
    def first_request(self) -> dict[str, Any]:
        """The request for 1.0.0, its gates checked."""
        return self.request(self.first, "The first version.")

    @cached_property
    def first_approved(self) -> dict[str, Any]:
        """The request for 1.0.0, approved by two people."""
        return self.approve(self.first_request)

    # ── Serving ─────────────────────────────────────────────────────────────
    @cached_property
    def client(self) -> Program:
        """A program of Ana's that may ask and give feedback."""
        return self["ana"].token("read", "infer", "feedback")

    def deploy(self, request: dict[str, Any]) -> None:
        """Omar deploys an approved request on the endpoint's page."""
        self["omar"].post(f"/endpoints/{self.endpoint}/deploy/", {"request": request["uuid"]})

    @cached_property
    def first_live(self) -> str:
        """1.0.0 answers; returns the version's uuid."""
        self.deploy(self.first_approved)
        version = str(self.first["uuid"])
        self.client.answered_by(self.full_name, version)
        return version

    @cached_property
    def second_live(self) -> str:
        """1.1.0 answers in place of 1.0.0; returns the version's uuid."""
        assert self.first_live
        version = str(self.second["uuid"])
        self.deploy(self.approve(self.request(self.second, "Better on messages that look alike.")))
        self.client.answered_by(self.full_name, version)
        return version


def uuid_in(address: str) -> str:
    """The last uuid of an address."""
    return next(part for part in reversed(address.split("?")[0].split("/")) if len(part) == 36)


def value_of(page: str, name: str) -> str:
    """The value of a page's first hidden field of this name."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"The page has no field {name}."
    return found[1]


def option_of(page: str, text: str) -> str:
    """The value of the option with this text."""
    found = re.search(rf'<option value="([^"]*)"[^>]*>\s*{re.escape(text)}', page)
    assert found, f"The page offers no {text}."
    return found[1]
