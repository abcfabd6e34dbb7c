package dev.wok.kernel.host;

import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Properties;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/// The user's folder for what may be deleted at any time, and small files in it.
public final class UserCache {
    private UserCache() {}

    /// @return the folder of this process
    public static Path folder() {
        return folder(System::getenv, System.getProperty("user.home", ""));
    }

    /// @param environment reads a variable, null where it is not set
    /// @param home the user's
    /// @return the folder by the rules of freedesktop.org
    public static Path folder(UnaryOperator<@Nullable String> environment, String home) {
        String cache = environment.apply("XDG_CACHE_HOME");
        if (cache != null) {
            try {
                Path path = Path.of(cache);
                if (path.isAbsolute()) {
                    return path.resolve("wok");
                }
            } catch (InvalidPathException e) {
                return Path.of(home, ".cache", "wok");
            }
        }
        return Path.of(home, ".cache", "wok");
    }

    /// @return a name as a part of a file's
    public static String fileName(String name) {
        return name.toLowerCase(java.util.Locale.ROOT)
                .replaceAll("[^a-z0-9]+", "-")
                .replaceAll("^-|-$", "");
    }

    /// Writes a file beside its name and renames it, so that nobody reads a half.
    public static void write(Path file, Properties properties, String comment) throws IOException {
        Path folder = file.toAbsolutePath().getParent();
        Files.createDirectories(folder);
        Path partial = Files.createTempFile(folder, "tiles-", ".part");
        try {
            try (Writer writer = Files.newBufferedWriter(partial)) {
                properties.store(writer, comment);
            }
            Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(partial);
        }
    }
}
