"""endpoints deploy, predict."""

from __future__ import annotations

import sys
from typing import Annotated, Any
from urllib.parse import quote

from typer import Argument, Option

from lifecycle.runtime.cli import find, plans
from lifecycle.runtime.cli.arguments import Request
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.plans import WHOLE, part
from lifecycle.runtime.cli.screen import table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun

TEXTS_A_REQUEST = 64
USUAL_STEPS = (500, 2_500, 5_000, WHOLE)  # shares of 10,000
Row = dict[str, Any]
noun = Noun("Endpoints: deploy, status, roll back, predict, traffic.")


@noun.verb
def deploy(
    session: Session,
    request: Request,
    share: Annotated[
        int | None, plans.of(plans.share, "PERCENT", "for a request without a plan: begin as a canary with this share")
    ] = None,
) -> int | None:
    """Deploy an approved request by its approved plan: all traffic at once, or a canary."""
    asked = find.request(session, request)
    endpoint = find.endpoint(session, asked["endpoint"])
    kind = asked["plan"].get("kind")
    if share is None and kind == "canary":
        return plans.begin(session, asked, endpoint, {})
    if share is not None and share < WHOLE:
        return plans.begin(session, asked, endpoint, {"steps": [share, *(step for step in USUAL_STEPS if step > share)]})
    by_hand = {"share": asked["plan"]["share"]} if kind == "share" else {}
    made = session.api.post(f"/endpoints/{endpoint['uuid']}/deploy/", {"request": asked["uuid"]} | by_hand)
    endpoint = find.endpoint(session, endpoint["uuid"])
    name, target = endpoint["full_name"], endpoint["rollback_to"]
    if by_hand:
        session.screen.show(made, f"{made['semver']} answers {part(made['share'])} of the requests on {name}.")
        return None
    back = f"Roll back: lifecycle endpoints roll-back {name} --to {target} --reason …" if target else ""
    session.screen.show(made, f"{made['semver']} is live on {name}. {back}".rstrip())
    return None


@noun.verb
def predict(
    session: Session,
    endpoint: Annotated[str, Argument(metavar="ENDPOINT", help="slug, or PROJECT/SLUG where the token opens several of that slug")],
    text: Annotated[str, Argument(metavar="TEXT", help="a text, or - for one text per line of stdin")],
    route_key: Annotated[str, Option(metavar="KEY", help="keeps one user on one version while two share the traffic")] = "",
) -> None:
    """Predict the labels of texts; needs a token with the scope infer."""
    texts = [line.rstrip("\r\n") for line in sys.stdin] if text == "-" else [text]
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise Usage("There is no text. Give one, or one per line on stdin with -.")
    parts = [texts[at : at + TEXTS_A_REQUEST] for at in range(0, len(texts), TEXTS_A_REQUEST)]
    found = [answer for part in parts for answer in asked(session, endpoint, route_key, part)]
    lines = table(
        ["LABEL", "CONFIDENCE", "PREDICTION", "VERSION"],
        [(each["label"], f"{each['confidence']:.3f}", each["prediction"], each["version"]) for each in found],
    )
    session.screen.show(found, lines)


def asked(session: Session, endpoint: str, route_key: str, texts: list[str]) -> list[Row]:
    """The predictions for at most 64 texts."""
    body: Row = {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [len(texts)], "data": texts}]}
    if route_key:
        body["parameters"] = {"route_key": route_key}
    answer = session.inference.post(f"/v2/models/{quote(endpoint)}/infer", body)
    columns = {each["name"]: each for each in answer["outputs"]}
    names, width = columns["SCORES"]["parameters"]["labels"], columns["SCORES"]["shape"][1]
    about = answer["parameters"]
    return [
        {
            "label": columns["LABEL"]["data"][at],
            "confidence": columns["CONFIDENCE"]["data"][at],
            "prediction": f"{about['prediction_id']}:{at}" if at else about["prediction_id"],
            "version": about["version_label"],
            "arm": about["arm"],
            "scores": dict(zip(names, columns["SCORES"]["data"][at * width : (at + 1) * width], strict=True)),
        }
        for at in range(len(texts))
    ]
