package dev.wok.fabric;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// Lays a layer's experts on ranks by their loads, those in demand more than once: DeepSeek's expert-parallel load
/// balancer (DeepSeek-V3 §3.4; `eplb.py` of deepseek-ai/EPLB), for ranks that may differ in speed and room. Ranks
/// may stand for whatever has both: devices, or tiers of memory that are read at once.
///
/// Where the groups of experts divide among the machines and each machine has room, groups stay whole on a machine
/// (hierarchical, for routing that is limited to few machines); else they are overlooked (global). With ranks alike the
/// result is that of `eplb.py`; ties go to the lowest index.
///
/// @param shape the ranks and their machines
/// @param slots `[ranks]`: experts that each has room for
/// @param speed `[ranks]`: tokens in a unit of time, or what is proportional to them
/// @param groups of experts: neighbours, as many in each
public record Eplb(Shape shape, int[] slots, double[] speed, int groups) {
    /// A swap must gain more than what sums in another order may differ by.
    private static final double LEAST_GAIN = 1e-9;

    /// @throws IllegalArgumentException where the arguments contradict each other, a rank has less than no slots or a
    ///     speed that is not above 0
    public Eplb {
        if (slots.length != shape.size() || speed.length != shape.size()) {
            throw new IllegalArgumentException("Eplb: slots of %d ranks and speeds of %d, expected %d of each"
                    .formatted(slots.length, speed.length, shape.size()));
        }
        for (int rank = 0; rank < slots.length; rank++) {
            if (slots[rank] < 0) {
                throw new IllegalArgumentException(
                        "Eplb: rank %d has %d slots, expected 0 or more".formatted(rank, slots[rank]));
            }
            if (!(speed[rank] > 0 && speed[rank] < Double.POSITIVE_INFINITY)) {
                throw new IllegalArgumentException(
                        "Eplb: the speed of rank %d is %s, expected more than 0".formatted(rank, speed[rank]));
            }
        }
        if (groups < 1) {
            throw new IllegalArgumentException("Eplb: %d groups, expected 1 or more".formatted(groups));
        }
        slots = slots.clone();
        speed = speed.clone();
    }

    /// Ranks of one speed with as many slots each.
    public static Eplb alike(Shape shape, int slotsEach, int groups) {
        int[] slots = new int[shape.size()];
        double[] speed = new double[shape.size()];
        Arrays.fill(slots, slotsEach);
        Arrays.fill(speed, 1);
        return new Eplb(shape, slots, speed, groups);
    }

    /// Experts on ranks, every slot filled.
    ///
    /// @param load `[experts]`: tokens of each, or what is proportional to them
    /// @throws IllegalArgumentException where there are fewer slots than experts, or the groups do not divide them
    public Placement place(double[] load) {
        Placement.requireLoads(load, load.length);
        int experts = load.length;
        int room = Arrays.stream(slots).sum();
        if (room < experts) {
            throw new IllegalArgumentException(
                    "Eplb: %d slots on %d ranks for %d experts; give each rank more slots, or take more ranks"
                            .formatted(room, slots.length, experts));
        }
        if (experts % groups != 0) {
            throw new IllegalArgumentException(
                    "Eplb: %d experts in %d groups, expected as many in each".formatted(experts, groups));
        }
        int[][] placed = new int[slots.length][];
        if (isHierarchical(experts)) {
            placeHierarchically(load, placed);
        } else {
            placeGlobally(
                    IntStream.range(0, experts).toArray(),
                    load,
                    IntStream.range(0, slots.length).toArray(),
                    placed);
        }
        return new Placement(experts, placed);
    }

    /// Swaps experts between the slowest rank and others as long as that makes it faster; `eplb.py` stops before this.
    /// Groups that lie on one machine stay there.
    public Placement level(Placement placement, double[] load) {
        boolean withinMachines = groups > 1 && isHierarchical(load.length);
        Placement level = placement;
        while (true) {
            Placement next = swapped(level, load, withinMachines);
            if (next == level) {
                return level;
            }
            level = next;
        }
    }

    private Placement swapped(Placement placement, double[] load, boolean withinMachines) {
        int[] replicas = placement.replicas();
        double[] times = times(placement, load);
        int slowest = IntStream.range(0, times.length)
                .reduce((a, b) -> times[b] > times[a] ? b : a)
                .orElseThrow();
        double best = times[slowest] * (1 - LEAST_GAIN);
        int[] swap = {};
        int[] machines = shape.machines();
        for (int slot = 0; slot < slots[slowest]; slot++) {
            int expert = placement.slots()[slowest][slot];
            for (int rank = 0; rank < times.length; rank++) {
                if (withinMachines && machines[rank] != machines[slowest]) {
                    continue;
                }
                for (int other = 0; other < slots[rank]; other++) {
                    int otherExpert = placement.slots()[rank][other];
                    double less = load[expert] / replicas[expert] - load[otherExpert] / replicas[otherExpert];
                    double time = Math.max(times[slowest] - less / speed[slowest], times[rank] + less / speed[rank]);
                    if (rank != slowest && time < best) {
                        best = time;
                        swap = new int[] {slot, rank, other};
                    }
                }
            }
        }
        if (swap.length == 0) {
            return placement;
        }
        int[][] swapped = Arrays.stream(placement.slots()).map(int[]::clone).toArray(int[][]::new);
        swapped[slowest][swap[0]] = placement.slots()[swap[1]][swap[2]];
        swapped[swap[1]][swap[2]] = placement.slots()[slowest][swap[0]];
        return new Placement(placement.experts(), swapped);
    }

    /// @return time of the slowest rank over what it would be if all were busy alike: 1 at best
    public double imbalance(Placement placement, double[] load) {
        double[] times = times(placement, load);
        double sum = Arrays.stream(load).sum();
        double level = sum / Arrays.stream(speed).sum();
        return sum == 0 ? 1 : Arrays.stream(times).max().orElse(0) / level;
    }

    private double[] times(Placement placement, double[] load) {
        double[] times = placement.loads(load);
        Arrays.setAll(times, rank -> times[rank] / speed[rank]);
        return times;
    }

    /// @return the ranks of each machine
    int[][] machines() {
        int[] of = shape.machines();
        int count = Arrays.stream(of).max().orElse(-1) + 1;
        return IntStream.range(0, count)
                .mapToObj(machine -> IntStream.range(0, of.length)
                        .filter(rank -> of[rank] == machine)
                        .toArray())
                .toArray(int[][]::new);
    }

    private boolean isHierarchical(int experts) {
        int[][] machines = machines();
        return groups % machines.length == 0
                && Arrays.stream(machines)
                        .allMatch(ranks ->
                                Arrays.stream(ranks).map(rank -> slots[rank]).sum() >= experts / machines.length);
    }

    private void placeHierarchically(double[] load, int[][] placed) {
        int[][] machines = machines();
        int size = load.length / groups;
        double[] groupLoad = new double[groups];
        for (int expert = 0; expert < load.length; expert++) {
            groupLoad[expert / size] += load[expert];
        }
        int[] room = new int[machines.length];
        Arrays.fill(room, groups / machines.length);
        double[] machineSpeed = Arrays.stream(machines)
                .mapToDouble(ranks ->
                        Arrays.stream(ranks).mapToDouble(rank -> speed[rank]).sum())
                .toArray();
        int[][] packed = pack(groupLoad, room, machineSpeed);
        for (int machine = 0; machine < machines.length; machine++) {
            int[] experts = Arrays.stream(packed[machine])
                    .flatMap(group -> IntStream.range(group * size, (group + 1) * size))
                    .toArray();
            placeGlobally(experts, load, machines[machine], placed);
        }
    }

    /// Some experts on some ranks.
    private void placeGlobally(int[] experts, double[] load, int[] ranks, int[][] placed) {
        int[] room = Arrays.stream(ranks).map(rank -> slots[rank]).toArray();
        double[] itsLoad =
                Arrays.stream(experts).mapToDouble(expert -> load[expert]).toArray();
        int[] replicated = replicate(itsLoad, Arrays.stream(room).sum());
        int[] count = new int[experts.length];
        for (int index : replicated) {
            count[index]++;
        }
        double[] each = Arrays.stream(replicated)
                .mapToDouble(index -> itsLoad[index] / count[index])
                .toArray();
        int[][] packed = pack(
                each,
                room,
                Arrays.stream(ranks).mapToDouble(rank -> speed[rank]).toArray());
        for (int i = 0; i < ranks.length; i++) {
            placed[ranks[i]] = Arrays.stream(packed[i])
                    .map(slot -> experts[replicated[slot]])
                    .toArray();
        }
    }

    /// Each spare slot for the expert whose replicas have most to do.
    ///
    /// @return `[room]`: the expert of each slot
    private static int[] replicate(double[] load, int room) {
        int[] expert = new int[room];
        int[] count = new int[load.length];
        for (int slot = 0; slot < room; slot++) {
            int next = slot;
            if (slot >= load.length) {
                next = 0;
                for (int other = 1; other < load.length; other++) {
                    if (load[other] / count[other] > load[next] / count[next]) {
                        next = other;
                    }
                }
            }
            expert[slot] = next;
            count[next]++;
        }
        return expert;
    }

    /// Items into packs that they fill, the heaviest first, each to where it is done soonest.
    ///
    /// @return `[packs][room]`: the items in each
    private static int[][] pack(double[] weight, int[] room, double[] speed) {
        if (areSingles(room) && areEqual(speed)) {
            return IntStream.range(0, weight.length)
                    .mapToObj(item -> new int[] {item})
                    .toArray(int[][]::new);
        }
        Integer[] order = IntStream.range(0, weight.length).boxed().toArray(Integer[]::new);
        Arrays.sort(order, Comparator.comparingDouble((Integer item) -> -weight[item]));
        List<List<Integer>> packs = new ArrayList<>();
        for (int pack = 0; pack < room.length; pack++) {
            packs.add(new ArrayList<>());
        }
        double[] sum = new double[room.length];
        for (int item : order) {
            int best = -1;
            for (int pack = 0; pack < room.length; pack++) {
                if (packs.get(pack).size() < room[pack]
                        && (best < 0 || isSooner(weight[item], sum[pack], speed[pack], sum[best], speed[best]))) {
                    best = pack;
                }
            }
            packs.get(best).add(item);
            sum[best] += weight[item];
        }
        return packs.stream()
                .map(pack -> pack.stream().mapToInt(Integer::intValue).toArray())
                .toArray(int[][]::new);
    }

    /// At one speed the lesser sum is the sooner even where the weight is lost in it.
    private static boolean isSooner(double weight, double sum, double speed, double bestSum, double bestSpeed) {
        int order = Double.compare((sum + weight) / speed, (bestSum + weight) / bestSpeed);
        return order < 0 || (order == 0 && sum < bestSum);
    }

    private static boolean areSingles(int[] room) {
        return Arrays.stream(room).allMatch(n -> n == 1);
    }

    private static boolean areEqual(double[] speed) {
        return Arrays.stream(speed).allMatch(s -> s == speed[0]);
    }
}
