package dev.wok.bench;

import dev.wok.fabric.Membership.Transport;
import dev.wok.notice.BadInput;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/// Ranks that are processes and do what they are told; while they are told nothing they take no
/// processor.
final class RankGroup implements AutoCloseable {
    private static final int SECRET_BYTES = 16;
    private static final Duration END = Duration.ofSeconds(10);
    private static final String HEAP = "-Xmx512m";

    private final List<Process> told;
    private final BufferedReader answers;
    private final Path errors;

    private RankGroup(List<Process> told, BufferedReader answers, Path errors) {
        this.told = told;
        this.answers = answers;
        this.errors = errors;
    }

    /// @param folder for what they say of errors
    static RankGroup wok(int ranks, Transport transport, Path folder) {
        Path errors = folder.resolve("%s-%d.txt".formatted(transport, ranks));
        byte[] secret = new byte[SECRET_BYTES];
        new SecureRandom().nextBytes(secret);
        Map<String, String> group = Map.of(
                "WOK_SIZE",
                Integer.toString(ranks),
                "WOK_SECRET",
                HexFormat.of().formatHex(secret),
                "WOK_TRANSPORT",
                transport.name());
        List<Process> processes = new ArrayList<>();
        processes.add(rank(0, "127.0.0.1:0", group, errors));
        BufferedReader answers = processes.getFirst().inputReader(StandardCharsets.UTF_8);
        RankGroup started = new RankGroup(processes, answers, errors);
        String address = started.answer("join");
        for (int rank = 1; rank < ranks; rank++) {
            processes.add(rank(rank, address, group, errors));
        }
        return started;
    }

    private static Process rank(int rank, String rendezvous, Map<String, String> group, Path errors) {
        Map<String, String> variables = new HashMap<>(group);
        variables.put("WOK_RANK", Integer.toString(rank));
        variables.put("WOK_RENDEZVOUS", rendezvous);
        return start(java(), variables, errors);
    }

    static RankGroup mpi(OpenMpi peer, int ranks, OpenMpi.Copies copies, OpenMpi.Dispatch dispatch, Path folder) {
        Path errors = folder.resolve("mpi-%d-%s-%s.txt".formatted(ranks, copies, dispatch));
        Process process = start(peer.command(ranks, copies, dispatch), Map.of(), errors);
        return new RankGroup(List.of(process), process.inputReader(StandardCharsets.UTF_8), errors);
    }

    /// @return nanoseconds
    double[] ask(RankCommand command) {
        String line = command.line();
        try {
            for (Process process : told) {
                OutputStream in = process.getOutputStream();
                in.write((line + "\n").getBytes(StandardCharsets.UTF_8));
                in.flush();
            }
        } catch (IOException e) {
            throw failed(line);
        }
        return Arrays.stream(answer(line).strip().split(" "))
                .mapToDouble(Double::parseDouble)
                .toArray();
    }

    private String answer(String question) {
        try {
            String line = answers.readLine();
            if (line != null) {
                return line;
            }
        } catch (IOException e) {
            throw failed(question);
        }
        throw failed(question);
    }

    private BadInput failed(String question) {
        close();
        String said = "nothing";
        try (BufferedReader reader = Files.newBufferedReader(errors)) {
            said = reader.lines().filter(line -> !line.isBlank()).findFirst().orElse(said);
        } catch (IOException e) {
            said = e.toString();
        }
        return new BadInput("the ranks that were to measure '%s' ended and said: %s".formatted(question, said));
    }

    /// The same Java with the same modules; where it runs from a class path, with that.
    private static List<String> java() {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                HEAP,
                "-XX:+UseSerialGC",
                "-Djava.lang.foreign.native.threshold.power.copy=0"));
        Class<?> main = FabricRank.class;
        if (main.getModule().isNamed()) {
            command.addAll(List.of(
                    "--enable-native-access=wok.device",
                    "-p",
                    System.getProperty("jdk.module.path"),
                    "-m",
                    "%s/%s".formatted(main.getModule().getName(), main.getName())));
        } else {
            command.addAll(List.of(
                    "--enable-native-access=ALL-UNNAMED",
                    "-cp",
                    System.getProperty("java.class.path"),
                    main.getName()));
        }
        return command;
    }

    private static Process start(List<String> command, Map<String, String> variables, Path errors) {
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.appendTo(errors.toFile()));
        builder.environment().putAll(variables);
        try {
            return builder.start();
        } catch (IOException e) {
            throw new BadInput("%s cannot be started: %s.".formatted(command.getFirst(), e.getMessage()));
        }
    }

    /// Ranks whose input ends, end.
    @Override
    public void close() {
        for (Process process : told) {
            try {
                process.getOutputStream().close();
            } catch (IOException e) {
                process.destroy();
            }
        }
        for (Process process : told) {
            try {
                if (!process.waitFor(END)) {
                    process.destroyForcibly();
                }
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
