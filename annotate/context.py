from django.contrib.auth.models import User
from django.http import HttpRequest

from annotate.keys import preferences_of
from annotate.models import Preferences


def theme(request: HttpRequest) -> dict[str, str]:
    """The theme that the person chose; empty: the system's."""
    person = getattr(request, "user", None)
    chosen = preferences_of(person).theme if isinstance(person, User) else ""
    return {"theme": chosen if chosen in (Preferences.Theme.LIGHT, Preferences.Theme.DARK) else ""}
