package dev.wok.langchain4j;

import static dev.wok.parrot.Talk.asks;
import static dev.wok.parrot.Talk.calls;
import static dev.wok.parrot.Talk.found;
import static dev.wok.parrot.Talk.repeats;
import static dev.wok.parrot.Talk.says;
import static dev.wok.parrot.Talk.thinks;

import dev.wok.api.Model;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import dev.wok.parrot.Talk;
import dev.wok.parrot.Talk.Call;
import java.nio.file.Path;
import java.util.List;

/// What a model must say to LangChain4j's own tests. Where a question comes with a JSON schema and without, the answer
/// is JSON, which is right for both.
final class Lines {
    static final String NAME = "parrot";

    private static final Call WEATHER = new Call("getWeather", "{\"city\": \"Munich\"}");

    private static final List<Talk> TALKS = List.of(
            Talk.of("What is the capital of Germany?", "{\"city\": \"Berlin\"}"),
            Talk.of("What is the capital of Germany? How much is 2 + 2?", "{\"city\": \"Berlin\"} and 4."),
            Talk.of(
                    "What is the capital of Germany? Answer with a JSON object containing a single 'city' field",
                    "{\"city\": \"Berlin\"}"),
            Talk.of("Translate: 'I love you'", "Ich liebe dich."),
            Talk.of(
                    asks("Hi, my favorite color is green"),
                    says("Hi, nice to meet you"),
                    asks("What is my favorite color?"),
                    says("It is green.")),
            Talk.of("Say 'Hello World'", "Hello World"),
            Talk.of(
                    asks("What is the weather in Munich?"),
                    calls(WEATHER),
                    found("sunny"),
                    says("{\"weather\": \"sunny\"}")),
            Talk.of(
                    asks("What is the time now? Use the get_current_time tool."),
                    calls(new Call("get_current_time", "{}")),
                    found("10:14"),
                    says("It is 10:14.")),
            Talk.of(
                    asks("What is the weather in Munich and time in France? Call tools simultaneously (in parallel)"),
                    calls(WEATHER, new Call("getTime", "{\"country\": \"France\"}")),
                    found("sunny"),
                    found("14:35"),
                    says("It is sunny, and 14:35.")),
            Talk.of(asks("I live in Munich"), calls(WEATHER)),
            Talk.of(asks("What is 6 times 7?"), thinks("Six sevens are forty-two.", "It is 42.")),
            Talk.of(asks("Tell me a long story about animals"), repeats(" moo")));

    private Lines() {}

    static Path folder() {
        return Parrot.learnt(Family.QWEN, TALKS);
    }

    static Model model() {
        return Model.load(folder(), Model.Options.defaults().withThreads(1));
    }

    /// Whoever says nothing else gets the likeliest tokens.
    static WokChatRequestParameters greedy() {
        return WokChatRequestParameters.builder().temperature(0.0).build();
    }
}
