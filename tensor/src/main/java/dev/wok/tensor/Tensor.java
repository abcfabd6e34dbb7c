package dev.wok.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// A rectangular array of numbers over memory that somebody else owns: an element type, sizes, strides and a memory
/// segment. Views ([#slice], [#select], [#reshape]) share the memory.
///
/// The memory of another device is a segment of length zero at that device's address: shapes and views work, and a
/// host that tries to read it gets an [IndexOutOfBoundsException] instead of somebody else's bytes.
public final class Tensor {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;

    private final DType dtype;
    private final long[] shape;
    private final long[] strides;
    private final MemorySegment memory;

    private Tensor(DType dtype, long[] shape, long[] strides, MemorySegment memory) {
        this.dtype = dtype;
        this.shape = shape;
        this.strides = strides;
        this.memory = memory;
    }

    /// A contiguous tensor over existing memory.
    ///
    /// @param memory begins with the first element; either long enough, or empty (another device's)
    public static Tensor of(MemorySegment memory, DType dtype, long... shape) {
        long bytes = Math.multiplyExact(Shape.elements(shape), dtype.bytes());
        if (memory.byteSize() != 0 && memory.byteSize() < bytes) {
            throw new IllegalArgumentException("memory holds %d bytes, a tensor %s of %s needs %d"
                    .formatted(memory.byteSize(), Shape.text(shape), dtype, bytes));
        }
        long[] strides = new long[shape.length];
        long stride = 1;
        for (int i = shape.length - 1; i >= 0; i--) {
            strides[i] = stride;
            stride *= shape[i];
        }
        return new Tensor(dtype, shape.clone(), strides, memory);
    }

    /// A contiguous host tensor of zeros, aligned to 64 bytes.
    public static Tensor allocate(Arena arena, DType dtype, long... shape) {
        long bytes = Math.multiplyExact(Shape.elements(shape), dtype.bytes());
        return of(arena.allocate(Math.max(bytes, 1), 64), dtype, shape);
    }

    /// A host vector of these values, `[values.length]`, F32, that lives as long as it is reachable.
    public static Tensor of(float... values) {
        Tensor tensor = allocate(Arena.ofAuto(), DType.F32, values.length);
        Copies.floats(values, 0, tensor.memory, 0, values.length);
        return tensor;
    }

    /// A host vector of these values, `[values.length]`, I32, that lives as long as it is reachable.
    public static Tensor of(int... values) {
        Tensor tensor = allocate(Arena.ofAuto(), DType.I32, values.length);
        Copies.ints(values, 0, tensor.memory, 0, values.length);
        return tensor;
    }

    public DType dtype() {
        return dtype;
    }

    /// @return the number of dimensions
    public int rank() {
        return shape.length;
    }

    /// @return the size of dimension `i`
    public long dim(int i) {
        return shape[i];
    }

    /// @return the size of dimension `i`, where it must fit an int
    public int size(int i) {
        return Math.toIntExact(shape[i]);
    }

    /// @return how many elements lie between neighbours along dimension `i`
    public long stride(int i) {
        return strides[i];
    }

    /// @return a copy of the sizes
    public long[] shape() {
        return shape.clone();
    }

    public long elements() {
        return Shape.elements(shape);
    }

    /// @return the bytes that the elements take where they lie without gaps
    public long bytes() {
        return elements() * dtype.bytes();
    }

    /// @return the memory, beginning with the first element
    public MemorySegment memory() {
        return memory;
    }

    /// @return whether the elements lie in row order without gaps
    public boolean isContiguous() {
        long stride = 1;
        boolean adjacent = true;
        for (int i = shape.length - 1; i >= 0; i--) {
            adjacent &= shape[i] == 1 || strides[i] == stride;
            stride *= shape[i];
        }
        return adjacent || stride == 0;
    }

    /// @return the same elements under other sizes; this tensor must be contiguous
    public Tensor reshape(long... sizes) {
        if (!isContiguous() || Shape.elements(sizes) != elements()) {
            throw new IllegalArgumentException("cannot see %s as %s".formatted(this, Shape.text(sizes)));
        }
        return of(memory, dtype, sizes);
    }

    /// @return the view of indices `from` (inclusive) to `to` (exclusive) of a dimension
    public Tensor slice(int dimension, long from, long to) {
        if (from < 0 || to < from || to > shape[dimension]) {
            throw new IndexOutOfBoundsException(
                    "slice %d..%d of dimension %d of %s".formatted(from, to, dimension, this));
        }
        long[] sizes = shape.clone();
        sizes[dimension] = to - from;
        boolean empty = Shape.elements(sizes) == 0;
        return new Tensor(dtype, sizes, strides, empty ? memory : after(from * strides[dimension] * dtype.bytes()));
    }

    /// @return the view of one index of a dimension, which disappears
    public Tensor select(int dimension, long index) {
        Tensor slice = slice(dimension, index, index + 1);
        long[] sizes = new long[shape.length - 1];
        long[] steps = new long[shape.length - 1];
        for (int i = 0, j = 0; i < shape.length; i++) {
            if (i != dimension) {
                sizes[j] = shape[i];
                steps[j++] = strides[i];
            }
        }
        return new Tensor(dtype, sizes, steps, slice.memory);
    }

    /// Splits one dimension in two, `[.., a * b, ..]` to `[.., a, b, ..]`; works on any strides.
    ///
    /// @param dimension which one
    /// @param inner the size of the second of the two
    public Tensor split(int dimension, long inner) {
        if (inner <= 0 || shape[dimension] % inner != 0) {
            throw new IllegalArgumentException(
                    "cannot split dimension %d of %s by %d".formatted(dimension, this, inner));
        }
        long[] sizes = new long[shape.length + 1];
        long[] steps = new long[shape.length + 1];
        for (int i = 0; i < shape.length; i++) {
            int j = i <= dimension ? i : i + 1;
            sizes[j] = shape[i];
            steps[j] = strides[i];
        }
        sizes[dimension] = shape[dimension] / inner;
        sizes[dimension + 1] = inner;
        steps[dimension] = strides[dimension] * inner;
        steps[dimension + 1] = strides[dimension];
        return new Tensor(dtype, sizes, steps, memory);
    }

    /// Joins a dimension and the next to one, `[.., a, b, ..]` to `[.., a * b, ..]`: what [#split]
    /// undoes.
    ///
    /// @param dimension the first of the two; there is no gap between the second's rows
    public Tensor join(int dimension) {
        int second = dimension + 1;
        if (shape[dimension] > 1 && strides[dimension] != shape[second] * strides[second]) {
            throw new IllegalArgumentException("cannot join dimension %d of %s to the next".formatted(dimension, this));
        }
        long[] sizes = new long[shape.length - 1];
        long[] steps = new long[shape.length - 1];
        for (int i = 0; i < shape.length; i++) {
            int j = i < second ? i : i - 1;
            sizes[j] = i == second ? shape[dimension] * shape[second] : shape[i];
            steps[j] = strides[i];
        }
        return new Tensor(dtype, sizes, steps, memory);
    }

    /// @return the view with two dimensions in each other's place
    public Tensor swap(int a, int b) {
        long[] sizes = shape.clone();
        long[] steps = strides.clone();
        sizes[a] = shape[b];
        sizes[b] = shape[a];
        steps[a] = strides[b];
        steps[b] = strides[a];
        return new Tensor(dtype, sizes, steps, memory);
    }

    /// @return the bytes from the first element to behind the last, gaps between rows included; 0 where there is none
    public long extent() {
        long last = 0;
        for (int i = 0; i < shape.length; i++) {
            last += (shape[i] - 1) * strides[i];
        }
        return elements() == 0 ? 0 : (last + 1) * dtype.bytes();
    }

    /// @param bytes as many at least as lie from the first element to behind the last
    /// @return the same sizes and strides over other memory
    public Tensor over(MemorySegment bytes) {
        return new Tensor(dtype, shape, strides, bytes);
    }

    private MemorySegment after(long bytes) {
        return memory.byteSize() == 0 ? MemorySegment.ofAddress(memory.address() + bytes) : memory.asSlice(bytes);
    }

    /// @return where an element lies, in elements from the first
    public long offset(long... index) {
        long offset = 0;
        for (int i = 0; i < index.length; i++) {
            offset += index[i] * strides[i];
        }
        return offset;
    }

    /// @param offset elements from the first, as [#offset] gives it
    /// @return the element, widened exactly; 64-bit integers beyond 2^53 round
    public double get(long offset) {
        return switch (dtype) {
            case F64 -> memory.get(DOUBLE, offset * 8);
            case F32 -> memory.get(FLOAT, offset * 4);
            case BF16 -> Bf16.value(memory.get(SHORT, offset * 2));
            case F16 -> Float.float16ToFloat(memory.get(SHORT, offset * 2));
            case F8_E4M3 -> E4m3.value(memory.get(ValueLayout.JAVA_BYTE, offset));
            case I64 -> memory.get(LONG, offset * 8);
            case I32 -> memory.get(INT, offset * 4);
            case I8 -> memory.get(ValueLayout.JAVA_BYTE, offset);
            case U8 -> memory.get(ValueLayout.JAVA_BYTE, offset) & 0xFF;
        };
    }

    /// @param offset elements from the first, as [#offset] gives it
    /// @param value rounded to nearest even where the type is narrower
    public void set(long offset, double value) {
        switch (dtype) {
            case F64 -> memory.set(DOUBLE, offset * 8, value);
            case F32 -> memory.set(FLOAT, offset * 4, (float) value);
            case BF16 -> memory.set(SHORT, offset * 2, Bf16.bits(Bf16.sticky(value)));
            case F16 -> memory.set(SHORT, offset * 2, Float.floatToFloat16(Bf16.sticky(value)));
            case F8_E4M3 -> memory.set(ValueLayout.JAVA_BYTE, offset, E4m3.bits(value));
            case I64 -> memory.set(LONG, offset * 8, (long) value);
            case I32 -> memory.set(INT, offset * 4, (int) value);
            case I8, U8 -> memory.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
        }
    }

    /// @param offset elements from the first
    /// @return the element of an I32 tensor
    public int getInt(long offset) {
        return memory.get(INT, offset * 4);
    }

    /// @param offset elements from the first; this tensor is I32
    public void setInt(long offset, int value) {
        memory.set(INT, offset * 4, value);
    }

    /// Copies all elements of another tensor of the same sizes, converting the type where it differs.
    public void copyFrom(Tensor source) {
        if (!Arrays.equals(shape, source.shape)) {
            throw new IllegalArgumentException("cannot copy %s into %s".formatted(source, this));
        }
        if (dtype == source.dtype && isContiguous() && source.isContiguous()) {
            Copies.bytes(source.memory, 0, memory, 0, bytes());
        } else if (rank() == 0) {
            set(0, source.get(0));
        } else if (rank() == 1) {
            for (long i = 0; i < shape[0]; i++) {
                copyElement(source, i * source.strides[0], i * strides[0]);
            }
        } else {
            for (long i = 0; i < shape[0]; i++) {
                select(0, i).copyFrom(source.select(0, i));
            }
        }
    }

    private void copyElement(Tensor source, long from, long to) {
        if (dtype == DType.I64 && source.dtype == DType.I64) {
            memory.set(LONG, to * 8, source.memory.get(LONG, from * 8));
        } else {
            set(to, source.get(from));
        }
    }

    /// @return the elements in row order, as F32
    public float[] toFloats() {
        float[] floats = new float[Math.toIntExact(elements())];
        if (dtype == DType.F32 && isContiguous()) {
            Copies.floats(memory, 0, floats, 0, floats.length);
        } else {
            of(MemorySegment.ofArray(floats), DType.F32, shape).copyFrom(this);
        }
        return floats;
    }

    /// @return the elements in row order, as I32
    public int[] toInts() {
        int[] ints = new int[Math.toIntExact(elements())];
        if (dtype == DType.I32 && isContiguous()) {
            Copies.ints(memory, 0, ints, 0, ints.length);
        } else {
            of(MemorySegment.ofArray(ints), DType.I32, shape).copyFrom(this);
        }
        return ints;
    }

    @Override
    public String toString() {
        return dtype + Shape.text(shape);
    }
}
