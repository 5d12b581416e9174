"""The one exception from the content security policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from csp.decorators import csp_update
from django.http.response import HttpResponseBase

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def charts(view: View) -> View:
    """For pages that draw charts: Plotly writes style attributes and a style element, so inline styles are
    allowed; scripts are not.
    """
    decorated: View = csp_update({"style-src": "'unsafe-inline'"})(view)
    return decorated
