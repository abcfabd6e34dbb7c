package dev.wok.text;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// Reads `tokenizer.json` and its neighbours into a [Tokenizer], refusing by name whatever is not read here.
final class TokenizerReader {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MAX_ID = 1 << 22;
    private static final int MAX_SPLITTERS = 100;

    private final String name;
    private final JsonNode root;
    private final TokenizerConfig config;
    private final Map<String, Integer> vocab = new HashMap<>();
    private final List<Normalizer.Form> forms = new ArrayList<>();
    private int patternLength;

    private TokenizerReader(String name, JsonNode root, TokenizerConfig config) {
        this.name = name;
        this.root = root;
        this.config = config;
    }

    static Tokenizer load(Path folderOrFile) {
        boolean folder = Files.isDirectory(folderOrFile);
        Path file = folder ? folderOrFile.resolve(Tokenizer.FILE) : folderOrFile;
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put(Tokenizer.FILE, bytes(file));
        for (String neighbour : Tokenizer.NEIGHBOURS) {
            Path path = folderOrFile.resolve(neighbour);
            if (folder && Files.exists(path)) {
                files.put(neighbour, bytes(path));
            }
        }
        return read(file.toString(), file.resolveSibling(Tokenizer.CONFIG_FILE).toString(), files);
    }

    /// @param name of `tokenizer.json`, for messages
    /// @param configName of `tokenizer_config.json`, for messages
    /// @param files contents by file name
    static Tokenizer read(String name, String configName, Map<String, byte[]> files) {
        TokenizerConfig config = TokenizerConfig.read(configName, files);
        byte[] json = files.getOrDefault(Tokenizer.FILE, new byte[0]);
        return new Tokenizer(new TokenizerReader(name, parse(name, json), config).parts(), files);
    }

    static JsonNode parse(String file, byte[] json) {
        JsonNode root;
        try {
            root = JSON.readTree(json);
        } catch (JacksonException e) {
            throw BadInput.notJson(file, e);
        }
        if (!root.isObject()) {
            throw new BadInput("%s holds no JSON object; download or write it again.".formatted(file));
        }
        return root;
    }

    private static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    private BadInput refuse(String what) {
        return new BadInput("the tokenizer %s %s.".formatted(name, OneLine.of(what)));
    }

    private BadInput unread(String part, String what) {
        return refuse("has %s %s, which Wok does not read (byte-level BPE tokenizers only)".formatted(part, what));
    }

    private Tokenizer.Parts parts() {
        normalizer(root.path("normalizer"));
        Bpe bpe = model(root.path("model"));
        List<PreTokenizer.Step> steps = new ArrayList<>();
        if (!preTokenizer(root.path("pre_tokenizer"), steps, false)) {
            throw unread("a pre_tokenizer", "without ByteLevel at its end");
        }
        decoder(root.path("decoder"), false);

        AddedVocabulary added = new AddedVocabulary(vocab, content -> Tokenizer.normalize(forms, content));
        for (JsonNode token : list(root.path("added_tokens"), "added_tokens")) {
            added.add(token, token.path("special").asBoolean(false));
        }
        config.addTo(added);

        Map<String, Integer> ids = new HashMap<>(vocab);
        int size = 0;
        for (int id : vocab.values()) {
            size = Math.max(size, id + 1);
        }
        for (AddedToken token : added.tokens()) {
            ids.put(token.content(), token.id());
            size = Math.max(size, token.id() + 1);
        }
        byte[][] bytes = new byte[size][];
        vocab.forEach((token, id) -> bytes[id] = ByteAlphabet.decoded(token));
        added.tokens().forEach(t -> bytes[t.id()] = ByteAlphabet.decoded(t.content()));

        BitSet special = new BitSet();
        for (AddedToken token : added.tokens()) {
            special.set(token.id(), added.special().contains(token.content()));
        }
        int[][] around = postProcessor(root.path("post_processor"), new HashSet<>(ids.values()));
        return new Tokenizer.Parts(
                new AddedTokens(
                        added.tokens().stream().filter(t -> !t.normalized()).toList()),
                List.copyOf(forms),
                new AddedTokens(
                        added.tokens().stream().filter(AddedToken::normalized).toList()),
                new PreTokenizer(steps),
                bpe,
                ids,
                bytes,
                special,
                around[0],
                around[1],
                idOf(config.named("bos_token"), ids),
                idOf(config.named("eos_token"), ids),
                config.template());
    }

    private static OptionalInt idOf(Optional<String> token, Map<String, Integer> ids) {
        Integer id = token.map(ids::get).orElse(null);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    private List<JsonNode> list(JsonNode node, String what) {
        if (node.isMissingNode() || node.isNull()) {
            return List.of();
        }
        if (!node.isArray()) {
            throw refuse("has %s that is no list; download or write it again".formatted(what));
        }
        return List.copyOf(node.values());
    }

    private static String type(JsonNode node) {
        return node.path("type").asString("without a type");
    }

    private void normalizer(JsonNode node) {
        if (node.isMissingNode() || node.isNull()) {
            return;
        }
        switch (type(node)) {
            case "Sequence" -> list(node.path("normalizers"), "normalizers").forEach(this::normalizer);
            case "NFC", "NFD", "NFKC", "NFKD" -> forms.add(Normalizer.Form.valueOf(type(node)));
            default -> throw unread("the normalizer", type(node));
        }
    }

    private Bpe model(JsonNode model) {
        if (!type(model).equals("BPE")
                && !(model.path("type").isMissingNode() && model.path("merges").isArray())) {
            throw unread("the model", type(model));
        }
        for (String key : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
            if (!model.path(key).asString("").isEmpty()) {
                throw unread("a model with", key);
            }
        }
        if (model.path("byte_fallback").asBoolean(false)) {
            throw unread("a model with", "byte_fallback");
        }
        if (model.path("dropout").asDouble(0) > 0) {
            throw unread("a model with", "dropout");
        }
        vocabulary(model.path("vocab"));
        if (!model.path("unk_token").asString("").isEmpty()) {
            for (int b = 0; b < 256; b++) {
                if (!vocab.containsKey(String.valueOf(ByteAlphabet.symbol(b)))) {
                    throw unread("an unk_token and a vocabulary", "that lacks the byte %02X".formatted(b));
                }
            }
        }
        List<Bpe.Merge> merges = new ArrayList<>();
        for (JsonNode merge : list(model.path("merges"), "merges")) {
            merges.add(merge(merge, merges.size()));
        }
        return new Bpe(vocab, merges, model.path("ignore_merges").asBoolean(false));
    }

    private void vocabulary(JsonNode node) {
        if (!node.isObject() || node.isEmpty()) {
            throw refuse("has no vocabulary (model.vocab); download or write it again");
        }
        BitSet seen = new BitSet();
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            JsonNode value = entry.getValue();
            int id = value.isInt() ? value.asInt() : -1;
            if (id < 0 || id >= MAX_ID) {
                throw refuse("gives the token %s the id %s, which is no number from 0 to %d"
                        .formatted(entry.getKey(), value, MAX_ID - 1));
            }
            if (seen.get(id)) {
                throw refuse("gives the id %d to two tokens, one of them %s".formatted(id, entry.getKey()));
            }
            seen.set(id);
            vocab.put(entry.getKey(), id);
        }
    }

    private Bpe.Merge merge(JsonNode node, int rank) {
        String left;
        String right;
        if (node.isArray() && node.size() == 2) {
            left = node.get(0).asString("");
            right = node.get(1).asString("");
        } else {
            String both = node.isString() ? node.asString() : "";
            int blank = both.indexOf(' ');
            if (blank < 0 || both.indexOf(' ', blank + 1) >= 0) {
                throw refuse("has a merge (number %d) that is no pair: %s".formatted(rank, node));
            }
            left = both.substring(0, blank);
            right = both.substring(blank + 1);
        }
        return new Bpe.Merge(idOfPart(left, rank), idOfPart(right, rank), idOfPart(left + right, rank));
    }

    private int idOfPart(String token, int rank) {
        Integer id = vocab.get(token);
        if (id == null) {
            throw refuse(
                    "merges into or from '%s' (merge number %d), which its vocabulary lacks".formatted(token, rank));
        }
        return id;
    }

    /// @param ended whether ByteLevel came already
    /// @return whether ByteLevel has come now
    private boolean preTokenizer(JsonNode node, List<PreTokenizer.Step> steps, boolean ended) {
        String type = type(node);
        if (type.equals("Sequence")) {
            boolean end = ended;
            for (JsonNode one : list(node.path("pretokenizers"), "pretokenizers")) {
                end = preTokenizer(one, steps, end);
            }
            return end;
        }
        if (ended) {
            throw unread("the pre_tokenizer", type + " after ByteLevel");
        }
        if (steps.size() > MAX_SPLITTERS) {
            throw unread("a pre_tokenizer", "of more than %d parts".formatted(MAX_SPLITTERS));
        }
        switch (type) {
            case "Split" -> steps.add(split(node));
            case "Digits" -> {
                boolean each = node.path("individual_digits").asBoolean(false);
                RegexPart digits = new RegexPart.Repeat(
                        new RegexPart.One(CharSet.NUMERIC), 1, each ? 1 : RegexPart.UNLIMITED, RegexPart.Mode.GREEDY);
                steps.add(new PreTokenizer.Split(Regex.of("Digits", digits), PreTokenizer.Behavior.ISOLATED, false));
            }
            case "ByteLevel" -> {
                if (node.path("add_prefix_space").asBoolean(true)) {
                    steps.add(new PreTokenizer.Prefix());
                }
                if (node.path("use_regex").asBoolean(true)) {
                    steps.add(new PreTokenizer.Split(Regex.of(Patterns.GPT2), PreTokenizer.Behavior.ISOLATED, false));
                }
                return true;
            }
            default -> throw unread("the pre_tokenizer", type);
        }
        return false;
    }

    private PreTokenizer.Split split(JsonNode node) {
        JsonNode pattern = node.path("pattern");
        Regex regex;
        if (pattern.path("Regex").isString()) {
            regex = Regex.of(counted(pattern.path("Regex").asString()));
        } else if (pattern.path("String").isString()) {
            String literal = counted(pattern.path("String").asString());
            List<RegexPart> characters = literal.codePoints()
                    .<RegexPart>mapToObj(c -> new RegexPart.One(CharSet.of(c)))
                    .toList();
            regex = Regex.of(literal, new RegexPart.Row(characters));
        } else {
            throw unread("a Split with the pattern", pattern.toString());
        }
        PreTokenizer.Behavior behavior = switch (node.path("behavior").asString("")) {
            case "Isolated" -> PreTokenizer.Behavior.ISOLATED;
            case "Removed" -> PreTokenizer.Behavior.REMOVED;
            case "MergedWithPrevious" -> PreTokenizer.Behavior.MERGED_WITH_PREVIOUS;
            case "MergedWithNext" -> PreTokenizer.Behavior.MERGED_WITH_NEXT;
            case "Contiguous" -> PreTokenizer.Behavior.CONTIGUOUS;
            default ->
                throw unread("a Split with the behavior", node.path("behavior").toString());
        };
        return new PreTokenizer.Split(regex, behavior, node.path("invert").asBoolean(false));
    }

    /// Each character may become a set of characters.
    private String counted(String pattern) {
        patternLength += pattern.length();
        if (patternLength > RegexParser.MAX_LENGTH) {
            throw unread(
                    "a pre_tokenizer", "with patterns of more than %d characters".formatted(RegexParser.MAX_LENGTH));
        }
        return pattern;
    }

    /// @return whether ByteLevel is in it
    private boolean decoder(JsonNode node, boolean inside) {
        boolean found = false;
        switch (type(node)) {
            case "ByteLevel" -> found = true;
            case "Fuse" -> {}
            case "Sequence" -> {
                for (JsonNode one : list(node.path("decoders"), "decoders")) {
                    found |= decoder(one, true);
                }
            }
            default -> throw unread("the decoder", type(node));
        }
        if (!found && !inside) {
            throw unread("a decoder", "without ByteLevel");
        }
        return found;
    }

    /// @return the ids before and after a text
    private int[][] postProcessor(JsonNode node, Set<Integer> ids) {
        int[][] around = {{}, {}};
        if (node.isMissingNode() || node.isNull()) {
            return around;
        }
        switch (type(node)) {
            case "ByteLevel" -> {}
            case "Sequence" -> {
                for (JsonNode one : list(node.path("processors"), "processors")) {
                    int[][] outer = postProcessor(one, ids);
                    around[0] = join(outer[0], around[0]);
                    around[1] = join(around[1], outer[1]);
                }
            }
            case "TemplateProcessing" -> {
                int part = 0;
                for (JsonNode piece : list(node.path("single"), "single")) {
                    if (piece.has("SpecialToken")) {
                        String token = piece.path("SpecialToken").path("id").asString("");
                        around[part] = join(around[part], templateIds(node, token, ids));
                    } else if (part++ > 0) {
                        throw unread("a TemplateProcessing", "with the text twice");
                    }
                }
                if (part == 0) {
                    throw unread("a TemplateProcessing", "without the text");
                }
            }
            case "BertProcessing", "RobertaProcessing" -> {
                around[0] = new int[] {known(node.path("cls").path(1), ids)};
                around[1] = new int[] {known(node.path("sep").path(1), ids)};
            }
            default -> throw unread("the post_processor", type(node));
        }
        return around;
    }

    private int[] templateIds(JsonNode node, String token, Set<Integer> ids) {
        List<JsonNode> listed = list(node.path("special_tokens").path(token).path("ids"), "special_tokens");
        if (listed.isEmpty()) {
            throw refuse("puts %s around a text without saying its id".formatted(token));
        }
        return listed.stream().mapToInt(id -> known(id, ids)).toArray();
    }

    private int known(JsonNode id, Set<Integer> ids) {
        if (!id.isInt() || !ids.contains(id.asInt())) {
            throw refuse("puts the id %s around a text, which is no token's".formatted(id));
        }
        return id.asInt();
    }

    private static int[] join(int[] a, int[] b) {
        int[] out = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, out, a.length, b.length);
        return out;
    }
}
