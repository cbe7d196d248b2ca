from django.apps import AppConfig


class DesignsConfig(AppConfig):
    """The trace design over a pool, and the queue of chosen pairs."""

    name = "pairselect.designs"
