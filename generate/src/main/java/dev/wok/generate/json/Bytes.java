package dev.wok.generate.json;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Bytes as a value.
final class Bytes {
    static final Bytes NONE = new Bytes(new byte[0]);

    private final byte[] bytes;
    private final int hash;

    private Bytes(byte[] bytes) {
        this.bytes = bytes;
        hash = Arrays.hashCode(bytes);
    }

    static Bytes of(byte[] bytes) {
        return new Bytes(bytes.clone());
    }

    static Bytes of(String text) {
        return new Bytes(text.getBytes(StandardCharsets.UTF_8));
    }

    Bytes plus(int b) {
        byte[] longer = Arrays.copyOf(bytes, bytes.length + 1);
        longer[bytes.length] = (byte) b;
        return new Bytes(longer);
    }

    Bytes plus(byte[] more) {
        byte[] longer = Arrays.copyOf(bytes, bytes.length + more.length);
        System.arraycopy(more, 0, longer, bytes.length, more.length);
        return new Bytes(longer);
    }

    boolean startsWith(Bytes beginning) {
        int length = beginning.bytes.length;
        return bytes.length >= length && Arrays.equals(bytes, 0, length, beginning.bytes, 0, length);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Bytes b && hash == b.hash && Arrays.equals(bytes, b.bytes);
    }

    @Override
    public int hashCode() {
        return hash;
    }

    @Override
    public String toString() {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
