package dev.wok.serve;

import dev.wok.api.Answer;
import dev.wok.api.ChatOptions;
import dev.wok.api.Message;
import dev.wok.api.Reply;
import dev.wok.generate.Constraint;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/// `POST /v1/chat/completions`, as OpenAI and DeepSeek know it.
final class ChatCompletions implements Route {
    private static final int MOST_ALTERNATIVES = 20;

    @Override
    public void answer(Call call) {
        Fields fields = Fields.of(call.body());
        Unsupported.refuse(fields);
        boolean stream = fields.flag("stream", false);
        boolean usage = Generating.includesUsage(fields);
        ChatRequest request = read(fields, call.models().named(fields));
        Optional<TokenTexts> tokens = request.options().answer().logprobs().isPresent()
                ? Optional.of(new TokenTexts(request.model()))
                : Optional.empty();
        ChatJson json = new ChatJson(Stamp.fresh("chatcmpl-", request.model()), tokens);
        try (Call.Places places = call.places(request.choices());
                Chorus chorus = new Chorus(call, places, request.voices(call.deadline()), request.choices())) {
            if (stream) {
                stream(call.events(), request.choices(), chorus, json, usage);
            } else {
                whole(call, request.choices(), chorus, json);
            }
        }
    }

    static ChatRequest read(Fields fields, Models.Named model) {
        Answer.Options answer = Generating.options(fields, model);
        OptionalInt alternatives = alternatives(fields);
        if (alternatives.isPresent()) {
            answer = answer.withLogprobs(alternatives.getAsInt());
        }
        Optional<Constraint> form = ToolFields.form(fields, "response_format", "json_schema");
        if (form.isPresent()) {
            answer = answer.withConstraint(form.get());
        }
        List<Message> messages = ChatMessages.read(fields);
        ChatOptions options = Thinking.chat(fields, ChatRequest.usual(model)).withAnswer(answer);
        options = ToolFields.chat(fields, options).withContinuesLast(ChatMessages.continuesLast(fields));
        return new ChatRequest(model, messages, options, Generating.choices(fields));
    }

    private static OptionalInt alternatives(Fields fields) {
        OptionalInt top = fields.count("top_logprobs", 0, MOST_ALTERNATIVES);
        if (fields.flag("logprobs", false)) {
            return OptionalInt.of(top.orElse(0));
        }
        if (top.orElse(0) > 0) {
            throw fields.wrong("top_logprobs", "it beside \"logprobs\": true");
        }
        return OptionalInt.empty();
    }

    private static void whole(Call call, int choices, Chorus chorus, ChatJson json) {
        List<Gathered> texts =
                IntStream.range(0, choices).mapToObj(_ -> new Gathered()).toList();
        Ended all = chorus.hear((index, part) -> texts.get(index).add(part));
        call.send(200, json.whole(texts, chorus.ended(), all));
    }

    private static void stream(Call.Events events, int choices, Chorus chorus, ChatJson json, boolean usage) {
        for (int i = 0; i < choices; i++) {
            events.send(json.first(i));
        }
        Ended all = chorus.hear(new Chorus.Listener() {
            @Override
            public void said(int index, Reply.Part part) {
                json.more(index, part).ifPresent(events::send);
            }

            @Override
            public void ended(int index, Ended how) {
                events.send(json.last(index, how));
            }
        });
        if (usage) {
            events.send(json.usage(all));
        }
        events.send("[DONE]");
        events.end();
    }
}
