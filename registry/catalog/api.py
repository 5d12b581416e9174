"""The catalog over REST: the same actions and refusals as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.ground.jobs.api import JobOut
from lifecycle.modeling.training.models import Run
from lifecycle.ui import paging
from lifecycle.ui.addresses import key_in
from registry.catalog import actions, queries, rules, verifications
from registry.catalog.models import Card, Endpoint, Freeze, ModelVersion, RegisteredModel
from registry.ground.access import policy
from registry.ground.access.answers import ErrorOut
from registry.ground.access.decorators import Needs
from registry.ground.access.models import Project
from registry.ground.access.rest import (
    IS_SLUG,
    Filters,
    Request,
    RowOut,
    View,
    methods,
    operation,
    page_out,
    read,
)

SEE = "catalog.view"
FILTERS: Filters = {"semver": ("semver", IS_SLUG)}


class ModelIn(serializers.Serializer[Any]):
    """A new registered model."""

    project = serializers.UUIDField()
    name = serializers.CharField(max_length=80)
    slug = serializers.CharField(max_length=60)
    purpose = serializers.CharField(max_length=rules.STATED_MAX, allow_blank=True, default="")


class ModelOut(RowOut[RegisteredModel]):
    """A registered model."""

    class Meta:
        model = RegisteredModel
        fields = ["uuid", "project", "slug", "name", "purpose", "created_at"]


class VersionIn(serializers.Serializer[Any]):
    """A run to register as a version."""

    run = serializers.UUIDField()
    semver = serializers.CharField(max_length=40)
    stated = serializers.DictField(
        child=serializers.CharField(allow_blank=True), default=dict, help_text="purpose, limits, risks"
    )


class ServingOut(serializers.Serializer[rules.Serving]):
    """In which numbers it is served, and how rounded ones compared with fp32 on a split; null where not
    measured.
    """

    engine = serializers.ChoiceField(choices=["int8", "bf16", "fp32"])
    reason = serializers.CharField()
    rows = serializers.IntegerField()
    agreement = serializers.FloatField(allow_null=True)
    metric = serializers.CharField(help_text="What both graphs are scored by; empty: not measured.")
    fp32 = serializers.FloatField(allow_null=True)
    rounded = serializers.FloatField(allow_null=True)
    fp32_bytes = serializers.IntegerField(allow_null=True)
    rounded_bytes = serializers.IntegerField(allow_null=True)
    split = serializers.CharField(help_text="The split that decided.")


class VersionOut(RowOut[ModelVersion]):
    """A registered version."""

    serving = serializers.SerializerMethodField()

    class Meta:
        model = ModelVersion
        fields = [
            "uuid",
            "model",
            "number",
            "semver",
            "state",
            "state_reason",
            "run",
            "evaluation",
            "root_digest",
            "key_fingerprint",
            "facts",
            "serving",
            "registered_at",
        ]

    @extend_schema_field(ServingOut)
    def get_serving(self, version: ModelVersion) -> dict[str, Any]:
        """Which graph is served."""
        return dict(ServingOut(rules.serving(version.facts)).data)


class VerificationOut(serializers.Serializer[verifications.Verification]):
    """A verification of every file hash and the signature. problem: empty if all passed."""

    at = serializers.DateTimeField()
    by = serializers.CharField(
        help_text="what verified it: a job, a request's gates, or the inference servers"
    )
    problem = serializers.CharField()


class VersionDetailOut(VersionOut):
    """A registered version, and when its files were last verified since signing; null: never.

    verified: the stored files; verified_copy: the inference servers' copy.
    """

    verified = serializers.SerializerMethodField()
    verified_copy = serializers.SerializerMethodField()

    @extend_schema_field(VerificationOut(allow_null=True))
    def get_verified(self, version: ModelVersion) -> Any:
        """Of the stored files."""
        found = verifications.of_stored(version)
        return VerificationOut(found).data if found else None

    @extend_schema_field(VerificationOut(allow_null=True))
    def get_verified_copy(self, version: ModelVersion) -> Any:
        """Of the served ones."""
        found = verifications.of_served_copy(version)
        return VerificationOut(found).data if found else None


class CardIn(serializers.Serializer[Any]):
    """A new card revision. seen: digest of the previous revision."""

    seen = serializers.CharField(max_length=64)
    stated = serializers.DictField(
        child=serializers.CharField(allow_blank=True), help_text="purpose, limits, risks"
    )


class CardOut(RowOut[Card]):
    """A card revision."""

    signature = serializers.CharField(help_text="OpenSSF model signature over README.md and card.json")

    class Meta:
        model = Card
        fields = ["revision", "text", "stated", "digest", "signature", "key_fingerprint", "created_at"]


class EndpointIn(serializers.Serializer[Any]):
    """A new endpoint."""

    slug = serializers.CharField(max_length=60)
    environment = serializers.ChoiceField(choices=Endpoint.Environment.choices)
    keep_text = serializers.BooleanField(default=True)


class EndpointOut(RowOut[Endpoint]):
    """An endpoint and its live version. moves: pass it as seen_moves when rolling back."""

    project = serializers.UUIDField(source="model.project.uuid")
    slug = serializers.CharField(help_text="unique in its project")
    full_name = serializers.CharField(help_text="project/slug, as in the inference server's URLs")
    live = serializers.UUIDField(source="alias.version.uuid", default=None, allow_null=True)
    moves = serializers.IntegerField(source="alias.moves")

    class Meta:
        model = Endpoint
        fields = [
            "uuid",
            "model",
            "project",
            "slug",
            "full_name",
            "environment",
            "policy",
            "keep_text",
            "live",
            "moves",
        ]


class QuarantineIn(serializers.Serializer[Any]):
    """A reason."""

    reason = serializers.CharField(max_length=rules.REASON_MAX)


class EndpointFreezeIn(QuarantineIn):
    """A freeze until a given time."""

    until = serializers.DateTimeField()


class FreezeOut(serializers.Serializer[Freeze]):
    """A freeze."""

    uuid = serializers.UUIDField()
    reason = serializers.CharField()
    until = serializers.DateTimeField()
    lifted_at = serializers.DateTimeField(allow_null=True)


@operation("GET", "models_list", Needs("signed_in"), gives=ModelOut(many=True))
def models(request: Request) -> object:
    """List models you can see."""
    return queries.models(request.user)


@operation("POST", "models_create", Needs("signed_in"), takes=ModelIn, gives=ModelOut, status=201)
def create_model(request: Request, given: dict[str, Any]) -> object:
    """Create a model."""
    project = policy.get_visible(request.user, Project, "access.view_project", uuid=given.pop("project"))
    return actions.create_model(project=project, actor=request.user, **given)


@operation(
    "GET",
    "versions_list",
    Needs(SEE, RegisteredModel),
    gives=page_out(VersionOut, queries.PAGE, "versions"),
    filters=FILTERS,
)
def versions(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """List versions, newest first; filter by semver."""
    rows = queries.versions(request.user).filter(model__uuid=uuid, **given).order_by("-number")
    return paging.page(rows, key_in(request.query_params), queries.PAGE, key="number")


@operation(
    "POST",
    "versions_register",
    Needs("catalog.register", RegisteredModel, SEE),
    takes=VersionIn,
    gives=JobOut,
    status=202,
)
def register(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Register a run as a version. Returns the job."""
    model = RegisteredModel.objects.select_related("project").get(uuid=uuid)
    run = policy.get_visible(request.user, Run, "training.view", uuid=given["run"])
    return actions.register(model=model, actor=request.user, **given | {"run": run})


@operation("GET", "versions_read", Needs(SEE, ModelVersion), gives=VersionDetailOut)
def one_version(request: Request, uuid: UUID) -> object:
    """Get a version's lineage, digest, state, and last verification."""
    return queries.versions(request.user).get(uuid=uuid)


@operation("GET", "cards_read", Needs(SEE, ModelVersion), gives=CardOut)
def version_card(request: Request, uuid: UUID) -> object:
    """Get the newest card revision."""
    return queries.newest_card(ModelVersion.objects.get(uuid=uuid))


@operation(
    "POST",
    "cards_edit",
    Needs("catalog.edit_card", ModelVersion, SEE),
    takes=CardIn,
    gives=CardOut,
    status=201,
)
def edit_card(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Save a new card revision with purpose, limits, and risks."""
    return actions.edit_card(version=ModelVersion.objects.get(uuid=uuid), actor=request.user, **given)


class VersionExport(View):
    """A version as a ZIP."""

    needs = {
        "GET": Needs("catalog.download", ModelVersion, SEE),
        "POST": Needs("catalog.download", ModelVersion, SEE),
    }
    http_method_names = ("get", "post")  # a HEAD would be recorded as a download

    @extend_schema(
        operation_id="versions_download",
        responses={(200, "application/zip"): OpenApiTypes.BINARY, 409: ErrorOut, 422: ErrorOut},
    )
    def get(self, request: Request, uuid: UUID) -> FileResponse:
        """Download the exported ZIP: files and card with their signatures, and how to verify them. 409 until
        it has the newest card.
        """
        version = ModelVersion.objects.select_related("model__project").get(uuid=uuid)
        packed = actions.download(version=version, actor=request.user)
        return FileResponse(
            packed, as_attachment=True, filename=version.export_name, content_type="application/zip"
        )

    @extend_schema(operation_id="versions_export", request=None, responses={202: JobOut, 422: ErrorOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Export a version as a ZIP. Returns the job. The ZIP is deleted after a week without downloads."""
        version = ModelVersion.objects.select_related("model__project").get(uuid=uuid)
        return Response(JobOut(actions.ask_export(version=version, actor=request.user)).data, status=202)


@operation("POST", "versions_verify", Needs(SEE, ModelVersion), gives=JobOut, status=202)
def verify_version(request: Request, uuid: UUID) -> object:
    """Verify a version's files. Returns the job."""
    version = ModelVersion.objects.select_related("model__project").get(uuid=uuid)
    return actions.ask_verification(version=version, actor=request.user)


@operation(
    "POST",
    "versions_quarantine",
    Needs("catalog.quarantine", ModelVersion, SEE),
    takes=QuarantineIn,
    gives=VersionOut,
)
def quarantine_version(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Quarantine a version: it stops serving immediately and can't be downloaded. The reason is kept."""
    actions.quarantine(version_id=uuid, actor=request.user, **given)
    return queries.versions(request.user).get(uuid=uuid)


@operation("GET", "model_endpoints_list", Needs(SEE, RegisteredModel), gives=EndpointOut(many=True))
def model_endpoints(request: Request, uuid: UUID) -> object:
    """List a model's endpoints by address."""
    return queries.endpoints(request.user).filter(model__uuid=uuid)


@operation(
    "POST",
    "model_endpoints_create",
    Needs("catalog.create_endpoint", RegisteredModel, SEE),
    body=EndpointIn,
    gives=EndpointOut,
    status=201,
)
def create_endpoint(request: Request, uuid: UUID) -> object:
    """Create an endpoint. Nothing is live on it yet."""
    model = RegisteredModel.objects.select_related("project").get(uuid=uuid)
    return actions.create_endpoint(model=model, actor=request.user, **read(EndpointIn, request.data))


@operation(
    "POST",
    "endpoints_freeze",
    Needs("catalog.freeze", Endpoint, SEE),
    takes=EndpointFreezeIn,
    gives=FreezeOut,
    status=201,
)
def freeze_endpoint(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Freeze an endpoint, for at most 90 days."""
    return actions.freeze(endpoint_id=uuid, actor=request.user, **given)


@operation("POST", "freezes_lift", Needs("catalog.freeze", Freeze, SEE), gives=FreezeOut)
def lift_freeze(request: Request, uuid: UUID) -> object:
    """Lift a freeze early."""
    return actions.lift_freeze(freeze_id=uuid, actor=request.user)


urlpatterns = [
    path("models/", methods(models, create_model), name="api-models"),
    path("models/<uuid:uuid>/versions/", methods(versions, register), name="api-versions"),
    path(
        "models/<uuid:uuid>/endpoints/", methods(model_endpoints, create_endpoint), name="api-model-endpoints"
    ),
    path("versions/<uuid:uuid>/", one_version, name="api-version"),
    path("versions/<uuid:uuid>/card/", methods(version_card, edit_card), name="api-version-card"),
    path("versions/<uuid:uuid>/export/", VersionExport.as_view(), name="api-version-export"),
    path("versions/<uuid:uuid>/verify/", verify_version, name="api-version-verify"),
    path("versions/<uuid:uuid>/quarantine/", quarantine_version, name="api-version-quarantine"),
    path("endpoints/<uuid:uuid>/freeze/", freeze_endpoint, name="api-endpoint-freeze"),
    path("freezes/<uuid:uuid>/lift/", lift_freeze, name="api-freeze-lift"),
]
