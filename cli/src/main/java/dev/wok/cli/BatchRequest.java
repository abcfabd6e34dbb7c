package dev.wok.cli;

import dev.wok.api.Answer;
import dev.wok.api.Message;
import dev.wok.api.Model;
import dev.wok.generate.Constraint;
import dev.wok.generate.Sampling;
import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// A line of a file of requests: a JSON object with one of `prompt`, `ids` and `messages`, and what is
/// asked for in place of the command's options.
///
/// @param place of the line, for refusals
/// @param id what the line calls itself, given back with the answer, or null
/// @param ask asks a model
/// @param logprobs whether log-probabilities are asked for
record BatchRequest(String place, @Nullable JsonNode id, Function<Model, Answer> ask, boolean logprobs) {
    private static final Set<String> WHAT = Set.of("prompt", "ids", "messages");

    /// @param number counted from 0; moves the seed, so that lines draw differently
    /// @throws BadInput where the line is no request
    static BatchRequest parse(String line, String place, long number, Answer.Options usual) {
        JsonNode root = Json.object(line, place);
        Sampling sampling = usual.sampling();
        Answer.Options options = usual.withSampling(sampling.withSeed(sampling.seed() + number));
        List<String> what = new ArrayList<>();
        for (Map.Entry<String, JsonNode> field : root.properties()) {
            if (WHAT.contains(field.getKey())) {
                what.add(field.getKey());
            } else {
                options = with(options, new Field(place, field.getKey(), field.getValue()));
            }
        }
        if (what.size() != 1) {
            throw new BadInput("%s: expected one of prompt, ids and messages, found %s."
                    .formatted(place, what.isEmpty() ? "none" : String.join(" and ", what)));
        }
        Field asked = new Field(place, what.getFirst(), root.get(what.getFirst()));
        return new BatchRequest(
                place, root.get("id"), ask(asked, options), options.logprobs().isPresent());
    }

    private static Function<Model, Answer> ask(Field asked, Answer.Options options) {
        return switch (asked.name) {
            case "prompt" -> {
                String prompt = asked.text();
                yield model -> model.generate(prompt, options);
            }
            case "ids" -> {
                int[] ids = asked.ids();
                yield model -> model.generate(ids, options);
            }
            default -> {
                List<Message> messages = asked.messages();
                yield model -> model.chat(messages, options).answer();
            }
        };
    }

    private static Answer.Options with(Answer.Options options, Field field) {
        Sampling sampling = options.sampling();
        try {
            return switch (field.name) {
                case "id" -> options;
                case "max_tokens" -> options.withMaxTokens(field.integer());
                case "stop" -> options.withStops(field.texts());
                case "ignore_eos" -> options.withIgnoreEos(field.flag());
                case "schema" -> options.withConstraint(Constraint.schema(field.value.toString()));
                case "logprobs" -> options.withLogprobs(field.integer());
                case "temperature" -> options.withSampling(sampling.withTemperature(field.number()));
                case "top_k" -> options.withSampling(sampling.withTopK(field.integer()));
                case "top_p" -> options.withSampling(sampling.withTopP(field.number()));
                case "min_p" -> options.withSampling(sampling.withMinP(field.number()));
                case "repetition_penalty" -> options.withSampling(sampling.withRepetitionPenalty(field.number()));
                case "frequency_penalty" -> options.withSampling(sampling.withFrequencyPenalty(field.number()));
                case "presence_penalty" -> options.withSampling(sampling.withPresencePenalty(field.number()));
                case "seed" -> options.withSampling(sampling.withSeed(field.whole()));
                default -> throw new BadInput("there is no field %s.".formatted(field.name));
            };
        } catch (BadInput e) {
            String message = String.valueOf(e.getMessage());
            throw message.startsWith(field.place) ? e : new BadInput(field.place + ": " + message, e);
        }
    }

    /// A field of a line.
    private record Field(String place, String name, JsonNode value) {
        private BadInput expected(String what) {
            return new BadInput("%s: %s is %s, expected %s.".formatted(place, name, value, what));
        }

        String text() {
            if (!value.isString()) {
                throw expected("a string");
            }
            return value.asString();
        }

        String[] texts() {
            if (value.isString()) {
                return new String[] {value.asString()};
            }
            if (!value.isArray() || value.values().stream().anyMatch(v -> !v.isString())) {
                throw expected("a string or an array of strings");
            }
            return value.values().stream().map(JsonNode::asString).toArray(String[]::new);
        }

        int[] ids() {
            if (!value.isArray() || value.values().stream().anyMatch(v -> !isInt(v))) {
                throw expected("an array of token ids");
            }
            return value.values().stream().mapToInt(JsonNode::asInt).toArray();
        }

        List<Message> messages() {
            if (!value.isArray() || value.values().stream().anyMatch(v -> !isMessage(v))) {
                throw expected("an array of objects with role and content, strings");
            }
            return value.values().stream()
                    .map(v -> new Message(
                            v.get("role").asString(), v.get("content").asString()))
                    .toList();
        }

        private static boolean isMessage(JsonNode node) {
            return node.isObject()
                    && node.size() == 2
                    && node.path("role").isString()
                    && node.path("content").isString();
        }

        private static boolean isInt(JsonNode node) {
            return node.isIntegralNumber() && node.canConvertToInt();
        }

        int integer() {
            if (!isInt(value)) {
                throw expected("a whole number");
            }
            return value.asInt();
        }

        long whole() {
            if (!value.isIntegralNumber() || !value.canConvertToLong()) {
                throw expected("a whole number");
            }
            return value.asLong();
        }

        double number() {
            if (!value.isNumber()) {
                throw expected("a number");
            }
            return value.asDouble();
        }

        boolean flag() {
            if (!value.isBoolean()) {
                throw expected("true or false");
            }
            return value.asBoolean();
        }
    }
}
