from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Who may do what: people, projects, roles, tokens."""

    name = "registry.ground.access"
    label = "access"

    def ready(self) -> None:
        """Register the pages outside the main navigation."""
        from allauth.mfa.models import Authenticator
        from allauth.mfa.signals import authentication_failed
        from django.db.models.signals import post_delete, post_save

        from lifecycle.ui import palette
        from registry.ground.access import credentials, trail
        from registry.ground.ledger import accounts

        post_save.connect(credentials.on_factor_saved, sender=Authenticator)
        post_delete.connect(credentials.on_factor_deleted, sender=Authenticator)
        authentication_failed.connect(credentials.on_code_refused)

        palette.register_page("Profile and API tokens", "access:profile", keywords="settings theme keys")
        palette.register_page("Projects and members", "access:projects", keywords="roles people access")
        palette.register_page(
            "People", "access:people", show=lambda user: user.is_organisation_admin, keywords="users admin"
        )
        accounts.register(trail.PROJECTS)
        accounts.register(trail.ROLES)
        accounts.register(trail.TOKENS)
