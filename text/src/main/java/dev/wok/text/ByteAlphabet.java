package dev.wok.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The printable character that stands for each byte in a byte-level vocabulary, as GPT-2 defined it: printable Latin-1
/// characters stand for themselves, the other bytes for U+0100 and on, in order.
final class ByteAlphabet {
    private static final int BYTES = 256;
    private static final char[] CHARS = new char[BYTES];
    private static final short[] VALUES = new short[0x180];

    static {
        int extra = 0;
        Arrays.fill(VALUES, (short) -1);
        for (int b = 0; b < BYTES; b++) {
            boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            CHARS[b] = (char) (printable ? b : BYTES + extra++);
            VALUES[CHARS[b]] = (short) b;
        }
    }

    private ByteAlphabet() {}

    /// @param b 0 to 255
    static char symbol(int b) {
        return CHARS[b];
    }

    /// @return the bytes that a token's text stands for, or null where a character is none of the alphabet
    static byte @Nullable [] bytes(String token) {
        byte[] out = new byte[token.length()];
        for (int i = 0; i < out.length; i++) {
            char c = token.charAt(i);
            if (c >= VALUES.length || VALUES[c] < 0) {
                return null;
            }
            out[i] = (byte) VALUES[c];
        }
        return out;
    }

    /// @return what a token contributes to decoded text: its bytes, or its own UTF-8 where it is not written in the
    ///     alphabet
    static byte[] decoded(String token) {
        byte[] bytes = bytes(token);
        return bytes == null ? token.getBytes(StandardCharsets.UTF_8) : bytes;
    }

    static String symbols(byte[] bytes) {
        char[] out = new char[bytes.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = CHARS[bytes[i] & 0xFF];
        }
        return new String(out);
    }
}
