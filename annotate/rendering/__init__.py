"""Completions, turns and guidelines as HTML. All is an attacker's until nh3 has been over it."""

from functools import lru_cache

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from annotate.rendering.invisible import show_invisible
from annotate.rendering.markdown import MOST_MARKDOWN, MOST_STEPS, TooCostly, to_html

__all__ = ["MOST_MARKDOWN", "MOST_STEPS", "raw_text", "render_markdown"]


@lru_cache(maxsize=512)
def render_markdown(text: str) -> SafeString:
    """Markdown as sanitised HTML: no raw HTML, no images, no styles, headings from h3 down.

    Mathematics comes out as ``.math`` elements that hold their TeX, for ``prose.js`` to typeset.
    Characters that cannot be seen come out as markers. Text that is too long, too deep or made
    to be slow comes out as it was written, in ``<pre class="raw">``: never cut.
    """
    try:
        html = to_html(text)
    except TooCostly:
        return mark_safe(f'<pre class="raw">{raw_text(text)}</pre>')  # noqa: S308  # nosec B308 B703  # escaped, or sanitised
    return mark_safe(show_invisible(html))  # noqa: S308  # nosec B308 B703  # escaped, or sanitised


@lru_cache(maxsize=512)
def raw_text(text: str) -> SafeString:
    """The text as it was written, escaped, with what cannot be seen in it made visible."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return mark_safe(show_invisible(escape(lines)))  # noqa: S308  # nosec B308 B703  # escaped, or sanitised
