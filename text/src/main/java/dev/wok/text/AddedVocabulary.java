package dev.wok.text;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import tools.jackson.databind.JsonNode;

/// Added tokens as they are collected: those of `tokenizer.json`, then what `tokenizer_config.json` adds or changes. A
/// token that the model's vocabulary holds keeps its id; another gets the next free one, whatever the file says.
final class AddedVocabulary {
    private final Map<String, Integer> vocab;
    private final UnaryOperator<String> normalize;
    private final Map<String, AddedToken> byContent = new LinkedHashMap<>();
    private final Set<String> special = new HashSet<>();
    private int nextId;

    AddedVocabulary(Map<String, Integer> vocab, UnaryOperator<String> normalize) {
        this.vocab = vocab;
        this.normalize = normalize;
        this.nextId = vocab.size();
    }

    boolean has(String content) {
        return byContent.containsKey(content);
    }

    /// Adds a token, or changes how one is matched.
    ///
    /// @param token an object as the files write it, or its content alone
    void add(JsonNode token, boolean isSpecial) {
        String content =
                token.isString() ? token.asString() : token.path("content").asString("");
        if (content.isEmpty()) {
            return;
        }
        AddedToken old = byContent.get(content);
        int id = old == null ? vocab.getOrDefault(content, nextId) : old.id();
        nextId = Math.max(nextId, id + 1);
        boolean normalized = token.path("normalized").asBoolean(!isSpecial);
        AddedToken added = new AddedToken(
                id,
                normalized ? normalize.apply(content) : content,
                token.path("single_word").asBoolean(false),
                token.path("lstrip").asBoolean(false),
                token.path("rstrip").asBoolean(false),
                normalized);
        byContent.put(content, added);
        if (isSpecial) {
            special.add(content);
        }
    }

    void makeSpecial(String content) {
        special.add(content);
    }

    /// @return all tokens, the special ones first, otherwise in the order they came
    Collection<AddedToken> tokens() {
        List<AddedToken> tokens = new ArrayList<>();
        for (boolean wanted : new boolean[] {true, false}) {
            byContent.forEach((content, token) -> {
                if (special.contains(content) == wanted) {
                    tokens.add(token);
                }
            });
        }
        return tokens;
    }

    /// @return contents that decoding may leave out, as the files spell them: a token whose content changed when it was
    ///     normalised is never left out
    Set<String> special() {
        return special;
    }
}
