package dev.wok.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Reply.FinishReason;
import dev.wok.generate.Constraint;
import dev.wok.generate.Sampling;
import dev.wok.generate.Token;
import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// Models that say anything, held to what was asked for.
class ReplyTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Tool WEATHER = new Tool("get_weather", "What the weather is.", """
            {"type": "object", "properties": {"city": {"enum": ["Paris", "São Paulo"]}, "days": {"const": 3}},
             "required": ["city", "days"], "additionalProperties": false}""");
    private static final Tool GET = new Tool("get", "", "{\"properties\": {}, \"additionalProperties\": false}");
    private static final List<Tool> TOOLS = List.of(WEATHER, GET);
    private static final List<Message> ASKED = List.of(Message.user("Weather in Paris?"));

    @TempDir
    static Path temporary;

    private static final Map<String, Model> MODELS = new HashMap<>();

    private static Model model(String template) throws IOException {
        Model model = MODELS.get(template);
        if (model == null) {
            String tokenizer = template.startsWith("deepseek")
                    ? "deepseek_v3_tiny"
                    : template.startsWith("qwen") ? "qwen2_tiny" : "llama_tiny";
            Path folder = Tiny.model(temporary.resolve(template), tokenizer, template);
            model = Model.load(folder, Model.Options.defaults().withThreads(1));
            MODELS.put(template, model);
        }
        return model;
    }

    @AfterAll
    static void close() {
        MODELS.values().forEach(Model::close);
    }

    private static ChatOptions seeded(long seed) {
        return ChatOptions.defaults()
                .withAnswer(Answer.Options.defaults()
                        .withMaxTokens(300)
                        .withSampling(Sampling.atTemperature(1).withSeed(seed)));
    }

    @Test
    void aCallThatAStopTextCutsIsNone() throws IOException {
        ChatOptions cut = seeded(1)
                .withTools(List.of(WEATHER))
                .withToolChoice(new ToolChoice.Required())
                .withAnswer(seeded(1).answer().withStops("city"));
        Reply reply = model("qwen2_5").chat(ASKED, cut);
        assertEquals(1, reply.message().toolCalls().size(), reply.answer()::text);
        assertEquals(FinishReason.STOP, reply.finishReason());
        assertEquals("city", reply.stoppedBy().orElseThrow());
    }

    @ParameterizedTest
    @CsvSource({"deepseek_v3", "deepseek_r1", "deepseek_v31", "qwen2_5", "qwen3", "llama3_1"})
    void requiredCallsAreMadeInEachFamilysFormat(String family) throws IOException {
        Model model = model(family);
        Set<String> ids = new HashSet<>();
        Set<String> called = new HashSet<>();
        for (int seed = 0; seed < 4; seed++) {
            ChatOptions options = seeded(seed)
                    .withTools(TOOLS)
                    .withToolChoice(new ToolChoice.Required())
                    .withParallelToolCalls(seed > 1)
                    .withMaxThoughtTokens(4);
            Reply reply = model.chat(ASKED, options);
            List<Reply.Part> parts = new ArrayList<>();
            reply.forEach(parts::add);
            Message message = reply.message();
            if (seed < 2) {
                assertEquals(FinishReason.TOOL_CALLS, reply.finishReason(), reply.answer()::text);
                assertEquals(1, message.toolCalls().size());
                assertEquals("", message.content());
            }
            for (int i = 0; i < message.toolCalls().size(); i++) {
                ToolCall call = message.toolCalls().get(i);
                assertTrue(call.id().matches("call_[A-Za-z0-9]{24}") && ids.add(call.id()), call.id());
                called.add(call.name());
                boolean cut = i == message.toolCalls().size() - 1 && reply.finishReason() == FinishReason.LENGTH;
                if (!cut) {
                    JsonNode arguments = JSON.readTree(call.arguments());
                    assertEquals(call.name().equals("get") ? 0 : 2, arguments.size());
                }
                assertEquals(call.arguments(), arguments(parts, i));
            }
            if (seed < 2) {
                List<Message> next = new ArrayList<>(ASKED);
                next.add(message);
                next.add(Message.tool(message.toolCalls().getFirst().id(), "sun"));
                String prompt = model.prompt(next, options);
                String head = message.toolCalls().getFirst().name();
                assertTrue(prompt.contains(head) && prompt.contains("sun"), prompt);
            }
        }
        assertTrue(Set.of("get", "get_weather").containsAll(called));
    }

    private static String arguments(List<Reply.Part> parts, int index) {
        StringBuilder json = new StringBuilder();
        for (Reply.Part part : parts) {
            if (part instanceof Reply.CallArguments(int call, String piece) && call == index) {
                json.append(piece);
            }
        }
        return json.toString();
    }

    @Test
    void theCallThatIsNamedIsMade() throws IOException {
        ChatOptions options = seeded(1)
                .withTools(TOOLS)
                .withToolChoice(new ToolChoice.Named("get_weather"))
                .withThinking(false)
                .withParallelToolCalls(false);
        for (String family : List.of("qwen3", "deepseek_r1", "llama3_1")) {
            Message message = model(family).chat(ASKED, options).message();
            assertEquals("get_weather", message.toolCalls().getFirst().name());
            assertTrue(message.reasoning().isEmpty());
            assertEquals(
                    3,
                    JSON.readTree(message.toolCalls().getFirst().arguments())
                            .path("days")
                            .asInt());
        }
    }

    @ParameterizedTest
    @CsvSource({"deepseek_r1, true", "deepseek_v31, true", "qwen3, true", "qwen3, false", "llama3, false"})
    void thoughtsAreFreeAndWhatIsSaidIsHeldToAConstraint(String family, boolean thinking) throws IOException {
        Constraint yesOrNo = Constraint.schema("{\"enum\": [\"yes\", \"no\"]}");
        for (int seed = 0; seed < 3; seed++) {
            ChatOptions plain = seeded(seed).withThinking(thinking).withMaxThoughtTokens(6);
            ChatOptions options = plain.withAnswer(plain.answer().withConstraint(yesOrNo));
            Reply reply = model(family).chat(ASKED, options);
            assertTrue(Set.of("\"yes\"", "\"no\"").contains(reply.text().strip()), reply.answer()::text);
            assertEquals(FinishReason.STOP, reply.finishReason());
            assertTrue(reply.thoughtTokens() <= 9, reply.thoughtTokens() + " tokens of thoughts");
            assertTrue(thinking || reply.thoughtTokens() == 0);
        }
    }

    @Test
    void withToolsAndAConstraintItIsOneOrTheOther() throws IOException {
        Set<Boolean> called = new HashSet<>();
        for (int seed = 0; seed < 12 && called.size() < 2; seed++) {
            ChatOptions plain =
                    seeded(seed).withTools(TOOLS).withThinking(false).withParallelToolCalls(false);
            ChatOptions options =
                    plain.withAnswer(plain.answer().withConstraint(Constraint.schema("{\"const\": \"yes\"}")));
            Message message = model("qwen3").chat(ASKED, options).message();
            called.add(!message.toolCalls().isEmpty());
            assertTrue(message.toolCalls().isEmpty() != message.content().isEmpty());
            assertTrue(message.content().isEmpty() || message.content().strip().equals("\"yes\""));
        }
        assertEquals(Set.of(true, false), called);
    }

    /// A model that writes anything meets a call's tag at some time; from there on it is held to the
    /// schema.
    @ParameterizedTest
    @CsvSource({"qwen3", "deepseek_r1", "deepseek_v31"})
    void callsThatAModelMakesByItselfAreHeldToTheirSchemas(String family) throws IOException {
        int calls = 0;
        for (int seed = 0; seed < 30 && calls < 3; seed++) {
            ChatOptions options = seeded(seed).withTools(TOOLS).withMaxThoughtTokens(3);
            Reply reply = model(family).chat(ASKED, options);
            for (ToolCall call : reply.message().toolCalls()) {
                calls++;
                assertTrue(Set.of("get", "get_weather").contains(call.name()));
                if (reply.finishReason() == FinishReason.TOOL_CALLS) {
                    assertEquals(
                            call.name().equals("get") ? 0 : 2,
                            JSON.readTree(call.arguments()).size());
                }
            }
        }
        assertTrue(calls > 0);
    }

    @Test
    void eachTokenIsInThePartWithItsText() throws IOException {
        Model model = model("deepseek_r1");
        ChatOptions plain = seeded(3).withMaxThoughtTokens(20);
        ChatOptions options = plain.withAnswer(plain.answer().withMaxTokens(60).withLogprobs(2));
        Reply reply = model.chat(ASKED, options);
        List<Token> tokens = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        for (Reply.Part part : reply) {
            switch (part) {
                case Reply.Thought(String piece, List<Token> own) -> tokens.addAll(own);
                case Reply.Text(String piece, List<Token> own) -> {
                    text.append(piece);
                    tokens.addAll(own);
                }
                case Reply.CallStart _, Reply.CallArguments _ -> throw new AssertionError("nobody has tools");
            }
        }
        List<Token> all = reply.answer().tokens();
        assertEquals(60, all.size());
        assertTrue(tokens.size() >= 50 && tokens.size() < 60, tokens.size() + " tokens");
        int at = 0;
        for (Token token : tokens) {
            at += all.subList(at, all.size()).indexOf(token) + 1;
            assertTrue(at > 0);
            assertEquals(2, token.alternatives().size());
        }
        assertEquals(text.toString(), reply.text());
        assertFalse(reply.text().contains("</think>"));
        assertTrue(reply.thoughtTokens() > 15 && reply.thoughtTokens() <= 23);
        assertEquals(FinishReason.LENGTH, reply.finishReason());
    }

    @Test
    void stopTextsEndRepliesAndAreNamed() throws IOException {
        Model model = model("llama3");
        ChatOptions plain = seeded(5);
        String whole = model.chat(ASKED, plain.withAnswer(plain.answer().withMaxTokens(40)))
                .text();
        String stop = whole.substring(5, 7);
        Reply stopped = model.chat(ASKED, plain.withAnswer(plain.answer().withStops("no such text", stop)));
        assertEquals(whole.substring(0, whole.indexOf(stop)), stopped.text());
        assertEquals(stop, stopped.stoppedBy().orElseThrow());
        assertEquals(FinishReason.STOP, stopped.finishReason());
    }

    @Test
    void aReplyIsReadOnceAndCancelledFromAnywhere() throws IOException {
        Reply reply = model("llama3").chat(ASKED, seeded(1)).begin();
        assertEquals(
                "the reply has not ended; read it to its end, or call message() first",
                Thrown.message(IllegalStateException.class, reply::finishReason));
        Iterator<Reply.Part> parts = reply.iterator();
        assertInstanceOf(Reply.Text.class, parts.next());
        reply.cancel();
        String said = reply.text();
        assertEquals(FinishReason.CANCELLED, reply.finishReason());
        assertTrue(said.length() < 2000);
        assertThrows(IllegalStateException.class, reply::iterator);
        while (parts.hasNext()) {
            parts.next();
        }
        assertThrows(NoSuchElementException.class, parts::next);
    }

    @Test
    void gapsAreFilledWithTheTokensForIt() throws IOException {
        Model model = model("deepseek_v3");
        Answer answer = model.fill("int a = ", ";\n", Answer.Options.defaults().withMaxTokens(3));
        int around = model.tokenizer().orElseThrow().encode("int a = ").length
                + model.tokenizer().orElseThrow().encode(";\n").length;
        assertEquals(around + 4, answer.promptTokens());
        answer.text();
        String refusal =
                Thrown.message(BadInput.class, () -> model("llama3").fill("a", "b", Answer.Options.defaults()));
        assertTrue(refusal.contains("has no tokens for filling a gap, such as <｜fim▁begin｜>"), refusal);
    }

    @Test
    void schemasThatArgumentsCannotBeHeldToAreRefusedWhereTheyMust() throws IOException {
        String unsupported = "{\"type\": \"object\", \"not\": {}}";
        Model model = model("qwen3");
        Tool tool = new Tool("odd", "", unsupported);
        String refusal = Thrown.message(
                BadInput.class,
                () -> model.chat(ASKED, seeded(0).withTools(List.of(tool)).withToolChoice(new ToolChoice.Required())));
        assertTrue(refusal.startsWith("the parameters of tool odd: ") && refusal.contains("not"), refusal);
        Tool strict = new Tool("odd", "", unsupported, true);
        assertEquals(
                refusal,
                Thrown.message(BadInput.class, () -> model.chat(ASKED, seeded(0).withTools(List.of(strict)))));
        model.chat(ASKED, seeded(0).withTools(List.of(tool))).cancel();
        Tool list = new Tool("odd", "", "{\"type\": \"array\"}", true);
        assertEquals(
                "the parameters of tool odd: the type is array, expected object.",
                Thrown.message(BadInput.class, () -> model.chat(ASKED, seeded(0).withTools(List.of(list)))));
    }
}
