package dev.wok.kernel.ptx;

import dev.wok.kernel.Dense;
import dev.wok.tensor.Tensor;

/// Matrix products in bf16 with sums in float32, by the tensor cores, of [Bf16Operands] in either
/// orientation.
final class Bf16Product {
    private final Programs programs;
    private final ProductChoices choices;

    Bf16Product(Programs programs) {
        this.programs = programs;
        choices = new ProductChoices(programs);
    }

    /// @param product with operands in F32 or BF16, `k` above 0
    void multiply(Product product) {
        multiply(product, Bf16Operands.of(programs, "Bf16Product.b", product.b()));
    }

    /// @param product whose right operand is all of a weight's values
    void multiply(Product product, Dense weight) {
        multiply(product, programs.forms().bf16(weight));
    }

    private void multiply(Product product, Tensor right) {
        choices.launch(new Product(
                Bf16Operands.of(programs, "Bf16Product.a", product.a()),
                product.turnsA(),
                right,
                product.turnsB(),
                product.c(),
                product.accumulates()));
    }
}
