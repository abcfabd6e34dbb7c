package dev.wok.serve;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.lang.foreign.Linker;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class RoomTest {
    private static final int LEAST_CLASSES = 25;

    private static final JavaClasses ROOM = new ClassFileImporter().importPath(room());

    private static Path room() {
        try {
            return Path.of(Server.class
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
        assertTrue(ROOM.contain(Server.class) && ROOM.contain(Transport.class));
    }

    @Test
    void nobodyLinksNativeCode() {
        noClasses().should().dependOnClassesThat().areAssignableTo(Linker.class).check(ROOM);
    }

    /// A program that embeds Wok decides itself what it prints.
    @Test
    void nobodyPrints() {
        noClasses().should().accessField(System.class, "out").check(ROOM);
        noClasses().should().accessField(System.class, "err").check(ROOM);
    }

    /// Another library for HTTP would be a change of these.
    @Test
    void onlyTheTransportKnowsVertx() {
        noClasses()
                .that(DescribedPredicate.describe(
                        "are no part of the transport",
                        (JavaClass found) -> !Set.of("Transport", "Exchange", "EventStream", "Answering")
                                .contains(outermost(found))))
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.vertx..", "io.netty..")
                .check(ROOM);
    }

    private static String outermost(JavaClass found) {
        String name = found.getName().substring(found.getPackageName().length() + 1);
        int nested = name.indexOf('$');
        return nested < 0 ? name : name.substring(0, nested);
    }

    @Test
    void theDoorIsSmall() {
        assertEquals(
                Set.of("Server", "Keys"),
                ROOM.stream()
                        .filter(found -> found.getModifiers().contains(JavaModifier.PUBLIC) && found.isTopLevelClass())
                        .map(JavaClass::getSimpleName)
                        .collect(Collectors.toSet()));
    }
}
