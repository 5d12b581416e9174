from __future__ import annotations

from uuid import uuid4

from django.db import models

from registry.ground.ledger import rules


class Chain(models.Model):
    """The head of one chain of events: one for the installation, one for each project. Locked last in a
    transaction.
    """

    name = models.CharField(max_length=80, unique=True)
    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)

    def __str__(self) -> str:
        return f"{self.name} at {self.seq}"


class Event(models.Model):
    """One decision of a person or the system. `canonical` holds the very bytes that were hashed; the other
    columns are for finding it.

    Actor and object are ids without a foreign key and names are in `Name`, so that erasing a person never
    breaks the chain. They are hashed with a digest of each name, and state every fact by which rows are
    compared with them.
    """

    append_only = True

    chain = models.CharField(max_length=80)
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    # no choices: a new verb needs no migration
    verb = models.CharField(max_length=60, help_text="one of registry.ground.ledger.verbs")
    actor = models.CharField(max_length=40, help_text="uuid of the user, or system")
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=64)
    project = models.UUIDField(null=True)
    canonical = models.TextField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain", "seq"], name="one_event_per_seq")]
        indexes = [
            models.Index(fields=["object_id", "id"], name="event_object"),
            models.Index(fields=["actor", "id"], name="event_actor"),
            models.Index(fields=["project", "id"], name="event_project"),
            models.Index(fields=["verb", "id"], name="event_verb"),
        ]

    def __str__(self) -> str:
        return f"{self.chain}/{self.seq} {self.verb}"


class Name(models.Model):
    """How people read an id when an event was recorded. The event's hashed bytes hold a digest of salt and
    text, so that the row can be deleted, as erasing a person asks, and not altered.
    """

    subject = models.CharField(max_length=64)
    text = models.CharField(max_length=200)
    salt = models.CharField(max_length=32, help_text="hex")
    event = models.ForeignKey(
        Event, on_delete=models.PROTECT, related_name="+", help_text="the first that was hashed with it"
    )

    class Meta:
        indexes = [models.Index(fields=["subject"], name="name_subject")]

    def __str__(self) -> str:
        return self.text

    @property
    def digest(self) -> str:
        """What the events that were hashed with it hold."""
        return rules.name_digest(self.salt, self.text)

    def is_bound_by(self, event: Event) -> bool:
        """Whether the event's hashed bytes hold it as the name of its actor or its object."""
        document = rules.document_of(event.canonical)
        if document is None:
            return False
        ids = {"actor": document["actor"], "object": document["object_id"]}
        return any(
            ids.get(part) == self.subject and digest == self.digest
            for part, digest in document["names"].items()
        )


class Checkpoint(models.Model):
    """A signed statement that a chain had this hash at this seq; a copy is kept outside the database."""

    append_only = True

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    chain = models.CharField(max_length=80)
    seq = models.PositiveBigIntegerField()
    hash = models.CharField(max_length=64)
    at = models.DateTimeField()
    document = models.TextField(help_text="the signed JSON, as written outside the database")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain", "seq"], name="one_checkpoint_per_seq")]

    def __str__(self) -> str:
        return f"{self.chain} at {self.seq}"
