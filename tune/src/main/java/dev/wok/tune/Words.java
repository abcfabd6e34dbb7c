package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/// The names that settings have for closed choices: a constant's in small letters with hyphens,
/// `K3_PLUS` as `k3+`.
final class Words {
    private Words() {}

    /// @param what is chosen, for the message
    /// @throws BadInput where there is no such constant
    static <E extends Enum<E>> E constant(String what, Class<E> type, String word) {
        for (E constant : type.getEnumConstants()) {
            if (of(constant).equals(word)) {
                return constant;
            }
        }
        throw new BadInput("%s is %s, expected one of %s."
                .formatted(
                        what,
                        word,
                        Arrays.stream(type.getEnumConstants()).map(Words::of).collect(Collectors.joining(", "))));
    }

    static String of(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace("_plus", "+").replace('_', '-');
    }
}
