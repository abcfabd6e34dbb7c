package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// Which linears are meant by [Lora#targets].
final class LoraTargets {
    private static final Pattern PLAIN = Pattern.compile("[\\w.-]+");
    private static final String GATE_UP = "gate_up_proj";

    private LoraTargets() {}

    /// @return those that one target or more means, in their order
    /// @throws BadInput where a target means none, or only half of what is one
    static List<Linear> choose(Collection<Linear> linears, List<String> targets) {
        Set<String> idle = new LinkedHashSet<>(targets);
        List<Linear> chosen = new ArrayList<>();
        for (Linear linear : linears) {
            boolean whole = false;
            boolean gate = false;
            boolean up = false;
            for (String target : targets) {
                Predicate<String> means = means(target, linear);
                boolean here = means.test(linear.name());
                boolean gateHere = isGateUp(linear) && means.test(part(linear, "gate_proj"));
                boolean upHere = isGateUp(linear) && means.test(part(linear, "up_proj"));
                whole |= here;
                gate |= gateHere;
                up |= upHere;
                if (here || gateHere || upHere) {
                    idle.remove(target);
                }
            }
            if (whole || gate && up) {
                chosen.add(linear);
            } else if (gate || up) {
                throw new BadInput("the targets have %s of the experts but not %s, and experts hold them as one; "
                                .formatted(gate ? "gate_proj" : "up_proj", gate ? "up_proj" : "gate_proj")
                        + "name both, or others by more of their names, such as shared_experts.up_proj.");
            }
        }
        if (!idle.isEmpty()) {
            Set<String> known = new LinkedHashSet<>();
            linears.forEach(linear -> known.add(linear.leaf()));
            throw new BadInput(
                    "no linear is called %s; this model has %s, and all-linear means all but routers and head."
                            .formatted(String.join(" or ", idle), String.join(", ", known)));
        }
        return chosen;
    }

    private static boolean isGateUp(Linear linear) {
        return linear.isExperts() && linear.leaf().equals(GATE_UP);
    }

    private static String part(Linear linear, String leaf) {
        return linear.name().substring(0, linear.name().length() - GATE_UP.length()) + leaf;
    }

    private static Predicate<String> means(String target, Linear linear) {
        if (target.equals("all-linear")) {
            return _ -> !linear.name().equals(Linear.HEAD) && !linear.name().endsWith(Linear.GATE);
        }
        if (target.equals("experts")) {
            return _ -> linear.isExperts();
        }
        if (PLAIN.matcher(target).matches()) {
            return name -> name.equals(target) || name.endsWith("." + target);
        }
        try {
            return Pattern.compile(target).asMatchPredicate();
        } catch (PatternSyntaxException e) {
            throw new BadInput(
                    "the target %s is neither the end of a name nor a regular expression: %s."
                            .formatted(target, e.getDescription()),
                    e);
        }
    }
}
