package dev.wok.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Conversations.Thinking;
import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

class ConversationsTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final TypeReference<Map<String, Object>> VARIABLES = new TypeReference<>() {};
    private static final Tool GET = new Tool("get", "", "{\"properties\": {}}");
    private static final ChatOptions USUAL = ChatOptions.defaults();

    private static final Map<String, String> TOKENIZERS = Map.of(
            "deepseek_v3", "deepseek_v3_tiny",
            "deepseek_r1", "deepseek_v3_tiny",
            "deepseek_v31", "deepseek_v3_tiny",
            "qwen2_5", "qwen2_tiny",
            "qwen3", "qwen2_tiny",
            "llama3", "llama_tiny",
            "llama3_1", "llama_tiny");

    @TempDir
    static Path temporary;

    private static final Map<String, Conversations> MADE = new HashMap<>();

    private static Conversations conversations(String family) throws IOException {
        Conversations made = MADE.get(family);
        if (made == null) {
            Tokenizer tokenizer = Tokenizer.load(
                    Tiny.talking(temporary.resolve(family), String.valueOf(TOKENIZERS.get(family)), family));
            made = new Conversations(tokenizer, tokenizer.chatTemplate().orElseThrow());
            MADE.put(family, made);
        }
        return made;
    }

    /// Messages as programs write them come out as transformers writes them, with arguments in each
    /// template's form.
    @Test
    void messagesAreWrittenAsTransformersWritesThem() throws IOException {
        JsonNode goldens = JSON.readTree(Path.of("../text/src/test/resources/chat_goldens/goldens.json"));
        int written = 0;
        for (JsonNode golden : goldens.path("cases").values()) {
            String family = golden.path("family").asString();
            JsonNode conversation = goldens.path("conversations")
                    .path(golden.path("form").asString())
                    .path(golden.path("name").asString());
            boolean begun = conversation.path("begun").asBoolean();
            boolean told = conversation.path("tools").isNull()
                    || conversations(family).dialect().declaresTools();
            // A message that is begun is a prefix here, which V3.1 writes in another way where it thinks, and
            // its thoughts are written whatever the template does.
            JsonNode last = conversation.path("messages").path(1);
            boolean otherwise = begun
                    && (family.equals("deepseek_v31") && !last.has("prefix")
                            || !family.equals("qwen3") && last.has("reasoning_content"));
            if (!golden.has("text") || !begun && !conversation.path("prompt").asBoolean() || !told || otherwise) {
                continue;
            }
            ChatOptions options = USUAL.withTools(tools(conversation.path("tools")))
                    .withContinuesLast(begun)
                    .withTemplateVariables(JSON.convertValue(golden.path("variables"), VARIABLES));
            assertEquals(
                    golden.path("text").asString(),
                    conversations(family)
                            .prompt(messages(conversation.path("messages")), options)
                            .text(),
                    () -> family + ": " + golden.path("name").asString());
            written++;
        }
        assertTrue(written > 160, written + " written");
    }

    private static List<Tool> tools(JsonNode declared) {
        List<Tool> tools = new ArrayList<>();
        for (JsonNode tool : declared.values()) {
            JsonNode function = tool.path("function");
            tools.add(new Tool(
                    function.path("name").asString(),
                    function.path("description").asString(""),
                    function.path("parameters").toString()));
        }
        return tools;
    }

    private static List<Message> messages(JsonNode given) {
        List<Message> messages = new ArrayList<>();
        for (JsonNode one : given.values()) {
            List<ToolCall> calls = new ArrayList<>();
            for (JsonNode call : one.path("tool_calls").values()) {
                JsonNode function = call.path("function");
                JsonNode arguments = function.path("arguments");
                calls.add(new ToolCall(
                        call.path("id").asString(),
                        function.path("name").asString(),
                        arguments.isString() ? arguments.asString() : arguments.toString()));
            }
            messages.add(new Message(
                    one.path("role").asString(),
                    one.path("content").asString(""),
                    one.has("reasoning_content")
                            ? Optional.of(one.path("reasoning_content").asString())
                            : Optional.empty(),
                    calls,
                    one.has("tool_call_id")
                            ? Optional.of(one.path("tool_call_id").asString())
                            : Optional.empty(),
                    Optional.empty()));
        }
        return messages;
    }

    @ParameterizedTest
    @CsvSource(textBlock = """
            deepseek_v3, DeepSeek[fenced=true], false
            deepseek_r1, DeepSeek[fenced=true], false
            deepseek_v31, DeepSeek[fenced=false], true
            qwen2_5, Hermes[], true
            qwen3, Hermes[], true
            llama3, , false
            llama3_1, Bare[], true
            """)
    void familiesAreToldByTheirTemplates(String family, String format, boolean declares) throws IOException {
        Dialect dialect = conversations(family).dialect();
        assertEquals(Optional.ofNullable(format), dialect.calls().map(Object::toString));
        assertEquals(declares, dialect.declaresTools());
        assertEquals(!family.startsWith("llama"), dialect.thoughts().isPresent());
    }

    @ParameterizedTest
    @CsvSource(textBlock = """
            deepseek_v3, , POSSIBLE, <｜Assistant｜>
            deepseek_r1, , BEGUN, <｜Assistant｜><think>\\n
            deepseek_r1, true, BEGUN, <｜Assistant｜><think>\\n
            deepseek_r1, false, NONE, <｜Assistant｜><think>\\n\\n</think>\\n\\n
            deepseek_v31, , NONE, <｜Assistant｜></think>
            deepseek_v31, true, BEGUN, <｜Assistant｜><think>
            qwen3, , POSSIBLE, <|im_start|>assistant\\n
            qwen3, false, NONE, <|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n
            llama3, true, NONE, assistant<|end_header_id|>\\n\\n
            """)
    void thoughtsBeginAsTemplatesSay(String family, Boolean thinking, Thinking expected, String end)
            throws IOException {
        ChatOptions options = thinking == null ? USUAL : USUAL.withThinking(thinking);
        Conversations.Prompt prompt = conversations(family).prompt(List.of(Message.user("Hi")), options);
        assertEquals(expected, prompt.thinking());
        assertTrue(prompt.text().endsWith(end.replace("\\n", "\n")), prompt.text());
    }

    @Test
    void anAnswerGoesOnAmidThoughtsOrAfter() throws IOException {
        ChatOptions goesOn = USUAL.withContinuesLast(true);
        List<Message> after =
                List.of(Message.user("<think>?"), Message.assistant("So").withReasoning("Hm."));
        assertEquals(Thinking.NONE, conversations("qwen3").prompt(after, goesOn).thinking());
        List<Message> amid = List.of(Message.user("</think>?"), Message.assistant("<think>\nSo"));
        assertEquals(
                Thinking.BEGUN,
                conversations("deepseek_v3").prompt(amid, goesOn).thinking());
        List<Message> prefix = List.of(Message.user("?"), Message.assistant("So"));
        assertEquals(
                Thinking.BEGUN,
                conversations("deepseek_v31")
                        .prompt(prefix, goesOn.withThinking(true))
                        .thinking());
    }

    /// They stand there whether the template would write them or not.
    @ParameterizedTest
    @CsvSource(delimiter = '!', textBlock = """
            deepseek_r1  ! false ! <｜Assistant｜><think>\\nHm.\\n</think>\\n\\nSo
            deepseek_v31 ! false ! <｜Assistant｜><think>\\nHm.\\n</think>\\n\\nSo
            deepseek_v31 ! true  ! <｜Assistant｜><think>\\nHm.\\n</think>\\n\\nSo
            qwen3        ! true  ! <|im_start|>assistant\\n<think>\\nHm.\\n</think>\\n\\nSo
            """)
    void anAnswerGoesOnAfterThoughtsThatAreGiven(String family, boolean thinking, String end) throws IOException {
        List<Message> begun =
                List.of(Message.user("Hm. So?"), Message.assistant("So").withReasoning("Hm."));
        Conversations.Prompt prompt = conversations(family)
                .prompt(begun, USUAL.withContinuesLast(true).withThinking(thinking));
        assertTrue(prompt.text().endsWith(end.replace("\\n", "\n")), prompt.text());
        assertEquals(Thinking.NONE, prompt.thinking());
    }

    @Test
    void thoughtsThatNoTemplateKnowsAreRefused() throws IOException {
        List<Message> begun = List.of(Message.user("?"), Message.assistant("So").withReasoning("Hm."));
        Conversations llama = conversations("llama3");
        assertEquals(
                "the last message has thoughts, of which the model's chat template knows nothing; leave them out.",
                Thrown.message(BadInput.class, () -> llama.prompt(begun, USUAL.withContinuesLast(true))));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '!', textBlock = """
            {{ m.role + m.content }}{% if c %}{{ c.arguments | tojson }}{% endif %} ! assistant{"a": 1}
            {{ m.role + m.content }}{% if c %}{{ c.arguments + '' }}{% endif %}     ! assistant{"a":1}
            {% if c and m.content is none %}{{ c.arguments + '' }}{% endif %}       ! {"a":1}
            {{ m.content }}{% if c %}{{ c.arguments }}{% endif %}                   ! None{"a":1}
            {% if c %}{{ c.arguments | items | list }}{% endif %}                   ! [('a', 1)]
            """)
    void callsAreHandedOverInTheFormThatATemplateTakes(String body, String written) throws IOException {
        Path folder = Tiny.talking(temporary.resolve("form" + body.hashCode()), "qwen2_tiny", "qwen3");
        Files.writeString(folder.resolve("chat_template.jinja"), """
                {%%- for m in messages if m.role == 'assistant' %%}
                {%%- set c = m.tool_calls[0].function if m.tool_calls else none %%}%s
                {%%- endfor %%}""".formatted(body.strip()));
        Tokenizer tokenizer = Tokenizer.load(folder);
        Conversations conversations =
                new Conversations(tokenizer, tokenizer.chatTemplate().orElseThrow());
        Message call = Message.assistant("").withToolCalls(List.of(new ToolCall("1", "get", "{\"a\":1}")));
        assertEquals(
                written.strip(),
                conversations
                        .prompt(List.of(Message.user("Hi"), call), USUAL)
                        .text()
                        .strip());
    }

    /// DeepSeek's own templates write calls, but not what tools there are.
    @Test
    void toolsAreDeclaredWhereATemplateWouldNot() throws IOException {
        ChatOptions options = USUAL.withTools(List.of(GET));
        String told = "# Tools\n\nYou may call these tools:\n"
                + "{\"type\":\"function\",\"function\":{\"name\":\"get\",\"parameters\":{\"properties\":{}}}}\n\n"
                + "A call is written like this:\n"
                + "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME\n```json\nOBJECT\n```"
                + "<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
        Conversations v3 = conversations("deepseek_v3");
        assertEquals(
                "<｜begin▁of▁sentence｜>" + told + "<｜User｜>Hi<｜Assistant｜>",
                v3.prompt(List.of(Message.user("Hi")), options).text());
        assertEquals(
                "<｜begin▁of▁sentence｜>Be brief.\n\n" + told + "<｜User｜>Hi<｜Assistant｜>",
                v3.prompt(List.of(Message.system("Be brief."), Message.user("Hi")), options)
                        .text());
        assertEquals(
                "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>",
                v3.prompt(List.of(Message.user("Hi")), options.withToolChoice(new ToolChoice.None()))
                        .text());
    }

    @Test
    void whatDoesNotFitIsRefused() throws IOException {
        Conversations qwen = conversations("qwen3");
        assertEquals(
                "the model's chat template knows no calls of tools; leave out tools.",
                refusal(conversations("llama3"), USUAL.withTools(List.of(GET))));
        assertEquals(
                "there are two tools get, expected names that differ.",
                refusal(qwen, USUAL.withTools(List.of(GET, GET))));
        assertEquals(
                "a call of a tool is required, and there are no tools.",
                refusal(qwen, USUAL.withToolChoice(new ToolChoice.Required())));
        assertEquals(
                "a call of take is required, and there is no such tool.",
                refusal(qwen, USUAL.withTools(List.of(GET)).withToolChoice(new ToolChoice.Named("take"))));
        assertEquals(
                "the template variable messages is the conversation's own; choose another name.",
                refusal(qwen, USUAL.withTemplateVariables(Map.of("messages", List.of()))));
        assertEquals(
                "an answer goes on from the last message, and that is not an assistant's.",
                refusal(qwen, USUAL.withContinuesLast(true)));
        assertEquals(
                "the parameters of tool a: expected a JSON object, found [1].",
                refusal(qwen, USUAL.withTools(List.of(new Tool("a", "", "[1]")))));
        assertEquals(
                "a tool is named 'a b', expected 1 to 64 letters, digits, _, - and .",
                Thrown.message(BadInput.class, () -> new Tool("a b", "", "{}")));
        List<Message> garbled = List.of(
                Message.user("Hi"), Message.assistant("").withToolCalls(List.of(new ToolCall("1", "get", "no JSON"))));
        assertEquals(
                "the arguments of a call of get: expected a JSON object, found no JSON.",
                Thrown.message(BadInput.class, () -> qwen.prompt(garbled, USUAL)));
    }

    private static String refusal(Conversations conversations, ChatOptions options) {
        return Thrown.message(BadInput.class, () -> conversations.prompt(List.of(Message.user("Hi")), options));
    }
}
