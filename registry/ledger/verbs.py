"""Every decision that the trail knows. The value mirrors `<room>.<action in the past>`; the label finishes the sentence "<actor> …"."""

from __future__ import annotations

from django.db.models import TextChoices


class Verb(TextChoices):
    """What was decided. A verb is never renamed or removed, since old events carry it."""

    # access
    PROJECT_CREATED = "access.project_created", "created the project"
    ROLE_GRANTED = "access.role_granted", "gave a role"
    ROLE_REVOKED = "access.role_revoked", "took a role away"
    TOKEN_CREATED = "access.token_created", "made an API token"  # noqa: S105
    TOKEN_REVOKED = "access.token_revoked", "revoked an API token"  # noqa: S105
    USER_CREATED = "access.user_created", "created a user"
    USER_DEACTIVATED = "access.user_deactivated", "deactivated a user"
    SIGN_IN_FAILED = "access.sign_in_failed", "failed to give the password again"
    # datasets
    DATASET_CREATED = "datasets.created", "created the dataset"
    UPLOAD_ACCEPTED = "datasets.upload_accepted", "accepted the upload"
    UPLOAD_IMPORTED = "datasets.upload_imported", "imported the upload"
    UPLOAD_DISCARDED = "datasets.upload_discarded", "discarded the upload"
    # labeling
    SCHEMA_PUBLISHED = "labeling.schema_published", "published a label schema"
    QUEUE_OPENED = "labeling.queue_opened", "opened a labeling queue"
    QUEUE_CHANGED = "labeling.queue_changed", "changed a labeling queue"
    QUEUE_CLOSED = "labeling.queue_closed", "closed a labeling queue"
    DECISIONS_IMPORTED = "labeling.decisions_imported", "accepted imported labels as decisions"
    DECISIONS_BY_RULE = "labeling.decided_by_rule", "decided unanimous items by rule"
    ITEM_DECIDED = "labeling.decided", "decided the label of an item"
    ITEM_RETURNED = "labeling.returned", "returned an item to its annotators"
    ITEM_FLAGGED = "labeling.flagged", "flagged an item"
    # snapshots
    SNAPSHOT_REQUESTED = "snapshots.requested", "asked for a snapshot"
    SNAPSHOT_FROZEN = "snapshots.frozen", "froze a snapshot"
    SNAPSHOT_EXPORTED = "snapshots.exported", "exported a snapshot"
    # training
    BASE_MODEL_ADDED = "training.base_model_added", "added a base model"
    RUN_LAUNCHED = "training.launched", "launched a run"
    RUN_STOPPED = "training.stopped", "stopped a run"
    RUN_RESUMED = "training.resumed", "resumed a run"
    RUN_ENDED = "training.ended", "ended a run"
    # evaluation
    EVALUATION_REQUESTED = "evaluation.requested", "asked for an evaluation"
    EVALUATION_RECORDED = "evaluation.recorded", "recorded an evaluation"
    # policies and catalog
    POLICY_PUBLISHED = "policies.published", "published a policy"
    MODEL_CREATED = "catalog.model_created", "created a registered model"
    ENDPOINT_CREATED = "catalog.endpoint_created", "created an endpoint"
    VERSION_REGISTERED = "catalog.registered", "registered a version"
    VERSION_QUARANTINED = "catalog.quarantined", "quarantined a version"
    VERSION_EXPORTED = "catalog.exported", "exported a version"
    CARD_CHANGED = "catalog.card_changed", "changed a model card"
    ENDPOINT_FROZEN = "catalog.frozen", "froze an endpoint"
    ENDPOINT_UNFROZEN = "catalog.unfrozen", "lifted a freeze"
    # promotions
    PROMOTION_DRAFTED = "promotions.drafted", "drafted a promotion"
    PROMOTION_REQUESTED = "promotions.requested", "asked for a promotion"
    PROMOTION_CHECK_ASKED = "promotions.check_asked", "asked for another check of a promotion"
    PROMOTION_CHECKED = "promotions.checked", "checked the gates of a promotion"
    PROMOTION_APPROVED = "promotions.approved", "approved a promotion"
    PROMOTION_REJECTED = "promotions.rejected", "rejected a promotion"
    PROMOTION_WITHDRAWN = "promotions.withdrawn", "withdrew a promotion"
    PROMOTION_VOIDED = "promotions.voided", "voided a promotion"
    PROMOTION_EXPIRED = "promotions.expired", "let a promotion expire"
    PROMOTION_FULFILLED = "promotions.fulfilled", "fulfilled a promotion"
    PROMOTION_COMMENTED = "promotions.commented", "commented on a promotion"
    # endpoints and traffic
    DEPLOYED = "endpoints.deployed", "deployed a version"
    ROLLED_BACK = "endpoints.rolled_back", "rolled back an endpoint"
    LOAD_REFUSED = "endpoints.load_refused", "refused to load a version"
    FEEDBACK_RECORDED = "traffic.feedback_recorded", "gave feedback on predictions"
    # audit and jobs
    TRAIL_EXPORTED = "audit.exported", "exported the trail"
    CHECKPOINT_SIGNED = "audit.checkpoint_signed", "signed a checkpoint of the trail"
    JOB_CANCELLED = "jobs.cancelled", "cancelled a job"
    DEMO_SEEDED = "demo.seeded", "seeded the demo project"
