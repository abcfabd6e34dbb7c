package dev.wok.serve;

import java.security.SecureRandom;

/// Names of answers and their parts, which no two share.
final class RequestIds {
    private static final String LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    private static final int LENGTH = 24;
    private static final SecureRandom RANDOM = new SecureRandom();

    private RequestIds() {}

    /// @param prefix such as `chatcmpl-`
    static String fresh(String prefix) {
        StringBuilder id = new StringBuilder(prefix);
        for (int i = 0; i < LENGTH; i++) {
            id.append(LETTERS.charAt(RANDOM.nextInt(LETTERS.length())));
        }
        return id.toString();
    }
}
