package dev.wok.text;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/// Turns what a GGUF file says of its tokenizer into the files that say the same, which
/// [TokenizerReader] reads.
final class GgufTokenizer {
    private static final String KEYS = "tokenizer.ggml.";
    private static final String MODEL = KEYS + "model";
    private static final String PRE = KEYS + "pre";
    private static final String TOKENS = KEYS + "tokens";
    private static final String MERGES = KEYS + "merges";
    private static final String TYPES = KEYS + "token_type";
    private static final String BEGIN = KEYS + "bos_token_id";
    private static final String END = KEYS + "eos_token_id";
    private static final String PADDING = KEYS + "padding_token_id";
    private static final String ADD_BEGIN = KEYS + "add_bos_token";
    private static final String ADD_END = KEYS + "add_eos_token";
    private static final String TEMPLATE = "tokenizer.chat_template";
    private static final String TOOL_TEMPLATE = TEMPLATE + ".tool_use";
    private static final String BYTE_LEVEL = "gpt2";
    private static final String BEGIN_TOKEN = "bos_token";
    private static final long NO_LIMIT = 1L << 30;

    private static final long NORMAL = 1;
    private static final long CONTROL = 3;
    private static final long USER_DEFINED = 4;
    private static final long UNUSED = 5;
    private static final long BYTE = 6;

    private final Map<String, Object> metadata;
    private final String name;
    private final List<String> tokens;
    private final List<Long> types;

    private GgufTokenizer(Map<String, Object> metadata, String name) {
        this.metadata = metadata;
        this.name = name;
        String model = required(MODEL, String.class, "a string");
        if (!model.equals(BYTE_LEVEL)) {
            throw refuse("is of the kind '%s', which Wok does not read (only '%s', byte-level BPE)"
                    .formatted(model, BYTE_LEVEL));
        }
        this.tokens = list(TOKENS, String.class, "strings");
        this.types = metadata.containsKey(TYPES) ? list(TYPES, Long.class, "numbers") : List.of();
        if (tokens.isEmpty() || !types.isEmpty() && types.size() != tokens.size()) {
            throw refuse("has %d tokens and %d token types".formatted(tokens.size(), types.size()));
        }
    }

    /// @param where the metadata comes from, for messages
    static Tokenizer read(Map<String, Object> metadata, String where) {
        GgufTokenizer read = new GgufTokenizer(metadata, "of " + where);
        return TokenizerReader.read(read.name, where, read.files());
    }

    private Map<String, byte[]> files() {
        String pre = required(PRE, String.class, "a string");
        GgufStyle style = GgufStyle.named(pre)
                .orElseThrow(() -> refuse("cuts text as '%s', which Wok does not know (%s)"
                        .formatted(pre, String.join(", ", GgufStyle.names()))));
        Optional<String> template = value(TEMPLATE, String.class, "a string");
        OptionalInt begin = id(BEGIN);
        OptionalInt end = id(END);
        boolean addBegin = adds(ADD_BEGIN, style.begins() && begin.isPresent(), BEGIN, begin);
        boolean addEnd = adds(ADD_END, false, END, end);
        Map<String, OptionalInt> named = new LinkedHashMap<>();
        boolean writesBegin = template.filter(t -> t.contains(BEGIN_TOKEN)).isPresent();
        named.put(BEGIN_TOKEN, addBegin || writesBegin || style.namesBegin() ? begin : OptionalInt.empty());
        named.put("eos_token", end);
        named.put("pad_token", id(PADDING));

        Map<String, Integer> vocab = new LinkedHashMap<>();
        List<Map<String, Object>> added = new ArrayList<>();
        for (int id = 0; id < tokens.size(); id++) {
            addToken(id, isNamed(id, named), vocab, added);
        }
        TokenizerJson json = new TokenizerJson(
                vocab,
                list(MERGES, String.class, "strings"),
                style.ignoreMerges(),
                added,
                style.normalizer(),
                style.splitters(),
                addBegin ? List.of(tokens.get(begin.getAsInt())) : List.of(),
                addEnd ? List.of(tokens.get(end.getAsInt())) : List.of());
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put(Tokenizer.FILE, TokenizerJson.bytes(json.root()));
        files.put(Tokenizer.CONFIG_FILE, TokenizerJson.bytes(config(named, addBegin, addEnd, template)));
        return files;
    }

    private static boolean isNamed(int id, Map<String, OptionalInt> named) {
        return named.values().contains(OptionalInt.of(id));
    }

    /// An unused token fills the vocabulary up to the size of the embedding, and no text becomes it.
    private void addToken(int id, boolean named, Map<String, Integer> vocab, List<Map<String, Object>> added) {
        String token = tokens.get(id);
        long type = types.isEmpty() ? NORMAL : types.get(id);
        if (type < NORMAL || type > BYTE) {
            throw refuse(
                    "gives the token %d the type %d, expected one from %d to %d".formatted(id, type, NORMAL, BYTE));
        }
        if (!named && (type == UNUSED || token.isEmpty())) {
            return;
        }
        if (token.isEmpty()) {
            throw refuse("begins, ends or pads texts with the token %d, which is empty".formatted(id));
        }
        Integer other = vocab.putIfAbsent(token, id);
        if (other != null) {
            throw refuse("has the token %s twice, as %d and %d".formatted(token, other, id));
        }
        if (type == CONTROL || type == USER_DEFINED) {
            added.add(TokenizerJson.added(token, id, type == CONTROL));
        }
    }

    private Map<String, Object> config(
            Map<String, OptionalInt> named, boolean addBegin, boolean addEnd, Optional<String> template) {
        Map<String, Object> config = TokenizerJson.row("tokenizer_class", "PreTrainedTokenizerFast");
        named.forEach((key, id) -> id.ifPresent(i -> config.put(key, tokens.get(i))));
        config.put("add_bos_token", addBegin);
        config.put("add_eos_token", addEnd);
        config.put("clean_up_tokenization_spaces", false);
        config.put("model_max_length", NO_LIMIT);
        Optional<String> toolTemplate = value(TOOL_TEMPLATE, String.class, "a string");
        if (template.isPresent() && toolTemplate.isPresent()) {
            config.put(
                    "chat_template",
                    List.of(
                            TokenizerJson.row("name", "default", "template", template.get()),
                            TokenizerJson.row("name", "tool_use", "template", toolTemplate.get())));
        } else {
            template.ifPresent(source -> config.put("chat_template", source));
        }
        return config;
    }

    private boolean adds(String key, boolean otherwise, String idKey, OptionalInt id) {
        boolean adds = value(key, Boolean.class, "true or false").orElse(otherwise);
        if (adds && id.isEmpty()) {
            throw refuse("says %s and no %s".formatted(key, idKey));
        }
        return adds;
    }

    private OptionalInt id(String key) {
        Optional<Long> id = value(key, Long.class, "a number");
        if (id.isEmpty()) {
            return OptionalInt.empty();
        }
        if (id.get() < 0 || id.get() >= tokens.size()) {
            throw refuse(
                    "says %s = %d, expected one of its tokens, 0 to %d".formatted(key, id.get(), tokens.size() - 1));
        }
        return OptionalInt.of(id.get().intValue());
    }

    private <T> T required(String key, Class<T> type, String expected) {
        return value(key, type, expected)
                .orElseThrow(() -> refuse("lacks %s, expected to be %s; convert the model again with its tokenizer"
                        .formatted(key, expected)));
    }

    private <T> Optional<T> value(String key, Class<T> type, String expected) {
        Object value = metadata.get(key);
        if (value != null && !type.isInstance(value)) {
            Object said = value instanceof List<?> list ? "a list of " + list.size() : value;
            throw refuse("says %s = %s, expected %s".formatted(key, said, expected));
        }
        return Optional.ofNullable(value).map(type::cast);
    }

    private <T> List<T> list(String key, Class<T> type, String expected) {
        List<T> out = new ArrayList<>();
        for (Object element : required(key, List.class, "a list of " + expected)) {
            if (!type.isInstance(element)) {
                throw refuse("has %s in %s, expected %s".formatted(element, key, expected));
            }
            out.add(type.cast(element));
        }
        return out;
    }

    private BadInput refuse(String what) {
        return new BadInput("the tokenizer %s %s.".formatted(name, OneLine.of(what)));
    }
}
