from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pairselect.accounts.roles import ADMIN, ANNOTATOR

ROLE_CHOICES = [
    (ANNOTATOR, _("Annotator: compares completions")),
    (ADMIN, _("Admin: spends the budget")),
]


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=ROLE_CHOICES, label=_("Role"))


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    role = forms.ChoiceField(choices=ROLE_CHOICES, label=_("Role"))

    class Meta:
        model = User
        fields = ["username"]
        help_texts = {"username": _("Letters, digits and @ . + - _ only.")}
        error_messages = {"username": {"required": _("An account needs a name.")}}

    def clean_username(self) -> str:
        """The name as it will be stored: “ﬁona” with a ligature is fiona."""
        username: str = User.normalize_username(self.cleaned_data["username"])
        if User.objects.filter(username=username).exists():
            raise forms.ValidationError(
                gettext("There is an account named “%(name)s”.") % {"name": username}
            )
        return username

    def first_error(self) -> str:
        return next(str(errors[0]) for errors in self.errors.values())
