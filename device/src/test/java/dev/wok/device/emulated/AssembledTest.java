package dev.wok.device.emulated;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/// The texts of these tests are PTX: NVIDIA's assembler takes them.
@Tag("slow")
class AssembledTest {
    @TestFactory
    Stream<DynamicTest> samplesAssemble() {
        List<Sample> samples = new ArrayList<>();
        samples.addAll(RacesTest.samples());
        samples.addAll(AsynchronousTest.samples());
        samples.addAll(ClustersTest.samples());
        samples.addAll(FaultsTest.samples());
        samples.addAll(WgmmaTest.samples());
        samples.addAll(PipelineTest.samples());
        return samples.stream()
                .flatMap(sample -> sample.texts().stream()
                        .map(text -> DynamicTest.dynamicTest(
                                sample.name, () -> Assembler.requireAccepted(sample.name, text))));
    }

    @TestFactory
    Stream<DynamicTest> productsAssemble() {
        List<String> texts = new ArrayList<>(ProductsTest.wgmmaTexts());
        texts.add(ProductsTest.mmaText());
        texts.addAll(MovesTest.laneTexts());
        texts.addAll(TensorMapsTest.texts());
        return texts.stream()
                .map(text -> DynamicTest.dynamicTest("product", () -> Assembler.requireAccepted("product", text)));
    }

    @TestFactory
    Stream<DynamicTest> formsAssemble() {
        Map<String, Forms> forms = new LinkedHashMap<>();
        forms.put("arithmetic", IntegersTest.arithmetic());
        forms.put("bits", IntegersTest.bits());
        forms.put("comparisons", IntegersTest.comparisons());
        forms.put("floats", FloatsTest.arithmetic());
        forms.put("conversions of whole numbers", ConversionsTest.integers());
        forms.put("conversions", ConversionsTest.floats());
        forms.put("moves", MovesTest.moves());
        forms.put("atomics", MovesTest.atomics());
        forms.put("order", FloatsTest.order());
        forms.put("approximations", FloatsTest.approximations());
        return forms.entrySet().stream()
                .map(e -> DynamicTest.dynamicTest(
                        e.getKey(),
                        () -> Assembler.requireAccepted(e.getKey(), e.getValue().text())));
    }
}
