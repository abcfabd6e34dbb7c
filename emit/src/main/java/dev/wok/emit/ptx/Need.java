package dev.wok.emit.ptx;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// What a form asks of the module it stands in.
///
/// @param version the least version of PTX, ten times
/// @param number the least processor
/// @param only the names of the processors that alone have it; empty where every one from `number`
///     on does
record Need(int version, int number, Set<String> only) {
    static final Need NONE = new Need(70, 80, Set.of());

    /// @param marks such as `@7.8 @sm_90` or `@8.0 @sm_90a|sm_100a`
    static Need of(List<String> marks) {
        Need need = NONE;
        for (String mark : marks) {
            need = need.and(parse(mark.substring(1)));
        }
        return need;
    }

    private static Need parse(String mark) {
        if (!mark.startsWith("sm_")) {
            return new Need(Integer.parseInt(mark.replace(".", "")), 80, Set.of());
        }
        String first = mark.split("\\|")[0].substring(3);
        boolean specific = first.endsWith("a");
        int number = Integer.parseInt(specific ? first.substring(0, first.length() - 1) : first);
        return new Need(70, number, specific ? Set.of(mark.split("\\|")) : Set.of());
    }

    Need and(Need other) {
        Set<String> both = new LinkedHashSet<>(only.isEmpty() ? other.only : only);
        if (!other.only.isEmpty()) {
            both.retainAll(other.only);
        }
        return new Need(Math.max(version, other.version), Math.max(number, other.number), both);
    }

    boolean isMetBy(Target target) {
        return only.isEmpty() ? target.number >= number : only.contains(target.toString());
    }

    String targets() {
        return only.isEmpty()
                ? "sm_" + number + " or newer"
                : String.join(" or ", only.stream().sorted().toList());
    }
}
