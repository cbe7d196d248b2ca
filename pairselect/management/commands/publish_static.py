from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from pairselect.fingerprints import publish


class Command(BaseCommand):
    help = "Put static files under names that tell their content; `serve` does so at its start."

    def handle(self, *args: Any, **options: Any) -> None:
        publish()
        self.stdout.write(f"Static files are in {settings.STATIC_ROOT}.")
