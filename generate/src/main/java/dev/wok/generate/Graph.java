package dev.wok.generate;

import dev.wok.generate.json.Grammar;
import dev.wok.generate.json.Trie;
import dev.wok.notice.BadInput;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// A [Flow] as parts that each know the number of what follows. Unchangeable.
final class Graph {
    sealed interface Part {}

    /// @param bytes one or more
    record Text(byte[] bytes, int next) implements Part {}

    record One(int id, int next) implements Part {}

    record Value(Grammar grammar, int next) implements Part {}

    /// @param triggers the bytes of `texts`
    /// @param most tokens
    record Free(List<Text> texts, List<One> ones, Triggers triggers, boolean mayEnd, int most) implements Part {}

    /// Any of some parts.
    record Split(List<Integer> next) implements Part {}

    record End() implements Part {}

    static final int UNLIMITED = Integer.MAX_VALUE;

    private final List<Part> parts = new ArrayList<>();

    /// The texts that have to be written.
    private final List<Text> needed = new ArrayList<>();

    private final int start;

    /// @throws BadInput where free text can neither end nor go on
    Graph(Flow flow) {
        start = add(flow, add(new End()));
    }

    private int add(Part part) {
        parts.add(part);
        return parts.size() - 1;
    }

    /// @param next what follows the flow
    /// @return what it begins with
    private int add(Flow flow, int next) {
        return switch (flow) {
            case Flow.Given(String text) when text.isEmpty() -> next;
            case Flow.Given given -> {
                Text text = text(given, next);
                needed.add(text);
                yield add(text);
            }
            case Flow.Id(int id) -> add(new One(id, next));
            case Flow.Choice(List<Flow> choices) ->
                add(new Split(choices.stream().map(part -> add(part, next)).toList()));
            case Flow.Sequence(List<Flow> sequence) -> {
                int then = next;
                for (Flow part : sequence.reversed()) {
                    then = add(part, then);
                }
                yield then;
            }
            case Flow.Repeat(Flow part) -> {
                List<Integer> ways = new ArrayList<>();
                int split = add(new Split(ways));
                ways.add(add(part, split));
                ways.add(next);
                yield split;
            }
            case Flow.Free free -> add(free(free, next));
            case Json(Grammar grammar) -> add(new Value(grammar, next));
            case Constraint constraint -> add(constraint.flow(), next);
        };
    }

    private static Text text(Flow.Given given, int next) {
        return new Text(given.text().getBytes(StandardCharsets.UTF_8), next);
    }

    private Free free(Flow.Free free, int next) {
        if (free.ends().isEmpty() && !free.mayEnd()) {
            throw new BadInput("free text must go on and has nothing that ends it; say until what.");
        }
        List<Text> texts = new ArrayList<>();
        List<One> ones = new ArrayList<>();
        for (Flow.Until until : free.ends()) {
            int then = add(until.then(), next);
            switch (until.trigger()) {
                case Flow.Given given -> texts.add(text(given, then));
                case Flow.Id(int id) -> ones.add(new One(id, then));
            }
        }
        if (free.most().isPresent()) {
            needed.addAll(texts);
        }
        Triggers triggers = new Triggers(texts.stream().map(Text::bytes).toList());
        return new Free(texts, ones, triggers, free.mayEnd(), free.most().orElse(UNLIMITED));
    }

    Part part(int number) {
        return parts.get(number);
    }

    /// @return the number of the part that is first
    int start() {
        return start;
    }

    /// @throws BadInput where it has texts that cannot be written whatever tokens they begin with, or tokens
    ///     that there are not
    void check(Trie trie) {
        for (Text text : needed) {
            for (byte b : text.bytes) {
                if (!trie.hasByte(b & 0xFF)) {
                    throw new BadInput("a form has the text '%s', and the byte 0x%02x of it is no token by itself."
                            .formatted(new String(text.bytes, StandardCharsets.UTF_8), b));
                }
            }
        }
        for (Part part : parts) {
            switch (part) {
                case One one -> check(one, trie);
                case Free free -> free.ones.forEach(one -> check(one, trie));
                case Text _, Value _, Split _, End _ -> {}
            }
        }
    }

    private static void check(One one, Trie trie) {
        if (one.id >= trie.size()) {
            throw new BadInput("a form has the token %d, expected less than %d, the vocabulary's size."
                    .formatted(one.id, trie.size()));
        }
    }
}
