package dev.wok.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.kernel.Routing.Desc;
import dev.wok.kernel.Routing.Plan;
import dev.wok.kernel.Routing.Scoring;
import dev.wok.kernel.x86.Isa;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.lang.reflect.Modifier;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/// Every operation accepts operands that fit and refuses those that do not, by name and before it touches them.
class OperandsTest {
    private static final Kernels DRY = Kernels.on(Device.dry().stream(), Backend.DRY);

    private interface Call {
        void on(Kernels kernels, Tensor... operands);
    }

    /// An operation with operands that fit.
    ///
    /// @param free the sizes that no other operand repeats, as `name.dimension`
    /// @param untyped the operands whose element type is free
    private record Door(
            String name, String[] names, Tensor[] operands, Set<String> free, Set<String> untyped, Call call) {
        /// Gradients that are clipped together may have any shape.
        boolean anyRank(int operand) {
            return free.contains(names[operand] + ".0") && free.contains(names[operand] + ".1");
        }
    }

    /// `x:2,3` is F32[2, 3]; `ids:I32,4` is I32[4]. A `*` behind a size marks it free, one behind the name the type.
    private static Door door(String name, String operands, Call call) {
        String[] parts = operands.split(" ");
        String[] names = new String[parts.length];
        Tensor[] tensors = new Tensor[parts.length];
        Set<String> free = new TreeSet<>();
        Set<String> untyped = new TreeSet<>();
        for (int i = 0; i < parts.length; i++) {
            String[] sizes = parts[i].substring(parts[i].indexOf(':') + 1).split(",");
            names[i] = parts[i].substring(0, parts[i].indexOf(':')).replace("*", "");
            if (parts[i].contains("*:")) {
                untyped.add(names[i]);
            }
            int skip = Character.isLetter(sizes[0].charAt(0)) ? 1 : 0;
            DType dtype = skip == 1 ? DType.valueOf(sizes[0]) : DType.F32;
            long[] shape = new long[sizes.length - skip];
            for (int d = 0; d < shape.length; d++) {
                shape[d] = Long.parseLong(sizes[d + skip].replace("*", ""));
                if (sizes[d + skip].contains("*")) {
                    free.add(names[i] + "." + d);
                }
            }
            tensors[i] = Tensors.zeros(dtype, shape);
        }
        return new Door(name, names, tensors, free, untyped, call);
    }

    private static Plan plan(Tensor[] o, int from) {
        return new Plan(o[from], o[from + 1], o[from + 2]);
    }

    private static final Desc DESC = new Desc(Scoring.SIGMOID, 4, 2, 2, 1, true, 1);
    private static final AdamW.Step STEP = new AdamW.Step(0.1, 0.9, 0.95, 1e-8, 0, 1);
    private static final Memory MEMORY = Device.host(1).memory();
    private static final Packed PACKED =
            Packed.of(Tensors.zeros(DType.F32, 5, 4), Packed.Element.INT8, 32, Activations.INT8, MEMORY);
    private static final String PLAN = "offsets:I32,4 rowSlot:I32,6 slotRow:I32,6";

    private static Packed packed(long... shape) {
        return Packed.of(Tensors.zeros(DType.F32, shape), Packed.Element.F32, 0, Activations.FLOAT, MEMORY);
    }

    private static List<Door> doors() {
        return List.of(
                door(
                        "Embedding",
                        "ids:I32,3 table:5*,2 out:3,2",
                        (k, o) -> k.embedding().forward(o[0], o[1], o[2])),
                door(
                        "Embedding",
                        "ids:I32,3 dOut:3,2 dTable:5*,2",
                        (k, o) -> k.embedding().backward(o[0], o[1], o[2])),
                door(
                        "RmsNorm",
                        "x:3,2 weight:2 y:3,2 rstd:3",
                        (k, o) -> k.rmsNorm().forward(o[0], o[1], 1, o[2], o[3])),
                door(
                        "RmsNorm",
                        "x:3,2 weight:2 rstd:3 dy:3,2 dx:3,2 dWeight:2",
                        (k, o) -> k.rmsNorm().backward(o[0], o[1], o[2], o[3], o[4], true, o[5])),
                door(
                        "Fp8Matmul",
                        "x:3,130 values:F8_E4M3,3,130 scales:3,2",
                        (k, o) -> k.fp8Matmul().quantize(o[0], o[1], o[2])),
                door(
                        "Fp8Matmul",
                        "a:F8_E4M3,3,130 aScales:3,2 b:F8_E4M3,131,130 bScales:2,2 c:3,131",
                        (k, o) -> k.fp8Matmul().nt(o[0], o[1], o[2], o[3], o[4])),
                door("Matmul", "a:3,4 b:5,4 c:3,5", (k, o) -> k.matmul().nt(o[0], o[1], o[2], true)),
                door("Matmul", "a:3,4 b:4,5 c:3,5", (k, o) -> k.matmul().nn(o[0], o[1], o[2], true)),
                door("Matmul", "a:4,3 b:4,5 c:3,5", (k, o) -> k.matmul().tn(o[0], o[1], o[2], true)),
                door("Matmul", "x:3,4 w:5,4 y:3,5", (k, o) -> k.matmul().linear(o[0], Weight.of(o[1]), o[2], true)),
                door("Matmul", "x:3,4 y:3,5", (k, o) -> k.matmul().linear(o[0], PACKED, o[1], true)),
                door(
                        "Matmul",
                        "dy:3,5 w:5,4 dx:3,4",
                        (k, o) -> k.matmul().linearInput(o[0], Weight.of(o[1]), o[2], true)),
                door(
                        "Matmul",
                        "dy:3,5 x:3,4 w:5,4 dw:5,4",
                        (k, o) -> k.matmul().linearWeight(o[0], o[1], Weight.of(o[2]), o[3])),
                door(
                        "Rotary",
                        "positions:I32,3 frequencies:2 cos:3,2 sin:3,2",
                        (k, o) -> k.rotary().table(o[0], o[1], 1, o[2], o[3])),
                door(
                        "Rotary",
                        "x:3,5*,4 cos:3,2 sin:3,2",
                        (k, o) -> k.rotary().rotate(o[0], o[1], o[2], Rotary.Pairing.HALVES, false)),
                door(
                        "Attention",
                        "q:3,4,2 k:3,2,2 v:3,2,5 keyStart:I32,3 out:3,4,5 lse:3,4",
                        (k, o) -> k.attention().forward(o[0], o[1], o[2], o[3], 1, o[4], o[5])),
                door(
                        "Attention",
                        "q:3,4,2 k:3,2,2 v:3,2,5 keyStart:I32,3 out:3,4,5 lse:3,4 dOut:3,4,5 dq:3,4,2 dk:3,2,2"
                                + " dv:3,2,5",
                        (k, o) ->
                                k.attention().backward(o[0], o[1], o[2], o[3], 1, o[4], o[5], o[6], o[7], o[8], o[9])),
                door(
                        "LatentKeys",
                        "nope:3,2,4 rope:3,5 k:3,2,9",
                        (k, o) -> k.latentKeys().forward(o[0], o[1], o[2])),
                door(
                        "LatentKeys",
                        "dk:3,2,9 dNope:3,2,4 dRope:3,5",
                        (k, o) -> k.latentKeys().backward(o[0], o[1], o[2])),
                door(
                        "LatentAttention",
                        "q:3,2,7 kvB:14,5 cache:4*,8*,8 starts:I32,3 pages:I32,2,1* positions:I32,3 out:3,2,3",
                        (k, o) -> k.latentAttention()
                                .forward(o[0], Weight.of(o[1]), o[2], new PageTable(o[3], o[4]), o[5], 1, o[6])),
                door(
                        "CachedAttention",
                        "q:3,4,2 keys:4,8,2,2 values:4,8,2,5 starts:I32,3 pages:I32,2,1* positions:I32,3 out:3,4,5",
                        (k, o) -> k.cachedAttention()
                                .forward(o[0], o[1], o[2], new PageTable(o[3], o[4]), o[5], 1, o[6])),
                door(
                        "Elementwise",
                        "from*:3,2,5 to*:4*,8*,2,5 starts:I32,3 pages:I32,2,1* positions:I32,3",
                        (k, o) -> k.elementwise().castToPages(o[0], o[1], new PageTable(o[2], o[3]), o[4])),
                door(
                        "LatentAttention",
                        "q:3,2,7 cache:4*,8*,8 starts:I32,3 pages:I32,2,1* positions:I32,3 out:3,2,3",
                        (k, o) -> k.latentAttention()
                                .forward(
                                        o[0],
                                        packed(2, 5, 4),
                                        packed(2, 3, 5),
                                        o[1],
                                        new PageTable(o[2], o[3]),
                                        o[4],
                                        1,
                                        o[5])),
                door("Swiglu", "gateUp:3,4 out:3,2", (k, o) -> k.swiglu().forward(o[0], o[1])),
                door(
                        "Swiglu",
                        "gateUp:3,4 dOut:3,2 dGateUp:3,4",
                        (k, o) -> k.swiglu().backward(o[0], o[1], o[2])),
                door(
                        "Routing",
                        "logits:3,4 bias*:4 scores:3,4 chosen:I32,3,2 weights:3,2",
                        (k, o) -> k.routing().forward(DESC, o[0], o[1], o[2], o[3], o[4])),
                door(
                        "Routing",
                        "scores:3,4 chosen:I32,3,2 dWeights:3,2 dScores:3,4 dLogits:3,4",
                        (k, o) -> k.routing().backward(DESC, o[0], o[1], o[2], o[3], o[4])),
                door(
                        "Routing",
                        PLAN + " chosen:I32,3,2 load:I32,3",
                        (k, o) -> k.routing().plan(o[3], plan(o, 0), o[4])),
                door("Routing", "load:I32,4 bias*:4", (k, o) -> k.routing().balance(o[0], 1, o[1])),
                door(
                        "BalanceLoss",
                        "scores:6,4 fractions:2,4 loss:1",
                        (k, o) -> k.balanceLoss().forward(o[0], 2, 3, 1, o[1], o[2])),
                door(
                        "BalanceLoss",
                        "scores:6,4 fractions:2,4 dScores:6,4",
                        (k, o) -> k.balanceLoss().backward(o[0], 3, 1, o[1], o[2])),
                door(
                        "Experts",
                        PLAN + " x:2*,5 weight:3,8,5 gateUp:6,8 activated:6,4",
                        (k, o) -> k.experts().gateUp(o[3], plan(o, 0), Weight.of(o[4]), o[5], o[6])),
                door(
                        "Experts",
                        PLAN + " activated:6,4 weight:3,5,4 weights:2,3 scratch:6,5 y:2,5",
                        (k, o) -> k.experts().down(o[3], plan(o, 0), Weight.of(o[4]), o[5], o[6], o[7])),
                door(
                        "Experts",
                        PLAN + " activated:6,4 weight:3,5,4 rows:6,5",
                        (k, o) -> k.experts().downRows(o[3], plan(o, 0), Weight.of(o[4]), o[5])),
                door(
                        "Experts",
                        "rows:6,5 slotRow:I32,6 weights:2,3 y:2,5",
                        (k, o) -> k.experts().combine(o[0], o[1], o[2], o[3])),
                door(
                        "Experts",
                        PLAN + " dy:2,5 weight:3,5,4 weights:2,3 activated:6,4 dActivated:6,4 dWeights:2,3",
                        (k, o) -> k.experts().downBackward(o[3], plan(o, 0), Weight.of(o[4]), o[5], o[6], o[7], o[8])),
                door(
                        "Experts",
                        PLAN + " dy:2,5 weights:2,3 activated:6,4 dWeight:3,5,4",
                        (k, o) -> k.experts().downWeightGradient(o[3], plan(o, 0), o[4], o[5], o[6])),
                door(
                        "Experts",
                        PLAN + " dGateUp:6,8 weight:3,8,5 scratch:6,5 dx:2*,5",
                        (k, o) -> k.experts().gateUpBackward(o[3], plan(o, 0), Weight.of(o[4]), o[5], o[6])),
                door(
                        "Experts",
                        PLAN + " dGateUp:6,8 weight:3,8,5 rows:6,5",
                        (k, o) -> k.experts().gateUpBackwardRows(o[3], plan(o, 0), Weight.of(o[4]), o[5])),
                door(
                        "Experts",
                        PLAN + " dGateUp:6,8 x:2*,5 dWeight:3,8,5",
                        (k, o) -> k.experts().gateUpWeightGradient(o[3], plan(o, 0), o[4], o[5])),
                door(
                        "CrossEntropy",
                        "logits:3,4* targets:I32,3 losses:3",
                        (k, o) -> k.crossEntropy().forward(o[0], o[1], o[2])),
                door(
                        "CrossEntropy",
                        "logits:3,4* targets:I32,3 losses:3",
                        (k, o) -> k.crossEntropy().forwardBackward(o[0], o[1], 1, o[2])),
                door(
                        "Elementwise",
                        "a:3,4 b:3,4 out:3,4",
                        (k, o) -> k.elementwise().add(o[0], o[1], o[2])),
                door("Elementwise", "x:3*,4 bias:4", (k, o) -> k.elementwise().addBias(o[0], o[1])),
                door("Elementwise", "dy:3*,4 dBias:4", (k, o) -> k.elementwise().biasGradient(o[0], o[1])),
                door(
                        "Elementwise",
                        "from*:3,4 to*:3,4",
                        (k, o) -> k.elementwise().cast(o[0], o[1])),
                door(
                        "AdamW",
                        "gradient:3*,4* normAndClip*:2",
                        (k, o) -> k.adamW().clip(List.of(o[0]), 1, o[1])),
                door("AdamW", "gradient:3*,4*", (k, o) -> k.adamW().squares(List.of(o[0]))),
                door(
                        "AdamW",
                        "parameter:3,4 gradient:3,4 mean:3,4 meanSquare:3,4 normAndClip*:2",
                        (k, o) -> k.adamW().update(STEP, o[0], o[1], o[2], o[3], o[4])));
    }

    @Test
    void operandsThatFitAreAccepted() {
        List<Door> doors = doors();
        long operations = Arrays.stream(Kernels.class.getRecordComponents())
                .map(RecordComponent::getType)
                .filter(type -> Modifier.isAbstract(type.getModifiers()))
                .flatMap(type -> Arrays.stream(type.getDeclaredMethods()))
                .filter(method -> Modifier.isPublic(method.getModifiers()) && Modifier.isFinal(method.getModifiers()))
                .count();
        // Fill, which takes any tensor, has none; a linear layer has two, for dense and for packed weights.
        assertEquals(operations, doors.size(), "every operation has its line");
        for (Door door : doors) {
            door.call.on(DRY, door.operands);
        }
    }

    private static void refuse(Kernels kernels, Door door, int operand, Tensor wrong) {
        Tensor[] changed = door.operands.clone();
        changed[operand] = wrong;
        String message;
        try {
            message = Thrown.message(IllegalArgumentException.class, () -> door.call.on(kernels, changed));
        } catch (AssertionError e) {
            throw new AssertionError(
                    "%s with %s as %s: %s".formatted(door.name, wrong, door.names[operand], e.getMessage()), e);
        }
        assertTrue(message.startsWith(door.name) || message.startsWith("Routing.Plan"), message);
    }

    @Test
    void anotherRankIsRefused() {
        for (Door door : doors()) {
            for (int i = 0; i < door.operands.length; i++) {
                if (!door.anyRank(i)) {
                    Tensor operand = door.operands[i];
                    long[] wider = Arrays.copyOf(operand.shape(), operand.rank() + 1);
                    wider[operand.rank()] = 1;
                    refuse(DRY, door, i, operand.reshape(wider));
                    refuse(DRY, door, i, operand.select(0, 0));
                }
            }
        }
    }

    @Test
    void anotherSizeIsRefused() {
        for (Door door : doors()) {
            for (int i = 0; i < door.operands.length; i++) {
                for (int d = 0; d < door.operands[i].rank(); d++) {
                    if (!door.free.contains(door.names[i] + "." + d)) {
                        for (int change : new int[] {1, -1}) {
                            long[] shape = door.operands[i].shape();
                            shape[d] += change;
                            refuse(DRY, door, i, Tensors.zeros(door.operands[i].dtype(), shape));
                        }
                    }
                }
            }
        }
    }

    /// Rows whose elements are apart would be read as if they were not.
    @Test
    void rowsWithGapsInsideAreRefused() {
        for (Door door : doors()) {
            for (int i = 0; i < door.operands.length; i++) {
                Tensor operand = door.operands[i];
                int last = operand.rank() - 1;
                if (operand.dim(last) > 1) {
                    long[] twice = operand.shape();
                    twice[last] *= 2;
                    Tensor apart =
                            Tensors.zeros(operand.dtype(), twice).split(last, 2).select(last + 1, 0);
                    refuse(DRY, door, i, apart);
                }
            }
        }
    }

    @Test
    void anotherTypeIsRefusedByTheVectorKernels() {
        for (Door door : doors()) {
            for (int i = 0; i < door.operands.length; i++) {
                if (!door.untyped.contains(door.names[i])) {
                    refuse(Contract.VECTOR, door, i, Tensors.zeros(DType.I64, door.operands[i].shape()));
                }
            }
        }
    }

    @Test
    void messagesNameTheOperand() {
        List<String> silent = new ArrayList<>();
        for (Door door : doors()) {
            for (int i = 0; i < door.operands.length; i++) {
                if (door.anyRank(i)) {
                    continue;
                }
                Tensor[] changed = door.operands.clone();
                changed[i] = changed[i].reshape(1, 1, 1, 1, changed[i].elements());
                String message = Thrown.message(IllegalArgumentException.class, () -> door.call.on(DRY, changed));
                if (!message.contains(": " + door.names[i] + " is [1, 1, 1, 1, ")) {
                    silent.add(door.names[i] + ": " + message);
                }
            }
        }
        assertEquals(
                List.of(
                        "a: Elementwise.add: b is [3, 4], expected [1, 1, 1, 1, 12]",
                        "from: Elementwise.cast: to is [3, 4], expected [1, 1, 1, 1, 12]",
                        "parameter: AdamW.update: gradient is [3, 4], expected [1, 1, 1, 1, 12]"),
                silent,
                "operands that set the shape of the others");
    }

    @Test
    void backendsRunOnTheirDevicesOnly() {
        HostDevice host = Device.host(1);
        Device dry = Device.dry();
        assertEquals(
                Isa.found(host).isEmpty() ? Backend.VECTOR : Backend.X86,
                Kernels.on(host.stream()).choice().backend());
        assertEquals(Backend.DRY, Kernels.on(dry.stream()).choice().backend());
        assertEquals(Precision.F32, Kernels.on(host.stream(), Backend.VECTOR).precision());
        for (Precision precision : Precision.values()) {
            assertEquals(
                    precision,
                    Kernels.on(host.stream(), Backend.VECTOR, precision).precision());
            assertEquals(
                    precision,
                    Kernels.on(host.stream(), Backend.REFERENCE, precision).precision());
            assertEquals(
                    precision, Kernels.on(dry.stream(), Backend.DRY, precision).precision());
        }
        assertEquals(
                "the dry kernels do not run on this device (host processor, 1 thread).",
                Thrown.message(BadInput.class, () -> Kernels.on(host.stream(), Backend.DRY)));
        assertEquals(
                "the x86 kernels do not run on this device (dry run).",
                Thrown.message(BadInput.class, () -> Kernels.on(dry.stream(), Backend.X86)));
        assertEquals(
                "the vector kernels do not run on this device (dry run).",
                Thrown.message(BadInput.class, () -> Kernels.on(dry.stream(), Backend.VECTOR)));
        host.close();
    }
}
