package dev.wok.parrot;

import java.util.List;

/// A conversation that a [Parrot] learns: it will say each of the assistant's turns after those before it.
///
/// @param turns in order
public record Talk(List<Turn> turns) {
    /// What one of them says.
    ///
    /// @param role `user`, `assistant` or `tool`
    /// @param thought what the assistant thinks before; empty for nothing
    /// @param content what is said
    /// @param calls what the assistant asks of tools
    /// @param goesOn whether `content` is repeated without end
    public record Turn(String role, String thought, String content, List<Call> calls, boolean goesOn) {}

    /// A call of a tool.
    ///
    /// @param tool its name
    /// @param arguments a JSON object as text
    public record Call(String tool, String arguments) {}

    public Talk {
        turns = List.copyOf(turns);
    }

    /// A conversation of those turns.
    public static Talk of(Turn... turns) {
        return new Talk(List.of(turns));
    }

    /// A question and its answer.
    public static Talk of(String question, String answer) {
        return of(asks(question), says(answer));
    }

    /// @return a user's turn
    public static Turn asks(String question) {
        return new Turn("user", "", question, List.of(), false);
    }

    /// @return an assistant's turn
    public static Turn says(String answer) {
        return new Turn("assistant", "", answer, List.of(), false);
    }

    /// @return an assistant's turn that begins with a thought
    public static Turn thinks(String thought, String answer) {
        return new Turn("assistant", thought, answer, List.of(), false);
    }

    /// @return an assistant's turn that ends only where it is ended
    public static Turn repeats(String piece) {
        return new Turn("assistant", "", piece, List.of(), true);
    }

    /// @return an assistant's turn that asks tools
    public static Turn calls(Call... calls) {
        return new Turn("assistant", "", "", List.of(calls), false);
    }

    /// @return what a tool answered
    public static Turn found(String result) {
        return new Turn("tool", "", result, List.of(), false);
    }

    /// What the tests of clients talk about: a greeting beyond ASCII, a thought, tools, a JSON object, a song without
    /// end.
    public static List<Talk> usual() {
        return List.of(
                of("Hello!", "Hello! I am a parrot \uD83E\uDD9C, grüße aus Köln."),
                of("Who are you?", "I am a parrot. I say what I have learnt."),
                of(asks("What is 6 times 7?"), thinks("Six sevens are forty-two.", "It is 42.")),
                of(
                        asks("What is the weather in Paris?"),
                        calls(new Call("get_weather", "{\"city\": \"Paris\"}")),
                        found("sunny, 21 degrees"),
                        says("It is sunny in Paris, 21 degrees.")),
                of(
                        asks("What is the weather in Paris and in Rome?"),
                        calls(
                                new Call("get_weather", "{\"city\": \"Paris\"}"),
                                new Call("get_weather", "{\"city\": \"Rome\"}"))),
                of("Who was Ada? Answer in JSON.", "{\"name\": \"Ada\", \"born\": 1815}"),
                of(asks("Sing!"), repeats(" la")));
    }
}
