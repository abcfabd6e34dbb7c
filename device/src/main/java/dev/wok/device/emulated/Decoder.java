package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.emulated.Code.Parameter;
import dev.wok.device.emulated.Listing.Register;
import dev.wok.device.emulated.Listing.Routine;
import dev.wok.device.emulated.Listing.Scope;
import dev.wok.device.emulated.Listing.Space;
import dev.wok.device.emulated.Listing.Statement;
import dev.wok.device.emulated.Listing.Variable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Turns a kernel's text into steps: finds what each name means, and the family that knows each opcode.
final class Decoder {
    private final Listing listing;
    private final Routine routine;
    private final Map<String, Long> globals;
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private final Map<Variable, Integer> shared = new HashMap<>();
    private final Map<Variable, Integer> local = new HashMap<>();
    private final Map<String, Register> specials = new HashMap<>();
    private final TreeSet<Integer> reads = new TreeSet<>();
    private final TreeSet<Integer> writes = new TreeSet<>();
    private int sharedBytes;
    private int dynamicAlign = 1;
    private int localBytes;
    private int slots;

    private Decoder(Listing listing, Routine routine, Map<String, Long> globals) {
        this.listing = listing;
        this.routine = routine;
        this.globals = globals;
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
        }
        for (Variable variable : listing.variables()) {
            if (variable.space() == Space.SHARED) {
                place(variable);
            }
        }
        TreeSet<Integer> used = new TreeSet<>();
        int[] counts = new int[2];
        count(routine.scope(), counts);
        for (Statement statement : routine.body()) {
            if (used.add(System.identityHashCode(statement.scope()))) {
                count(statement.scope(), counts);
                for (Variable variable : statement.scope().variables.values()) {
                    if (variable.space() == Space.SHARED) {
                        place(variable);
                    }
                }
            }
        }
        slots = counts[0];
        List<Code.Instruction> instructions = new ArrayList<>();
        boolean usesWgmma = false;
        for (Statement statement : routine.body()) {
            instructions.add(decode(statement));
            usesWgmma |= statement.opcode().equals("wgmma");
        }
        return new Code(
                routine,
                listing,
                List.copyOf(instructions),
                slots,
                counts[1],
                parameters,
                parameterBytes,
                sharedBytes,
                dynamicAlign,
                localBytes,
                specials,
                usesWgmma);
    }

    /// Counts registers: the highest slots in use.
    private static void count(Scope scope, int[] counts) {
        for (Register register : scope.registers.values()) {
            int kind = register.type() == Type.PRED ? 1 : 0;
            counts[kind] = Math.max(counts[kind], register.slot() + (register.type() == Type.B128 ? 2 : 1));
        }
    }

    private void place(Variable variable) {
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

    private Code.Instruction decode(Statement statement) {
        reads.clear();
        writes.clear();
        int guard = -1;
        boolean isNegated = false;
        if (statement.guard() != null) {
            Register register = statement.scope().register(statement.guard().predicate());
            if (register == null || register.type() != Type.PRED) {
                throw error(statement, "no predicate %s is declared".formatted(statement.guard().predicate()));
            }
            guard = register.slot();
            isNegated = statement.guard().isNegated();
        }
        Call call = new Call(this, statement);
        Step step = step(call);
        if (step == null) {
            throw call.unknown();
        }
        call.end();
        return new Code.Instruction(
                step,
                guard,
                isNegated,
                statement,
                reads.stream().mapToInt(Integer::intValue).toArray(),
                writes.stream().mapToInt(Integer::intValue).toArray(),
                statement.mnemonic().startsWith("wgmma.mma_async") ? statement.modifiers().get(3) : "");
    }

    private static @Nullable Step step(Call call) {
        return switch (call.statement.opcode()) {
            case "add", "sub", "mul", "mad", "madc", "fma", "div", "rem", "abs", "neg", "min", "max", "addc", "subc", "sad",
                    "mul24", "mad24" ->
                Arithmetic.decode(call);
            case "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh", "copysign", "testp" -> Functions.decode(call);
            case "and", "or", "xor", "not", "cnot", "shl", "shr", "shf", "lop3", "prmt", "bfe", "bfi", "bfind", "clz",
                    "popc", "brev", "dp4a", "dp2a", "bmsk", "szext", "fns" ->
                Bits.decode(call);
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

    /// @return the register of a name, a special one too, or null
    @Nullable Register register(Statement statement, String name) {
        Register register = statement.scope().register(name);
        if (register != null) {
            return register;
        }
        Specials.Special special = Specials.of(name);
        if (special == null) {
            if (name.startsWith("%")) {
                throw error(statement, "no register %s is declared".formatted(name));
            }
            return name.equals("WARP_SZ") ? null : null;
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
            case LOCAL -> local.computeIfAbsent(variable, this::localOffset);
            case PARAM -> {
                Parameter parameter = parameters.get(name);
                if (parameter == null) {
                    throw error(statement, "%s is no parameter of the kernel".formatted(name));
                }
                yield parameter.offset();
            }
            case GENERIC -> throw new IllegalStateException(name);
        };
        if (space == Space.GENERIC && variable.space() != Space.GLOBAL && variable.space() != Space.CONST) {
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

    private int localOffset(Variable variable) {
        localBytes = aligned(localBytes, variable.align());
        int offset = localBytes;
        localBytes += (int) variable.bytes();
        return offset;
    }

    PtxFault error(Statement statement, String what) {
        return listing.error(statement.line(), what);
    }
}
