"""Making registered models and endpoints."""

from __future__ import annotations

from django.db import transaction

from lifecycle.runtime.refusals import Refused
from registry.catalog import rules
from registry.catalog.models import Alias, Endpoint, RegisteredModel
from registry.ground.access import policy as access
from registry.ground.access.models import Project, User
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from registry.policies import queries as policies


@transaction.atomic
def create_model(*, project: Project, name: str, slug: str, purpose: str, actor: User) -> RegisteredModel:
    """Make a name under which versions are registered. purpose: the intended use, which is in each card."""
    access.require(actor, "catalog.create_model", project)
    rules.check_slug(slug, "model")
    rules.check_stated({"purpose": purpose})
    if RegisteredModel.objects.filter(project=project, slug=slug).exists():
        raise Refused(
            f"The project already has a model {slug}.", fields={"slug": ["Choose another short name."]}
        )
    model = RegisteredModel.objects.create(
        project=project, name=name.strip(), slug=slug, purpose=purpose.strip(), owner=actor
    )
    words = {"name": digest_of(model.name), "purpose": digest_of(model.purpose)}
    record(actor, Verb.MODEL_CREATED, model, project=project.uuid, slug=slug, **words)
    return model


@transaction.atomic
def create_endpoint(
    *, model: RegisteredModel, slug: str, environment: str, keep_text: bool, actor: User
) -> Endpoint:
    """Make an address that clients will call. Nothing is live on it until an approved promotion is
    deployed.
    """
    access.require(actor, "catalog.create_endpoint", model)
    rules.check_slug(slug, "endpoint")
    if environment not in Endpoint.Environment.values:
        raise Refused(
            "The environment must be staging or production.",
            fields={"environment": ["Choose staging or production."]},
        )
    if Endpoint.objects.filter(project=model.project, slug=slug).exists():
        raise Refused(
            f"The project already has an endpoint {slug}.", fields={"slug": ["Choose another short name."]}
        )
    endpoint = Endpoint.objects.create(
        model=model,
        project=model.project,
        slug=slug,
        environment=environment,
        keep_text=keep_text,
        policy=policies.default(),
        created_by=actor,
    )
    Alias.objects.create(endpoint=endpoint)
    record(
        actor,
        Verb.ENDPOINT_CREATED,
        endpoint,
        project=model.project.uuid,
        slug=slug,
        environment=environment,
        keep_text=keep_text,
        policy=endpoint.policy.name,
        model=model.uuid,
    )
    return endpoint
