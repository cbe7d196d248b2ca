from django.apps import AppConfig


class TrailConfig(AppConfig):
    name = "pairselect.trail"
    verbose_name = "audit trail"
