package dev.wok.serve;

import dev.wok.api.Answer;
import dev.wok.generate.Request;
import dev.wok.generate.Sampling;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.ThreadLocalRandom;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// What requests of OpenAI's form say about how tokens are picked and where texts end.
final class Generating {
    private static final int MOST_CHOICES = 128;
    private static final int MOST_STOPS = 16;
    private static final int LONGEST_STOP = 1000;
    private static final double HOTTEST = 2;
    private static final double MOST_PENALTY = 2;
    private static final double MOST_REPETITION = 100;
    private static final double MOST_BIAS = 100;

    /// Of all tokens, the likeliest alone.
    private static final double LEAST_TOP_P = 1e-9;

    private Generating() {}

    /// @param fields of the request
    /// @return what is read from them; without log-probabilities, constraint and deadline
    static Answer.Options options(Fields fields, Models.Named model) {
        return Answer.Options.defaults()
                .withMaxTokens(maxTokens(fields).orElse(Request.ALL))
                .withSampling(sampling(fields, model))
                .withStops(stops(fields, "stop").toArray(String[]::new))
                .withStopIds(fields.ids("stop_token_ids"))
                .withIgnoreEos(fields.flag("ignore_eos", false));
    }

    private static OptionalInt maxTokens(Fields fields) {
        OptionalInt all = fields.count("max_completion_tokens", 0, Request.ALL - 1);
        OptionalInt old = fields.count("max_tokens", 0, Request.ALL - 1);
        if (all.isPresent() && old.isPresent() && all.getAsInt() != old.getAsInt()) {
            throw fields.wrong("max_tokens", "what max_completion_tokens says; leave one of them out");
        }
        return all.isPresent() ? all : old;
    }

    /// @return how tokens are picked: as the request says, else as the model's makers say, else from
    ///     all tokens as likely as they are
    static Sampling sampling(Fields fields, Models.Named model) {
        Sampling usual = model.model().sampling().orElse(Sampling.atTemperature(1));
        OptionalDouble topP = fields.number("top_p", 0, 1);
        OptionalInt topK = fields.count("top_k", -1, Integer.MAX_VALUE);
        OptionalDouble repetition = fields.number("repetition_penalty", 0, MOST_REPETITION);
        if (repetition.isPresent() && repetition.getAsDouble() == 0) {
            throw fields.wrong("repetition_penalty", "a number above 0");
        }
        OptionalLong seed = fields.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE);
        return usual.withTemperature(fields.number("temperature", 0, HOTTEST).orElse(usual.temperature()))
                .withTopP(Math.max(LEAST_TOP_P, topP.orElse(usual.topP())))
                .withTopK(Math.max(0, topK.orElse(usual.topK())))
                .withMinP(fields.number("min_p", 0, 1).orElse(usual.minP()))
                .withRepetitionPenalty(repetition.orElse(usual.repetitionPenalty()))
                .withFrequencyPenalty(fields.number("frequency_penalty", -MOST_PENALTY, MOST_PENALTY)
                        .orElse(0))
                .withPresencePenalty(fields.number("presence_penalty", -MOST_PENALTY, MOST_PENALTY)
                        .orElse(0))
                .withLogitBias(bias(fields))
                .withSeed(seed.orElseGet(() -> ThreadLocalRandom.current().nextLong()));
    }

    private static Map<Integer, Double> bias(Fields fields) {
        Map<Integer, Double> biases = new HashMap<>();
        fields.object("logit_bias").ifPresent(given -> {
            for (String name : given.names()) {
                given.number(name, -MOST_BIAS, MOST_BIAS).ifPresent(bias -> biases.put(tokenId(name), bias));
            }
        });
        return biases;
    }

    private static int tokenId(String name) {
        try {
            return Integer.parseInt(name);
        } catch (NumberFormatException _) {
            throw Refusal.badField("logit_bias", "logit_bias is for \"%s\", expected ids of tokens.".formatted(name));
        }
    }

    /// @param name of a field that is a text or a list of texts
    static List<String> stops(Fields fields, String name) {
        List<String> stops = new ArrayList<>(fields.textOrTexts(name));
        if (stops.size() > MOST_STOPS) {
            throw fields.wrong(name, MOST_STOPS + " texts at most");
        }
        if (stops.stream().anyMatch(stop -> stop.isEmpty() || stop.length() > LONGEST_STOP)) {
            throw fields.wrong(name, "texts of 1 to %d characters".formatted(LONGEST_STOP));
        }
        return stops;
    }

    /// @return how many answers are asked for
    static int choices(Fields fields) {
        int choices = fields.count("n", 1, MOST_CHOICES).orElse(1);
        if (fields.count("best_of", 1, MOST_CHOICES).orElse(choices) != choices) {
            throw Unsupported.refusal(fields.path("best_of"), "ask for n answers and choose");
        }
        return choices;
    }

    /// @return that for one of several answers to the same, each with draws of its own
    static Sampling choice(Sampling sampling, int index) {
        return sampling.withSeed(sampling.seed() + index);
    }

    /// @return whether usage is asked for at the end of a stream
    static boolean includesUsage(Fields fields) {
        return fields.object("stream_options")
                .map(options -> options.flag("include_usage", false))
                .orElse(false);
    }

    /// @return what JSON says in Java's own types
    static Object plain(JsonNode node) {
        return switch (node.getNodeType()) {
            case OBJECT -> plain((ObjectNode) node);
            case ARRAY ->
                node.values().stream()
                        .filter(value -> !value.isNull())
                        .map(Generating::plain)
                        .toList();
            case BOOLEAN -> node.booleanValue();
            case NUMBER ->
                node.isIntegralNumber() && node.canConvertToLong() ? (Object) node.longValue() : node.doubleValue();
            case STRING -> node.stringValue();
            case BINARY, MISSING, NULL, POJO -> "";
        };
    }

    private static Map<String, Object> plain(ObjectNode node) {
        Map<String, Object> fields = new LinkedHashMap<>();
        node.properties().forEach(field -> {
            if (!field.getValue().isNull()) {
                fields.put(field.getKey(), plain(field.getValue()));
            }
        });
        return fields;
    }
}
