// OpenAI's client for Node against a server with two parrots; WOK_URL and WOK_KEY say where. The key has three texts.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const HELLO = "Hello! I am a parrot 🦜, grüße aus Köln.";
const baseURL = process.env.WOK_URL;
const client = new OpenAI({ baseURL, apiKey: process.env.WOK_KEY, maxRetries: 0 });
const models = ["qwen", "deepseek"];
const ask = (model, content) => ({
  model,
  temperature: 0,
  max_completion_tokens: 200,
  messages: [{ role: "user", content }],
});
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather in a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];
const schema = {
  type: "json_schema",
  json_schema: {
    name: "person",
    strict: true,
    schema: {
      type: "object",
      properties: { name: { type: "string" }, born: { type: "integer" } },
      required: ["name", "born"],
      additionalProperties: false,
    },
  },
};

for (const model of models) {
  test(`${model} answers`, async () => {
    const completion = await client.chat.completions.create(ask(model, "Hello!"));
    assert.equal(completion.choices[0].message.content, HELLO);
    assert.equal(completion.choices[0].finish_reason, "stop");
    assert.ok(completion.usage.completion_tokens > 10);
  });

  test(`${model} streams`, async () => {
    const stream = client.chat.completions.stream({
      ...ask(model, "Hello!"),
      stream_options: { include_usage: true },
    });
    const pieces = [];
    stream.on("content", (piece) => pieces.push(piece));
    const completion = await stream.finalChatCompletion();
    assert.equal(completion.choices[0].message.content, HELLO);
    assert.equal(pieces.join(""), HELLO);
    assert.ok(pieces.length > 5);
    assert.ok((await stream.totalUsage()).completion_tokens > 10);
  });

  test(`${model} calls tools and reads what they found`, async () => {
    const asked = ask(model, "What is the weather in Paris?");
    const first = await client.chat.completions.create({ ...asked, tools });
    const [call] = first.choices[0].message.tool_calls;
    assert.equal(first.choices[0].finish_reason, "tool_calls");
    assert.equal(call.function.name, "get_weather");
    assert.deepEqual(JSON.parse(call.function.arguments), { city: "Paris" });
    asked.messages.push(first.choices[0].message, {
      role: "tool",
      tool_call_id: call.id,
      content: "sunny, 21 degrees",
    });
    const second = await client.chat.completions.create({ ...asked, tools });
    assert.equal(second.choices[0].message.content, "It is sunny in Paris, 21 degrees.");
  });

  test(`${model} streams tool calls`, async () => {
    const stream = client.chat.completions.stream({
      ...ask(model, "What is the weather in Paris and in Rome?"),
      tools,
    });
    const completion = await stream.finalChatCompletion();
    assert.deepEqual(
      completion.choices[0].message.tool_calls.map((call) => JSON.parse(call.function.arguments)),
      [{ city: "Paris" }, { city: "Rome" }],
    );
  });

  test(`${model} holds answers to a schema`, async () => {
    const completion = await client.chat.completions.create({
      ...ask(model, "Who was Ada? Answer in JSON."),
      response_format: schema,
    });
    assert.deepEqual(JSON.parse(completion.choices[0].message.content), { name: "Ada", born: 1815 });
  });

  test(`${model} thinks before it answers`, async () => {
    const whole = await client.chat.completions.create(ask(model, "What is 6 times 7?"));
    assert.equal(whole.choices[0].message.reasoning_content, "Six sevens are forty-two.");
    assert.equal(whole.choices[0].message.content, "It is 42.");
    let thought = "";
    let text = "";
    const stream = await client.chat.completions.create({ ...ask(model, "What is 6 times 7?"), stream: true });
    for await (const chunk of stream) {
      for (const { delta } of chunk.choices) {
        thought += delta.reasoning_content ?? "";
        assert.ok(!delta.reasoning_content || text === "", "a thought after the answer began");
        text += delta.content ?? "";
      }
    }
    assert.equal(thought, "Six sevens are forty-two.");
    assert.equal(text, "It is 42.");
  });

  test(`${model} speaks the Responses form`, async () => {
    const request = { model, input: "What is 6 times 7?", temperature: 0, max_output_tokens: 100 };
    const response = await client.responses.create(request);
    assert.equal(response.output_text, "It is 42.");
    const streamed = await client.responses.stream(request).finalResponse();
    assert.equal(streamed.output_text, "It is 42.");
  });
}

test("gives log-probabilities", async () => {
  const completion = await client.chat.completions.create({
    ...ask("qwen", "Hello!"),
    logprobs: true,
    top_logprobs: 2,
  });
  const tokens = completion.choices[0].logprobs.content;
  assert.equal(Buffer.from(tokens.flatMap((token) => token.bytes)).toString("utf8"), HELLO);
  assert.ok(tokens.every((token) => token.logprob <= 0 && token.top_logprobs.length === 2));
});

test("gives several answers", async () => {
  const completion = await client.chat.completions.create({ ...ask("qwen", "Hello!"), n: 3 });
  assert.deepEqual(
    completion.choices.map((choice) => choice.message.content),
    [HELLO, HELLO, HELLO],
  );
});

test("embeds", async () => {
  const embeddings = await client.embeddings.create({ model: "qwen", input: ["Hello!", "Köln"] });
  const length = embeddings.data[1].embedding.reduce((sum, x) => sum + x * x, 0);
  assert.ok(Math.abs(length - 1) < 1e-4);
});

test("lists models", async () => {
  const names = [];
  for await (const model of client.models.list()) {
    names.push(model.id);
  }
  assert.deepEqual(names, models);
});

test("can be cancelled", async () => {
  const stream = await client.chat.completions.create({
    ...ask("qwen", "Sing!"),
    max_completion_tokens: 50000,
    stream: true,
  });
  let chunks = 0;
  for await (const _ of stream) {
    if (++chunks === 10) {
      break;
    }
  }
  assert.equal(chunks, 10);
});

test("refuses with the client's exceptions", async () => {
  const stranger = new OpenAI({ baseURL, apiKey: "wok-stranger", maxRetries: 0 });
  await assert.rejects(() => stranger.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(
    () => client.chat.completions.create(ask("gpt-5", "Hello!")),
    (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found",
  );
  await assert.rejects(
    () => client.chat.completions.create({ ...ask("qwen", "Hello!"), temperature: 7 }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature",
  );
  await assert.rejects(
    () => client.chat.completions.create({ ...ask("qwen", "Hello!"), n: 4 }),
    (error) => error instanceof OpenAI.RateLimitError && Number(error.headers.get("retry-after")) >= 1,
  );
});
