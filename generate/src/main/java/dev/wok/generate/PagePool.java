package dev.wok.generate;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Who has which page of a cache, and which texts the pages hold. Pages that begin alike are shared: a text's
/// full pages are found by their ids, one below the other, and the beginning of a page is copied. Pages that
/// nobody uses are kept for texts to come, until pages are needed and it is longest ago that anyone used
/// them. Counts and ids only.
///
/* Invariants: a page is free, or in the tree, once. `users` is the number of tables that it is in; a page's parent has at
 * least its users. A page that is not full is in one table at most, and only that table's sequence writes to it. `idle` are
 * the pages in the tree without users and children.
 */
final class PagePool {
    /// What must be done to a page before anything else is written.
    sealed interface Filling {}

    /// Tokens that are known in another page.
    ///
    /// @param from the page that holds them
    /// @param to the page that they shall be copied to
    /// @param tokens how many, the first of either
    record Copy(int from, int to, int tokens) implements Filling {}

    /// A page that was kept in a file.
    ///
    /// @param contents all of its bytes
    /// @param to the page that they shall be written to
    record Kept(MemorySegment contents, int to) implements Filling {}

    private final int pageTokens;
    private final int pages;
    private final @Nullable PageFolder folder;
    private final Deque<Integer> free = new ArrayDeque<>();
    private final Page root;
    private final TreeSet<Page> idle =
            new TreeSet<>(Comparator.<Page>comparingLong(page -> page.left).thenComparingInt(page -> page.number));
    private int unused;
    private long clock;

    /// @param pages of the cache
    /// @param pageTokens tokens of a page
    PagePool(int pages, int pageTokens) {
        this(pages, pageTokens, null);
    }

    /// @param folder where further pages are found, and full ones are to be kept, or null for none
    PagePool(int pages, int pageTokens, @Nullable PageFolder folder) {
        this.pages = pages;
        this.pageTokens = pageTokens;
        this.folder = folder;
        root = new Page(-1, 0, null);
        for (int i = 0; i < pages; i++) {
            free.add(i);
        }
    }

    int pages() {
        return pages;
    }

    /// @return how many pages can be had
    int available() {
        return free.size() + unused;
    }

    /// @return how many pages nobody uses, which hold what is known
    int kept() {
        return unused;
    }

    /// @return how many pages so many tokens take
    int pagesOf(int tokens) {
        return Math.ceilDiv(tokens, pageTokens);
    }

    /// Lengthens a table by what is known of its text, as far as that goes.
    ///
    /// @param table holds whole pages, or nothing
    /// @param text of the sequence; the table holds its first tokens
    /// @param most how many of its tokens are wanted at most
    /// @return what must be done for that, in this order
    List<Filling> adopt(Table table, int[] text, int most) {
        List<Filling> fillings = new ArrayList<>();
        if (table.tokens >= most || table.tokens != table.pages.size() * pageTokens) {
            return fillings;
        }
        while (table.tokens + pageTokens <= most) {
            Page known = last(table).full.get(ids(text, table.tokens));
            if (known != null) {
                use(known);
                table.pages.add(known);
                table.tokens += pageTokens;
                continue;
            }
            Optional<Kept> kept = kept(table, text);
            if (kept.isEmpty()) {
                break;
            }
            fillings.add(kept.get());
        }
        copy(table, text, most).ifPresent(fillings::add);
        return fillings;
    }

    /// Lengthens a table by a page that is kept in a file.
    private Optional<Kept> kept(Table table, int[] text) {
        if (folder == null || available() == 0) {
            return Optional.empty();
        }
        int[] ids = ids(text, table.tokens).values();
        Optional<MemorySegment> contents = folder.find(PageFolder.key(last(table).key, ids), ids);
        return contents.map(bytes -> {
            int number = take(table).number;
            note(table, text, table.tokens, pageTokens);
            return new Kept(bytes, number);
        });
    }

    private Optional<Copy> copy(Table table, int[] text, int most) {
        Page parent = last(table);
        int common = 0;
        Page best = null;
        for (Page child :
                (Iterable<Page>) Stream.concat(parent.full.values().stream(), parent.partial.stream())::iterator) {
            int own = child.common(text, table.tokens, most);
            if (own > common || best != null && own == common && child.number < best.number) {
                common = own;
                best = child;
            }
        }
        if (best == null || common == 0) {
            return Optional.empty();
        }
        use(best);
        Optional<Page> page = available() > 0 ? Optional.of(take(table)) : Optional.empty();
        leave(best);
        if (page.isEmpty()) {
            return Optional.empty();
        }
        int number = page.get().number;
        note(table, text, table.tokens, common);
        return Optional.of(new Copy(best.number, number, common));
    }

    private Page last(Table table) {
        return table.pages.isEmpty() ? root : table.pages.getLast();
    }

    private Page.Ids ids(int[] text, int from) {
        return new Page.Ids(Arrays.copyOfRange(text, from, from + pageTokens));
    }

    /// Gives a table the pages for further tokens, all or none.
    ///
    /// @return whether there were enough
    boolean reserve(Table table, int tokens) {
        int wanted = pagesOf(table.tokens + tokens) - table.pages.size();
        if (wanted > available()) {
            return false;
        }
        for (int i = 0; i < wanted; i++) {
            take(table);
        }
        return true;
    }

    /// @return how many further tokens a table could have pages for
    int room(Table table) {
        return (table.pages.size() + available()) * pageTokens - table.tokens;
    }

    private Page take(Table table) {
        if (free.isEmpty()) {
            evict(Objects.requireNonNull(idle.pollFirst(), "there is no page to be had"));
        }
        Page parent = last(table);
        Page page = new Page(free.remove(), pageTokens, parent);
        page.users = 1;
        parent.partial.add(page);
        table.pages.add(page);
        return page;
    }

    private void evict(Page page) {
        unused--;
        Page parent = parent(page);
        if (!page.isFull() || !parent.full.remove(new Page.Ids(page.ids), page)) {
            parent.partial.remove(page);
        }
        release(page, parent);
    }

    /// Gives back a page that is out of the tree.
    private void release(Page page, Page parent) {
        free.add(page.number);
        if (parent != root && parent.users == 0 && parent.isLeaf()) {
            idle.add(parent);
        }
    }

    private static Page parent(Page page) {
        return Objects.requireNonNull(page.parent, "the root has no parent");
    }

    private void use(Page page) {
        if (page.users == 0) {
            unused--;
            idle.remove(page);
        }
        page.users++;
    }

    private void leave(Page page) {
        page.users--;
        if (page.users == 0) {
            unused++;
            page.left = ++clock;
            if (page.isLeaf()) {
                idle.add(page);
            }
        }
    }

    /// Notes that tokens were read into a table's pages.
    ///
    /// @param from the first of them, which is behind what the table holds
    /// @return pages that are full now, without those that another page holds as well
    List<Page> note(Table table, int[] text, int from, int count) {
        List<Page> full = new ArrayList<>();
        for (int i = from; i < from + count; i++) {
            int index = table.tokens / pageTokens;
            Page page = table.pages.get(index);
            page.ids[page.count++] = text[i];
            table.tokens++;
            if (page.isFull() && seal(table, index, page)) {
                full.add(page);
            }
        }
        return full;
    }

    /// Makes a full page known. Where another has the same ids already, that one is used instead.
    ///
    /// @return whether no other has
    private boolean seal(Table table, int index, Page page) {
        Page parent = parent(page);
        parent.partial.remove(page);
        Page known = parent.full.putIfAbsent(new Page.Ids(page.ids), page);
        if (known == null) {
            page.key = folder == null ? "" : PageFolder.key(parent.key, page.ids);
            return true;
        }
        use(known);
        table.pages.set(index, known);
        for (Page next : page.partial) {
            next.parent = known;
            known.partial.add(next);
        }
        release(page, parent);
        return false;
    }

    /// Takes all pages from a table. What they hold stays known.
    void release(Table table) {
        while (!table.pages.isEmpty()) {
            Page page = table.pages.removeLast();
            Page parent = parent(page);
            if (page.isFull() || page.count > 0 && !isKnown(page, parent)) {
                leave(page);
            } else {
                parent.partial.remove(page);
                release(page, parent);
            }
        }
        table.tokens = 0;
    }

    /// Whether another page holds what one that is not full does.
    private static boolean isKnown(Page page, Page parent) {
        return Stream.concat(parent.full.values().stream(), parent.partial.stream())
                .anyMatch(other -> other != page && other.common(page.ids, 0, page.count) == page.count);
    }

    /// Forgets all texts but those in use.
    void forget() {
        while (!idle.isEmpty()) {
            evict(Objects.requireNonNull(idle.pollFirst()));
        }
    }

    // ---------------------------------------------------------------------------------------------- for tests

    /// @return the root of the tree
    Page root() {
        return root;
    }

    /// @return the numbers of free pages
    int[] free() {
        return free.stream().mapToInt(Integer::intValue).toArray();
    }

    /// @return whether a page may be evicted next
    boolean isIdle(@Nullable Page page) {
        return page != null && idle.contains(page);
    }
}
