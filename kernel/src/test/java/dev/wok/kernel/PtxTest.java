package dev.wok.kernel;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// The operations' own tests on the kernels in PTX, in the emulator with every check on.
class PtxTest {
    @TestFactory
    Stream<DynamicTest> rows() {
        Map<String, Runnable> tests = new LinkedHashMap<>();
        tests.put("RmsNorm.forward", new RmsNormTest()::normalizesRows);
        tests.put("RmsNorm.backward", new RmsNormTest()::gradients);
        tests.put("Swiglu.forward", new SwigluTest()::gates);
        tests.put("Swiglu.backward", new SwigluTest()::gradients);
        tests.put("AdamW.update", new AdamWTest()::updates);
        tests.put("AdamW.clip", new AdamWTest()::normOverSeveralTensors);
        tests.put("Embedding.forward", new EmbeddingTest()::gathersRowsExactly);
        tests.put("Embedding.backward", new EmbeddingTest()::sumsGradientsOfRepeatedTokens);
        tests.put("Elementwise.add", new ElementwiseTest()::addsWithOneRounding);
        tests.put("Elementwise.addInPlace", new ElementwiseTest()::addsManyBlocksInPlace);
        tests.put("Elementwise.addBias", new ElementwiseTest()::addsABiasAndSumsItsGradient);
        tests.put("Elementwise.fill", new ElementwiseTest()::fillsAnyType);
        tests.put("Elementwise.cast", new ElementwiseTest()::casts);
        tests.put("Elementwise.castToPages", new ElementwiseTest()::castsToPages);
        tests.put("LatentKeys.forward", new LatentKeysTest()::joinsExactly);
        tests.put("LatentKeys.backward", new LatentKeysTest()::partsGradients);
        tests.put("Rotary.table", new RotaryTest()::tableIsCorrectlyRounded);
        tests.put("Rotary.rotate", new RotaryTest()::rotatesInPlace);
        tests.put("Rotary.pairs", new RotaryTest()::pairsLieWhereTheyShould);
        tests.put("CrossEntropy.forward", new CrossEntropyTest()::losses);
        tests.put("CrossEntropy.forwardBackward", new CrossEntropyTest()::gradients);
        tests.put("CrossEntropy.long", new CrossEntropyTest()::longRows);
        tests.put("CrossEntropy.bits", new CrossEntropyTest()::bothFormsGiveTheSameLossBits);
        tests.put("CrossEntropy.infinities", new CrossEntropyTest()::infinitiesAndNaN);
        tests.put("Routing.forward", new RoutingTest()::chooses);
        tests.put("Routing.many", new RoutingTest()::choosesAmongMany);
        tests.put("Routing.backward", new RoutingTest()::gradients);
        tests.put("Routing.ties", new RoutingTest()::tiesGoToTheLowerIndex);
        tests.put("Routing.groups", new RoutingTest()::groupsAreRankedByTheirBestTwoOrTheirBest);
        tests.put("Routing.droppedGroups", new RoutingTest()::droppedGroupsStayOutBelowAnyBias);
        tests.put("Routing.bias", new RoutingTest()::theBiasDecidesAndDoesNotWeigh);
        tests.put("Routing.nan", new RoutingTest()::logitsOfNaNStillChooseDistinctExperts);
        tests.put("Routing.zeros", new RoutingTest()::scoresOfZeroAreNumbers);
        tests.put("Routing.plan", new RoutingTest()::plansSortByExpertAndCount);
        tests.put("Routing.balance", new RoutingTest()::balanceMovesTheBiasAgainstTheLoad);
        tests.put("BalanceLoss.forward", new BalanceLossTest()::measures);
        tests.put("BalanceLoss.backward", new BalanceLossTest()::gradients);
        tests.put("BalanceLoss.values", new BalanceLossTest()::knownValues);
        return each(Contract.Ptx.COMMON, tests);
    }

    @TestFactory
    Stream<DynamicTest> packedWeights() {
        Map<String, Runnable> tests = new LinkedHashMap<>();
        tests.put("Packed.f32", new PackedTest()::float32);
        tests.put("Packed.bf16", new PackedTest()::bfloat16);
        tests.put("Packed.fp8", new PackedTest()::e4m3);
        tests.put("Packed.int8", new PackedTest()::eightBitsTimesFloat);
        tests.put("Packed.int4", new PackedTest()::fourBitsTimesFloat);
        tests.put("Packed.int8, bytes", new PackedTest()::eightBitsTimesEightBits);
        tests.put("Packed.int4, bytes", new PackedTest()::fourBitsTimesEightBits);
        tests.put("Packed.rows", new PackedTest()::bitsDoNotDependOnOtherRows);
        tests.put("Packed.extremes", new PackedTest()::extremeValuesAreExact);
        tests.put("Packed.every e4m3", new PackedTest()::everyE4m3CountsForWhatItIs);
        tests.put("Packed.nan", new PackedTest()::rowsKeepTheirNansToThemselves);
        tests.put("Packed.experts", new ExpertsTest()::packed);
        tests.put("Packed.narrow", new PackedTest()::activationsMayBeBf16);
        tests.put("Experts.packedGateUp", new ExpertsTest()::packedGateUp);
        tests.put("Experts.packedDown", new ExpertsTest()::packedDown);
        return each(Contract.Ptx.COMMON, tests);
    }

    static Stream<DynamicTest> each(Contract.Ptx kind, Map<String, Runnable> tests) {
        return tests.entrySet().stream()
                .map(test -> DynamicTest.dynamicTest(test.getKey(), () -> Contract.onPtx(kind, test.getValue())));
    }
}
