package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.device.GpuStream;
import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Embedding;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// A thread for each number of the output. For the gradient, tokens are sorted by their ids, so that
/// those of one id are neighbours in their order; whoever finds that an id begins at a place sums it.
/// An id with many tokens is summed by warps of 32 columns, which read 32 tokens ahead of the sum.
///
/// An id beyond the table reads as NaN, and its token's gradient is dropped.
final class EmbeddingPtx extends Embedding {
    /// Tokens of one id that are worth reading ahead: as many as a warp's lanes can look at.
    private static final int MANY = Sums.LANES;

    private static final int LOG_MANY = 5;

    private static final int WARPS = 4;
    private static final int MOST_ROWS = 65535;

    private final Programs programs;

    EmbeddingPtx(Programs programs) {
        this.programs = programs;
    }

    private record Gather(Elements table, Elements out) {}

    private record Few(Elements elements) {}

    private record Many(Elements elements) {}

    /// @return what writes each kernel of these elements
    static List<Consumer<PtxKernel>> kernels(Elements elements) {
        List<Consumer<PtxKernel>> all = new ArrayList<>();
        all.add(k -> gather(k, new Gather(elements, elements)));
        all.add(k -> gather(k, new Gather(elements.as(DType.BF16), elements.as(DType.F32))));
        all.add(k -> sumFew(k, elements));
        all.add(k -> sumMany(k, new Elements(elements.dtype(), 1)));
        return all;
    }

    @Override
    protected void gather(Tensor ids, Tensor table, Tensor out) {
        Elements source = Elements.of(out.size(1), table);
        Elements target = Elements.of(out.size(1), out).atMost(source);
        Gather gather = new Gather(source.atMost(target), target);
        programs.gpu().stream()
                .launch(
                        programs.get(gather, "embedding", k -> gather(k, gather)),
                        Grid.rows(out.size(0), out.size(1), target.count()),
                        ids,
                        table,
                        Elements.rowBytes(table),
                        table.size(0),
                        out,
                        Elements.rowBytes(out),
                        out.size(0),
                        out.size(1));
    }

    private static void gather(PtxKernel k, Gather gather) {
        Reg ids = k.param("ids", Type.U64);
        Reg table = k.param("table", Type.U64);
        Reg tableRow = k.param("table_row_bytes", Type.U64);
        Reg vocab = k.param("vocab", Type.U32);
        Reg out = k.param("out", Type.U64);
        Reg outRow = k.param("out_row_bytes", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg n = k.param("n", Type.U32);
        Grid.eachOfRows(k, gather.out.count(), tokens, n, (token, column) -> {
            Reg id = k.reg(Type.S32, "id");
            Reg idAt = k.reg(Type.U64, "id_at");
            k.madWide(idAt, token, Integer.BYTES, ids);
            k.ld(GLOBAL, id, idAt);
            k.comment("no token is zeros, one beyond the table not a number");
            Reg none = k.reg(Type.F32, "none");
            k.selp(none, 0f, Float.NaN, k.compare(Compare.LT, id, 0));
            Reg[] values = k.regs(Type.F32, "value", gather.out.count());
            for (Reg value : values) {
                k.mov(value, none);
            }
            Reg row = k.reg(Type.U32, "table_row");
            k.op("mov.b32", row, id);
            k.when(
                    k.compare(Compare.LT, row, vocab),
                    () -> gather.table.load(k, values, gather.table.at(k, "from", table, row, tableRow, column)));
            gather.out.store(k, gather.out.at(k, "to", out, token, outRow, column), values);
        });
    }

    @Override
    protected void scatter(Tensor ids, Tensor dOut, Tensor dTable) {
        int tokens = dOut.size(0);
        int n = dOut.size(1);
        Tensor keys = SortTokens.launch(programs, ids, dTable.size(0));
        Object[] arguments = {
            keys, tokens, dOut, Elements.rowBytes(dOut), dTable, Elements.rowBytes(dTable), n,
        };
        GpuStream stream = programs.gpu().stream();
        Elements elements = Elements.of(n, dOut, dTable);
        stream.launch(
                programs.get(new Few(elements), "embedding_gradient", k -> sumFew(k, elements)),
                Grid.rows(tokens, n, elements.count()),
                arguments);
        if (tokens > MANY) {
            Elements single = new Elements(dOut.dtype(), 1);
            int candidates = Math.ceilDiv(tokens, MANY);
            stream.launch(
                    programs.get(new Many(single), "embedding_gradient_many", k -> sumMany(k, single)),
                    Launch.of(1, WARPS * Sums.LANES)
                            .withGrid(Math.ceilDiv(n, WARPS * Sums.LANES), Math.min(candidates, MOST_ROWS), 1),
                    arguments);
        }
    }

    /// The parameters of both kernels of the gradient.
    private record Sorted(Reg keys, Reg tokens, Reg dOut, Reg dOutRow, Reg dTable, Reg dTableRow, Reg n) {
        static Sorted of(PtxKernel k) {
            return new Sorted(
                    k.param("keys", Type.U64),
                    k.param("tokens", Type.U32),
                    k.param("dout", Type.U64),
                    k.param("dout_row_bytes", Type.U64),
                    k.param("dtable", Type.U64),
                    k.param("dtable_row_bytes", Type.U64),
                    k.param("n", Type.U32));
        }

        /// Reads a place: its token and its id.
        void load(PtxKernel k, Reg token, Reg id, Reg place) {
            Reg at = k.reg(Type.U64, "key_at");
            k.madWide(at, place, Long.BYTES, keys);
            k.op("ld.global.v2.u32", vec(token, id), at.at(0));
        }

        /// `id` becomes that of a place, or [SortTokens#NONE] where there is no such place.
        void loadId(PtxKernel k, Reg id, Reg place) {
            Reg at = k.reg(Type.U64, "id_at");
            k.madWide(at, place, Long.BYTES, keys);
            Reg isPlace = k.compare(Compare.LT, place, tokens);
            k.mov(id, SortTokens.NONE);
            k.onlyIf(isPlace, () -> k.ld(GLOBAL, id, at.at(Integer.BYTES)));
        }
    }

    private static void sumFew(PtxKernel k, Elements elements) {
        Sorted sorted = Sorted.of(k);
        Grid.eachOfRows(k, elements.count(), sorted.tokens, sorted.n, (place, column) -> {
            Reg token = k.reg(Type.U32, "token");
            Reg id = k.reg(Type.U32, "id");
            Reg other = k.reg(Type.U32, "other_id");
            Reg otherPlace = k.reg(Type.U32, "other_place");
            sorted.load(k, token, id, place);
            k.continueIf(k.compare(Compare.EQ, id, SortTokens.NONE));
            k.comment("only where an id begins; before the first place lies none");
            k.sub(otherPlace, place, 1);
            sorted.loadId(k, other, otherPlace);
            k.continueIf(k.compare(Compare.EQ, id, other));
            k.add(otherPlace, place, MANY);
            sorted.loadId(k, other, otherPlace);
            k.continueIf(k.compare(Compare.EQ, id, other));

            Reg to = elements.at(k, "to", sorted.dTable, id, sorted.dTableRow, column);
            Reg[] sums = elements.load(k, "sum", to);
            Reg[] values = k.regs(Type.F32, "value", elements.count());
            Reg next = k.reg(Type.U32, "next", place);
            Reg nextId = k.reg(Type.U32, "next_id");
            k.repeatWhile(() -> {
                elements.load(k, values, elements.at(k, "from", sorted.dOut, token, sorted.dOutRow, column));
                Sums.add(k, sums, values);
                k.add(next, next, 1);
                k.breakIf(k.compare(Compare.GE, next, sorted.tokens));
                sorted.load(k, token, nextId, next);
                return k.compare(Compare.EQ, nextId, id);
            });
            elements.store(k, to, sums);
        });
    }

    /// A warp looks from every 32nd place, of which an id with more tokens has one.
    private static void sumMany(PtxKernel k, Elements elements) {
        Sorted sorted = Sorted.of(k);
        k.maxThreads(WARPS * Sums.LANES);
        BlockThread thread = BlockThread.of(k);
        Reg column = k.reg(Type.U32, "column", Special.CTAID_X);
        k.mad(column, column, WARPS * Sums.LANES, thread.number());
        Reg isInside = k.compare("is_inside", Compare.LT, column, sorted.n);
        Reg places = k.reg(Type.U32, "places");
        k.add(places, sorted.tokens, MANY - 1);
        k.shr(places, places, LOG_MANY);
        Reg group = k.reg(Type.U32, "first_group", Special.CTAID_Y);
        Reg step = k.reg(Type.U32, "group_step", Special.NCTAID_Y);
        k.loop("group", group, places, step, g -> {
            Reg place = k.reg(Type.U32, "place");
            Reg laneId = k.reg(Type.U32, "lane_id");
            Reg id = k.reg(Type.U32, "id");
            Reg other = k.reg(Type.U32, "other_id");
            Reg otherPlace = k.reg(Type.U32, "other_place");
            Reg same = k.reg(Type.B32, "same");
            Reg count = k.reg(Type.U32, "count");
            k.mul(place, g, MANY);
            sorted.loadId(k, id, place);
            k.continueIf(k.compare(Compare.EQ, id, SortTokens.NONE));

            k.comment("how many of the places before are of this id: not all 32, or an earlier place sees to it");
            k.sub(otherPlace, place, thread.lane());
            k.sub(otherPlace, otherPlace, 1);
            sorted.loadId(k, laneId, otherPlace);
            k.op("vote.sync.ballot.b32", same, k.compare(Compare.EQ, laneId, id), -1);
            k.op("popc.b32", count, same);
            k.continueIf(k.compare(Compare.EQ, count, MANY));
            k.sub(place, place, count);
            k.add(otherPlace, place, MANY);
            sorted.loadId(k, other, otherPlace);
            k.continueIf(k.compare(Compare.NE, id, other));

            Reg to = elements.at(k, "to", sorted.dTable, id, sorted.dTableRow, column);
            Reg[] sum = {k.reg(Type.F32, "sum", 0f)};
            k.when(isInside, () -> elements.load(k, sum, to));
            Reg token = k.reg(Type.U32, "token");
            Reg lanePlace = k.reg(Type.U32, "lane_place");
            k.repeatWhile(() -> {
                k.add(lanePlace, place, thread.lane());
                sorted.loadId(k, laneId, lanePlace);
                Reg isSame = k.compare("is_same", Compare.EQ, laneId, id);
                k.mov(token, 0);
                k.when(isSame, () -> sorted.load(k, token, laneId, lanePlace));
                k.op("vote.sync.ballot.b32", same, isSame, -1);
                k.op("popc.b32", count, same);
                addTokens(k, elements, sorted, sum[0], token, count, column, isInside);
                k.add(place, place, MANY);
                return k.compare(Compare.EQ, count, MANY);
            });
            k.when(isInside, () -> elements.store(k, to, sum));
        });
    }

    /// Adds the rows of the first `count` lanes' tokens, in their order, all of them read before.
    private static void addTokens(
            PtxKernel k, Elements elements, Sorted sorted, Reg sum, Reg token, Reg count, Reg column, Reg isInside) {
        Reg[] values = k.regs(Type.F32, "value", MANY);
        Reg[] isCounted = k.regs(Type.PRED, "is_counted", MANY);
        Reg row = k.reg(Type.U32, "row");
        for (int i = 0; i < MANY; i++) {
            k.shflIdx(row, token, i);
            k.setp(Compare.GT, isCounted[i], count, i);
            k.op("and.pred", isCounted[i], isCounted[i], isInside);
            Reg from = elements.at(k, "from", sorted.dOut, row, sorted.dOutRow, column);
            Reg[] value = {values[i]};
            k.onlyIf(isCounted[i], () -> elements.load(k, value, from));
        }
        for (int i = 0; i < MANY; i++) {
            Reg value = values[i];
            k.onlyIf(isCounted[i], () -> k.add(sum, sum, value));
        }
    }
}
