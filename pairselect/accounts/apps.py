from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


def make_groups(sender: AppConfig, **kwargs: Any) -> None:
    from django.contrib.auth.models import Group

    from pairselect.accounts.roles import ROLES

    for name in ROLES:
        Group.objects.get_or_create(name=name)


class AccountsConfig(AppConfig):
    name = "pairselect.accounts"

    def ready(self) -> None:
        # After auth's own tables; the signal is not sent for an app without models, as this is.
        post_migrate.connect(make_groups, sender=apps.get_app_config("auth"))
