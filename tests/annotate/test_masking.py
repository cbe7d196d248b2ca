"""What a completion says of its own author is masked; talk about the same names is not."""

import time

import pytest

from annotate.masking import MARK, mask_identity

LEAKS = [
    ("I am ChatGPT", "I am ▮▮▮"),
    ("i am chatgpt.", "i am ▮▮▮."),
    ("I'm Claude, made by Anthropic.", "I'm ▮▮▮, made by ▮▮▮."),
    ("Hello! I’m **DeepSeek-V3**, an AI by DeepSeek.", "Hello! I’m **▮▮▮**, an AI by ▮▮▮."),
    ("Hi, I'm Llama 3.1 8B Instruct by Meta AI", "Hi, I'm ▮▮▮ by ▮▮▮"),
    ("I am Gemini, a model by Google and DeepMind.", "I am ▮▮▮, a model by ▮▮▮ and ▮▮▮."),
    ("I am based on GPT-4.", "I am based on ▮▮▮."),
    ("I'm an OpenAI language model.", "I'm an ▮▮▮ language model."),
    ("My name is Qwen, created by Alibaba Cloud.", "My name is ▮▮▮, created by ▮▮▮."),
    ("Call me Grok.", "Call me ▮▮▮."),
    ("I was trained by Google.", "I was trained by ▮▮▮."),
    ("I am a large language model, trained by Google.", None),
    ("As an AI language model developed by OpenAI, I cannot.", None),
    ("As a language model trained by Mistral AI, I", "As a language model trained by ▮▮▮, I"),
    ("As Llama 3, I cannot do that.", "As ▮▮▮, I cannot do that."),
    ("I'm just a chatbot made by Meta.", None),
    ("OpenAI trained me to help.", "▮▮▮ trained me to help."),
    ("My creators at Anthropic want this.", "My creators at ▮▮▮ want this."),
    ("Ich bin ChatGPT, ein Sprachmodell von OpenAI.", "Ich bin ▮▮▮, ein Sprachmodell von ▮▮▮."),
    ("Ich wurde von OpenAI entwickelt.", "Ich wurde von ▮▮▮ entwickelt."),
    ("Als KI-Sprachmodell von OpenAI kann ich das nicht.", None),
    ("Mein Name ist Claude.", "Mein Name ist ▮▮▮."),
    ("Je suis Mistral, un modèle de langage créé par Mistral AI.", None),
    ("J'ai été développé par OpenAI.", "J'ai été développé par ▮▮▮."),
    ("Soy ChatGPT, un modelo de lenguaje creado por OpenAI.", None),
    ("Fui creado por Anthropic.", "Fui creado por ▮▮▮."),
    ("Me llamo Gemini.", "Me llamo ▮▮▮."),
    ("我是通义千问，由阿里云开发的语言模型。", "我是▮▮▮，由▮▮▮开发的语言模型。"),
    ("我是由OpenAI开发的ChatGPT。", "我是由▮▮▮开发的▮▮▮。"),
    ("作为OpenAI训练的语言模型，我不能。", "作为▮▮▮训练的语言模型，我不能。"),
]
NAMES = ("ChatGPT", "OpenAI", "Google", "Claude", "Anthropic", "Mistral", "Meta")


@pytest.mark.parametrize(("text", "masked"), LEAKS)
def test_a_text_that_says_who_wrote_it_is_masked(text: str, masked: str | None) -> None:
    shown, places = mask_identity(text)
    assert shown == (masked or shown)
    assert not any(name in shown for name in NAMES)
    assert places == shown.count(MARK) > 0


@pytest.mark.parametrize(
    "text",
    [
        "I am happy to explain how Google works.",
        "As an AI language model, I can tell you that Google was founded in 1998.",
        "As an AI, I think Android was developed by Google.",
        "Llamas live in Peru, and I am fond of llamas.",
        "Tools such as ChatGPT and Claude are popular.",
        "OpenAI released GPT-4 in 2023.",
        "models as GPT-4 are large; I like them",
        "I was hired by Google. I'm working at Meta.",
        "I am an AI researcher at Google.",
        "I'm using a language model from OpenAI.",
        "Known as Gemini, the constellation is bright; I'm a Gemini.",
        "I am a fan of Claude Monet.",
        "As Google grew, I watched. As Apple is a company, I like it.",
        "It was trained by Google.",
        "I was trained by my mother.",
        "我是谷歌的粉丝。我喜欢谷歌。",
        "Ich bin ein Fan von Google. Je suis allé chez Google. Soy fan de Google.",
        "I see ▮▮▮ already.",
    ],
)
def test_ordinary_talk_of_the_same_names_stays(text: str) -> None:
    assert mask_identity(text) == (text, 0)


@pytest.mark.parametrize(
    ("text", "masked", "places"),
    [
        ("Llama-3-8B and llama 3 8b rule", "▮▮▮ and ▮▮▮ rule", 2),
        ("meta-llama/Llama-3-8B!", "▮▮▮!", 1),
        ("my_model, not my_models or xmy-model", "▮▮▮, not my_models or xmy-model", 1),
        ("a (b+", "a (b+", 0),
    ],
)
def test_the_pools_own_names_are_masked_anywhere(text: str, masked: str, places: int) -> None:
    names = ("meta-llama/Llama-3-8B", "my-model", "b+", "")
    assert mask_identity(text, names) == (masked, places)


def test_a_name_that_both_rules_find_is_masked_once() -> None:
    assert mask_identity("I am Qwen2.5-7B.", ("Qwen/Qwen2.5-7B",)) == ("I am ▮▮▮.", 1)


@pytest.mark.parametrize(
    "part",
    [
        *(
            "I am ",
            "as an ",
            "I'm ChatGPT by ",
            "我是",
            "I was trained ",
            "just ",
            "I am large, ",
            "a",
        ),
        *(
            "OpenAI ",
            "by OpenAI ",
            "GPT-",
            "I am Claude, ",
            " ",
            "I am a very, very, ",
            "the team at ",
        ),
    ],
)
def test_no_text_makes_it_slow(part: str) -> None:
    text = (part * 100_000)[:100_000]
    started = time.process_time()
    mask_identity(text, ("a/b-c",))
    assert time.process_time() - started < 5  # 0.4 s alone; a quadratic search takes hours
