from django.apps import AppConfig


class AnnotateConfig(AppConfig):
    """The people's side: comparisons and exports."""

    name = "annotate"
