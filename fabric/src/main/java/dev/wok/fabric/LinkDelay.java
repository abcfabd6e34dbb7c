package dev.wok.fabric;

import dev.wok.notice.BadInput;
import java.util.Map;
import java.util.Optional;

/// How slow a link is made, to measure what that costs: a frame is there so long after it was sent,
/// and after the bytes before it and its own have passed.
///
/// @param nanos from one end to the other
/// @param bytesPerNano which is GB/s
record LinkDelay(long nanos, double bytesPerNano) {
    static final String VARIABLE = "WOK_LINK_DELAY";
    private static final double MICRO = 1e3;
    private static final double LONGEST = 1e7;

    /// Reads `WOK_LINK_DELAY`: microseconds and GB/s with a comma between them, as in `20,1.5`.
    ///
    /// @return nothing where it is not set
    static Optional<LinkDelay> of(Map<String, String> environment) {
        String given = environment.get(VARIABLE);
        if (given == null) {
            return Optional.empty();
        }
        String[] numbers = given.split(",", -1);
        if (numbers.length == 2) {
            try {
                double micros = Double.parseDouble(numbers[0]);
                double rate = Double.parseDouble(numbers[1]);
                if (micros >= 0 && micros <= LONGEST && rate > 0) {
                    return Optional.of(new LinkDelay(Math.round(micros * MICRO), rate));
                }
            } catch (NumberFormatException e) {
                throw refusal(given);
            }
        }
        throw refusal(given);
    }

    private static BadInput refusal(String given) {
        return new BadInput(
                "%s is %s, expected microseconds and GB/s, as in %s=20,1.5.".formatted(VARIABLE, given, VARIABLE));
    }
}
