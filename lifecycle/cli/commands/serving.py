"""deploy, status, roll-back, predict."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import quote

from lifecycle.cli import find
from lifecycle.cli.commands import canary
from lifecycle.cli.errors import Usage
from lifecycle.cli.screen import facts, table
from lifecycle.cli.session import Session

TEXTS_A_REQUEST = 64
USUAL_STEPS = (500, 2_500, 5_000, canary.WHOLE)  # shares of 10,000


def add(commands: Any, common: Any) -> None:
    """Tell the parser."""
    start = commands.add_parser(
        "deploy", parents=[common], help="bring an approved request live, by its plan",
        description="Bring the version of an approved request live by the plan that was approved with it: all traffic at once, or a "
        "canary; see `lifecycle canary`.",
    )  # fmt: skip
    start.add_argument("request", metavar="REQUEST", help="number or uuid of the promotion request")
    start.add_argument(
        "--share",
        type=canary.share,
        metavar="PERCENT",
        help="for a request from before requests named a plan: begin as a canary with this share",
    )
    start.set_defaults(run=deploy)
    look = commands.add_parser("status", parents=[common], help="what answers on an endpoint, and how far the servers are")
    look.add_argument("endpoint", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid")
    look.set_defaults(run=status)
    back = commands.add_parser("roll-back", parents=[common], help="go back to the version that was live before")
    back.add_argument("endpoint", metavar="ENDPOINT", help="slug, PROJECT/SLUG or uuid")
    back.add_argument(
        "--to", required=True, metavar="VERSION", help="the version that becomes live, typed so that nobody rolls back the wrong endpoint"
    )
    back.add_argument("--reason", required=True, help="why; it is kept in the trail")
    back.set_defaults(run=roll_back)
    ask = commands.add_parser("predict", parents=[common], help="ask an endpoint; needs a token with the scope infer")
    ask.add_argument("endpoint", metavar="ENDPOINT", help="slug, or PROJECT/SLUG where the token opens several of that slug")
    ask.add_argument("text", metavar="TEXT", help="a text, or - for one text a line from stdin")
    ask.add_argument("--route-key", default="", help="keeps one user on one version while two share the traffic")
    ask.set_defaults(run=predict)


def deploy(session: Session) -> int | None:
    """The version of an approved request goes live by the plan that was approved; --share chooses one for a request that names none."""
    request = find.request(session, session.args.request)
    share = session.args.share
    if share is None and canary.is_ruled(request):
        return canary.begin(session, request, find.endpoint(session, request["endpoint"]), {})
    if share is not None and share < canary.WHOLE:
        steps = [share, *(step for step in USUAL_STEPS if step > share)]
        return canary.begin(session, request, find.endpoint(session, request["endpoint"]), {"steps": steps})
    by_hand = {"share": request["plan"]["share"]} if request["plan"].get("kind") == "share" else {}
    made = session.api.post(f"/endpoints/{request['endpoint']}/deploy/", {"request": request["uuid"]} | by_hand)
    endpoint = find.endpoint(session, request["endpoint"])
    if by_hand:
        session.screen.show(made, f"{made['semver']} answers {canary.part(made['share'])} of the requests on {endpoint['full_name']}.")
        return None
    session.screen.show(made, f"{made['semver']} is live on {endpoint['full_name']}. {back_to(endpoint)}".rstrip())
    return None


def status(session: Session) -> None:
    """Live, before, waiting, servers."""
    endpoint = find.endpoint(session, session.args.endpoint)
    live = session.api.get(f"/versions/{endpoint['live']}/") if endpoint["live"] else None
    waiting = session.api.get(f"/promotions/{endpoint['waiting']}/") if endpoint["waiting"] else None
    lines = facts([
        ("Endpoint", f"{endpoint['full_name']} ({endpoint['environment']})"),
        ("Live", live["semver"] if live else "nothing yet"),
        *((each["arm"].capitalize(), arm_line(each)) for each in endpoint["arms"] if each["arm"] != "stable"),
        ("Can go back to", endpoint["rollback_to"]),
        ("Waits for deployment", f"request {waiting['number']}" if waiting else ""),
        ("Routes", f"epoch {endpoint['published_epoch']}"),
        *((f"Server {each['name']}".rstrip(), server_line(each, endpoint["published_epoch"])) for each in endpoint["servers"]),
        ("Page", session.page(f"/endpoints/{endpoint['uuid']}/")),
    ])  # fmt: skip
    session.screen.show(endpoint | {"live_version": live}, *lines)


def arm_line(arm: dict[str, Any]) -> str:
    """1.1.0, 5 % of the requests; closed by a server's guard."""
    of = "copies of" if arm["arm"] == "shadow" else ""
    words = f"{arm['semver']}, {' '.join(filter(None, (of, canary.part(arm['share']))))} of the requests"
    return words + ("; closed by a server's guard" if arm["closed"] else "") + ("; with a planted fault" if arm["fault"] else "")


def server_line(server: dict[str, Any], published: int) -> str:
    """How far one server is."""
    far = "up to date" if server["epoch"] >= published else f"still at epoch {server['epoch']}"
    return f"{far}; {server['problem']}" if server["problem"] else far


def roll_back(session: Session) -> None:
    """The version that was live before is live again; refused when somebody was quicker."""
    args = session.args
    endpoint = find.endpoint(session, args.endpoint)
    body = {"reason": args.reason, "typed": args.to, "seen_moves": endpoint["moves"]}
    made = session.api.post(f"/endpoints/{endpoint['uuid']}/roll_back/", body)
    session.screen.show(made, f"{made['semver']} is live on {endpoint['full_name']} again.")


def back_to(endpoint: dict[str, Any]) -> str:
    """How the deployment is undone."""
    target = endpoint["rollback_to"]
    return f"Back: lifecycle roll-back {endpoint['full_name']} --to {target} --reason …" if target else ""


def predict(session: Session) -> None:
    """One line a text: label, confidence, and the name by which feedback is given."""
    args = session.args
    texts = [line.rstrip("\r\n") for line in sys.stdin] if args.text == "-" else [args.text]
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise Usage("There is no text. Give one, or send one a line to stdin with -.")
    found = [answer for at in range(0, len(texts), TEXTS_A_REQUEST) for answer in asked(session, args, texts[at : at + TEXTS_A_REQUEST])]
    lines = table(
        ["LABEL", "CONFIDENCE", "PREDICTION", "VERSION"],
        [(each["label"], f"{each['confidence']:.3f}", each["prediction"], each["version"]) for each in found],
    )
    session.screen.show(found, *lines)


def asked(session: Session, args: Any, texts: list[str]) -> list[dict[str, Any]]:
    """The answers to at most 64 texts."""
    body: dict[str, Any] = {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [len(texts)], "data": texts}]}
    if args.route_key:
        body["parameters"] = {"route_key": args.route_key}
    answer = session.inference.post(f"/v2/models/{quote(args.endpoint)}/infer", body)
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
