from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    """What a promotion must pass: gates and approval steps, versioned and immutable once published."""

    name = "registry.policies"
    label = "policies"
