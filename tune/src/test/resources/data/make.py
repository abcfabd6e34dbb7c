"""Writes what stands beside it: Parquet files as the Hub stores data sets (pyarrow), and masks.json, the tokens that
transformers takes for the assistant's by a template with generation blocks.

    python make.py      # pyarrow 25, transformers 5.18
"""
import json, os
import pyarrow as pa, pyarrow.parquet as pq
from transformers import AutoTokenizer

here = os.path.dirname(os.path.abspath(__file__))

call = pa.struct([("type", pa.string()), ("function", pa.struct([("name", pa.string()), ("arguments", pa.string())]))])
message = pa.struct([("role", pa.string()), ("content", pa.string()), ("tool_calls", pa.list_(call))])
chats = [
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Grüße 👋?"},
                  {"role": "assistant", "content": "Hallo."}], "source": "a"},
    {"messages": [{"role": "user", "content": "2+2"}, {"role": "assistant", "content": "4"},
                  {"role": "user", "content": "and 3"}, {"role": "assistant", "content": "7"}], "source": None},
    {"messages": [{"role": "user", "content": "weather?"},
                  {"role": "assistant", "content": None, "tool_calls": [
                      {"type": "function", "function": {"name": "look", "arguments": "{\"city\": \"Ulm\"}"}}]},
                  {"role": "tool", "content": "sun"}, {"role": "assistant", "content": "Sun."}], "source": "c"}]
table = pa.Table.from_pylist(chats, schema=pa.schema([("messages", pa.list_(message)), ("source", pa.string())]))
pq.write_table(table, here + "/chats-zstd.parquet", compression="zstd")

turn = pa.struct([("role", pa.string()), ("content", pa.string())])
pairs = [{"prompt": f"Say A{i}", "score": i / 2,
          "chosen": [{"role": "user", "content": f"Say A{i}"}, {"role": "assistant", "content": f"A{i}"}],
          "rejected": [{"role": "user", "content": f"Say A{i}"}, {"role": "assistant", "content": "B"}]}
         for i in range(40)]
schema = pa.schema([("prompt", pa.string()), ("chosen", pa.list_(turn)), ("rejected", pa.list_(turn)),
                    ("score", pa.float64())])
table = pa.Table.from_pylist(pairs, schema=schema)
pq.write_table(table, here + "/pairs-snappy.parquet", compression="snappy", row_group_size=16)
pq.write_table(table.slice(0, 3), here + "/pairs-gzip.parquet", compression="gzip")

template = open(here + "/generation.jinja", encoding="utf-8").read()
tokenizer = AutoTokenizer.from_pretrained(here + "/../tokenizers/qwen2_tiny")
conversations = [
    [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello, you!"}],
    [{"role": "system", "content": "Answer in French."}, {"role": "user", "content": "  two\n\nlines "},
     {"role": "assistant", "content": "deux\nlignes"}, {"role": "user", "content": "naïve 👩‍🔬 日本語"},
     {"role": "assistant", "content": " 日本語 👩‍🔬<|im_end|> é "}, {"role": "user", "content": ""},
     {"role": "assistant", "content": "x"}],
    [{"role": "user", "content": "e\u0301toile, A\u030a"}, {"role": "assistant", "content": "e\u0301toile A\u030a"}]]
cases = []
for messages in conversations:
    made = tokenizer.apply_chat_template(
        messages, chat_template=template, return_assistant_tokens_mask=True, return_dict=True)
    cases.append({"messages": messages, "ids": made["input_ids"], "mask": made["assistant_masks"]})
with open(here + "/masks.json", "w", encoding="utf-8") as out:
    json.dump(cases, out, ensure_ascii=True)
