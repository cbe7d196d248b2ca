from django import forms
from django.contrib.auth.models import User

from pairselect.accounts.roles import ADMIN, ANNOTATOR

ROLE_CHOICES = [
    (ANNOTATOR, "Annotator: compares completions"),
    (ADMIN, "Admin: spends the budget"),
]


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=ROLE_CHOICES)


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    role = forms.ChoiceField(choices=ROLE_CHOICES)

    class Meta:
        model = User
        fields = ["username"]
        help_texts = {"username": "Letters, digits and @ . + - _ only."}
        error_messages = {"username": {"required": "An account needs a name."}}

    def clean_username(self) -> str:
        """The name as it will be stored: “ﬁona” with a ligature is fiona."""
        username: str = User.normalize_username(self.cleaned_data["username"])
        if User.objects.filter(username=username).exists():
            raise forms.ValidationError(f"There is an account named “{username}”.")
        return username

    def first_error(self) -> str:
        return next(str(errors[0]) for errors in self.errors.values())
