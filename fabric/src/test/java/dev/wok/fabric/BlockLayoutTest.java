package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.fabric.BlockLayout.Part;
import dev.wok.testkit.Thrown;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

final class BlockLayoutTest {
    private final Peer peer = new Peer(1, 0, new Board(2));

    private static MemorySegment message(long size, Part... parts) {
        byte[] handle = new byte[BlockLayout.HANDLE];
        for (int i = 0; i < handle.length; i++) {
            handle[i] = (byte) i;
        }
        return new BlockLayout(0x1234_5678_9abcL, size, parts, handle).write();
    }

    private String refused(MemorySegment message, long... expected) {
        return Thrown.message(Departed.class, () -> BlockLayout.read(message, peer, expected));
    }

    @Test
    void isReadAsItWasWritten() {
        BlockLayout read = BlockLayout.read(message(4096, new Part(64, 128), new Part(4096, 0)), peer, 128, 0);
        assertEquals(0x1234_5678_9abcL, read.address());
        assertEquals(4096, read.size());
        assertArrayEquals(new Part[] {new Part(64, 128), new Part(4096, 0)}, read.parts());
        assertEquals(9, read.handle()[9]);
        assertEquals("000102", read.key().substring(0, 6));
    }

    @Test
    void whatCannotBeIsNamed() {
        String begin = "rank 1 sends what cannot be: ";
        String end = ". It was in its beginning.";
        Part nothing = new Part(0, 0);
        assertEquals(
                begin + "128 bytes from byte 64 of a block of 4096 where 129 were expected" + end,
                refused(message(4096, new Part(64, 128), nothing), 129, 0));
        assertEquals(
                begin + "128 bytes from byte 3969 of a block of 4096 where 128 were expected" + end,
                refused(message(4096, new Part(3969, 128), nothing), 128, 0));
        assertEquals(
                begin + "4 bytes from byte -1 of a block of 4096 where 4 were expected" + end,
                refused(message(4096, nothing, new Part(-1, 4)), 0, 4));
        assertEquals(
                begin + "0 bytes from byte 0 of a block of -5 where 0 were expected" + end,
                refused(message(-5, nothing, new Part(0, 4)), 0, 4));
        MemorySegment other = message(4096, nothing, nothing);
        other.set(ExchangeLayout.INT, 0, 7);
        assertEquals(begin + "blocks of version 7; this rank knows version 1" + end, refused(other, 0, 0));
    }
}
