package dev.wok.generate.json;

import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Objects.
final class ObjectShape implements Shape {
    private final List<Fields.Field> fields;
    private final Node other;
    private final int min;
    private final int max;
    private final Set<Bytes> declared;
    private final AtomicReferenceArray<Fields> fitting = new AtomicReferenceArray<>(Node.LEVELS + 1);

    /// @param fields the declared members, in order
    /// @param other all other members
    /// @param max [ArrayShape#MANY] where it is not bounded
    ObjectShape(List<Fields.Field> fields, Node other, int min, int max) {
        this.fields = List.copyOf(fields);
        this.other = other;
        this.min = min;
        this.max = max;
        declared = fields.stream().map(field -> Bytes.of(field.name())).collect(Collectors.toUnmodifiableSet());
    }

    @Override
    public int height() {
        int needed = (int) fields.stream().filter(Fields.Field::required).count();
        int highest = fields.stream()
                .filter(Fields.Field::required)
                .mapToInt(field -> field.node().height())
                .max()
                .orElse(0);
        if (needed > max || min > max) {
            return Node.ENDLESS;
        }
        if (min > needed) {
            IntStream optional = fields.stream()
                    .filter(field -> !field.required())
                    .mapToInt(field -> field.node().height());
            IntStream others = IntStream.generate(other::height).limit(Names.MOST);
            int last = IntStream.concat(optional, others)
                    .sorted()
                    .skip(min - needed - 1L)
                    .findFirst()
                    .orElse(Node.ENDLESS);
            highest = Math.max(highest, last);
        }
        return Node.above(highest);
    }

    @Override
    public Stream<Node> inner() {
        return Stream.concat(fields.stream().map(Fields.Field::node), Stream.of(other));
    }

    @Override
    public Stream<Node> needed() {
        return fields.stream().filter(Fields.Field::required).map(Fields.Field::node);
    }

    @Override
    public void start(int b, int room, Stack below, Steps out) {
        if (b == '{') {
            out.add(below.push(ObjectFrame.begun(fields(room), room)));
        }
    }

    private Fields fields(int room) {
        Fields known = fitting.get(room);
        if (known == null) {
            known = fit(room);
            fitting.set(room, known);
        }
        return known;
    }

    private Fields fit(int room) {
        int highest = inner().mapToInt(Node::height)
                .filter(height -> height < Node.LEVELS)
                .max()
                .orElse(0);
        if (highest + 1 < room) {
            return fields(highest + 1);
        }
        List<Fields.Field> fit =
                fields.stream().filter(field -> field.node().height() < room).toList();
        return new Fields(fit, other, other.height() < room, min, max, declared);
    }
}
