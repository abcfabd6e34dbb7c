package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.emulated.Code.Parameter;
import dev.wok.device.emulated.Frames.Frame;
import dev.wok.device.emulated.Frames.Placed;
import dev.wok.device.emulated.Listing.Register;
import dev.wok.device.emulated.Listing.Routine;
import dev.wok.device.emulated.Listing.Scope;
import dev.wok.device.emulated.Listing.Space;
import dev.wok.device.emulated.Listing.Statement;
import dev.wok.device.emulated.Listing.Variable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Turns a kernel's text into steps: finds what each name means, and the family that knows each opcode.
final class Decoder {
    private static final int MOST_BYTES = 1 << 19;

    private final Listing listing;
    private final Routine routine;
    private final Map<String, Long> globals;
    private final Frames frames;
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private final Map<Variable, Integer> shared = new IdentityHashMap<>();
    private final Map<String, Register> specials = new HashMap<>();
    private final Set<Scope> placedScopes = new HashSet<>();
    private final TreeSet<Integer> reads = new TreeSet<>();
    private final TreeSet<Integer> writes = new TreeSet<>();
    private int sharedBytes;
    private int dynamicAlign = 1;
    private int localBytes;
    private int slots;
    private Frame frame;

    private Decoder(Listing listing, Routine routine, Map<String, Long> globals) {
        this.listing = listing;
        this.routine = routine;
        this.globals = globals;
        frames = Frames.of(listing, routine);
        frame = frames.placed.isEmpty()
                ? Frames.empty(routine)
                : frames.placed.getFirst().frame();
    }

    /// @param globals addresses of the module's variables
    /// @throws PtxFault where an instruction is wrong or unknown
    static Code decode(Listing listing, Routine routine, Map<String, Long> globals) {
        return new Decoder(listing, routine, globals).decode();
    }

    private Code decode() {
        int parameterBytes = 0;
        for (Variable parameter : routine.parameters()) {
            parameterBytes = aligned(parameterBytes, parameter.align());
            parameters.put(
                    parameter.name(),
                    new Parameter(parameter.name(), parameterBytes, (int) parameter.bytes(), parameter.align()));
            parameterBytes += (int) parameter.bytes();
            if (parameterBytes > MOST_BYTES) {
                throw listing.error(parameter.line(), "more parameters than a kernel can have");
            }
        }
        frames.placed.forEach(placed -> place(placed.statement().scope()));
        slots = frames.slots();
        List<Code.Instruction> instructions = new ArrayList<>();
        boolean usesWgmma = false;
        for (Placed placed : frames.placed) {
            frame = placed.frame();
            instructions.add(decode(placed));
            usesWgmma |= placed.statement().opcode().equals("wgmma");
        }
        return new Code(
                routine,
                listing,
                List.copyOf(instructions),
                slots,
                frames.predicates(),
                parameters,
                parameterBytes,
                sharedBytes,
                dynamicAlign,
                localBytes,
                specials,
                usesWgmma);
    }

    /// Gives the shared variables of a scope and those around it their places.
    private void place(Scope scope) {
        if (placedScopes.add(scope)) {
            if (scope.parent != null) {
                place(scope.parent);
            }
            for (Variable variable : scope.variables.values()) {
                if (variable.space() == Space.SHARED && !shared.containsKey(variable)) {
                    place(variable);
                }
            }
        }
    }

    private void place(Variable variable) {
        if (sharedBytes > MOST_BYTES) {
            throw listing.error(variable.line(), "more shared memory than a block can have");
        }
        if (variable.bytes() == 0) {
            dynamicAlign = Math.max(dynamicAlign, variable.align());
        } else {
            sharedBytes = aligned(sharedBytes, variable.align());
            shared.put(variable, sharedBytes);
            sharedBytes += (int) variable.bytes();
        }
    }

    static int aligned(int offset, int align) {
        return (offset + align - 1) / align * align;
    }

    private Code.Instruction decode(Placed placed) {
        Statement statement = placed.statement();
        reads.clear();
        writes.clear();
        int guard = -1;
        boolean isNegated = false;
        if (statement.guard() != null) {
            Register register = declared(statement, statement.guard().predicate());
            if (register == null || register.type() != Type.PRED) {
                throw error(
                        statement,
                        "no predicate %s is declared"
                                .formatted(statement.guard().predicate()));
            }
            guard = placed.isSkip() ? -1 : register.slot();
            isNegated = statement.guard().isNegated();
        }
        Step step = placed.callee() == null ? step(statement) : enter(placed, placed.callee());
        return new Code.Instruction(
                step,
                guard,
                isNegated,
                statement,
                reads.stream().mapToInt(Integer::intValue).toArray(),
                writes.stream().mapToInt(Integer::intValue).toArray(),
                statement.mnemonic().startsWith("wgmma.mma_async")
                        ? statement.modifiers().get(3)
                        : "");
    }

    private static Step enter(Placed placed, Frame callee) {
        int target = placed.isSkip() ? callee.end() : callee.at[0];
        return (warp, lanes) -> warp.jump(target, lanes);
    }

    private Step step(Statement statement) {
        Call call = new Call(this, statement);
        Step step = step(call);
        if (step == null) {
            throw call.unknown();
        }
        call.end();
        return step;
    }

    private static @Nullable Step step(Call call) {
        return switch (call.statement.opcode()) {
            case "add",
                    "sub",
                    "mul",
                    "mad",
                    "fma",
                    "div",
                    "rem",
                    "abs",
                    "neg",
                    "min",
                    "max",
                    "addc",
                    "subc",
                    "madc",
                    "sad",
                    "mul24",
                    "mad24" -> Arithmetic.decode(call);
            case "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh", "copysign", "testp" ->
                Functions.decode(call);
            case "and",
                    "or",
                    "xor",
                    "not",
                    "cnot",
                    "shl",
                    "shr",
                    "shf",
                    "lop3",
                    "prmt",
                    "bfe",
                    "bfi",
                    "bfind",
                    "clz",
                    "popc",
                    "brev",
                    "dp4a",
                    "dp2a",
                    "bmsk",
                    "szext",
                    "fns" -> Bits.decode(call);
            case "setp", "set", "selp", "slct" -> Comparisons.decode(call);
            case "cvt" -> Conversions.decode(call);
            case "mov", "cvta", "isspacep", "mapa", "getctarank" -> Moves.decode(call);
            case "shfl", "vote", "match", "redux", "activemask", "elect" -> Shuffles.decode(call);
            case "ld", "ldu", "st", "prefetch", "prefetchu", "applypriority", "discard", "createpolicy" ->
                Accesses.decode(call);
            case "atom", "red" -> Atomics.decode(call);
            case "bra", "brx", "ret", "exit", "trap", "brkpt", "nanosleep", "griddepcontrol", "setmaxnreg", "pmevent" ->
                Flow.decode(call);
            case "bar", "barrier", "fence", "membar" -> Barriers.decode(call);
            case "mbarrier" -> MBarriers.decode(call);
            case "cp" -> AsyncCopies.decode(call);
            case "ldmatrix", "stmatrix", "movmatrix" -> Matrices.decode(call);
            case "mma" -> Mma.decode(call);
            case "wgmma" -> Wgmma.decode(call);
            default -> null;
        };
    }

    // ------------------------------------------------------------------------------------------------ names

    private @Nullable Register declared(Statement statement, String name) {
        Register register = statement.scope().register(name);
        return register == null
                ? null
                : new Register(
                        name,
                        register.type(),
                        register.slot() + (register.type() == Type.PRED ? frame.predicates : frame.slots));
    }

    /// @return the instruction behind a label
    @Nullable
    Integer label(Statement statement, String name) {
        Integer index = statement.scope().label(name);
        return index == null ? null : frame.at[index];
    }

    /// @return where a function ends that a kernel has called; -1 in the kernel itself
    int end() {
        return frame.caller == null ? -1 : frame.end();
    }

    /// @return the register of a name, a special one too, or null
    @Nullable
    Register register(Statement statement, String name) {
        Register register = declared(statement, name);
        if (register != null) {
            return register;
        }
        Specials.Special special = Specials.of(name);
        if (special == null) {
            if (name.startsWith("%")) {
                throw error(statement, "no register %s is declared".formatted(name));
            }
            return null;
        }
        return special.isFixed()
                ? specials.computeIfAbsent(name, n -> new Register(n, special.type(), slots++))
                : new Register(name, special.type(), -1);
    }

    boolean isSpecial(String name) {
        return Specials.of(name) != null;
    }

    void noteRead(Register register) {
        if (register.type() != Type.PRED) {
            reads.add(register.slot());
        }
    }

    void noteWrite(Register register) {
        if (register.type() != Type.PRED) {
            writes.add(register.slot());
        }
    }

    /// @return the address of a variable in its own state space
    long address(Statement statement, String name) {
        if (name.equals("WARP_SZ")) {
            return Warp.LANES;
        }
        Variable variable = statement.scope().variable(name);
        if (variable == null) {
            throw error(statement, "nothing is called %s here".formatted(name));
        }
        return addressIn(statement, name, variable.space());
    }

    /// @param space that an instruction names
    long addressIn(Statement statement, String name, Space space) {
        Variable variable = statement.scope().variable(name);
        if (variable == null) {
            throw error(statement, "nothing is called %s here".formatted(name));
        }
        boolean fits = space == variable.space()
                || space == Space.GENERIC
                || space == Space.GLOBAL && variable.space() == Space.CONST;
        if (!fits) {
            throw error(statement, "%s lies in .%s memory".formatted(name, text(variable.space())));
        }
        long address = switch (variable.space()) {
            case GLOBAL, CONST -> globals.getOrDefault(name, 0L);
            case SHARED -> Block.SHARED_FROM + sharedOffset(variable);
            case LOCAL -> localOffset(frame, variable);
            case PARAM -> parameter(frame, variable);
            case GENERIC -> throw new IllegalStateException(name);
        };
        boolean isWindowed = address >>> Warp.WINDOW_BITS != 0;
        if (space == Space.GENERIC
                && !isWindowed
                && variable.space() != Space.GLOBAL
                && variable.space() != Space.CONST) {
            return address + window(variable.space());
        }
        return address;
    }

    private static String text(Space space) {
        return space.name().toLowerCase(java.util.Locale.ROOT);
    }

    static long window(Space space) {
        return switch (space) {
            case SHARED -> Warp.SHARED_WINDOW;
            case LOCAL -> Warp.LOCAL_WINDOW;
            case PARAM -> Warp.PARAM_WINDOW;
            case GLOBAL, CONST, GENERIC -> 0;
        };
    }

    private int sharedOffset(Variable variable) {
        Integer offset = shared.get(variable);
        return offset != null ? offset : aligned(sharedBytes, dynamicAlign);
    }

    private int localOffset(Frame of, Variable variable) {
        return of.local.computeIfAbsent(variable, v -> {
            localBytes = aligned(localBytes, v.align());
            int offset = localBytes;
            localBytes += (int) v.bytes();
            if (localBytes > MOST_BYTES) {
                throw listing.error(v.line(), "more local memory than a thread can have");
            }
            return offset;
        });
    }

    /// Parameters of calls lie in local memory, those of the kernel by themselves.
    private long parameter(Frame of, Variable variable) {
        Variable argument = of.arguments.get(variable);
        if (argument != null && of.caller != null) {
            return parameter(of.caller, argument);
        }
        Parameter parameter = of.caller == null ? parameters.get(variable.name()) : null;
        return parameter != null && routine.parameters().contains(variable)
                ? parameter.offset()
                : Warp.LOCAL_WINDOW + localOffset(of, variable);
    }

    PtxFault error(Statement statement, String what) {
        return listing.error(statement.line(), what);
    }
}
