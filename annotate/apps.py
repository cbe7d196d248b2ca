from django.apps import AppConfig


class AnnotateConfig(AppConfig):
    """The people's side: comparisons and exports."""

    name = "annotate"

    def ready(self) -> None:
        from annotate.inviting import join, open_campaigns
        from annotate.timing import seconds_a_label  # models are there from now on
        from pairselect.accounts.places import Places, offered_by
        from pairselect.designs.pace import measured_by

        measured_by(seconds_a_label)
        offered_by(Places(open_campaigns, join))
