package dev.wok.spark;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What the user asked for.
///
/// @param master as Spark writes it: `spark://host:port` or `local-cluster[workers,cores,MiB]`
/// @param ranks how many
/// @param memoryMiB of each executor
/// @param first the option of the first try that says that the run may be there already; empty where it is to begin
/// @param out the run's folder
/// @param arguments of `wok`, without what this record has taken out of them
record Request(String master, int ranks, int memoryMiB, String first, String out, List<String> arguments) {
    private static final Pattern STANDALONE = Pattern.compile("spark://[^\\s:/,]+:\\d+(,[^\\s:/,]+:\\d+)*");
    private static final Pattern LOCAL =
            Pattern.compile("local-cluster\\[\\s*(\\d{1,4})\\s*,\\s*(\\d{1,4})\\s*,\\s*(\\d{1,7})\\s*]");

    private static final String RESUME = "--resume";
    private static final String RESTARTABLE = "--restartable";

    /// What Spark needs to start an executor that holds nothing.
    private static final int LEAST_MIB = 512;

    private static final int MOST_RANKS = 4096;

    /// @param given the arguments of `wok`, `--on` and `--ranks` among them
    static Request parse(List<String> given) {
        List<String> rest = new ArrayList<>(given);
        String master = take(rest, "--on");
        String ranks = take(rest, "--ranks");
        String out = value(rest, "--out");
        String first = first(rest);
        if (master == null) {
            throw new BadInput("--on is missing: --on spark://host:7077 --ranks 4.");
        }
        if (out == null) {
            throw new BadInput(
                    "--on %s needs the run's folder, in a place that all machines share: --out DIR.".formatted(master));
        }
        MatchResult local = LOCAL.matcher(master).results().findFirst().orElse(null);
        if (local != null && local.group().equals(master)) {
            return local(master, numbers(local), ranks, first, out, rest);
        }
        if (!STANDALONE.matcher(master).matches()) {
            throw new BadInput(
                    "--on %s: expected spark://host:port or local-cluster[workers,cores,MiB].".formatted(master));
        }
        if (ranks == null) {
            throw new BadInput("--on %s needs the number of ranks: --ranks 4.".formatted(master));
        }
        return new Request(master, count(ranks), LEAST_MIB, first, out, List.copyOf(rest));
    }

    private static Request local(
            String master, int[] numbers, @Nullable String ranks, String first, String out, List<String> rest) {
        int slots = numbers[0] * numbers[1];
        int memory = numbers[2];
        if (slots == 0 || memory < LEAST_MIB) {
            throw new BadInput("--on %s: expected a worker, a core and %d MiB or more.".formatted(master, LEAST_MIB));
        }
        int count = ranks == null ? slots : count(ranks);
        if (count > slots) {
            throw new BadInput("--on %s has room for %d ranks, not for --ranks %d; ask for more cores."
                    .formatted(master, slots, count));
        }
        return new Request(master, count, memory, first, out, List.copyOf(rest));
    }

    private static int[] numbers(MatchResult local) {
        return new int[] {
            Integer.parseInt(local.group(1)), Integer.parseInt(local.group(2)), Integer.parseInt(local.group(3))
        };
    }

    private static int count(String ranks) {
        if (ranks.matches("[1-9]\\d{0,3}") && Integer.parseInt(ranks) <= MOST_RANKS) {
            return Integer.parseInt(ranks);
        }
        throw new BadInput("--ranks %s: expected a number from 1 to %d.".formatted(ranks, MOST_RANKS));
    }

    private static String first(List<String> rest) {
        boolean restartable = rest.remove(RESTARTABLE);
        boolean resume = rest.remove(RESUME);
        return resume ? RESUME : restartable ? RESTARTABLE : "";
    }

    /// Takes an option and its value out of the arguments.
    private static @Nullable String take(List<String> arguments, String option) {
        String value = value(arguments, option);
        if (value != null) {
            int at = arguments.indexOf(option);
            if (at >= 0) {
                arguments.subList(at, at + 2).clear();
            } else {
                arguments.remove(option + "=" + value);
            }
        }
        return value;
    }

    private static @Nullable String value(List<String> arguments, String option) {
        int at = arguments.indexOf(option);
        if (at >= 0) {
            if (at + 1 == arguments.size()) {
                throw new BadInput(option + " is given without a value.");
            }
            return arguments.get(at + 1);
        }
        String prefix = option + "=";
        return arguments.stream()
                .filter(argument -> argument.startsWith(prefix))
                .map(argument -> argument.substring(prefix.length()))
                .findFirst()
                .orElse(null);
    }

    /// @return the arguments of each rank
    /// @param again whether the run may have been begun by an earlier try
    List<String> arguments(boolean again) {
        String option = again ? RESTARTABLE : first;
        if (option.isEmpty()) {
            return arguments;
        }
        List<String> all = new ArrayList<>(arguments);
        all.add(option);
        return all;
    }

    boolean local() {
        return !master.startsWith("spark://");
    }
}
