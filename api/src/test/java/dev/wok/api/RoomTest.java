package dev.wok.api;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.lang.foreign.Linker;
import java.net.URISyntaxException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class RoomTest {
    private static final int LEAST_CLASSES = 8;

    private static final JavaClasses ROOM = new ClassFileImporter().importPath(room());

    private static Path room() {
        try {
            return Path.of(Model.class
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
        assertTrue(ROOM.contain(Model.class) && ROOM.contain(StopText.class));
    }

    @Test
    void nobodyLinksNativeCode() {
        noClasses().should().dependOnClassesThat().areAssignableTo(Linker.class).check(ROOM);
    }

    /// A program that embeds Wok decides itself what it prints and which threads it has.
    @Test
    void nobodyPrintsOrStartsThreads() {
        noClasses().should().accessField(System.class, "out").check(ROOM);
        noClasses().should().accessField(System.class, "err").check(ROOM);
        noClasses().should().dependOnClassesThat().areAssignableTo(Thread.class).check(ROOM);
    }
}
