package dev.wok.cli;

import dev.wok.bench.Bench;
import dev.wok.bench.KernelRun;
import dev.wok.bench.Row;
import dev.wok.device.Device;
import dev.wok.device.DeviceName;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Explanation;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Tuning;
import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok bench`: figures beside the limit that was measured in the same run.
@Command(
        name = "bench",
        description = "Measures Wok on this machine, each figure beside a limit measured in the same run.",
        sortOptions = false,
        footer = {"", "Example:", "  wok bench kernels --svg roofline.svg"})
final class BenchCommand implements Callable<Integer> {
    private static final int SECONDS = 300;

    private final Console console;
    private final Display display;

    @Parameters(
            paramLabel = "NAME",
            arity = "0..1",
            description =
                    "kernels: single kernels. train: a training step. generate: a prompt of 512 tokens and 128 new"
                            + " ones. batch: many texts at once. speculate: a text with tokens guessed. serve: a server"
                            + " against its engine. fabric: tokens between processes. make-model: writes a model of"
                            + " random weights.")
    String name = "";

    @Option(names = "--tune", description = "Find the fastest tiles of matrix products anew and keep them; no NAME.")
    boolean tune;

    @Option(
            names = "--only",
            paramLabel = "ROW",
            split = ",",
            description = "Of the kernels, or of what fabric measures, only these, separated by commas.")
    List<String> only = new ArrayList<>();

    @Option(names = "--svg", paramLabel = "FILE", description = "Draw the kernels under the machine's limits as well.")
    @Nullable
    Path svg;

    @Option(
            names = "--preset",
            paramLabel = "P",
            description =
                    "The model's shape. train: nano, mini or small (the default), on a GPU moe-1b too; make-model, and"
                            + " generate on a GPU: v2-lite, r1-distill-1.5b, llama-1b, small or nano.")
    @Nullable
    String preset;

    @Option(names = "--model", paramLabel = "DIR", description = "The model that generates.")
    @Nullable
    Path model;

    @Option(
            names = "--weights",
            paramLabel = "W",
            description = "What the made model's matrices are: f32, bf16, int8, fp8 or int4 (the default).")
    @Nullable
    String weights;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "Where the model is made (default: the preset and the weights, as in v2-lite-int4).")
    @Nullable
    Path out;

    @Option(
            names = "--dtype",
            paramLabel = "T",
            description = "With generate, batch and speculate, what products round to: f32 (the default) or bf16.")
    @Nullable
    String dtype;

    @Option(
            names = "--connections",
            paramLabel = "N",
            description = "With serve: also ask over so many connections, again and again.")
    @Nullable
    Integer connections;

    @Option(names = "--seconds", paramLabel = "S", description = "With --connections: for how long (default: 300).")
    @Nullable
    Integer seconds;

    @Option(names = "--backend", paramLabel = "B", description = "The kernels (default: the fastest that run here).")
    @Nullable
    String backend;

    @Option(names = "--threads", paramLabel = "N", description = "Threads that compute (default: all processors).")
    @Nullable
    Integer threads;

    @Option(
            names = "--device",
            paramLabel = "D",
            defaultValue = "cpu",
            description = "With kernels, train and generate: cpu (the default), cuda or cuda:N.")
    String device = "cpu";

    @Option(
            names = "--explain",
            paramLabel = "ROW",
            description =
                    "Measure nothing: print how the kernels of a GPU's row come about: what was chosen and why, PTX,"
                            + " registers. Without a GPU, add --device emulated.")
    @Nullable
    String explain;

    @Option(names = "--json", description = "Print an array of rows.")
    boolean json;

    BenchCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        if (tune) {
            return tune();
        }
        if (explain != null) {
            return explain(explain);
        }
        List<Row> rows = switch (name) {
            case "kernels" -> kernels();
            case "train" -> train();
            case "generate", "batch", "speculate", "serve" -> generate();
            case "fabric" -> fabric();
            case "make-model" -> makeModel();
            case "" ->
                throw new BadInput(
                        "name a measurement, kernels, train, generate, batch, speculate, serve or fabric, or give --tune.");
            default ->
                throw new BadInput(
                        "there is no measurement %s; there are kernels, train, generate, batch, speculate, serve, fabric and make-model."
                                .formatted(name));
        };
        if (json) {
            console.out().println(Json.text(rows.stream().map(Row::values).toList()));
        } else {
            rows.forEach(row -> console.out()
                    .printf(
                            "%-30s%16s  %5.2f of %s (%s)%n",
                            row.name(),
                            Amounts.of(row.value(), row.unit()),
                            row.ratio(),
                            Amounts.of(row.againstValue(), row.unit()),
                            row.against()));
        }
        return 0;
    }

    private int explain(String row) {
        refuse(!name.equals("kernels"), "--explain", "kernels");
        DeviceName named = DeviceName.parse("--device", device.equals("cpu") ? "cuda" : device);
        List<Explanation> all = Bench.explain(row, named);
        if (json) {
            console.out()
                    .println(Json.text(all.stream().map(BenchCommand::values).toList()));
            return 0;
        }
        for (Explanation kernel : all) {
            console.out()
                    .printf(
                            "%s%n  %s%n  %s%n%s%n%s%n",
                            kernel.name(),
                            kernel.configuration(),
                            kernel.reason(),
                            kernel.resources().indent(2).stripTrailing(),
                            kernel.source());
        }
        return 0;
    }

    private static SequencedMap<String, Object> values(Explanation kernel) {
        SequencedMap<String, Object> values = new LinkedHashMap<>();
        values.put("name", kernel.name());
        values.put("configuration", kernel.configuration());
        values.put("reason", kernel.reason());
        values.put("resources", kernel.resources());
        values.put("source", kernel.source());
        return values;
    }

    private boolean isOnGpu() {
        if (DeviceName.parse("--device", device).kind() == DeviceName.Kind.CPU) {
            return false;
        }
        if (backend != null || threads != null) {
            throw new BadInput("--backend and --threads do not go with --device %s.".formatted(device));
        }
        return true;
    }

    private DeviceName device() {
        return DeviceName.parse("--device", device);
    }

    private int tune() {
        boolean alone = Stream.of(svg, preset, backend, model, weights, out, dtype, connections, seconds)
                .allMatch(Objects::isNull);
        if (!name.isEmpty() || !only.isEmpty() || !alone) {
            throw new BadInput("--tune goes with --threads and --json only.");
        }
        List<Tuning.Trial> trials;
        Tuning tuning;
        try (HostDevice device = Device.host(ComputeOptions.threads(threads))) {
            trials = Tuning.search(device, display);
            tuning = Tuning.describe(device).orElseThrow();
        }
        if (json) {
            console.out()
                    .println(Json.text(trials.stream().map(BenchCommand::values).toList()));
            return 0;
        }
        console.out().printf("%-10s%-16s%-24s%10s%n", "precision", "product", "tiling", "GFLOP/s");
        trials.forEach(trial -> console.out()
                .printf(
                        "%-10s%-16s%-24s%10.1f%s%s%n",
                        trial.precision(),
                        trial.product(),
                        trial.tiling(),
                        trial.gflops(),
                        trial.usual() ? "  usual" : "",
                        trial.chosen() ? "  chosen" : ""));
        console.out().printf("%n%s%n", tuning.file());
        tuning.tiles().forEach(console.out()::println);
        return 0;
    }

    private static SequencedMap<String, Object> values(Tuning.Trial trial) {
        SequencedMap<String, Object> values = new LinkedHashMap<>();
        values.put("precision", trial.precision());
        values.put("product", trial.product());
        values.put("tiling", trial.tiling());
        values.put("gflops", trial.gflops());
        values.put("usual", trial.usual());
        values.put("chosen", trial.chosen());
        return values;
    }

    private List<Row> generate() {
        refuseOthers(name);
        boolean onGpu = isOnGpu();
        if (onGpu && !name.equals("generate")) {
            throw new BadInput("--device %s goes with wok bench kernels, train and generate.".formatted(device));
        }
        if (onGpu && model == null && preset != null) {
            Storage storage = ComputeOptions.storage("--weights", weights == null ? "bf16" : weights);
            return Bench.generate(preset, storage, device(), display);
        }
        refuse(preset != null, "--preset", "make-model");
        if (model == null) {
            throw new BadInput("name the model that generates: wok bench %s --model DIR.".formatted(name));
        }
        Precision precision = switch (dtype) {
            case null -> Precision.F32;
            case "f32" -> Precision.F32;
            case "bf16" -> Precision.BF16;
            default -> throw new BadInput("--dtype %s: expected f32 or bf16.".formatted(dtype));
        };
        if (onGpu) {
            return Bench.generate(model, device(), display);
        }
        int count = ComputeOptions.threads(threads);
        return switch (name) {
            case "batch" -> Bench.batch(model, count, backend(), precision, display);
            case "serve" ->
                Bench.serve(
                        model,
                        connections == null ? 0 : positive("--connections", connections),
                        seconds == null ? SECONDS : positive("--seconds", seconds),
                        count,
                        backend(),
                        precision,
                        display);
            case "speculate" -> Bench.speculate(model, count, backend(), precision, display);
            default -> Bench.generate(model, count, backend(), precision, display);
        };
    }

    private static int positive(String option, int value) {
        if (value < 1) {
            throw new BadInput("%s %d: expected 1 or more.".formatted(option, value));
        }
        return value;
    }

    private List<Row> makeModel() {
        refuseOthers("make-model");
        if (preset == null) {
            throw new BadInput("name a shape: --preset %s.".formatted(String.join(", ", Bench.shapes())));
        }
        String held = weights == null ? "int4" : weights;
        Path target = out == null ? Path.of(preset + "-" + held) : out;
        Bench.makeModel(preset, target, ComputeOptions.storage("--weights", held), display);
        return List.of();
    }

    private void refuseOthers(String measurement) {
        boolean generates = List.of("generate", "batch", "speculate", "serve").contains(measurement);
        boolean makes = measurement.equals("make-model");
        boolean hasRows = measurement.equals("kernels") || measurement.equals("fabric");
        refuse(!hasRows && !only.isEmpty(), "--only", "kernels");
        refuse(!measurement.equals("kernels") && svg != null, "--svg", "kernels");
        refuse(!generates && model != null, "--model", "generate");
        refuse(!generates && dtype != null, "--dtype", "generate");
        boolean draws = makes || generates && preset != null && !device.equals("cpu");
        refuse(!draws && weights != null, "--weights", "make-model");
        refuse(!measurement.equals("serve") && connections != null, "--connections", "serve");
        refuse(connections == null && seconds != null, "--seconds", "serve --connections N");
        refuse(!makes && out != null, "--out", "make-model");
    }

    private List<Row> kernels() {
        refuse(preset != null, "--preset", "train");
        refuseOthers("kernels");
        if (svg != null) {
            Given.requireFolderOf(svg);
        }
        KernelRun run = isOnGpu()
                ? Bench.kernels(only, device(), display)
                : Bench.kernels(only, ComputeOptions.threads(threads), backend(), display);
        if (svg != null) {
            try {
                Files.writeString(svg, run.roofline());
            } catch (IOException e) {
                throw BadInput.writing(svg, e);
            }
        }
        return run.rows();
    }

    private List<Row> fabric() {
        refuseOthers("fabric");
        refuse(preset != null, "--preset", "train");
        refuse(backend != null, "--backend", "kernels");
        refuse(threads != null, "--threads", "kernels");
        refuse(!device.equals("cpu"), "--device", "kernels");
        return Bench.fabric(only, display);
    }

    private List<Row> train() {
        refuseOthers("train");
        if (isOnGpu()) {
            return Bench.train(preset == null ? "moe-1b" : preset, device(), display);
        }
        return Bench.train(preset == null ? "small" : preset, ComputeOptions.threads(threads), backend(), display);
    }

    private void refuse(boolean given, String option, String measurement) {
        if (given) {
            throw new BadInput("%s belongs to wok bench %s, not to wok bench %s.".formatted(option, measurement, name));
        }
    }

    private @Nullable Backend backend() {
        if (backend == null) {
            return null;
        }
        List<Backend> fast = Arrays.stream(Backend.values())
                .filter(b -> b == Backend.VECTOR || b == Backend.X86)
                .toList();
        return fast.stream()
                .filter(b -> b.text().equals(backend))
                .findFirst()
                .orElseThrow(() -> new BadInput("--backend %s: expected %s."
                        .formatted(backend, fast.stream().map(Backend::text).collect(Collectors.joining(" or ")))));
    }
}
