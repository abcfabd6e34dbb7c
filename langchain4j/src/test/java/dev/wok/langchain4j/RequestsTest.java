package dev.wok.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.CustomMessage;
import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.TextContent;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonAnyOfSchema;
import dev.langchain4j.model.chat.request.json.JsonArraySchema;
import dev.langchain4j.model.chat.request.json.JsonEnumSchema;
import dev.langchain4j.model.chat.request.json.JsonIntegerSchema;
import dev.langchain4j.model.chat.request.json.JsonNullSchema;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonRawSchema;
import dev.langchain4j.model.chat.request.json.JsonReferenceSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.request.json.JsonSchemaElement;
import dev.langchain4j.model.chat.request.json.JsonStringSchema;
import dev.wok.api.ChatOptions;
import dev.wok.api.Message;
import dev.wok.api.Tool;
import dev.wok.api.ToolCall;
import dev.wok.notice.BadInput;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class RequestsTest {
    private final Requests requests = new Requests("parrot");

    @Test
    void messagesKeepAllThatTheySay() {
        ToolExecutionRequest call = ToolExecutionRequest.builder()
                .id("call_9")
                .name("time")
                .arguments("{\"zone\":\"UTC\"}")
                .build();
        List<Message> messages = Requests.messages(List.of(
                SystemMessage.from("Be brief."),
                UserMessage.from("Ada", List.of(TextContent.from("What"), TextContent.from("time? 🕰"))),
                AiMessage.builder()
                        .thinking("I must look.")
                        .toolExecutionRequests(List.of(call))
                        .build(),
                ToolExecutionResultMessage.from(call, "noon"),
                AiMessage.from("Noon.")));
        assertEquals(
                List.of(
                        Message.system("Be brief."),
                        Message.user("What\ntime? 🕰").withName("Ada"),
                        Message.assistant("")
                                .withReasoning("I must look.")
                                .withToolCalls(List.of(new ToolCall("call_9", "time", "{\"zone\":\"UTC\"}"))),
                        Message.tool("call_9", "noon").withName("time"),
                        Message.assistant("Noon.")),
                messages);
    }

    @Test
    void callsWithoutIdsMeetTheirResults() {
        ToolExecutionRequest first = ToolExecutionRequest.builder().name("a").build();
        ToolExecutionRequest second =
                ToolExecutionRequest.builder().name("b").arguments(" ").build();
        List<Message> messages = Requests.messages(List.of(
                AiMessage.from(first, second),
                ToolExecutionResultMessage.from(first, "1"),
                ToolExecutionResultMessage.from(second, "2")));
        assertEquals(
                List.of(new ToolCall("call_0", "a", "{}"), new ToolCall("call_1", "b", "{}")),
                messages.getFirst().toolCalls());
        assertEquals(Optional.of("call_0"), messages.get(1).toolCallId());
        assertEquals(Optional.of("call_1"), messages.get(2).toolCallId());
    }

    @Test
    void whatIsNoTextIsRefused() {
        UserMessage picture =
                UserMessage.from(TextContent.from("Look"), ImageContent.from("https://example.org/a.png"));
        assertEquals(
                "content of type image is not supported, the model reads text only.",
                assertThrows(UnsupportedFeatureException.class, () -> Requests.messages(List.of(picture)))
                        .getMessage());
        assertEquals(
                "a message of type CUSTOM is not supported; give system, user, ai and tool execution result messages.",
                assertThrows(
                                UnsupportedFeatureException.class,
                                () -> Requests.messages(List.of(CustomMessage.from(Map.of("a", 1)))))
                        .getMessage());
    }

    @Test
    void allParametersArrive() {
        ChatOptions options = requests.options(WokChatRequestParameters.builder()
                .modelName("parrot")
                .temperature(0.5)
                .topP(0.75)
                .topK(7)
                .frequencyPenalty(0.25)
                .presencePenalty(-0.25)
                .maxOutputTokens(9)
                .stopSequences("\n\n", "END")
                .seed(11L)
                .minP(0.125)
                .repetitionPenalty(1.5)
                .thinking(false)
                .reasoningEffort("high")
                .maxThinkingTokens(3)
                .parallelToolCalls(false)
                .build());
        assertEquals(
                "Sampling[temperature=0.5, topK=7, topP=0.75, minP=0.125, repetitionPenalty=1.5, frequencyPenalty=0.25, "
                        + "presencePenalty=-0.25, logitBias={}, seed=11]",
                options.answer().sampling().toString());
        assertEquals(9, options.answer().maxTokens());
        assertEquals(List.of("\n\n", "END"), options.answer().stops());
        assertEquals(Optional.of(false), options.thinking());
        assertEquals(Optional.of("high"), options.reasoningEffort());
        assertEquals(OptionalInt.of(3), options.maxThoughtTokens());
        assertEquals(false, options.parallelToolCalls());
        assertEquals(new dev.wok.api.ToolChoice.Auto(), options.toolChoice());
    }

    @Test
    void draggedAlongDefaultsGiveWayToRequests() {
        ChatRequestParameters defaults = WokChatRequestParameters.builder()
                .temperature(0.1)
                .seed(1L)
                .thinking(true)
                .build();
        WokChatRequestParameters all = (WokChatRequestParameters) defaults.overrideWith(
                ChatRequestParameters.builder().temperature(0.9).build());
        assertEquals(0.9, all.temperature());
        assertEquals(1L, all.seed());
        WokChatRequestParameters other = (WokChatRequestParameters) defaults.overrideWith(
                WokChatRequestParameters.builder().seed(2L).build());
        assertEquals(2L, other.seed());
        assertEquals(true, other.thinking());
        assertEquals(other, other.overrideWith(WokChatRequestParameters.EMPTY));
        assertEquals(
                defaults,
                WokChatRequestParameters.EMPTY.defaultedBy(defaults),
                () -> WokChatRequestParameters.EMPTY.defaultedBy(defaults).toString());
    }

    @Test
    void withoutASeedDrawsDiffer() {
        ChatRequestParameters none = WokChatRequestParameters.EMPTY;
        assertTrue(requests.options(none).answer().sampling().seed()
                != requests.options(none).answer().sampling().seed());
    }

    @Test
    void toolsAndChoices() {
        ChatOptions options = requests.options(ChatRequestParameters.builder()
                .toolSpecifications(
                        ToolSpecification.builder().name("now").build(),
                        ToolSpecification.builder()
                                .name("weather")
                                .description("of a city")
                                .parameters(JsonObjectSchema.builder()
                                        .addStringProperty("city", "where")
                                        .required("city")
                                        .build())
                                .build())
                .toolChoice(ToolChoice.REQUIRED)
                .build());
        assertEquals(
                List.of(
                        new Tool("now", "", "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"),
                        new Tool(
                                "weather",
                                "of a city",
                                "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"description\":\"where\"}},"
                                        + "\"required\":[\"city\"],\"additionalProperties\":false}")),
                options.tools());
        assertEquals(new dev.wok.api.ToolChoice.Required(), options.toolChoice());
        assertEquals(
                new dev.wok.api.ToolChoice.None(),
                requests.options(ChatRequestParameters.builder()
                                .toolChoice(ToolChoice.NONE)
                                .build())
                        .toolChoice());
    }

    @Test
    void anotherModelAndValuesOutOfRangeAreRefused() {
        assertEquals(
                "modelName 'gpt' is not supported: this model is 'parrot', leave modelName out or build another.",
                assertThrows(
                                UnsupportedFeatureException.class,
                                () -> requests.options(ChatRequestParameters.builder()
                                        .modelName("gpt")
                                        .build()))
                        .getMessage());
        assertEquals(
                "temperature is -1.0, expected 0 or more.",
                assertThrows(
                                BadInput.class,
                                () -> requests.options(ChatRequestParameters.builder()
                                        .temperature(-1.0)
                                        .build()))
                        .getMessage());
    }

    @Test
    void formatsAreHeldTo() {
        assertTrue(constraint(ResponseFormat.TEXT).isEmpty());
        assertTrue(constraint(ResponseFormat.JSON).isPresent());
        ResponseFormat malformed = ResponseFormat.builder()
                .type(dev.langchain4j.model.chat.request.ResponseFormatType.JSON)
                .jsonSchema(JsonSchema.builder()
                        .name("raw")
                        .rootElement(JsonRawSchema.from("{"))
                        .build())
                .build();
        String message = String.valueOf(
                assertThrows(BadInput.class, () -> constraint(malformed)).getMessage());
        assertTrue(message.startsWith("the raw schema is not JSON: "), message);
    }

    private Optional<?> constraint(ResponseFormat format) {
        return requests.options(
                        ChatRequestParameters.builder().responseFormat(format).build())
                .answer()
                .constraint();
    }

    @Test
    void everyKindOfSchema() {
        JsonSchemaElement all = JsonObjectSchema.builder()
                .description("all")
                .addProperty(
                        "any",
                        JsonAnyOfSchema.builder()
                                .anyOf(new JsonNullSchema(), new JsonStringSchema())
                                .build())
                .addProperty(
                        "list",
                        JsonArraySchema.builder()
                                .items(JsonIntegerSchema.builder().build())
                                .build())
                .addProperty("free", JsonArraySchema.builder().build())
                .addProperty(
                        "one", JsonEnumSchema.builder().enumValues("a", "b").build())
                .addProperty("map", JsonObjectSchema.builder().build())
                .addProperty(
                        "open",
                        JsonObjectSchema.builder()
                                .addNumberProperty("n")
                                .additionalProperties(true)
                                .build())
                .addProperty(
                        "self", JsonReferenceSchema.builder().reference("node").build())
                .addProperty("raw", JsonRawSchema.from("{\"type\":\"string\",\"pattern\":\"^x\"}"))
                .definitions(Map.of(
                        "node",
                        JsonObjectSchema.builder().addBooleanProperty("leaf").build()))
                .build();
        assertEquals("""
                {'type':'object','description':'all','properties':{\
                'any':{'anyOf':[{'type':'null'},{'type':'string'}]},\
                'list':{'type':'array','items':{'type':'integer'}},\
                'free':{'type':'array'},\
                'one':{'type':'string','enum':['a','b']},\
                'map':{'type':'object'},\
                'open':{'type':'object','properties':{'n':{'type':'number'}},'additionalProperties':true},\
                'self':{'$ref':'#/$defs/node'},\
                'raw':{'type':'string','pattern':'^x'}},\
                'additionalProperties':false,\
                '$defs':{'node':{'type':'object','properties':{'leaf':{'type':'boolean'}},\
                'additionalProperties':false}}}""".replace('\'', '"'), Schemas.json(all));
        assertEquals(
                "a schema of class dev.wok.langchain4j.RequestsTest$Odd is not supported; give it as a JsonRawSchema.",
                assertThrows(UnsupportedFeatureException.class, () -> Schemas.json(new Odd()))
                        .getMessage());
    }

    private static final class Odd implements JsonSchemaElement {
        @Override
        public String description() {
            return "";
        }
    }
}
