package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.emulated.Listing.Name;
import dev.wok.device.emulated.Listing.Operand;
import dev.wok.device.emulated.Listing.Routine;
import dev.wok.device.emulated.Listing.Statement;
import dev.wok.device.emulated.Listing.Variable;
import dev.wok.device.emulated.Listing.Vector;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A kernel with the functions that it calls in the place of their calls: each call has registers and variables of its
/// own.
///
/// A call becomes an instruction that sends its lanes two further, one that sends the others behind the function, and
/// the function.
final class Frames {
    private static final int MOST_INSTRUCTIONS = 1 << 20;

    private static final int DEEPEST = 100;

    /// A routine where it is entered.
    static final class Frame {
        final Routine routine;
        final @Nullable Frame caller;

        /// Where its registers begin.
        final int slots;

        final int predicates;

        /// The instruction of each of its statements, and behind the last.
        final int[] at;

        /// Its parameters and results: the caller's variables.
        final Map<Variable, Variable> arguments = new IdentityHashMap<>();

        /// Offsets of its variables in a thread's local memory.
        final Map<Variable, Integer> local = new IdentityHashMap<>();

        private Frame(Routine routine, @Nullable Frame caller, int slots, int predicates) {
            this.routine = routine;
            this.caller = caller;
            this.slots = slots;
            this.predicates = predicates;
            at = new int[routine.body().size() + 1];
        }

        /// @return the instruction behind it
        int end() {
            return at[at.length - 1];
        }
    }

    /// An instruction to be decoded.
    ///
    /// @param callee of a call, or null
    /// @param isSkip whether it is the second of a call
    record Placed(
            Frame frame, Statement statement, @Nullable Frame callee, boolean isSkip) {}

    final List<Placed> placed = new ArrayList<>();
    private final Listing listing;
    private int slots;
    private int predicates;

    private Frames(Listing listing) {
        this.listing = listing;
    }

    static Frames of(Listing listing, Routine kernel) {
        Frames frames = new Frames(listing);
        frames.lay(frames.frame(kernel, null));
        return frames;
    }

    /// @return the frame of a kernel that has no instructions
    static Frame empty(Routine kernel) {
        return new Frame(kernel, null, 0, 0);
    }

    int slots() {
        return slots;
    }

    int predicates() {
        return predicates;
    }

    private Frame frame(Routine routine, @Nullable Frame caller) {
        Frame frame = new Frame(routine, caller, slots, predicates);
        slots += routine.slots();
        predicates += routine.predicates();
        return frame;
    }

    private void lay(Frame frame) {
        List<Statement> body = frame.routine.body();
        for (int i = 0; i < body.size(); i++) {
            Statement statement = body.get(i);
            frame.at[i] = placed.size();
            if (placed.size() > MOST_INSTRUCTIONS || slots > MOST_INSTRUCTIONS) {
                throw error(statement, "with its calls the kernel has more instructions than can be");
            }
            if (!statement.opcode().equals("call")) {
                placed.add(new Placed(frame, statement, null, false));
                continue;
            }
            Frame callee = callee(frame, statement);
            placed.add(new Placed(frame, statement, callee, false));
            placed.add(new Placed(frame, statement, callee, true));
            lay(callee);
        }
        frame.at[body.size()] = placed.size();
    }

    /// `call (results), function, (arguments)`
    private Frame callee(Frame caller, Statement call) {
        List<Operand> operands = call.operands();
        int at = !operands.isEmpty() && operands.getFirst() instanceof Vector ? 1 : 0;
        if (operands.size() <= at || !(operands.get(at) instanceof Name(String name))) {
            throw error(call, "call names a function");
        }
        if (call.scope().register(name) != null) {
            throw error(call, "calls through registers are not supported");
        }
        Routine routine = listing.routines().stream()
                .filter(r -> !r.isEntry() && r.name().equals(name))
                .findFirst()
                .orElseThrow(() -> error(call, "the function %s is not in this text".formatted(name)));
        int depth = 0;
        for (Frame frame = caller; frame != null; frame = frame.caller) {
            if (++depth > DEEPEST) {
                throw error(call, "calls are nested deeper than %d".formatted(DEEPEST));
            }
            if (frame.routine == routine) {
                throw error(call, "%s calls itself: recursion is not supported".formatted(name));
            }
        }
        Frame frame = frame(routine, caller);
        bind(frame, call, routine.results(), at == 0 ? List.of() : elements(operands.getFirst()), "results");
        bind(
                frame,
                call,
                routine.parameters(),
                operands.size() > at + 1 ? elements(operands.get(at + 1)) : List.of(),
                "arguments");
        return frame;
    }

    private static List<Operand> elements(Operand operand) {
        return operand instanceof Vector(List<Operand> elements) ? elements : List.of(operand);
    }

    private void bind(Frame frame, Statement call, List<Variable> names, List<Operand> given, String what) {
        if (names.size() != given.size()) {
            throw error(call, "%s has %d %s, not %d".formatted(frame.routine.name(), names.size(), what, given.size()));
        }
        for (int i = 0; i < names.size(); i++) {
            Variable variable =
                    given.get(i) instanceof Name(String name) ? call.scope().variable(name) : null;
            if (variable == null || variable.space() != Listing.Space.PARAM) {
                throw error(call, "%s of a call are .param variables".formatted(what));
            }
            if (variable.bytes() != names.get(i).bytes()) {
                throw error(
                        call,
                        "%s has %d bytes, and %s of %s has %d"
                                .formatted(
                                        variable.name(),
                                        variable.bytes(),
                                        names.get(i).name(),
                                        frame.routine.name(),
                                        names.get(i).bytes()));
            }
            frame.arguments.put(names.get(i), variable);
        }
    }

    private PtxFault error(Statement statement, String what) {
        return listing.error(statement.line(), what);
    }
}
