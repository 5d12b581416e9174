"""From what people call a thing (inbox@3, run 12, inbox/support-inbox-prod) to the thing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from lifecycle.cli.errors import ApiRefusal, Usage
from lifecycle.cli.session import Session
from lifecycle.refusals import Refused

Row = dict[str, Any]


def project(session: Session, slug: str = "") -> str:
    """The uuid of the project of this slug or of --project, empty without one."""
    wanted = slug or session.args.project
    if not wanted or is_uuid(wanted):
        return str(wanted)
    return str(only([row for row in session.api.get("/projects/") if row["slug"] == wanted], f"project {wanted}")["uuid"])


def slugs(session: Session) -> dict[str, str]:
    """Slugs of the projects that you may see, by uuid."""
    return {row["uuid"]: row["slug"] for row in session.api.get("/projects/")}


def called(session: Session, row: Row) -> str:
    """What finds a run or a sweep again: its number, with its project's slug before it where you see several projects."""
    known = slugs(session)
    return f"{known[row['project']]}/{row['number']}" if len(known) > 1 else str(row["number"])


def dataset(session: Session, name: str) -> Row:
    """By slug or uuid."""
    if is_uuid(name):
        return read(session, f"/datasets/{name}/", f"dataset {name}")
    return only(session.api.get("/datasets/", slug=name, project=project(session))["results"], f"dataset {name}")


def snapshot(session: Session, name: str) -> Row:
    """By dataset@number or uuid."""
    if is_uuid(name):
        return read(session, f"/snapshots/{name}/", f"snapshot {name}")
    slug, _, number = name.rpartition("@")
    if not slug or not number.isdecimal():
        raise Usage(f"{name!r} is no snapshot. Write DATASET@NUMBER, such as inbox@3, or its uuid.")
    of = dataset(session, slug)
    return only(session.api.get("/snapshots/", dataset=of["uuid"], number=number)["results"], f"snapshot {number} of {slug}")


def item(session: Session, dataset: str, name: str) -> str:
    """The uuid of an item of a dataset (by its uuid), by the id that it came with or uuid."""
    if is_uuid(name):
        return name
    rows = session.api.get(f"/datasets/{dataset}/items/", external_id=name)["results"]
    return str(only(rows, f"item {name}")["uuid"])


def queue(session: Session, name: str, of: str = "") -> Row:
    """By name, by DATASET/NAME or uuid; with who alone gets its items. of: the uuid of a dataset, to look there alone."""
    if not is_uuid(name):
        rows = session.api.get("/labeling/queues/", name=name, dataset=of, project=project(session))["results"]
        slug, slash, rest = name.partition("/")
        if not rows and slash and not of:
            rows = session.api.get("/labeling/queues/", name=rest, dataset=dataset(session, slug)["uuid"])["results"]
        if len(rows) > 1:
            known = ", ".join(row["uuid"] for row in rows)
            raise Usage(f"There is more than one queue {name}. Write DATASET/{name}, or give its uuid: {known}.")
        name = str(only(rows, f"queue {name}")["uuid"])
    return read(session, f"/labeling/queues/{name}/", f"queue {name}")


def base(session: Session, name: str, in_project: str) -> Row:
    """A base model of a project whose files are kept, by name or uuid; the newest one without a name."""
    rows = [row for row in session.api.get("/base-models/")["results"] if row["project"] == in_project and row["root_digest"]]
    found = [row for row in rows if name in ("", row["name"], row["uuid"])]
    if not found:
        raise Refused(
            f"The project has no base model {name}".rstrip() + " whose files are kept.",
            next_step=f"It has: {', '.join(row['name'] for row in rows)}." if rows else "Add one on its page: Runs, Base models.",
        )
    return found[0] if not name else only(found, f"base model {name}")


def run(session: Session, name: str) -> Row:
    """By number, PROJECT/NUMBER or uuid."""
    return numbered(session, "runs", name, "run")


def sweep(session: Session, name: str) -> Row:
    """By number, PROJECT/NUMBER or uuid."""
    return numbered(session, "sweeps", name, "sweep")


def numbered(session: Session, path: str, name: str, what: str) -> Row:
    """One of the things that each project counts for itself. Raises Usage, naming all of them, where several projects have that number."""
    if is_uuid(name):
        return read(session, f"/{path}/{name}/", f"{what} {name}")
    slug, _, digits = name.rpartition("/")
    number, of = number_of(digits, what), project(session, slug)
    rows = session.api.get(f"/{path}/", number=number, project=of)["results"]
    if len(rows) > 1:
        known = slugs(session)
        named = ", ".join(sorted(f"{known[row['project']]}/{number}" for row in rows))
        raise Usage(f"{len(rows)} projects have a {what} {number}. Choose one of {named}.")
    return only(rows, f"{what} {name}")


def version(session: Session, name: str, model: str = "") -> Row:
    """By model@semver or uuid; by semver alone where the model is known by its uuid."""
    if is_uuid(name):
        return read(session, f"/versions/{name}/", f"version {name}")
    slug, _, semver = name.rpartition("@")
    if not slug and not model:
        raise Usage(f"{name!r} is no version. Write MODEL@VERSION, such as support-inbox@1.2.0, or its uuid.")
    of = registered_model(session, slug)["uuid"] if slug else model
    return only(session.api.get(f"/models/{of}/versions/", semver=semver)["results"], f"version {name}")


def registered_model(session: Session, slug: str) -> Row:
    """By slug."""
    wanted = project(session)
    rows = [row for row in session.api.get("/models/") if row["slug"] == slug and wanted in ("", row["project"])]
    return only(rows, f"model {slug}")


def endpoint(session: Session, name: str) -> Row:
    """By slug, PROJECT/SLUG or uuid; with all that its page says. Raises Usage, naming all, where several projects have that slug."""
    if is_uuid(name):
        return read(session, f"/endpoints/{name}/", f"endpoint {name}")
    wanted = "" if "/" in name else project(session)
    rows = [row for row in session.api.get("/endpoints/") if name in (row["full_name"], row["slug"]) and wanted in ("", row["project"])]
    if len(rows) > 1:
        named = ", ".join(sorted(row["full_name"] for row in rows))
        raise Usage(f"{len(rows)} projects have an endpoint {name}. Choose one of {named}.")
    return read(session, f"/endpoints/{only(rows, f'endpoint {name}')['uuid']}/", f"endpoint {name}")


def request(session: Session, name: str) -> Row:
    """A promotion, by number or uuid; with its gates."""
    found = numbered(session, "promotions", name, "request")
    return found if is_uuid(name) else read(session, f"/promotions/{found['uuid']}/", f"request {name}")


def read(session: Session, path: str, what: str) -> Row:
    """One thing by its address. Raises Refused with its name where it is not there for us."""
    try:
        return dict(session.api.get(path))
    except ApiRefusal as error:
        if error.status == 404:
            raise missing(what) from error
        raise


def only(rows: Sequence[Row], what: str) -> Row:
    """The one row there is. Raises Refused for none and Usage for several."""
    if not rows:
        raise missing(what)
    if len(rows) > 1:
        raise Usage(
            f"There is more than one {what}. Choose a project with --project, or give its uuid: {', '.join(row['uuid'] for row in rows)}."
        )
    return rows[0]


def missing(what: str) -> Refused:
    """Nothing of this name, or nothing that the token's owner may see."""
    return Refused(f"There is no {what} that you may see.", next_step="Check its name, and whose token this is: lifecycle whoami")


def number_of(name: str, what: str) -> str:
    """The digits of 12 or #12."""
    digits = name.removeprefix("#")
    if not (digits.isascii() and digits.isdecimal()):
        raise Usage(f"{name!r} is no {what}. Write its number, such as 12, or its uuid.")
    return digits


def is_uuid(text: str) -> bool:
    """Whether a name is already an id."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
