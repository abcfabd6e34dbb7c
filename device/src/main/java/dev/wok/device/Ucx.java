package dev.wok.device;

import dev.wok.device.ffm.NativeCall;
import dev.wok.notice.BadInput;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A worker of UCX (openucx.org), which carries messages over what it finds between processes and machines, such as
/// InfiniBand. Its library is linked where it is installed.
///
/// Messages have a tag, and of one tag they come in the order in which they were sent. Nothing blocks, and nothing
/// moves but in [#progress]. What is sent from or received to must stay where it is until it is done. One thread at a
/// time.
public final class Ucx implements AutoCloseable {
    /// A request that was done at once.
    public static final long DONE = 0;

    /// Functions of `ucp/api/ucp.h`, all of at most six words.
    enum Function {
        INIT_VERSION,
        CLEANUP,
        WORKER_CREATE,
        WORKER_DESTROY,
        WORKER_GET_ADDRESS,
        WORKER_RELEASE_ADDRESS,
        WORKER_PROGRESS,
        EP_CREATE,
        EP_CLOSE_NBX,
        TAG_SEND_NBX,
        TAG_RECV_NBX,
        REQUEST_CHECK_STATUS,
        REQUEST_CANCEL,
        REQUEST_FREE
    }

    private static final String LIBRARY = "libucp.so.0";
    /// The oldest interface that has all of this; newer libraries keep to it.
    private static final int[] VERSION = {1, 10};

    private static final int IN_PROGRESS = 1;
    private static final int CANCELED = -16;
    /// A result below this, unsigned from above, is an address.
    private static final int LAST_ERROR = -100;

    private static @Nullable Map<Function, MemorySegment> linked;

    private final Map<Function, MemorySegment> functions;
    private final Arena arena = Arena.ofShared();
    private final long context;
    private final long worker;
    /// `ucp_request_param_t`: what is sent lies in host memory.
    private final MemorySegment host;

    private Ucx(Map<Function, MemorySegment> functions) {
        this.functions = functions;
        host = words(9);
        host.set(ValueLayout.JAVA_INT, 0, 1 << 6);
        MemorySegment result = words(1);
        // Field masks, then what they name: messages with tags; one thread at a time.
        require(
                Function.INIT_VERSION,
                call(
                        Function.INIT_VERSION,
                        VERSION[0],
                        VERSION[1],
                        words(10, 1, 1).address(),
                        0,
                        result.address()));
        context = result.get(ValueLayout.JAVA_LONG, 0);
        require(
                Function.WORKER_CREATE,
                call(Function.WORKER_CREATE, context, words(25, 1, 1).address(), result.address()));
        worker = result.get(ValueLayout.JAVA_LONG, 0);
    }

    /// @throws BadInput where UCX is not installed, or finds nothing to work with
    public static Ucx open() {
        return new Ucx(linked());
    }

    private static synchronized Map<Function, MemorySegment> linked() {
        if (linked == null) {
            linked = link(LIBRARY);
        }
        return linked;
    }

    /// @return the functions of a library, which stays loaded until the process ends
    static Map<Function, MemorySegment> link(String name) {
        // Its handlers would take the signals that the JVM lives by; what fails is named by who calls.
        setDefault("UCX_ERROR_SIGNALS", "");
        setDefault("UCX_LOG_LEVEL", "fatal");
        SymbolLookup library;
        try {
            library = SymbolLookup.libraryLookup(name, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new BadInput(
                    "UCX is not installed here: there is no %s. Install it (Debian: libucx0), or choose another transport."
                            .formatted(name),
                    e);
        }
        Map<Function, MemorySegment> functions = new EnumMap<>(Function.class);
        for (Function function : Function.values()) {
            functions.put(
                    function,
                    library.find(name(function))
                            .orElseThrow(() -> new BadInput(
                                    "%s has no %s: UCX 1.10 or later is expected, or choose another transport."
                                            .formatted(name, name(function)))));
        }
        return functions;
    }

    private static String name(Function function) {
        return "ucp_" + function.name().toLowerCase(Locale.ROOT);
    }

    private static void setDefault(String variable, String value) {
        try (Arena call = Arena.ofConfined()) {
            NativeCall.call(
                    NativeCall.find("setenv"),
                    call.allocateFrom(variable).address(),
                    call.allocateFrom(value).address(),
                    0,
                    0,
                    0,
                    0);
        }
    }

    /// @return by which others connect to this worker
    public byte[] address() {
        MemorySegment result = words(2);
        require(
                Function.WORKER_GET_ADDRESS,
                call(Function.WORKER_GET_ADDRESS, worker, result.address(), result.address() + Long.BYTES));
        long address = result.get(ValueLayout.JAVA_LONG, 0);
        byte[] bytes = MemorySegment.ofAddress(address)
                .reinterpret(result.get(ValueLayout.JAVA_LONG, Long.BYTES))
                .toArray(ValueLayout.JAVA_BYTE);
        call(Function.WORKER_RELEASE_ADDRESS, worker, address);
        return bytes;
    }

    /// @param address another worker's
    /// @return an endpoint, to be given to [#send] and [#close(long)]
    public long connect(byte[] address) {
        MemorySegment there = arena.allocateFrom(ValueLayout.JAVA_BYTE, address);
        MemorySegment result = words(1);
        // The address alone: were a peer that fails to be told of here, UCX would leave out shared memory.
        MemorySegment parameters = words(13, 1, there.address());
        require(Function.EP_CREATE, call(Function.EP_CREATE, worker, parameters.address(), result.address()));
        return result.get(ValueLayout.JAVA_LONG, 0);
    }

    /// @return a request, for [#isDone]
    public long send(long endpoint, MemorySegment bytes, long tag) {
        return request(
                Function.TAG_SEND_NBX,
                call(Function.TAG_SEND_NBX, endpoint, bytes.address(), bytes.byteSize(), tag, host.address()));
    }

    /// Receives the next message with a tag, which may be shorter.
    ///
    /// @return a request, for [#isDone]
    public long receive(MemorySegment bytes, long tag) {
        return request(
                Function.TAG_RECV_NBX,
                call(Function.TAG_RECV_NBX, worker, bytes.address(), bytes.byteSize(), tag, -1, host.address()));
    }

    /// Gives an endpoint back, once all that was sent to it has gone out.
    ///
    /// @return a request, for [#isDone]
    public long close(long endpoint) {
        return request(Function.EP_CLOSE_NBX, call(Function.EP_CLOSE_NBX, endpoint, host.address()));
    }

    /// Ends a request, which [#isDone] then says too.
    public void cancel(long request) {
        if (request != DONE) {
            call(Function.REQUEST_CANCEL, worker, request);
        }
    }

    /// @return whether a request is done: it may not be asked for again then
    /// @throws UcxException where it failed, which ends it too
    public boolean isDone(long request) {
        if (request == DONE) {
            return true;
        }
        int status = (int) call(Function.REQUEST_CHECK_STATUS, request);
        if (status == IN_PROGRESS) {
            return false;
        }
        call(Function.REQUEST_FREE, request);
        if (status != CANCELED) {
            require(Function.REQUEST_CHECK_STATUS, status);
        }
        return true;
    }

    /// Moves what can be moved.
    public void progress() {
        call(Function.WORKER_PROGRESS, worker);
    }

    /// What is under way is lost.
    @Override
    public void close() {
        call(Function.WORKER_DESTROY, worker);
        call(Function.CLEANUP, context);
        arena.close();
    }

    private long call(Function function, long... words) {
        MemorySegment code = Objects.requireNonNull(functions.get(function));
        long[] w = words;
        return switch (w.length) {
            case 1 -> NativeCall.call(code, w[0], 0, 0, 0, 0, 0);
            case 2 -> NativeCall.call(code, w[0], w[1], 0, 0, 0, 0);
            case 3 -> NativeCall.call(code, w[0], w[1], w[2], 0, 0, 0);
            case 5 -> NativeCall.call(code, w[0], w[1], w[2], w[3], w[4], 0);
            default -> NativeCall.call(code, w[0], w[1], w[2], w[3], w[4], w[5]);
        };
    }

    /// @param result nothing, a request's address, or an error
    private static long request(Function function, long result) {
        if (Long.compareUnsigned(result, LAST_ERROR) >= 0) {
            require(function, (int) result);
        }
        return result;
    }

    private static void require(Function function, long result) {
        if ((int) result != 0) {
            throw new UcxException(name(function), (int) result);
        }
    }

    /// @return so many words of memory, of which these are the first; until this is closed
    private MemorySegment words(int count, long... first) {
        MemorySegment words = arena.allocate(MemoryLayout.sequenceLayout(count, ValueLayout.JAVA_LONG));
        for (int i = 0; i < first.length; i++) {
            words.setAtIndex(ValueLayout.JAVA_LONG, i, first[i]);
        }
        return words;
    }
}
