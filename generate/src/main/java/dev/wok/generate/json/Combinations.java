package dev.wok.generate.json;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// What a schema comes to when its references are followed and its choices made: schemas that say
/// something themselves and hold together, once for each way to choose.
final class Combinations {
    private static final int MOST = 256;
    private static final int MOST_WORK = 400_000;
    private static final int DEEPEST = 200;

    /// Two schemas of which only one may hold.
    record Apart(Schema of, Schema first, Schema second) {
        BadInput refusal() {
            return new BadInput(("%s has a oneOf of which %s and %s may both hold, which is not supported; make them"
                            + " differ in the type or in a required constant, or write anyOf.")
                    .formatted(of, first, second));
        }
    }

    private final SchemaReader reader;
    private final Map<Schema, List<Both>> known = new HashMap<>();
    private final Set<Schema> open = new HashSet<>();
    private final List<Apart> apart = new ArrayList<>();
    private int work;

    Combinations(SchemaReader reader) {
        this.reader = reader;
    }

    /// Pairs that [#of] came across since the last time, and which nobody has told apart yet.
    List<Apart> takeApart() {
        List<Apart> taken = List.copyOf(apart);
        apart.clear();
        return taken;
    }

    List<Both> of(Both schemas) {
        List<Both> result = List.of(Both.ALL);
        for (Schema schema : schemas.schemas()) {
            result = and(schema, result, of(schema));
        }
        return result;
    }

    private List<Both> of(Schema schema) {
        List<Both> result = known.get(schema);
        if (result != null) {
            return result;
        }
        if (!open.add(schema)) {
            throw new BadInput("%s refers to itself with nothing in between.".formatted(schema));
        }
        if (open.size() > DEEPEST) {
            throw new BadInput("%s is reached through more than %d references.".formatted(schema, DEEPEST));
        }
        result = List.of(Both.of(schema));
        if (schema.ref().isPresent()) {
            Schema target = reader.referred(schema, schema.ref().get());
            result = and(schema, result, of(target));
        }
        for (Schema part : schema.all()) {
            result = and(schema, result, of(part));
        }
        for (List<Schema> choices : schema.choices()) {
            result = and(schema, result, either(joined(schema, choices, false)));
        }
        for (List<Schema> ones : schema.ones()) {
            List<Schema> branches = joined(schema, ones, true);
            result = and(schema, result, either(branches));
            tellApart(schema, branches);
        }
        open.remove(schema);
        known.put(schema, result);
        return result;
    }

    /// Puts choices that only list values into one: they are often used to describe each value.
    private List<Schema> joined(Schema of, List<Schema> choices, boolean apart) {
        List<Schema> rest = new ArrayList<>();
        Map<String, JsonNode> values = new LinkedHashMap<>();
        Map<String, Schema> owners = new HashMap<>();
        for (Schema choice : choices) {
            if (choice.onlyValues().isEmpty()) {
                rest.add(choice);
            }
            for (JsonNode value : choice.onlyValues().orElse(List.of())) {
                Schema owner = owners.put(Values.key(value), choice);
                values.put(Values.key(value), value);
                if (apart && owner != null && owner != choice) {
                    throw new Apart(of, owner, choice).refusal();
                }
            }
        }
        if (choices.size() - rest.size() < 2) {
            return choices;
        }
        rest.add(reader.listing(of.place(), List.copyOf(values.values())));
        return rest;
    }

    private List<Both> either(List<Schema> choices) {
        Set<Both> result = new LinkedHashSet<>();
        choices.forEach(choice -> result.addAll(of(choice)));
        return List.copyOf(result);
    }

    private void tellApart(Schema schema, List<Schema> ones) {
        if (ones.size() * (ones.size() - 1) / 2 > SchemaReader.MOST / 4) {
            throw new BadInput("%s has a oneOf with %d branches, too many to tell apart; write anyOf."
                    .formatted(schema, ones.size()));
        }
        for (int i = 0; i < ones.size(); i++) {
            for (int j = 0; j < i; j++) {
                apart.add(new Apart(schema, ones.get(j), ones.get(i)));
            }
        }
    }

    private List<Both> and(Schema schema, List<Both> a, List<Both> b) {
        Set<Both> result = new LinkedHashSet<>();
        for (Both one : a) {
            for (Both other : b) {
                Both both = one.and(other);
                result.add(both);
                work += 1 + both.schemas().size();
                if (result.size() > MOST || work > MOST_WORK) {
                    throw new BadInput("%s can be combined in too many ways.".formatted(schema));
                }
            }
        }
        return List.copyOf(result);
    }
}
