package dev.wok.cli;

import dev.wok.api.Answer;
import dev.wok.api.Model;
import dev.wok.generate.Generation.FinishReason;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// Answers a file of requests into a file of answers, in the same order. Answers are kept beside the
/// output's name as they come, and what is interrupted goes on there; the output is there when it is
/// complete.
final class Batch {
    /// Answers that are begun before the first of them is written.
    private static final int AHEAD = 256;

    private static final int HASH_DIGITS = 12;

    private record Asked(BatchRequest request, Answer answer) {}

    private final Path input;
    private final Path output;
    private final Answer.Options options;
    private final Progress progress;
    private final Deque<Asked> begun = new ArrayDeque<>();
    private boolean interrupted;

    /// @param options for lines that do not say otherwise
    /// @throws BadInput where the output is there already
    Batch(Path input, Path output, Answer.Options options, Progress progress) {
        this.input = input;
        this.output = output;
        this.options = options;
        this.progress = progress;
        Given.requireFolderOf(output);
        if (Files.exists(output)) {
            throw new BadInput("%s exists already; give another name, or remove it.".formatted(output));
        }
    }

    /// @param setup what else decides about answers: the model and its arithmetic
    /// @return whether it is complete
    /// @throws BadInput where a line is no request or does not fit the model: before anything is computed
    boolean run(Model model, String setup) {
        Deque<Asked> asked = new ArrayDeque<>();
        for (BatchRequest request : requests()) {
            asked.add(new Asked(request, ask(request, model)));
        }
        Path part = part(setup);
        try {
            int done = repair(part);
            if (done > 0) {
                progress.say("going on after %d answers in %s".formatted(done, part));
            }
            boolean complete = Interruption.during(this::cancel, () -> answer(model, asked, done, part));
            if (complete) {
                Files.move(part, output, StandardCopyOption.ATOMIC_MOVE);
            }
            return complete;
        } catch (UncheckedIOException e) {
            throw BadInput.writing(output, Objects.requireNonNull(e.getCause()));
        } catch (IOException e) {
            throw BadInput.writing(output, e);
        }
    }

    /// @return where answers are kept until all are there
    Path part(String setup) {
        return output.resolveSibling("%s.%s.part".formatted(output.getFileName(), fingerprint(setup)));
    }

    private List<BatchRequest> requests() {
        List<BatchRequest> requests = new ArrayList<>();
        try (BufferedReader reader = Files.newBufferedReader(input)) {
            int number = 0;
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                number++;
                if (!line.isBlank()) {
                    String place = "%s, line %d".formatted(input, number);
                    requests.add(BatchRequest.parse(line, place, requests.size(), options));
                }
            }
        } catch (IOException e) {
            throw BadInput.reading(input, e);
        }
        if (requests.isEmpty()) {
            throw new BadInput("%s holds no request, expected a JSON object a line.".formatted(input));
        }
        return requests;
    }

    private static Answer ask(BatchRequest request, Model model) {
        try {
            return request.ask().apply(model);
        } catch (BadInput e) {
            throw new BadInput(request.place() + ": " + e.getMessage(), e);
        }
    }

    /// Tells parts of other inputs, models and options apart.
    private String fingerprint(String setup) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update((setup + options).getBytes(StandardCharsets.UTF_8));
            digest.update(Files.readAllBytes(input));
            return HexFormat.of().formatHex(digest.digest()).substring(0, HASH_DIGITS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        } catch (IOException e) {
            throw BadInput.reading(input, e);
        }
    }

    /// Cuts off a line that was not finished.
    ///
    /// @return the lines that are left
    private static int repair(Path part) throws IOException {
        if (!Files.exists(part)) {
            return 0;
        }
        int lines = 0;
        long end = 0;
        try (RandomAccessFile file = new RandomAccessFile(part.toFile(), "rw")) {
            byte[] block = new byte[1 << 16];
            long at = 0;
            for (int count = file.read(block); count > 0; count = file.read(block)) {
                for (int i = 0; i < count; i++) {
                    if (block[i] == '\n') {
                        lines++;
                        end = at + i + 1;
                    }
                }
                at += count;
            }
            file.setLength(end);
        }
        return lines;
    }

    /// @param asked all requests; those that are answered by and by are taken out
    /// @param done how many were answered before
    /// @return whether all are
    private boolean answer(Model model, Deque<Asked> asked, int done, Path part) {
        long start = System.nanoTime();
        long tokens = 0;
        try (OutputStream out = Files.newOutputStream(part, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
                Progress.Task task = progress.start("answering", asked.size(), "answers")) {
            task.advance(done);
            for (int i = 0; i < done; i++) {
                asked.remove();
            }
            for (Asked first = begin(asked); first != null; first = begin(asked)) {
                String _ = first.answer.text();
                if (first.answer.finishReason() == FinishReason.CANCELLED) {
                    return false;
                }
                out.write((line(model, first) + "\n").getBytes(StandardCharsets.UTF_8));
                written();
                tokens += first.answer.ids().length;
                task.detail(Amounts.of(tokens * 1e9 / (System.nanoTime() - start), "tokens") + "/s");
                task.advance(1);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        force(part);
        return asked.isEmpty();
    }

    private static void force(Path part) {
        try (FileChannel channel = FileChannel.open(part, StandardOpenOption.WRITE)) {
            channel.force(true);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Begins as many answers as may be ahead of the first.
    ///
    /// @return the first, which is to be written next; null where there is none
    private synchronized @Nullable Asked begin(Deque<Asked> asked) {
        while (!interrupted && begun.size() < AHEAD && !asked.isEmpty()) {
            Asked next = asked.remove();
            next.answer.begin();
            begun.add(next);
        }
        return begun.peek();
    }

    private synchronized void written() {
        begun.remove();
    }

    /// Ends what was begun; from another thread.
    private synchronized void cancel() {
        interrupted = true;
        begun.forEach(one -> one.answer.cancel());
    }

    private static String line(Model model, Asked asked) {
        SequencedMap<String, Object> object = new LinkedHashMap<>();
        if (asked.request.id() != null) {
            object.put("id", asked.request.id());
        }
        object.putAll(AnswerJson.of(asked.answer));
        object.put("prompt_tokens", asked.answer.promptTokens());
        if (asked.request.logprobs()) {
            AnswerJson.addLogprobs(object, model, asked.answer);
        }
        return Json.text(object);
    }
}
