package dev.wok.device.emulated;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// What each lane of a warp knows of the others: the time up to which it may rely on what they did.
final class LaneClocks {
    private static final int LANES = Warp.LANES;

    /// The time up to which each lane knows what all lanes of this warp did.
    private final int[] synced = new int[LANES];

    /// `[lane, other]`: the time up to which a lane knows what another one did, where only some lanes met; or null.
    private int @Nullable [] met;

    /// Lanes hear of all that their warp did up to a time.
    void learn(int lanes, int time) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            synced[lane] = Math.max(synced[lane], time);
        }
    }

    /// A lane hears of what another one did up to a time.
    void learn(int lane, int other, int time) {
        int[] known = met == null ? new int[LANES * LANES] : met;
        met = known;
        known[lane * LANES + other] = Math.max(known[lane * LANES + other], time);
    }

    /// @return the time up to which some lanes together know what all did
    int known(int lanes) {
        int most = 0;
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            most = Math.max(most, synced[Integer.numberOfTrailingZeros(rest)]);
        }
        return most;
    }

    /// @return the time up to which some lanes together know what another one did, beside [#known(int)]
    int known(int lanes, int other) {
        int most = 0;
        for (int rest = lanes; rest != 0 && met != null; rest &= rest - 1) {
            most = Math.max(most, met[Integer.numberOfTrailingZeros(rest) * LANES + other]);
        }
        return most;
    }

    /// Lanes meet: each knows what the others did, and what they knew.
    ///
    /// @param areAll whether there are no others
    void meet(int lanes, boolean areAll, int time) {
        if (areAll) {
            Arrays.fill(synced, time);
        } else {
            meetSome(lanes, time);
        }
    }

    private void meetSome(int lanes, int time) {
        int[] known = met == null ? new int[LANES * LANES] : met;
        met = known;
        int all = 0;
        int[] each = new int[LANES];
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            all = Math.max(all, synced[lane]);
            for (int other = 0; other < LANES; other++) {
                each[other] = Math.max(each[other], known[lane * LANES + other]);
            }
        }
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            each[Integer.numberOfTrailingZeros(rest)] = time;
        }
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            synced[lane] = all;
            System.arraycopy(each, 0, known, lane * LANES, LANES);
        }
    }

    /// @param lanes of this warp that did something at a time
    /// @return whether a lane knows it
    boolean knows(int lane, int lanes, int at) {
        int others = lanes & ~(1 << lane);
        if (others == 0 || at <= synced[lane]) {
            return true;
        }
        if (met == null) {
            return false;
        }
        for (int rest = others; rest != 0; rest &= rest - 1) {
            if (met[lane * LANES + Integer.numberOfTrailingZeros(rest)] < at) {
                return false;
            }
        }
        return true;
    }
}
