package dev.wok.emit.ptx;

import dev.wok.emit.ptx.Modifiers.Choice;
import dev.wok.emit.ptx.Modifiers.Either;
import dev.wok.emit.ptx.Modifiers.Part;
import dev.wok.emit.ptx.Modifiers.Word;
import dev.wok.emit.ptx.OperandForm.Chosen;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The instructions that a form stands for: all of them, or where they are many, enough of them
/// that any two choices which can be made together are made together in one.
final class Expansion {
    private static final int MANY = 300;

    /// @param decisions what was decided on the way, each place of the form with what it became
    private record Way(List<String> words, Map<String, String> names, List<String> decisions) {
        Way with(String word, @Nullable String name, String decision) {
            Way next = new Way(new ArrayList<>(words), new HashMap<>(names), new ArrayList<>(decisions));
            next.words.add(word);
            next.decisions.add(decision);
            if (name != null) {
                next.names.put(name, word);
            }
            return next;
        }

        Way decided(String decision) {
            Way next = new Way(words, names, new ArrayList<>(decisions));
            next.decisions.add(decision);
            return next;
        }
    }

    private Expansion() {}

    static List<Chosen> of(Form form) {
        List<Way> all = expand(form.modifiers().parts(), List.of(new Way(List.of(), Map.of(), List.of())));
        return (all.size() > MANY ? pairs(all, form.text()) : all)
                .stream().map(w -> new Chosen(w.words, w.names)).toList();
    }

    private static List<Way> expand(List<Part> parts, List<Way> before) {
        List<Way> ways = before;
        for (Part part : parts) {
            List<Way> next = new ArrayList<>();
            switch (part) {
                case Choice c -> {
                    for (Way way : ways) {
                        for (Word word : c.words()) {
                            for (String one : word.all()) {
                                next.add(way.with(one, c.name(), System.identityHashCode(part) + one));
                            }
                        }
                    }
                }
                case Either e -> {
                    for (int i = 0; i < e.ways().size(); i++) {
                        String decision = System.identityHashCode(part) + "/" + i;
                        next.addAll(expand(
                                e.ways().get(i),
                                ways.stream().map(w -> w.decided(decision)).toList()));
                    }
                }
            }
            ways = next;
        }
        return ways;
    }

    private static List<Way> pairs(List<Way> all, String id) {
        List<Way> shuffled = new ArrayList<>(all);
        Rng rng = Seeds.rng(id);
        for (int i = shuffled.size() - 1; i > 0; i--) {
            java.util.Collections.swap(shuffled, i, rng.below(i, i + 1));
        }
        Set<String> covered = new HashSet<>();
        List<Way> enough = new ArrayList<>();
        for (Way way : shuffled) {
            boolean isNew = false;
            for (int i = 0; i < way.decisions.size(); i++) {
                for (int j = 0; j < i; j++) {
                    isNew |= covered.add(way.decisions.get(i) + "&" + way.decisions.get(j));
                }
            }
            if (isNew) {
                enough.add(way);
            }
        }
        return enough;
    }
}
