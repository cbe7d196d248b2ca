from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class JobsConfig(AppConfig):
    name = "pairselect.jobs"

    def ready(self) -> None:
        # Every app's `tasks` module registers what its workers can do.
        autodiscover_modules("tasks")
