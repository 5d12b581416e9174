"""endpoints deploy, predict; what endpoints status and traffic print."""

from __future__ import annotations

import sys
from typing import Annotated, Any
from urllib.parse import quote

from typer import Argument, Option

from lifecycle.runtime.cli import find, plans
from lifecycle.runtime.cli.arguments import Request
from lifecycle.runtime.cli.errors import Usage
from lifecycle.runtime.cli.plans import WHOLE, part
from lifecycle.runtime.cli.screen import Table, facts, percent, table
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun
from lifecycle.runtime.cli.wording import Words

ONE_LABEL = {"LABEL", "CONFIDENCE", "SCORES"}  # outputs of a single label
TEXTS_A_REQUEST = 64
Row = dict[str, Any]
LIVE = "endpoint={full_name} ({environment}); live={live|'nothing yet':version}"
TARGETS = "rolls back to=rollback_to; to deploy={waiting:request}; config=v{published_epoch}"
TRAFFIC = (
    "endpoint={endpoint.full_name}, {total.since} to {total.until} UTC; arm={given.arm|'all'};"
    " requests={total.requests:,}: {total.predictions:,} predictions, {total.errors:,} errors,"
    " {total.refused:,} refused, {total.shed:,} shed; availability={total.availability|'not measured':%2};"
    " latency={total.p50_ms|'–':ms} median, {total.p95_ms|'–':ms} p95, {total.p99_ms|'–':ms} p99;"
    " confidence={total.mean_confidence|'not measured':%}; feedback; cost"
)
noun = Noun("Endpoints: deploy, status, roll back, predict, traffic.")


@noun.verb
def deploy(session: Session, request: Request) -> int | None:
    """Deploy an approved request by its approved plan: all traffic at once, or a canary."""
    promotion = find.request(session, request)
    endpoint = find.endpoint(session, promotion["endpoint"])
    if promotion["plan"]["kind"] == "canary":
        return plans.begin(session, promotion, endpoint)
    made = session.api.post(f"/endpoints/{endpoint['uuid']}/deploy/", {"request": promotion["uuid"]})
    endpoint = find.endpoint(session, endpoint["uuid"])
    name, target = endpoint["full_name"], endpoint["rollback_to"]
    if made["share"] < WHOLE:
        session.screen.show(
            made, f"{made['semver']} answers {part(made['share'])} of the requests on {name}."
        )
        return None
    back = f"Roll back: lifecycle endpoints roll-back {name} --to {target} --reason …" if target else ""
    session.screen.show(made, f"{made['semver']} is live on {name}. {back}".rstrip())
    return None


@noun.verb
def predict(
    session: Session,
    endpoint: Annotated[
        str,
        Argument(metavar="ENDPOINT", help="slug, or PROJECT/SLUG where the token opens several of that slug"),
    ],
    text: Annotated[str, Argument(metavar="TEXT", help="a text, or - for one text per line of stdin")],
    route_key: Annotated[
        str, Option(metavar="KEY", help="keeps one user on one version while two share the traffic")
    ] = "",
) -> None:
    """Predict texts; needs a token with the scope infer."""
    texts = [line.rstrip("\r\n") for line in sys.stdin] if text == "-" else [text]
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise Usage("There is no text. Give one, or one per line on stdin with -.")
    parts = [texts[at : at + TEXTS_A_REQUEST] for at in range(0, len(texts), TEXTS_A_REQUEST)]
    found = [answer for part in parts for answer in predictions(session, endpoint, route_key, part)]
    lines = table(
        ["LABEL", "CONFIDENCE", "PREDICTION", "VERSION"],
        [
            (each["label"], f"{each['confidence']:.3f}", each["prediction"], each["version"])
            for each in found
            if "label" in each
        ],
    )
    others = table(
        ["OUTPUT", "VALUES", "PREDICTION", "VERSION"],
        [
            (name, " ".join(map(str, values)), each["prediction"], each["version"])
            for each in found
            for name, values in each.get("outputs", {}).items()
        ],
    )
    session.screen.show(found, others if "outputs" in found[0] else lines)


def predictions(session: Session, endpoint: str, route_key: str, texts: list[str]) -> list[Row]:
    """The predictions for at most 64 texts; all outputs as one row where a text doesn't get one label."""
    body: Row = {"inputs": [{"name": "TEXT", "datatype": "BYTES", "shape": [len(texts)], "data": texts}]}
    if route_key:
        body["parameters"] = {"route_key": route_key}
    answer = session.inference.post(f"/v2/models/{quote(endpoint)}/infer", body)
    columns = {each["name"]: each for each in answer["outputs"]}
    about = answer["parameters"]
    if not columns.keys() >= ONE_LABEL:
        outputs = {name: each["data"] for name, each in columns.items()}
        return [
            {
                "prediction": about["prediction_id"],
                "version": about["version_label"],
                "arm": about["arm"],
                "outputs": outputs,
            }
        ]
    names, width = columns["SCORES"]["parameters"]["labels"], columns["SCORES"]["shape"][1]
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


@noun.draws("status")
def status(words: Words, found: Row) -> list[str | Table]:
    """What is live, what runs beside it, the rollback target, and the servers."""
    lines = [
        *words.lines(LIVE, found),
        *((each["arm"].capitalize(), arm(each)) for each in found["arms"] if each["arm"] != "stable"),
        *words.lines(TARGETS, found),
        *(
            (f"Server {each['name']}".rstrip(), server(each, found["published_epoch"]))
            for each in found["servers"]
        ),
        ("Page", words.known["page"]),
    ]
    return [facts(lines)]


def arm(row: Row) -> str:
    """1.1.0, 5 % of the requests; stopped by a server's guard."""
    copies = "copies of " if row["arm"] == "shadow" else ""
    notes = ("; stopped by a server's guard" if row["closed"] else "") + (
        "; with an injected fault" if row["fault"] else ""
    )
    return f"{row['semver']}, {copies}{part(row['share'])} of the requests{notes}"


def server(row: Row, published: int) -> str:
    """One server and its config version."""
    far = "up to date" if row["epoch"] >= published else f"still at config v{row['epoch']}"
    return f"{far}; {row['problem']}" if row["problem"] else far


@noun.draws("traffic")
def traffic(words: Words, found: Row) -> list[str | Table]:
    """The sums of a period."""
    total = found["total"]
    judged, cost = total["right"] + total["wrong"], total["cost_per_million"]
    about = {
        "feedback": (
            f"{total['right']:,} correct, {total['wrong']:,} wrong ({percent(total['right'] / judged)}"
            " correct)"
            if judged
            else "none"
        ),
        "cost": "not measured" if cost is None else f"{cost:,.2f} {found['currency']} per 1 M predictions",
    }
    return [words.facts(TRAFFIC, found | about)]
