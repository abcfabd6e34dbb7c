package dev.wok.emit.ptx;

import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Pattern;

/// Names that are given once: who asks for one that is taken gets it with a number.
final class Names {
    private static final Pattern GOOD = Pattern.compile("[a-zA-Z][a-zA-Z0-9_]*");

    private final Set<String> taken = new HashSet<>();

    Names(Collection<String> taken) {
        this.taken.addAll(taken);
    }

    String give(String wanted) {
        return give(wanted, 0);
    }

    /// @param count how many names `wanted_0`, `wanted_1` come with it
    String give(String wanted, int count) {
        if (!GOOD.matcher(wanted).matches()) {
            throw Caller.error("\"%s\" is no name; expected letters, digits and _, a letter first".formatted(wanted));
        }
        String name = wanted;
        for (int i = 1; !isFree(name, count); i++) {
            name = wanted + "_" + i;
        }
        taken.add(name);
        for (int i = 0; i < count; i++) {
            taken.add(name + "_" + i);
        }
        return name;
    }

    boolean isFree(String name) {
        return isFree(name, 0);
    }

    private boolean isFree(String name, int count) {
        boolean isFree = !taken.contains(name);
        for (int i = 0; i < count && isFree; i++) {
            isFree = !taken.contains(name + "_" + i);
        }
        return isFree;
    }
}
