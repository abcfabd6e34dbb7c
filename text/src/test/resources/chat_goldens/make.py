"""Writes goldens.json: what transformers' apply_chat_template makes of conversations with the templates beside this.

The templates do what those of the models do (DeepSeek V3, R1, V3.1, Qwen2.5, Qwen3, Llama 3, Llama 3.1) in words of
their own. Run: python make.py, with transformers installed.
"""

import copy
import json
import pathlib

import jinja2
from transformers import __version__
from transformers.utils.chat_template_utils import render_jinja_template

HERE = pathlib.Path(__file__).parent
DEEPSEEK = {"bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "<｜end▁of▁sentence｜>"}
QWEN = {"eos_token": "<|im_end|>"}
LLAMA = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}

# name: special tokens, whether arguments are text, variables to try
FAMILIES = {
    "deepseek_v3": (DEEPSEEK, True, [{}]),
    "deepseek_r1": (DEEPSEEK, True, [{}]),
    "deepseek_v31": (DEEPSEEK, True, [{}, {"thinking": True}, {"thinking": False}]),
    "qwen2_5": (QWEN, False, [{}]),
    "qwen3": (QWEN, False, [{}, {"enable_thinking": False}, {"enable_thinking": True}]),
    "llama3": (LLAMA, False, [{}]),
    "llama3_1": (
        LLAMA,
        False,
        [{}, {"date_string": "5 Mar 2026", "tools_in_user_message": False}, {"builtin_tools": ["get", "code_interpreter"]}],
    ),
}

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "What the weather is. \"Now\", <b>not</b> then & there; 天気",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "such as São Paulo"},
                "days": {"type": "integer", "minimum": 1, "default": 3},
                "exact": {"type": ["boolean", "null"]},
                "bounds": {"type": "array", "items": {"type": "number", "maximum": 1e-7}},
            },
            "required": ["city"],
        },
    },
}
GET = {"type": "function", "function": {"name": "get", "parameters": {"type": "object", "properties": {}}}}


def call(number, name, arguments):
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def said(role, content, **more):
    return {"role": role, "content": content, **more}


def result(number, content):
    return said("tool", content, tool_call_id=f"call_{number}")


PARIS = {"city": "Paris", "days": 2}
ODD = {"city": "São \"P\"\n'a'", "list": [1, 2.5, -0.0, 1e20, None, True], "deep": {"日": {}}, "empty": []}
ASKED = [said("user", "Weather in Paris?")]
CALLED = [*ASKED, said("assistant", None, tool_calls=[call(0, "get_weather", PARIS)])]
ANSWERED = [*CALLED, result(0, '{"c": 21}')]
TWICE = [
    *ASKED,
    said("assistant", None, tool_calls=[call(0, "get_weather", ODD), call(1, "get", {})]),
    result(0, "rain"),
    result(1, "été 😀"),
]
THOUGHT = [
    said("user", "2 + 2?"),
    said("assistant", "<think>\nTwo and\n\ntwo.\n</think>\n\n4."),
    said("user", "And 3 + 3?"),
]

# name: messages, tools, add_generation_prompt, whether the last message is continued
CONVERSATIONS = {
    "plain": ([said("user", "Hello!")], None, True, False),
    "no prompt": ([said("user", "Hello!")], None, False, False),
    "system": ([said("system", "Be brief."), said("user", "Hello!")], None, True, False),
    "two systems": (
        [said("system", "Be brief."), said("user", "a"), said("system", "Be kind."), said("user", "b")],
        None,
        True,
        False,
    ),
    "turns": (
        [
            said("system", "Be brief."),
            said("user", "Hello!"),
            said("assistant", "Hi."),
            said("user", "Who are you?"),
            said("assistant", "A model."),
            said("user", "Good."),
        ],
        None,
        True,
        False,
    ),
    "ends with an answer": ([said("user", "Hello!"), said("assistant", "Hi.")], None, False, False),
    "unicode": ([said("system", "日本語で。"), said("user", "e\u0301té 😀👩‍👩‍👧 ｜▁ \u00a0 {{ x }} {% y %} <b>&amp;</b>")], None, True, False),
    "blank": ([said("system", ""), said("user", ""), said("assistant", ""), said("user", "  a \n\n")], None, True, False),
    "thought": (THOUGHT, None, True, False),
    "thought apart": (
        [THOUGHT[0], said("assistant", "4.", reasoning_content="Two and two."), THOUGHT[2]],
        None,
        True,
        False,
    ),
    "thought, then a call": (
        [
            *ASKED,
            said("assistant", "", reasoning_content="\nI ask.\n", tool_calls=[call(0, "get_weather", PARIS)]),
            result(0, "sun"),
        ],
        [WEATHER],
        True,
        False,
    ),
    "tools": (ASKED, [WEATHER, GET], True, False),
    "tools and system": ([said("system", " Be brief. "), *ASKED], [GET], True, False),
    "called": (CALLED, [WEATHER], False, False),
    "answered": (ANSWERED, [WEATHER], True, False),
    "answered and said": ([*ANSWERED, said("assistant", "21 degrees."), said("user", "Thanks!")], [WEATHER], True, False),
    "two calls": (TWICE, [WEATHER, GET], True, False),
    "two calls and said": ([*TWICE, said("assistant", "It rains."), said("user", "Oh.")], None, True, False),
    "words and a call": (
        [*ASKED, said("assistant", "I look.", tool_calls=[call(0, "get", ODD)]), result(0, "")],
        [GET],
        True,
        False,
    ),
    "begun": ([said("user", "Count!"), said("assistant", "1, 2,")], None, False, True),
    "begun, a blank last": ([said("user", "Count!"), said("assistant", "1, 2, ")], None, False, True),
    "begun with nothing": ([said("user", "Count!"), said("assistant", "")], None, False, True),
    "begun after a thought": (
        [said("user", "Count!"), said("assistant", "1,", reasoning_content="One by one.", prefix=True)],
        None,
        False,
        True,
    ),
    "begun amid a thought": ([said("user", "Count!"), said("assistant", "Hm, ", prefix=True)], None, False, True),
}


def with_text_arguments(messages):
    messages = copy.deepcopy(messages)
    for message in messages:
        for one in message.get("tool_calls", []):
            one["function"]["arguments"] = json.dumps(one["function"]["arguments"], ensure_ascii=False)
    return messages


def main():
    conversations = {"objects": {}, "texts": {}}
    for name, (messages, tools, prompt, begun) in CONVERSATIONS.items():
        for form, given in (("objects", messages), ("texts", with_text_arguments(messages))):
            conversations[form][name] = {"messages": given, "tools": tools, "prompt": prompt, "begun": begun}
    cases = []
    for family, (tokens, text_arguments, variables) in FAMILIES.items():
        template = (HERE / f"{family}.jinja").read_text(encoding="utf-8")
        form = "texts" if text_arguments else "objects"
        for name, conversation in conversations[form].items():
            for more in variables:
                case = {"family": family, "form": form, "name": name, "variables": more}
                try:
                    texts, _ = render_jinja_template(
                        [copy.deepcopy(conversation["messages"])],
                        tools=conversation["tools"],
                        chat_template=template,
                        continue_final_message=conversation["begun"],
                        add_generation_prompt=conversation["prompt"],
                        **tokens,
                        **more,
                    )
                    case["text"] = texts[0]
                except (jinja2.exceptions.TemplateError, TypeError, ValueError) as e:
                    case["refused"] = str(e).split("\n")[0]
                if not any(case | {"variables": old["variables"]} == old for old in cases):
                    cases.append(case)
    families = {name: tokens for name, (tokens, _, _) in FAMILIES.items()}
    header = {"made with": f"transformers {__version__}", "families": families, "conversations": conversations}
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    text = json.dumps(header, ensure_ascii=False)[:-1] + ',\n"cases": [\n' + lines + "\n]}\n"
    (HERE / "goldens.json").write_text(text, encoding="utf-8")
    print(len(cases), "cases,", sum("refused" in case for case in cases), "refused")


main()
