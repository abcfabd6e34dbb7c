package dev.wok.kernel;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// As [PtxTest], of attention: a class of its own, as these take the longest and two classes run at a time.
class PtxAttentionTest {
    @TestFactory
    Stream<DynamicTest> attention() {
        Map<String, Runnable> tests = new LinkedHashMap<>();
        tests.put("Attention.weightless", new AttentionTest()::scoresOfMinusInfinityWeighNothing);
        tests.put("Attention.large", new AttentionTest()::largeScoresStayFinite);
        tests.put("Attention.tiles", new AttentionTest()::everyTile);
        tests.put("Attention.rows", new AttentionTest()::longRows);
        tests.put("CachedAttention.attends", new CachedAttentionTest()::attends);
        tests.put("CachedAttention.many", new CachedAttentionTest()::attendsToManyKeys);
        tests.put("CachedAttention.batch", new CachedAttentionTest()::aQueryDoesNotDependOnItsBatch);
        tests.put("CachedAttention.pages", new CachedAttentionTest()::pagesChangeNoBits);
        tests.put("CachedAttention.unseen", new CachedAttentionTest()::nothingUnseenIsSeen);
        tests.put("LatentAttention.attends", new LatentAttentionTest()::attends);
        tests.put("LatentAttention.many", new LatentAttentionTest()::attendsToManyKeys);
        return PtxTest.each(Contract.Ptx.COMMON, tests);
    }

    @TestFactory
    Stream<DynamicTest> attentionOfEachChip() {
        Map<String, Runnable> tests = new LinkedHashMap<>();
        tests.put("Attention.packed", new AttentionTest()::packedDocumentsAreAsIfAlone);
        tests.put("Attention.unseen", new AttentionTest()::nothingUnseenIsSeen);
        tests.put("Attention.forward", new AttentionTest()::attends);
        tests.put("Attention.backward", new AttentionTest()::gradients);
        tests.put("LatentAttention.large", new LatentAttentionTest()::attendsToLargeLatents);
        tests.put("LatentAttention.batch", new LatentAttentionTest()::aQueryDoesNotDependOnItsBatch);
        tests.put("LatentAttention.pages", new LatentAttentionTest()::pagesChangeNoBits);
        tests.put("LatentAttention.unseen", new LatentAttentionTest()::nothingUnseenIsSeen);
        return PtxTest.each(Contract.Ptx.SPECIALISED, tests);
    }
}
