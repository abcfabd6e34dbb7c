package dev.wok.generate;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/// Parts of a text and their order, of which [Constraint#of] makes what an answer may be: text that is free
/// until something occurs, text and tokens that are given, JSON. So a model thinks freely and then answers
/// in JSON, or writes freely and is held to a schema where it calls a tool.
///
/// ```java
/// Flow call = Flow.sequence(
///         Flow.given("\n{\"name\": \"get_time\", \"arguments\": "),
///         Constraint.schema(parameters),
///         Flow.given("}\n</tool_call>"));
/// Constraint.of(Flow.sequence(
///         Flow.free().until(Flow.token(endOfThoughts)).mustGoOn().atMost(1000),
///         Flow.repeat(Flow.free().until(Flow.given("<tool_call>"), call))));
/// ```
///
/// Where parts begin alike, the tokens that are picked decide between them. A token holds bytes of one part
/// only, but it may run from given text into given text. A stop token ends the text where it may end, and is
/// in it only where [#token] asks for it.
public sealed interface Flow
        permits Flow.Trigger, Flow.Choice, Flow.Sequence, Flow.Repeat, Flow.Free, Json, Constraint {
    /// What ends free text.
    sealed interface Trigger extends Flow permits Given, Id {}

    /// A given text, of any tokens.
    ///
    /// @param text may be empty
    record Given(String text) implements Trigger {}

    /// A given token, whatever it says.
    ///
    /// @param id of the vocabulary
    record Id(int id) implements Trigger {
        public Id {
            if (id < 0) {
                throw new BadInput("a form has the token %d, expected 0 or more.".formatted(id));
            }
        }
    }

    /// One of several parts.
    ///
    /// @param parts one or more
    record Choice(List<Flow> parts) implements Flow {
        public Choice {
            parts = List.copyOf(parts);
            if (parts.isEmpty()) {
                throw new BadInput("a choice has no parts, expected one or more.");
            }
        }
    }

    /// Parts one after another.
    ///
    /// @param parts may be none
    record Sequence(List<Flow> parts) implements Flow {
        public Sequence {
            parts = List.copyOf(parts);
        }
    }

    /// A part any number of times, or not at all.
    ///
    /// @param part each time
    record Repeat(Flow part) implements Flow {}

    /// Any tokens, also those without text, until a trigger has come, whose part follows.
    ///
    /// A text is a trigger when a token ends with it: tokens that begin before its end and end after it are not
    /// picked. Tokens without text do not interrupt it.
    ///
    /// @param ends what ends it
    /// @param mayEnd whether the whole text may end in it
    /// @param most tokens, then a trigger has to come, or a part of one that is there is completed; up to three
    ///     more where a character would be cut; empty for no limit
    record Free(List<Until> ends, boolean mayEnd, OptionalInt most) implements Flow {
        public Free {
            ends = List.copyOf(ends);
            if (most.isPresent() && most.getAsInt() < 0) {
                throw new BadInput(
                        "free text of at most %d tokens is asked for, expected 0 or more.".formatted(most.getAsInt()));
            }
        }

        /// @param then parts that follow
        /// @return this with one more trigger
        public Free until(Trigger trigger, Flow... then) {
            List<Until> more = new ArrayList<>(ends);
            more.add(new Until(trigger, sequence(then)));
            return new Free(more, mayEnd, most);
        }

        /// @return this as a part in which the whole text does not end
        public Free mustGoOn() {
            return new Free(ends, false, most);
        }

        /// @param tokens after which a trigger comes
        /// @return this with a limit
        public Free atMost(int tokens) {
            return new Free(ends, mayEnd, OptionalInt.of(tokens));
        }
    }

    /// What ends free text, and how it goes on.
    ///
    /// @param trigger a token, or a text of one character or more
    /// @param then what follows
    record Until(Trigger trigger, Flow then) {
        public Until {
            if (trigger instanceof Given(String text) && text.isEmpty()) {
                throw new BadInput("a text that ends free text is empty, expected one character or more.");
            }
        }
    }

    /// @return a part that is this text
    static Given given(String text) {
        return new Given(text);
    }

    /// @return a part that is this token
    static Id token(int id) {
        return new Id(id);
    }

    /// @return a part that is any of these
    static Flow choice(Flow... parts) {
        return new Choice(List.of(parts));
    }

    /// @return these parts one after another
    static Flow sequence(Flow... parts) {
        return new Sequence(List.of(parts));
    }

    /// @return a part any number of times, or not at all
    static Flow repeat(Flow part) {
        return new Repeat(part);
    }

    /// @return free text to the end of the whole
    static Free free() {
        return new Free(List.of(), true, OptionalInt.empty());
    }
}
