package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Judges Java methods that a model wrote by what they return: compiled and run in a process of its
/// own, between an allow-list of classes, limits of memory and time, and what else the system gives
/// (see [#walls()]).
///
/// A problem's data have `signature`, such as `int add(int a, int b)`, and `tests`, such as
/// `[{"args": [1, 2], "result": 3}]`. Types are `int`, `long`, `double`, `boolean`, `char` and
/// their classes, `String`, and arrays, `List`, `Set` and `Map` of these. Numbers with a fraction
/// agree within 1e-9; sets and maps have no order. A method that returns nothing is judged by what
/// it leaves in its first argument.
///
/// A completion's program is what stands between its last `<answer>` tags, else all of it, and of
/// that the last fenced block where there is one: classes, or methods alone. A program that fails or
/// does what it may not gets 0 and the reason, and nothing outside its process changes. Time is
/// processor time, so that a busy machine judges like an idle one.
public final class CodeReward implements Reward, AutoCloseable {
    private static final int LONGEST_SOURCE = 1 << 16;
    private static final Duration LONGEST_TIME = Duration.ofSeconds(30);
    private static final Pattern FENCE = Pattern.compile("^ {0,3}```.*$", Pattern.MULTILINE);
    private static final Pattern ANSWER = Pattern.compile("<answer>(.*?)(</answer>|$)", Pattern.DOTALL);

    /// Of a reason.
    private static final int MOST_CHARS = 300;

    private final SecureRandom nonces = new SecureRandom();
    private final Limits limits;
    private final Judges judges;

    /// What a submission may take.
    ///
    /// @param time of a processor for all of a problem's tests, at most 30 seconds
    /// @param atOnce how many are judged at the same time
    /// @param share whether some of the tests passed give that share of 1, instead of nothing
    public record Limits(Duration time, int atOnce, boolean share) {
        public Limits {
            if (time.isNegative() || time.isZero() || time.compareTo(LONGEST_TIME) > 0) {
                throw new BadInput("a program is given %s seconds; give more than 0 and at most %d."
                        .formatted(time.toMillis() / 1000.0, LONGEST_TIME.toSeconds()));
            }
            if (atOnce < 1) {
                throw new BadInput("%d programs are to be judged at once; give 1 or more.".formatted(atOnce));
            }
        }

        /// @return 2 seconds, as many at once as there are processors, all or nothing
        public static Limits usual() {
            return new Limits(Duration.ofSeconds(2), Runtime.getRuntime().availableProcessors(), false);
        }
    }

    /// @param progress is told what stands around a program
    /// @throws BadInput where this Java has no compiler, or no process can be started
    public CodeReward(Limits limits, Progress progress) {
        this.limits = limits;
        judges = new Judges(limits.atOnce(), progress);
    }

    /// @return what the system holds around a program beside the allow-list, for people
    public String walls() {
        return judges.walls();
    }

    /// @throws BadInput where the problem has no tests, or they don't fit its signature
    @Override
    public Score score(Problem problem, Completion completion) {
        CodeCases cases = CodeCases.of(problem);
        String source = program(completion.text());
        if (source.getBytes(StandardCharsets.UTF_8).length > LONGEST_SOURCE) {
            return new Score(0, "longer than %d bytes".formatted(LONGEST_SOURCE));
        }
        Tally tally = new Tally(cases, limits.share());
        String ended =
                judges.judge(nonces.nextLong(), cases.job(source, limits.time()), limits.time(), tally::isEnough);
        return tally.score(ended);
    }

    static String program(String text) {
        Matcher answer = ANSWER.matcher(text);
        String within = text;
        while (answer.find()) {
            within = answer.group(1);
        }
        return block(within);
    }

    /// @return the last fenced block; where none is closed, what follows an open fence, as in a
    ///     text cut off
    private static String block(String text) {
        Matcher fence = FENCE.matcher(text);
        String last = "";
        int open = -1;
        while (fence.find()) {
            if (open < 0) {
                open = fence.end();
            } else {
                last = text.substring(open, fence.start());
                open = -1;
            }
        }
        return last.isBlank() ? text.substring(Math.max(open, 0)).strip() : last.strip();
    }

    /// What of a problem's tests a program has passed.
    private static final class Tally {
        private final CodeCases cases;
        private final boolean share;
        private int judged;
        private int right;
        private @Nullable String wrong;

        Tally(CodeCases cases, boolean share) {
            this.cases = cases;
            this.share = share;
        }

        boolean isEnough(JudgeMessage message) {
            switch (message.kind()) {
                case READY, RUNS -> {}
                case RETURNED ->
                    count(cases.isRight(judged, message.text()), "gave " + CodeCases.shown(message.text()));
                case FAILED -> count(false, message.text());
                case REFUSED, LIMIT -> note(message.text());
                case END -> note("ended before its result");
            }
            return judged == cases.cases().size() || (wrong != null && !share);
        }

        private void count(boolean well, String what) {
            if (well) {
                right++;
            } else {
                note("wrong: %s %s, expected %s".formatted(cases.call(judged), what, cases.expected(judged)));
            }
            judged++;
        }

        private void note(String reason) {
            if (wrong == null) {
                wrong = reason.length() <= MOST_CHARS ? reason : reason.substring(0, MOST_CHARS) + "…";
            }
        }

        Score score(@Nullable String ended) {
            int all = cases.cases().size();
            if (right == all) {
                return new Score(1, "passed %d tests".formatted(all));
            }
            note(ended == null ? "ended before its result" : ended);
            return new Score(share ? (double) right / all : 0, String.valueOf(wrong));
        }
    }

    @Override
    public void close() {
        judges.close();
    }
}
