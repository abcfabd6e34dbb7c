package dev.wok.testkit;

import com.sun.management.ThreadMXBean;
import dev.wok.notice.BadInput;
import dev.wok.tensor.Rng;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Damaged inputs for what reads files: each must be read, or refused in one line for people, soon and with
/// no more memory than its size explains.
///
/// ```java
/// Fuzz.of("safetensors").memory(60, 1 << 20).check(500, damage -> {
///     byte[] bytes = damage.bytes(intact);
///     return new Fuzz.Input(bytes.length, () -> read(bytes));
/// });
/// ```
///
/// A failure names its case: `-Dwok.seed` and `-Dwok.case` repeat it alone.
public final class Fuzz {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /// Reading takes milliseconds; this is for a machine that does much else at the same time.
    private static final Duration LONGEST = Duration.ofSeconds(5);
    private static final Duration STUCK = Duration.ofSeconds(60);

    /// What [BadInput] cuts a message to.
    private static final int LONGEST_MESSAGE = 1005;

    /// Reads what is damaged.
    @FunctionalInterface
    public interface Reading {
        void run() throws Exception;
    }

    /// @param bytes the size of what is read
    /// @param reading reads it; what it throws but [BadInput] is a failure
    public record Input(long bytes, Reading reading) {}

    /// Makes an input.
    @FunctionalInterface
    public interface Maker {
        Input make(Damage damage) throws Exception;
    }

    /// @param read how many inputs were read all the same
    /// @param refused how many were refused
    public record Outcome(int read, int refused) {}

    private final String id;
    private long bytesPerByte;
    private long moreBytes;

    private @Nullable Throwable failure;
    private volatile int at;
    private volatile long begun;
    private int read;
    private int refused;

    private Fuzz(String id) {
        this.id = id;
    }

    /// @param id the test's name: its seed comes from it
    public static Fuzz of(String id) {
        return new Fuzz(id);
    }

    /// Bounds all that reading allocates on the heap, garbage too.
    ///
    /// @param perByte for each byte of the input
    /// @param more for any input
    public Fuzz memory(long perByte, long more) {
        bytesPerByte = perByte;
        moreBytes = more;
        return this;
    }

    /// Makes the inputs and reads them.
    ///
    /// @throws AssertionError at the first that fails
    public Outcome check(int cases, Maker maker) throws InterruptedException {
        long seed = Seeds.of(id);
        Integer only = Integer.getInteger("wok.case");
        at = only == null ? 0 : only;
        int end = only == null ? cases : only + 1;
        begun = System.nanoTime();
        Thread reader = Thread.ofPlatform().daemon().start(() -> {
            try {
                for (; at < end; at = at + 1) {
                    one(new Damage(new Rng(seed).split(at).seed()), maker);
                }
            } catch (Throwable e) {
                failure = e;
            }
        });
        while (!reader.join(Duration.ofSeconds(1))) {
            if (System.nanoTime() - begun > STUCK.toNanos()) {
                String where = Arrays.stream(reader.getStackTrace())
                        .map(Object::toString)
                        .collect(Collectors.joining("\n  "));
                throw failed(seed, "is stuck in\n  " + where, null);
            }
        }
        if (failure != null) {
            throw failed(seed, "gives " + failure, failure);
        }
        return new Outcome(read, refused);
    }

    private AssertionError failed(long seed, String how, @Nullable Throwable cause) {
        return new AssertionError(
                "case %d of %s (%s -Dwok.case=%d) %s".formatted(at, id, Seeds.hint(seed), at, how), cause);
    }

    private void one(Damage damage, Maker maker) throws Exception {
        Input input = maker.make(damage);
        begun = System.nanoTime();
        long nanos = THREADS.getCurrentThreadCpuTime();
        long bytes = THREADS.getCurrentThreadAllocatedBytes();
        try {
            input.reading.run();
            read++;
        } catch (BadInput e) {
            requireForPeople(e.getMessage());
            refused++;
        }
        bytes = THREADS.getCurrentThreadAllocatedBytes() - bytes;
        nanos = THREADS.getCurrentThreadCpuTime() - nanos;
        if (bytes > bytesPerByte * input.bytes + moreBytes) {
            throw new AssertionError("%d allocated bytes for %d".formatted(bytes, input.bytes));
        }
        if (nanos > LONGEST.toNanos()) {
            throw new AssertionError("%.1f s for %d bytes".formatted(nanos / 1e9, input.bytes));
        }
    }

    private static void requireForPeople(@Nullable String message) {
        if (message == null
                || message.isBlank()
                || message.lines().count() != 1
                || message.codePointCount(0, message.length()) > LONGEST_MESSAGE) {
            throw new AssertionError("the refusal: " + message);
        }
    }
}
