"""Numbers as the reader's language writes them."""

from django.utils.formats import get_format
from django.utils.translation import gettext, pgettext


def localised(number: str) -> str:
    """“1,234.5” or “12%” with the separators, and the percent sign, of the reader's language."""
    return number.translate(
        {
            ord(","): get_format("THOUSAND_SEPARATOR"),
            ord("."): get_format("DECIMAL_SEPARATOR"),
            # Translators: with a no-break space before it where the language writes one.
            ord("%"): pgettext("right after a number", "%"),
        }
    )


def whole(number: int) -> str:
    """“2,000”."""
    return localised(f"{number:,}")


def percent(share: float) -> str:
    """“12%”, “0.4%”, “under 0.1%”; “none” of nothing."""
    if share <= 0:
        return gettext("none")
    if share < 0.001:
        return gettext("under %(share)s") % {"share": localised("0.1%")}
    if 0.9995 > share >= 0.995:  # nearly all is not all
        return localised(f"{share:.1%}")
    return localised(f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}")
