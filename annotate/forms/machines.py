from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from annotate.machines.actions import MOST_INSTRUCTIONS, MOST_MODEL
from annotate.models import Campaign, Machine
from pairselect.accounts.roles import MACHINE
from pairselect.pools.language import offered_models, on_server


class AskedPairsForm(forms.Form):
    """Which pairs a machine is asked. What comes out are arguments of `assign`."""

    pairs = forms.IntegerField(
        min_value=1,
        max_value=10_000_000,
        required=False,
        label=_("The first pairs of the queue"),
        help_text=_("Empty: all of them."),
    )
    labelled_only = forms.BooleanField(
        required=False, label=_("Of those, only what people have labelled"), label_suffix=""
    )


class MachineForm(AskedPairsForm):
    """A new machine, with its first pairs."""

    name = forms.CharField(max_length=60, label=_("Name"))
    model = forms.CharField(
        required=False,
        max_length=MOST_MODEL,
        label=_("Model"),
        widget=forms.TextInput(attrs={"list": "server-models", "autocomplete": "off"}),
    )
    instructions = forms.CharField(
        required=False,
        max_length=MOST_INSTRUCTIONS,
        label=_("Instructions"),
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
        help_text=_("It is told the guidelines, too."),
    )
    field_order = ("name", "model", "instructions", "pairs", "labelled_only")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = sorted(settings.PAIRSELECT_SERVERS)
        self.fields["model"].help_text = (
            _("On a server, as %(label)s:NAME. Empty: a judge of your own answers by the API.")
            % {"label": labels[0]}
            if labels
            else _(
                "Empty: a judge of your own answers by the API. For one on a server, the operator "
                "names the server in PAIRSELECT_SERVERS."
            )
        )

    @property
    def server_models(self) -> list[str]:
        """What the operator offers, to choose from; others may be typed."""
        return [name for name in offered_models() if on_server(name)]

    def clean_instructions(self) -> str:
        """As it was typed: browsers end lines with two characters."""
        text: str = self.cleaned_data["instructions"]
        return text.replace("\r\n", "\n")


class MachineField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, machine: Machine) -> str:
        """Its name, and what answers."""
        name = machine.user.username.removeprefix(MACHINE)
        return f"{name} ({machine.model})" if machine.model else name


class OtherMachineForm(AskedPairsForm):
    """A machine that judges in another campaign already. Sent twice, it is there once."""

    machine = MachineField(
        Machine.objects.select_related("user"), label=_("Machine"), empty_label=None
    )
    field_order = ("machine", "pairs", "labelled_only")

    def offer(self, campaign: Campaign) -> bool:
        """Show those that do not judge in the campaign; whether there are any."""
        chooser = self.fields["machine"]
        assert isinstance(chooser, MachineField)
        others = Machine.objects.exclude(assignments__campaign=campaign)
        chooser.queryset = others.select_related("user")
        return others.exists()
