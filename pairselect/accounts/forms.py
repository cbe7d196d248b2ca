from django import forms
from django.contrib.auth.models import User

from pairselect.accounts.roles import ADMIN, ANNOTATOR


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    role = forms.ChoiceField(
        choices=[
            (ANNOTATOR, "Annotator: compares completions"),
            (ADMIN, "Admin: spends the budget"),
        ]
    )

    class Meta:
        model = User
        fields = ["username"]
        help_texts = {"username": "Letters, digits and @ . + - _ only."}
