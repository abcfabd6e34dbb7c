package dev.wok.text;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Where JDKs keep their own sources.
final class JdkSources {
    private static final Pattern VERSION = Pattern.compile("(?m)^JAVA_VERSION=\"(?:1\\.)?(\\d+)");

    private JdkSources() {}

    static Optional<Path> find() {
        Path home = Path.of(System.getProperty("user.home", ""));
        return find(
                Path.of(System.getProperty("java.home", "")),
                List.of(
                        Path.of("/usr/lib/jvm"),
                        home.resolve(".sdkman/candidates/java"),
                        home.resolve(".jdks"),
                        Path.of("/Library/Java/JavaVirtualMachines")));
    }

    /// @param running the JDK to prefer
    /// @param folders that hold JDKs, as they are or in macOS bundles
    static Optional<Path> find(Path running, List<Path> folders) {
        Optional<Path> own = sources(running);
        if (own.isPresent()) {
            return own;
        }
        List<Path> homes = new ArrayList<>();
        for (Path folder : folders) {
            try (DirectoryStream<Path> inside = Files.newDirectoryStream(folder)) {
                for (Path jdk : inside) {
                    homes.add(jdk);
                    homes.add(jdk.resolve("Contents/Home"));
                }
            } catch (IOException e) {
                // A folder that is not there holds no JDK.
                continue;
            }
        }
        return homes.stream()
                .filter(home -> sources(home).isPresent())
                .max(Comparator.comparingInt(JdkSources::version).thenComparing(Comparator.reverseOrder()))
                .flatMap(JdkSources::sources);
    }

    private static Optional<Path> sources(Path home) {
        Path zip = home.resolve("lib").resolve("src.zip");
        return Files.isRegularFile(zip) && Files.isReadable(zip) ? Optional.of(zip) : Optional.empty();
    }

    private static int version(Path home) {
        try {
            Matcher matcher = VERSION.matcher(Files.readString(home.resolve("release")));
            return matcher.find() ? Integer.parseInt(matcher.group(1)) : 0;
        } catch (IOException e) {
            return 0;
        }
    }
}
