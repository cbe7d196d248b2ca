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
        from axes.signals import user_locked_out

        from pairselect.accounts.locks import note_lock

        post_migrate.connect(make_groups, sender=apps.get_app_config("auth"))
        user_locked_out.connect(note_lock)
