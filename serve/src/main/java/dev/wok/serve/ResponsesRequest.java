package dev.wok.serve;

import dev.wok.api.Answer;
import dev.wok.api.ChatOptions;
import dev.wok.api.Tool;
import dev.wok.generate.Constraint;
import dev.wok.generate.Request;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// A request for a response in OpenAI's newer form. Nothing is stored: each request brings the whole
/// conversation.
final class ResponsesRequest {
    private static final int MOST_ALTERNATIVES = 20;
    private static final String LOGPROBS = "message.output_text.logprobs";
    private static final Set<String> SUMMARIES = Set.of("auto", "concise", "detailed");

    private final Fields fields;
    private final ChatRequest chat;

    private ResponsesRequest(Fields fields, ChatRequest chat) {
        this.fields = fields;
        this.chat = chat;
    }

    static ResponsesRequest read(Fields fields, Models.Named model) {
        Unsupported.refuse(fields);
        for (String stored : List.of("previous_response_id", "conversation", "prompt")) {
            if (fields.has(stored)) {
                throw Unsupported.refusal(stored, "nothing is stored; send the whole conversation as input");
            }
        }
        if (fields.flag("background", false)) {
            throw Unsupported.refusal("background", "wait for the answer, or read it as a stream");
        }
        ChatOptions options = Thinking.chat(fields, ChatRequest.usual(model)).withAnswer(answer(fields, model));
        Optional<Fields> reasoning = fields.object("reasoning");
        if (reasoning.isPresent()) {
            reasoning.get().word("summary", SUMMARIES);
            options = Thinking.effort(reasoning.get(), "effort", options);
        }
        List<Tool> tools = new ArrayList<>();
        for (Fields tool : fields.objects("tools")) {
            ToolFields.requireFunction(tool);
            tools.add(ToolFields.tool(tool, "parameters"));
        }
        ToolFields.requireDistinct(tools, fields);
        options = ToolFields.with(options, tools, ToolFields.choice(fields, ""))
                .withParallelToolCalls(fields.flag("parallel_tool_calls", true));
        return new ResponsesRequest(fields, new ChatRequest(model, ResponsesInput.read(fields), options, 1));
    }

    private static Answer.Options answer(Fields fields, Models.Named model) {
        Answer.Options answer = Generating.options(fields, model)
                .withMaxTokens(
                        fields.count("max_output_tokens", 1, Request.ALL - 1).orElse(Request.ALL));
        int alternatives = fields.count("top_logprobs", 0, MOST_ALTERNATIVES).orElse(0);
        if (fields.texts("include").contains(LOGPROBS) || alternatives > 0) {
            answer = answer.withLogprobs(alternatives);
        }
        Optional<Fields> text = fields.object("text");
        if (text.isPresent()) {
            Unsupported.refuse(text.get());
            Optional<Constraint> form = ToolFields.form(text.get(), "format", "");
            answer = form.isPresent() ? answer.withConstraint(form.get()) : answer;
        }
        return answer;
    }

    ChatRequest chat() {
        return chat;
    }

    Optional<TokenTexts> tokens() {
        return chat.options().answer().logprobs().isPresent()
                ? Optional.of(new TokenTexts(chat.model()))
                : Optional.empty();
    }

    /// @param status `in_progress`, `completed` or `incomplete`
    /// @return what every state of the response says, without its usage
    ObjectNode response(Stamp stamp, String status, ArrayNode output) {
        ObjectNode root = JsonNodeFactory.instance
                .objectNode()
                .put("id", stamp.id())
                .put("object", "response")
                .put("created_at", stamp.created())
                .put("status", status)
                .put("background", false)
                .putNull("error")
                .putNull("incomplete_details");
        root.put("model", chat.model().name()).put("store", false).putNull("previous_response_id");
        root.set("output", output);
        Answer.Options answer = chat.options().answer();
        root.put("temperature", answer.sampling().temperature())
                .put("top_p", answer.sampling().topP())
                .put("parallel_tool_calls", chat.options().parallelToolCalls())
                .put("truncation", "disabled")
                .put("service_tier", "default");
        for (String name : List.of("instructions", "max_output_tokens", "user")) {
            root.set(name, fields.copy(name).orElse(JsonNodeFactory.instance.nullNode()));
        }
        root.set("tools", fields.copy("tools").orElse(JsonNodeFactory.instance.arrayNode()));
        root.set("tool_choice", fields.copy("tool_choice").orElse(JsonNodeFactory.instance.stringNode("auto")));
        root.set("metadata", fields.copy("metadata").orElse(JsonNodeFactory.instance.objectNode()));
        root.set("reasoning", fields.copy("reasoning").orElse(JsonNodeFactory.instance.objectNode()));
        ObjectNode format = JsonNodeFactory.instance.objectNode();
        format.putObject("format").put("type", "text");
        root.set("text", fields.copy("text").orElse(format));
        return root;
    }
}
