package dev.wok.kernel.ptx;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.GpuFacts;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Packed.Element;
import dev.wok.kernel.Routing;
import dev.wok.kernel.ptx.PackedShape.Entering;
import dev.wok.tensor.DType;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// Every module that the operations of a GPU may ask for: the grid of what there is to specialise, with
/// each tile that a search would try.
final class Emitted {
    /// A module of one kernel.
    ///
    /// @param name the group that it belongs to, and its number there
    /// @param chips that it is to be assembled for
    record Module(String name, Target target, List<String> chips, String text) {}

    private static final GpuFacts FACTS = Device.emulated().facts();
    private static final List<String> CHIPS = List.of("sm_80", "sm_89", "sm_90", "sm_100", "sm_120");
    private static final List<String> FIRST = List.of("sm_80");
    private static final List<String> PAIR = List.of("sm_80", "sm_89", "sm_90");
    private static final List<String> ADA = List.of("sm_89", "sm_120");
    private static final List<String> HOPPER = List.of("sm_90a");

    /// The shared memory that a block may ask for: sm_86 and sm_89, sm_80, sm_90.
    private static final List<Integer> SHARED = List.of(99 * 1024, 163 * 1024, 227 * 1024);

    private final List<Module> modules = new ArrayList<>();
    private final Map<String, Integer> counts = new LinkedHashMap<>();
    private String group = "";

    private Emitted() {}

    static List<Module> all() {
        Emitted emitted = new Emitted();
        emitted.groups();
        return emitted.modules;
    }

    private void groups() {
        group("operations", this::operations);
        group("products", this::products);
        group("attention", this::attention);
        group("routing", this::routing);
        group("packedProducts", this::packedProducts);
        group("productsOfE4m3", this::productsOfE4m3);
        group("productsInFloat32", this::productsInFloat32);
        group("attentionOverPages", this::attentionOverPages);
        group("productsOfHeads", this::productsOfHeads);
        group("experts", this::experts);
        group("peerRows", this::peerRows);
        group("expertsRows", this::expertsRows);
    }

    private void group(String name, Runnable writes) {
        group = name;
        writes.run();
    }

    private void add(Target target, List<String> chips, Consumer<PtxKernel> code) {
        String name = "%s %d".formatted(group, counts.merge(group, 1, Integer::sum));
        modules.add(new Module(name, target, chips, Programs.text(target, "kernel", code)));
    }

    /// Every kernel that a GPU's operations ask for.
    private void operations() {
        SortTokens.kernels().forEach(code -> add(Target.SM_80, CHIPS, code));
        ElementwisePtx.fills().forEach(code -> add(Target.SM_80, CHIPS, code));
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (int count : new int[] {1, Elements.WIDE}) {
                Elements elements = new Elements(dtype, count);
                RmsNormPtx.kernels(elements).forEach(code -> add(Target.SM_80, CHIPS, code));
                SwigluPtx.kernels(elements).forEach(code -> add(Target.SM_80, CHIPS, code));
                AdamWPtx.kernels(elements).forEach(code -> add(Target.SM_80, CHIPS, code));
                EmbeddingPtx.kernels(elements).forEach(code -> add(Target.SM_80, CHIPS, code));
                ElementwisePtx.kernels(elements).forEach(code -> add(Target.SM_80, CHIPS, code));
                LatentKeysPtx.kernels(elements).forEach(code -> add(Target.SM_80, CHIPS, code));
                RotaryPtx.kernels(elements).forEach(code -> add(Target.SM_80, CHIPS, code));
                CrossEntropyPtx.kernels(elements).forEach(code -> add(Target.SM_80, CHIPS, code));
            }
        }
    }

    private void peerRows() {
        for (int count : new int[] {1, Elements.WIDE}) {
            PeerRowsPtx.kernels(count).forEach(code -> add(Target.SM_80, CHIPS, code));
        }
    }

    /// @return every orientation, and what is stored in other ways
    private static List<Product.Form> forms() {
        List<Product.Form> forms = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            forms.add(new Product.Form(Product.Numbers.BF16, (i & 1) != 0, (i & 2) != 0, false, true));
        }
        forms.add(new Product.Form(Product.Numbers.BF16, false, false, true, true));
        forms.add(new Product.Form(Product.Numbers.BF16, false, false, true, false));
        return forms;
    }

    private void products() {
        for (Product.Form form : forms()) {
            for (ProductSm80 kernel : ProductSm80.candidates(FACTS, form)) {
                add(Target.SM_80, PAIR, kernel::write);
            }
            for (ProductSm90 kernel : ProductSm90.candidates(FACTS, form)) {
                add(Target.SM_90A, HOPPER, kernel::write);
            }
        }
    }

    private void attention() {
        attention(DType.F32, 64, 64);
        attention(DType.F32, 128, 128);
        attention(DType.F32, 192, 128);
        attention(DType.BF16, 192, 128);
        attention(DType.F32, 6, 3);
    }

    private void attention(DType dtype, int qkDim, int vDim) {
        boolean inPairs = vDim % 2 == 0;
        Elements elements = new Elements(dtype, inPairs ? Elements.WIDE : 1);
        add(Target.SM_80, CHIPS, new AttentionStatistics(elements)::write);
        add(Target.SM_80, CHIPS, new PackHeads(elements)::write);
        for (PlainAttention.Kind kind : PlainAttention.Kind.values()) {
            add(Target.SM_80, FIRST, new PlainAttention(kind, elements, true, qkDim, vDim)::write);
        }
        for (TensorAttention.Kind kind : TensorAttention.Kind.values()) {
            for (int sharedBytes : SHARED) {
                TensorAttention.candidates(kind, dtype, inPairs, qkDim, vDim, sharedBytes).stream()
                        .min(Comparator.comparingDouble(shape -> shape.cost(sharedBytes)))
                        .ifPresent(shape -> add(Target.SM_80, PAIR, shape::write));
            }
        }
        AttentionSm90.candidates(dtype, inPairs, qkDim, vDim, SHARED.getLast())
                .forEach(shape -> add(Target.SM_90A, HOPPER, shape::write));
        for (boolean ownsQueries : new boolean[] {false, true}) {
            AttentionGradientSm90.candidates(ownsQueries, dtype, inPairs, qkDim, vDim, 1, SHARED.getLast())
                    .forEach(shape -> add(Target.SM_90A, HOPPER, shape::write));
        }
    }

    private void routing() {
        List<Routing.Desc> all = List.of(
                new Routing.Desc(Routing.Scoring.SIGMOID, 256, 8, 8, 4, true, 2.5),
                new Routing.Desc(Routing.Scoring.SOFTMAX, 160, 6, 8, 3, false, 16),
                new Routing.Desc(Routing.Scoring.SOFTMAX, 64, 6, 1, 1, false, 1),
                new Routing.Desc(Routing.Scoring.SIGMOID, 512, 9, 4, 2, true, 1));
        for (Routing.Desc desc : all) {
            RoutingPtx.kernels(desc).forEach(code -> add(Target.SM_80, CHIPS, code));
            BalanceLossPtx.kernels(desc.experts(), desc.topK()).forEach(code -> add(Target.SM_80, CHIPS, code));
            new ExpertSort(desc.experts()).kernels().forEach(code -> add(Target.SM_80, CHIPS, code));
        }
    }

    private void packedProducts() {
        for (Element element : Element.values()) {
            for (Entering entering : Entering.values()) {
                boolean isWhole = entering == Entering.INT8;
                if (isWhole && !element.isWhole() || entering == Entering.BF16 && element == Element.F32) {
                    continue;
                }
                int group = element.isScaled() ? 128 : 256;
                boolean isGuarded = !element.isScaled();
                PackedShape plain = new PackedShape(element, entering, group, isGuarded, false, false, true);
                int small = element.isScaled() ? 32 : 256;
                PackedShape grouped = new PackedShape(element, entering, small, false, true, true, false);
                for (DType dtype : List.of(DType.F32, DType.BF16)) {
                    add(Target.SM_80, CHIPS, PackedEntry.of(dtype, plain)::write);
                }
                for (PackedShape shape : List.of(plain, grouped)) {
                    if (entering == Entering.F32) {
                        add(Target.SM_80, CHIPS, new PackedSum(shape)::write);
                        continue;
                    }
                    for (int rows : new int[] {1, 64}) {
                        add(Target.SM_80, CHIPS, PackedTile.choose(shape, rows)::write);
                    }
                    add(Target.SM_80, CHIPS, new PackedBlock(shape)::write);
                }
            }
        }
    }

    private void productsOfE4m3() {
        for (boolean isPaired : new boolean[] {false, true}) {
            Product.Form form = new Product.Form(Product.Numbers.E4M3, false, false, false, isPaired);
            Product.Form widened = new Product.Form(Product.Numbers.WIDENED, false, false, false, isPaired);
            ProductSm80.candidates(FACTS, widened).forEach(kernel -> add(Target.SM_80, FIRST, kernel::write));
            ProductSm80.candidates(FACTS, form).forEach(kernel -> add(Target.SM_89, ADA, kernel::write));
            ProductSm90.candidates(FACTS, form).forEach(kernel -> add(Target.SM_90A, HOPPER, kernel::write));
        }
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (int count : new int[] {1, Elements.WIDE}) {
                Elements elements = new Elements(dtype, count);
                add(Target.SM_80, CHIPS, new Fp8MatmulPtx.Quantize(elements, count > 1)::write);
            }
        }
    }

    private void productsInFloat32() {
        for (Product.Form form : forms()) {
            for (int[] size : ProductF32.sizes()) {
                for (int count : new int[] {1, Elements.WIDE}) {
                    Elements elements = new Elements(DType.F32, count);
                    Elements narrow = new Elements(DType.BF16, count);
                    ProductF32 kernel = ProductF32.of(form, elements, narrow, elements, size[0], size[1]);
                    add(Target.SM_80, PAIR, kernel::write);
                    add(Target.SM_80, FIRST, kernel.split(true)::write);
                    add(Target.SM_80, FIRST, new ProductF32.JoinChunks(elements, form.accumulates())::write);
                }
            }
        }
    }

    /// Of the largest heads, both ways to read rows, and every tile that fits a chip.
    private void attentionOverPages() {
        Elements single = new Elements(DType.F32, 1);
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (int count : new int[] {1, Elements.WIDE}) {
                Elements elements = new Elements(dtype, count);
                for (int heads : new int[] {1, PagedPlain.MOST_HEADS}) {
                    PagedPlain plain = new PagedPlain(single, elements, new Elements(dtype, 1), heads, count == 1);
                    add(Target.SM_80, CHIPS, plain::write);
                }
                add(Target.SM_80, CHIPS, new PagedCombine(elements, new Chunks(256, 4096, 16))::write);
            }
        }
        Bf16Rows copied = new Bf16Rows(DType.BF16, true);
        for (Bf16Rows rows : List.of(copied, new Bf16Rows(DType.F32, true), new Bf16Rows(DType.F32, false))) {
            List<PagedSm80> latent = paged(rows, true, 128, 576, 512);
            List<PagedSm80> grouped = paged(rows, false, 8, 128, 128);
            for (PagedSm80 shape : rows.equals(copied) ? latent : latent.subList(0, 1)) {
                add(Target.SM_80, PAIR, shape::write);
            }
            PagedSm90 large = PagedSm90.choose(copied, rows, 576, 512, Chunks.of(512), EmulatedGpu.MOST_SHARED)
                    .orElseThrow();
            add(Target.SM_90A, HOPPER, large::write);
            for (PagedSm80 shape : rows.equals(copied) ? grouped : grouped.subList(0, 1)) {
                add(Target.SM_80, PAIR, shape::write);
            }
        }
    }

    private static List<PagedSm80> paged(Bf16Rows rows, boolean isLatent, int share, int qkDim, int vDim) {
        return PagedSm80.candidates(
                rows, rows, rows, isLatent, share, qkDim, vDim, Chunks.of(512), EmulatedGpu.MOST_SHARED);
    }

    private void productsOfHeads() {
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (HeadProduct.Layout layout : HeadProduct.Layout.values()) {
                add(Target.SM_80, CHIPS, new HeadProductPlain(layout, dtype, DType.F32, DType.F32)::write);
                Bf16Rows rows = new Bf16Rows(dtype, true);
                for (int tokens : new int[] {8, 32}) {
                    DType weight = layout == HeadProduct.Layout.PANELS ? DType.BF16 : dtype;
                    add(Target.SM_80, CHIPS, new HeadProductSm80(layout, weight, rows, dtype, tokens)::write);
                }
            }
        }
    }

    private void experts() {
        Elements one = new Elements(DType.BF16, 1);
        Elements pair = new Elements(DType.F32, 2);
        Elements wide = new Elements(DType.F32, Elements.WIDE);
        GpuFacts chip = Device.emulated().facts();
        for (ExpertProduct what : ExpertProduct.values()) {
            for (int rows : what.isGradient() ? new int[] {1} : new int[] {1, 64, 4096}) {
                add(Target.SM_80, CHIPS, GroupedFma.choose(what, rows, 8, wide, wide, wide)::write);
                add(Target.SM_80, CHIPS, GroupedFma.choose(what, rows, 6, one, one, one)::write);
            }
            for (Elements out : List.of(one, pair)) {
                GroupedMma.candidates(chip, what, 8, out).forEach(kernel -> add(Target.SM_80, CHIPS, kernel::write));
                GroupedWgmma.candidates(chip, what, 6, out)
                        .forEach(kernel -> add(Target.SM_90A, HOPPER, kernel::write));
            }
        }
    }

    private void expertsRows() {
        Elements single = new Elements(DType.F32, 1);
        for (DType dtype : List.of(DType.F32, DType.BF16)) {
            for (int count : new int[] {1, Elements.WIDE}) {
                Elements elements = new Elements(dtype, count);
                for (boolean is : new boolean[] {false, true}) {
                    add(Target.SM_80, CHIPS, new CombineRows(elements, is)::write);
                }
                add(Target.SM_80, CHIPS, new GatherRows(elements, elements.as(DType.BF16))::write);
            }
            add(Target.SM_80, CHIPS, new GatherRows(single, single)::write);
            add(Target.SM_80, CHIPS, new AddParts(new Elements(dtype, 1))::write);
        }
    }
}
