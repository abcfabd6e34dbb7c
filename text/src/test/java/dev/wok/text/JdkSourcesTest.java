package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JdkSourcesTest {
    @TempDir
    Path folder;

    private Path jdk(String name, String version, boolean sources) throws IOException {
        Path home = Files.createDirectories(folder.resolve(name));
        Files.writeString(home.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
        return sources ? Sample.write(home.resolve("lib/src.zip"), "zip") : home;
    }

    @Test
    void runningJdkComesFirst() throws IOException {
        Path own = jdk("own", "17.0.1", true);
        jdk("jvm/other", "25.0.3", true);
        assertEquals(Optional.of(own), JdkSources.find(folder.resolve("own"), List.of(folder.resolve("jvm"))));
    }

    @Test
    void newestOtherJdkIsFound() throws IOException {
        jdk("own", "25.0.3", false);
        jdk("jvm/a", "1.8.0_402", true);
        jdk("jvm/z", "9.0.4", true);
        jdk("jvm/none", "26", false);
        Path newest = jdk("mac/b.jdk/Contents/Home", "21.0.2", true);
        assertEquals(
                Optional.of(newest),
                JdkSources.find(
                        folder.resolve("own"),
                        List.of(folder.resolve("missing"), folder.resolve("jvm"), folder.resolve("mac"))));
    }

    @Test
    void noneIsNone() throws IOException {
        jdk("own", "25.0.3", false);
        assertEquals(Optional.empty(), JdkSources.find(folder.resolve("own"), List.of(folder)));
    }
}
