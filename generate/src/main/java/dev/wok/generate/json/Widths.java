package dev.wok.generate.json;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// In how many ways a text can be read at the same time, at most: one for each shape, times what is in it.
/// Schemas that are ambiguous within themselves have no bound.
final class Widths {
    private Widths() {}

    /// @return whether no text can be read in more ways than [Steps] keeps apart
    static boolean areFew(Node root) {
        Map<Node, List<Node>> users = new IdentityHashMap<>();
        Deque<Node> todo = new ArrayDeque<>();
        Set<Node> waiting = new HashSet<>();
        collect(root, users, todo, waiting);
        Map<Node, Integer> widths = new IdentityHashMap<>();
        while (!todo.isEmpty()) {
            Node node = todo.removeLast();
            waiting.remove(node);
            int width = width(node, widths);
            if (width > Steps.MOST / 2) {
                return false;
            }
            Integer before = widths.put(node, width);
            if (before == null || before != width) {
                for (Node user : users.getOrDefault(node, List.of())) {
                    if (waiting.add(user)) {
                        todo.add(user);
                    }
                }
            }
        }
        return true;
    }

    private static void collect(Node root, Map<Node, List<Node>> users, Deque<Node> found, Set<Node> seen) {
        Deque<Node> todo = new ArrayDeque<>(List.of(root));
        seen.add(root);
        while (!todo.isEmpty()) {
            Node node = todo.remove();
            found.add(node);
            node.shapes().stream().flatMap(Shape::inner).distinct().forEach(inner -> {
                users.computeIfAbsent(inner, _ -> new ArrayList<>()).add(node);
                if (seen.add(inner)) {
                    todo.add(inner);
                }
            });
        }
    }

    private static int width(Node node, Map<Node, Integer> widths) {
        int width = 0;
        for (Shape shape : node.shapes()) {
            width += Math.max(
                    1,
                    shape.inner()
                            .mapToInt(inner -> widths.getOrDefault(inner, 0))
                            .max()
                            .orElse(1));
        }
        return width;
    }
}
