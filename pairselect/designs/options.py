"""What the commands that make a design share: options in, one sentence out."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pairselect.core import STRATEGIES
from pairselect.designs.budgeting import PRICED_BY
from pairselect.designs.forms import DesignForm
from pairselect.designs.models import PRIOR_SD, Design
from pairselect.designs.words import count, receipt
from pairselect.jobs.terminal import first_error
from pairselect.pools.queries import DEFAULT_FEATURES, FEATURE_KINDS


def add_design_options(parser: CommandParser) -> None:
    parser.add_argument("--name", required=True)
    add_choice_options(parser)


def add_choice_options(parser: CommandParser) -> None:
    """What a choice of pairs is asked for, whether a design is made of it or only a plan."""
    spent = parser.add_mutually_exclusive_group(required=True)
    spent.add_argument("--budget", type=int, help="how many pairs to label")
    spent.add_argument("--money", metavar="AMOUNT", help="what may be spent; needs --price")
    spent.add_argument("--hours", help="how much work there is, at --seconds-per-label")
    parser.add_argument("--price", help="of a label, or of an hour: see --priced-by")
    parser.add_argument("--priced-by", choices=[name for name, _ in PRICED_BY], default="label")
    parser.add_argument(
        "--seconds-per-label", metavar="SECONDS", help="else as measured on the labels so far"
    )
    parser.add_argument(
        "--strategy",
        default="trace",
        choices=list(STRATEGIES),
        metavar="STRATEGY",
        help="; ".join(f"{one.name}: {one.summary.rstrip('.')}" for one in STRATEGIES.values()),
    )
    parser.add_argument(
        "--random-share", metavar="PERCENT", help="of the budget, drawn at random as a control"
    )
    parser.add_argument(
        "--keep", metavar="PERCENT", help="of the pairs, those that trace_gap looks at; else 30"
    )
    parser.add_argument(
        "--agreement",
        metavar="PERCENT",
        help="of the labels, those that follow the scores, as trace_weighted takes it; else 60",
    )
    parser.add_argument("--scores", default="", help="which of the pool's, by name")
    parser.add_argument("--max-per-prompt", type=int)
    parser.add_argument("--method", default="exact", choices=Design.Method.values)
    parser.add_argument(
        "--target", default="samples", help="samples, policy or, in a next round, fitted"
    )
    parser.add_argument(
        "--features",
        dest="feature_kind",
        default=DEFAULT_FEATURES,
        help=f"{', '.join(FEATURE_KINDS)} or mean_layer_N",
    )
    parser.add_argument("--dimension", type=int, help="of the features, at most")
    parser.add_argument("--ridge", help="relative to the pool; else 0.001")
    parser.add_argument(
        "--prior-sd",
        type=_or_none,
        default=PRIOR_SD,
        metavar="NUMBER",
        help=f"expected standard deviation of a random pair's logit, else {PRIOR_SD:g}; or none",
    )
    parser.add_argument("--seed", type=int, default=0)


def _or_none(value: str) -> str:
    return "" if value == "none" else value


def checked(form: DesignForm) -> dict[str, Any]:
    """What the form makes of the options.

    Raises
    ------
    CommandError
        With its first complaint.
    """
    if not form.is_valid():
        unnamed = form.non_field_errors() or form.errors.get("pool")  # no option of that name
        raise CommandError(unnamed[0] if unnamed else first_error(form))
    return form.cleaned_data


def summary(design: Design) -> str:
    design.refresh_from_db()
    return f"{count(design.budget, 'pair')} of “{design.pool}”. {receipt(design)}"
