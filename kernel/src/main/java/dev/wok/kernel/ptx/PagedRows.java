package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.PageTable;
import dev.wok.tensor.Tensor;
import java.util.List;

/// Where the rows lie that a token sees, found by a kernel in a [PageTable].
///
/// @param marks how many starts there are
/// @param pagesRow bytes from one sequence's pages to the next
/// @param most pages of a sequence
/// @param pageRows rows of a page
/// @param there how many pages the cache has
record PagedRows(
        Reg starts,
        Reg marks,
        Reg pages,
        Reg pagesRow,
        Reg sequences,
        Reg most,
        Reg pageRows,
        Reg there,
        Reg positions) {

    /// Adds the parameters that [#arguments] are for.
    static PagedRows of(PtxKernel k) {
        return new PagedRows(
                k.param("starts", Type.U64),
                k.param("marks", Type.U32),
                k.param("pages", Type.U64),
                k.param("pages_row_bytes", Type.U64),
                k.param("sequences", Type.U32),
                k.param("most_pages", Type.U32),
                k.param("page_rows", Type.U32),
                k.param("pages_there", Type.U32),
                k.param("positions", Type.U64));
    }

    /// @param cache `[pages, rows, ..]`
    static List<Object> arguments(PageTable table, Tensor positions, Tensor cache) {
        return List.of(
                table.starts(),
                table.starts().size(0),
                table.pages(),
                Elements.rowBytes(table.pages()),
                table.pages().size(0),
                table.pages().size(1),
                cache.size(1),
                cache.size(0),
                positions);
    }

    /// @return the most rows that a token can see
    static long most(PageTable table, Tensor cache) {
        return table.pages().dim(1) * cache.dim(1);
    }

    /// What a token sees.
    ///
    /// @param count how many rows; 0 where something is wrong
    /// @param pages where the numbers of their pages begin
    /// @param isBad whether no sequence has the token, or the sequence has too few pages
    record Seen(Reg count, Reg pages, Reg isBad) {}

    /// @return a new register with how many rows a token sees, if they are there
    Reg count(PtxKernel k, Reg token) {
        Reg at = k.reg(Type.U64, "position_at");
        Reg position = k.reg(Type.S32, "position");
        Reg count = k.reg(Type.U32, "rows_wanted");
        k.madWide(at, token, Integer.BYTES, positions);
        k.ld(GLOBAL, position, at);
        k.max(position, position, -1);
        k.add(count, position, 1);
        return count;
    }

    /// Looks a token up: all lanes of a warp do together.
    ///
    /// @param wanted its [#count]
    /// @param lane this thread's number in its warp
    Seen seen(PtxKernel k, Reg token, Reg wanted, Reg lane) {
        k.comment("the token's sequence: as many starts as are not behind it, less one");
        Reg sequence = k.reg(Type.U32, "sequence", 0);
        Reg at = k.reg(Type.U64, "start_at");
        Reg start = k.reg(Type.U32, "start");
        Reg other = k.reg(Type.U32, "other_count");
        k.loop("mark", lane, marks, Sums.LANES, mark -> {
            k.madWide(at, mark, Integer.BYTES, starts);
            k.ld(GLOBAL, start, at);
            k.onlyIf(k.compare(Compare.LE, start, token), () -> k.add(sequence, sequence, 1));
        });
        for (int bits = Sums.LANES / 2; bits > 0; bits /= 2) {
            k.shflBfly(other, sequence, bits);
            k.add(sequence, sequence, other);
        }
        k.sub(sequence, sequence, 1);
        Reg isBad = k.compare("is_bad", Compare.GE, sequence, sequences);
        k.onlyIf(isBad, () -> k.mov(sequence, 0));
        Reg wide = k.reg(Type.U64, "rows_wide");
        Reg room = k.reg(Type.U64, "room");
        k.op("cvt.u64.u32", wide, wanted);
        k.mulWide(room, most, pageRows);
        Reg isBeyond = k.compare(Compare.GT, wide, room);
        k.op("or.pred", isBad, isBad, isBeyond);
        Reg rows = k.reg(Type.U32, "rows");
        k.selp(rows, 0, wanted, isBad);
        Reg own = k.reg(Type.U64, "own_pages");
        k.op("cvt.u64.u32", wide, sequence);
        k.mad(own, wide, pagesRow, pages);
        return new Seen(rows, own, isBad);
    }

    /// Where a row lies.
    ///
    /// @param page its page's number
    /// @param within its number in the page
    /// @param there how many pages the cache has
    record Place(Reg page, Reg within, Reg there) {
        /// @return whether the cache has the page
        Reg isThere(PtxKernel k) {
            return k.compare("is_there", Compare.LT, page, there);
        }

        /// @param base of the cache
        /// @param pageBytes from one page to the next
        /// @param rowBytes from one row to the next
        /// @param isThere where not, the base
        /// @return a new register with the row's address
        Reg address(PtxKernel k, String name, Reg base, Reg pageBytes, Reg rowBytes, Reg isThere) {
            Reg at = k.reg(Type.U64, name);
            Reg wide = k.reg(Type.U64, "wide");
            k.op("cvt.u64.u32", wide, page);
            k.mad(at, wide, pageBytes, base);
            k.op("cvt.u64.u32", wide, within);
            k.mad(at, wide, rowBytes, at);
            k.selp(at, at, base, isThere);
            return at;
        }
    }

    /// @return a place to be filled in by [#find]
    Place place(PtxKernel k) {
        return new Place(k.reg(Type.U32, "page"), k.reg(Type.U32, "within"), there);
    }

    /// Looks a row up.
    ///
    /// @param row below what the token sees
    void find(PtxKernel k, Seen seen, Reg row, Place place) {
        Reg index = k.reg(Type.U32, "page_index");
        Reg at = k.reg(Type.U64, "page_at");
        k.div(index, row, pageRows);
        k.mul(place.within, index, pageRows);
        k.sub(place.within, row, place.within);
        k.madWide(at, index, Integer.BYTES, seen.pages);
        k.ld(GLOBAL, place.page, at);
    }
}
