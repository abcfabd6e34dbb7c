package dev.wok.train;

import dev.wok.notice.BadInput;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The steps of a run of which a timeline is kept.
///
/// @param first counted from 1; 0 for none
/// @param last no more than [#MOST] of them
record TracedSteps(long first, long last) {
    /// More would be a file that nothing opens.
    static final int MOST = 16;

    private static final Pattern STEPS = Pattern.compile("(\\d{1,18})(?:-(\\d{1,18}))?");

    /// @param text `3`, `3-5`, or `0` for none
    static TracedSteps parse(String text) {
        Matcher matcher = STEPS.matcher(text);
        if (matcher.matches()) {
            long first = Long.parseLong(matcher.group(1));
            long last = matcher.group(2) == null ? first : Long.parseLong(matcher.group(2));
            if (first == 0 ? last == 0 : first <= last && last - first < MOST) {
                return new TracedSteps(first, last);
            }
        }
        throw new BadInput(
                "trace_steps: \"%s\" was given, expected a step such as 3, at most %d steps such as 3-5, or 0 for none."
                        .formatted(text, MOST));
    }

    boolean contains(long step) {
        return first > 0 && first <= step && step <= last;
    }
}
