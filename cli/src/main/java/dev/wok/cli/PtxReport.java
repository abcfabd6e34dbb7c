package dev.wok.cli;

import dev.wok.device.EmulatedGpu.LaunchReport;
import dev.wok.device.Launch;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Collectors;

/// Prints what launches came to.
///
/// @param showsAll whether all elements of buffers, rather than the first
/// @param asJson whether one object for each launch
record PtxReport(PrintStream out, PtxSource source, boolean showsAll, boolean asJson) {
    private static final int FIRST = 16;
    private static final int ROW = 8;

    /// @param outcome of a launch whose buffers were not asked for
    void check(PtxOutcome outcome) {
        if (asJson) {
            out.println(Json.text(facts(outcome)));
        } else if (!isFaulty(outcome)) {
            out.printf(
                    "%s: fine, %s%n",
                    outcome.plan().kernel(), outcome.report() == null ? "" : counted(outcome.report()));
            launched(outcome.plan());
        }
    }

    /// @param outcome of a launch whose buffers were asked for
    void run(PtxOutcome outcome) {
        if (asJson) {
            SequencedMap<String, Object> facts = facts(outcome);
            facts.put("buffers", changed(outcome).stream().map(this::facts).toList());
            out.println(Json.text(facts));
        } else if (!isFaulty(outcome)) {
            out.printf("%s%n", outcome.plan().kernel());
            launched(outcome.plan());
            List<PtxOutcome.Result> changed = changed(outcome);
            changed.forEach(result -> print(outcome, result));
            if (changed.isEmpty()) {
                out.println("  no buffer was changed");
            }
            if (outcome.report() != null) {
                out.printf("  %s%n", counted(outcome.report()));
            }
        }
    }

    private boolean isFaulty(PtxOutcome outcome) {
        PtxOutcome.Fault fault = outcome.fault();
        if (fault == null) {
            return false;
        }
        out.println(fault.message());
        String origin = source.origin(fault.line());
        if (origin != null) {
            out.printf("  from %s%n", origin);
        }
        launched(outcome.plan());
        return true;
    }

    private void launched(PtxPlan plan) {
        out.printf("  launched with %s%n", plan);
    }

    private static String counted(LaunchReport report) {
        String conflicts = report.bankConflicts().entrySet().stream()
                .map(entry -> "%s in line %d".formatted(Amounts.number(entry.getValue()), entry.getKey()))
                .collect(Collectors.joining(", "));
        return "%s, %s"
                .formatted(
                        Amounts.of(report.instructions(), "warp instructions"),
                        conflicts.isEmpty() ? "no bank conflicts" : "bank conflicts: " + conflicts);
    }

    private static List<PtxOutcome.Result> changed(PtxOutcome outcome) {
        return outcome.buffers().stream()
                .filter(result -> result.wasUnset() || result.changed() > 0)
                .toList();
    }

    private void print(PtxOutcome outcome, PtxOutcome.Result result) {
        out.printf(
                "  %s: %s, %s%n",
                PtxArguments.brief(outcome.plan().kernel(), result.name()),
                result.buffer().type(),
                result.wasUnset()
                        ? "unset before"
                        : "%s of %s changed"
                                .formatted(
                                        Amounts.number(result.changed()),
                                        Amounts.of(result.after().elements(), "elements")));
        long shown = shown(result);
        for (long from = 0; from < shown; from += ROW) {
            StringBuilder row = new StringBuilder("    %d:".formatted(from));
            for (long i = from; i < Math.min(shown, from + ROW); i++) {
                row.append(' ').append(result.buffer().element().get(result.after(), i));
            }
            out.println(row);
        }
        if (shown < result.after().elements()) {
            out.printf(
                    "    and %s more (--all)%n", Amounts.number(result.after().elements() - shown));
        }
    }

    private long shown(PtxOutcome.Result result) {
        return showsAll
                ? result.after().elements()
                : Math.min(FIRST, result.after().elements());
    }

    private Map<String, Object> facts(PtxOutcome.Result result) {
        SequencedMap<String, Object> facts = new LinkedHashMap<>();
        facts.put("name", result.name());
        facts.put("type", result.buffer().element().text());
        facts.put("shape", result.buffer().sizes());
        facts.put("changed", result.changed());
        List<Number> values = new ArrayList<>();
        for (long i = 0; i < shown(result); i++) {
            values.add(result.buffer().element().get(result.after(), i));
        }
        facts.put("values", values);
        return facts;
    }

    private SequencedMap<String, Object> facts(PtxOutcome outcome) {
        SequencedMap<String, Object> facts = new LinkedHashMap<>();
        facts.put("kernel", outcome.plan().kernel());
        facts.put("launch", facts(outcome.plan()));
        PtxOutcome.Fault fault = outcome.fault();
        facts.put("fault", fault == null ? null : facts(fault));
        LaunchReport report = outcome.report();
        facts.put("instructions", report == null ? null : report.instructions());
        facts.put("bank_conflicts", report == null ? null : report.bankConflicts());
        return facts;
    }

    private static Map<String, Object> facts(PtxPlan plan) {
        Launch launch = plan.launch();
        SequencedMap<String, Object> facts = new LinkedHashMap<>();
        facts.put("grid", List.of(launch.gridX(), launch.gridY(), launch.gridZ()));
        facts.put("block", List.of(launch.blockX(), launch.blockY(), launch.blockZ()));
        facts.put("cluster", List.of(launch.clusterX(), launch.clusterY(), launch.clusterZ()));
        facts.put("shared_bytes", launch.sharedBytes());
        SequencedMap<String, Object> arguments = new LinkedHashMap<>();
        plan.arguments()
                .forEach(given ->
                        arguments.put(given.parameter(), given.argument().toString()));
        facts.put("arguments", arguments);
        facts.put("guessed", guessed(plan));
        return facts;
    }

    private static List<String> guessed(PtxPlan plan) {
        List<String> names = new ArrayList<>();
        plan.guessed().stream()
                .filter(option -> !option.equals("--arg"))
                .forEach(option -> names.add(option.substring(2)));
        plan.arguments().stream().filter(PtxPlan.Given::isGuessed).forEach(given -> names.add(given.parameter()));
        return names;
    }

    private Map<String, Object> facts(PtxOutcome.Fault fault) {
        SequencedMap<String, Object> facts = new LinkedHashMap<>();
        facts.put("kind", fault.kind());
        facts.put("line", fault.line());
        facts.put(
                "text",
                fault.line() < 1 || fault.line() > source.lines().size()
                        ? ""
                        : source.lines().get(fault.line() - 1).strip());
        facts.put("lanes", fault.lanes());
        facts.put("message", fault.message());
        facts.put("source", source.origin(fault.line()));
        return facts;
    }
}
