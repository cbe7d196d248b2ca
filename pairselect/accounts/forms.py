from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import BaseUserCreationForm, PasswordChangeForm
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pairselect.accounts.models import DAYS, MOST_DAYS, Invitation
from pairselect.accounts.places import places
from pairselect.accounts.roles import ADMIN, ANNOTATOR

ROLE_CHOICES = [
    (ANNOTATOR, _("Annotator: compares completions")),
    (ADMIN, _("Admin: spends the budget")),
]
NAME_HELP = _("Letters, digits and @ . + - _ only.")
NAME_ERRORS = {"required": _("An account needs a name.")}


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=ROLE_CHOICES, label=_("Role"))


class NameForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ["username"]
        help_texts = {"username": NAME_HELP}
        error_messages = {"username": NAME_ERRORS}

    def clean_username(self) -> str:
        """The name as it will be stored: “ﬁona” with a ligature is fiona.

        Nobody is to be taken for somebody else whose name has other capitals.
        """
        username: str = User.normalize_username(self.cleaned_data["username"])
        taken = User.objects.filter(username__iexact=username).first()
        if taken is not None:
            raise forms.ValidationError(
                gettext("There is an account named “%(name)s”.") % {"name": taken.username}
            )
        return username

    def first_error(self) -> str:
        return next(str(errors[0]) for errors in self.errors.values())


class PersonForm(NameForm):
    role = forms.ChoiceField(choices=ROLE_CHOICES, label=_("Role"))


class OwnPasswordForm(PasswordChangeForm):
    """A guess at the password from before is a login that failed, and is counted as one."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        given: str = self.cleaned_data["old_password"]
        name = self.user.get_username()
        if authenticate(self.request, username=name, password=given) is None:
            raise forms.ValidationError(self.error_messages["password_incorrect"])
        return given


class InvitationForm(forms.Form):
    role = forms.ChoiceField(choices=Invitation.Role, label=_("Role"))
    campaigns = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(),  # the campaigns, once there is a form
        required=False,
        label=_("Campaigns"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("The person begins there at once."),
    )
    note = forms.CharField(
        max_length=100, required=False, label=_("For whom"), help_text=_("For your list below.")
    )
    days = forms.IntegerField(
        min_value=1, max_value=MOST_DAYS, initial=DAYS, label=_("Days that the link is good for")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Ids of its own: the form of a new account is on the same page.
        super().__init__(*args, **kwargs)
        self.auto_id = "invitation_%s"
        campaigns: Any = self.fields["campaigns"]
        campaigns.queryset = places().open()


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=500,
        label=_("The code of your invitation"),
        help_text=_("What follows # in the link."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _("Open the link of your invitation, or paste its code.")},
    )

    def clean_code(self) -> str:
        """The code, also where somebody pastes the whole link."""
        code: str = self.cleaned_data["code"]
        return code.rpartition("#")[2].strip()


class JoinForm(NameForm, BaseUserCreationForm[User]):
    class Meta(NameForm.Meta):
        pass
