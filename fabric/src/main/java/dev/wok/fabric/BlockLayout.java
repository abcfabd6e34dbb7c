package dev.wok.fabric;

import java.lang.foreign.MemorySegment;
import java.util.HexFormat;

/// The bytes of a message that says where in a GPU's memory rows lie for another rank, which fetches them.
///
/// ```
///   0  version
///   4  zeros
///   8  address of a block in the process that has it
///  16  bytes of the block
///  24  where sums, or tokens, begin in it, and 32 how many bytes they are
///  40  where rows by themselves begin in it, and 48 how many bytes they are
///  56  zeros
///  64  the driver's handle of the block, zeros where no other process needs it
/// ```
///
/// Numbers are little-endian.
///
/// @param address of a block in the process that has it
/// @param size bytes of it
/// @param parts what of it is for the other rank
/// @param handle of [dev.wok.device.Gpu#export], or as many zeros
record BlockLayout(long address, long size, Part[] parts, byte[] handle) {
    static final int BYTES = 128;
    static final int HANDLE = 64;
    static final int PARTS = 2;

    private static final int VERSION = 1;
    private static final int ADDRESS = 8;
    private static final int SIZE = 16;
    private static final int FIRST_PART = 24;
    private static final int PART = 16;

    /// @param from bytes from the block's beginning
    record Part(long from, long bytes) {}

    MemorySegment write() {
        MemorySegment message = MemorySegment.ofArray(new byte[BYTES]);
        message.set(ExchangeLayout.INT, 0, VERSION);
        message.set(ExchangeLayout.LONG, ADDRESS, address);
        message.set(ExchangeLayout.LONG, SIZE, size);
        for (int i = 0; i < PARTS; i++) {
            message.set(ExchangeLayout.LONG, FIRST_PART + i * PART, parts[i].from);
            message.set(ExchangeLayout.LONG, FIRST_PART + i * PART + Long.BYTES, parts[i].bytes);
        }
        MemorySegment.copy(MemorySegment.ofArray(handle), 0, message, BYTES - HANDLE, HANDLE);
        return message;
    }

    /// @param expected how many bytes each part has
    /// @throws Departed where the message says something that cannot be
    static BlockLayout read(MemorySegment message, Peer peer, long... expected) {
        int version = message.get(ExchangeLayout.INT, 0);
        if (version != VERSION) {
            throw peer.sends("blocks of version %d; this rank knows version %d".formatted(version, VERSION));
        }
        long size = message.get(ExchangeLayout.LONG, SIZE);
        Part[] parts = new Part[PARTS];
        for (int i = 0; i < PARTS; i++) {
            long from = message.get(ExchangeLayout.LONG, FIRST_PART + i * PART);
            long bytes = message.get(ExchangeLayout.LONG, FIRST_PART + i * PART + Long.BYTES);
            if (bytes != expected[i] || from < 0 || from > size - bytes) {
                throw peer.sends("%d bytes from byte %d of a block of %d where %d were expected"
                        .formatted(bytes, from, size, expected[i]));
            }
            parts[i] = new Part(from, bytes);
        }
        byte[] handle = new byte[HANDLE];
        MemorySegment.copy(message, BYTES - HANDLE, MemorySegment.ofArray(handle), 0, HANDLE);
        return new BlockLayout(message.get(ExchangeLayout.LONG, ADDRESS), size, parts, handle);
    }

    /// @return the handle as text
    String key() {
        return HexFormat.of().formatHex(handle);
    }
}
