package dev.wok.generate;

import dev.wok.generate.json.Grammar;
import dev.wok.generate.json.Matcher;

/// What an answer may be: JSON, or JSON that a schema allows. While tokens are picked, those that lead to
/// nothing of the kind are left out. Unchangeable, safe for many threads, and good for many answers.
///
/// The text is a JSON value (RFC 8259) in UTF-8 that the schema (JSON Schema, draft 2020-12) allows. Not
/// each such text can come about: members come in the order in which the schema declares them, then
/// others, of which the names have no escapes; there is a blank or the end of a line with an indentation
/// where white space helps reading, and nowhere else; strings with a pattern, a format or given values have
/// no escapes but those that they need; numbers have at most 15 digits, integers 18; values nest at most 64
/// levels deep, and an object has at most 256 members that are not declared.
///
/// There is no dead end where all 256 single bytes are tokens: whatever was picked, something leads on to
/// an end. Without a bound on lengths in the schema, a model may still never get there.
public final class Constraint {
    private final Grammar grammar;

    private Constraint(Grammar grammar) {
        this.grammar = grammar;
    }

    /// @return JSON of any kind
    public static Constraint anyJson() {
        return new Constraint(Grammar.anyJson());
    }

    /// The keywords are `type`, `enum`, `const`; `properties`, `required`, `additionalProperties`,
    /// `minProperties`, `maxProperties`; `items`, `prefixItems`, `minItems`, `maxItems`; `minLength`,
    /// `maxLength`, `pattern`, and `format` with date, time, date-time, uuid, email or ipv4; `minimum`,
    /// `maximum`, `exclusiveMinimum`, `exclusiveMaximum`; `anyOf`, `allOf`, `oneOf` of branches that are
    /// sure to exclude each other; `$ref` within the document, also to what it is in. Annotations are left
    /// out of account, all other keywords are refused.
    ///
    /// @param json a JSON schema
    /// @throws dev.wok.notice.BadInput where it is no JSON, malformed or not supported, or allows no value
    public static Constraint schema(String json) {
        return new Constraint(Grammar.schema(json));
    }

    /// @return the beginning of an answer
    Matcher matcher(Vocabulary vocabulary) {
        return grammar.matcher(vocabulary.trie());
    }
}
