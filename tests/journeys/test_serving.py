"""The main job against real processes, second half: from a run to a governed model that answers, and the
chain in both directions.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lifecycle.runtime import bundle
from registry.promotions.rules import PARTS
from tests.support.people import PASSWORD
from tests.support.product import until
from tests.support.story import STATED, Story
from tests.support.visitors import Visitor, plain

pytestmark = pytest.mark.journey


# ── 4 Registry ──────────────────────────────────────────────────────────────
def test_a_version_is_sealed_and_anyone_can_verify_it(story: Story, tmp_path: Path):
    version = story.first
    visitor, address = story["mia"], f"versions/{version['uuid']}/export/"
    visitor.job(visitor.api("POST", address, status=202))
    packed = visitor.client.get(f"/api/v1/{address}").content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path)

    folder, key = tmp_path / "model", tmp_path / "signing.pub.pem"
    bundle.verify(tmp_path, key)
    # its weights were put together
    assert "lifecycle" in (tmp_path / "transformers" / "config.json").read_text()
    (folder / "README.md").unlink()  # the card, which is newer than the version's own signature
    bundle.verify(folder, key, expected_root=version["root_digest"])
    assert bundle.root_digest(bundle.manifest(folder)) == version["root_digest"] == story.head["artifact"]

    checked = [
        sys.executable,
        "-m",
        "model_signing",
        "verify",
        "key",
        str(folder),
        "--signature",
        str(folder / "model.sig"),
        "--public_key",
        str(key),
    ]
    by_others = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert by_others.returncode == 0, by_others.stderr


def test_the_card_contains_measurements_and_stated_facts(story: Story):
    card = story["mia"].api("GET", f"versions/{story.first['uuid']}/card/")
    report = story.evaluation(story.head)["report"]

    assert card["stated"] == STATED
    assert STATED["limits"] in card["text"]
    assert f"{report['macro_f1']:.3f}" in card["text"]
    assert story.snapshot["digest"][:8] in card["text"]


def test_the_gates_are_checked_before_anyone_reads(story: Story):
    request = story.first_request
    gates = {gate["gate"]: gate for gate in request["gates"]}

    assert request["status"] == "in_review", [
        (g["gate"], g["status"], g["evidence"]) for g in request["gates"]
    ]
    assert set(gates) == {"quality", "live", "calibration", "leakage", "labels", "signature", "card"}
    assert (
        gates["signature"]["status"] == gates["leakage"]["status"] == gates["quality"]["status"] == "passed"
    )
    assert "first version" in gates["live"]["evidence"].lower()


# ── 5 Approval ──────────────────────────────────────────────────────────────
@contextmanager
def also(story: Story, username: str, role: str) -> Iterator[Visitor]:
    """Adam gives a user a second role temporarily."""
    path, body = (
        f"projects/{story.workspace.uuid}/members/",
        {
            "user": story[username].uuid,
            "role": role,
            "password": PASSWORD,
        },
    )
    story["adam"].api("POST", path, body)
    try:
        yield story[username]
    finally:
        story["adam"].api("DELETE", path, body)


def verdict(story: Story) -> dict[str, str]:
    return {"reason": "I looked at it.", "password": PASSWORD, "seen": story.first_request["subject_digest"]}


@pytest.mark.parametrize(("username", "part"), [("mia", "requester"), ("ana", "decided")])
def test_a_participant_cannot_approve_in_any_role(story: Story, username: str, part: str):
    path = f"promotions/{story.first_request['uuid']}/"
    with also(story, username, "lead") as person:
        refusal = person.api("POST", f"{path}approve/", verdict(story), status=403)

    assert refusal["message"].startswith(PARTS[part])
    assert story["lee"].api("GET", path)["verdicts"] == []


def test_neither_role_nor_token_nor_wrong_password_nor_stale_page_approves(story: Story):
    path = f"promotions/{story.first_request['uuid']}/"
    good = verdict(story)

    story["otto"].api("POST", f"{path}approve/", good, status=404)
    story["omar"].api("POST", f"{path}approve/", good, status=403)
    story["adam"].api("POST", f"{path}approve/", good, status=404)  # an organisation admin sees none
    story["gita"].api("POST", f"{path}approve/", good, status=403)  # the technical step comes first
    story["lee"].token("read", "request").api("POST", f"{path}approve/", good, status=403)
    assert story["lee"].api("POST", f"{path}approve/", good | {"password": "wrong"}, status=422)["fields"][
        "password"
    ]
    story["lee"].api("POST", f"{path}approve/", good | {"seen": "0" * 64}, status=409)

    found = story["lee"].api("GET", path)
    assert (found["status"], found["verdicts"]) == ("in_review", [])


def test_two_people_approve_and_no_traffic_changes(story: Story):
    approved = story.first_approved

    assert approved["status"] == "approved"
    assert [(each["step"], each["reviewer"]) for each in approved["verdicts"]] == [
        ("technical", story["lee"].uuid),
        ("governance", story["gita"].uuid),
    ]
    assert "first_live" in story.__dict__ or story.client.ask(story.full_name, "Hello").status_code in (
        401,
        503,
    )  # no endpoint yet, so no token is known


# ── 6 Deploy, answer, roll back ─────────────────────────────────────────────
def test_a_deployed_version_answers_programs_with_a_token(story: Story):
    version = story.first_live
    texts = [row.text for row in story.corpus.history[:20]]
    answer = story.client.ask(story.full_name, *texts).json()

    assert (answer["model_name"], answer["model_version"]) == (story.full_name, version)
    labels = answer["outputs"][0]["data"]
    right = sum(label == row.label for label, row in zip(labels, story.corpus.history, strict=False))
    assert right >= 15
    assert story["otto"].token("infer").ask(story.full_name, "Hello").status_code in (401, 404)
    assert story["aida"].token("infer").ask(story.full_name, "Hello").status_code in (401, 404)
    assert story["ana"].token("read").ask(story.full_name, "Hello").status_code in (401, 404)


def test_the_try_it_box_answers(story: Story):
    assert story.first_live
    page = plain(
        story["omar"]
        .post(f"/endpoints/{story.endpoint}/try/", {"text": story.corpus.history[0].text}, status=200)
        .text
    )

    assert story.corpus.history[0].label in page
    assert "1.0.0" in page


def test_a_roll_back_needs_the_typed_version_and_drops_no_request(story: Story):
    second, omar = story.second_live, story["omar"]
    moves = omar.api("GET", f"endpoints/{story.endpoint}/")["moves"]
    form = {"reason": "Complaints from the desk.", "typed": "1.0.0", "seen": moves}
    omar.post(f"/endpoints/{story.endpoint}/roll-back/", form | {"typed": "1.1.0"}, status=422)
    story["mia"].post(f"/endpoints/{story.endpoint}/roll-back/", form, status=403)
    assert story.client.ask(story.full_name, "Hello").json()["model_version"] == second

    answers: list[tuple[int, str]] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            answer = story.client.ask(story.full_name, "Where is my order?")
            answers.append((answer.status_code, answer.json().get("model_version", "")))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        until(lambda: len(answers) > 5, "answers before the roll-back")
        omar.post(f"/endpoints/{story.endpoint}/roll-back/", form)
        until(lambda: answers[-1][1] == story.first["uuid"], "the old version answers")
    finally:
        done.set()
        asking.join()

    assert {status for status, _ in answers} == {200}
    versions = [version for _, version in answers]
    switch = versions.index(story.first["uuid"])
    assert set(versions[:switch]) == {second}
    assert set(versions[switch:]) == {story.first["uuid"]}
    history = omar.api("GET", f"endpoints/{story.endpoint}/deployments/")["results"]
    assert [(each["semver"], each["cause"]) for each in history] == [
        ("1.0.0", "rollback"),
        ("1.1.0", "promotion"),
        ("1.0.0", "promotion"),
    ]


# ── 7 Feedback ──────────────────────────────────────────────────────────────
def prediction_of(story: Story, text: str) -> str:
    """Ask about a text; returns the prediction once it has arrived."""
    assert story.first_live
    uuid = str(story.client.ask(story.full_name, text).json()["parameters"]["prediction_id"])
    until(
        lambda: story["ana"].client.get(f"/api/v1/predictions/{uuid}/").status_code == 200,
        "the prediction arrives",
    )
    return uuid


def test_feedback_is_kept_with_the_prediction(story: Story):
    row = story.corpus.history[1]
    uuid = prediction_of(story, row.text)
    found = story["ana"].api("GET", f"predictions/{uuid}/")
    other = next(label for label in story.corpus.labels if label != found["label"])

    unknown = story.client.api(
        "POST", f"predictions/{uuid}/feedback/", {"right": False, "label": "no_such_label"}, status=422
    )
    assert "no_such_label" in unknown["message"]
    story.client.api("POST", f"predictions/{uuid}/feedback/", {"right": False, "label": other}, status=201)

    found = story["ana"].api("GET", f"predictions/{uuid}/")
    assert (found["text"], found["feedback_right"], found["feedback_label"]) == (row.text, False, other)
    assert story["omar"].api("GET", f"predictions/{uuid}/")["text"] is None  # may not read samples
    story["otto"].api("GET", f"predictions/{uuid}/", status=404)


# ── 8 Audit and trace ───────────────────────────────────────────────────────
def test_the_chain_leads_from_an_answer_to_the_people_behind_it(story: Story):
    row = story.corpus.history[2]
    uuid = prediction_of(story, row.text)
    aida = story["aida"]

    chain = aida.api("GET", f"trace/predictions/{uuid}/")
    links = {link["kind"]: link for link in chain}
    assert list(links) == ["Prediction", "Deployment", "Approval", "Version", "Run", "Dataset version"]
    assert not any(link["missing"] for link in chain)
    assert set(links["Approval"]["people"]) == {story["lee"].uuid, story["gita"].uuid}
    assert links["Deployment"]["people"] == [story["omar"].uuid]
    assert links["Dataset version"]["digest"] == story.snapshot["digest"]
    assert links["Version"]["digest"] in (story.first["root_digest"], story.second["root_digest"])

    aida.post(f"/trace/predictions/{uuid}/neighbors/")
    page = until(
        lambda: (text := plain(aida.page(f"/trace/predictions/{uuid}/"))).count("Similarity") and text,
        "the nearest items",
    )
    assert row.text not in page
    assert story["ana"].username.capitalize() in page


def test_an_item_leads_to_everything_it_touched(story: Story):
    assert story.second_live
    item = story["mia"].api("GET", f"datasets/{story.dataset}/items/?external_id=h-7")["results"][0]["uuid"]
    touched = story["aida"].api("GET", f"trace/items/{item}/")

    assert [each["uuid"] for each in touched["snapshots"]] == [story.snapshot["uuid"]]
    assert touched["snapshots"][0]["label"] == story.corpus.history[7].label
    assert {story.head["uuid"], story.lora["uuid"]} <= set(touched["runs"])
    assert set(touched["versions"]) == {story.first["uuid"], story.second["uuid"]}
    assert len(touched["deployments"]) >= 2
    story["aida"].page(f"/trace/items/{item}/")


def test_the_audit_log_is_exported_with_its_proof(story: Story):
    assert story.second_live
    aida = story["aida"]
    lines = [
        json.loads(line)
        for line in aida.api("POST", f"audit/export/?project={story.workspace.uuid}").splitlines()
    ]
    events = [line for line in lines if "canonical" in line]

    assert all(hashlib.sha256(line["canonical"].encode()).hexdigest() == line["hash"] for line in events)
    assert any("checkpoint" in line for line in lines)
    verbs = [json.loads(line["canonical"])["verb"] for line in reversed(events)]
    recorded = [
        "datasets.upload_accepted",
        "labeling.schema_published",
        "labeling.labels_imported",
        "labeling.queue_opened",
        "snapshots.created",
        "training.launched",
        "catalog.registered",
        "promotions.requested",
        "promotions.approved",
        "endpoints.deployed",
    ]
    assert sorted(recorded, key=verbs.index) == recorded
    text = "\n".join(line["canonical"] for line in events)
    assert not any(row.text in text for row in story.corpus.history)


def test_the_audit_log_verifies(story: Story):
    assert story.first_live
    output = story.product.verified()

    assert "whole." in output
    assert "broken" not in output
    otto = story["otto"].client.post(
        "/api/v1/audit/export/", headers={"X-CSRFToken": story["otto"].client.cookies["csrftoken"]}
    )
    assert otto.status_code == 403
