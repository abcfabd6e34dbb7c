package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ClockTest {
    /// As two warps of a block do at each of its barriers: what they know grows, not the room for it.
    @Test
    void clocksMeetAnyNumberOfTimes() {
        Clock one = new Clock();
        Clock other = new Clock();
        one.set(18, 1);
        other.set(20, 2);
        for (int i = 0; i < 100; i++) {
            one.set(18, i);
            one.join(other);
            other.join(one);
        }
        assertEquals(99, other.get(18));
        assertEquals(2, one.get(20));
        assertEquals(0, one.get(22));
    }
}
