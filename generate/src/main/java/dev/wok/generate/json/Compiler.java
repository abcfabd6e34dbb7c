package dev.wok.generate.json;

import dev.wok.notice.BadInput;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// From schemas to nodes. A node stands for schemas that hold together, and what is in it for others that
/// do: since there are only so many sets of schemas, this ends for schemas that refer to each other, too.
final class Compiler {
    private static final int MOST_PARTS = 400_000;
    private static final Node NOTHING = new Node("nothing");

    private final SchemaReader reader;
    private final Combinations combinations;
    private final Budget budget = new Budget();
    private final Strings strings = new Strings(budget);
    private final Numbers numbers = new Numbers(budget);
    private final Map<Both, Node> nodes = new HashMap<>();
    private final Deque<Both> todo = new ArrayDeque<>();
    private final Map<JsonNode, Both> constants = new IdentityHashMap<>();
    private final SequencedMap<Combinations.Apart, Node> apart = new LinkedHashMap<>();
    private final Both nothing;
    private int parts;

    private Compiler(SchemaReader reader) {
        this.reader = reader;
        combinations = new Combinations(reader);
        nothing = Both.of(reader.nothing("nothing"));
    }

    /// @param json a schema
    /// @return the node of its values, of which there are some
    /// @throws BadInput where it is malformed, not supported or allows nothing
    static Node compile(String json) {
        SchemaReader reader = SchemaReader.of(json);
        return new Compiler(reader).root(reader.root());
    }

    private Node root(Schema schema) {
        Node root = node(Both.of(schema));
        while (!todo.isEmpty()) {
            Both next = todo.remove();
            build(next, node(next));
            for (Combinations.Apart pair : combinations.takeApart()) {
                Both both = Both.of(pair.of().alone(reader.number()))
                        .and(Both.of(pair.first()))
                        .and(Both.of(pair.second()));
                apart.put(pair, node(both));
            }
        }
        Heights.settle(nodes.values());
        apart.forEach((pair, node) -> {
            if (node.height() != Node.ENDLESS) {
                throw pair.refusal();
            }
        });
        Heights.requireFinite(root);
        return root;
    }

    private Node node(Both schemas) {
        Node known = nodes.get(schemas);
        if (known != null) {
            return known;
        }
        if (nodes.size() == SchemaReader.MOST) {
            throw new BadInput("the schema has more than %d parts when they are combined.".formatted(nodes.size()));
        }
        String place = schemas.schemas().isEmpty()
                ? "any value"
                : schemas.schemas().getFirst().place();
        Node node = new Node(place);
        nodes.put(schemas, node);
        todo.add(schemas);
        return node;
    }

    private void build(Both schemas, Node node) {
        Set<String> literals = new LinkedHashSet<>();
        Set<Shape> shapes = new LinkedHashSet<>();
        for (Both choice : combinations.of(schemas)) {
            Merged merged = Merged.of(choice);
            count(1
                    + merged.items().first().size()
                    + merged.members().declared().size());
            if (merged.values().isPresent()) {
                for (JsonNode value : merged.values().get()) {
                    constant(node.place(), merged, value, literals, shapes);
                }
            } else {
                free(node.place(), merged, literals, shapes);
            }
        }
        if (!literals.isEmpty()) {
            try {
                node.shapes().add(new ScalarShape(budget.spend(Literals.of(literals))));
            } catch (Excess e) {
                throw new BadInput("%s lists values that are too long together.".formatted(node.place()), e);
            }
        }
        node.shapes().addAll(shapes);
    }

    private void count(int more) {
        parts += more;
        if (parts > MOST_PARTS) {
            throw new BadInput("the schema has more than %d parts when they are combined.".formatted(MOST_PARTS));
        }
    }

    private void constant(String place, Merged merged, JsonNode value, Set<String> literals, Set<Shape> shapes) {
        if (!merged.types().contains(Type.of(value))) {
            return;
        }
        boolean allowed = switch (Type.of(value)) {
            case NULL, BOOLEAN -> true;
            case INTEGER, FRACTION -> merged.range().contains(value.decimalValue());
            case STRING -> strings.allow(place, merged.text(), value.stringValue());
            case ARRAY -> {
                array(merged.items().and(items(place, value)), shapes);
                yield false;
            }
            case OBJECT -> {
                object(place, merged.members().and(members(place, value)), shapes);
                yield false;
            }
        };
        if (allowed) {
            literals.add(JsonText.of(value));
        }
    }

    private Items items(String place, JsonNode value) {
        List<Both> first =
                value.valueStream().map(element -> constant(place, element)).toList();
        return new Items(first, nothing, value.size(), value.size());
    }

    private Members members(String place, JsonNode value) {
        SequencedMap<String, Both> declared = new LinkedHashMap<>();
        value.properties().forEach(entry -> declared.put(entry.getKey(), constant(place, entry.getValue())));
        return new Members(declared, new LinkedHashSet<>(declared.keySet()), nothing, 0, ArrayShape.MANY);
    }

    private Both constant(String place, JsonNode value) {
        return constants.computeIfAbsent(value, v -> Both.of(reader.listing(place, List.of(v))));
    }

    private void free(String place, Merged merged, Set<String> literals, Set<Shape> shapes) {
        for (Type type : merged.types()) {
            switch (type) {
                case NULL -> literals.add("null");
                case BOOLEAN -> literals.addAll(List.of("true", "false"));
                case INTEGER ->
                    numbers.shape(place, merged.types(), merged.range()).ifPresent(shapes::add);
                case FRACTION -> {}
                case STRING -> strings.shape(place, merged.text()).ifPresent(shapes::add);
                case ARRAY -> array(merged.items(), shapes);
                case OBJECT -> object(place, merged.members(), shapes);
            }
        }
    }

    private void array(Items items, Set<Shape> shapes) {
        if (items.min() > items.max()) {
            return;
        }
        List<Node> first = new ArrayList<>();
        for (Both element : items.first()) {
            if (first.size() < items.max()) {
                first.add(node(element));
            }
        }
        Node rest = items.max() > first.size() ? node(items.rest()) : NOTHING;
        shapes.add(new ArrayShape(List.copyOf(first), rest, items.min(), items.max()));
    }

    private void object(String place, Members members, Set<Shape> shapes) {
        boolean impossible = members.min() > members.max()
                || members.required().size() > members.max()
                || members.required().stream().anyMatch(name -> isPlainlyEmpty(members.member(name)));
        if (impossible) {
            return;
        }
        SequencedMap<String, Both> named = new LinkedHashMap<>(members.declared());
        members.required().forEach(name -> named.putIfAbsent(name, members.other()));
        boolean closed = isPlainlyEmpty(members.other());
        if (!closed && members.min() > members.required().size() + Names.MOST) {
            throw new BadInput("%s has minProperties %d, expected at most %d more than are required."
                    .formatted(place, members.min(), Names.MOST));
        }
        List<Fields.Field> fields = new ArrayList<>();
        named.forEach((name, member) -> fields.add(
                new Fields.Field(name, node(member), members.required().contains(name))));
        Node other = closed ? NOTHING : node(members.other());
        shapes.add(new ObjectShape(fields, other, members.min(), members.max()));
    }

    private boolean isPlainlyEmpty(Both schemas) {
        return combinations.of(schemas).stream().map(Merged::of).allMatch(Merged::isPlainlyEmpty);
    }
}
