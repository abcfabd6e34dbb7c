package dev.wok.serve;

import dev.wok.api.Answer;
import dev.wok.api.Reply;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// `POST /v1/completions`: texts are continued; with `suffix`, filled in the middle.
final class Completions implements Route {
    private static final String KIND = "text_completion";

    @Override
    public void answer(Call call) {
        Fields fields = Fields.of(call.body());
        boolean stream = fields.flag("stream", false);
        boolean usage = Generating.includesUsage(fields);
        CompletionRequest request = CompletionRequest.read(fields, call.models().named(fields));
        Stamp stamp = Stamp.fresh("cmpl-", request.model());
        try (Call.Places places = call.places(request.prompts().size() * request.choices())) {
            List<Answer> answers = request.answers(call.deadline());
            List<Voice> voices = answers.stream().map(Voice::of).toList();
            try (Chorus chorus = new Chorus(call, places, voices, request.choices())) {
                List<Said> said = IntStream.range(0, answers.size())
                        .mapToObj(i -> new Said(request, i, answers.get(i)))
                        .toList();
                if (stream) {
                    stream(call.events(), chorus, stamp, said, usage);
                } else {
                    whole(call, chorus, stamp, said);
                }
            }
        }
    }

    /// What one answer said.
    private static final class Said {
        private final CompletionRequest request;
        private final int index;
        private final Answer answer;
        private final LegacyLogprobs logprobs;

        Said(CompletionRequest request, int index, Answer answer) {
            this.request = request;
            this.index = index;
            this.answer = answer;
            logprobs = new LegacyLogprobs(TokenTexts.tokenizer(request.model()));
        }

        private CompletionRequest.Prompt prompt() {
            return request.prompts().get(index / request.choices());
        }

        private boolean hasLogprobs() {
            return request.options().logprobs().isPresent();
        }

        /// Log-probabilities of a prompt are known when its answer is.
        boolean comesWhole() {
            return request.options().promptLogprobs();
        }

        /// @param choices where to say it
        ObjectNode choice(ArrayNode choices, String text) {
            return choices.addObject().put("index", index).put("text", text);
        }

        /// Says all at once, after its end.
        ObjectNode all(ArrayNode choices) {
            ObjectNode choice = choice(choices, (request.echo() ? prompt().text() : "") + answer.text());
            if (!hasLogprobs()) {
                choice.putNull("logprobs");
            } else if (comesWhole()) {
                choice.set("logprobs", withPrompt());
            } else {
                choice.set("logprobs", logprobs.next(answer.tokens(), 0));
            }
            return choice;
        }

        private ObjectNode withPrompt() {
            int[] own = TokenTexts.tokenizer(request.model()).encode(prompt().text(), false);
            int hidden = prompt().ids().isPresent() ? 0 : Math.max(0, answer.promptTokens() - own.length);
            ObjectNode both = logprobs.next(answer.promptLogprobs(), hidden);
            ObjectNode more = logprobs.next(answer.tokens(), 0);
            both.properties()
                    .forEach(list -> ((ArrayNode) list.getValue()).addAll((ArrayNode) more.get(list.getKey())));
            return both;
        }

        /// Says a piece.
        ObjectNode some(ArrayNode choices, Reply.Text text) {
            ObjectNode choice = choice(choices, text.text());
            if (hasLogprobs()) {
                choice.set("logprobs", logprobs.next(text.tokens(), 0));
            } else {
                choice.putNull("logprobs");
            }
            return choice;
        }
    }

    private static void whole(Call call, Chorus chorus, Stamp stamp, List<Said> said) {
        Ended all = chorus.hear((_, _) -> {});
        List<Ended> ended = chorus.ended();
        ObjectNode root = stamp.object(KIND);
        ArrayNode choices = root.putArray("choices");
        for (Said one : said) {
            one.all(choices).put("finish_reason", ended.get(one.index).openAiReason());
        }
        root.set("usage", UsageJson.of(all));
        call.send(200, root);
    }

    private static void stream(Call.Events events, Chorus chorus, Stamp stamp, List<Said> said, boolean usage) {
        for (Said one : said) {
            if (one.request.echo() && !one.comesWhole()) {
                send(
                        events,
                        stamp,
                        choices -> one.choice(choices, one.prompt().text()).putNull("logprobs"));
            }
        }
        Ended all = chorus.hear(new Chorus.Listener() {
            @Override
            public void said(int index, Reply.Part part) {
                Said one = said.get(index);
                boolean now = !one.comesWhole();
                if (now && part instanceof Reply.Text text && !(text.text().isEmpty() && !one.hasLogprobs())) {
                    send(events, stamp, choices -> one.some(choices, text));
                }
            }

            @Override
            public void ended(int index, Ended how) {
                Said one = said.get(index);
                if (one.comesWhole()) {
                    send(events, stamp, one::all);
                }
                ObjectNode last = stamp.object(KIND);
                one.choice(last.putArray("choices"), "").putNull("logprobs").put("finish_reason", how.openAiReason());
                events.send(last);
            }
        });
        if (usage) {
            ObjectNode last = stamp.object(KIND);
            last.putArray("choices");
            last.set("usage", UsageJson.of(all));
            events.send(last);
        }
        events.send("[DONE]");
        events.end();
    }

    private static void send(Call.Events events, Stamp stamp, Function<ArrayNode, ObjectNode> choice) {
        ObjectNode chunk = stamp.object(KIND);
        choice.apply(chunk.putArray("choices")).putNull("finish_reason");
        events.send(chunk);
    }
}
