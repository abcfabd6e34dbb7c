package dev.wok.generate.json;

import dev.wok.notice.BadInput;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// How flat the flattest value of each node is: what has no finite value stays without a height.
final class Heights {
    private Heights() {}

    static void settle(Collection<Node> nodes) {
        Map<Node, List<Node>> users = new IdentityHashMap<>();
        for (Node node : nodes) {
            node.shapes().stream()
                    .flatMap(Shape::inner)
                    .forEach(inner ->
                            users.computeIfAbsent(inner, _ -> new ArrayList<>()).add(node));
        }
        Deque<Node> todo = new ArrayDeque<>(nodes);
        Set<Node> waiting = new HashSet<>(nodes);
        while (!todo.isEmpty()) {
            Node node = todo.remove();
            waiting.remove(node);
            if (node.settle()) {
                for (Node user : users.getOrDefault(node, List.of())) {
                    if (waiting.add(user)) {
                        todo.add(user);
                    }
                }
            }
        }
    }

    /// @throws BadInput where a node has no value that nests within the bound
    static void requireFinite(Node root) {
        if (root.height() == Node.ENDLESS) {
            throw new BadInput("no value satisfies %s.".formatted(cause(root).place()));
        }
        if (root.height() > Node.LEVELS) {
            throw new BadInput("every value of %s nests deeper than %d levels.".formatted(root.place(), Node.LEVELS));
        }
    }

    /// @return the innermost of what cannot be
    private static Node cause(Node root) {
        Set<Node> seen = new HashSet<>();
        Node at = root;
        while (seen.add(at) && at.shapes().size() == 1) {
            Node outer = at;
            at = at.shapes()
                    .getFirst()
                    .needed()
                    .filter(inner -> inner.height() == Node.ENDLESS)
                    .findFirst()
                    .orElse(outer);
        }
        return at;
    }
}
