package dev.wok.kernel;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// The operations' own tests on the kernels in PTX, in the emulator with every check on.
class PtxTest {
    @TestFactory
    Stream<DynamicTest> operations() {
        Map<String, Runnable> tests = new LinkedHashMap<>();
        tests.put("RmsNorm.forward", new RmsNormTest()::normalizesRows);
        tests.put("RmsNorm.backward", new RmsNormTest()::gradients);
        tests.put("Swiglu.forward", new SwigluTest()::gates);
        tests.put("Swiglu.backward", new SwigluTest()::gradients);
        tests.put("AdamW.update", new AdamWTest()::updates);
        tests.put("AdamW.clip", new AdamWTest()::normOverSeveralTensors);
        tests.put("Matmul.nt", new MatmulTest()::leftTimesTransposedRight);
        tests.put("Matmul.nn", new MatmulTest()::leftTimesRight);
        tests.put("Matmul.tn", new MatmulTest()::transposedLeftTimesRight);
        tests.put("Matmul.blocks", new MatmulTest()::manyBlocks);
        return tests.entrySet().stream()
                .map(test -> DynamicTest.dynamicTest(test.getKey(), () -> Contract.onPtx(test.getValue())));
    }
}
