package dev.wok.generate.json;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/// Vocabularies for tests: all single bytes, and longer tokens that are cut out of texts anywhere.
final class Tokens {
    private static final String[] TEXTS = {
        "{\"a\": 1, \"b\": [true, false, null], \"name\": \"value\", \"c\": {\"x\": -1.5e+3, \"y\": 0.25}}",
        "{\n  \"id\": 1234567890,\n  \"next\": {\n    \"v\": [\n      1,\n      2\n    ]\n  }\n}",
        "[[], {}, [[1, 2], [3]], \"\", \"a\", {\"\": {}}], [\"x\",\"y\"],[{\"k\":\"v\"},{\"k\":null}]",
        "\"the quick brown fox\", \"jumps\\n over\\t the \\\"lazy\\\" dog \\\\ \\u00e9 \\ud83d\\ude00 \\/\"",
        "Grüße, здравствуй мир, こんにちは世界, 你好, 😀👍🏽, naïve café, ¿qué?",
        "2024-02-29T23:59:59.125Z 2023-12-31 08:15:00+02:00 192.168.1.255 someone@example.com",
        "550e8400-e29b-41d4-a716-446655440000 AB-123 abcABC 0123456789 kind type cat dog size tag",
        "}}}]]]],,, \"}],\n\n \": \" \":\" \": {\" \": [\" {\"left\": null, \"right\": {\"left\": {}}}"
    };

    private Tokens() {}

    /// @return a vocabulary; some ids have no text, some the same
    static List<byte[]> cutFromTexts(int count, Random random) {
        List<byte[]> tokens = new ArrayList<>();
        tokens.add(new byte[0]);
        for (int b = 0; b < 256; b++) {
            tokens.add(new byte[] {(byte) b});
        }
        tokens.add(new byte[0]);
        while (tokens.size() < count) {
            byte[] text = TEXTS[random.nextInt(TEXTS.length)].getBytes(StandardCharsets.UTF_8);
            int from = random.nextInt(text.length);
            int length = 2 + random.nextInt(random.nextInt(4) == 0 ? 12 : 4);
            tokens.add(Arrays.copyOfRange(text, from, Math.min(text.length, from + length)));
        }
        return tokens;
    }

    /// @param words what long tokens are like
    /// @return a vocabulary as large as those of models
    static List<byte[]> large(int count, Iterable<String> words, Random random) {
        Set<String> seen = new LinkedHashSet<>();
        List<byte[]> tokens = new ArrayList<>();
        for (int b = 0; b < 256; b++) {
            tokens.add(new byte[] {(byte) b});
        }
        for (String word : words) {
            if (tokens.size() < count * 9 / 10 && seen.add(word)) {
                tokens.add(word.getBytes(StandardCharsets.UTF_8));
            }
        }
        while (tokens.size() < count) {
            byte[] noise = new byte[2 + random.nextInt(6)];
            random.nextBytes(noise);
            tokens.add(noise);
        }
        return tokens;
    }
}
