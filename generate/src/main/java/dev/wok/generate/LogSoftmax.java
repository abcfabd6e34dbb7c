package dev.wok.generate;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.List;

/// The log-probabilities that a row of logits stands for, in double precision.
final class LogSoftmax {
    private final float[] logits;
    private final List<Token.Alternative> alternatives = new ArrayList<>();
    private final double logSum;

    /// @param logits `[vocab]`; copied
    /// @param count how many of the likeliest tokens are wanted
    /// @throws BadInput where they are no numbers
    LogSoftmax(float[] logits, int count) {
        this.logits = logits.clone();
        logSum = LogSumExp.of(LogSumExp.widened(logits)).value();
        if (count == 0 && Double.isFinite(logSum)) {
            return;
        }
        Highest highest = new Highest();
        highest.find(logits, Math.max(1, count));
        for (int i = 0; i < Math.min(count, highest.size()); i++) {
            alternatives.add(new Token.Alternative(highest.id(i), highest.logit(i) - logSum));
        }
    }

    Token token(int id) {
        return new Token(id, logits[id] - logSum, alternatives);
    }
}
