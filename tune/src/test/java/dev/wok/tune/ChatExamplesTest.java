package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.testkit.RecordingProgress;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;

class ChatExamplesTest {
    private static final TypeReference<List<Map<String, Object>>> MESSAGES = new TypeReference<>() {};

    @TempDir
    private Path folder;

    private final RecordingProgress progress = new RecordingProgress();

    private static Tokenizer tokenizer(String name) {
        return Tokenizer.load(
                ChatDataTest.resource("tokenizers/" + name + "/tokenizer.json").resolveSibling("."));
    }

    private Tokenizer tokenizer(String name, String template) throws IOException {
        Path from = ChatDataTest.resource("tokenizers/" + name + "/tokenizer.json");
        for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
            Files.copy(from.resolveSibling(file), folder.resolve(file));
        }
        Files.writeString(folder.resolve("chat_template.jinja"), template);
        return Tokenizer.load(folder);
    }

    private static Sample.Chat chat(String... turns) {
        List<Map<String, Object>> messages = new java.util.ArrayList<>();
        for (String turn : turns) {
            int colon = turn.indexOf(':');
            messages.add(Map.of("role", turn.substring(0, colon), "content", turn.substring(colon + 1)));
        }
        return new Sample.Chat(messages, List.of(), 0, null);
    }

    private List<Example> examples(ChatExamples encoder, Sample... samples) {
        List<Sample.Of<Sample>> all = new java.util.ArrayList<>();
        for (Sample sample : samples) {
            all.add(new Sample.Of<>("here", sample));
        }
        return encoder.examples(all, progress);
    }

    /// @return the text, with what is learnt in brackets
    private String marked(Tokenizer tokenizer, Sample sample) {
        Example example =
                examples(new ChatExamples(tokenizer, false, 4096, true), sample).getFirst();
        StringBuilder out = new StringBuilder();
        for (int from = 0, to; from < example.ids().length; from = to) {
            to = from + 1;
            while (to < example.ids().length && example.learn()[to] == example.learn()[from]) {
                to++;
            }
            String text = tokenizer.decode(java.util.Arrays.copyOfRange(example.ids(), from, to), false);
            out.append(example.learn()[from] ? "[" + text + "]" : text);
        }
        return out.toString();
    }

    /// What transformers takes for the assistant's tokens.
    @Test
    void masksAreThoseOfTransformers() throws IOException {
        Tokenizer tokenizer = tokenizer("qwen2_tiny", Files.readString(ChatDataTest.resource("data/generation.jinja")));
        JsonNode cases = Records.JSON.readTree(Files.readAllBytes(ChatDataTest.resource("data/masks.json")));
        assertTrue(cases.size() >= 3);
        for (JsonNode one : cases.values()) {
            Sample sample =
                    new Sample.Chat(Records.JSON.convertValue(one.path("messages"), MESSAGES), List.of(), 0, null);
            Example example = examples(new ChatExamples(tokenizer, false, 4096, true), sample)
                    .getFirst();
            assertArrayEquals(ints(one.path("ids")), example.ids());
            int[] mask = new int[example.learn().length];
            for (int i = 0; i < mask.length; i++) {
                mask[i] = example.learn()[i] ? 1 : 0;
            }
            assertArrayEquals(ints(one.path("mask")), mask);
        }
    }

    private static int[] ints(JsonNode array) {
        return array.values().stream().mapToInt(JsonNode::asInt).toArray();
    }

    @Test
    void generationBlocksHoldOnlyForAnswersAfterThePrompt() throws IOException {
        Tokenizer tokenizer = tokenizer("qwen2_tiny", Files.readString(ChatDataTest.resource("data/generation.jinja")));
        Sample.Chat whole = chat("user:a", "assistant:b", "user:c", "assistant:d");
        assertEquals(
                "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n"
                        + "<|im_start|>assistant\n[d<|im_end|>]\n",
                marked(tokenizer, new Sample.Chat(whole.messages(), List.of(), 3, null)));
    }

    @Test
    void answersInChatMl() {
        assertEquals(
                "<|im_start|>system\nBrief.<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
                        + "[4, é<|im_end|>]\n<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n[ yes\n<|im_end|>]\n",
                marked(
                        tokenizer("qwen2_tiny"),
                        chat("system:Brief.", "user:2+2?", "assistant:4, é", "user:", "assistant: yes\n")));
    }

    @Test
    void answersInLlamasStyle() {
        assertEquals(
                "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant"
                        + "<|end_header_id|>\n\n[Hello!<|eot_id|>]<|start_header_id|>user<|end_header_id|>\n\nMore<|eot_id|>"
                        + "<|start_header_id|>assistant<|end_header_id|>\n\n[No.<|eot_id|>]",
                marked(tokenizer("llama_tiny"), chat("user:Hi", "assistant:Hello!", "user:More", "assistant:No. ")));
    }

    /// The template asks with a tag, and writes neither it nor thoughts into answers.
    @Test
    void answersInDeepSeeksStyle() {
        Tokenizer tokenizer = tokenizer("deepseek_v3_tiny");
        assertEquals(
                "<｜begin▁of▁sentence｜>S<｜User｜>Hi<｜Assistant｜>[Hello<｜end▁of▁sentence｜>]<｜User｜>And<｜Assistant｜>"
                        + "[Bye<｜end▁of▁sentence｜>]",
                marked(tokenizer, chat("system:S", "user:Hi", "assistant:Hello", "user:And", "assistant:Bye")));
        assertEquals(
                "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜><think>\n[I see\n</think>\nHello<｜end▁of▁sentence｜>]",
                marked(tokenizer, chat("user:Hi", "assistant:<think>\nI see\n</think>\nHello")));
    }

    /// The beginning of an answer that the template asks with, and a turn that begins otherwise, may be
    /// alike up to a place within a token.
    @Test
    void aTokenThatATurnBeginsWithIsLearntWhole() throws IOException {
        Tokenizer tokenizer = tokenizer("qwen2_tiny", """
                {%- for m in messages -%}
                <|im_start|>{{ m.role }}{{ '\\n' }}{% if m.tool_calls %}<tool_call>{{ m.tool_calls[0].name }}{% else %}{{ m.content }}{% endif %}<|im_end|>
                {%- endfor -%}
                {%- if add_generation_prompt -%}<|im_start|>assistant{{ '\\n' }}<think>{{ '\\n' }}{%- endif -%}
                """);
        String asked = "<|im_start|>user\na<|im_end|><|im_start|>assistant\n";
        Sample.Chat call = new Sample.Chat(
                List.of(
                        Map.of("role", "user", "content", "a"),
                        Map.of("role", "assistant", "tool_calls", List.of(Map.of("name", "f")))),
                List.of(),
                0,
                null);
        assertEquals(asked + "[<tool_call>f<|im_end|>]", marked(tokenizer, call));
        assertEquals(asked + "[<tool_call>f<|im_end|>]", marked(tokenizer, chat("user:a", "assistant:<tool_call>f")));
        assertEquals(
                asked + "<think>\n[b</think>c<|im_end|>]",
                marked(tokenizer, chat("user:a", "assistant:<think>\nb</think>c")));
    }

    @Test
    void turnsThatAreRewrittenAreNotLearnt() {
        Tokenizer tokenizer = tokenizer("deepseek_v3_tiny");
        assertEquals(
                "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>Hello<｜end▁of▁sentence｜><｜User｜>And<｜Assistant｜>"
                        + "[Bye<｜end▁of▁sentence｜>]",
                marked(
                        tokenizer,
                        chat("user:Hi", "assistant:<think>\nI see\n</think>Hello", "user:And", "assistant:Bye")));
        assertEquals(
                List.of(
                        "1 of the assistant's turns are NOT LEARNT: the chat template rewrites them once the conversation goes on."),
                progress.lines());
    }

    @Test
    void messagesOfNoWeightAreNotLearnt() {
        Sample.Chat both = new Sample.Chat(
                List.of(
                        Map.of("role", "user", "content", "a"),
                        Map.of("role", "assistant", "content", "b", "weight", 0),
                        Map.of("role", "user", "content", "c"),
                        Map.of("role", "assistant", "content", "d", "weight", 1)),
                List.of(),
                0,
                null);
        assertTrue(marked(tokenizer("llama_tiny"), both).endsWith("\n\n[d<|eot_id|>]"));
        assertEquals(List.of(), progress.lines());
    }

    /// Arguments of calls are texts in data; this template makes JSON of them, DeepSeek's puts them
    /// between texts.
    @Test
    void callsAreLearnt() {
        Sample.Chat chat = new Sample.Chat(
                List.of(
                        Map.of("role", "user", "content", "?"),
                        Map.of(
                                "role",
                                "assistant",
                                "content",
                                java.util.Optional.empty(),
                                "tool_calls",
                                List.of(Map.of(
                                        "type",
                                        "function",
                                        "function",
                                        Map.of("name", "f", "arguments", "{\"x\": 1}")))),
                        Map.of("role", "tool", "content", "2"),
                        Map.of("role", "assistant", "content", "two")),
                List.of(),
                0,
                null);
        String qwen = marked(tokenizer("qwen2_tiny"), chat);
        assertTrue(
                qwen.contains("[<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call><|im_end|>]\n"),
                qwen);
        assertTrue(qwen.endsWith("<|im_start|>assistant\n[two<|im_end|>]\n"), qwen);
        String deepSeek = marked(tokenizer("deepseek_v3_tiny"), chat);
        assertTrue(deepSeek.contains("f\n```json\n{\"x\": 1}\n```"), deepSeek);
        assertTrue(deepSeek.endsWith("[two<｜end▁of▁sentence｜>]"), deepSeek);
    }

    @Test
    void textsWithoutATemplateEndWithTheEndToken() {
        Tokenizer tokenizer = TinyModel.tokenizer();
        Example example = examples(new ChatExamples(tokenizer, false, 64, true), new Sample.Plain("ab", "c1"))
                .getFirst();
        int bos = tokenizer.bosId().orElseThrow();
        int eos = tokenizer.eosId().orElseThrow();
        int[] prompt = tokenizer.encode("ab", true);
        assertEquals(bos, prompt[0]);
        assertEquals(eos, example.ids()[example.ids().length - 1]);
        for (int i = 0; i < example.learn().length; i++) {
            assertEquals(i >= prompt.length, example.learn()[i]);
        }
        Example all = examples(new ChatExamples(tokenizer, true, 64, true), new Sample.Plain("ab", "c1"))
                .getFirst();
        assertArrayEquals(example.ids(), all.ids());
        assertEquals(all.ids().length - 1, all.targets());
        BadInput refusal = assertThrows(
                BadInput.class, () -> examples(new ChatExamples(tokenizer, false, 64, true), chat("user:a")));
        assertEquals(
                "here: a conversation needs a model with a chat template; this one has none. Give prompt and completion.",
                refusal.getMessage());
    }

    @Test
    void whatIsTooLongIsCutOrDroppedAndSaid() {
        Tokenizer tokenizer = TinyModel.tokenizer();
        Sample first = new Sample.Plain("2222222", "4");
        Sample second = new Sample.Plain("1", "23456789");
        Sample third = new Sample.Plain("1", "2");
        List<Example> cut = examples(new ChatExamples(tokenizer, false, 6, true), first, second, third);
        assertEquals(List.of(6, 4), cut.stream().map(e -> e.ids().length).toList());
        assertEquals(
                List.of(
                        "2 texts are longer than sequence_length 6 and were cut.",
                        "1 texts have no answer within sequence_length 6 and were dropped."),
                progress.lines());
        List<Example> kept = examples(new ChatExamples(tokenizer, false, 6, false), first, second, third);
        assertEquals(1, kept.size());
        assertEquals(
                "2 texts are longer than sequence_length 6 and were dropped.",
                progress.lines().getLast());
        BadInput none =
                assertThrows(BadInput.class, () -> examples(new ChatExamples(tokenizer, false, 6, false), first));
        assertEquals(
                "none of the 1 records has anything to learn within sequence_length 6; raise it, or look at the data.",
                none.getMessage());
    }

    @Test
    void aConversationThatTheTemplateRefusesIsNamed() throws IOException {
        Tokenizer tokenizer = tokenizer("qwen2_tiny", "{{ raise_exception('only users') }}");
        BadInput refusal = assertThrows(
                BadInput.class, () -> examples(new ChatExamples(tokenizer, false, 64, true), chat("assistant:a")));
        assertTrue(
                String.valueOf(refusal.getMessage()).startsWith("here: the chat template of "), refusal.getMessage());
        assertTrue(String.valueOf(refusal.getMessage()).endsWith("refuses this conversation: only users"));
    }
}
