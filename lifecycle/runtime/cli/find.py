"""Look up objects by the names that people use: inbox@3, run 12, inbox/support-inbox-prod."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from lifecycle.runtime.cli import classes
from lifecycle.runtime.cli.errors import ApiRefusal, Usage
from lifecycle.runtime.cli.session import Session
from lifecycle.runtime.refusals import Refused

Row = dict[str, Any]
ROLLOUT_OPEN = ("running", "holding", "paused")
SHORT = 8  # letters of a uuid that are shown in tables
ALERT_OPEN = ("firing", "acknowledged")
ENDPOINT, LABEL, PERSON = "slug, PROJECT/SLUG, or uuid", "name of a label", "user name or uuid"
ITEM, NUMBER = "the id it came with, or uuid", "number, PROJECT/NUMBER, or uuid"
HELP = {
    "dataset": "slug or uuid",
    "dataset_version": "DATASET@NUMBER, such as inbox@3, or uuid",
    "item": ITEM,
    "items": ITEM,
    "slice": "name or uuid",
    "queue": "name, DATASET/NAME, or uuid",
    "check": "name, DATASET/NAME, or uuid",
    "run": NUMBER,
    "sweep": NUMBER,
    "proposal": NUMBER,
    "request": NUMBER,
    "model": "slug or uuid",
    "people": PERSON,
    "version": "MODEL@VERSION, such as support-inbox@1.2.0, or uuid",
    "endpoint": ENDPOINT,
    "rollout": ENDPOINT,
    "newest_rollout": ENDPOINT,
    "shadow": ENDPOINT,
    "arm": "stable, canary, or shadow",
    "kpi": "name or uuid",
    "function": "name or uuid",
    "channel": "name or uuid",
    "changes": "the active labeling function that it replaces, by name or uuid",
    "alert": "uuid, or how it begins",
    "silence": "uuid, or how it begins",
    "label": LABEL,
    "labels": LABEL,
    "of_project": "slug or uuid",
}


def project(session: Session, slug: str = "") -> str:
    """The uuid of the project of this slug or of --project, empty without one."""
    wanted = slug or session.project
    if not wanted or is_uuid(wanted):
        return wanted
    return str(
        only((row for row in session.api.get("/projects/") if row["slug"] == wanted), f"project {wanted}")[
            "uuid"
        ]
    )


def only_project(session: Session) -> str:
    """The uuid of --project, or of the only one. Raises Usage where several could be meant."""
    known = slugs(session)
    if found := project(session) or (next(iter(known)) if len(known) == 1 else ""):
        return found
    raise Usage(f"Choose a project with --project: {', '.join(sorted(known.values())) or 'you see none'}.")


def slugs(session: Session, known: Row | None = None) -> dict[str, str]:
    """Slugs of the projects that you may see, by uuid."""
    return {row["uuid"]: row["slug"] for row in session.api.get("/projects/")}


def dataset_slugs(session: Session, known: Row | None = None) -> dict[str, str]:
    """Slugs of the datasets that you may see, by uuid."""
    return {row["uuid"]: row["slug"] for row in session.api.every("/datasets/", project=project(session))}


def label_names(session: Session, known: Row) -> dict[str, str]:
    """Names of the labels of a dataset, by stable id."""
    return classes.names(classes.versions(session, dataset_of(known)))


def called(session: Session, row: Row) -> str:
    """How to refer to a run or a sweep: its number, with its project's slug where you see several
    projects.
    """
    known = slugs(session)
    return f"{known[row['project']]}/{row['number']}" if len(known) > 1 else str(row["number"])


def dataset(session: Session, name: str, known: Row | None = None) -> Row:
    """By slug or uuid."""
    if is_uuid(name):
        return read(session, f"/datasets/{name}/", f"dataset {name}")
    return only(
        session.api.get("/datasets/", slug=name, project=project(session))["results"], f"dataset {name}"
    )


def dataset_version(session: Session, name: str, known: Row | None = None) -> Row:
    """By dataset@number or uuid."""
    if is_uuid(name):
        return read(session, f"/dataset-versions/{name}/", f"dataset version {name}")
    slug, _, number = name.rpartition("@")
    if not slug or not number.isdecimal():
        raise Usage(f"{name!r} isn't a dataset version. Write DATASET@NUMBER, such as inbox@3, or its uuid.")
    parent = dataset(session, slug)
    return only(
        session.api.get("/dataset-versions/", dataset=parent["uuid"], number=number)["results"],
        f"version {number} of dataset {slug}",
    )


def item(session: Session, name: str, known: Row) -> Row:
    """By the id it came with or uuid. known: its dataset or queue."""
    if is_uuid(name):
        return {"uuid": name}
    return only(
        session.api.get(f"/datasets/{dataset_of(known)}/items/", external_id=name)["results"], f"item {name}"
    )


def dataset_of(known: Row) -> str:
    """The uuid of the dataset that other things are looked up in."""
    return str(known["dataset"]["uuid"] if "dataset" in known else known["queue"]["dataset"])


def slice_(session: Session, name: str, known: Row) -> Row:
    """By name or uuid."""
    if is_uuid(name):
        return {"uuid": name}
    return only(
        (row for row in session.api.every(f"/datasets/{dataset_of(known)}/slices/") if row["name"] == name),
        f"slice {name}",
    )


def queue(session: Session, name: str, known: Row | None = None) -> Row:
    """By name, by DATASET/NAME or uuid; with its people. known: the dataset to look in, if there is one."""
    parent = known["dataset"]["uuid"] if known and "dataset" in known else ""
    if not is_uuid(name):
        rows = session.api.get("/labeling/queues/", name=name, dataset=parent, project=project(session))[
            "results"
        ]
        slug, slash, rest = name.partition("/")
        if not rows and slash and not parent:
            rows = session.api.get("/labeling/queues/", name=rest, dataset=dataset(session, slug)["uuid"])[
                "results"
            ]
        if len(rows) > 1:
            uuids = ", ".join(row["uuid"] for row in rows)
            raise Usage(
                f"There is more than one queue {name}. Write DATASET/{name}, or give its uuid: {uuids}."
            )
        name = str(only(rows, f"queue {name}")["uuid"])
    return read(session, f"/labeling/queues/{name}/", f"queue {name}")


def check(session: Session, name: str, known: Row | None = None) -> Row:
    """The sample check of a queue. Raises Refused without one."""
    parent = queue(session, name)
    found = session.api.get(f"/labeling/queues/{parent['uuid']}/checks/")["check"]
    if found is None:
        raise Refused(
            f"{parent['name']} has no sample check.",
            next_step=f"Draw a sample: lifecycle checks draw {parent['uuid']}",
        )
    return dict(found) | {"name": parent["name"]}


def person(session: Session, name: str, known: Row) -> Row:
    """An annotator of a dataset, by user name or uuid."""
    rows = session.api.get(f"/labeling/datasets/{dataset_of(known)}/annotators/")
    return only((row for row in rows if name in (row["username"], row["uuid"])), f"annotator {name}")


def label(session: Session, name: str, known: Row) -> Row:
    """A label of the newest version, by name; uuid is its stable id."""
    return {"uuid": classes.called(classes.newest(session, known["dataset"]), name)}


def function(session: Session, name: str, known: Row) -> Row:
    """The active version of a labeling function of a dataset, by name or uuid."""
    rows = session.api.get(f"/labeling/datasets/{dataset_of(known)}/functions/")
    return only(
        (row for row in rows if name in (row["name"], row["uuid"], row["function"])),
        f"active labeling function {name}",
    )


def base(session: Session, name: str, in_project: str) -> Row:
    """An imported base model of a project, by name or uuid; the newest one without a name."""
    rows = [
        row
        for row in session.api.get("/base-models/")["results"]
        if row["project"] == in_project and row["root_digest"]
    ]
    found = [row for row in rows if name in ("", row["name"], row["uuid"])]
    if not found:
        raise Refused(
            f"The project has no imported base model {name}".rstrip() + ".",
            next_step=(
                f"It has: {', '.join(row['name'] for row in rows)}."
                if rows
                else "Import one on its page: Runs, Base models."
            ),
        )
    return found[0] if not name else only(found, f"base model {name}")


def run(session: Session, name: str, known: Row | None = None) -> Row:
    """By number, PROJECT/NUMBER or uuid."""
    return numbered(session, "runs", name, "run")


def sweep(session: Session, name: str, known: Row | None = None) -> Row:
    """By number, PROJECT/NUMBER or uuid."""
    return numbered(session, "sweeps", name, "sweep")


def numbered(session: Session, path: str, name: str, what: str) -> Row:
    """What each project numbers for itself. Raises Usage, naming all, where several projects have that
    number.
    """
    if is_uuid(name):
        return read(session, f"/{path}/{name}/", f"{what} {name}")
    slug, _, digits = name.rpartition("/")
    number, parent = number_of(digits, what), project(session, slug)
    rows = session.api.get(f"/{path}/", number=number, project=parent)["results"]
    if len(rows) > 1:
        known = slugs(session)
        named = ", ".join(sorted(f"{known[row['project']]}/{number}" for row in rows))
        raise Usage(f"{len(rows)} projects have a {what} {number}. Choose one of {named}.")
    return only(rows, f"{what} {name}")


def version(session: Session, name: str, known: Row | None = None) -> Row:
    """By model@semver or uuid; by semver alone where its model is known."""
    if is_uuid(name):
        return read(session, f"/versions/{name}/", f"version {name}")
    slug, _, semver = name.rpartition("@")
    of_model = known and (known.get("model") or known.get("endpoint", {}).get("model"))
    if not slug and not of_model:
        raise Usage(
            f"{name!r} isn't a version. Write MODEL@VERSION, such as support-inbox@1.2.0, or its uuid."
        )
    parent = model(session, slug)["uuid"] if slug else of_model
    return only(session.api.get(f"/models/{parent}/versions/", semver=semver)["results"], f"version {name}")


def model(session: Session, name: str, known: Row | None = None) -> Row:
    """A registered model, by slug or uuid."""
    wanted = project(session)
    rows = (
        row
        for row in session.api.get("/models/")
        if name in (row["slug"], row["uuid"]) and wanted in ("", row["project"])
    )
    return only(rows, f"model {name}")


def endpoint(session: Session, name: str, known: Row | None = None) -> Row:
    """By slug, PROJECT/SLUG or uuid; with all that its page shows. Raises Usage, naming all, where several
    projects have that slug.
    """
    if is_uuid(name):
        return read(session, f"/endpoints/{name}/", f"endpoint {name}")
    wanted = "" if "/" in name else project(session)
    rows = [
        row
        for row in session.api.get("/endpoints/")
        if name in (row["full_name"], row["slug"]) and wanted in ("", row["project"])
    ]
    if len(rows) > 1:
        named = ", ".join(sorted(row["full_name"] for row in rows))
        raise Usage(f"{len(rows)} projects have an endpoint {name}. Choose one of {named}.")
    return read(session, f"/endpoints/{only(rows, f'endpoint {name}')['uuid']}/", f"endpoint {name}")


def endpoint_names(session: Session, known: Row | None = None) -> dict[str, str]:
    """Full names of the endpoints that you may see, by uuid."""
    return {row["uuid"]: row["full_name"] for row in session.api.get("/endpoints/")}


def arm(session: Session, kind: str, known: Row) -> Row:
    """What runs on an endpoint as this arm; uuid is its deployment's. Raises Refused where nothing does."""
    host = known["endpoint"]
    for row in host["arms"]:
        if row["arm"] == kind:
            return dict(row) | {"uuid": row["deployment"], "full_name": host["full_name"]}
    raise Refused(
        f"No {kind} version runs on {host['full_name']}.",
        next_step=f"See what runs: lifecycle endpoints status {host['full_name']}",
    )


def shadow(session: Session, name: str, known: Row | None = None) -> Row:
    """The shadow of an endpoint."""
    return arm(session, "shadow", {"endpoint": endpoint(session, name)})


def rollout(session: Session, name: str, known: Row | None = None, *, ended: bool = False) -> Row:
    """The canary of an endpoint. ended: the newest one where none runs. Raises Refused where there is
    none.
    """
    parent = endpoint(session, name)
    rows = session.api.get("/rollouts/", endpoint=parent["uuid"])["results"]
    found = [row for row in rows if row["state"] in ROLLOUT_OPEN] or (rows if ended else [])
    if not found:
        raise Refused(
            f"No canary runs on {parent['full_name']}.", next_step="Start one: lifecycle canary start REQUEST"
        )
    return dict(found[0]) | {"full_name": parent["full_name"]}


def newest_rollout(session: Session, name: str, known: Row | None = None) -> Row:
    """The canary of an endpoint, an ended one too."""
    return rollout(session, name, ended=True)


def kpi(session: Session, name: str, known: Row) -> Row:
    """A business figure of an endpoint, by name or uuid."""
    rows = session.api.get(f"/endpoints/{known['endpoint']['uuid']}/kpis/")["results"]
    return only(
        (row for row in rows if name in (row["name"], row["uuid"])),
        f"business figure {name} of {known['endpoint']['full_name']}",
    )


def request(session: Session, name: str, known: Row | None = None) -> Row:
    """A promotion request, by number or uuid; with its gates."""
    found = numbered(session, "promotions", name, "request")
    return found if is_uuid(name) else read(session, f"/promotions/{found['uuid']}/", f"request {name}")


def proposal(session: Session, name: str, known: Row | None = None) -> Row:
    """A retraining proposal, by number, PROJECT/NUMBER or uuid."""
    if not is_uuid(name):
        slug, _, digits = name.rpartition("/")
        number, parent = int(number_of(digits, "proposal")), project(session, slug)
        visible = {row["uuid"] for row in session.api.get("/endpoints/") if parent in ("", row["project"])}
        rows = (
            row
            for row in session.api.every("/retraining/")
            if row["number"] == number and row["endpoint"] in visible
        )
        name = only(rows, f"proposal {number}")["uuid"]
    return read(session, f"/retraining/{name}/", f"proposal {name}")


def open_alerts(session: Session, **wanted: str) -> list[Row]:
    """All open ones, newest first."""
    rows = [row for state in ALERT_OPEN for row in session.api.every("/alerts/", **wanted, state=state)]
    return sorted(rows, key=lambda row: str(row["first_at"]), reverse=True)


def alert(session: Session, name: str, known: Row | None = None) -> Row:
    """By uuid, or by the beginning of the uuid of an open one."""
    uuid = name if is_uuid(name) else begins(open_alerts(session), name, "open alert")["uuid"]
    return read(session, f"/alerts/{uuid}/", f"alert {name}")


def silence(session: Session, name: str, known: Row | None = None) -> Row:
    """By uuid, or by its beginning."""
    return begins(session.api.get("/silences/")["results"], name, "silence")


def begins(rows: list[Row], name: str, what: str) -> Row:
    """The one row whose uuid begins so."""
    if len(name) < 4:
        raise Usage(f"{name!r} is too short. Give at least four letters of the uuid.")
    return only((row for row in rows if row["uuid"].startswith(name.lower())), f"{what} {name}")


def channel(session: Session, name: str, known: Row | None = None) -> Row:
    """By name or uuid."""
    parent = project(session)
    rows = session.api.get("/channels/")["results"]
    return only(
        (row for row in rows if name in (row["name"], row["uuid"]) and parent in ("", row["project"])),
        f"channel {name}",
    )


def project_of(session: Session, name: str, known: Row) -> Row:
    """By slug or uuid."""
    return {"uuid": project(session, name)}


REFERENCES: dict[str, Callable[[Session, str, Row], Row]] = {
    "dataset": dataset,
    "dataset_version": dataset_version,
    "item": item,
    "items": item,
    "slice": slice_,
    "queue": queue,
    "check": check,
    "people": person,
    "label": label,
    "labels": label,
    "function": function,
    "changes": function,
    "run": run,
    "sweep": sweep,
    "version": version,
    "model": model,
    "endpoint": endpoint,
    "shadow": shadow,
    "rollout": rollout,
    "newest_rollout": newest_rollout,
    "arm": arm,
    "kpi": kpi,
    "request": request,
    "proposal": proposal,
    "alert": alert,
    "silence": silence,
    "channel": channel,
    "of_project": project_of,
}


def reference(session: Session, name: str, text: str, known: Row) -> Row:
    """What an argument of this name refers to; known: what was looked up before it. called: the name that was
    given.
    """
    return (REFERENCES[name](session, text, known) if name in REFERENCES else {"uuid": text}) | {
        "called": text
    }


def read(session: Session, path: str, what: str) -> Row:
    """One thing by its address. Raises Refused with its name where it is missing or hidden."""
    try:
        return dict(session.api.get(path))
    except ApiRefusal as error:
        if error.status == 404:
            raise missing(what) from error
        raise


def only(rows: Iterable[Row], what: str) -> Row:
    """The one row there is. Raises Refused for none and Usage for several."""
    found = list(rows)
    if not found:
        raise missing(what)
    if len(found) > 1:
        uuids = ", ".join(row["uuid"] for row in found)
        raise Usage(
            f"There is more than one {what}. Choose a project with --project, or give its uuid: {uuids}."
        )
    return found[0]


def missing(what: str) -> Refused:
    """Nothing of this name, or nothing that the token's owner may see."""
    return Refused(
        f"There is no {what}, or you don't have access.",
        next_step="Check its name, and whose token this is: lifecycle whoami",
    )


def number_of(name: str, what: str) -> str:
    """The digits of 12 or #12."""
    digits = name.removeprefix("#")
    if not (digits.isascii() and digits.isdecimal()):
        raise Usage(f"{name!r} isn't a {what}. Write its number, such as 12, or its uuid.")
    return digits


def is_uuid(text: str) -> bool:
    """Whether a name is already an id."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
