package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    private static final long SECOND = 1_000_000_000L;

    private final AtomicLong clock = new AtomicLong();
    private final Metrics metrics = new Metrics();
    private final Admission admission = new Admission(() -> 2, 3, metrics, clock::get);

    @Test
    void moreThanTheQueueIsRefused() {
        Call.Places first = admission.take(2, Optional.empty());
        Call.Places second = admission.take(3, Optional.empty());
        Refusal full = assertThrows(Refusal.class, () -> admission.take(1, Optional.empty()));
        assertEquals("5 texts are in progress and in the queue, which is full; try again in 30 s.", full.message());
        assertEquals(429, full.status());
        assertEquals("rate_limit_exceeded", full.code());
        assertEquals(OptionalInt.of(30), full.retrySeconds());
        clock.addAndGet(10 * SECOND);
        first.close();
        first.close();
        assertEquals(3, admission.texts());
        Call.Places third = admission.take(2, Optional.empty());
        clock.addAndGet(8 * SECOND);
        assertEquals(
                OptionalInt.of(4),
                assertThrows(Refusal.class, () -> admission.take(1, Optional.empty()))
                        .retrySeconds());
        second.close();
        third.close();
        assertEquals(0, admission.texts());
        Refusal never = assertThrows(Refusal.class, () -> admission.take(6, Optional.empty()));
        assertEquals(400, never.status());
        assertEquals("6 texts are asked for at once; this server takes 5.", never.message());
    }

    @Test
    void aKeyThatIsRefusedTakesNoPlace() {
        Key key = new Key(
                "k", new byte[32], new Keys.Limits(OptionalInt.empty(), OptionalInt.of(60), OptionalInt.of(1)), 0);
        Call.Places places = admission.take(1, Optional.of(key));
        assertThrows(Refusal.class, () -> admission.take(1, Optional.of(key)));
        assertEquals(1, admission.texts());
        places.used(100, 20);
        places.close();
        Refusal tokens = assertThrows(Refusal.class, () -> admission.take(1, Optional.of(key)));
        assertEquals("the key k may have 60 tokens a minute; try again in 60 s.", tokens.message());
        assertEquals(0, admission.texts());
    }

    @Test
    void piecesAreTimed() {
        Call.Places places = admission.take(2, Optional.empty());
        clock.addAndGet(4 * SECOND);
        places.piece(0);
        clock.addAndGet(SECOND / 100);
        places.piece(0);
        places.piece(1);
        assertEquals(2, metrics.firstToken().count());
        assertEquals(1, metrics.betweenTokens().count());
        assertEquals(4, metrics.firstToken().quantile(.5), 1);
        assertEquals(.01, metrics.betweenTokens().quantile(.5), .003);
    }
}
