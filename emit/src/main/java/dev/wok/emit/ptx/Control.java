package dev.wok.emit.ptx;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.StringJoiner;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The lines of a kernel and their order: labels and branches, loops and conditions, comments.
abstract sealed class Control extends Instructions permits PtxKernel {
    private enum What {
        INSTRUCTION,
        LABEL,
        COMMENT
    }

    private record Line(What what, int depth, String text) {
        boolean isFree() {
            return what == What.INSTRUCTION && !text.startsWith("@") && !text.startsWith(".");
        }
    }

    /// The labels of a loop that its body may leave to.
    private static final class Loop {
        @Nullable
        Label next;

        @Nullable
        Label exit;
    }

    private final List<Line> lines = new ArrayList<>();
    private final Deque<Loop> loops = new ArrayDeque<>();
    private int depth = 1;
    private String guard = "";

    abstract PtxKernel kernel();

    abstract String text(String instruction, List<Operand> operands);

    @Override
    public final void op(String instruction, Object... operands) {
        List<Operand> given = Operands.all(operands);
        given.forEach(this::requireOurs);
        append(What.INSTRUCTION, guard + text(instruction, given));
    }

    private void requireOurs(Operand operand) {
        switch (operand) {
            case Reg r -> requireOurs(r, r.kernel);
            case Not n -> requireOurs(n, n.predicate().kernel);
            case Label l -> requireOurs(l, l.kernel);
            case Vec v -> v.elements().forEach(this::requireOurs);
            case Address a -> requireOurs(a.base());
            case Pair p -> {
                requireOurs(p.first());
                requireOurs(p.second());
            }
            case TensorPlace t -> {
                requireOurs(t.map());
                requireOurs(t.coordinates());
            }
            case Imm _, Symbol _, Special _, Nowhere _ -> {}
        }
    }

    private void requireOurs(Operand operand, PtxKernel owner) {
        if (owner != kernel()) {
            throw Caller.error(
                    "%s is of the kernel %s; expected one of %s".formatted(operand, owner.name(), kernel().name()));
        }
    }

    private void append(What what, String text) {
        lines.add(new Line(what, depth, text));
    }

    /// Writes a comment of its own line, which begins a phase of the kernel.
    public final void comment(String text) {
        for (String line : text.split("\n")) {
            append(What.COMMENT, "// " + line);
        }
    }

    /// Tells the assembler something that is no instruction, such as `nounroll` before a loop.
    public final void pragma(String text) {
        append(What.INSTRUCTION, ".pragma \"%s\";".formatted(text));
    }

    // ---------------------------------------------------------------------------------------------- branches

    /// @return a place in the code that is not yet put
    public abstract Label label(String name);

    /// Puts a place here.
    public final void bind(Label label) {
        requireOurs(label);
        if (label.isBound) {
            throw Caller.error("%s has a place already; expected to be put once".formatted(label));
        }
        if (!guard.isEmpty()) {
            throw Caller.error("%s is put under a predicate; expected instructions alone in onlyIf".formatted(label));
        }
        label.isBound = true;
        append(What.LABEL, label + ":");
    }

    /// Goes on at `to`.
    public final void bra(Label to) {
        op("bra", to);
    }

    /// Goes on at `to` where a predicate holds.
    ///
    /// @param p a predicate, or [Reg#not] of one
    public final void braIf(Operand p, Label to) {
        onlyIf(p, () -> op("bra", to));
    }

    /// Ends the thread.
    public final void ret() {
        op("ret");
    }

    // ---------------------------------------------------------------------------------------------- conditions

    /// Puts a predicate before each instruction: `@%p st.global.f32 [%at], %v;`. No branch, so for
    /// few of them, and the last one alone may write the predicate.
    ///
    /// @param p a predicate, or [Reg#not] of one
    public final void onlyIf(Operand p, Runnable instructions) {
        if (!guard.isEmpty()) {
            throw Caller.error("%s is within another predicate; expected instructions alone in onlyIf".formatted(p));
        }
        guard = "@" + predicate(p) + " ";
        try {
            instructions.run();
        } finally {
            guard = "";
        }
    }

    /// Runs instructions where a predicate holds; a branch, unless it is a single one.
    ///
    /// @param p a predicate, or [Reg#not] of one
    public final void when(Operand p, Runnable then) {
        predicate(p);
        requireNoGuard("when");
        int from = lines.size();
        indented(then);
        if (lines.size() == from + 1 && lines.get(from).isFree()) {
            lines.set(from, new Line(What.INSTRUCTION, depth, "@" + p + " " + lines.get(from).text));
            return;
        }
        Label end = label("endif");
        lines.add(from, new Line(What.INSTRUCTION, depth, "@%s bra %s;".formatted(opposite(p), end)));
        bind(end);
    }

    /// Runs the first instructions where a predicate holds, the others where it does not.
    ///
    /// @param p a predicate, or [Reg#not] of one
    public final void when(Operand p, Runnable then, Runnable otherwise) {
        predicate(p);
        requireNoGuard("when");
        Label other = label("else");
        Label end = label("endif");
        append(What.INSTRUCTION, "@%s bra %s;".formatted(opposite(p), other));
        indented(then);
        bra(end);
        bind(other);
        indented(otherwise);
        bind(end);
    }

    private void indented(Runnable body) {
        depth++;
        try {
            body.run();
        } finally {
            depth--;
        }
    }

    private void requireNoGuard(String what) {
        if (!guard.isEmpty()) {
            throw Caller.error("%s is under a predicate; expected instructions alone in onlyIf".formatted(what));
        }
    }

    private Operand predicate(Operand p) {
        requireOurs(p);
        boolean fits = p instanceof Not || p instanceof Reg r && r.type() == Type.PRED;
        if (!fits) {
            throw Caller.error("the guard is %s; expected a .pred register".formatted(Operands.describe(p)));
        }
        return p;
    }

    private static Operand opposite(Operand p) {
        return p instanceof Not n ? n.predicate() : new Not((Reg) p);
    }

    // ---------------------------------------------------------------------------------------------- loops

    /// Counts up from `from` while below `to`; not at all where it begins there. The count must not
    /// pass the last number of its type.
    ///
    /// @param from a register of 32 or 64 bits, or a Java number
    /// @param to likewise
    /// @param step likewise, positive
    /// @param body is given the counter, of the type of the first register among the three, or
    ///     `.u32`
    public final void loop(String name, Object from, Object to, Object step, Consumer<Reg> body) {
        requireNoGuard("loop");
        Type type = counter(from, to, step);
        Reg i = kernel().reg(type, name);
        mov(i, from);
        Loop loop = new Loop();
        if (!(from instanceof Integer a && to instanceof Integer b && a < b)) {
            breakIf(loop, compare(name + "_ends", Compare.GE, i, to), name);
        }
        Label top = label(name + "_loop");
        bind(top);
        body(loop, () -> body.accept(i));
        depth++;
        bindIfUsed(loop.next);
        add(i, i, step);
        Reg more = compare(name + "_goes_on", Compare.LT, i, to);
        depth--;
        braIf(more, top);
        bindIfUsed(loop.exit);
    }

    private static Type counter(Object... bounds) {
        for (Object bound : bounds) {
            if (bound instanceof Reg r) {
                return r.type().kind == Type.Kind.BITS ? (r.type().bits == 64 ? Type.U64 : Type.U32) : r.type();
            }
        }
        return bounds[0] instanceof Integer from && from < 0 ? Type.S32 : Type.U32;
    }

    /// Repeats while a predicate holds, which is computed before each round.
    ///
    /// @param condition writes what computes the predicate, and returns it or its opposite
    public final void loopWhile(Supplier<? extends Operand> condition, Runnable body) {
        requireNoGuard("loopWhile");
        Loop loop = new Loop();
        Label top = label("while");
        bind(top);
        loop.next = top;
        depth++;
        Operand more = predicate(condition.get());
        depth--;
        breakIf(loop, opposite(more), "while");
        body(loop, body);
        bra(top);
        bindIfUsed(loop.exit);
    }

    /// Repeats while a predicate holds, which each round computes: to wait for something, say.
    ///
    /// @param body writes the round, and returns the predicate or its opposite
    public final void repeatWhile(Supplier<? extends Operand> body) {
        requireNoGuard("repeatWhile");
        Loop loop = new Loop();
        Label top = label("repeat");
        bind(top);
        Operand[] more = new Operand[1];
        body(loop, () -> more[0] = predicate(body.get()));
        if (loop.next != null) {
            throw Caller.error("continueIf in repeatWhile: expected breakIf, or another kind of loop");
        }
        braIf(more[0], top);
        bindIfUsed(loop.exit);
    }

    private void body(Loop loop, Runnable body) {
        loops.push(loop);
        try {
            indented(body);
        } finally {
            loops.pop();
        }
    }

    private void bindIfUsed(@Nullable Label label) {
        if (label != null) {
            bind(label);
        }
    }

    /// Leaves the innermost loop where a predicate holds.
    public final void breakIf(Operand p) {
        breakIf(innermost("breakIf"), p, "loop");
    }

    private void breakIf(Loop loop, Operand p, String name) {
        if (loop.exit == null) {
            loop.exit = label(name + "_end");
        }
        braIf(p, loop.exit);
    }

    /// Goes on with the innermost loop's next round where a predicate holds.
    public final void continueIf(Operand p) {
        Loop loop = innermost("continueIf");
        if (loop.next == null) {
            loop.next = label("next");
        }
        braIf(p, loop.next);
    }

    private Loop innermost(String what) {
        Loop loop = loops.peek();
        if (loop == null) {
            throw Caller.error(
                    "%s is in no loop; expected one of loop, loopWhile or repeatWhile around it".formatted(what));
        }
        return loop;
    }

    /// Writes the same instructions several times, with the number of each time.
    public final void unroll(int times, IntConsumer body) {
        for (int i = 0; i < times; i++) {
            body.accept(i);
        }
    }

    // ---------------------------------------------------------------------------------------------- text

    void code(StringJoiner text) {
        What before = What.INSTRUCTION;
        for (Line line : lines) {
            if (line.what == What.COMMENT && before == What.INSTRUCTION) {
                text.add("");
            }
            before = line.what;
            int indent = line.what == What.LABEL ? line.depth - 1 : line.depth;
            text.add("    ".repeat(indent) + line.text);
        }
    }
}
