"""Completions are an attacker's text."""

import re
import time
from html.parser import HTMLParser

import pytest

from annotate.rendering import render_markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/pixel.png)",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](vbscript:msgbox)",
    "<svg onload=alert(1)>",
    '<math><mtext><style><img src=x onerror="alert(1)"></style></mtext></math>',
    '<a hx-get="/logout" hx-trigger="load">x</a>',
    '<div style="position:fixed;inset:0">x</div>',
    '<iframe src="https://evil.example"></iframe>',
    '<form action="https://evil.example"><input name=x></form>',
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\ncode\n```',
    "`<script>alert(1)</script>`",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "<https://evil.example/<script>>",
    "{% load x %}{{ request.user.password }}",
    "[x](https://a.example 'onmouseover=alert(1)')",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]
SAFE = {
    *("p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "a", "span"),
    *("h3", "h4", "h5", "h6", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    parser = Tags()
    parser.feed(render_markdown(text))
    assert parser.found
    for tag, attributes in parser.found:
        assert tag in SAFE
        assert set(attributes) <= {"href", "rel", "target", "class", "start"}
        assert re.match("https?:|mailto:", attributes.get("href") or "https:")


def test_a_link_tells_its_target_nothing() -> None:
    assert render_markdown("[x](https://a.example)") == (
        '<p><a href="https://a.example" target="_blank" '
        'rel="noopener noreferrer nofollow">x</a></p>\n'
    )


def test_headings_begin_below_the_pages_own() -> None:
    html = render_markdown("# One\n\n###### Six")
    assert "<h3>One</h3>" in html
    assert "<h6>Six</h6>" in html


def test_code_is_highlighted_by_classes() -> None:
    html = render_markdown("```python\ndef f(): return 1\n```")
    assert '<pre class="highlight">' in html
    assert '<span class="k">def</span>' in html


def test_unknown_languages_stay_plain() -> None:
    html = render_markdown("```klingon\n<b>\n```")
    assert html == '<pre class="highlight"><code>&lt;b&gt;\n</code></pre>\n'


def test_single_newlines_are_kept() -> None:
    assert render_markdown("a\nb") == "<p>a<br>\nb</p>\n"


def test_a_class_of_the_page_cannot_be_borrowed() -> None:
    assert "flash" not in render_markdown('<span class="flash">x</span>').split("&gt;")[-1]


@pytest.mark.parametrize("text", ["[" * 100_000, "*a " * 40_000, "> " * 50_000, "`" * 99_999])
def test_a_text_made_to_be_slow_is_not(text: str) -> None:
    started = time.monotonic()
    html = render_markdown(text)
    assert time.monotonic() - started < 5
    assert html.startswith('<pre class="raw">')
