package dev.wok.cli;

import dev.wok.device.EmulatedGpu.Kernel;
import dev.wok.device.EmulatedGpu.Kernel.Parameter;
import dev.wok.notice.BadInput;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The arguments of a kernel that one place gives: all of them in order, or some by name.
final class PtxArguments {
    private static final Pattern NAMED = Pattern.compile("([A-Za-z_$%][\\w$]*)=(.*)");

    private final String kernel;
    private final List<String> parameters;
    private final Map<String, String> texts = new LinkedHashMap<>();
    private final String place;
    private final Path folder;

    private PtxArguments(String name, Kernel kernel, PtxLaunchOptions options, String place, Path folder) {
        this.kernel = name;
        parameters = kernel.parameters().stream().map(Parameter::name).toList();
        this.place = place;
        this.folder = folder;
        List<String> inOrder = new ArrayList<>();
        for (String text : options.arguments) {
            Matcher named = NAMED.matcher(text);
            if (named.matches()) {
                name(named.group(1), named.group(2));
            } else {
                inOrder.add(text);
            }
        }
        order(inOrder);
    }

    static PtxArguments ofCommand(String name, Kernel kernel, PtxLaunchOptions options) {
        return new PtxArguments(name, kernel, options, "", Path.of(""));
    }

    /// Files that a line names lie beside the file of PTX.
    static PtxArguments ofFile(String name, Kernel kernel, PtxSource source, PtxSource.Said said) {
        Path folder = source.file().toAbsolutePath().getParent();
        return new PtxArguments(
                name,
                kernel,
                said.options(),
                "%s, line %d: ".formatted(source.file(), said.line()),
                folder == null ? Path.of("") : folder);
    }

    /// @return a parameter's name without the kernel's, which nvcc puts before it
    static String brief(String kernel, String parameter) {
        return parameter.startsWith(kernel + "_") ? parameter.substring(kernel.length() + 1) : parameter;
    }

    private void name(String given, String text) {
        String parameter = parameters.stream()
                .filter(each -> each.equals(given) || brief(kernel, each).equals(given))
                .findFirst()
                .orElseThrow(() -> new BadInput("%s--arg %s: %s has no parameter %s; it has %s."
                        .formatted(place, given, kernel, given, parameters())));
        if (texts.put(parameter, text) != null) {
            throw new BadInput("%s--arg %s: given twice.".formatted(place, given));
        }
    }

    private void order(List<String> values) {
        List<String> rest =
                parameters.stream().filter(name -> !texts.containsKey(name)).toList();
        if (values.isEmpty()) {
            return;
        }
        if (values.size() != rest.size()) {
            throw new BadInput("%s%s: %s, expected %d: %s. With names (--arg NAME=VALUE) some can be left out."
                    .formatted(
                            place,
                            kernel,
                            Amounts.of(values.size() + texts.size(), "arguments"),
                            parameters.size(),
                            parameters()));
        }
        for (int i = 0; i < values.size(); i++) {
            texts.put(rest.get(i), values.get(i));
        }
    }

    private String parameters() {
        return parameters.isEmpty()
                ? "none"
                : String.join(
                        ", ",
                        parameters.stream().map(each -> brief(kernel, each)).toList());
    }

    /// @return what a parameter gets, or null where nobody says so
    @Nullable
    PtxArgument of(Parameter parameter) {
        String text = texts.get(parameter.name());
        return text == null
                ? null
                : PtxArgument.parse(
                        text, parameter, "%s--arg %s".formatted(place, brief(kernel, parameter.name())), folder);
    }
}
