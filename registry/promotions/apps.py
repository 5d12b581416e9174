from django.apps import AppConfig


class PromotionsConfig(AppConfig):
    """Requests to let a version serve an endpoint, and who decided on them."""

    name = "registry.promotions"
    label = "promotions"
