package dev.wok.generate;

import dev.wok.generate.json.Grammar;
import java.util.Set;

/// What an answer may be: JSON, JSON that a schema allows, or a [Flow] of parts. While tokens are picked, those
/// that lead to nothing of the kind are left out. Unchangeable, safe for many threads, and good for many
/// answers.
///
/// JSON is a value (RFC 8259) in UTF-8 that the schema (JSON Schema, draft 2020-12) allows. Not
/// each such text can come about: members come in the order in which the schema declares them, then
/// others, of which the names have no escapes; there is a blank or the end of a line with an indentation
/// where white space helps reading, and nowhere else; strings with a pattern, a format or given values have
/// no escapes but those that they need; numbers have at most 15 digits, integers 18; values nest at most 64
/// levels deep, and an object has at most 256 members that are not declared.
///
/// There is no dead end where all 256 single bytes are tokens and end no text: whatever was picked, something
/// leads on to an end. A form whose given texts have bytes that are no tokens is refused when it is made.
/// Without a bound on lengths in the schema or of free text, a model may still never get to an end.
public final class Constraint implements Flow {
    private final Flow flow;
    private final Graph graph;

    private Constraint(Flow flow) {
        this.flow = flow;
        graph = new Graph(flow);
    }

    /// @return texts of these parts
    /// @throws dev.wok.notice.BadInput where there is free text in it that can neither end nor go on
    public static Constraint of(Flow flow) {
        return new Constraint(flow);
    }

    /// @return JSON of any kind
    public static Constraint anyJson() {
        return new Constraint(new Json(Grammar.anyJson()));
    }

    /// The keywords are `type`, `enum`, `const`; `properties`, `required`, `additionalProperties`,
    /// `minProperties`, `maxProperties`; `items`, `prefixItems`, `minItems`, `maxItems`; `minLength`,
    /// `maxLength`, `pattern`, and `format` with date, time, date-time, uuid, email or ipv4, of numbers
    /// with int32, int64, float or double; `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`;
    /// `anyOf`, `allOf`, `oneOf` of branches that are sure to exclude each other; `$ref` within the
    /// document, also to what it is in. Annotations are left out of account, all other keywords are refused.
    ///
    /// @param json a JSON schema
    /// @throws dev.wok.notice.BadInput where it is no JSON, malformed or not supported, or allows no value
    public static Constraint schema(String json) {
        return new Constraint(new Json(Grammar.schema(json)));
    }

    Flow flow() {
        return flow;
    }

    /// @throws dev.wok.notice.BadInput where a vocabulary does not have what the parts need
    void check(Vocabulary vocabulary) {
        graph.check(vocabulary.trie());
    }

    /// @param stopIds tokens that end the answer
    /// @return the beginning of an answer
    FlowMatcher matcher(Vocabulary vocabulary, Set<Integer> stopIds) {
        return new FlowMatcher(graph, vocabulary.trie(), stopIds);
    }
}
