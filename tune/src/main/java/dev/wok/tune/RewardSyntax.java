package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.lang.reflect.InvocationTargetException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Reads rewards as users write them; see [Rewards#parse].
final class RewardSyntax {
    private static final String OTHERS =
            "exact, numeric, code, format, length(target=200), language(of=en) or class:com.example.MyReward";
    private static final String KNOWN = "accuracy, " + OTHERS;
    private static final Pattern PART =
            Pattern.compile("(?:class:(?<type>[A-Za-z_$][\\w$]*(?:\\.[A-Za-z_$][\\w$]*)*)|(?<name>[a-z_]+))"
                    + "(?:\\((?<parameters>[^()]*)\\))?(?::(?<weight>[^:]*))?");
    private static final int MOST_TOKENS = 1 << 24;

    private static final int MOST_SECONDS = 30;

    private RewardSyntax() {}

    static List<Rewards.Part> parse(Task task, List<String> texts, Progress progress) {
        List<Rewards.Part> parts = new ArrayList<>();
        for (String text : separate(String.join(",", texts))) {
            parts.add(part(text.strip(), task::accuracy, progress));
        }
        return parts;
    }

    /// @param text a reward with its parameters that judges alone, by the problem's own fields
    static Reward single(String text, Progress progress) {
        return part(
                        text,
                        () -> {
                            throw new BadInput(
                                    "accuracy is what this reward decides; expected one of %s.".formatted(OTHERS));
                        },
                        progress)
                .reward();
    }

    /// @return what stands between the commas that are in no parentheses
    private static List<String> separate(String text) {
        List<String> parts = new ArrayList<>();
        int depth = 0;
        int from = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
            if (c == ',' && depth == 0) {
                parts.add(text.substring(from, i));
                from = i + 1;
            }
        }
        parts.add(text.substring(from));
        return parts;
    }

    private static Rewards.Part part(String text, Supplier<Reward> accuracy, Progress progress) {
        Matcher matcher = PART.matcher(text);
        if (!matcher.matches()) {
            throw new BadInput("'%s' is no reward; expected name:weight with one of %s.".formatted(text, KNOWN));
        }
        String type = matcher.group("type");
        String name = type == null ? matcher.group("name") : type.substring(type.lastIndexOf('.') + 1);
        String given = matcher.group("parameters");
        Parameters parameters = Parameters.of("the reward " + name, given == null ? "" : given);
        Reward reward = type == null ? reward(name, parameters, accuracy, progress) : ofClass(type, parameters);
        return new Rewards.Part(name, weight(text, matcher.group("weight")), reward);
    }

    private static double weight(String text, @Nullable String weight) {
        if (weight == null) {
            return 1;
        }
        try {
            double number = Double.parseDouble(weight);
            if (Double.isFinite(number)) {
                return number;
            }
        } catch (NumberFormatException _) {
            // refused below
        }
        throw new BadInput("the weight in '%s' is '%s', expected a number.".formatted(text, weight));
    }

    private static Reward reward(String name, Parameters parameters, Supplier<Reward> accuracy, Progress progress) {
        return switch (name) {
            case "accuracy" -> {
                parameters.only();
                yield accuracy.get();
            }
            case "exact" -> {
                parameters.only();
                yield Rewards.exact();
            }
            case "numeric" -> Rewards.numeric(parameters.only("within").number("within", 0, 0, 1));
            case "format" ->
                Rewards.format(parameters
                        .only("opened")
                        .choice("opened", "false", List.of("true", "false"))
                        .equals("true"));
            case "length" -> length(parameters.only("target", "free", "max"));
            case "code" -> code(parameters.only("seconds", "share"), progress);
            case "language" -> Rewards.language(parameters.only("of").text("of", "en"));
            default -> throw new BadInput("there is no reward '%s'; expected one of %s.".formatted(name, KNOWN));
        };
    }

    private static Reward code(Parameters parameters, Progress progress) {
        CodeReward.Limits usual = CodeReward.Limits.usual();
        double seconds = parameters.number("seconds", usual.time().toMillis() / 1e3, 1e-3, MOST_SECONDS);
        boolean share = parameters
                .choice("share", Boolean.toString(usual.share()), List.of("true", "false"))
                .equals("true");
        return new CodeReward(
                new CodeReward.Limits(Duration.ofMillis((long) (seconds * 1e3)), usual.atOnce(), share), progress);
    }

    private static Reward length(Parameters parameters) {
        if (parameters.has("target") == parameters.has("max")) {
            throw new BadInput("the reward length needs either target=200 or max=200, with free=100 beside it.");
        }
        if (parameters.has("target")) {
            return Rewards.lengthNear(parameters.whole("target", 1, 1, MOST_TOKENS));
        }
        int max = parameters.whole("max", 1, 1, MOST_TOKENS);
        return Rewards.lengthAtMost(parameters.whole("free", 0, 0, max - 1), max);
    }

    /// Makes the user's own reward: a service of that name, or a public class with a public constructor
    /// without parameters.
    private static Reward ofClass(String type, Parameters parameters) {
        parameters.only();
        ClassLoader loader = ClassLoader.getSystemClassLoader();
        for (ServiceLoader.Provider<Reward> provider :
                ServiceLoader.load(Reward.class, loader).stream().toList()) {
            if (provider.type().getName().equals(type)) {
                return provider.get();
            }
        }
        try {
            return Class.forName(type, true, loader)
                    .asSubclass(Reward.class)
                    .getConstructor()
                    .newInstance();
        } catch (ClassNotFoundException e) {
            throw new BadInput(
                    "there is no class %s on the class path; add its folder or jar to it.".formatted(type), e);
        } catch (ClassCastException e) {
            throw new BadInput("%s is no reward; let it implement dev.wok.tune.Reward.".formatted(type), e);
        } catch (InvocationTargetException e) {
            throw new BadInput("%s could not be made: %s.".formatted(type, e.getCause()), e);
        } catch (ReflectiveOperationException | LinkageError e) {
            throw new BadInput(
                    "%s could not be made; it must be public, with a public constructor without parameters."
                            .formatted(type),
                    e);
        }
    }
}
