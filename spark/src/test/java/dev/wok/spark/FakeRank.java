package dev.wok.spark;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// A rank that trains nothing: each step all ranks give rank 0 a number that follows from rank and
/// step, and rank 0 mixes them into one number, saved each few steps. Whatever happens on the way,
/// the last number is [#expected].
///
/// Arguments: `--out DIR steps millis`, then what shall go wrong: `die RANK STEP` once, `refuse
/// RANK`, `fail RANK STEP`, `full RANK STEP` each time.
final class FakeRank {
    private static final int SAVE_EACH = 5;
    private static final int GONE_MILLIS = 5000;

    private final int rank = Integer.parseInt(System.getenv("WOK_RANK"));
    private final int size = Integer.parseInt(System.getenv("WOK_SIZE"));
    private final String secret = System.getenv("WOK_SECRET");
    private final String[] rendezvous = System.getenv("WOK_RENDEZVOUS").split(":");
    private final Path out;
    private final int steps;
    private final int millis;
    private final List<String> wrong;
    private volatile boolean stop;

    private FakeRank(List<String> arguments) {
        out = Path.of(arguments.get(1));
        steps = Integer.parseInt(arguments.get(2));
        millis = Integer.parseInt(arguments.get(3));
        wrong = arguments.subList(4, arguments.size());
    }

    public static void main(String[] arguments) throws Exception {
        Thread.ofPlatform().daemon().start(FakeRank::watchParent);
        FakeRank fake = new FakeRank(
                Arrays.stream(arguments).filter(a -> !a.equals("--restartable")).toList());
        try {
            if (fake.is("refuse", -1)) {
                System.err.println("wok: --steps x: expected a number.");
                System.exit(2);
            }
            System.exit(fake.rank == 0 ? fake.lead() : fake.follow());
        } catch (IOException e) {
            System.err.println("wok: rank %d: another rank has gone: %s".formatted(fake.rank, e));
            System.exit(1);
        }
    }

    private static void watchParent() {
        try {
            if (System.in.read() < 0) {
                Runtime.getRuntime().halt(1);
            }
        } catch (IOException e) {
            Runtime.getRuntime().halt(1);
        }
    }

    /// What the run ends with.
    static long expected(int ranks, int steps) {
        long state = 1;
        for (int step = 1; step <= steps; step++) {
            for (int rank = 0; rank < ranks; rank++) {
                state = mixed(state, number(rank, step));
            }
        }
        return state;
    }

    private static long number(int rank, int step) {
        return (rank + 1) * 0x9E3779B97F4A7C15L ^ step;
    }

    private static long mixed(long state, long number) {
        return state * 31 + number;
    }

    private int lead() throws Exception {
        Files.createDirectories(out);
        CountDownLatch saved = new CountDownLatch(1);
        try (FileChannel lock =
                        FileChannel.open(out.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                ServerSocket server = new ServerSocket(Integer.parseInt(rendezvous[1]))) {
            if (lock.tryLock() == null) {
                System.err.println("wok: the folder is in use by another run.");
                return 2;
            }
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                stop = true;
                try {
                    saved.await(5, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }));
            server.setSoTimeout(GONE_MILLIS);
            Socket[] others = new Socket[size];
            for (int i = 1; i < size; i++) {
                Socket socket = server.accept();
                DataInputStream in = new DataInputStream(socket.getInputStream());
                if (!in.readUTF().equals(secret)) {
                    throw new IOException("a stranger");
                }
                others[in.readInt()] = socket;
            }
            int code = steps(others);
            saved.countDown();
            return code;
        } finally {
            saved.countDown();
        }
    }

    private int steps(Socket[] others) throws IOException, InterruptedException {
        Path checkpoint = out.resolve("checkpoint");
        long[] begun = {0, 1};
        if (Files.exists(checkpoint)) {
            begun = Arrays.stream(Files.readString(checkpoint).split(" "))
                    .mapToLong(Long::parseLong)
                    .toArray();
            System.err.println("going on after step " + begun[0] + ".");
        }
        long state = begun[1];
        for (int step = (int) begun[0] + 1; step <= steps; step++) {
            mayFail(step);
            for (int i = 0; i < size; i++) {
                long number = number(0, step);
                if (i > 0) {
                    new DataOutputStream(others[i].getOutputStream()).writeInt(step);
                    number = new DataInputStream(others[i].getInputStream()).readLong();
                }
                state = mixed(state, number);
            }
            Files.writeString(
                    out.resolve("metrics.jsonl"),
                    "{\"step\": %d}%n".formatted(step),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
            boolean stopping = stop;
            if (step % SAVE_EACH == 0 || step == steps || stopping) {
                Path beside = out.resolve("checkpoint.new");
                Files.writeString(beside, step + " " + state);
                Files.move(beside, checkpoint, StandardCopyOption.ATOMIC_MOVE);
            }
            if (stopping && step < steps) {
                System.err.println("stopped after step " + step);
                return 130;
            }
            Thread.sleep(millis);
        }
        System.out.println("the number is " + state);
        return 0;
    }

    private int follow() throws IOException, InterruptedException {
        try (Socket socket = connected()) {
            DataInputStream in = new DataInputStream(socket.getInputStream());
            DataOutputStream to = new DataOutputStream(socket.getOutputStream());
            to.writeUTF(secret);
            to.writeInt(rank);
            while (true) {
                int step = in.readInt();
                mayFail(step);
                to.writeLong(number(rank, step));
                if (step == steps) {
                    return 0;
                }
            }
        }
    }

    private Socket connected() throws IOException, InterruptedException {
        long until = System.nanoTime() + GONE_MILLIS * 1_000_000L;
        while (true) {
            try {
                Socket socket = new Socket();
                socket.connect(new InetSocketAddress(rendezvous[0], Integer.parseInt(rendezvous[1])), GONE_MILLIS);
                return socket;
            } catch (IOException e) {
                if (System.nanoTime() > until) {
                    throw e;
                }
                Thread.sleep(20);
            }
        }
    }

    private void mayFail(int step) throws IOException, InterruptedException {
        if (is("die", step) && once("died")) {
            new ProcessBuilder(
                            "kill", "-9", Long.toString(ProcessHandle.current().pid()))
                    .start()
                    .waitFor();
        }
        if (is("full", step)) {
            System.err.println("wok: the disk is full: checkpoint was not written.");
            System.exit(2);
        }
        if (is("fail", step)) {
            throw new IOException("no space left on device");
        }
    }

    private boolean is(String what, int step) {
        if (wrong.isEmpty() || !wrong.getFirst().equals(what) || Integer.parseInt(wrong.get(1)) != rank) {
            return false;
        }
        return step < 0 || Integer.parseInt(wrong.get(2)) == step;
    }

    private boolean once(String name) throws IOException {
        if (Files.exists(out.resolve(name))) {
            return false;
        }
        Files.createFile(out.resolve(name));
        return true;
    }
}
