"""OpenAI's client for Python against a server with two parrots; WOK_URL and WOK_KEY say where. The key has three texts."""

import json
import os
import unittest

import openai

HELLO = "Hello! I am a parrot 🦜, grüße aus Köln."
MODELS = ["qwen", "deepseek"]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PERSON = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "born": {"type": "integer"}},
            "required": ["name", "born"],
            "additionalProperties": False,
        },
    },
}


def client(key):
    return openai.OpenAI(base_url=os.environ["WOK_URL"], api_key=key, max_retries=0)


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.client = client(os.environ["WOK_KEY"])
        self.addCleanup(self.client.close)

    def ask(self, model, question, **more):
        given = {"temperature": 0, "max_completion_tokens": 200, **more}
        messages = given.pop("messages", [{"role": "user", "content": question}])
        return self.client.chat.completions.create(model=model, messages=messages, **given)

    def test_answers(self):
        for model in MODELS:
            with self.subTest(model):
                completion = self.ask(model, "Hello!")
                self.assertEqual(HELLO, completion.choices[0].message.content)
                self.assertEqual("stop", completion.choices[0].finish_reason)

    def test_streams(self):
        for model in MODELS:
            with self.subTest(model):
                chunks = list(self.ask(model, "Hello!", stream=True, stream_options={"include_usage": True}))
                text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
                self.assertEqual(HELLO, text)
                self.assertGreater(chunks[-1].usage.completion_tokens, 10)

    def test_calls_tools_and_reads_what_they_found(self):
        for model in MODELS:
            with self.subTest(model):
                messages = [{"role": "user", "content": "What is the weather in Paris?"}]
                first = self.ask(model, "", messages=messages, tools=[WEATHER]).choices[0]
                call = first.message.tool_calls[0]
                self.assertEqual("tool_calls", first.finish_reason)
                self.assertEqual({"city": "Paris"}, json.loads(call.function.arguments))
                messages += [first.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"}]
                second = self.ask(model, "", messages=messages, tools=[WEATHER]).choices[0]
                self.assertEqual("It is sunny in Paris, 21 degrees.", second.message.content)

    def test_streams_tool_calls(self):
        for model in MODELS:
            with self.subTest(model):
                calls = {}
                question = "What is the weather in Paris and in Rome?"
                for chunk in self.ask(model, question, tools=[WEATHER], stream=True):
                    for choice in chunk.choices:
                        for call in choice.delta.tool_calls or []:
                            calls[call.index] = calls.get(call.index, "") + (call.function.arguments or "")
                cities = [json.loads(calls[index])["city"] for index in sorted(calls)]
                self.assertEqual(["Paris", "Rome"], cities)

    def test_holds_answers_to_a_schema(self):
        for model in MODELS:
            with self.subTest(model):
                completion = self.ask(model, "Who was Ada? Answer in JSON.", response_format=PERSON)
                self.assertEqual({"name": "Ada", "born": 1815}, json.loads(completion.choices[0].message.content))

    def test_thinks_before_it_answers(self):
        for model in MODELS:
            with self.subTest(model):
                message = self.ask(model, "What is 6 times 7?").choices[0].message
                self.assertEqual("Six sevens are forty-two.", message.reasoning_content)
                self.assertEqual("It is 42.", message.content)

    def test_speaks_the_responses_form(self):
        for model in MODELS:
            with self.subTest(model):
                response = self.client.responses.create(
                    model=model, input="What is 6 times 7?", temperature=0, max_output_tokens=100
                )
                self.assertEqual("It is 42.", response.output_text)

    def test_gives_log_probabilities_of_several_answers(self):
        completion = self.ask("qwen", "Hello!", logprobs=True, top_logprobs=2, n=2)
        self.assertEqual(2, len(completion.choices))
        for choice in completion.choices:
            text = b"".join(bytes(token.bytes) for token in choice.logprobs.content)
            self.assertEqual(HELLO, text.decode())

    def test_embeds(self):
        vectors = self.client.embeddings.create(model="qwen", input=["Hello!", "Köln"]).data
        self.assertAlmostEqual(1, sum(x * x for x in vectors[1].embedding), 4)

    def test_can_be_cancelled(self):
        with self.ask("qwen", "Sing!", max_completion_tokens=50000, stream=True) as stream:
            for _, _ in zip(range(10), stream):
                pass

    def test_refuses_with_the_clients_exceptions(self):
        stranger = client("wok-stranger")
        self.addCleanup(stranger.close)
        with self.assertRaises(openai.AuthenticationError):
            stranger.models.list()
        with self.assertRaises(openai.NotFoundError) as unknown:
            self.ask("gpt-5", "Hello!")
        self.assertEqual("model_not_found", unknown.exception.code)
        with self.assertRaises(openai.BadRequestError) as wrong:
            self.ask("qwen", "Hello!", temperature=7)
        self.assertEqual("temperature", wrong.exception.param)
        with self.assertRaises(openai.RateLimitError) as busy:
            self.ask("qwen", "Hello!", n=4)
        self.assertGreaterEqual(int(busy.exception.response.headers["retry-after"]), 1)


if __name__ == "__main__":
    unittest.main()
