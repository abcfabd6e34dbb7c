package dev.wok.kernel;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// The operations' tests with every set of instructions in every case, those that the processor lacks
/// emulated.
class EveryIsaTest {
    private static final List<Class<?>> TESTS = List.of(
            AdamWTest.class,
            AttentionTest.class,
            BalanceLossTest.class,
            CachedAttentionTest.class,
            CrossEntropyTest.class,
            ElementwiseTest.class,
            EmbeddingTest.class,
            ExpertsTest.class,
            LatentAttentionTest.class,
            LatentKeysTest.class,
            MatmulTest.class,
            PackedTest.class,
            ProductsGuardedTest.class,
            RmsNormTest.class,
            RotaryTest.class,
            RoutingTest.class,
            RowsAndElementsTest.class,
            SwigluTest.class);

    @Tag("slow")
    @TestFactory
    Stream<DynamicTest> operations() {
        return TESTS.stream()
                .flatMap(type -> Arrays.stream(type.getDeclaredMethods())
                        .filter(method -> method.isAnnotationPresent(Test.class))
                        .map(method -> DynamicTest.dynamicTest(
                                type.getSimpleName() + "." + method.getName(),
                                () -> Contract.withAll(() -> run(method)))));
    }

    private static void run(Method test) {
        try {
            test.invoke(test.getDeclaringClass().getDeclaredConstructor().newInstance());
        } catch (InvocationTargetException e) {
            throw new AssertionError(e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
