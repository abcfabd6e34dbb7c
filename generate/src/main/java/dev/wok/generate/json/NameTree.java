package dev.wok.generate.json;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/// The names that a schema declares, as a tree of the bytes that write them, quotes included.
final class NameTree {
    static final int ROOT = 0;

    private final List<Branch> branches = new ArrayList<>();

    private static final class Branch {
        private byte[] labels = {};
        private int[] children = {};
        private final List<Integer> names = new ArrayList<>();
        private int name = -1;
    }

    /// @param names in the order of the schema
    NameTree(List<String> names) {
        branches.add(new Branch());
        for (int i = 0; i < names.size(); i++) {
            byte[] text = JsonText.of(names.get(i)).getBytes(StandardCharsets.UTF_8);
            int at = ROOT;
            for (int j = 1; j < text.length; j++) {
                at = grown(at, text[j]);
                branches.get(at).names.add(i);
            }
            branches.get(at).name = i;
        }
    }

    private int grown(int at, byte label) {
        int known = child(at, label & 0xFF);
        if (known >= 0) {
            return known;
        }
        Branch branch = branches.get(at);
        branch.labels = Arrays.copyOf(branch.labels, branch.labels.length + 1);
        branch.labels[branch.labels.length - 1] = label;
        branch.children = Arrays.copyOf(branch.children, branch.labels.length);
        branch.children[branch.labels.length - 1] = branches.size();
        branches.add(new Branch());
        return branches.size() - 1;
    }

    /// @return a place in the tree, or a negative number
    int child(int at, int b) {
        Branch branch = branches.get(at);
        for (int i = 0; i < branch.labels.length; i++) {
            if (branch.labels[i] == (byte) b) {
                return branch.children[i];
            }
        }
        return -1;
    }

    /// @return whether one of the names from one number to another goes on at a place
    boolean leads(int at, int first, int last) {
        List<Integer> names = branches.get(at).names;
        int found = Collections.binarySearch(names, first);
        int next = found < 0 ? -found - 1 : found;
        return next < names.size() && names.get(next) <= last;
    }

    /// @return the name that ends at a place, or a negative number
    int name(int at) {
        return branches.get(at).name;
    }
}
