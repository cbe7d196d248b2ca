"""Markdown to sanitised HTML, within a bounded amount of work."""

import re
from functools import cache

import nh3
from django.utils.html import escape
from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES

from annotate.rendering.tex import tex_plugin

# Text that needs more than this is shown as it was written. The work is counted, not timed, so
# that a text looks the same on every machine.
MOST_MARKDOWN = 100_000  # characters
MOST_STEPS = 20_000  # places where the parser tries its rules
MOST_NESTING = 32  # levels; the parser drops, unseen, what lies deeper than 100
MOST_TOKENS = 15_000  # what becomes elements of the page, cells of tables above all
MOST_CODE = 12_000  # characters of code that are coloured; the rest is plain

# Lexers worth having. Some of the many others take minutes over text made for that; the slow ones
# here take a square of the length, so their characters count several times.
_KNOWN = """
    bash batch c clojure cmake cpp csharp css dart diff docker dockerfile elixir elm erlang
    fortran fsharp go graphql groovy haskell html ini java javascript js json jsx julia kotlin
    latex lua matlab nginx objective-c ocaml perl php powershell prolog protobuf py python
    python3 pycon r rb ruby rs rust scala scheme scss sh shell sql swift tcl tex toml ts tsx
    typescript vim xml yaml yml zig zsh c++ c#
"""
LANGUAGES = frozenset(_KNOWN.split())
SLOW = {
    "csharp": 8,
    "c#": 8,
    "java": 4,
    "groovy": 4,
    "ocaml": 3,
    "ts": 3,
    "tsx": 3,
    "typescript": 3,
}

TAGS = {
    *("p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "a", "span", "div"),
    *("h3", "h4", "h5", "h6", "ul", "ol", "li"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES: dict[str, set[str]] = {
    "*": set(),
    "a": {"href"},
    "ol": {"start"},
    "pre": {"data-language"},
}
CLASSES = {
    "pre": {"highlight", "layout"},
    "div": {"math", "display"},
    "span": {"math", "display", *(name for name in STANDARD_TYPES.values() if name)},
}
_formatter = HtmlFormatter(nowrap=True)  # made once: it writes a style sheet that is not used
_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")
# A line of a table drawn with characters, or with columns apart.
_DRAWN = re.compile(r"\s*[+|│┌┐├┤└┘╔╠╚║╭╰]|.*\S(?: {3,}|\t)\S")
# One star between two letters, figures or brackets; two where one of them is a figure or a bracket.
_TIMES = re.compile(
    r"(?:[A-Za-z0-9)\]](?=\*[^*])|[0-9)\]](?=\*\*[^*])|[A-Za-z](?=\*\*[0-9(\[]))"
    r"(?P<stars>\*{1,2})(?=[A-Za-z0-9(\[$\\]|\.\d)"
)


class TooCostly(Exception):
    """The text would take too long, nests too deeply, or makes too large a page."""


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802
        """Whole addresses only: no path on this site, no fragment of this page."""
        return _LINK.match(url) is not None


def to_html(text: str) -> str:
    """Sanitised HTML of Markdown. Raises :class:`TooCostly`."""
    if len(text) > MOST_MARKDOWN:
        raise TooCostly
    tokens = _markdown.parse(text, {"steps": 0})
    _size(tokens)
    for at, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        elif token.type == "inline" and _is_drawn(token.content):
            tokens[at - 1].hidden = tokens[at + 1].hidden = True
            tokens[at] = Token("layout", "pre", 0, content=token.content)
    return nh3.clean(
        _markdown.renderer.render(tokens, _markdown.options, {}),
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes=CLASSES,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
    )


def _is_drawn(content: str) -> bool:
    lines = content.split("\n")
    return len(lines) > 1 and all(_DRAWN.match(line) for line in lines)


def _fence(
    _: RendererProtocol, tokens: list[Token], at: int, options: OptionsDict, env: EnvType
) -> str:
    """Code with its language's name, coloured where the language is known."""
    code = tokens[at].content
    language = (unescapeAll(tokens[at].info).split() or [""])[0]
    inner, name = escape(code), language if _LANGUAGE.fullmatch(language) else ""
    if language.lower() in LANGUAGES:
        lexer = _lexer(language.lower())
        name = lexer.name
        env["code"] = env.get("code", 0) + len(code) * SLOW.get(language.lower(), 1)
        if env["code"] <= MOST_CODE:
            inner = highlight(code, lexer, _formatter)
    known = f' data-language="{escape(name)}"' if name else ""
    return f'<pre class="highlight"{known}><code>{inner}</code></pre>\n'


@cache
def _lexer(language: str) -> Lexer:
    """Of one of `LANGUAGES`. A lexer keeps nothing of what it has read."""
    return get_lexer_by_name(language)


def _count(state: StateBlock | StateInline, *_: object) -> bool:
    """A rule that never matches: it counts the places where the parser tries its rules."""
    state.env["steps"] += 1
    if state.env["steps"] > MOST_STEPS or state.level > MOST_NESTING:
        raise TooCostly
    if len(state.tokens) > MOST_TOKENS:  # asked before each row of a table too
        raise TooCostly
    return False


def _size(tokens: list[Token]) -> None:
    if sum(1 + len(token.children or ()) for token in tokens) > MOST_TOKENS:
        raise TooCostly


def _newline(state: StateInline, silent: bool) -> bool:
    """A line's end. The next line keeps its indentation: a poem's, a list's made by hand."""
    if state.src[state.pos] != "\n":
        return False
    start = end = state.pos + 1
    while end < state.posMax and state.src[end] in " \t":
        end += 1
    if not silent:
        state.pending = state.pending.rstrip(" ")
        state.push("softbreak", "br", 0)
        indent = len(state.src[start:end].expandtabs(4))
        if indent > 1:
            state.pending = "\N{NO-BREAK SPACE}" * min(indent, 40)
    state.pos = end
    return True


def _stars(state: StateInline, silent: bool) -> bool:
    """“10*40”, “2**3”: stars between the factors of a product are not emphasis.

    CommonMark would drop them and set what stands between two products in italics.
    """
    found = _TIMES.match(state.src, state.pos - 1) if state.pos else None
    if found is None or found.end() > state.posMax:
        return False
    if not silent:
        state.pending += found["stars"]
    state.pos += len(found["stars"])
    return True


def _make_parser() -> MarkdownIt:
    options = {"html": False, "linkify": False, "breaks": True}
    parser = _Parser("js-default", options)
    # An image would tell its host who is reading, so images stay links. A definition of a
    # reference would not be seen, whatever it says.
    parser.disable(["image", "reference"])
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("table", "count", _count, {"alt": interrupts})
    parser.inline.ruler.before("text", "count", _count)
    parser.core.ruler.after("block", "size", lambda state: _size(state.tokens))
    parser.inline.ruler.at("newline", _newline)
    parser.inline.ruler.before("emphasis", "stars", _stars)
    parser.add_render_rule(
        "layout",
        lambda _, tokens, at, *rest: f'<pre class="layout">{escape(tokens[at].content)}</pre>\n',
    )
    parser.add_render_rule("fence", _fence)
    tex_plugin(parser)
    return parser


_markdown = _make_parser()
