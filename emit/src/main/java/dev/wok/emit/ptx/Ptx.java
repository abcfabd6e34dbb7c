package dev.wok.emit.ptx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;

/// A module of PTX: variables and kernels in, text out. Nothing here needs a GPU or an assembler.
///
/// Whatever is wrong with an instruction is said when it is written, in an
/// [IllegalArgumentException] that begins with the line of Java that wrote it: `RmsNormPtx.java:41:
/// fma.rn.f32 %acc, %x, %n, %acc: operand 3 is %n, a .u32 register; expected .f32, .b32 or a Java
/// float`.
///
/// ```java
/// Ptx module = Ptx.module(Target.SM_90);
/// PtxKernel k = module.kernel("scale").maxThreads(256);
/// Reg x = k.param("x", U64);
/// Reg i = k.reg(U32, "i", Special.TID_X);
/// Reg v = k.reg(F32, "v");
/// Reg at = k.reg(U64, "at");
/// k.madWide(at, i, 4, x);
/// k.ld(GLOBAL, v, at);
/// k.mul(v, v, 0.5f);
/// k.st(GLOBAL, at, v);
/// String text = module.text();
/// ```
///
/// Source: PTX ISA 9.0.
public final class Ptx {
    /// The one name without a percent sign that PTX keeps for itself.
    static final Set<String> RESERVED = Set.of("WARP_SZ");

    private final Target target;
    private final Names names;
    private final List<String> variables = new ArrayList<>();
    private final Map<String, Integer> dynamicShared = new LinkedHashMap<>();
    private final List<PtxKernel> kernels = new ArrayList<>();
    private Need need;

    private Ptx(Target target) {
        this.target = target;
        this.names = new Names(RESERVED);
        this.need = new Need(target.version, target.number, Set.of());
    }

    /// @param target the processor that it is for; which instructions there are depends on it
    /// @return an empty module
    public static Ptx module(Target target) {
        return new Ptx(target);
    }

    /// @return the processor that this module is for
    public Target target() {
        return target;
    }

    /// @return a new kernel, empty
    public PtxKernel kernel(String name) {
        PtxKernel kernel = new PtxKernel(this, given(name));
        kernels.add(kernel);
        return kernel;
    }

    /// Declares a variable in global memory that begins with zeros.
    ///
    /// @param align in bytes
    public Symbol global(String name, Type type, int count, int align) {
        return variable(".global", Space.GLOBAL, name, type, count, align, "");
    }

    /// Declares a variable in global memory.
    ///
    /// @param align in bytes
    /// @param values `byte[]`, `short[]`, `int[]`, `long[]`, `float[]` or `double[]`, each as long
    ///     as the type
    public Symbol global(String name, Type type, int align, Object values) {
        List<String> all = Data.of(type, values);
        return variable(".global", Space.GLOBAL, name, type, all.size(), align, Data.braces(all));
    }

    /// Declares a variable in constant memory, of which a module has 64 KiB.
    ///
    /// @param align in bytes
    /// @param values `byte[]`, `short[]`, `int[]`, `long[]`, `float[]` or `double[]`, each as long
    ///     as the type
    public Symbol constant(String name, Type type, int align, Object values) {
        List<String> all = Data.of(type, values);
        return variable(".const", Space.CONST, name, type, all.size(), align, Data.braces(all));
    }

    private Symbol variable(String how, Space space, String name, Type type, int count, int align, String values) {
        String declaration = Data.declaration(how, given(name), type, count, align);
        variables.add(declaration + values + ";");
        return new Symbol(name, space, type, (long) count * type.bits / 8);
    }

    /// All shared memory whose size the launch decides is one, whatever kernels call it.
    Symbol dynamicShared(String name, int align) {
        Data.requireAlignment(name, align);
        if (!dynamicShared.containsKey(name)) {
            given(name);
        }
        dynamicShared.merge(name, align, Math::max);
        return new Symbol(name, Space.SHARED, Type.B8, 0);
    }

    private String given(String name) {
        String given = names.give(name);
        if (!given.equals(name) || kernels.stream().anyMatch(kernel -> kernel.has(name))) {
            throw Caller.error("the module has \"%s\" already; expected another name".formatted(name));
        }
        return given;
    }

    void require(Need need) {
        this.need = this.need.and(need);
    }

    boolean has(String name) {
        return !names.isFree(name);
    }

    /// Several operands as one, for instructions that take vectors. An array of registers needs no
    /// such wrapping.
    ///
    /// @param elements registers or Java numbers
    public static Vec vec(Object... elements) {
        return new Vec(Operands.all(elements));
    }

    /// @return these registers as a vector
    public static Vec vec(Reg... elements) {
        return vec((Object[]) elements);
    }

    /// @return `count` registers from the one at `from`, as a vector
    public static Vec vec(Reg[] all, int from, int count) {
        return vec((Object[]) Arrays.copyOfRange(all, from, from + count));
    }

    /// The two results of `setp`, `shfl.sync`, `match.all` or `elect.sync`, written
    /// `%first|%second`.
    ///
    /// @param first a register, or [Operand#NOWHERE]
    /// @param second a predicate
    public static Operand pair(Operand first, Reg second) {
        return new Pair(first, second);
    }

    /// A box in a tensor, for the instructions that copy by tensor maps.
    ///
    /// @param map the tensor map's address, see [PtxKernel#tensorMap]
    /// @param coordinates of the box's first element, the innermost dimension first: registers or
    ///     Java integers
    public static Operand tensor(Operand map, Object... coordinates) {
        return new TensorPlace(map, vec(coordinates));
    }

    /// @return the module, ready for the driver or `ptxas`
    /// @throws IllegalArgumentException where a label was used and never put
    public String text() {
        StringJoiner text = new StringJoiner("\n", "", "\n");
        text.add(".version %d.%d".formatted(need.version() / 10, need.version() % 10));
        text.add(".target " + target);
        text.add(".address_size 64");
        if (!variables.isEmpty() || !dynamicShared.isEmpty()) {
            text.add("");
        }
        variables.forEach(text::add);
        dynamicShared.forEach((name, align) -> text.add(".extern .shared .align %d .b8 %s[];".formatted(align, name)));
        for (PtxKernel kernel : kernels) {
            text.add("");
            text.add(kernel.text());
        }
        return text.toString();
    }

    @Override
    public String toString() {
        return text();
    }
}
