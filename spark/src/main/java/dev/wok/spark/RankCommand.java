package dev.wok.spark;

import java.io.File;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/// How a rank is started, on any machine.
///
/// @param folder the working folder, which all machines share
/// @param jarFolder where the jars lie on the driver's machine, and on those that share it
/// @param jars their names
/// @param options of Java, up to the class that it runs; [#JARS] among them stands for the path
///     of the jars
/// @param environment what is set beside what tells a rank its place
record RankCommand(
        String folder, String jarFolder, List<String> jars, List<String> options, Map<String, String> environment)
        implements Serializable {
    /// Stands for the jars, joined as a path.
    static final String JARS = "{jars}";

    /// @param java the program
    /// @param jar where a jar lies, by its name
    /// @param arguments of the class
    List<String> line(String java, UnaryOperator<String> jar, List<String> arguments) {
        String path = String.join(File.pathSeparator, jars.stream().map(jar).toList());
        List<String> line = new ArrayList<>(List.of(java));
        options.stream().map(option -> option.equals(JARS) ? path : option).forEach(line::add);
        line.addAll(arguments);
        return line;
    }
}
