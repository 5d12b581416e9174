"""outcomes send."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from lifecycle.runtime.cli import batches, find
from lifecycle.runtime.cli.arguments import Endpoint, Start
from lifecycle.runtime.cli.commands.feedback import named
from lifecycle.runtime.cli.screen import count
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.cli.verbs import Noun

ARMS = ("model", "holdout")
Row = dict[str, Any]
noun = Noun("Business figures (KPIs), with the model and without it.")


@noun.verb
def send(
    session: Session,
    endpoint: Endpoint,
    file: Annotated[Path, Argument(metavar="JSONL", help="the cases, sent in batches of 1,000")],
    figure: Annotated[str, Option(metavar="NAME", help="the business figure, by name or uuid")],
    start: Start = 1,
) -> None:
    """Send the outcomes of cases; needs a token with the scope feedback.

    A line is {"uuid": "…", "arm": "model", "value": 1, "at": "2026-11-25T10:00:00Z"}, with "prediction" and "subject" where they are known:
    cases of one subject count as a cluster. A uuid that is sent twice counts once.
    """
    of = find.endpoint(session, endpoint)
    kpi = find.kpi(session, figure, {"endpoint": of})
    sent = batches.send(
        session, file, start, shaped, lambda lines: session.api.post(f"/kpis/{kpi['uuid']}/outcomes/", {"outcomes": lines}, twice=True)
    )
    session.screen.show({"sent": sent}, f"{count(sent, 'outcome')} of {kpi['name']} {'is' if sent == 1 else 'are'} saved.")


def shaped(line: Row) -> Row:
    """A line as the API takes it. Raises ValueError."""
    if not find.is_uuid(str(line.get("uuid", ""))):
        raise ValueError('"uuid" must be a uuid of your own, the same whenever this case is sent.')
    if line.get("arm") not in ARMS:
        raise ValueError('"arm" must be model or holdout.')
    if isinstance(line.get("value"), bool) or not isinstance(line.get("value"), int | float):
        raise ValueError('"value" must be a number.')
    if not line.get("prediction"):
        return line
    prediction, index = named(str(line["prediction"]))
    return {**line, "prediction": prediction, "index": line.get("index", index)}
