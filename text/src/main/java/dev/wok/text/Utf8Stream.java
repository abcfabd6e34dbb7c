package dev.wok.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Turns bytes that come in pieces into text, keeping back a character whose bytes are not all there. What can never
/// become a character is U+FFFD, one for each longest beginning of a character, as Unicode recommends. (The JDK's
/// decoder differs in one case: it takes the three bytes of an encoded surrogate for one fault.)
final class Utf8Stream {
    private byte[] pending = new byte[64];
    private int size;

    void add(byte[] bytes) {
        if (size + bytes.length > pending.length) {
            pending = Arrays.copyOf(pending, Math.max(2 * pending.length, size + bytes.length));
        }
        System.arraycopy(bytes, 0, pending, size, bytes.length);
        size += bytes.length;
    }

    /// @return all whole characters
    String takeWhole() {
        return take(size - unfinished());
    }

    /// @return everything
    String takeAll() {
        return take(size);
    }

    private String take(int n) {
        StringBuilder text = new StringBuilder();
        int from = 0;
        for (int i = 0; i + 1 < n; i++) {
            if ((pending[i] & 0xFF) == 0xED && (pending[i + 1] & 0xFF) >= 0xA0) {
                text.append(new String(pending, from, i + 1 - from, StandardCharsets.UTF_8));
                from = i + 1;
            }
        }
        text.append(new String(pending, from, n - from, StandardCharsets.UTF_8));
        System.arraycopy(pending, n, pending, 0, size - n);
        size -= n;
        return text.toString();
    }

    /// @return how many bytes at the end may yet become a character
    private int unfinished() {
        for (int back = 1; back <= Math.min(3, size); back++) {
            int lead = pending[size - back] & 0xFF;
            if (lead >= 0x80 && lead < 0xC0) {
                continue;
            }
            int length = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
            boolean begins =
                    lead <= 0xF4 && back < length && (back == 1 || allowsSecond(lead, pending[size - back + 1] & 0xFF));
            return begins ? back : 0;
        }
        return 0;
    }

    private static boolean allowsSecond(int lead, int second) {
        return switch (lead) {
            case 0xE0 -> second >= 0xA0;
            case 0xED -> second < 0xA0;
            case 0xF0 -> second >= 0x90;
            case 0xF4 -> second < 0x90;
            default -> true;
        };
    }
}
