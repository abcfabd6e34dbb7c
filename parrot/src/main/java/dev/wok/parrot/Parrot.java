package dev.wok.parrot;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.Training;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.text.Tokenizer;
import dev.wok.train.Optimizer;
import dev.wok.train.TrainingStep;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/// A model of a hundred thousand weights that learnt some conversations and, when it decodes greedily, says its part of
/// them word for word: also after another conversation, after a system message, beside other tools. It learns in a few
/// seconds, once for each build.
public final class Parrot {
    private static final int TOKENS = 1024;
    private static final int CHECK_EVERY = 20;
    private static final double RATE = 6e-3;
    private static final double LEAST_SHARE = 0.05;
    private static final int FIRST_COURSE = 300;
    private static final int COURSES = 3;
    private static final double SURE = 0.8;
    private static final int EXAMINED = 250;

    private Parrot() {}

    /// A model folder of one that learnt [Talk#usual].
    ///
    /// @return a folder that is not to be written to
    public static Path usual(Family family) {
        return learnt(family, Talk.usual());
    }

    /// A model folder of one that learnt those conversations, learning them where nobody did before.
    ///
    /// @param talks questions that differ; a few dozen turns at most
    /// @return a folder that is not to be written to
    public static synchronized Path learnt(Family family, List<Talk> talks) {
        Path all = home();
        Path folder = all.resolve(family.name() + "-" + hash(family, talks));
        if (!Files.exists(folder)) {
            try {
                Files.createDirectories(all);
                Path made = Files.createTempDirectory(all, "learning");
                teach(family, talks, made);
                move(made, folder);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return folder;
    }

    private static void move(Path made, Path folder) throws IOException {
        try {
            Files.move(made, folder);
        } catch (FileAlreadyExistsException e) {
            return;
        } catch (FileSystemException e) {
            if (!Files.exists(folder)) {
                throw e;
            }
        }
    }

    /// Beside what this class was loaded from, for all who use it.
    private static Path home() {
        try {
            Path here = Path.of(Parrot.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
            Path parent = Objects.requireNonNull(here.getParent());
            boolean built = Stream.of(parent, parent.getParent())
                    .anyMatch(p -> p != null && p.getFileName() != null && p.endsWith("target"));
            return (built ? parent : Path.of("target").toAbsolutePath()).resolve("parrots");
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String hash(Family family, List<Talk> talks) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(talks.toString().getBytes(StandardCharsets.UTF_8));
            for (String part : List.of("Parrot.class", "Lessons.class", "Family.class", family.template())) {
                digest.update(resource(part));
            }
            digest.update(family.config().getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest.digest(), 0, 6);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static byte[] resource(String name) {
        try (InputStream in = Objects.requireNonNull(Parrot.class.getResourceAsStream(name), name)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void teach(Family family, List<Talk> talks, Path folder) throws IOException {
        for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
            Files.write(folder.resolve(file), resource(family.tokenizer() + "/" + file));
        }
        Files.write(folder.resolve("chat_template.jinja"), resource(family.template()));
        Files.writeString(folder.resolve("config.json"), family.config());
        Tokenizer tokenizer = Tokenizer.load(folder);
        Lessons lessons = new Lessons(family, tokenizer, talks, 3);
        Lessons examination = new Lessons(family, tokenizer, talks, 4);
        try (HostDevice device = Device.host(Runtime.getRuntime().availableProcessors());
                Model model = Model.create(ModelConfig.load(folder), Kernels.on(device.stream()), DType.F32, 7)) {
            learn(
                    model,
                    lessons,
                    Stream.concat(
                                    lessons.plain().stream(),
                                    Stream.generate(examination::draw).limit(EXAMINED))
                            .toList());
            model.save(folder);
        }
    }

    /// Learns in courses, each of which slows down, and twice as long as the one before where that was not enough.
    private static void learn(Model model, Lessons lessons, List<Lessons.Lesson> examination) {
        var constants = new Optimizer.Constants(0.9, 0.95, 1e-8, 0.01, 1);
        try (TrainingStep training = new TrainingStep(model, new Training.Settings(1, TOKENS, 0, 1e-4), constants)) {
            int step = 0;
            for (int course = 0; course < COURSES; course++) {
                int steps = FIRST_COURSE << course;
                for (int at = 1; at <= steps; at++) {
                    double share = Math.min(at / 20.0, Math.max(LEAST_SHARE, 1 - (double) at / steps));
                    training.run(List.of(lessons.batch(TOKENS)), ++step, RATE * share, 0);
                    if (at % CHECK_EVERY == 0 && knows(model, examination)) {
                        return;
                    }
                }
            }
        }
        throw new IllegalStateException("the parrot does not learn these conversations");
    }

    private static boolean knows(Model model, List<Lessons.Lesson> lessons) {
        return lessons.stream().allMatch(lesson -> leastSure(model.logits(lesson.ids()), lesson) > SURE);
    }

    /// @return the smallest of the probabilities that the model gives the tokens that it is to say
    static double leastSure(Tensor logits, Lessons.Lesson lesson) {
        int vocabulary = (int) logits.dim(1);
        double smallest = 1;
        for (int i = lesson.from() - 1; i + 1 < lesson.ids().length; i++) {
            double right = logits.get((long) i * vocabulary + lesson.ids()[i + 1]);
            double sum = 0;
            for (int id = 0; id < vocabulary; id++) {
                sum += Math.exp(logits.get((long) i * vocabulary + id) - right);
            }
            smallest = Math.min(smallest, 1 / sum);
        }
        return smallest;
    }
}
