package dev.wok.emit.ptx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// A kernel being written: its parameters, registers and variables, and its code from top to
/// bottom.
///
/// Names are the author's; one that is taken already comes out with a number. Whoever calls the
/// methods of [Control] and [Instructions] appends to the code.
public final class PtxKernel extends Control {
    private static final int STATIC_SHARED = 48 * 1024;
    private static final int TENSOR_MAP_BYTES = 128;
    private static final int WIDTH = 100;
    private static final String INDENT = "    ";

    private final Ptx module;
    private final String name;
    private final Map<String, String> directives = new LinkedHashMap<>();
    private final List<String> params = new ArrayList<>();
    private final List<String> entry = new ArrayList<>();
    private final Map<Type, List<String>> registers = new EnumMap<>(Type.class);
    private final List<String> variables = new ArrayList<>();
    private final Names registerNames = new Names(Arrays.stream(Special.values())
            .map(s -> s.word().replaceFirst("\\..*", ""))
            .collect(Collectors.toSet()));
    private final Names symbolNames = new Names(Ptx.RESERVED);
    private final List<Label> labels = new ArrayList<>();
    private final Names labelNames = new Names(List.of());
    private long sharedBytes;

    PtxKernel(Ptx module, String name) {
        this.module = module;
        this.name = name;
    }

    /// @return the name to launch it by
    public String name() {
        return name;
    }

    // ---------------------------------------------------------------------------------------------- launching

    /// Says that a block has at most so many threads.
    public PtxKernel maxThreads(int threads) {
        return directive(".maxntid", threads);
    }

    /// Says that a block has just so many threads.
    public PtxKernel threads(int x, int y, int z) {
        return directive(".reqntid", x, y, z);
    }

    /// Asks for registers few enough that so many blocks run on a multiprocessor at once.
    public PtxKernel minBlocks(int blocks) {
        return directive(".minnctapersm", blocks);
    }

    /// Asks for at most so many registers a thread.
    public PtxKernel maxRegisters(int registers) {
        return directive(".maxnreg", registers);
    }

    /// Says that a cluster has just so many blocks.
    public PtxKernel cluster(int x, int y, int z) {
        return clustered(".reqnctapercluster", x, y, z);
    }

    /// Says that a cluster has at most so many blocks.
    public PtxKernel maxClusterRank(int blocks) {
        return clustered(".maxclusterrank", blocks);
    }

    /// Says that the launch must give a cluster's size, where [#cluster] does not.
    public PtxKernel explicitCluster() {
        return clustered(".explicitcluster");
    }

    private PtxKernel clustered(String directive, int... sizes) {
        Need need = Need.of(List.of("@7.8", "@sm_90"));
        if (!need.isMetBy(module.target())) {
            throw Caller.error(
                    "%s: needs %s; the module is for %s".formatted(directive, need.targets(), module.target()));
        }
        module.require(need);
        return directive(directive, sizes);
    }

    private PtxKernel directive(String directive, int... sizes) {
        String all = Arrays.stream(sizes).mapToObj(Integer::toString).collect(Collectors.joining(", "));
        if (Arrays.stream(sizes).anyMatch(s -> s < 1)) {
            throw Caller.error("%s %s: expected positive numbers".formatted(directive, all));
        }
        directives.put(directive, all);
        return this;
    }

    // ---------------------------------------------------------------------------------------------- parameters

    /// Adds a parameter, which is loaded where the kernel begins.
    ///
    /// @return a register of that name
    public Reg param(String name, Type type) {
        if (type.kind == Type.Kind.PREDICATE || type.bits > 64) {
            throw Caller.error("%s: no parameter is of type %s; expected one of 16 to 64 bits".formatted(name, type));
        }
        Reg register = reg(type, name);
        params.add(".param %s %s".formatted(type.declared(), symbol(name)));
        entry.add("ld.param%s %s, [%s];".formatted(type.declared(), register, name));
        return register;
    }

    /// Adds a parameter of several elements, to be read by `ld` from [Space#PARAM].
    ///
    /// @param align in bytes
    public Symbol paramArray(String name, Type type, int count, int align) {
        Data.requireAlignment(name, align);
        params.add(Data.declaration(".param", symbol(name), type, count, align));
        return new Symbol(name, Space.PARAM, type, (long) count * type.bits / 8);
    }

    /// Adds a tensor map, which the launch passes by value, as a parameter of 128 bytes.
    ///
    /// @return a register with its address, for [Ptx#tensor]
    public Reg tensorMap(String name) {
        module.require(Need.of(List.of("@7.7")));
        Symbol map = paramArray(name, Type.B8, TENSOR_MAP_BYTES, 64);
        Reg address = reg(Type.U64, name);
        entry.add("mov.u64 %s, %s;".formatted(address, map));
        entry.add("cvta.param.u64 %s, %s;".formatted(address, address));
        return address;
    }

    private String symbol(String wanted) {
        String given = symbolNames.give(wanted);
        if (!given.equals(wanted) || module.has(wanted)) {
            throw Caller.error("%s has \"%s\" already; expected another name".formatted(name, wanted));
        }
        return given;
    }

    /// @return whether a parameter or a variable of this kernel is called so
    boolean has(String symbol) {
        return !symbolNames.isFree(symbol);
    }

    // ---------------------------------------------------------------------------------------------- registers

    @Override
    public Reg reg(Type type, String name) {
        String given = registerNames.give(name);
        declare(type, given, "%" + given);
        return new Reg(this, type, given);
    }

    /// @return a new register that holds this value
    public Reg reg(Type type, String name, Object value) {
        Reg register = reg(type, name);
        mov(register, value);
        return register;
    }

    /// @return new registers `%name_0`, `%name_1` and so on
    public Reg[] regs(Type type, String name, int count) {
        if (count < 1) {
            throw Caller.error("%d registers %%%s: expected one or more".formatted(count, name));
        }
        String given = registerNames.give(name, count);
        declare(type, given, "%%%s_<%d>".formatted(given, count));
        Reg[] all = new Reg[count];
        Arrays.setAll(all, i -> new Reg(this, type, given + "_" + i));
        return all;
    }

    private void declare(Type type, String name, String declaration) {
        if (type.bits == 8) {
            throw Caller.error("%%%s: no register is of type %s; expected 16 bits or more, which ld.u8 fills too"
                    .formatted(name, type));
        }
        if (type == Type.B128) {
            module.require(Need.of(List.of("@8.3")));
        }
        registers.computeIfAbsent(type.declared(), _ -> new ArrayList<>()).add(declaration);
    }

    // ---------------------------------------------------------------------------------------------- variables

    /// Declares shared memory, of which there are 48 KiB in all unless the launch gives more, see
    /// [#dynamicShared].
    ///
    /// @param align in bytes
    public Symbol shared(String name, Type type, int count, int align) {
        variables.add(Data.declaration(".shared", symbol(name), type, count, align) + ";");
        long bytes = (long) count * type.bits / 8;
        sharedBytes += bytes;
        if (sharedBytes > STATIC_SHARED) {
            throw Caller.error("%s: declares %d bytes of shared memory; expected at most %d: use dynamicShared"
                    .formatted(name, sharedBytes, STATIC_SHARED));
        }
        return new Symbol(name, Space.SHARED, type, bytes);
    }

    /// Declares the shared memory whose size the launch decides. There is one, whatever it is
    /// called.
    ///
    /// @param align in bytes
    public Symbol dynamicShared(String name, int align) {
        return module.dynamicShared(name, align);
    }

    /// Declares memory of each thread's own.
    ///
    /// @param align in bytes
    public Symbol local(String name, Type type, int count, int align) {
        variables.add(Data.declaration(".local", symbol(name), type, count, align) + ";");
        return new Symbol(name, Space.LOCAL, type, (long) count * type.bits / 8);
    }

    // ---------------------------------------------------------------------------------------------- text

    @Override
    public Label label(String name) {
        Label label = new Label(this, labelNames.give(name), Caller.line());
        labels.add(label);
        return label;
    }

    @Override
    PtxKernel kernel() {
        return this;
    }

    @Override
    String text(String instruction, List<Operand> operands) {
        Table.Found found = Table.ALL.find(instruction, operands, module.target());
        module.require(found.need());
        return found.text() + ";";
    }

    String text() {
        StringJoiner text = new StringJoiner("\n");
        text.add(params.isEmpty() ? ".visible .entry %s()".formatted(name) : ".visible .entry %s(".formatted(name));
        if (!params.isEmpty()) {
            text.add(INDENT + String.join(",\n" + INDENT, params));
            text.add(")");
        }
        directives.forEach((directive, sizes) -> text.add((directive + " " + sizes).strip()));
        text.add("{");
        registers.forEach((type, all) -> declarations(type, all).forEach(text::add));
        variables.forEach(v -> text.add(INDENT + v));
        if (!entry.isEmpty()) {
            text.add("");
            entry.forEach(e -> text.add(INDENT + e));
        }
        requireBound();
        code(text);
        text.add(INDENT + "ret;");
        return text.add("}").toString();
    }

    private static List<String> declarations(Type type, List<String> all) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String one : all) {
            if (line.length() + one.length() + 2 > WIDTH) {
                lines.add(line.append(';').toString());
                line.setLength(0);
            }
            line.append(line.isEmpty() ? INDENT + ".reg " + type + " " : ", ").append(one);
        }
        lines.add(line.append(';').toString());
        return lines;
    }

    private void requireBound() {
        TreeSet<String> lost = new TreeSet<>();
        for (Label label : labels) {
            if (!label.isBound) {
                lost.add("%s: %s has no place; expected bind in %s".formatted(label.madeAt, label, name));
            }
        }
        if (!lost.isEmpty()) {
            throw new IllegalArgumentException(String.join("\n", lost));
        }
    }

    @Override
    public String toString() {
        return text();
    }
}
