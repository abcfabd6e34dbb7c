package dev.wok.generate.json;

import java.util.List;
import java.util.Set;

/// The members that an object can have where it may take so many levels of nesting: the declared ones in
/// their order, then others.
///
/// Of the members that may come next, each leaves a way to the object's end: all that are required can
/// follow, and there will be enough and not too many.
final class Fields {
    /// One declared member.
    record Field(String name, Node node, boolean required) {}

    private final List<Field> fields;
    private final Node other;
    private final boolean open;
    private final int min;
    private final int max;
    private final Set<Bytes> declared;
    private final NameTree tree;

    /// How many are required from a place on, and where the next of these is.
    private final int[] required;

    private final int[] nextRequired;

    /// @param fields which can be
    /// @param other the others
    /// @param open whether there can be others
    /// @param declared the names that no other has
    Fields(List<Field> fields, Node other, boolean open, int min, int max, Set<Bytes> declared) {
        this.fields = fields;
        this.other = other;
        this.open = open;
        this.min = min;
        this.max = max;
        this.declared = declared;
        tree = new NameTree(fields.stream().map(Field::name).toList());
        int size = fields.size();
        required = new int[size + 1];
        nextRequired = new int[size + 1];
        nextRequired[size] = size;
        for (int i = size - 1; i >= 0; i--) {
            boolean needed = fields.get(i).required();
            required[i] = required[i + 1] + (needed ? 1 : 0);
            nextRequired[i] = needed ? i : nextRequired[i + 1];
        }
    }

    NameTree tree() {
        return tree;
    }

    int size() {
        return fields.size();
    }

    /// @param index a field's, or a negative number for another member
    Node node(int index) {
        return index < 0 ? other : fields.get(index).node();
    }

    boolean isDeclared(Bytes name) {
        return declared.contains(name);
    }

    /// @return whether it declares a name that begins so
    boolean declares(Bytes beginning) {
        return declared.stream().anyMatch(name -> name.startsWith(beginning));
    }

    /// @return the count, or one with which all goes on alike
    int counted(int count) {
        return max == ArrayShape.MANY ? Math.min(count, min) : count;
    }

    /// @param next the first field that can still come
    /// @param count how many members there are
    boolean closes(int next, int count) {
        return required[next] == 0 && count >= min;
    }

    private boolean optionalFits(int next, int count) {
        return count + 1 + required[next] <= max;
    }

    /// @return the first field that may come next
    int first(int next, int count) {
        return optionalFits(next, count) ? next : nextRequired[next];
    }

    /// @param others how many members are not declared
    /// @return the last field that may come next; before the first where none may
    int last(int next, int count, int others) {
        int last = Math.min(nextRequired[next], fields.size() - 1);
        long enough = (long) count + fields.size() + more(others) - min;
        return optionalFits(next, count) ? (int) Math.min(last, enough) : last;
    }

    private int more(int others) {
        return open ? Names.MOST - others : 0;
    }

    boolean takesOther(int next, int count, int others) {
        return required[next] == 0 && more(others) > 0 && count < max && count + more(others) >= min;
    }

    boolean goesOn(int next, int count, int others) {
        return takesOther(next, count, others) || first(next, count) <= last(next, count, others);
    }
}
