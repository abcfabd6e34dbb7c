package dev.wok.kernel.ptx;

import dev.wok.device.GpuFacts;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Which kernel computes which product on a GPU: chosen when sizes are first met.
final class ProductChoices {
    private static final int FEW_ROWS = 16;
    private static final int MANY_ROWS = 64;

    private record Key(Product.Form form, int m, int n, int k) {
        @Override
        public String toString() {
            return "%s %dx%dx%d".formatted(form, m, n, k);
        }
    }

    private final Programs programs;
    private final GpuFacts facts;
    private final Map<Key, ProductKernel> chosen = new ConcurrentHashMap<>();

    ProductChoices(Programs programs) {
        this.programs = programs;
        facts = programs.gpu().facts();
    }

    /// Numbers of rows that the smallest tiles do not tell apart are one, and many rows a few.
    static int rows(int m) {
        int unit = m <= MANY_ROWS ? FEW_ROWS : Math.max(MANY_ROWS, Integer.highestOneBit(m) / 4);
        return (int) Math.min(Integer.MAX_VALUE, Math.ceilDiv((long) m, unit) * unit);
    }

    /// Starts a product.
    ///
    /// @param product whose operands kernels read as they lie, `k` above 0
    void launch(Product product) {
        Key key = new Key(product.form(), rows(product.m()), product.n(), product.k());
        chosen.computeIfAbsent(key, k -> choose(k, product)).launch(programs, product);
    }

    private ProductKernel choose(Key key, Product product) {
        return programs.choose(
                "product " + key,
                ProductKernel.candidates(programs.target(), facts, key.form),
                kernel -> kernel.cost(facts, key.m, key.n, key.k),
                memory -> {
                    Product elsewhere = product.into(Programs.alike(memory, product.c()));
                    return kernel -> kernel.launch(programs, elsewhere);
                });
    }
}
