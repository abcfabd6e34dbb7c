package dev.wok.cli;

import dev.wok.device.EmulatedGpu.Kernel;
import dev.wok.device.EmulatedGpu.Kernel.Parameter;
import dev.wok.device.Launch;
import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// How a kernel is going to be launched: what was said, and guesses for the rest.
///
/// @param arguments in the order of the parameters
/// @param sizes in words, each with where it is from
/// @param guessed the options that would have said what was guessed
/// @param seed of what is random
record PtxPlan(
        String kernel,
        Launch launch,
        List<Given> arguments,
        List<String> sizes,
        SequencedSet<String> guessed,
        long seed) {

    /// @param isGuessed whether nobody said it
    record Given(String parameter, PtxArgument argument, boolean isGuessed) {
        String text(String kernel) {
            boolean isUsual = isGuessed && argument instanceof PtxArgument.Buffer;
            String text = isUsual ? "1 MiB of zeros" : argument.toString();
            return "%s = %s%s".formatted(PtxArguments.brief(kernel, parameter), text, isGuessed ? " (guessed)" : "");
        }
    }

    private static final long MOST_BLOCKS = Integer.MAX_VALUE;
    private static final int USUAL_BLOCK = 128;
    private static final int USUAL_SHARED = 48 << 10;
    private static final long USUAL_BUFFER = 1 << 20;
    private static final int USUAL_COUNT = 64;

    /// @param options of the command line
    /// @param mostShared bytes of shared memory that a block may have
    /// @return one for each kernel that is asked for
    /// @throws BadInput where the options do not fit the kernels
    static List<PtxPlan> of(PtxSource source, PtxLaunchOptions options, int mostShared) {
        String asked = options.kernel;
        if (asked != null && !source.kernels().containsKey(asked)) {
            throw new BadInput("--kernel %s: %s holds %s."
                    .formatted(
                            asked,
                            source.file(),
                            String.join(", ", source.kernels().keySet())));
        }
        if (asked == null && source.kernels().size() > 1 && !options.arguments.isEmpty()) {
            throw new BadInput("--arg: %s holds %d kernels, name one with --kernel: %s."
                    .formatted(
                            source.file(),
                            source.kernels().size(),
                            String.join(", ", source.kernels().keySet())));
        }
        List<PtxPlan> plans = new ArrayList<>();
        source.kernels().forEach((name, kernel) -> {
            if (asked == null || asked.equals(name)) {
                plans.add(new Planning(source, name, kernel, options).plan(mostShared));
            }
        });
        return plans;
    }

    /// @return one line that says all of it
    @Override
    public String toString() {
        StringBuilder line = new StringBuilder(String.join(", ", sizes));
        if (!arguments.isEmpty()) {
            line.append("; ")
                    .append(arguments.stream().map(given -> given.text(kernel)).collect(Collectors.joining(", ")));
        }
        if (!guessed.isEmpty()) {
            line.append("; say otherwise with ").append(String.join(", ", guessed));
        }
        return line.toString();
    }

    /// The making of one.
    private static final class Planning {
        private final PtxSource source;
        private final String name;
        private final Kernel kernel;
        private final List<PtxLaunchOptions> layers = new ArrayList<>();
        private final List<PtxArguments> arguments = new ArrayList<>();
        private final List<String> sizes = new ArrayList<>();
        private final SequencedSet<String> guessed = new LinkedHashSet<>();

        Planning(PtxSource source, String name, Kernel kernel, PtxLaunchOptions options) {
            this.source = source;
            this.name = name;
            this.kernel = kernel;
            layers.add(options);
            arguments.add(PtxArguments.ofCommand(name, kernel, options));
            for (boolean isForAll : new boolean[] {false, true}) {
                for (PtxSource.Said said : source.said().reversed()) {
                    String other = said.options().kernel;
                    if (isForAll ? other == null : name.equals(other)) {
                        layers.add(said.options());
                        arguments.add(PtxArguments.ofFile(name, kernel, source, said));
                    }
                }
            }
        }

        PtxPlan plan(int mostShared) {
            int[] cluster = cluster();
            int[] grid = given("--grid", options -> options.grid);
            if (grid == null) {
                grid = new int[] {2 * cluster[0], cluster[1], cluster[2]};
                guess("grid " + PtxLaunchOptions.text(grid), "--grid");
            } else {
                sizes.add("grid " + PtxLaunchOptions.text(grid));
            }
            int[] block = block();
            if (PtxLaunchOptions.text(cluster).equals("1")) {
                sizes.removeIf(text -> text.startsWith("cluster"));
            }
            int shared = shared(mostShared);
            List<Given> values = kernel.parameters().stream().map(this::value).toList();
            Long seed = first(options -> options.seed);
            return new PtxPlan(
                    name, launch(grid, block, cluster, shared), values, sizes, guessed, seed == null ? 1 : seed);
        }

        private int[] cluster() {
            int[] given = given("--cluster", options -> options.cluster);
            int[] demanded = ints(kernel.cluster());
            if (given != null && demanded != null && !Arrays.equals(given, demanded)) {
                throw new BadInput("--cluster %s: %s demands %s (.reqnctapercluster)."
                        .formatted(PtxLaunchOptions.text(given), name, PtxLaunchOptions.text(demanded)));
            }
            int[] cluster = given != null ? given : demanded != null ? demanded : new int[] {1, 1, 1};
            sizes.add("cluster %s%s"
                    .formatted(PtxLaunchOptions.text(cluster), given == null ? " (from .reqnctapercluster)" : ""));
            return cluster;
        }

        private int[] block() {
            int[] given = given("--block", options -> options.block);
            int[] demanded = ints(kernel.block());
            int most = kernel.maxThreads();
            if (given == null) {
                int[] block = demanded != null
                        ? demanded
                        : new int[] {most > 0 ? Math.min(most, USUAL_BLOCK) : USUAL_BLOCK, 1, 1};
                if (demanded == null && most == 0) {
                    guess("block " + PtxLaunchOptions.text(block), "--block");
                } else {
                    sizes.add("block %s (from %s)"
                            .formatted(PtxLaunchOptions.text(block), demanded != null ? ".reqntid" : ".maxntid"));
                    if (demanded == null) {
                        guessed.add("--block");
                    }
                }
                return block;
            }
            sizes.add("block " + PtxLaunchOptions.text(given));
            if (demanded != null && !Arrays.equals(demanded, given)) {
                throw new BadInput("--block %s: %s demands %s (.reqntid)."
                        .formatted(PtxLaunchOptions.text(given), name, PtxLaunchOptions.text(demanded)));
            }
            if (most > 0 && (long) given[0] * given[1] * given[2] > most) {
                throw new BadInput("--block %s: %s allows %d threads (.maxntid)."
                        .formatted(PtxLaunchOptions.text(given), name, most));
            }
            return given;
        }

        private int shared(int mostShared) {
            int room = mostShared - kernel.sharedBytes();
            Integer given = first(options -> options.shared);
            if (given == null) {
                int guess = kernel.takesShared() ? Math.clamp(room, 0, USUAL_SHARED) : 0;
                if (guess > 0) {
                    guess("%d bytes of dynamic shared memory".formatted(guess), "--shared");
                }
                return guess;
            }
            if (given < 0 || given > room) {
                throw new BadInput("--shared %d: expected 0 to %d; a block has %d bytes, of which %s declares %d."
                        .formatted(given, Math.max(0, room), mostShared, name, kernel.sharedBytes()));
            }
            sizes.add("%d bytes of dynamic shared memory".formatted(given));
            return given;
        }

        private Launch launch(int[] grid, int[] block, int[] cluster, int shared) {
            try {
                Launch launch = Launch.of(1, 1)
                        .withBlock(block[0], block[1], block[2])
                        .withGrid(grid[0], grid[1], grid[2])
                        .withCluster(cluster[0], cluster[1], cluster[2])
                        .withShared(shared);
                if ((long) grid[0] * grid[1] > MOST_BLOCKS / grid[2]) {
                    throw new BadInput("--grid %s: expected %d blocks at most."
                            .formatted(PtxLaunchOptions.text(grid), MOST_BLOCKS));
                }
                return launch;
            } catch (IllegalArgumentException e) {
                throw new BadInput(
                        "%s cannot be launched: %s."
                                .formatted(name, String.valueOf(e.getMessage()).replaceFirst("^Launch: ", "")),
                        e);
            }
        }

        private Given value(Parameter parameter) {
            for (PtxArguments layer : arguments) {
                PtxArgument given = layer.of(parameter);
                if (given != null) {
                    return new Given(parameter.name(), given, false);
                }
            }
            guessed.add("--arg");
            return new Given(parameter.name(), guess(parameter), true);
        }

        private PtxArgument guess(Parameter parameter) {
            if (PtxArgument.isMap(parameter)) {
                String brief = PtxArguments.brief(name, parameter.name());
                throw new BadInput("%s of %s looks like a tensor map, which cannot be guessed: give --arg %s=%s."
                        .formatted(brief, name, brief, PtxArgument.MAP));
            }
            PtxArgument.requirePassable(
                    parameter, "%s of %s".formatted(PtxArguments.brief(name, parameter.name()), name));
            if (PtxArgument.isAddress(parameter)) {
                return new PtxArgument.Buffer(
                        PtxElement.F32, List.of(USUAL_BUFFER / Float.BYTES), PtxFill.Pattern.ZEROS);
            }
            String text = parameter.type().startsWith("f") ? "1" : String.valueOf(USUAL_COUNT);
            return new PtxArgument.Scalar(PtxNumbers.parse(text, parameter, name));
        }

        private void guess(String text, String option) {
            sizes.add(text + " (guessed)");
            guessed.add(option);
        }

        private int @Nullable [] given(String option, Function<PtxLaunchOptions, @Nullable String> text) {
            return PtxLaunchOptions.sizes(option, first(text));
        }

        private <T> @Nullable T first(Function<PtxLaunchOptions, @Nullable T> what) {
            for (PtxLaunchOptions layer : layers) {
                T found = what.apply(layer);
                if (found != null) {
                    return found;
                }
            }
            return null;
        }

        private static int @Nullable [] ints(List<Integer> sizes) {
            return sizes.isEmpty()
                    ? null
                    : sizes.stream().mapToInt(Integer::intValue).toArray();
        }
    }
}
