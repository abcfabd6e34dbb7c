package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Launch;
import dev.wok.device.PtxFault;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Random kernels of reads, writes, atomics and barriers on a few words: the emulated GPU finds a race exactly where an
/// oracle does that keeps a clock for each thread, with an entry for each thread.
class RaceOracleTest {
    private static final int WARPS = 2;
    private static final int THREADS = WARPS * 32;
    private static final int WORDS = 24;

    private enum Kind {
        READ,
        WRITE,
        ATOMIC,
        BLOCK_BARRIER,
        WARP_BARRIER,
        HALVES_BARRIER,
        QUARTERS_BARRIER
    }

    /// @param lanes who takes part, for each warp
    private record Statement(Kind kind, int[] lanes, int factor, int offset) {
        int word(int thread) {
            return (thread * factor + offset) % WORDS;
        }

        boolean takes(int thread) {
            return (lanes[thread / 32] >>> thread % 32 & 1) != 0;
        }
    }

    private static List<Statement> program(SplittableRandom random) {
        List<Statement> statements = new ArrayList<>();
        int count = 2 + random.nextInt(7);
        for (int i = 0; i < count; i++) {
            Kind kind = Kind.values()[random.nextInt(Kind.values().length)];
            int[] lanes = new int[WARPS];
            for (int warp = 0; warp < WARPS; warp++) {
                lanes[warp] = switch (random.nextInt(5)) {
                    case 0 -> 0;
                    case 1 -> 1 << random.nextInt(32);
                    case 2 -> 0xFFFF << random.nextInt(17);
                    case 3 -> random.nextInt();
                    default -> {
                        int some = random.nextInt();
                        yield some & some << 7 & some >>> 11;
                    }
                };
            }
            // Few distinct words make races, as many as threads none.
            statements.add(
                    new Statement(kind, lanes, random.nextInt(3) == 0 ? 1 : random.nextInt(8), random.nextInt(WORDS)));
        }
        return statements;
    }

    private static String text(List<Statement> program) {
        StringBuilder text = new StringBuilder("""
                .version 8.5
                .target sm_90a
                .address_size 64
                .visible .entry k()
                {
                .shared .align 4 .b32 s[24];
                .reg .b32 %t, %w, %l, %m, %a, %s, %v, %h, %q; .reg .pred %p, %z;
                mov.u32 %t, %tid.x; shr.u32 %w, %t, 5; and.b32 %l, %t, 31; mov.u32 %s, s;
                setp.eq.u32 %z, %w, 0;
                and.b32 %h, %l, 16; shl.b32 %h, 0xffff, %h;
                and.b32 %q, %l, 24; shl.b32 %q, 0xff, %q;
                setp.lt.u32 %p, %t, 24; shl.b32 %a, %t, 2; add.u32 %a, %a, %s;
                @%p st.shared.b32 [%a], 0;
                bar.sync 0;
                """);
        for (Statement s : program) {
            String access = switch (s.kind) {
                case READ -> "@%p ld.shared.b32 %v, [%a];";
                case WRITE -> "@%p st.shared.b32 [%a], %t;";
                case ATOMIC -> "@%p atom.shared.add.u32 %v, [%a], 1;";
                case BLOCK_BARRIER -> "bar.sync 0;";
                case WARP_BARRIER -> "bar.warp.sync -1;";
                case HALVES_BARRIER -> "bar.warp.sync %h;";
                case QUARTERS_BARRIER -> "bar.warp.sync %q;";
            };
            if (access.startsWith("@")) {
                text.append(
                        "selp.b32 %%m, %d, %d, %%z; shr.u32 %%m, %%m, %%l; and.b32 %%m, %%m, 1; setp.ne.u32 %%p, %%m, 0;\n"
                                .formatted(s.lanes[0], s.lanes[1]));
                text.append(
                        "mad.lo.u32 %%a, %%t, %d, %d; rem.u32 %%a, %%a, %d; shl.b32 %%a, %%a, 2; add.u32 %%a, %%a, %%s;\n"
                                .formatted(s.factor, s.offset, WORDS));
            }
            text.append(access).append('\n');
        }
        return text.append("ret;\n}\n").toString();
    }

    private record Access(int thread, int word, Kind kind, int time) {}

    private static boolean hasRace(List<Statement> program) {
        int[][] clocks = new int[THREADS][THREADS];
        List<Access> before = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            clocks[i][i] = 1;
        }
        for (Statement s : program) {
            int size = switch (s.kind) {
                case BLOCK_BARRIER -> THREADS;
                case WARP_BARRIER -> 32;
                case HALVES_BARRIER -> 16;
                case QUARTERS_BARRIER -> 8;
                case READ, WRITE, ATOMIC -> 0;
            };
            for (int from = 0; size > 0 && from < THREADS; from += size) {
                meet(clocks, from, from + size);
            }
            for (int thread = 0; size == 0 && thread < THREADS; thread++) {
                if (!s.takes(thread)) {
                    continue;
                }
                for (Access other : before) {
                    boolean conflicts = other.word == s.word(thread)
                            && other.thread != thread
                            && (other.kind != Kind.READ || s.kind != Kind.READ)
                            && (other.kind != Kind.ATOMIC || s.kind != Kind.ATOMIC);
                    if (conflicts && clocks[thread][other.thread] < other.time) {
                        return true;
                    }
                }
                before.add(new Access(thread, s.word(thread), s.kind, clocks[thread][thread]));
            }
        }
        return false;
    }

    private static void meet(int[][] clocks, int from, int to) {
        int[] all = new int[THREADS];
        for (int thread = from; thread < to; thread++) {
            for (int i = 0; i < THREADS; i++) {
                all[i] = Math.max(all[i], clocks[thread][i]);
            }
        }
        for (int thread = from; thread < to; thread++) {
            clocks[thread] = all.clone();
            clocks[thread][thread]++;
        }
    }

    @Test
    void racesAreFoundWhereTheOracleFindsThem() {
        SplittableRandom random = new SplittableRandom(17);
        int races = 0;
        int clean = 0;
        for (int i = 0; i < 3000; i++) {
            List<Statement> program = program(random);
            String text = text(program);
            boolean expected = hasRace(program);
            assertEquals(expected, faults(text), () -> text + program);
            races += expected ? 1 : 0;
            clean += expected ? 0 : 1;
        }
        assertTrue(races > 500 && clean > 500, races + " races, " + clean + " clean");
    }

    private static boolean faults(String text) {
        try (EmulatedGpu gpu = Device.emulated()) {
            gpu.stream().launch(gpu.load(text).function("k"), Launch.of(1, THREADS));
            return false;
        } catch (PtxFault fault) {
            assertEquals(PtxFault.Kind.RACE, fault.kind(), () -> fault.getMessage() + text);
            return true;
        }
    }
}
