package dev.wok.serve;

import dev.wok.notice.BadInput;
import dev.wok.text.Tokenizer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// `POST /v1/embeddings`
final class Embeddings implements Route {
    private static final int MOST_TEXTS = 2048;
    private static final Set<String> FORMATS = Set.of("float", "base64");

    @Override
    public void answer(Call call) {
        Fields fields = Fields.of(call.body());
        Models.Named model = call.models().named(fields);
        Tokenizer tokenizer = TokenTexts.tokenizer(model);
        boolean base64 = fields.word("encoding_format", FORMATS).orElse("float").equals("base64");
        OptionalInt dimensions =
                fields.count("dimensions", 1, model.model().config().hiddenSize());
        List<String> texts = texts(fields, tokenizer);
        int tokens = texts.stream()
                .mapToInt(text -> tokenizer.encode(text, true).length)
                .sum();
        List<float[]> vectors;
        try (Call.Places places = call.places(1)) {
            vectors = embed(model, texts, tokenizer);
            places.used(tokens, 0);
        }
        call.send(200, json(model, vectors, dimensions, base64, tokens));
    }

    private static List<String> texts(Fields fields, Tokenizer tokenizer) {
        JsonNode input = fields.any("input").orElseThrow(() -> fields.missing("input", "text or a list of texts"));
        boolean ids = input.isArray() && input.size() > 0 && input.get(0).isNumber();
        boolean lists = input.isArray() && input.size() > 0 && input.get(0).isArray();
        List<String> texts;
        if (ids) {
            texts = List.of(text(fields.ids("input"), tokenizer));
        } else if (lists) {
            texts = fields.listsOfIds("input").stream()
                    .map(list -> text(list, tokenizer))
                    .toList();
        } else {
            texts = fields.textOrTexts("input");
        }
        if (texts.isEmpty() || texts.size() > MOST_TEXTS || texts.contains("")) {
            throw fields.wrong("input", "1 to %d texts, none of them empty".formatted(MOST_TEXTS));
        }
        return texts;
    }

    private static String text(int[] ids, Tokenizer tokenizer) {
        TokenTexts.requireKnown(ids, tokenizer.size(), "input");
        return tokenizer.decode(ids, false);
    }

    private static List<float[]> embed(Models.Named model, List<String> texts, Tokenizer tokenizer) {
        try {
            return model.model().embed(texts);
        } catch (BadInput e) {
            throw Context.refusal(
                    e,
                    model,
                    () -> texts.stream()
                            .mapToInt(text -> tokenizer.encode(text, true).length)
                            .max()
                            .orElse(0),
                    "input");
        }
    }

    private static ObjectNode json(
            Models.Named model, List<float[]> vectors, OptionalInt dimensions, boolean base64, int tokens) {
        ObjectNode root = JsonNodeFactory.instance.objectNode().put("object", "list");
        ArrayNode data = root.putArray("data");
        for (int i = 0; i < vectors.size(); i++) {
            float[] vector = dimensions.isPresent() ? cut(vectors.get(i), dimensions.getAsInt()) : vectors.get(i);
            ObjectNode entry = data.addObject().put("object", "embedding").put("index", i);
            if (base64) {
                entry.put("embedding", base64(vector));
            } else {
                ArrayNode numbers = entry.putArray("embedding");
                for (float number : vector) {
                    numbers.add(number);
                }
            }
        }
        root.put("model", model.name());
        root.putObject("usage").put("prompt_tokens", tokens).put("total_tokens", tokens);
        return root;
    }

    /// The beginning of a vector, made as long as it was (A. Kusupati et al., Matryoshka Representation
    /// Learning, 2022).
    static float[] cut(float[] vector, int dimensions) {
        float[] cut = Arrays.copyOf(vector, dimensions);
        double square = 0;
        for (float number : cut) {
            square += (double) number * number;
        }
        for (int i = 0; i < cut.length && square > 0; i++) {
            cut[i] = (float) (cut[i] / Math.sqrt(square));
        }
        return cut;
    }

    /// @return little-endian float32
    static String base64(float[] vector) {
        ByteBuffer bytes = ByteBuffer.allocate(vector.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(vector);
        return Base64.getEncoder().encodeToString(bytes.array());
    }
}
