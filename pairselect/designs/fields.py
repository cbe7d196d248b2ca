"""Fields that forms share."""

from typing import Any

from django import forms


def percent(most: int = 100, *, least: int = 0, **options: Any) -> forms.FloatField:
    """A share as people type it; empty is allowed."""
    return forms.FloatField(min_value=least, max_value=most, required=False, **options)
