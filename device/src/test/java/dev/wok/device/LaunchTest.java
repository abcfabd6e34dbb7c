package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.testkit.Thrown;
import org.junit.jupiter.api.Test;

class LaunchTest {
    private static String refusal(Thrown.Code code) {
        return Thrown.message(IllegalArgumentException.class, code);
    }

    @Test
    void aLaunchDescribesItself() {
        Launch launch = Launch.of(8, 256);
        assertEquals("grid 8x1x1, block 256x1x1", launch.toString());
        assertEquals(
                "grid 8x4x1, block 32x8x2, 1024 bytes shared, cluster 2x4x1, programmatic",
                launch.withGrid(8, 4, 1)
                        .withBlock(32, 8, 2)
                        .withShared(1024)
                        .withCluster(2, 4, 1)
                        .withProgrammatic(true)
                        .toString());
        assertEquals(8, launch.withGrid(8, 4, 1).withCluster(2, 4, 1).clusterBlocks());
    }

    @Test
    void whatNoGpuCanDoIsRefused() {
        Launch launch = Launch.of(6, 32);
        assertEquals("Launch: grid x is 0, expected 1 to 2147483647", refusal(() -> Launch.of(0, 32)));
        assertEquals("Launch: grid y is 65536, expected 1 to 65535", refusal(() -> launch.withGrid(1, 65536, 1)));
        assertEquals("Launch: block x is 2000, expected 1 to 1024", refusal(() -> Launch.of(1, 2000)));
        assertEquals("Launch: block z is 65, expected 1 to 64", refusal(() -> launch.withBlock(1, 1, 65)));
        assertEquals(
                "Launch: a block of 32x33x1 has 1056 threads, expected at most 1024: make the block smaller, the grid"
                        + " larger",
                refusal(() -> launch.withBlock(32, 33, 1)));
        assertEquals("Launch: shared bytes is -1, expected 0 to 2147483647", refusal(() -> launch.withShared(-1)));
        assertEquals(
                "Launch: cluster x is 4, expected a divisor of grid x, 6: round the grid up to whole clusters",
                refusal(() -> launch.withCluster(4, 1, 1)));
        assertEquals(
                "Launch: cluster z is 0, expected a divisor of grid z, 1: round the grid up to whole clusters",
                refusal(() -> launch.withCluster(1, 1, 0)));
        assertEquals(
                "Launch: a cluster of 8x4x1 has 32 blocks, expected at most 16",
                refusal(() -> launch.withGrid(8, 8, 1).withCluster(8, 4, 1)));
    }
}
