package dev.wok.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.wok.notice.BadInput;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RequestTest {
    @Test
    void takesItsOptionsOut() {
        Request request = Request.parse(List.of(
                "train", "--on=spark://a:7077,b:7077", "--out", "runs/x", "--ranks", "4", "--steps", "7", "--resume"));
        assertEquals("spark://a:7077,b:7077", request.master());
        assertEquals(4, request.ranks());
        assertEquals("runs/x", request.out());
        assertEquals(List.of("train", "--out", "runs/x", "--steps", "7", "--resume"), request.arguments(false));
        assertEquals(List.of("train", "--out", "runs/x", "--steps", "7", "--restartable"), request.arguments(true));
    }

    @Test
    void whatSaysThatTheRunMayBeThereIsGivenOnce() {
        Request request = Request.parse(List.of("train", "--restartable", "--on=spark://a:7", "--out=o", "--ranks=1"));
        assertEquals(List.of("train", "--out=o", "--restartable"), request.arguments(false));
        assertEquals(List.of("train", "--out=o", "--restartable"), request.arguments(true));
    }

    @Test
    void aLocalClusterHasARankForEachCore() {
        Request request = Request.parse(List.of("train", "--on", "local-cluster[2, 3, 1024]", "--out=o"));
        assertEquals(6, request.ranks());
        assertEquals(1024, request.memoryMiB());
        assertEquals(List.of("train", "--out=o"), request.arguments(false));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            train --on spark://a:1 --ranks 2 | --on spark://a:1 needs the run's folder, in a place that all machines share: --out DIR.
            train --on spark://a:1 --out o | --on spark://a:1 needs the number of ranks: --ranks 4.
            train --on spark://a --ranks 2 --out o | --on spark://a: expected spark://host:port or local-cluster[workers,cores,MiB].
            train --on local-cluster[2,1] --out o | --on local-cluster[2,1]: expected spark://host:port or local-cluster[workers,cores,MiB].
            train --on local-cluster[2,1,64] --out o | --on local-cluster[2,1,64]: expected a worker, a core and 512 MiB or more.
            train --on local-cluster[2,1,512] --ranks 3 --out o | --on local-cluster[2,1,512] has room for 2 ranks, not for --ranks 3; ask for more cores.
            train --on spark://a:1 --ranks 0 --out o | --ranks 0: expected a number from 1 to 4096.
            train --out o --on | --on is given without a value.
            train --out o | --on is missing: --on spark://host:7077 --ranks 4.
            """)
    void refuses(String given, String message) {
        List<String> arguments = List.of(given.split(" "));
        assertEquals(
                message,
                assertThrows(BadInput.class, () -> Request.parse(arguments)).getMessage());
    }
}
