package dev.wok.kernel;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.type;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.name;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeElement;
import java.lang.classfile.MethodModel;
import java.lang.classfile.instruction.FieldInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.junit.jupiter.api.Test;

class RoomTest {
    private static final String API = "jdk/incubator/vector/";
    private static final int LEAST_CLASSES = 70;

    /// The operators that give the same bits interpreted and compiled; the list is short on purpose. Whole
    /// numbers become floats to nearest even, as IEEE 754 says.
    private static final Set<String> SAFE_OPERATORS = Set.of("MAX", "LT", "ASHR", "LSHL", "LSHR", "I2F");

    private static Path classes(Class<?> type) {
        try {
            return Path.of(
                    type.getProtectionDomain().getCodeSource().getLocation().toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private static final JavaClasses ROOM = new ClassFileImporter().importPath(classes(Kernels.class));

    /// No rule passes because nothing was read.
    @Test
    void theWholeRoomWasRead() {
        assertTrue(ROOM.size() >= LEAST_CLASSES, ROOM.size() + " classes read");
        assertTrue(ROOM.contain(Kernels.class) && ROOM.contain("dev.wok.kernel.vector.Lanes"));
    }

    @Test
    void onlyTheVectorBackendUsesTheVectorApi() {
        noClasses()
                .that()
                .resideOutsideOfPackage("..vector..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("jdk.incubator.vector..")
                .check(ROOM);
    }

    @Test
    void backendsDoNotSeeEachOther() {
        String[] backends = {"reference", "vector", "x86", "ptx", "dry"};
        for (String backend : backends) {
            String[] others = Stream.of(backends)
                    .filter(other -> !other.equals(backend))
                    .map(other -> "dev.wok.kernel." + other)
                    .toArray(String[]::new);
            noClasses()
                    .that()
                    .resideInAPackage("dev.wok.kernel." + backend)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(others)
                    .check(ROOM);
        }
    }

    /// Emitted code is called through the device, which alone has native access.
    @Test
    void nobodyLinksNativeCode() {
        noClasses().should().dependOnClassesThat().areAssignableTo(Linker.class).check(ROOM);
        noClasses()
                .should()
                .callMethodWhere(target(owner(type(MemorySegment.class))).and(target(name("reinterpret"))))
                .check(ROOM);
    }

    @Test
    void nobodyPrints() {
        noClasses().should().accessField(System.class, "out").check(ROOM);
        noClasses().should().accessField(System.class, "err").check(ROOM);
    }

    /// What the comment in Lanes promises: no sum across lanes in an unspecified order, no exponential from a library.
    @Test
    void vectorKernelsUseOnlyRepeatableOperations() throws IOException {
        Set<String> operators = new TreeSet<>();
        List<String> faults = new ArrayList<>();
        int read = 0;
        try (Stream<Path> files = Files.walk(classes(Kernels.class).resolve("dev/wok/kernel/vector"))) {
            for (Path file : files.filter(f -> f.toString().endsWith(".class")).toList()) {
                inspect(ClassFile.of().parse(file), operators, faults);
                read++;
            }
        }
        assertEquals(List.of(), faults);
        assertEquals(SAFE_OPERATORS, operators, "the operators that the kernels use");
        assertTrue(read >= 20, read + " classes read");
    }

    /// The inspection finds what it looks for.
    @Test
    void unrepeatableOperationsAreFound() throws IOException {
        Path file = classes(RoomTest.class).resolve(Unrepeatable.class.getName().replace('.', '/') + ".class");
        Set<String> operators = new TreeSet<>();
        List<String> faults = new ArrayList<>();
        inspect(ClassFile.of().parse(file), operators, faults);
        assertEquals(Set.of("ADD", "EXP"), operators);
        assertEquals(
                List.of("RoomTest$Unrepeatable.sum reduces by ADD", "RoomTest$Unrepeatable.power calls pow"), faults);
    }

    private static final class Unrepeatable {
        static float sum(FloatVector v) {
            return v.reduceLanes(VectorOperators.ADD);
        }

        static FloatVector exponential(FloatVector v) {
            return v.lanewise(VectorOperators.EXP);
        }

        static FloatVector power(FloatVector v) {
            return v.pow(2);
        }
    }

    private static void inspect(ClassModel type, Set<String> operators, List<String> faults) {
        for (MethodModel method : type.methods()) {
            String name = type.thisClass().asInternalName().replaceFirst(".*/", "") + "."
                    + method.methodName().stringValue();
            method.code().ifPresent(code -> {
                String last = "nothing";
                for (CodeElement element : code) {
                    if (element instanceof FieldInstruction field
                            && field.owner().asInternalName().equals(API + "VectorOperators")) {
                        last = field.name().stringValue();
                        operators.add(last);
                    } else if (element instanceof InvokeInstruction call
                            && call.owner().asInternalName().startsWith(API)) {
                        String called = call.name().stringValue();
                        if (called.startsWith("reduceLanes") && !last.equals("MAX")) {
                            faults.add(name + " reduces by " + last);
                        } else if (called.equals("pow")) {
                            faults.add(name + " calls pow");
                        }
                    }
                }
            });
        }
    }

    /// So that no other class fails to link where the Vector API is missing.
    @Test
    void onlyTheChoiceNamesTheVectorBackend() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.wok.kernel.vector")
                .and()
                .doNotHaveFullyQualifiedName(VectorChoice.class.getName())
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.wok.kernel.vector")
                .check(ROOM);
    }
}
