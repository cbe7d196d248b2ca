from django import forms


class SwitchForm(forms.Form):
    """A button that sets a row to one of two states."""

    on = forms.TypedChoiceField(
        choices=[("1", "on"), ("0", "off")], coerce=lambda value: value == "1"
    )
