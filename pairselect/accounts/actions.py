import secrets

from django.contrib.auth.models import Group, User
from django.db import transaction

from pairselect.accounts.roles import ADMIN, ROLES


def make_password() -> str:
    """About 80 bits, without characters that are mistaken for each other."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))


@transaction.atomic
def create_person(username: str, *, role: str, operator: bool = False) -> tuple[User, str]:
    """Make an account and return it with its password, which is stored only as a hash.

    ``operator`` opens Django's own admin site as well.
    """
    password = make_password()
    user = User.objects.create_user(
        username,
        password=password,
        is_staff=operator and role == ADMIN,
        is_superuser=operator and role == ADMIN,
    )
    user.groups.add(Group.objects.get(name=role))
    return user, password


def reset_password(user: User) -> str:
    """Give the person a new password; their other sessions end."""
    password = make_password()
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def set_active(user: User, *, active: bool) -> None:
    """Whoever is not active cannot log in, and is logged out; answers and labels stay."""
    user.is_active = active
    user.save(update_fields=["is_active"])


@transaction.atomic
def change_role(user: User, role: str) -> None:
    user.groups.remove(*Group.objects.filter(name__in=ROLES))
    user.groups.add(Group.objects.get(name=role))
