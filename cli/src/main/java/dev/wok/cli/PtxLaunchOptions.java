package dev.wok.cli;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// How a kernel is launched, as far as people say it: on the command line, and in a PTX file's own lines.
@Command
final class PtxLaunchOptions {
    @Option(names = "--kernel", paramLabel = "NAME", description = "Of the kernels only this one (default: all).")
    @Nullable
    String kernel;

    @Option(names = "--grid", paramLabel = "X[,Y[,Z]]", description = "Blocks (default: 2, or 2 clusters).")
    @Nullable
    String grid;

    @Option(
            names = "--block",
            paramLabel = "X[,Y[,Z]]",
            description = "Threads of a block (default: .reqntid, else 128, or .maxntid where that is less).")
    @Nullable
    String block;

    @Option(
            names = "--cluster",
            paramLabel = "X[,Y[,Z]]",
            description = "Blocks of a cluster (default: .reqnctapercluster, else 1).")
    @Nullable
    String cluster;

    @Option(
            names = "--shared",
            paramLabel = "BYTES",
            description = "Dynamic shared memory of a block (default: 48 KiB where the text has .extern .shared).")
    @Nullable
    Integer shared;

    @Option(
            names = "--arg",
            paramLabel = "VALUE",
            description = {
                "An argument, in the order of the parameters, or as NAME=VALUE; may be given again.",
                "A number; or a buffer, TYPE[COUNT] or TYPE[COUNT]=INIT, INIT being zeros, unset (an error to"
                        + " read), iota (0, 1, 2, ...), random, a number or @FILE (raw bytes): f32[1000]=iota.",
                "A tensor map, map:TYPE[ROWS,COLUMNS]/BOXROWS,BOXCOLUMNS, then /32, /64 or /128 for a swizzle,"
                        + " then =INIT. Default: buffers of 1 MiB of zeros, whole numbers 64, others 1."
            })
    List<String> arguments = new ArrayList<>();

    @Option(names = "--seed", paramLabel = "N", description = "Begins what is random (default: 1).")
    @Nullable
    Long seed;

    /// @return three sizes, or null where none were given
    static int @Nullable [] sizes(String option, @Nullable String text) {
        if (text == null) {
            return null;
        }
        if (!text.matches("\\d{1,10}(,\\d{1,10}){0,2}")) {
            throw new BadInput("%s %s: expected X, X,Y or X,Y,Z, such as %s 4,2.".formatted(option, text, option));
        }
        int[] sizes = {1, 1, 1};
        String[] parts = text.split(",", -1);
        for (int i = 0; i < parts.length; i++) {
            sizes[i] = (int) Math.min(Integer.MAX_VALUE, Long.parseLong(parts[i]));
        }
        return sizes;
    }

    /// @return as X, X,Y or X,Y,Z
    static String text(int... sizes) {
        int count = sizes[2] != 1 ? 3 : sizes[1] != 1 ? 2 : 1;
        return String.join(
                ",", Arrays.stream(sizes).limit(count).mapToObj(String::valueOf).toList());
    }
}
