from django.apps import AppConfig


class PairselectConfig(AppConfig):
    """The project itself: the home page, and the commands ``serve`` and ``demo``."""

    name = "pairselect"
    verbose_name = "pairselect"
