r"""TeX in Markdown: ``$…$``, ``$$…$$``, ``\(…\)``, ``\[…\]`` and ``\begin{align}…\end{align}``.

Rules of our own: a formula may follow its paragraph's text directly, as models write it, prices
and shell variables stay text, and each search for an end is short, or counted in ``env["steps"]``.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# Beyond this it is no formula that somebody reads; each search for an end stops there.
MOST_TEX = 2500

_ENVIRONMENT = re.compile(
    r"\\begin\{((?:equation|align|alignat|gather|multline|eqnarray|flalign|split|cases"
    r"|[pbBvV]?matrix|array|aligned|gathered)\*?)\}"
)
_CLOSERS = {"$$": "$$", r"\[": r"\]", r"\(": r"\)", "$": "$"}
_AMOUNT = re.compile(r"\d[\d.,]*[kKmMbB]?[,;:]?\s+[^\W\d_]{2,}")  # "5 or US" of "$5 or US$6"

_WORD = re.compile(r"[A-Za-z0-9]")  # Chinese, say, stands beside a formula without a space
_ENDING = re.compile(r"(?:th|st|nd|rd|s)\b")  # "the $n$th"


def tex_plugin(parser: MarkdownIt) -> None:
    """Teach a Markdown parser mathematics: tokens ``tex`` (inline) and ``tex_block``."""
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("fence", "tex_block", _block, {"alt": interrupts})
    parser.inline.ruler.before("escape", "tex", _inline)
    parser.add_render_rule("tex", _render)
    parser.add_render_rule("tex_block", _render)


def _find(source: str, closer: str, start: int) -> int:
    """Where ``closer`` stands from ``start`` on, not escaped; -1 if nowhere within reach."""
    end = min(len(source), start + MOST_TEX)
    at = source.find(closer, start, end)
    while at > 0 and closer[0] in "$\\":
        before = at
        while before > start and source[before - 1] == "\\":
            before -= 1
        if (at - before) % 2 == 0:
            return at
        at = source.find(closer, at + 1, end)
    return at


def _inline(state: StateInline, silent: bool) -> bool:
    source, pos = state.src, state.pos
    if source[pos] not in "$\\":
        return False
    opener = next((mark for mark in _CLOSERS if source.startswith(mark, pos)), "")
    environment = _ENVIRONMENT.match(source, pos)
    if environment:
        closer = f"\\end{{{environment[1]}}}"
    elif opener:
        closer = _CLOSERS[opener]
    else:
        return False
    start = pos + len(opener)
    end = _find(source, closer, start)
    if end < 0 or end >= state.posMax:
        return False
    content = source[start:end]
    after = end + len(closer)
    if opener == "$" and not _is_formula(source, pos, content, after):
        return False
    if not content.strip():
        return False
    if not silent:
        token = state.push("tex", "span", 0)
        token.content = source[pos:after] if environment else content
        token.meta = {"display": opener not in ("$", r"\(")}
    state.pos = after
    return True


def _is_formula(source: str, pos: int, content: str, after: int) -> bool:
    """Whether ``$content$`` is mathematics, and not two amounts of money or two variables."""
    return not (
        content[:1].isspace()
        or content[-1:].isspace()
        or (pos > 0 and _WORD.match(source, pos - 1))
        or (_WORD.match(source, after) and not _ENDING.match(source, after))
        or _AMOUNT.match(content)
    )


def _block(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    start = state.bMarks[first] + state.tShift[first]
    line = state.src[start : state.eMarks[first]]
    if state.is_code_block(first) or line[:1] not in ("$", "\\"):
        return False
    if environment := _ENVIRONMENT.match(line):
        opener, closer = "", f"\\end{{{environment[1]}}}"
    elif line.startswith(("$$", r"\[")):
        opener, closer = line[:2], _CLOSERS[line[:2]]
    else:
        return False
    lines, size, at = [line[len(opener) :]], 0, first
    while (end := _find(lines[-1], closer, 0)) < 0:
        size += len(lines[-1])
        at += 1
        state.env["steps"] += 1
        if at >= last or size > MOST_TEX or state.sCount[at] < state.blkIndent:
            return False
        if opener == "$$" and state.isEmpty(at):
            return False
        lines.append(state.getLines(at, at + 1, state.blkIndent, False))
    if lines[-1][end + len(closer) :].strip(" \t.,;") or end + size > MOST_TEX:
        return False  # text follows on the line: an inline matter
    tail = lines[-1][end:] if not opener else lines[-1][end + len(closer) :]
    lines[-1] = lines[-1][:end]
    content = "\n".join(lines) + tail.rstrip()
    if not content.strip():
        return False
    state.line = at + 1
    if not silent:
        token = state.push("tex_block", "div", 0)
        token.block = True
        token.content = content
        token.meta = {"display": True}
        token.map = [first, state.line]
    return True


def _render(
    _: RendererProtocol, tokens: list[Token], at: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[at]
    name = "math display" if token.meta["display"] else "math"
    tex = escapeHtml(token.content.strip())
    return f'<{token.tag} class="{name}">{tex}</{token.tag}>' + ("\n" if token.block else "")
