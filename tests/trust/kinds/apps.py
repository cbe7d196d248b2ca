import os
from datetime import timedelta

from django.apps import AppConfig


class TrustConfig(AppConfig):
    name = "tests.trust.kinds"
    label = "trust_kinds"

    def ready(self) -> None:
        """A heart that has stopped is taken for dead sooner than the product's 45 s, if asked."""
        from pairselect.jobs import actions, progress

        if seconds := os.environ.get("TRUST_STALE_SECONDS"):
            shorter = float(seconds) / actions.STALE_AFTER.total_seconds()
            actions.STALE_AFTER = timedelta(seconds=float(seconds))
            progress.FENCE_SECONDS *= shorter
