"""Everything that changes the catalog, by noun."""

from registry.catalog.actions.cards import edit_card
from registry.catalog.actions.exports import ask_export, download, run_export, sweep_exports
from registry.catalog.actions.files import materialise, verify
from registry.catalog.actions.freezes import freeze, lift_freeze
from registry.catalog.actions.models import create_endpoint, create_model
from registry.catalog.actions.quarantine import quarantine
from registry.catalog.actions.versions import ask_verification, register, seal

__all__ = [
    "ask_export",
    "ask_verification",
    "create_endpoint",
    "create_model",
    "download",
    "edit_card",
    "freeze",
    "lift_freeze",
    "materialise",
    "quarantine",
    "register",
    "run_export",
    "seal",
    "sweep_exports",
    "verify",
]
