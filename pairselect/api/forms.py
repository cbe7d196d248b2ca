from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotate.models import Machine
from pairselect.accounts.roles import is_admin
from pairselect.api.models import Token
from pairselect.api.tokens import scopes_open_to

LASTS = {
    "30": (_("30 days"), timedelta(days=30)),
    "90": (_("90 days"), timedelta(days=90)),
    "365": (_("a year"), timedelta(days=365)),
    "": (_("until it is revoked"), None),
}


class TokenForm(forms.Form):
    """A token of one's own; an admin also makes those of machines that judge."""

    name = forms.CharField(
        max_length=100, label=_("Name"), help_text=_("Where it will be used, to know it by.")
    )
    user = forms.ModelChoiceField(
        User.objects.none(), label=_("Acts as"), empty_label=None, required=False
    )
    scopes = forms.MultipleChoiceField(
        label=_("Good for"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose what it is good for.")},
    )
    lasts = forms.ChoiceField(
        label=_("Lasts"),
        choices=[(key, title) for key, (title, _time) in LASTS.items()],
        initial="90",
        required=False,
    )

    def __init__(self, person: User, data: Any = None) -> None:
        super().__init__(data)
        self.person = person
        open_to_them = scopes_open_to(person)
        scopes, user = self.fields["scopes"], self.fields["user"]
        assert isinstance(scopes, forms.MultipleChoiceField)
        assert isinstance(user, forms.ModelChoiceField)
        scopes.choices = [(one.value, one.label) for one in open_to_them]
        if len(open_to_them) == 2:
            scopes.initial = [one.value for one in open_to_them]
        machines = Machine.objects.filter(model="", user__is_active=True)
        if is_admin(person) and machines.exists():
            user.queryset = User.objects.filter(Q(pk=person.pk) | Q(machine__in=machines))
            user.initial = person.pk
        else:
            del self.fields["user"]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        owner = data["user"] = data.get("user") or self.person
        same = Token.objects.filter(user=owner, name=data.get("name"), revoked_at__isnull=True)
        if same.exists():
            said = gettext("There is a token “%(name)s” already. Revoke it, or name this one else.")
            self.add_error("name", said % {"name": data["name"]})
        wanted, allowed = data.get("scopes", []), scopes_open_to(owner)
        if any(one not in allowed for one in wanted):
            self.add_error("scopes", gettext("This account may only read and judge."))
        return data

    @property
    def expires_at(self) -> datetime | None:
        lasting = LASTS[self.cleaned_data["lasts"]][1]
        return None if lasting is None else timezone.now() + lasting
