package dev.wok.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.fabric.Exchange.Payload;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Shape;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class FabricRankTest {
    private static double[] measured(int ranks, RankCommand command) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(ranks)) {
            List<Future<double[]>> answers = threads.invokeAll(Fabric.threads(Shape.oneMachine(ranks)).stream()
                    .map(fabric -> (java.util.concurrent.Callable<double[]>) () -> {
                        try (fabric;
                                HostDevice device = Device.host(1)) {
                            return new FabricRank(fabric, device).measure(RankCommand.parse(command.line()));
                        }
                    })
                    .toList());
            for (Future<double[]> answer : answers) {
                answer.get();
            }
            return answers.getFirst().get();
        }
    }

    private static void assertTimes(int count, double[] nanos) {
        assertEquals(count, nanos.length);
        assertTrue(Arrays.stream(nanos).allMatch(value -> value > 0), Arrays.toString(nanos));
    }

    @ParameterizedTest
    @EnumSource(Payload.class)
    void tokensComeBackAsTheyWent(Payload payload) throws Exception {
        assertTimes(2, measured(3, new RankCommand.Tokens(new FabricJob(300, 17, 3, 16, payload, payload), 1, 2)));
    }

    @Test
    void framesAndSumsAreTimed() throws Exception {
        assertTimes(4, measured(2, new RankCommand.Latency(8, 10, 4)));
        assertTimes(2, measured(3, new RankCommand.Latency(200_001, 3, 2)));
        assertTimes(2, measured(3, new RankCommand.Reduce(100_000, 0, 2)));
        assertTimes(2, measured(3, new RankCommand.Gather(100_001, 0, 2)));
    }

    @Test
    void aTokenThatCameBackWrongIsSeen() {
        FabricJob job = new FabricJob(256, 4, 2, 8, Payload.BF16, Payload.BF16);
        try (Arena arena = Arena.ofConfined()) {
            Tensor y = Tensor.allocate(arena, DType.F32, 4, 256);
            for (int token = 0; token < 4; token++) {
                for (int c = 0; c < 256; c++) {
                    float sum = 0;
                    for (int k = 0; k < 2 * 3; k++) {
                        sum += FabricJob.weight(4 + token, k % 2) * FabricJob.value(4 + token, c);
                    }
                    y.memory().setAtIndex(ValueLayout.JAVA_FLOAT, token * 256L + c, sum);
                }
            }
            job.check(1, y, 3);
            assertEquals(
                    "rank 1, token 0, column 0: %s, expected %s"
                            .formatted(FabricJob.value(4, 0) * 9 / 8, FabricJob.value(4, 0) * 6 / 8),
                    assertThrows(IllegalStateException.class, () -> job.check(1, y, 2))
                            .getMessage());
        }
    }

    @Test
    void aTokenChoosesDifferentExperts() {
        for (int token = 0; token < 1000; token++) {
            int id = token;
            assertEquals(
                    FabricJob.TOP_K,
                    java.util.stream.IntStream.range(0, FabricJob.TOP_K)
                            .map(k -> FabricJob.chosen(id, k, FabricJob.EXPERTS))
                            .distinct()
                            .count());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "latency", "latency 8 x 1", "exchange 1 1 1 1 1 1 F16 F32", "sleep 1"})
    void whatIsNoCommandIsRefused(String line) {
        assertEquals(
                "a rank was told: %s.".formatted(line),
                assertThrows(BadInput.class, () -> RankCommand.parse(line)).getMessage());
    }
}
