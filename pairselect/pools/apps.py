from django.apps import AppConfig


class PoolsConfig(AppConfig):
    """Prompt sets in; pools of completions and their features out."""

    name = "pairselect.pools"
