package dev.wok.tune;

import dev.wok.tune.JudgeMessage.Kind;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The program that judges one submission and ends; [Judges] starts it in a process of its own.
///
/// It learns which calls to make, never what they should return: it sends what they returned, and
/// the one that asked compares. So nothing that a submission does here can make a wrong answer
/// right. What it sends goes out on a stream that was put aside before the submission was loaded.
final class Judge {
    /// What compiling may cost, in processor time.
    static final Duration COMPILE_LIMIT = Duration.ofSeconds(10);

    /// How long it waits for a submission.
    static final Duration PATIENCE = Duration.ofSeconds(60);

    /// Bytes that a submission may print.
    static final int PRINT_LIMIT = 1 << 20;

    /// The argument under which it only learns to start faster.
    static final String REHEARSE = "rehearse";

    private static final long STACK_BYTES = 4 << 20;
    private static final int REASON_CHARS = 200;
    private static final String REHEARSAL = """
            import java.util.*;
            int sum(List<Integer> values) {
                Map<Integer, String> seen = new TreeMap<>();
                int total = 0;
                for (int value : values) {
                    total += seen.containsKey(value) ? 0 : value;
                    seen.put(value, "value " + value);
                }
                return total + values.stream().filter(v -> v > 3).mapToInt(v -> v).sum();
            }
            """;

    private final DataOutputStream out;
    private final JudgeCompiler compiler = new JudgeCompiler();
    private long nonce;
    private volatile boolean busy;

    private Judge(OutputStream out) throws IOException {
        this.out = new DataOutputStream(new BufferedOutputStream(out));
    }

    static void main(String[] arguments) throws IOException {
        InputStream in = System.in;
        OutputStream out = new FileOutputStream(FileDescriptor.out);
        System.setIn(InputStream.nullInputStream());
        rehearse();
        if (arguments.length > 0 && arguments[0].equals(REHEARSE)) {
            return;
        }
        new Judge(out).judge(new DataInputStream(new BufferedInputStream(in)));
    }

    private static void rehearse() throws IOException {
        Judge judge = new Judge(OutputStream.nullOutputStream());
        JudgeSignature signature = JudgeSignature.parse("int sum(List<Integer> values)");
        List<@Nullable Object[]> calls = List.<@Nullable Object[]>of(new Object[] {List.of(1, 2, 5)});
        Loader loader = new Loader(judge.compiler.compile(REHEARSAL).classes());
        JudgeRules.refusal(loader.classes);
        judge.run(new Target(loader, signature), signature, calls);
    }

    private void judge(DataInputStream in) throws IOException {
        Thread.ofPlatform().daemon().start(this::leaveWhenIdle);
        send(Kind.READY, "");
        nonce = in.readLong();
        busy = true;
        Duration limit = Duration.ofNanos(in.readLong());
        JudgeSignature signature = JudgeSignature.parse(readText(in));
        String source = readText(in);
        int count = in.readInt();
        List<@Nullable Object[]> calls = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            calls.add(arguments(signature, in));
        }
        PrintStream counted = new PrintStream(new Counted(), true);
        System.setOut(counted);
        System.setErr(counted);
        Target[] target = new Target[1];
        within(COMPILE_LIMIT, "compile time limit", () -> target[0] = compile(source, signature));
        send(Kind.RUNS, "");
        within(limit, "time limit", () -> run(target[0], signature, calls));
        end(Kind.END, "");
    }

    private static @Nullable Object[] arguments(JudgeSignature signature, DataInputStream in) throws IOException {
        List<@Nullable Object> values = new ArrayList<>();
        for (JudgeType type : signature.parameters()) {
            values.add(type.read(in));
        }
        return values.toArray();
    }

    private static String readText(DataInputStream in) throws IOException {
        return new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8);
    }

    private void leaveWhenIdle() {
        sleep(PATIENCE.toMillis());
        if (!busy) {
            Runtime.getRuntime().halt(0);
        }
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void within(Duration limit, String what, Runnable work) {
        Thread thread = Thread.ofPlatform().stackSize(STACK_BYTES).unstarted(() -> guarded(work));
        Duration before = processorTime();
        thread.start();
        while (!ended(thread)) {
            if (processorTime().minus(before).compareTo(limit) > 0) {
                end(
                        Kind.LIMIT,
                        what + " "
                                + BigDecimal.valueOf(limit.toMillis(), 3)
                                        .stripTrailingZeros()
                                        .toPlainString() + " s");
            }
        }
    }

    private static boolean ended(Thread thread) {
        try {
            return thread.join(Duration.ofMillis(20));
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /// Of the whole process, so that collecting garbage counts too; where the system doesn't tell,
    /// by the clock.
    private static Duration processorTime() {
        return ProcessHandle.current().info().totalCpuDuration().orElseGet(() -> Duration.ofNanos(System.nanoTime()));
    }

    private void guarded(Runnable work) {
        try {
            work.run();
        } catch (OutOfMemoryError e) {
            end(Kind.LIMIT, "memory limit");
        } catch (Throwable e) {
            end(Kind.REFUSED, "cannot be loaded: " + e.getClass().getName());
        }
    }

    private Target compile(String source, JudgeSignature signature) {
        JudgeCompiler.Compiled compiled = compiler.compile(source);
        if (compiled.error() != null) {
            end(Kind.REFUSED, "compile error: " + compiled.error());
        }
        Optional<String> refusal = JudgeRules.refusal(compiled.classes());
        refusal.ifPresent(reason -> end(Kind.REFUSED, reason));
        Target target = new Target(new Loader(compiled.classes()), signature);
        if (target.method == null) {
            end(Kind.REFUSED, "has no method " + signature);
        }
        return target;
    }

    private void run(Target target, JudgeSignature signature, List<@Nullable Object[]> calls) {
        for (@Nullable Object[] call : calls) {
            try {
                Object returned = target.call(call);
                StringBuilder json = new StringBuilder();
                signature.judged().write(json, signature.result() == null ? call[0] : returned);
                send(Kind.RETURNED, json.toString());
            } catch (InvocationTargetException e) {
                failed(e.getCause() == null ? e : e.getCause());
            } catch (ReflectiveOperationException | RuntimeException | StackOverflowError e) {
                failed(e);
            }
        }
    }

    private void failed(Throwable e) {
        if (e instanceof OutOfMemoryError) {
            end(Kind.LIMIT, "memory limit");
        }
        String reason = e instanceof JudgeType.Misfit misfit
                ? misfit.said()
                : "threw " + e.getClass().getName();
        send(Kind.FAILED, reason.substring(0, Math.min(reason.length(), REASON_CHARS)));
    }

    private synchronized void send(Kind kind, String text) {
        try {
            new JudgeMessage(kind, text).write(out, nonce);
        } catch (IOException e) {
            Runtime.getRuntime().halt(1);
        }
    }

    private synchronized void end(Kind kind, String text) {
        send(kind, text);
        Runtime.getRuntime().halt(0);
    }

    /// Swallows what a submission prints, and ends it where that is too much.
    private final class Counted extends OutputStream {
        private long count;

        @Override
        public void write(int b) {
            count(1);
        }

        @Override
        public void write(byte[] bytes, int from, int length) {
            count(length);
        }

        private void count(int more) {
            count += more;
            if (count > PRINT_LIMIT) {
                end(Kind.LIMIT, "printed more than %d bytes".formatted(PRINT_LIMIT));
            }
        }
    }

    /// Submitted classes, which see nothing but what the virtual machine itself loads: none of ours.
    private static final class Loader extends ClassLoader {
        private final Map<String, byte[]> classes;

        Loader(Map<String, byte[]> classes) {
            super(null);
            this.classes = classes;
        }

        /// What a submission declares is its own, also where Java has a class of that name.
        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                if (loaded != null) {
                    return loaded;
                }
                return classes.containsKey(name) ? findClass(name) : super.loadClass(name, resolve);
            }
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            byte[] bytes = classes.get(name);
            if (bytes == null) {
                throw new ClassNotFoundException(name);
            }
            return defineClass(name, bytes, 0, bytes.length);
        }
    }

    /// The method that is asked for, of any of the classes: a static one first.
    private static final class Target {
        private @Nullable Method method;

        Target(Loader loader, JudgeSignature signature) {
            Class<?>[] parameters =
                    signature.parameters().stream().map(JudgeType::erased).toArray(Class<?>[]::new);
            for (String name : loader.classes.keySet()) {
                consider(load(loader, name), signature.name(), parameters);
            }
        }

        private static Class<?> load(Loader loader, String name) {
            try {
                return loader.loadClass(name);
            } catch (ClassNotFoundException e) {
                throw new IllegalStateException(e);
            }
        }

        private void consider(Class<?> type, String name, Class<?>[] parameters) {
            for (Method one : type.getDeclaredMethods()) {
                boolean fits = one.getName().equals(name)
                        && Arrays.equals(one.getParameterTypes(), parameters)
                        && !one.isBridge()
                        && !Modifier.isAbstract(one.getModifiers())
                        && (Modifier.isStatic(one.getModifiers()) || isMade(type));
                if (fits && (method == null || Modifier.isStatic(one.getModifiers()))) {
                    one.setAccessible(true);
                    method = one;
                }
            }
        }

        private static boolean isMade(Class<?> type) {
            return !Modifier.isAbstract(type.getModifiers())
                    && Arrays.stream(type.getDeclaredConstructors()).anyMatch(one -> one.getParameterCount() == 0);
        }

        @Nullable
        Object call(@Nullable Object[] arguments) throws ReflectiveOperationException {
            if (method == null) {
                throw new NoSuchMethodException();
            }
            Object on = null;
            if (!Modifier.isStatic(method.getModifiers())) {
                Constructor<?> constructor = method.getDeclaringClass().getDeclaredConstructor();
                constructor.setAccessible(true);
                on = constructor.newInstance();
            }
            return method.invoke(on, arguments);
        }
    }
}
