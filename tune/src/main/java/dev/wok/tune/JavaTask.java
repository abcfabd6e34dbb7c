package dev.wok.tune;

import dev.wok.notice.Progress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/// Small Java methods, judged by their unit tests; one of these is shown. Who is careless confuses
/// less with more, or is off by one.
///
/// Parameters: `kinds` of methods, the easiest first (all), `seconds` that a program may take (2).
final class JavaTask extends GeneratedTask {
    static final String NAME = "java";

    private static final String ASKS = "asks";
    private static final String SOLUTION = "solution";
    private static final String MISTAKE = "mistake";
    private static final String PLAN = "plan";
    private static final JsonMapper JSON = JsonMapper.shared();

    /// What becomes of what in a wrong program.
    private static final List<List<String>> MISTAKES = List.of(
            List.of(" < ", " <= "),
            List.of(" > ", " >= "),
            List.of(" == ", " != "),
            List.of("++", "--"),
            List.of(" += ", " -= "),
            List.of(" + ", " - "),
            List.of("max(", "min("),
            List.of(".reverse()", ""),
            List.of(" % ", " / "),
            List.of(" != ", " == "),
            List.of(" >= ", " > "),
            List.of("\"\"", "\" \""));

    private final int kinds;
    private final int seconds;
    private final Progress progress;
    private @Nullable CodeReward reward;

    /// @param progress is told what stands around programs, once they are judged
    JavaTask(Parameters parameters, Progress progress) {
        super(NAME);
        parameters.only("kinds", "seconds");
        this.kinds = parameters.whole("kinds", JavaKinds.ALL.size(), 1, JavaKinds.ALL.size());
        this.seconds = parameters.whole("seconds", 2, 1, 30);
        this.progress = progress;
    }

    @Override
    Problem draw(Draws draws) {
        JavaMethod method = draws.of(JavaKinds.ALL.subList(0, kinds)).apply(draws);
        List<SequencedMap<String, Object>> tests = new ArrayList<>();
        for (List<Object> call : method.calls()) {
            SequencedMap<String, Object> test = new LinkedHashMap<>();
            test.put("args", call);
            test.put("result", method.result(call));
            tests.add(test);
        }
        return new Problem(
                asks(method) + "\n" + example(method),
                "",
                Map.of(
                        CodeCases.SIGNATURE,
                        method.signature(),
                        CodeCases.TESTS,
                        JSON.writeValueAsString(tests),
                        ASKS,
                        asks(method),
                        PLAN,
                        method.plan(),
                        SOLUTION,
                        method.program(method.body()),
                        MISTAKE,
                        method.program(mistaken(method.body(), draws))));
    }

    private static String asks(JavaMethod method) {
        return "Write the Java method %s. It %s.".formatted(method.signature(), method.asks());
    }

    private static String example(JavaMethod method) {
        List<Object> call = method.calls().getFirst();
        String arguments = JSON.writeValueAsString(call);
        return "For example, of %s it is %s."
                .formatted(
                        arguments.substring(1, arguments.length() - 1), JSON.writeValueAsString(method.result(call)));
    }

    static String mistaken(String body, Draws draws) {
        List<List<String>> possible =
                MISTAKES.stream().filter(one -> body.contains(one.getFirst())).toList();
        List<String> one = draws.of(possible);
        return body.replace(one.getFirst(), one.getLast());
    }

    @Override
    String canonical(Problem problem) {
        return field(problem, ASKS);
    }

    @Override
    Working careful(Problem problem, Draws draws) {
        return new Working(List.of(field(problem, PLAN)), field(problem, SOLUTION));
    }

    @Override
    Working careless(Problem problem, Draws draws) {
        return new Working(List.of(field(problem, PLAN)), field(problem, MISTAKE));
    }

    private static String field(Problem problem, String name) {
        return problem.data().getOrDefault(name, "");
    }

    @Override
    public Optional<String> answer(Completion completion) {
        return Optional.of(CodeReward.program(completion.text()));
    }

    @Override
    public synchronized Reward accuracy() {
        if (reward == null) {
            CodeReward.Limits usual = CodeReward.Limits.usual();
            reward =
                    new CodeReward(new CodeReward.Limits(Duration.ofSeconds(seconds), usual.atOnce(), false), progress);
        }
        return reward;
    }
}
