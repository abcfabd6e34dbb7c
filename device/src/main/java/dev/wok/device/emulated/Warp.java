package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Listing.Space;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// 32 threads that execute one instruction at a time. Lanes that branched apart run as groups, the one that is behind
/// first, so that groups meet again where their ways do.
final class Warp {
    static final int LANES = 32;

    /// Generic addresses of what is not global memory: a window each, where no process has addresses.
    static final long SHARED_WINDOW = 0x0100_0000_0000_0000L;

    static final long LOCAL_WINDOW = 0x0200_0000_0000_0000L;
    static final long PARAM_WINDOW = 0x0300_0000_0000_0000L;

    /// Where a window's own part of an address ends.
    static final int WINDOW_BITS = 56;

    /// In an address of a cluster's shared memory: above it lies the block's rank and one, or 0 for the own block.
    static final int RANK_BITS = 24;

    /// What each lane does or does not run into by itself.
    private static final Set<Kind> EACH_LANE = Set.of(Kind.OUT_OF_BOUNDS, Kind.MISALIGNED, Kind.UNINITIALIZED);

    /// Lanes at one place of the program.
    static final class Group {
        int pc;
        int lanes;

        /// The instruction that it executed last.
        int at;

        /// Whether it waits for a barrier, which wakes it.
        boolean isWaiting;

        /// Whether it waits for other lanes of the warp to come to the same place.
        boolean isPaused;

        Group(int pc, int lanes) {
            this.pc = pc;
            at = pc;
            this.lanes = lanes;
        }

        boolean isRunnable() {
            return !isWaiting && !isPaused;
        }
    }

    final Block block;
    final int index;
    final Code code;

    /// `[slots, 32]`: the bits of each lane's registers.
    final long[] registers;

    /// A bit for each lane.
    final int[] predicates;

    /// The carry that `add.cc` leaves, a bit for each lane.
    int carry;

    /// Lanes that exist and have not exited.
    int live;

    final List<Group> groups = new ArrayList<>(2);
    private Group current;
    private int turns;

    /// Whether the rest of this turn is given up.
    private boolean yields;

    private int strong;

    /// What has happened before now.
    Clock clock = new Clock();

    /// This warp's own time; each release begins a new one.
    int time = 1;

    /// What clocks call it.
    final int agent;

    /// Its number in [Races].
    final int who;

    /// What clocks call each lane, where it told something without the others; else -1.
    private final int[] laneAgents = new int[LANES];

    /// What lanes have heard that their warp has not, and which lanes have.
    private final @Nullable Clock[] heard = new Clock[LANES];

    private int apart;

    /// Who executes the current instruction.
    private int executing;

    private final LaneClocks lanesKnow = new LaneClocks();

    /// Lanes that wait for others at `bar.warp.sync`.
    private final List<Meeting> meetings = new ArrayList<>();

    private record Meeting(int members, Group group) {}

    /// The phase of the cluster's barrier that each lane has arrived in, or -1.
    final int[] clusterPhase = new int[LANES];

    final Asynchronous asynchronous;
    final Ordering ordering;

    // What `resolve` found.
    Region region;
    long offset;

    final Region local;
    private int faultLanes;
    private String faultWhat = "";

    Warp(Block block, int index, int threads) {
        this.block = block;
        this.index = index;
        code = block.grid.code;
        registers = new long[code.slots() * LANES];
        predicates = new int[Math.max(1, code.predicates())];
        live = threads == LANES ? -1 : (1 << threads) - 1;
        current = new Group(0, live);
        groups.add(current);
        agent = block.cluster.newAgent();
        Arrays.fill(laneAgents, -1);
        who = block.grid.races.add(block.cluster.id, block.id, agent, laneAgents);
        clock.set(agent, time);
        local = new Region(
                "local memory",
                0,
                (long) code.localBytes() * LANES,
                MemorySegment.ofArray(new byte[Math.max(1, code.localBytes() * LANES)]),
                false,
                false);
        region = local;
        Arrays.fill(clusterPhase, -1);
        asynchronous = new Asynchronous(this);
        ordering = new Ordering(this);
        Specials.fill(this);
    }

    // ------------------------------------------------------------------------------------------------ running

    boolean isDone() {
        return groups.isEmpty();
    }

    /// Runs for some instructions, or until no lane can.
    ///
    /// @return how many it ran
    int run(int most) {
        int ran = 0;
        yields = false;
        turns++;
        while (ran < most && !yields) {
            Group group = choose();
            if (group == null) {
                break;
            }
            current = group;
            step(group);
            ran++;
        }
        return ran;
    }

    /// @return whether the last turn was given up
    boolean yielded() {
        return yields;
    }

    private @Nullable Group choose() {
        Group chosen = null;
        // Now and then each group goes first, so that lanes that spin do not keep others from what they wait for.
        if ((turns & 7) == 7) {
            for (int i = 0; i < groups.size(); i++) {
                Group group = groups.get((i + (turns >> 3)) % groups.size());
                if (group.isRunnable()) {
                    return group;
                }
            }
        }
        for (Group group : groups) {
            if (group.isRunnable() && (chosen == null || group.pc < chosen.pc)) {
                chosen = group;
            }
        }
        return chosen;
    }

    private void step(Group group) {
        if (group.pc >= code.instructions().size()) {
            exit(group.lanes);
            groups.remove(group);
            return;
        }
        Code.Instruction instruction = code.instructions().get(group.pc);
        int lanes = group.lanes;
        if (instruction.guard() >= 0) {
            int predicate = predicates[instruction.guard()];
            lanes &= instruction.isNegated() ? ~predicate : predicate;
        }
        block.grid.counters.instructions++;
        group.at = group.pc++;
        if (lanes != 0) {
            executing = lanes;
            if (code.usesWgmma()) {
                asynchronous.check(instruction);
            }
            try {
                instruction.step().run(this, lanes);
            } catch (PtxFault fault) {
                throw faultLanes == 0 ? fault : widened(fault, instruction, lanes);
            }
        }
        if (group.lanes == 0) {
            groups.remove(group);
        }
        if (groups.size() > 1) {
            meet();
        }
    }

    /// Joins groups that stand at one place.
    private void meet() {
        for (int i = 0; i < groups.size(); i++) {
            Group one = groups.get(i);
            for (int j = groups.size() - 1; j > i; j--) {
                Group other = groups.get(j);
                if (one.pc == other.pc && !one.isWaiting && !other.isWaiting) {
                    one.lanes |= other.lanes;
                    one.isPaused = false;
                    groups.remove(j);
                }
            }
        }
    }

    /// @param values a bit for each lane; those of other lanes do not count
    void setPredicate(int slot, int lanes, int values) {
        predicates[slot] = predicates[slot] & ~lanes | values & lanes;
    }

    // ------------------------------------------------------------------------------------------------ flow

    /// Sends lanes somewhere else.
    void jump(int target, int lanes) {
        if (lanes == current.lanes) {
            current.pc = target;
        } else {
            current.lanes &= ~lanes;
            groups.add(new Group(target, lanes));
        }
    }

    void exit(int lanes) {
        asynchronous.requireNothingInFlight(lanes);
        current.lanes &= ~lanes;
        live &= ~lanes;
        block.grid.progress();
        block.exited(Integer.bitCount(lanes));
        // Who waits for lanes that are gone waits no longer.
        groups.forEach(group -> group.isPaused = false);
        List.copyOf(meetings).forEach(meeting -> meet(meeting.members));
    }

    /// Lanes stop here until [#wake].
    ///
    /// @return what to wake
    Group sleep(int lanes) {
        Group group = split(lanes);
        group.isWaiting = true;
        return group;
    }

    void wake(Group group) {
        group.isWaiting = false;
        if (groups.size() > 1) {
            meet();
        }
    }

    /// Lets others run.
    void yield() {
        yields = true;
    }

    /// After an access that threads wait with: where the warp has asked for long, others get their turn.
    void yieldIfSpinning() {
        if ((++strong & 15) == 0) {
            yields = true;
        }
    }

    /// Makes lanes execute an instruction together: where some are not here yet, those that are wait for them.
    ///
    /// @param needed the lanes that must be here
    /// @return whether all are
    boolean together(int lanes, int needed) {
        int missing = needed & live & ~lanes;
        if (missing == 0) {
            return true;
        }
        if ((missing & current.lanes) != 0) {
            throw fault(
                    Kind.DIVERGED,
                    missing & current.lanes,
                    "pass by while others of their warp execute it, which needs them all");
        }
        Group group = split(lanes);
        group.pc--;
        group.isPaused = true;
        return false;
    }

    /// @return these lanes of the current group as a group
    private Group split(int lanes) {
        if (lanes == current.lanes) {
            return current;
        }
        current.lanes &= ~lanes;
        Group group = new Group(current.pc, lanes);
        group.at = current.at;
        groups.add(group);
        return group;
    }

    /// `bar.warp.sync`: lanes wait until all members have come to one, wherever it stands.
    void arrive(int lanes, int members) {
        if ((members & live & ~lanes) == 0) {
            sync(lanes);
            return;
        }
        meetings.add(new Meeting(members, sleep(lanes)));
        meet(members);
    }

    private void meet(int members) {
        int here = 0;
        for (Meeting meeting : meetings) {
            here |= meeting.members == members ? meeting.group.lanes : 0;
        }
        if (here == 0 || (members & live & ~here) != 0) {
            return;
        }
        sync(here);
        List<Meeting> over = meetings.stream().filter(m -> m.members == members).toList();
        meetings.removeAll(over);
        over.forEach(meeting -> wake(meeting.group));
        block.grid.progress();
    }

    /// @return whether all lanes of the warp are here, as `.aligned` instructions demand
    boolean allTogether(int lanes) {
        return together(lanes, live);
    }

    int currentLanes() {
        return current.lanes;
    }

    // ------------------------------------------------------------------------------------------------ order

    /// What the lanes that execute this did up to now, and what they know of, is over for whoever hears of it.
    ///
    /// @return what to tell them
    Clock release() {
        asynchronous.tell();
        Clock told = clock.copy();
        joinHeard(told, executing);
        if ((live & ~executing) != 0) {
            int known = lanesKnow.known(executing);
            told.set(agent, known);
            for (int lane = 0; lane < LANES; lane++) {
                int until = (executing >>> lane & 1) != 0 ? time : lanesKnow.known(executing, lane);
                if (until > known) {
                    laneAgents[lane] = laneAgents[lane] < 0 ? block.cluster.newAgent() : laneAgents[lane];
                    told.set(laneAgents[lane], Math.max(told.get(laneAgents[lane]), until));
                }
            }
        }
        time++;
        clock.set(agent, time);
        return told;
    }

    /// Some lanes hear what others did, other lanes of this warp among them.
    void acquire(Clock told, int lanes) {
        lanesKnow.learn(lanes, told.get(agent));
        for (int other = 0; other < LANES; other++) {
            int until = laneAgents[other] < 0 ? 0 : told.get(laneAgents[other]);
            for (int rest = until == 0 ? 0 : lanes; rest != 0; rest &= rest - 1) {
                lanesKnow.learn(Integer.numberOfTrailingZeros(rest), other, until);
            }
        }
        if ((live & ~lanes) == 0) {
            clock.join(told);
            clock.set(agent, time);
            return;
        }
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            Clock known = heard[lane];
            if (known == null || (apart >>> lane & 1) == 0) {
                heard[lane] = told.copy();
            } else {
                known.join(told);
            }
        }
        apart |= lanes;
    }

    /// Lanes of this warp know what each other did.
    void sync(int lanes) {
        asynchronous.tell();
        if ((apart & lanes) != 0) {
            Clock all = new Clock();
            joinHeard(all, lanes);
            apart &= ~lanes;
            acquire(all, lanes);
        }
        lanesKnow.meet(lanes, lanes == live && groups.size() == 1, time);
        time++;
        clock.set(agent, time);
    }

    private void joinHeard(Clock into, int lanes) {
        for (int rest = lanes & apart; rest != 0; rest &= rest - 1) {
            Clock known = heard[Integer.numberOfTrailingZeros(rest)];
            if (known != null) {
                into.join(known);
            }
        }
    }

    /// From now on the asynchronous proxy sees all that the lanes that execute this know.
    void fenceProxy() {
        asynchronous.tell();
        clock.fence();
        for (int rest = executing & apart; rest != 0; rest &= rest - 1) {
            Clock known = heard[Integer.numberOfTrailingZeros(rest)];
            if (known != null) {
                known.fence();
            }
        }
        release();
    }

    /// @return whether some of these lanes know what somebody else did
    boolean knowsOthers(int lanes, int cluster, int ofAgent, int at) {
        int here = block.cluster.id;
        if (clock.knows(cluster, here, ofAgent, at)) {
            return true;
        }
        for (int rest = lanes & apart; rest != 0; rest &= rest - 1) {
            Clock known = heard[Integer.numberOfTrailingZeros(rest)];
            if (known != null && known.knows(cluster, here, ofAgent, at)) {
                return true;
            }
        }
        return false;
    }

    /// @param lanes of this warp that did something at a time
    /// @return whether a lane knows it
    boolean knows(int lane, int lanes, int at) {
        return lanesKnow.knows(lane, lanes, at);
    }

    // ------------------------------------------------------------------------------------------------ memory

    /// Finds what an address belongs to, and checks that all of an access lies in it: the answers are in [#region] and
    /// [#offset].
    ///
    /// @param width in bytes, which the address is a multiple of
    void resolve(long address, int width, Space space, int lane) {
        if ((address & width - 1) != 0) {
            throw fault(Kind.MISALIGNED, 1 << lane, "use address 0x%x, no multiple of %d".formatted(address, width));
        }
        resolveUnaligned(address, width, space, lane);
    }

    /// As [#resolve], for any address and width.
    void resolveUnaligned(long address, long width, Space space, int lane) {
        Addressing.resolve(this, address, width, space, lane);
    }

    /// Notes that a lane touches what [#resolve] found, and checks that it may.
    ///
    /// @param kind of [Races]
    void touch(int width, int kind, int lane) {
        boolean writes = (kind & Races.WRITE) != 0;
        if (!writes) {
            requireWritten(width, lane);
        }
        if (region != local && region != block.grid.parameters && !region.isConstant) {
            ordering.touch(region, offset, width, kind, lane);
        } else if (region.isConstant && writes) {
            throw fault(Kind.INVALID, 1 << lane, "write to %s, which is constant".formatted(region.name));
        }
        if (writes) {
            region.markWritten(offset, width);
        }
    }

    /// Checks that what [#resolve] found has been written.
    void requireWritten(int width, int lane) {
        requireWritten("read", width, lane);
    }

    /// Checks that what [#resolve] found has been written, so that it may be changed by what comes.
    void requireChangeable(int width, int lane) {
        requireWritten("change", width, lane);
    }

    private void requireWritten(String what, int width, int lane) {
        if (!region.isWritten(offset, width)) {
            throw fault(
                    Kind.UNINITIALIZED,
                    1 << lane,
                    "%s byte %d of %s, which nobody has written".formatted(what, offset, region.name));
        }
    }

    /// Writes to the region that [#resolve] found.
    void set(long at, int width, long value) {
        if (region != local && (region.get(at, width) ^ value) << 64 - 8 * width != 0) {
            block.grid.progress();
        }
        region.set(at, width, value);
    }

    /// @return the index of the instruction that runs
    int pc() {
        return current.pc - 1;
    }

    // ------------------------------------------------------------------------------------------------ faults

    /// Says of a fault that one lane ran into which of the lanes behind it run into the same.
    private PtxFault widened(PtxFault fault, Code.Instruction instruction, int lanes) {
        String what = faultWhat;
        int all = faultLanes;
        boolean isOfOneLane = Integer.bitCount(all) == 1 && EACH_LANE.contains(fault.kind());
        int behind = isOfOneLane ? lanes & -all & ~all : 0;
        for (int rest = behind; rest != 0; rest &= rest - 1) {
            int lane = rest & -rest;
            try {
                instruction.step().run(this, lane);
            } catch (PtxFault other) {
                all |= other.kind() == fault.kind() ? lane : 0;
            }
        }
        return block.grid.fault(fault.kind(), fault.line(), who(all), what);
    }

    /// @param lanes who
    /// @param what they do, after "threads"
    PtxFault fault(Kind kind, int lanes, String what) {
        faultLanes = lanes;
        faultWhat = what;
        return block.grid.fault(kind, code.instructions().get(pc()).line(), who(lanes), what);
    }

    String who(int lanes) {
        return "%s warp %d %s".formatted(block.name(), index, lanes(lanes));
    }

    /// @return such as "lanes 0-3, 7"
    static String lanes(int lanes) {
        StringBuilder text = new StringBuilder();
        for (int from = 0; from < LANES; from++) {
            if ((lanes >>> from & 1) == 0) {
                continue;
            }
            int to = from;
            while (to + 1 < LANES && (lanes >>> to + 1 & 1) != 0) {
                to++;
            }
            text.append(text.isEmpty() ? "" : ", ").append(from == to ? "" + from : from + "-" + to);
            from = to;
        }
        return (Integer.bitCount(lanes) == 1 ? "lane " : "lanes ") + text;
    }
}
