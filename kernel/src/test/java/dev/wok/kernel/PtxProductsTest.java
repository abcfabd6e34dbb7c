package dev.wok.kernel;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// As [PtxTest], of matrix products and experts.
class PtxProductsTest {
    @TestFactory
    Stream<DynamicTest> expertsOfEachChip() {
        Map<String, Runnable> tests = new LinkedHashMap<>();
        tests.put("Experts.gateUp", new ExpertsTest()::gateUp);
        tests.put("Experts.down", new ExpertsTest()::down);
        tests.put("Experts.downBackward", new ExpertsTest()::downBackward);
        tests.put("Experts.downWeightGradient", new ExpertsTest()::downWeightGradient);
        tests.put("Experts.gateUpBackward", new ExpertsTest()::gateUpBackward);
        tests.put("Experts.gateUpWeightGradient", new ExpertsTest()::gateUpWeightGradient);
        tests.put("Experts.nothingToDo", new ExpertsTest()::nothingToDo);
        return PtxTest.each(Contract.Ptx.SPECIALISED, tests);
    }

    @TestFactory
    Stream<DynamicTest> productsOfEachChip() {
        Map<String, Runnable> tests = new LinkedHashMap<>();
        tests.put("Matmul.nt", new MatmulTest()::leftTimesTransposedRight);
        tests.put("Matmul.nn", new MatmulTest()::leftTimesRight);
        tests.put("Matmul.tn", new MatmulTest()::transposedLeftTimesRight);
        tests.put("Matmul.linear", new MatmulTest()::linear);
        tests.put("Matmul.linearInput", new MatmulTest()::linearInput);
        tests.put("Matmul.linearWeight", new MatmulTest()::linearWeight);
        tests.put("Matmul.blocks", new MatmulTest()::manySmallBlocks);
        return PtxTest.each(Contract.Ptx.SPECIALISED, tests);
    }
}
