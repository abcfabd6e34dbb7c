package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import org.junit.jupiter.api.Test;

class WordsTest {
    @Test
    void nameConstants() {
        for (GrpoLoss.Aggregation one : GrpoLoss.Aggregation.values()) {
            assertEquals(one, Words.constant("x", GrpoLoss.Aggregation.class, Words.of(one)));
        }
        assertEquals("seq-mean-token-sum-norm", Words.of(GrpoLoss.Aggregation.SEQ_MEAN_TOKEN_SUM_NORM));
        assertEquals(GrpoLoss.Estimator.K3_PLUS, Words.constant("kl", GrpoLoss.Estimator.class, "k3+"));
        assertEquals(
                "kl is K3, expected one of k1, k2, k3, k3+.",
                Thrown.message(BadInput.class, () -> Words.constant("kl", GrpoLoss.Estimator.class, "K3")));
    }
}
