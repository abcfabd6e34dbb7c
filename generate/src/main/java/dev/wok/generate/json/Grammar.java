package dev.wok.generate.json;

import java.util.concurrent.atomic.AtomicReference;

/// A set of JSON texts. Keeps masks for one vocabulary, the last that it was used with. Thread safe.
public final class Grammar {
    private final Node root;
    private final boolean fewReadings;
    private final AtomicReference<Masks> masks = new AtomicReference<>();

    private Grammar(Node root) {
        this.root = root;
        fewReadings = Widths.areFew(root);
    }

    /// @return any value
    public static Grammar anyJson() {
        return schema("true");
    }

    /// @param json a JSON schema
    /// @return the values that it allows
    /// @throws dev.wok.notice.BadInput where it is malformed, not supported or allows nothing
    public static Grammar schema(String json) {
        return new Grammar(Compiler.compile(json));
    }

    /// @return the beginning of a text
    public Matcher matcher(Trie vocabulary) {
        Masks known = masks.get();
        if (known == null || known.trie() != vocabulary) {
            known = new Masks(vocabulary, fewReadings);
            masks.set(known);
        }
        return new Matcher(known, Stack.DONE.push(new StartFrame(root, Space.NONE)));
    }
}
