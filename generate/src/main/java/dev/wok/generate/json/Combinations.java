package dev.wok.generate.json;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What a schema comes to when its references are followed and its choices made: schemas that say
/// something themselves and hold together, once for each way to choose.
final class Combinations {
    private static final int MOST = 256;
    private static final int MOST_WORK = 400_000;
    private static final int DEEPEST = 200;

    /// Two schemas of which only one may hold.
    record Apart(Schema of, Schema first, Schema second) {}

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
            result = and(schema, result, either(choices));
        }
        for (List<Schema> ones : schema.ones()) {
            result = and(schema, result, either(ones));
            tellApart(schema, ones);
        }
        open.remove(schema);
        known.put(schema, result);
        return result;
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
