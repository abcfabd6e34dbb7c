package dev.wok.text;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/// 128 bits of the SHA-256 of some bytes: equal for equal texts, and in practice never for others.
record Hash(long high, long low) {
    static final Hash EMPTY = new Hash(0, 0);
    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    static Hash of(byte[] bytes, int from, int to) {
        if (from == to) {
            return EMPTY;
        }
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(bytes, from, to - from);
            byte[] sum = digest.digest();
            return new Hash((long) LONGS.get(sum, 0), (long) LONGS.get(sum, Long.BYTES));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /// @return the hash of this text followed by another, as far as both are cut at the same place
    Hash then(Hash other) {
        return new Hash(Mix.of(high, other.high), Mix.of(low, other.low));
    }
}
