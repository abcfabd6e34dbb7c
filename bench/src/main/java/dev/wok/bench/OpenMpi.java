package dev.wok.bench;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The peer of the exchange, compiled where Open MPI is installed.
///
/// @param version for people
/// @param program that `mpirun` starts
record OpenMpi(String version, Path program) {
    private static final String SOURCE = "exchange.c";
    private static final String MARK = "(Open MPI) ";

    /// @param folder for what is compiled
    /// @return nothing where Open MPI is not installed, which is then said
    static Optional<OpenMpi> compile(Path folder, Progress progress) {
        Optional<String> version = installed();
        if (version.isEmpty() || run(List.of("mpicc", "--version")).isEmpty()) {
            progress.say("without a peer: Open MPI's mpicc and mpirun are not installed"
                    + " (apt-get install openmpi-bin libopenmpi-dev)");
            return Optional.empty();
        }
        Path source = folder.resolve(SOURCE);
        Path program = folder.resolve("exchange");
        try (InputStream in = OpenMpi.class.getResourceAsStream(SOURCE)) {
            if (in == null) {
                throw new IllegalStateException(SOURCE + " is not in the jar");
            }
            Files.copy(in, source);
        } catch (IOException e) {
            throw BadInput.writing(source, e);
        }
        if (run(List.of("mpicc", "-O3", "-march=native", "-o", program.toString(), source.toString()))
                .isEmpty()) {
            throw new BadInput("mpicc does not compile %s.".formatted(source));
        }
        return Optional.of(new OpenMpi(version.get(), program));
    }

    /// How large messages pass between processes: read from the sender's memory, or through memory
    /// that they share. The first is usual where the system allows it, and faster for large
    /// batches; the second for small ones.
    enum Copies {
        USUAL,
        THROUGH_SHARED_MEMORY
    }

    /// How often a token travels to a rank, and its result back.
    enum Dispatch {
        ONCE,
        FOR_EACH_CHOICE
    }

    List<String> command(int ranks, Copies copies, Dispatch dispatch) {
        List<String> command =
                new ArrayList<>(List.of("mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"));
        if (copies == Copies.THROUGH_SHARED_MEMORY) {
            command.addAll(List.of("--mca", "btl_vader_single_copy_mechanism", "none"));
        }
        command.addAll(List.of("-np", Integer.toString(ranks), program.toString()));
        if (dispatch == Dispatch.FOR_EACH_CHOICE) {
            command.add("each");
        }
        return command;
    }

    private static Optional<String> installed() {
        return run(List.of("mpirun", "--version"))
                .flatMap(text -> text.lines()
                        .filter(line -> line.contains(MARK))
                        .map(line -> "Open MPI "
                                + line.substring(line.indexOf(MARK) + MARK.length())
                                        .strip())
                        .findFirst());
    }

    /// @return what it printed, nothing where it cannot be run or fails
    private static Optional<String> run(List<String> command) {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return process.waitFor() == 0 ? Optional.of(text) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
