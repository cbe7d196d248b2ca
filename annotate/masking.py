"""Hiding who wrote a completion, where the completion says so itself.

A judge who knows the model judges the model. Masked are a text's statements about its own author
("I am ChatGPT", "as a language model trained by Google") and the names of the pool's models.
Talk about Google, OpenAI or llamas stays.
"""

import re

# Three blocks. The page gives them a label, "name hidden", that a screen reader says instead.
MARK = "▮▮▮"
_SHORTEST_NAME = 3
_SENTENCE = 400  # characters of one sentence that are looked at, from its first word about itself

_ASSISTANTS = r"""
    ChatGPT GPT[-\s]?(?:\d[\w.]*|J|NeoX) o[134](?:-mini)? Claude Gemini Bard Gemma PaLM
    LLaMA Alpaca Vicuna Mi[sx]tral Ministral Qwen QwQ Tongyi(?:\sQianwen)? 通义千问 千问
    DeepSeek 深度求索 ERNIE(?:\sBot)? 文心一言 (?:Chat)?GLM 智谱清言 Kimi Doubao 豆包 Grok Copilot
    Bing(?:\sChat)? Falcon Command\sR Phi Yi SmolLM OLMo T[uü]lu Zephyr Hermes Nemotron
    Granite Pythia StableLM Baichuan InternLM Hunyuan 混元 MiniMax Jamba Open\s?Assistant
    Dolly Koala BLOOMZ? LaMDA
"""
_MAKERS = r"""
    Open\s?AI Anthropic Google(?:\s(?:DeepMind|AI|Research))? DeepMind
    Meta(?:\s(?:AI|Platforms))? Facebook Mistral(?:\sAI)? Alibaba(?:\s(?:Cloud|Group))?
    阿里巴巴(?:集团)? 阿里云 百度 腾讯 字节跳动 谷歌 月之暗面 智谱(?:\s?AI)? 深度求索
    DeepSeek(?:\sAI)? Baidu Tencent
    ByteDance Moonshot(?:\sAI)? Zhipu(?:\sAI)? xAI Microsoft Amazon(?:\sWeb\sServices)?
    AWS NVIDIA IBM Apple Cohere Hugging\s?Face Stability\sAI EleutherAI
    (?:the\s)?Allen\sInstitute(?:\sfor\sAI)? Ai2 LMSYS Databricks Nous\sResearch
    AI21(?:\sLabs)? Inflection(?:\sAI)? 01\.AI Technology\sInnovation\sInstitute
"""

_VERSION = (
    r"(?:[-\s]?v?\d[\w.]{0,8}(?<!\.))?"
    r"(?:[-\s](?:Opus|Sonnet|Haiku|Pro|Ultra|Flash|Turbo|Mini|Instruct|Chat|Max|Plus|Nano|\d{1,4}B)\b){0,3}"
)
_FENCED = r"(?<![A-Za-z0-9])(?:{}){}(?![A-Za-z0-9])"
_ASSISTANT = _FENCED.format("|".join(_ASSISTANTS.split()), _VERSION)
_NAME = _FENCED.format("|".join((_MAKERS + _ASSISTANTS).split()), _VERSION)
_QUOTE = "[*_\"'“”‘’«»„`]{0,3}"

# Words with which a text begins to speak of itself.
_SELF = re.compile(
    r"\b(?:I\s?(?:am|['’]m)(?:\s(?:called|named))?|I\sgo\sby|I\s(?:was|have\sbeen)|I['’]ve\sbeen"
    r"|my\sname(?:\sis|['’]s)|call\sme|my\s(?:creators?|developers?|makers?)|as"
    r"|ich\s(?:bin|wurde|heiße|heisse)|mein\sname\sist|als"
    r"|je\s(?:suis|m['’]appelle)|j['’]ai\sété|mon\snom\sest|en\stant\squ(?:e\s|['’])"
    r"|soy|me\sllamo|mi\snombre\ses|fui|he\ssido|como)(?!\w)"
    r"|我(?:的名字)?(?:是|叫|由|被)|作为",
    re.IGNORECASE,
)
# A bare "as Claude" says who speaks only where "I" or "my" follows soon.
_ROLE = re.compile(r"(?:as|als|en\stant\squ(?:e\s|['’])|como)", re.IGNORECASE)
_SPEAKS = re.compile(r"\b(?:I|my|ich|mein\w*|je|j['’]\w+|mon|ma|yo|mi|puedo|no\spuedo)\b", re.I)

_FILLER = r"(?:\s|,|:|just|only|simply|actually|really|also|nur|juste|solo)*"
_MACHINE = (
    r"(?:(?:AI|A\.I\.|artificial\sintelligence|KI|IA)[-\s]?(?:powered\s|based\s|language\s)?"
    r"(?:chat)?(?:models?|assistants?|bots?|systems?|programs?|Modell|Assistent(?:in)?)"
    r"|(?:language|foundation|conversational|generative)\s(?:AI\s)?models?|chatbots?|LLM"
    r"|virtual\sassistants?|(?:KI[-\s])?Sprachmodell|KI-\w+|mod[eè]l[eo]\sd(?:e|u)\sl(?:angage|angue|enguaje)"
    r"|(?:assistant|asistente|modelo)\s(?:de\s)?(?:IA|virtuel|virtual)|intelligence\sartificielle"
    r"|inteligencia\sartificial|(?:AI|KI|IA)(?=,?\s(?:developed|created|made|trained|built|designed|by|from"
    r"|named|called|von|par|por|entwickelt|créée|creada)))"
    r"(?!\s(?:research|engineer|expert|developer|scien|user|compan|work))"
)
_IS_MACHINE = re.compile(rf"{_FILLER}(?:(?!\w+ing\s)[\w’'-]+,?\s){{0,5}}?{_MACHINE}", re.IGNORECASE)
_MADE = (
    r"(?:(?:pre-?|fine-?)?trained|fine-?tuned|created|made|developed|built|designed|programmed|produced"
    r"|released|powered|based|entwickelt|trainiert|erstellt|développée?|créée?|entraînée?|conçue?"
    r"|desarrollad[oa]|cread[oa]|entrenad[oa]|diseñad[oa])"
)
_IS_MADE = re.compile(
    rf"{_FILLER}(?:\w+ly\s)?{_MADE}(?:\s(?:and|und|et|y)\s{_MADE})?(?=\s(?:by|at|on|von|par|por|sur|en)\b)",
    re.IGNORECASE,
)
_IS_NAMED = re.compile(rf"{_FILLER}{_QUOTE}(?P<name>{_ASSISTANT})", re.IGNORECASE)
_MAKER_MACHINE = re.compile(  # "an OpenAI language model"
    rf"{_FILLER}(?:an?|the|ein|une?)\s(?:\w+\s)?(?P<name>{_NAME})(?:['’]s)?[-\s]"
    rf"(?:(?:trained|based|developed|large|AI)\s)*{_MACHINE}",
    re.IGNORECASE,
)
_MADE_BY = re.compile(  # "wurde von OpenAI entwickelt"
    rf"{_FILLER}von\s{_QUOTE}(?P<name>{_NAME}){_QUOTE}\s{_MADE}", re.IGNORECASE
)
_MAKERS_ARE = re.compile(rf"\s?(?:at|is|are|,|from)\s(?P<name>{_NAME})", re.IGNORECASE)
# From one name to the next of the same statement: nothing else is said between them.
_NEXT = re.compile(
    r"(?:(?!\b(?:I|you|that|ich|dass|que|can|kann|puis|puedo)\b).){0,50}?"
    r"(?:\b(?:by|at|from|of|called|named|known\sas|on|model|assistant|and|or|is|von|vom|bei|namens|auf|und"
    r"|par|de|chez|appelée?|nommée?|et|por|llamad[oa]|y)\s|[,(]\s?|d['’])"
    r"(?:(?:the|la|el|le|der|die|das|team|people|researchers?|company|firm|Firma|empresa|société|at|of|de)\s)*"
    rf"{_QUOTE}(?P<name>{_NAME})",
    re.IGNORECASE,
)
_MADE_ME = re.compile(
    rf"(?P<name>{_NAME})(?:\s(?:has|have))?\s(?:pre-?)?(?:trained|created|made|developed|built|designed|programmed)\sme\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    rf"(?:一[个款名种]|由|\s)*(?:{_NAME}(?:公司|团队)?\s?(?:自主)?(?:开发|训练|研发|创建|创造|推出|打造|提供|的?(?:AI|人工智能|大?语言模型))"
    rf"|{_ASSISTANT}|[^，。]{{0,12}}(?:语言模型|人工智能|AI|智能助手|大模型))",
    re.IGNORECASE,
)
_named = re.compile(_NAME, re.IGNORECASE)
_END = re.compile(r"[.!?](?=\s|$)|[。！？\n]")
_HAN = "我作"

Span = tuple[int, int]


def mask_identity(text: str, names: tuple[str, ...] = ()) -> tuple[str, int]:
    """Mask who wrote a text: what it says of itself, and the names of models anywhere.

    Parameters
    ----------
    text
        A completion as it was written, before Markdown.
    names
        The pool's own models, as ``organisation/model`` or ``model``. Masked as whole words, with
        ``-``, ``_`` and spaces taken for each other.

    Returns
    -------
    tuple[str, int]
        The text with :data:`MARK` in place of each name, and how many there were. The time taken
        grows with the text's length only.
    """
    spans = _own_statements(text)
    if pattern := _of_names(names):
        spans += [match.span() for match in pattern.finditer(text)]
    pieces, at, count = [], 0, 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start < at:
            continue
        pieces += [text[at:start], MARK]
        at, count = end, count + 1
    return "".join(pieces) + text[at:], count


def _of_names(names: tuple[str, ...]) -> re.Pattern[str] | None:
    forms = {form for name in names for form in (name.strip(), name.strip(" /").rsplit("/", 1)[-1])}
    words = [
        r"[-_\s]".join(re.escape(part) for part in re.split(r"[-_\s]+", form))
        for form in sorted(forms, key=lambda form: (-len(form), form))
        if len(form) >= _SHORTEST_NAME
    ]
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE) if words else None


def _own_statements(text: str) -> list[Span]:
    """The names in what a text says of itself, sentence by sentence."""
    spans = [match.span("name") for match in _MADE_ME.finditer(text)]
    at = 0
    while found := _SELF.search(text, at):
        end = _END.search(text, found.end(), found.end() + _SENTENCE)
        stop = end.start() if end else min(len(text), found.end() + _SENTENCE)
        statement = _statement(text, found, stop)
        spans += statement
        at = max(found.end(), statement[-1][1] if statement else 0)
    return spans


def _statement(text: str, found: re.Match[str], stop: int) -> list[Span]:
    """The names in the statement that begins with ``found`` and ends by ``stop``."""
    at = found.end()
    if found[0][0] in _HAN:
        head = _CHINESE.match(text, at, stop)
        return [m.span() for m in _named.finditer(text, at, min(stop, at + 60))] if head else []
    if found[0].lower().startswith("my ") and "name" not in found[0].lower():
        heads = [_MAKERS_ARE]
    else:
        heads = [_MAKER_MACHINE, _IS_NAMED, _MADE_BY, _IS_MACHINE, _IS_MADE]
    head = next((match for pattern in heads if (match := pattern.match(text, at, stop))), None)
    if head is None:
        return []
    named = "name" in head.re.groupindex
    if named and _ROLE.fullmatch(found[0]) and head.re is _IS_NAMED:
        if not _SPEAKS.search(text, head.end(), min(stop, head.end() + 40)):
            return []
        before = text[max(0, found.start() - 4) : found.start()].rstrip(" *_")
        if before and before[-1] not in ".!?,;:\n—–-(":
            return []  # "models as GPT-4"
    spans = [head.span("name")] if named else []
    at = head.end()
    while follows := _NEXT.match(text, at, stop):
        spans.append(follows.span("name"))
        at = follows.end()
    return spans
