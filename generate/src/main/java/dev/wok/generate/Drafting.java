package dev.wok.generate;

import dev.wok.generate.Engine.Speculation;
import java.util.Arrays;

/// Whether reading drafts pays: tokens that multi-token prediction guesses, read together with the token before them
/// (speculative decoding). Learnt from how long steps take and how many drafts are right. It changes how fast a text
/// comes, never the text.
///
/* A step that reads a draft beside each token takes longer, and gives a second token where the draft is right: it pays
 * where `plain * (1 + right) > reading + drafting`. The times depend on how many texts answer, so that each power of two
 * has its own. Steps with and without drafts take turns until there are some of either; where drafts pay, a step without
 * any comes now and then to compare with; where they do not, none are made for as long as makes what the trial lost one
 * hundredth, but for no longer than there were steps before: the first ones in a process are slow in ways of their own. Times
 * are medians of the last few, so that what else the machine does counts little.
 */
final class Drafting {
    private static final int TRIAL = 8;
    private static final int GLANCE = 4;
    private static final int LONGEST_TRIAL = 8 * TRIAL;
    private static final int COMPARE_EVERY = 16;
    private static final int PAUSE_LEAST = 64;
    private static final double MAY_LOSE = 0.01;
    private static final double ENOUGH = 1.02;
    private static final double MEMORY = 1 - 1.0 / 128;

    private final Speculation asked;
    private final Crowd[] crowds = new Crowd[Integer.SIZE];

    /// Of the last drafts, older ones counting less: how many, and how many were right. The first ones are made up.
    private double tried = 4;

    private double right = 2;

    Drafting(Speculation asked) {
        this.asked = asked;
        Arrays.setAll(crowds, _ -> new Crowd());
    }

    /// @param texts that answer
    /// @return whether the next step reads drafts
    boolean reads(int texts) {
        return asked == Speculation.WHERE_FASTER ? crowd(texts).reads() : asked == Speculation.ALWAYS;
    }

    /// @param texts that answer, or will
    /// @return whether drafts are to be made after a step
    boolean makes(int texts) {
        return asked == Speculation.WHERE_FASTER ? crowd(texts).pause == 0 : asked == Speculation.ALWAYS;
    }

    /// Notes how long a step took.
    ///
    /// @param texts that answered in it
    /// @param drafts that were read
    /// @param prompts whether it read prompts as well, so that the time says nothing
    /// @param reading nanoseconds
    /// @param making nanoseconds for drafts after it, 0 where none were made
    void took(int texts, int drafts, boolean prompts, long reading, long making) {
        Crowd crowd = crowd(texts);
        crowd.steps++;
        if (crowd.pause > 0) {
            crowd.pause--;
            return;
        }
        if (!prompts) {
            crowd.add(texts, drafts, reading, making);
        }
        if (crowd.pays && crowd.steps % COMPARE_EVERY != 0) {
            return;
        }
        if (crowd.isKnown()) {
            crowd.decide(right / tried);
        } else {
            crowd.giveUpAfterAWhile();
        }
    }

    /// Notes whether a draft was right.
    void compared(boolean wasRight) {
        tried = MEMORY * tried + 1;
        right = MEMORY * right + (wasRight ? 1 : 0);
    }

    private Crowd crowd(int texts) {
        return crowds[Pace.index(texts)];
    }

    /// What is known of steps with about as many texts.
    private static final class Crowd {
        private final Times plain = new Times();
        private final Times reading = new Times();
        private final Times making = new Times();
        private int steps;
        private boolean pays;

        /// Steps since drafts were tried without anything known.
        private int trying;

        /// Steps without drafts that are left.
        private int pause;

        boolean reads() {
            int turn = pays ? COMPARE_EVERY : 2;
            return pause == 0 && steps % turn != 0;
        }

        void add(int texts, int drafts, long read, long made) {
            if (made > 0) {
                making.add(made);
            }
            if (drafts == 0) {
                plain.add(read);
            } else if (drafts == texts) {
                reading.add(read);
            }
        }

        /// @return whether there is enough to decide on; less is, where drafts would not pay if all were right
        boolean isKnown() {
            int count = Math.min(making.count, Math.min(plain.count, reading.count));
            return count >= TRIAL || count >= GLANCE && gain(1) < 1;
        }

        private double gain(double acceptance) {
            return plain.median() * (1 + acceptance) / (reading.median() + making.median());
        }

        void decide(double acceptance) {
            trying = 0;
            double gain = gain(acceptance);
            pays = gain > ENOUGH;
            if (!pays) {
                pause(2 * TRIAL * (1 / gain - 1) / MAY_LOSE);
            }
        }

        /// Where texts come and go in every step, there is none that says how long drafts take.
        void giveUpAfterAWhile() {
            if (++trying > LONGEST_TRIAL) {
                trying = 0;
                pause(Integer.MAX_VALUE);
            }
        }

        private void pause(double wanted) {
            pause = (int) Math.clamp(wanted, PAUSE_LEAST, Math.max(PAUSE_LEAST, steps));
            plain.count = 0;
            reading.count = 0;
            making.count = 0;
        }
    }

    /// The last few times.
    private static final class Times {
        private final long[] last = new long[TRIAL];
        private int count;

        void add(long nanos) {
            last[count++ % TRIAL] = nanos;
        }

        double median() {
            int known = Math.min(count, TRIAL);
            long[] sorted = Arrays.copyOf(last, known);
            Arrays.sort(sorted);
            return (sorted[(known - 1) / 2] + sorted[known / 2]) / 2.0;
        }
    }
}
