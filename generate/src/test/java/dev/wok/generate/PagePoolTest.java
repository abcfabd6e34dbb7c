package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Against a cache that is an array of ids: whatever happens, a sequence finds its own text in its pages.
class PagePoolTest {
    private static final int PAGE = 4;

    /// What the pages of a cache hold, and the sequences that read and write them.
    private static final class Naive {
        final int[][] cache;
        final PagePool pool;
        final List<Sequence> sequences = new ArrayList<>();
        final Rng rng;
        final @Nullable PageFolder folder;
        int kept;
        long draws;
        long number;

        Naive(int pages, Rng rng, @Nullable PageFolder folder) {
            this.rng = rng;
            this.folder = folder;
            cache = new int[pages][PAGE];
            for (int[] page : cache) {
                Arrays.fill(page, -1);
            }
            pool = new PagePool(pages, PAGE, folder);
        }

        int draw(int bound) {
            return rng.below(draws++, bound);
        }

        /// Few ids, so that texts often begin alike.
        void come() {
            int length = 1 + draw(22);
            int[] text = new int[length];
            for (int i = 0; i < length; i++) {
                text[i] = draw(8) == 0 ? draw(3) : i % 2;
            }
            Sequence sequence = new Sequence(number++, 0, text);
            sequence.table = new Table();
            sequences.add(sequence);
            adopt(sequence);
        }

        void adopt(Sequence sequence) {
            for (PagePool.Filling filling : pool.adopt(sequence.table(), sequence.text(), sequence.length() - 1)) {
                switch (filling) {
                    case PagePool.Copy(int from, int to, int tokens) ->
                        System.arraycopy(cache[from], 0, cache[to], 0, tokens);
                    case PagePool.Kept(MemorySegment contents, int to) -> {
                        Arrays.setAll(cache[to], i -> contents.get(ValueLayout.JAVA_BYTE, i));
                        kept++;
                    }
                }
            }
        }

        private static MemorySegment bytes(int... ids) {
            byte[] bytes = new byte[PAGE];
            for (int i = 0; i < PAGE; i++) {
                bytes[i] = (byte) ids[i];
            }
            return MemorySegment.ofArray(bytes);
        }

        void read(Sequence sequence) {
            int count = Math.min(sequence.unread(), 1 + draw(9));
            if (count == 0) {
                sequence.add(draw(2));
                count = 1;
            }
            Table table = sequence.table();
            int from = table.tokens();
            int available = pool.available();
            boolean fits = pool.pagesOf(from + count) - table.pages.size() <= available;
            assertEquals(count <= pool.room(table), fits);
            assertEquals(fits, pool.reserve(table, count));
            if (!fits) {
                assertEquals(available, pool.available());
                return;
            }
            if (draw(20) == 0) {
                leave(sequence);
                return;
            }
            for (int i = from; i < from + count; i++) {
                cache[table.numbers()[i / PAGE]][i % PAGE] = sequence.text()[i];
            }
            for (Page page : pool.note(table, sequence.text(), from, count)) {
                if (folder != null) {
                    folder.keep(page.key, page.ids, () -> bytes(cache[page.number]));
                }
            }
        }

        void leave(Sequence sequence) {
            pool.release(sequence.table());
            assertEquals(0, sequence.table().numbers().length);
            sequences.remove(sequence);
        }

        void step() {
            int choice = draw(10);
            if (sequences.isEmpty() || choice < 3 && sequences.size() < 6) {
                come();
                return;
            }
            Sequence sequence = sequences.get(draw(sequences.size()));
            if (choice < 5) {
                leave(sequence);
            } else if (choice == 5) {
                adopt(sequence);
            } else {
                read(sequence);
            }
        }

        void check() {
            for (Sequence sequence : sequences) {
                Table table = sequence.table();
                int[] found = new int[table.tokens()];
                for (int i = 0; i < found.length; i++) {
                    found[i] = cache[table.numbers()[i / PAGE]][i % PAGE];
                }
                assertArrayEquals(Arrays.copyOf(sequence.text(), found.length), found);
            }
            checkTree();
        }

        void checkTree() {
            Map<Page, Integer> users = new HashMap<>();
            for (Sequence sequence : sequences) {
                Page parent = pool.root();
                for (Page page : sequence.table().pages) {
                    users.merge(page, 1, Integer::sum);
                    assertEquals(parent, page.parent);
                    parent = page;
                }
            }
            BitSet seen = new BitSet();
            for (int number : pool.free()) {
                assertFalse(seen.get(number), "page %d is free twice".formatted(number));
                seen.set(number);
            }
            int unused = walk(pool.root(), users, seen);
            assertEquals(cache.length, seen.cardinality(), "a page was lost");
            assertEquals(pool.free().length + unused, pool.available());
            users.forEach((page, count) -> assertTrue(page.isFull() || count == 1, "a page that is written is shared"));
        }

        /// @return pages below that nobody uses
        int walk(Page parent, Map<Page, Integer> users, BitSet seen) {
            List<Page> children = new ArrayList<>(parent.full.values());
            children.addAll(parent.partial);
            int unused = 0;
            for (Page page : children) {
                assertFalse(seen.get(page.number), "page %d is in two places".formatted(page.number));
                seen.set(page.number);
                assertEquals(parent, page.parent);
                assertEquals(users.getOrDefault(page, 0), page.users);
                assertTrue(parent == pool.root() || parent.users >= page.users);
                assertEquals(page.users == 0 && page.isLeaf(), pool.isIdle(page));
                assertEquals(page.isFull(), parent.full.containsValue(page));
                assertArrayEquals(Arrays.copyOf(page.ids, page.count), Arrays.copyOf(cache[page.number], page.count));
                unused += page.users == 0 ? 1 : 0;
                unused += walk(page, users, seen);
            }
            return unused;
        }
    }

    @Test
    void aHundredThousandRandomOperationsKeepEveryInvariant() {
        int operations = 0;
        for (int pages : new int[] {3, 7, 12, 40, 200}) {
            Naive naive = new Naive(pages, Seeds.rng("pages " + pages), null);
            for (int i = 0; i < 20_000; i++, operations++) {
                naive.step();
                naive.check();
            }
            List.copyOf(naive.sequences).forEach(naive::leave);
            naive.check();
            assertEquals(pages, naive.pool.available());
            naive.pool.forget();
            assertEquals(pages, naive.pool.free().length);
        }
        assertEquals(100_000, operations);
    }

    /// Engines come and go, files stay, but for those that there is no room for.
    @Test
    void pagesThatAreKeptInFilesAreOnesOwnToo(@TempDir Path folder) {
        Engine.Disk disk = new Engine.Disk(folder, 50 * (24 + 5 * PAGE), Progress.silent());
        int kept = 0;
        for (int i = 0; i < 12; i++) {
            PageFolder files = new PageFolder(disk, "a", PAGE, PAGE);
            assertTrue(files.files().size() <= 50);
            Naive naive = new Naive(i % 3 == 0 ? 7 : 30, Seeds.rng("kept " + i), files);
            for (int n = 0; n < 500; n++) {
                naive.step();
                naive.check();
            }
            kept += naive.kept;
        }
        assertTrue(kept > 200, kept + " pages came from files");
    }

    @Test
    void whatWasUsedLongestAgoGoesFirst() {
        PagePool pool = new PagePool(3, 2);
        Table first = read(pool, 1, 2);
        Table second = read(pool, 3, 4);
        pool.release(first);
        pool.release(second);
        pool.release(read(pool, 1, 2));
        Table other = read(pool, 5, 6, 7, 8);
        assertEquals(1, pool.available());
        Table known = new Table();
        pool.adopt(known, new int[] {1, 2, 9}, 2);
        assertEquals(2, known.tokens());
        Table evicted = new Table();
        pool.adopt(evicted, new int[] {3, 4, 9}, 2);
        assertEquals(0, evicted.tokens());
        assertFalse(pool.reserve(known, 2));
        pool.release(other);
        assertTrue(pool.reserve(known, 2));
    }

    private static Table read(PagePool pool, int... text) {
        Table table = new Table();
        pool.adopt(table, text, text.length);
        assertTrue(pool.reserve(table, text.length - table.tokens()));
        pool.note(table, text, table.tokens(), text.length - table.tokens());
        return table;
    }
}
