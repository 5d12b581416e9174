"""Everything that changes the catalog, by noun."""

from registry.catalog.actions.cards import edit_card
from registry.catalog.actions.files import export, materialise, verify
from registry.catalog.actions.freezes import freeze, lift_freeze
from registry.catalog.actions.models import create_endpoint, create_model
from registry.catalog.actions.quarantine import quarantine
from registry.catalog.actions.versions import ask_verification, register, seal

__all__ = [
    "ask_verification",
    "create_endpoint",
    "create_model",
    "edit_card",
    "export",
    "freeze",
    "lift_freeze",
    "materialise",
    "quarantine",
    "register",
    "seal",
    "verify",
]
