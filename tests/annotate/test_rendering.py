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
