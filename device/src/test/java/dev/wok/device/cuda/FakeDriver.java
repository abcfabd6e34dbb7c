package dev.wok.device.cuda;

import static dev.wok.device.cuda.Raw.at;
import static dev.wok.device.cuda.Raw.put;
import static dev.wok.device.cuda.Raw.putInt;
import static dev.wok.device.cuda.Raw.string;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/// A driver in Java that does as NVIDIA's does, as far as this room can tell, and keeps books: what is
/// alive, what was left behind, what was done wrong. Its GPUs' memory is the host's, so that copies can
/// be looked at; kernels do nothing and are noted down.
final class FakeDriver implements CudaDriver, AutoCloseable {
    static final int INVALID_VALUE = 1;
    static final int OUT_OF_MEMORY = 2;
    static final int NOT_INITIALIZED = 3;
    static final int INVALID_DEVICE = 101;
    static final int INVALID_CONTEXT = 201;
    static final int INVALID_PTX = 218;
    static final int INVALID_HANDLE = 400;
    static final int NOT_FOUND = 500;
    static final int PEER_ACCESS_ALREADY_ENABLED = 704;
    static final int UNKNOWN = 999;

    private static final Map<Integer, String> TEXTS = Map.of(
            INVALID_VALUE,
            "CUDA_ERROR_INVALID_VALUE/invalid argument",
            OUT_OF_MEMORY,
            "CUDA_ERROR_OUT_OF_MEMORY/out of memory",
            NOT_INITIALIZED,
            "CUDA_ERROR_NOT_INITIALIZED/initialization error",
            100,
            "CUDA_ERROR_NO_DEVICE/no CUDA-capable device is detected",
            INVALID_CONTEXT,
            "CUDA_ERROR_INVALID_CONTEXT/invalid device context",
            INVALID_PTX,
            "CUDA_ERROR_INVALID_PTX/a PTX JIT compilation failed",
            INVALID_HANDLE,
            "CUDA_ERROR_INVALID_HANDLE/invalid resource handle",
            803,
            "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH/system has unsupported display driver / cuda driver combination",
            UNKNOWN,
            "CUDA_ERROR_UNKNOWN/unknown error");

    private static final Set<DriverFunction> WITHOUT_CONTEXT = EnumSet.of(
            DriverFunction.INIT,
            DriverFunction.DRIVER_GET_VERSION,
            DriverFunction.DEVICE_GET_COUNT,
            DriverFunction.DEVICE_GET,
            DriverFunction.DEVICE_GET_NAME,
            DriverFunction.DEVICE_TOTAL_MEM,
            DriverFunction.DEVICE_GET_ATTRIBUTE,
            DriverFunction.DEVICE_CAN_ACCESS_PEER,
            DriverFunction.PRIMARY_CTX_RETAIN,
            DriverFunction.PRIMARY_CTX_RELEASE,
            DriverFunction.CTX_SET_CURRENT);

    private static final Set<DriverFunction> ENDINGS = EnumSet.of(
            DriverFunction.PRIMARY_CTX_RELEASE,
            DriverFunction.MODULE_UNLOAD,
            DriverFunction.MEM_FREE,
            DriverFunction.MEM_FREE_HOST,
            DriverFunction.MEM_FREE_ASYNC,
            DriverFunction.MEM_POOL_DESTROY,
            DriverFunction.IPC_CLOSE_MEM_HANDLE,
            DriverFunction.STREAM_DESTROY,
            DriverFunction.EVENT_DESTROY,
            DriverFunction.GRAPH_EXEC_DESTROY,
            DriverFunction.GRAPH_DESTROY);

    /// What is known of a GPU.
    record Chip(String name, int major, int minor, long bytes) {
        static Chip hopper() {
            return new Chip("Fake H100", 9, 0, 80L << 30);
        }
    }

    /// A call of a driver's function.
    record Call(DriverFunction function, List<Long> words) {}

    /// @param parent what it ends with, beside its context; 0 for nothing
    private record Thing(String kind, long context, long parent, Object data) {}

    private final Arena arena = Arena.ofShared();
    private final Map<Integer, Map<Boolean, MemorySegment>> texts = new HashMap<>();
    private final Map<Long, Thing> alive = new TreeMap<>();
    private final Set<Long> attempted = new HashSet<>();
    private final Map<Integer, Integer> retained = new HashMap<>();
    private final ThreadLocal<Long> current = ThreadLocal.withInitial(() -> 0L);
    private final List<Chip> chips;
    private final List<String> wrongs = new ArrayList<>();
    private long nextHandle = 0x1000;
    private long clock;
    private boolean initialized;

    final List<Call> calls = new ArrayList<>();
    final List<FakeLaunch> launched = new ArrayList<>();
    final Set<DriverFunction> missing = EnumSet.noneOf(DriverFunction.class);
    int version = 12040;
    int initStatus;

    /// Which call fails, counted from 0 over all functions; -1 for none.
    int failingCall = -1;

    /// Which function always fails.
    @Nullable
    DriverFunction failingFunction;

    int failure = UNKNOWN;

    /// Whether a failing call that ends something ends it all the same, as where the failure is that of
    /// a kernel before.
    boolean failsAfterwards;

    /// The call that failed last.
    @Nullable
    Call failed;

    FakeDriver(Chip... chips) {
        this.chips = List.of(chips);
    }

    /// Frees the GPUs' memory.
    @Override
    public void close() {
        arena.close();
    }

    /// @return what is alive, and what was alive when its context ended
    List<String> alive() {
        List<String> names = new ArrayList<>(wrongs);
        alive.forEach((handle, thing) -> {
            if (!attempted.contains(handle)) {
                names.add(thing.kind);
            }
        });
        retained.forEach((device, count) -> {
            if (count > 0 && !attempted.contains(context(device))) {
                names.add("context of device " + device);
            }
        });
        return names;
    }

    /// @return how many of a kind are alive
    long count(String kind) {
        return alive.values().stream().filter(thing -> thing.kind.equals(kind)).count();
    }

    @Override
    public boolean has(DriverFunction function) {
        return !missing.contains(function);
    }

    @Override
    public synchronized int call(DriverFunction function, long... words) {
        if (words.length != function.arity()) {
            wrongs.add("%d words for %s".formatted(words.length, function.signature()));
        }
        if (missing.contains(function)) {
            wrongs.add("called the missing " + function);
        }
        if (function == DriverFunction.GET_ERROR_NAME || function == DriverFunction.GET_ERROR_STRING) {
            return errorText((int) words[0], function == DriverFunction.GET_ERROR_NAME, words[1]);
        }
        Call call = new Call(function, Arrays.stream(words).boxed().toList());
        calls.add(call);
        boolean isEnding = ENDINGS.contains(function);
        if (calls.size() - 1 == failingCall || function == failingFunction) {
            failed = call;
            if (isEnding) {
                attempted.add(function == DriverFunction.PRIMARY_CTX_RELEASE ? context((int) words[0]) : words[0]);
            }
            if (isEnding && failsAfterwards) {
                int _ = perform(function, words);
            }
            return failure;
        }
        return perform(function, words);
    }

    private int errorText(int status, boolean name, long out) {
        String text = TEXTS.get(status);
        if (text == null) {
            put(out, 0L);
            return INVALID_VALUE;
        }
        String[] parts = text.split("/", 2);
        MemorySegment segment = texts.computeIfAbsent(status, _ -> new HashMap<>())
                .computeIfAbsent(name, _ -> arena.allocateFrom(parts[name ? 0 : 1]));
        put(out, segment.address());
        return 0;
    }

    private static long context(int device) {
        return 0xC0 + device;
    }

    private int make(long out, String kind, Object data) {
        return make(out, kind, 0, data);
    }

    private int make(long out, String kind, long parent, Object data) {
        put(out, add(nextHandle += 16, kind, parent, data));
        return 0;
    }

    private int makeMemory(long out, String kind, long bytes) {
        return makeMemory(out, kind, 0, bytes);
    }

    private int makeMemory(long out, String kind, long parent, long bytes) {
        if (bytes <= 0) {
            return INVALID_VALUE;
        }
        MemorySegment memory = arena.allocate(bytes, 512);
        memory.fill((byte) 0xCD);
        put(out, add(memory.address(), kind, parent, bytes));
        return 0;
    }

    private long add(long handle, String kind, long parent, Object data) {
        alive.put(handle, new Thing(kind, current.get(), parent, data));
        return handle;
    }

    private int end(long handle, String... kinds) {
        attempted.add(handle);
        if (!is(handle, kinds)) {
            wrongs.add("ended what is not alive: " + String.join(" or ", kinds));
            return INVALID_HANDLE;
        }
        alive.remove(handle);
        alive.values().removeIf(thing -> thing.parent == handle);
        return 0;
    }

    private boolean is(long handle, String... kinds) {
        Thing thing = alive.get(handle);
        return thing != null && List.of(kinds).contains(thing.kind);
    }

    /// A status for a call that needs these things alive.
    private int use(long handle, String kind, IntFunction<Integer> action) {
        if (!is(handle, kind)) {
            wrongs.add("used a %s that is not alive".formatted(kind));
            return INVALID_HANDLE;
        }
        return action.apply(0);
    }

    private int perform(DriverFunction function, long... w) {
        if (function == DriverFunction.INIT) {
            initialized = initStatus == 0;
            return initStatus;
        }
        if (!initialized) {
            return NOT_INITIALIZED;
        }
        if (!WITHOUT_CONTEXT.contains(function) && current.get() == 0) {
            wrongs.add(function + " without a context");
            return INVALID_CONTEXT;
        }
        return switch (function) {
            case INIT, GET_ERROR_NAME, GET_ERROR_STRING -> 0;
            case DRIVER_GET_VERSION -> number(w[0], version);
            case DEVICE_GET_COUNT -> number(w[0], chips.size());
            case DEVICE_GET -> w[1] < chips.size() ? number(w[0], (int) w[1]) : INVALID_DEVICE;
            case DEVICE_GET_NAME -> {
                at(w[0], w[1]).setString(0, chips.get((int) w[2]).name);
                yield 0;
            }
            case DEVICE_TOTAL_MEM -> {
                put(w[0], chips.get((int) w[1]).bytes);
                yield 0;
            }
            case DEVICE_GET_ATTRIBUTE -> number(w[0], attribute((int) w[1], chips.get((int) w[2])));
            case DEVICE_CAN_ACCESS_PEER -> number(w[0], w[1] == w[2] ? 0 : 1);
            case PRIMARY_CTX_RETAIN -> {
                retained.merge((int) w[1], 1, Integer::sum);
                put(w[0], context((int) w[1]));
                yield 0;
            }
            case PRIMARY_CTX_RELEASE -> release((int) w[0]);
            case CTX_SET_CURRENT -> {
                current.set(w[0]);
                yield 0;
            }
            case CTX_SYNCHRONIZE -> 0;
            case CTX_ENABLE_PEER_ACCESS -> w[0] == current.get() ? INVALID_CONTEXT : 0;
            case MODULE_LOAD_DATA_EX -> load(w);
            case MODULE_UNLOAD -> end(w[0], "module");
            case MODULE_GET_FUNCTION -> function(w[0], w[1], string(w[2]));
            case MODULE_GET_GLOBAL -> global(w);
            case FUNC_GET_ATTRIBUTE -> number(w[0], w[1] == 8 ? 48 << 10 : 0);
            case FUNC_SET_ATTRIBUTE -> use(w[0], "function", _ -> 0);
            case LAUNCH_KERNEL -> launch(w[8], w[0], entry -> FakeLaunch.plain(entry, w));
            case LAUNCH_KERNEL_EX -> launch(FakeLaunch.stream(w), w[1], entry -> FakeLaunch.withAttributes(entry, w));
            case TENSOR_MAP_ENCODE_TILED -> FakeLaunch.encode(w);
            case MEM_ALLOC -> makeMemory(w[0], "memory", w[1]);
            case MEM_FREE -> end(w[0], "memory");
            case MEM_HOST_ALLOC -> makeMemory(w[0], "pinned", w[1]);
            case MEM_FREE_HOST -> end(w[0], "pinned");
            case MEM_POOL_CREATE -> make(w[0], "pool", at(w[1], 88).toArray(JAVA_BYTE));
            case MEM_POOL_SET_ATTRIBUTE -> use(w[0], "pool", _ -> 0);
            case MEM_POOL_DESTROY -> end(w[0], "pool");
            case MEM_ALLOC_FROM_POOL ->
                use(w[2], "pool", _ -> use(w[3], "stream", _ -> makeMemory(w[0], "pooled", w[1])));
            case MEM_FREE_ASYNC -> use(w[1], "stream", _ -> end(w[0], "pooled"));
            case MEMCPY_ASYNC ->
                use(w[3], "stream", _ -> {
                    at(w[0], w[2]).copyFrom(at(w[1], w[2]));
                    return 0;
                });
            case MEMSET_D8_ASYNC ->
                use(w[3], "stream", _ -> {
                    at(w[0], w[2]).fill((byte) w[1]);
                    return 0;
                });
            case IPC_GET_MEM_HANDLE ->
                use(w[1], "memory", _ -> {
                    at(w[0], 64).fill((byte) 7).set(JAVA_LONG, 0, w[1]);
                    return 0;
                });
            case IPC_OPEN_MEM_HANDLE -> {
                long exported = at(w[1], 64).get(JAVA_LONG, 0);
                yield use(exported, "memory", _ -> makeMemory(w[0], "import", (long) data(exported)));
            }
            case IPC_CLOSE_MEM_HANDLE -> end(w[0], "import");
            case STREAM_CREATE -> make(w[0], "stream", w[1]);
            case STREAM_DESTROY -> end(w[0], "stream");
            case STREAM_SYNCHRONIZE -> use(w[0], "stream", _ -> 0);
            case STREAM_WAIT_EVENT -> use(w[0], "stream", _ -> use(w[1], "event", _ -> 0));
            case STREAM_BEGIN_CAPTURE -> use(w[0], "stream", _ -> 0);
            case STREAM_END_CAPTURE -> use(w[0], "stream", _ -> make(w[1], "graph", ""));
            case EVENT_CREATE -> make(w[0], "event", new long[1]);
            case EVENT_DESTROY -> end(w[0], "event");
            case EVENT_RECORD ->
                use(
                        w[0],
                        "event",
                        _ -> use(w[1], "stream", _ -> {
                            ((long[]) data(w[0]))[0] = ++clock;
                            return 0;
                        }));
            case EVENT_QUERY, EVENT_SYNCHRONIZE -> use(w[0], "event", _ -> 0);
            case EVENT_ELAPSED_TIME ->
                use(
                        w[1],
                        "event",
                        _ -> use(w[2], "event", _ -> {
                            long ticks = ((long[]) data(w[2]))[0] - ((long[]) data(w[1]))[0];
                            at(w[0], 4).set(JAVA_FLOAT, 0, 0.25f * ticks);
                            return 0;
                        }));
            case GRAPH_INSTANTIATE -> use(w[1], "graph", _ -> make(w[0], "executable graph", ""));
            case GRAPH_LAUNCH -> use(w[0], "executable graph", _ -> use(w[1], "stream", _ -> 0));
            case GRAPH_EXEC_DESTROY -> end(w[0], "executable graph");
            case GRAPH_DESTROY -> end(w[0], "graph");
        };
    }

    private Object data(long handle) {
        Thing thing = alive.get(handle);
        if (thing == null) {
            throw new AssertionError("0x%x is not alive".formatted(handle));
        }
        return thing.data;
    }

    private static int number(long out, int value) {
        putInt(out, value);
        return 0;
    }

    private static int attribute(int attribute, Chip chip) {
        return switch (attribute) {
            case 13 -> 1_980_000;
            case 16 -> 132;
            case 38 -> 50 << 20;
            case 75 -> chip.major;
            case 76 -> chip.minor;
            case 97 -> 227 << 10;
            default -> throw new AssertionError("attribute " + attribute);
        };
    }

    /// The last to release a context ends all that is in it: what a closing has forgotten is written
    /// down.
    private int release(int device) {
        attempted.add(context(device));
        int left = retained.merge(device, -1, Integer::sum);
        if (left < 0) {
            wrongs.add("released a context once too often");
        }
        if (left == 0) {
            alive.entrySet().removeIf(entry -> {
                boolean isOf = entry.getValue().context == context(device);
                boolean isPart = entry.getValue().parent != 0;
                if (isOf && !isPart && !attempted.contains(entry.getKey())) {
                    wrongs.add("left behind: " + entry.getValue().kind);
                }
                return isOf;
            });
        }
        return 0;
    }

    private int load(long... w) {
        String ptx = string(w[1]);
        long[] options = new long[32];
        for (int i = 0; i < w[2]; i++) {
            int option = at(w[3], 4 * w[2]).getAtIndex(JAVA_INT, i);
            options[option] = at(w[4], 8 * w[2]).getAtIndex(JAVA_LONG, i);
        }
        int line = ptx.substring(0, Math.max(0, ptx.indexOf("bad.f32"))).split("\n", -1).length;
        if (ptx.contains("bad.f32")) {
            at(options[5], options[6]).setString(0, """
                            ptxas application ptx input, line %d; error   : Not a name of any known instruction: 'bad'
                            ptxas fatal   : Ptx assembly aborted due to errors
                            """.formatted(line));
            return INVALID_PTX;
        }
        at(options[3], options[4]).setString(0, "ptxas info    : Used 10 registers");
        return make(w[0], "module", ptx);
    }

    private int function(long out, long module, String name) {
        return use(module, "module", _ -> {
            PtxEntry entry = PtxEntry.of((String) data(module)).get(name);
            return entry == null ? NOT_FOUND : make(out, "function", module, entry);
        });
    }

    private int global(long... w) {
        return use(w[2], "module", _ -> {
            if (!((String) data(w[2])).contains(" " + string(w[3]) + "[")) {
                return NOT_FOUND;
            }
            put(w[1], 64);
            return makeMemory(w[0], "global", w[2], 64);
        });
    }

    private int launch(long stream, long function, Function<PtxEntry, FakeLaunch> launch) {
        return use(
                stream,
                "stream",
                _ -> use(function, "function", _ -> {
                    launched.add(launch.apply((PtxEntry) data(function)));
                    return 0;
                }));
    }
}
