package dev.wok.emit;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import dev.wok.emit.x86.X86;
import java.net.URISyntaxException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class RoomTest {
    private static final int LEAST_CLASSES = 12;

    private static final JavaClasses ROOM = new ClassFileImporter().importPath(room());

    private static Path room() {
        try {
            return Path.of(X86.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    /// No rule passes because nothing was read.
    @Test
    void theWholeRoomWasRead() {
        assertTrue(ROOM.size() >= LEAST_CLASSES, ROOM.size() + " classes read");
        assertTrue(ROOM.contain(X86.class));
    }

    /// Code is written without a device, and without the memory and the linker that would run it.
    @Test
    void nothingButPlainJavaIsUsed() {
        classes()
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(
                        "dev.wok.emit..",
                        "java.lang",
                        "java.lang.invoke",
                        "java.lang.runtime",
                        "java.util..",
                        "java.io",
                        "java.nio",
                        "java.nio.charset",
                        "org.jspecify.annotations")
                .check(ROOM);
    }

    @Test
    void nobodyPrints() {
        noClasses().should().accessField(System.class, "out").check(ROOM);
        noClasses().should().accessField(System.class, "err").check(ROOM);
    }
}
